"""Tensors: creation, dtypes, numpy, errors, how they look."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import trainkit as tk
from trainkit.autograd import gradcheck
from trainkit.errors import ArgumentError, DTypeError, GradientError, IndexRangeError, ShapeError


def test_default_dtypes() -> None:
    assert tk.tensor([1.0]).dtype == tk.float32
    assert tk.tensor([1]).dtype == tk.int64
    assert tk.tensor([True]).dtype == np.bool_
    assert tk.tensor(np.zeros(2)).dtype == tk.float64
    assert tk.zeros(2, 3).dtype == tk.float32
    assert tk.arange(3).dtype == tk.int64
    assert tk.arange(0, 1, 0.25).dtype == tk.float32
    assert tk.full((2,), 3).dtype == tk.int64


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda: tk.tensor([1, 2]) * 2.5, "float32"),
        (lambda: tk.tensor([1, 2]) / 2, "float32"),
        (lambda: tk.tensor([1, 2]) + tk.tensor([0.5, 1.0]), "float32"),
        (lambda: tk.tensor([0.5]) + tk.tensor(2.0, dtype="float64"), "float32"),
        (lambda: tk.tensor([0.5]) + tk.tensor([2.0], dtype="float64"), "float64"),
        (lambda: tk.tensor([0.5]) * np.float64(2.0), "float32"),
        (lambda: tk.tensor([True]) * 2.5, "float32"),
        (lambda: tk.tensor([True]) + 1, "int64"),
        (lambda: 1 - tk.tensor([0.5]), "float32"),
        (lambda: np.ones(2) * tk.ones(2), "float64"),
        (lambda: 2 ** tk.tensor([0.5]), "float32"),
        (lambda: tk.tensor([1, 2]).exp(), "float32"),
        (lambda: tk.tensor([True, False]).sum(), "int64"),
    ],
)
def test_promotion(make, dtype: str) -> None:
    out = make()
    assert isinstance(out, tk.Tensor)
    assert out.dtype == dtype


def test_gradient_through_promotion_keeps_the_leafs_dtype() -> None:
    x = tk.ones(2, requires_grad=True)
    (x * tk.tensor([2.0, 3.0], dtype="float64")).sum().backward()
    assert x.grad.dtype == tk.float32
    assert x.grad.tolist() == [2.0, 3.0]


@settings(deadline=None, max_examples=40)
@given(
    hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4),
    st.sampled_from(["add", "mul", "div", "sub"]),
)
def test_broadcast_gradients_have_their_leafs_shape(shapes, name: str) -> None:
    rng = np.random.default_rng(0)
    inputs = [tk.tensor(rng.uniform(0.5, 2.0, shape), requires_grad=True) for shape in shapes.input_shapes]
    op = getattr(tk, name)
    out = op(*inputs)
    assert out.shape == shapes.result_shape
    out.backward(tk.ones_like(out))
    assert [x.grad.shape for x in inputs] == list(shapes.input_shapes)
    if out.numel() and out.numel() <= 24:
        assert gradcheck(op, inputs)


def steps_forward(index) -> bool:
    """Tensors have no slices that step backward, as in PyTorch."""
    parts = index if isinstance(index, tuple) else (index,)
    return not any(isinstance(part, slice) and (part.step or 1) < 0 for part in parts)


@settings(deadline=None, max_examples=40)
@given(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4), st.data())
def test_indexing_is_numpys(shape, data) -> None:
    array = np.arange(np.prod(shape), dtype="float64").reshape(shape)
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True).filter(steps_forward))
    x = tk.tensor(array, requires_grad=True)
    picked = x[index]
    np.testing.assert_array_equal(picked.detach().numpy(), array[index])
    if picked.numel():
        picked.sum().backward()
        expected = np.zeros(shape)
        expected[index] = 1.0
        np.testing.assert_array_equal(x.grad.numpy(), expected)


def test_views_share_memory_and_copies_do_not() -> None:
    x = tk.zeros(4, 3)
    for view in (x.view(12), x.T, x[1:], x.reshape(2, 6), x.unsqueeze(0), x.expand(2, 4, 3), x.flatten()):
        assert np.shares_memory(view.array, x.array)
        assert view.version is x.version
    assert not np.shares_memory(x.T.reshape(12).array, x.array)
    assert not np.shares_memory(x.clone().array, x.array)
    with pytest.raises(ShapeError, match="reshape"):
        x.T.view(12)


def test_numpy_both_ways() -> None:
    array = np.ones(3)
    x = tk.from_numpy(array)
    array[0] = 5.0
    assert x[0].item() == 5.0
    assert x.numpy() is array
    assert np.asarray(x) is array
    assert np.array(x, copy=False) is array
    assert not np.shares_memory(np.array(x), array)
    assert np.asarray(x, "float32").dtype == "float32"
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, "float32", copy=False)
    assert np.shares_memory(np.from_dlpack(x), array)
    assert memoryview(np.asarray(x)).format == "d"
    leaf = tk.ones(2, requires_grad=True)
    for needs_history in (leaf.numpy, lambda: np.asarray(leaf), lambda: np.exp(leaf), lambda: np.from_dlpack(leaf)):
        with pytest.raises(GradientError, match="detach"):
            needs_history()
    assert (leaf * 2).numpy(force=True).tolist() == [2.0, 2.0]
    assert leaf.numpy(force=True) is leaf.array
    assert tk.tensor([leaf.detach().numpy(), np.zeros(2, "float32")]).tolist() == [[1.0, 1.0], [0.0, 0.0]]


def test_functions_of_numpy_give_tensors() -> None:
    x = tk.zeros(2)
    for out in (np.exp(x), np.add(x, 1), np.add(np.ones(2, "float32"), x)):
        assert isinstance(out, tk.Tensor)
        assert out.tolist() == [1.0, 1.0]
    assert isinstance(np.greater(x, 1), tk.Tensor)
    array = np.ones(2)
    array += tk.ones(2)
    assert array.tolist() == [2.0, 2.0]
    assert isinstance(np.concatenate([x, x]), np.ndarray)


def test_operators_between_arrays_and_tensors() -> None:
    x = tk.tensor([1.0, 2.0], requires_grad=True)
    array = np.array([3.0, 5.0])
    for out, expected in [
        (array + x, [4.0, 7.0]),
        (x + array, [4.0, 7.0]),
        (array - x, [2.0, 3.0]),
        (array * x, [3.0, 10.0]),
        (array / x, [3.0, 2.5]),
        (array**x, [3.0, 25.0]),
        (array @ x.double(), 13.0),
        (x.double() @ array, 13.0),
        (np.outer(array, array) @ x.double(), [39.0, 65.0]),
    ]:
        assert isinstance(out, tk.Tensor)
        assert out.dtype == tk.float64
        assert out.requires_grad
        assert out.tolist() == expected
    for out, truth in [(array == x, [False, False]), (array > x, [True, True]), (x > array, [False, False])]:
        assert isinstance(out, tk.Tensor)
        assert out.tolist() == truth
    assert (np.float64(2) * x).dtype == (np.float32(2) + x).dtype == (x / np.int64(2)).dtype == tk.float32


def test_a_tensor_in_python() -> None:
    assert (float(tk.tensor([1.5])), int(tk.tensor(2.7)), bool(tk.tensor([0.0]))) == (1.5, 2, False)
    assert [10, 20, 30][tk.tensor([1])] == 20
    assert range(3)[tk.tensor(2, dtype=tk.uint8)] == 2
    with pytest.raises(TypeError, match="integer tensor"):
        [1, 2][tk.tensor(1.0)]
    with pytest.raises(TypeError, match="integer tensor"):
        [1, 2][tk.tensor([0, 1])]
    assert tk.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert tk.tensor(1.5).tolist() == 1.5
    assert type(tk.tensor([True]).item()) is bool
    assert [row.tolist() for row in tk.tensor([[1], [2]])] == [[1], [2]]
    assert (len(tk.ones(3, 2)), len(tk.ones(0, 2))) == (3, 0)
    for function in (len, iter):
        with pytest.raises(TypeError, match="0-d"):
            function(tk.tensor(1))


def test_contains() -> None:
    x = tk.tensor([[1.0, 2.0], [3.0, float("nan")]])
    assert 3 in x
    assert 4 not in x
    assert float("nan") not in x
    assert tk.tensor(2) in x
    assert np.float64(2) in x
    assert tk.tensor([1.0, 5.0]) in x  # any element, as in PyTorch
    with pytest.raises(DTypeError, match="number"):
        assert "a" in x


def test_format() -> None:
    assert f"{tk.tensor(1.5)}" == "1.5"
    assert f"{tk.tensor(1.5):.2f} {tk.tensor(7):03d}" == "1.50 007"
    assert f"{tk.tensor([1.5])}" == str(tk.tensor([1.5])) == "tensor([1.5000])"
    assert f"{tk.ones((), requires_grad=True):.1f}" == "1.0"
    assert "%.2f" % tk.tensor(1.5) == "1.50"  # noqa: UP031
    with pytest.raises(TypeError, match="numbers"):
        f"{tk.tensor([1.5]):.2f}"


def test_reductions_match_numpy() -> None:
    x = tk.randn(3, 4)
    np.testing.assert_allclose(x.var(1).numpy(), x.numpy().var(1, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(x.std().numpy(), x.numpy().std(ddof=1), rtol=1e-5)
    values, places = x.max(1)
    assert values.tolist() == x.numpy().max(1).tolist()
    assert places.tolist() == x.numpy().argmax(1).tolist()
    assert x.min(0)[0].shape == (4,)
    np.testing.assert_allclose(
        (x * 200).logsumexp(1).numpy(), np.logaddexp.reduce(x.numpy().astype("f8") * 200, 1), rtol=1e-6
    )
    assert np.isnan(tk.zeros(0).mean().item())


def test_matmul_ranks() -> None:
    rng = np.random.default_rng(0)
    for a, b in [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((3,), (5, 3, 4)),
    ]:
        x, y = (tk.tensor(rng.normal(size=shape), requires_grad=True) for shape in (a, b))
        np.testing.assert_allclose((x @ y).detach().numpy(), x.array @ y.array)
        assert gradcheck(tk.matmul, [x, y])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tk.ones(2, 3) + tk.ones(4), ShapeError, r"add cannot broadcast shapes \(2, 3\) and \(4,\)"),
        (lambda: tk.ones(2, 3) @ tk.ones(4, 5), ShapeError, "3, must equal 4"),
        (lambda: tk.ones(2, 3) @ tk.ones(3, 1).long(), DTypeError, "cast one"),
        (lambda: tk.ones(6).reshape(4, -1), ShapeError, "6 elements"),
        (lambda: tk.ones(2, 3).sum(2), IndexRangeError, r"\[-2, 1\]"),
        (lambda: tk.ones(2)[5], IndexRangeError, "out of bounds"),
        (lambda: tk.ones(2).__setitem__(5, 1.0), IndexRangeError, "out of bounds"),
        (lambda: tk.ones(2).__setitem__(slice(None), tk.ones(3, requires_grad=True)), ShapeError, "cannot set"),
        (lambda: tk.ones(2).item(), ShapeError, "one element"),
        (lambda: bool(tk.ones(2)), ShapeError, "ambiguous"),
        (lambda: tk.tensor("text"), DTypeError, "numbers"),
        (lambda: tk.tensor([1]).requires_grad_(), DTypeError, "floating point"),
        (lambda: tk.ones(2).to("cuda"), ArgumentError, "CPU"),
        (lambda: tk.cat([tk.ones(2, 2), tk.ones(3, 3)]), ShapeError, "agree in every other"),
        (lambda: tk.cat([]), ArgumentError, "at least one"),
        (lambda: tk.zeros(-1), ShapeError, "at least 0"),
        (lambda: tk.ones(2) + "x", DTypeError, "str"),
        (lambda: tk.ones(2).expand(3, 4), ShapeError, "expand"),
        (lambda: tk.zeros(0).max(), ShapeError, "no elements"),
    ],
)
def test_bad_input_says_what_came_and_what_to_do(call, error, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert isinstance(caught.value, tk.TrainkitError)
    assert isinstance(caught.value, (RuntimeError, ValueError, IndexError))


def test_copies_and_pickles() -> None:
    x = tk.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    twin = copy.deepcopy(x)
    assert twin.requires_grad
    assert twin.grad.tolist() == [2.0, 2.0]
    twin.array[0] = 9.0
    assert x.tolist() == [1.0, 1.0]
    shallow = copy.copy(x)
    assert shallow.array is x.array
    assert shallow.version is x.version
    assert shallow.requires_grad
    assert shallow.grad is None
    back = pickle.loads(pickle.dumps(x))
    assert back.requires_grad
    assert back.tolist() == [1.0, 1.0]
    for refused in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(GradientError, match="leaf"):
            refused(x * 2)


class Named(tk.Tensor):
    """A tensor with an attribute."""


def copies(x: tk.Tensor) -> list[tk.Tensor]:
    return [copy.copy(x), copy.deepcopy(x), *(pickle.loads(pickle.dumps(x, protocol)) for protocol in range(2, 6))]


def test_copies_keep_class_dtype_and_layout() -> None:
    for dtype in ("float16", "float64", "int8", "bool"):
        assert all(twin.dtype is getattr(tk, dtype) for twin in copies(tk.ones(2, dtype=dtype)))
    for twin in copies(tk.nn.Parameter(tk.ones(2), requires_grad=False)):
        assert type(twin) is tk.nn.Parameter
        assert not twin.requires_grad
    assert all(tuple(twin.stride()) == (1, 2) for twin in copies(tk.ones(3, 2).T))
    named = Named([1.0])
    named.name = ["a"]
    assert [twin.name for twin in copies(named)] == [["a"]] * 6
    assert copy.deepcopy(named).name is not named.name
    view = tk.zeros(100_000)[:2]
    assert len(pickle.dumps(view)) < 1000
    assert all(twin.array.flags.writeable for twin in copies(tk.ones(2)))
    shared = tk.ones(2)
    first, second = copy.deepcopy([shared, shared])
    assert first is second


def test_random_tensors_repeat_with_the_seed() -> None:
    draws = []
    for _ in range(2):
        tk.manual_seed(5)
        draws.append(
            [tk.rand(3).tolist(), tk.randn(3).tolist(), tk.randint(0, 9, (3,)).tolist(), tk.randperm(5).tolist()]
        )
    assert draws[0] == draws[1]
    generator = tk.Generator().manual_seed(1)
    state = generator.get_state()
    first = tk.randn(2, generator=generator).tolist()
    assert tk.randn(2, generator=generator.set_state(state)).tolist() == first
    with pytest.raises(ArgumentError, match="empty"):
        tk.randint(3, 3, (1,))


def test_shapes_count_their_elements() -> None:
    x = tk.zeros(2, 3)
    assert x.shape == x.size() == (2, 3)
    assert isinstance(x.shape, tk.Size)
    assert x.shape.numel() == 6
    assert x.size(-1) == 3
    assert x.stride(0) == 3
    assert x.T.stride() == (1, 3)
    assert repr(x.shape) == "(2, 3)"
    with pytest.raises(IndexRangeError, match=r"\[-2, 1\]"):
        x.stride(2)
