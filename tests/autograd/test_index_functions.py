"""What the rows of the table cannot say of picking and putting: views, kept indices, errors, what is not PyTorch's."""

import warnings

import numpy as np
import pytest

import trainkit as tk
import trainkit.nn.functional as F
from trainkit.autograd import gradcheck
from trainkit.autograd.ops.index import getitem, index_put, plain_index, set_at
from trainkit.errors import ArgumentError, DTypeError, GradientError, IndexRangeError, InPlaceError, ShapeError


def leaf(*shape: int) -> tk.Tensor:
    return tk.tensor(np.arange(1.0, np.prod(shape) + 1).reshape(shape), requires_grad=True)


def index(*values: int) -> tk.Tensor:
    return tk.tensor(list(values))


# Views and copies


def test_basic_indices_make_views_even_of_one_element() -> None:
    x = tk.zeros(3, 4)
    one = tk.tensor(1)
    for view in (
        x[0],
        x[0, 1],
        x[one],
        x[:, one],
        x[1:],
        x[...],
        x[()],
        x[None],
        x[..., 0],
        x[2, 1:3],
        x[[0, ...]],
        x[np.int8(1), 1],
    ):
        assert view.version is x.version
        assert np.shares_memory(view.array, x.array)
    x[1][2].add_(5.0)
    assert x[1, 2].item() == 5.0
    assert tk.tensor(3.0)[()].add_(1.0).view_of is not None


def test_indices_that_are_arrays_make_copies() -> None:
    x = tk.zeros(3, 4)
    for copy in (
        x[index(0)],
        x[[0, 1]],
        x[x > -1],
        x[True],
        x[0, index(1)],
        x[:, np.array([1, 2])],
        x[tk.tensor(True)],
    ):
        assert copy.view_of is None
        assert not np.shares_memory(copy.array, x.array)


def test_integers_beside_arrays_are_taken_first() -> None:
    """numpy counts such an integer as an array, and puts the dimension of the result elsewhere."""
    x = leaf(3, 4, 5)
    assert x[0, :, index(0, 1)].shape == (4, 2)
    assert x.detach().numpy()[0, :, [0, 1]].shape == (2, 4)
    assert gradcheck(lambda x: x[0, :, [0, 1, 0]] * x[1, None, :, [2, 3, 3]], x)


def test_view_of_one_element_takes_its_history_anew() -> None:
    x = leaf(3)
    y = x * 1.0
    element = y[1]
    y.mul_(3.0)
    element.backward()
    assert x.grad.tolist() == [0.0, 3.0, 0.0]


def test_uint8_tensors_are_masks() -> None:
    x = index(5, 6, 7)
    mask = tk.tensor([1, 0, 2], dtype="uint8")
    assert x[mask].tolist() == [5, 7]
    assert x[np.array([0, 1, 1], "uint8")].tolist() == [6, 7]
    assert x[tk.tensor(1, dtype="uint8")].shape == (1, 3)


def test_dimensions_of_no_elements() -> None:
    x = tk.zeros(0, 3)
    assert x[tk.zeros(0, dtype="int64")].shape == (0, 3)
    assert x[[]].shape == (0, 3)
    assert x[:, [0, 1]].shape == (0, 2)
    with pytest.raises(IndexRangeError):
        x[[0]]


# The index is kept as it was, or a change is missed


@pytest.mark.parametrize(
    "pick",
    [
        lambda x, i: x[i],
        lambda x, i: x[0 * i[0], i],
        lambda x, i: x[(i > 0)[:, None].expand(3, 3)],
        lambda x, i: x.take(i),
        lambda x, i: x.index_put((i,), x[0], accumulate=True),
        lambda x, i: tk.masked_select(x, i > 0),
    ],
)
def test_changing_an_index_afterwards_does_not_change_the_gradient(pick) -> None:
    gradients = []
    for change in (False, True):
        x, i = leaf(3, 3), index(0, 1, 2)
        out = pick(x, i)
        if change:
            i.zero_()
        (out * out).sum().backward()
        gradients.append(x.grad.tolist())
    assert gradients[0] == gradients[1]


@pytest.mark.parametrize(
    "pick",
    [
        lambda x, i: x.gather(0, i[:, None]),
        lambda x, i: x.index_select(0, i),
        lambda x, i: x.scatter(0, i[:, None], 1.0),
        lambda x, i: x.index_fill(0, i, 1.0),
        lambda x, i: tk.zeros(3, 3).double().scatter_add(0, i[:, None].expand(3, 3), x),
        lambda x, i: tk.zeros(3, 3).double().index_add(0, i, x),
        lambda x, i: F.embedding(i, x),
    ],
)
def test_changing_an_index_that_the_graph_holds_is_missed(pick) -> None:
    x, i = leaf(3, 3), index(0, 1, 2)
    out = pick(x, i)
    i.zero_()
    with pytest.raises(InPlaceError, match="version"):
        out.sum().backward()


def test_changing_a_mask_that_the_graph_holds_is_missed() -> None:
    x, mask = leaf(2), tk.tensor([True, False])
    out = x.masked_fill(mask, 1.0)
    mask.zero_()
    with pytest.raises(InPlaceError, match="version"):
        out.sum().backward()


# The ops beneath


def test_set_at_has_pytorchs_meaning() -> None:
    array = np.zeros((2, 3, 4))
    set_at(array, plain_index((0, slice(None), [1, 3])), np.ones((3, 2)))
    assert array[0].tolist() == [[0.0, 1.0, 0.0, 1.0]] * 3
    set_at(array, plain_index((1, 2, 3)), np.array([7.0]))
    set_at(array, plain_index(tk.tensor(array == 1.0)), 2.0)
    assert array[1, 2, 3] == 7.0
    assert array.sum() == 19.0
    for wrong in ((0, 0, 0, 0), (0, [3], [0, 1, 2, 3, 4]), 2, np.ones((2, 2), bool)):
        with pytest.raises(IndexRangeError):
            set_at(array, plain_index(wrong), 1.0)


def test_putting_back_adds_up_what_was_picked_several_times() -> None:
    values = np.arange(1.0, 7.0).reshape(3, 2)
    key = plain_index((slice(1, 3), [2, 0, 2]))
    out = index_put(values.T, (3, 4), key)
    assert out.tolist() == [[0, 0, 0, 0], [3, 0, 6, 0], [4, 0, 8, 0]]
    assert getitem(out, key).tolist() == [[6, 3, 6], [8, 4, 8]]


# Putting


def test_a_src_larger_than_the_index() -> None:
    """PyTorch computes this but has no gradient for it."""
    where = tk.tensor([[1, 0]])
    assert gradcheck(lambda x, v: x.scatter(0, where, v) * 2 + x.scatter_add(0, where, v), [leaf(2, 3), leaf(3, 4)])
    assert gradcheck(lambda x, v: x.scatter_reduce(0, where, v, "prod"), [leaf(2, 3), leaf(3, 4)])


@pytest.mark.parametrize("reduce", ["add", "multiply"])
def test_scatter_that_reduces_has_a_gradient(reduce: str) -> None:
    where = tk.tensor([0, 0, 1])
    assert gradcheck(lambda x, v: x.scatter(0, where, v, reduce=reduce), [leaf(3), leaf(3)])


def test_product_with_zeros() -> None:
    """The gradient of each factor is the product of the others, be they 0 or not."""
    where = tk.tensor([0, 0, 1, 1, 2, 3, 3])
    x = tk.tensor([2.0, 3.0, 0.0, 0.0], dtype="float64", requires_grad=True)
    v = tk.tensor([0.0, 5.0, 0.0, 0.0, 7.0, 0.0, 3.0], dtype="float64", requires_grad=True)
    assert gradcheck(lambda x, v: x.scatter_reduce(0, where, v, "prod"), [x, v])
    assert gradcheck(lambda x, v: x.scatter_reduce(0, where, v, "prod", include_self=False), [x, v])


def test_equal_extremes_share_the_gradient_and_the_input_takes_part_only_if_included() -> None:
    where = tk.tensor([0, 0])
    for include, own, others in ((True, 1 / 3, 1 / 3), (False, 0.0, 1 / 2)):
        x, v = tk.tensor([3.0], requires_grad=True), tk.tensor([3.0, 3.0], requires_grad=True)
        x.scatter_reduce(0, where, v, "amax", include_self=include).sum().backward()
        assert x.grad.tolist() == pytest.approx([own])
        assert v.grad.tolist() == pytest.approx([others] * 2)


def test_an_index_filled_twice_counts_once() -> None:
    value = tk.tensor(2.0, dtype="float64", requires_grad=True)
    assert gradcheck(lambda v: tk.zeros(3, dtype="float64").index_fill(0, index(1, 1, -2), v), value)


def test_numbers_are_cut_off_and_wrapped_as_in_pytorch() -> None:
    x, mask = tk.zeros(2, dtype="int64"), tk.tensor([True, False])
    assert x.masked_fill(mask, 2.9).tolist() == [2, 0]
    assert x.scatter(0, index(0), -2.9).tolist() == [-2, 0]
    assert x.index_fill(0, index(0), tk.tensor(1.7)).tolist() == [1, 0]
    assert tk.zeros(2, dtype="uint8").masked_fill(mask, -1).tolist() == [255, 0]
    assert mask.masked_fill(~mask, 0.5).tolist() == [True, True]
    assert tk.zeros(2, dtype="float16").masked_fill(mask, -float("inf")).tolist() == [-float("inf"), 0.0]
    for dtype, number in (("uint8", 256), ("int64", float("inf")), ("int8", -129), ("float16", 1e6)):
        with pytest.raises(ArgumentError, match="does not fit"):
            tk.zeros(2, dtype=dtype).masked_fill(mask, number)


def test_index_put_takes_none_for_a_whole_dimension() -> None:
    x = tk.zeros(2, 3)
    assert x.index_put((None, index(0, 2)), tk.tensor([[1.0], [2.0]])).tolist() == [[1, 0, 1], [2, 0, 2]]


def test_changes_in_place_are_recorded() -> None:
    x, v = leaf(3), leaf(2)
    y = x * 1.0
    y[1:].index_add_(0, index(0, 0), v)
    y.masked_fill_(y > 7, 0.0)
    y.index_put_((index(0),), v[1] * 2.0)
    y.backward(tk.tensor([1.0, 10.0, 100.0]).double())
    assert y.tolist() == [4.0, 5.0, 3.0]
    assert x.grad.tolist() == [0.0, 10.0, 100.0]
    assert v.grad.tolist() == [10.0, 12.0]
    with pytest.raises(GradientError, match="leaf"):
        x.scatter_(0, index(0), 1.0)


def test_fill_diagonal_of_a_view() -> None:
    x = tk.zeros(3, 6)
    x[:, ::2].fill_diagonal_(1.0)
    assert x.nonzero().tolist() == [[0, 0], [1, 2], [2, 4]]


def test_padding_has_no_gradient() -> None:
    weight = leaf(3, 2)
    for padding in (1, -2):
        weight.grad = None
        out = F.embedding(tk.tensor([[1, 0], [1, 2]]), weight, padding_idx=padding)
        assert out[0, 0].tolist() == weight[1].tolist()
        out.sum().backward()
        assert weight.grad.tolist() == [[1, 1], [0, 0], [1, 1]]
        weight.grad = None
        slope = tk.grad((F.embedding(index(1, 0), weight, padding) ** 2).sum(), weight, create_graph=True)[0]
        assert tk.grad(slope.sum(), weight)[0].tolist() == [[2, 2], [0, 0], [0, 0]]


def test_gradients_of_rows_repeat_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    rows, values = rng.integers(0, 50, 4000), rng.normal(size=(4000, 33)).astype("float32")
    gradients = []
    for _ in range(3):
        table = tk.zeros(50, 33, requires_grad=True)
        (table[tk.tensor(rows)] * tk.tensor(values)).sum().backward()
        gradients.append(table.grad.numpy())
    expected = np.zeros((50, 33))
    np.add.at(expected, rows, values)
    np.testing.assert_allclose(gradients[0], expected, atol=1e-4)
    assert all((other == gradients[0]).all() for other in gradients[1:])


def test_halves_and_integers_add_up_too() -> None:
    assert tk.zeros(2, dtype="int8").scatter_add(0, index(0, 0), tk.tensor([100, 100], dtype="int8")).tolist() == [
        -56,
        0,
    ]
    x = tk.tensor([1.0, 2.0], dtype="float16", requires_grad=True)
    x[[0, 0, 1]].sum().backward()
    assert x.grad.tolist() == [2.0, 1.0]
    assert x.grad.dtype == tk.float16


# Errors

X = tk.zeros(3, 4)
MASK = tk.tensor([True, False, True])
FAR, NEGATIVE = tk.tensor([[3]]), tk.tensor([[-1]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: X[3], IndexRangeError, "index 3 is out of bounds for dimension 0 of size 3"),
        (lambda: X[0, -5], IndexRangeError, "index -5 is out of bounds for dimension 1 of size 4"),
        (lambda: X[None, ..., 4], IndexRangeError, "index 4 is out of bounds for dimension 1 of size 4"),
        (lambda: X[0, 0, 0], IndexRangeError, "too many indices, 3 for 2 dimensions"),
        (lambda: X[[0], 0, 0], IndexRangeError, "too many indices, 3 for 2 dimensions"),
        (lambda: X[..., ...], IndexRangeError, "one ..."),
        (lambda: X[..., [0], ...], IndexRangeError, "one ..."),
        (lambda: tk.tensor(1.0)[0], IndexRangeError, "item"),
        (lambda: X[[0, 3]], IndexRangeError, "index 3 is out of bounds for dimension 0 of size 3"),
        (lambda: X[1:][[2]], IndexRangeError, "index 2 is out of bounds for dimension 0 of size 2"),
        (lambda: X[[0], 4], IndexRangeError, "index 4 is out of bounds for dimension 1 of size 4"),
        (lambda: X[[0, 1], [0, 1, 2]], IndexRangeError, r"\(2,\) and \(3,\) do not broadcast"),
        (lambda: X[MASK[:2]], IndexRangeError, r"mask of shape \(2,\)"),
        (lambda: X[:, MASK], IndexRangeError, r"mask of shape \(3,\)"),
        (lambda: X[1.0], IndexRangeError, "index"),
        (lambda: X[[0.0]], IndexRangeError, "float"),
        (lambda: X[tk.tensor([0.0])], IndexRangeError, "long"),
        (lambda: X[tk.tensor(0.0)], IndexRangeError, "long"),
        (lambda: X[tk.tensor([0], dtype="int8")], IndexRangeError, "int8"),
        (lambda: X["a"], IndexRangeError, "str"),
        (lambda: X[::-1], ArgumentError, "flip"),
        (lambda: X[:: np.int64(0)], ArgumentError, "positive"),
        (lambda: X[1.0:], ArgumentError, "integer"),
        (lambda: X.gather(0, FAR), IndexRangeError, "gather got index 3 for dimension 0 of size 3; expected 0 to 2"),
        (lambda: X.gather(0, NEGATIVE), IndexRangeError, "index -1"),
        (lambda: X.gather(0, [[0]]), DTypeError, "list"),
        (lambda: X.gather(0, FAR.float()), DTypeError, "long"),
        (lambda: X.gather(0, index(0)), ShapeError, "as many dimensions"),
        (lambda: X.gather(0, tk.zeros(1, 5).long()), ShapeError, "larger"),
        (lambda: X.gather(2, FAR), IndexRangeError, "dimension 2"),
        (lambda: X.index_select(0, NEGATIVE[0]), IndexRangeError, "index -1"),
        (lambda: X.index_select(0, FAR), ShapeError, "vector"),
        (lambda: tk.tensor(1.0).index_select(0, index(0, 0)), IndexRangeError, "one index"),
        (lambda: X.take(index(12)), IndexRangeError, "index 12"),
        (lambda: tk.zeros(0).take(index(0)), IndexRangeError, "index 0"),
        (lambda: X.take_along_dim(index(0), 1), ShapeError, "dimensions"),
        (lambda: X.take_along_dim(tk.zeros(2, 1).long(), 1), ShapeError, "broadcast"),
        (lambda: X.masked_select(MASK), ShapeError, "broadcast"),
        (lambda: X.masked_fill(X, 1.0), DTypeError, "bool"),
        (lambda: X.masked_fill(X > 0, tk.zeros(1)), ShapeError, "no dimensions"),
        (lambda: X.masked_fill(X > 0, "a"), DTypeError, "str"),
        (lambda: X.masked_scatter(X == 0, tk.zeros(3)), ShapeError, "12 places to fill, the source 3"),
        (lambda: X.masked_scatter(X == 0, tk.zeros(12).double()), DTypeError, "one dtype"),
        (lambda: X[0].clone().masked_fill_(X == 0, 1.0), ShapeError, "shape"),
        (lambda: X.index_add(0, index(0), tk.zeros(1, 3)), ShapeError, r"needs a source of shape \(1, 4\)"),
        (lambda: X.index_add(0, index(0), tk.zeros(1, 4).double()), DTypeError, "one dtype"),
        (lambda: X.index_add(0, index(3), tk.zeros(1, 4)), IndexRangeError, "index 3"),
        (lambda: X.index_copy(0, index(-1), tk.zeros(1, 4)), IndexRangeError, "index -1"),
        (lambda: X.index_fill(0, index(-4), 1.0), IndexRangeError, "index"),
        (lambda: X.index_reduce(0, index(0), tk.zeros(1, 4), "sum"), ArgumentError, "amin"),
        (lambda: X.index_put(index(0), tk.tensor(1.0)), ArgumentError, "tuple"),
        (lambda: X.index_put((index(0),), 1.0), DTypeError, "tensor as values"),
        (lambda: X.index_put((index(0),), tk.tensor(1)), DTypeError, "one dtype"),
        (lambda: X.index_put(([0],), tk.tensor(1.0)), DTypeError, "list"),
        (lambda: X.index_put((None,), tk.tensor(1.0)), ArgumentError, "an index"),
        (lambda: X.index_put((index(9),), tk.tensor(1.0)), IndexRangeError, "index 9"),
        (lambda: X.index_put((index(0),), tk.zeros(3)), ShapeError, "expand"),
        (lambda: X.put(index(0, 1), tk.zeros(3)), ShapeError, "3 for 2"),
        (lambda: X.scatter(0, FAR, 1.0), IndexRangeError, "index 3"),
        (lambda: X.scatter(0, FAR), ArgumentError, "either"),
        (lambda: X.scatter(0, FAR, tk.zeros(0, 1)), ShapeError, "at least as large"),
        (lambda: X.scatter(0, FAR, 1.0, reduce="mul"), ArgumentError, "scatter_reduce"),
        (lambda: X.scatter_add(0, FAR * 0, tk.ones(1, 1).long()), DTypeError, "one dtype"),
        (lambda: X.scatter_add(0, FAR * 0, 1.0), DTypeError, "float"),
        (lambda: X.scatter_reduce(0, FAR, X, "prod"), IndexRangeError, "index 3"),
        (lambda: X.scatter_reduce(0, FAR, X, "max"), ArgumentError, "amax"),
        (lambda: MASK.scatter_reduce(0, index(0), MASK, "mean"), DTypeError, "mean"),
        (lambda: X.select_scatter(tk.zeros(3), 0, 0), ShapeError, r"\(4,\)"),
        (lambda: X.select_scatter(tk.zeros(4), 0, 3), IndexRangeError, "index 3"),
        (lambda: X.slice_scatter(X, 0, 1), ShapeError, r"\(2, 4\)"),
        (lambda: X.slice_scatter(X, 0, step=-1), ArgumentError, "step"),
        (lambda: X.diagonal_scatter(tk.zeros(4)), ShapeError, r"\(3,\)"),
        (lambda: tk.zeros(3).fill_diagonal_(1.0), ShapeError, "matrix"),
        (lambda: tk.zeros(2, 2, 3).fill_diagonal_(1.0), ShapeError, "same"),
        (lambda: F.embedding(FAR, X), IndexRangeError, "index 3"),
        (lambda: F.embedding(FAR.float(), X), DTypeError, "long"),
        (lambda: F.embedding([0], X), DTypeError, "list"),
        (lambda: F.embedding(FAR, X[0]), ShapeError, "features"),
        (lambda: F.embedding(FAR, X, padding_idx=3), IndexRangeError, "padding_idx 3"),
        (lambda: F.one_hot(index(0, 2), 2), IndexRangeError, "class 2"),
        (lambda: F.one_hot(index(-1)), IndexRangeError, "class -1"),
        (lambda: F.one_hot(FAR.int()), DTypeError, "int32"),
        (lambda: F.one_hot(tk.zeros(0).long()), ArgumentError, "num_classes"),
    ],
)  # fmt: skip
def test_errors_say_what_came_and_what_to_do(call, error, message) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(error, match=message):
            call()
