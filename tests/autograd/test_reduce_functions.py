"""Reductions beyond their rows: accuracy in every layout, overloads, zeros, NaN, errors."""

import numpy as np
import pytest

import trainkit as tk
from trainkit.autograd import gradcheck
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

LAYOUTS = {
    "row": lambda a: a,
    "outer axis": lambda a: a.reshape(-1, 8),
    "middle axis": lambda a: a.reshape(4, -1, 10),
    "columns": lambda a: a.reshape(8, -1).T,
    "strided": lambda a: np.repeat(a[: a.size // 4].reshape(-1, 5), 2, axis=1)[:, ::2],
    "turned": lambda a: a.reshape(20, -1, 10).transpose(2, 0, 1),
    "backwards": lambda a: a.reshape(-1, 8)[::-1, ::-1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_ten_million_float32_keep_their_digits(layout: str, offset: float) -> None:
    values = np.random.default_rng(0).random(10_000_000, np.float32) + np.float32(offset)
    x = LAYOUTS[layout](values)
    exact = x.sum(dtype=np.float64)
    assert abs(tk.from_numpy(x.copy() if layout == "backwards" else x).sum().item() - exact) <= 1e-5 * exact
    for axis in range(x.ndim):
        ours = tk.autograd.wrap(x).sum(axis).numpy()
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, x.sum(axis, dtype=np.float64), rtol=1e-5)


def test_means_variances_norms_and_running_sums_keep_their_digits() -> None:
    values = np.random.default_rng(1).random((1_000_000, 3), np.float32) + np.float32(100)
    x, wide = tk.from_numpy(values), values.astype(np.float64)
    np.testing.assert_allclose(x.mean(0).numpy(), wide.mean(0), rtol=1e-6)
    np.testing.assert_allclose(x.var(0).numpy(), wide.var(0, ddof=1), rtol=1e-4)
    np.testing.assert_allclose(x.norm(dim=0).numpy(), np.sqrt((wide**2).sum(0)), rtol=1e-5)
    np.testing.assert_allclose(x.cumsum(0)[-1].numpy(), wide.sum(0), rtol=1e-6)
    half = tk.ones(10_000, dtype=tk.float16)
    assert half.sum().item() == 10_000


def test_sums_repeat_whatever_the_number_of_threads() -> None:
    x = tk.randn(300_000, 7)
    threads, results = tk.get_num_threads(), []
    try:
        for count in (1, 3, 4):
            tk.set_num_threads(count)
            results.append((x.sum(0).tolist(), x.sum(1).tolist(), x.sum().item()))
    finally:
        tk.set_num_threads(threads)
    assert results[0] == results[1] == results[2]


def test_dtypes_of_results() -> None:
    for dtype, summed in (("bool", "int64"), ("uint8", "int64"), ("int32", "int64"), ("float16", "float16")):
        x = tk.ones(2, 3).to(dtype)
        assert x.sum().dtype == x.sum(0).dtype == summed
        assert x.prod().dtype == x.cumsum(0).dtype == summed
    assert tk.ones(2, dtype=tk.uint8).all().dtype == tk.uint8
    assert tk.ones(2, dtype=tk.int64).any().dtype == np.bool_
    assert tk.ones(2, dtype=tk.int64).mean(dtype=tk.float64).dtype == tk.float64


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tk.tensor([1, 2]).mean(), DTypeError, "cast first"),
        (lambda: tk.tensor([1, 2]).var(), DTypeError, "cast first"),
        (lambda: tk.zeros(0).max(), ShapeError, "no elements"),
        (lambda: tk.zeros(0, 3).argmax(0), IndexRangeError, "no elements"),
        (lambda: tk.zeros(2).sum(1), IndexRangeError, r"\[-1, 0\]"),
        (lambda: tk.zeros(2, 2).sum((0, -2)), ArgumentError, "twice"),
        (lambda: tk.zeros(2).norm("nuc"), ShapeError, "two dimensions"),
        (lambda: tk.zeros(2).norm("max"), ArgumentError, "fro"),
        (lambda: tk.zeros(0, 3).amax(0), IndexRangeError, "no elements"),
        (lambda: tk.ones(2).bool().argmax(), DTypeError, "booleans"),
        (lambda: tk.zeros(0).long().median(), ShapeError, "median"),
        (lambda: tk.zeros(2).half().quantile(0.5), DTypeError, "float32"),
        (lambda: tk.unique(tk.tensor(1.0), dim=0), IndexRangeError, "no slices"),
        (lambda: tk.unique(tk.zeros(0, 3), dim=1), ShapeError, "cannot be compared"),
        (lambda: tk.bincount(tk.tensor([1]), minlength=-1), ArgumentError, "negative"),
        (lambda: tk.searchsorted(tk.tensor(1.0), tk.zeros(2)), ShapeError, "at least one dimension"),
        (lambda: tk.searchsorted(tk.zeros(2, 3), 1.0), ShapeError, "before the last"),
        (lambda: tk.cov(tk.zeros(1, 1, 1)), ShapeError, "matrix"),
        (lambda: tk.cov(tk.zeros(2, 3), fweights=tk.ones(3)), DTypeError, "integers"),
        (lambda: tk.cov(tk.zeros(2, 3), aweights=tk.zeros(3)), ArgumentError, "sum to 0"),
        (lambda: tk.histogram(tk.zeros(2), 0), ArgumentError, "at least 1"),
        (lambda: tk.histogram(tk.zeros(2).long(), 3), DTypeError, "float32"),
        (lambda: tk.zeros(2).topk(3), IndexRangeError, "size 2"),
        (lambda: tk.zeros(2).kthvalue(0), IndexRangeError, "from 1 to 2"),
        (lambda: tk.zeros(2).quantile(1.5), ArgumentError, "from 0 to 1"),
        (lambda: tk.zeros(2).quantile(0.5, interpolation="cubic"), ArgumentError, "linear"),
        (lambda: tk.zeros(0).quantile(0.5), IndexRangeError, "no elements"),
        (lambda: tk.bincount(tk.tensor([-1])), ArgumentError, "-1"),
        (lambda: tk.bincount(tk.zeros(2)), DTypeError, "integers"),
        (lambda: tk.bincount(tk.zeros(2, 2).long()), ShapeError, "one dimension"),
        (lambda: tk.histc(tk.zeros(2), 0), ArgumentError, "at least one bin"),
        (lambda: tk.histc(tk.zeros(2), 2, 3, 1), ArgumentError, "min <= max"),
        (lambda: tk.searchsorted(tk.zeros(2), tk.zeros(2), side="left", right=True), ArgumentError, "contradict"),
        (lambda: tk.bucketize(tk.zeros(2), tk.zeros(2, 2)), ShapeError, "one dimension"),
        (lambda: tk.diff(tk.tensor(1.0)), ArgumentError, "at least one dimension"),
        (lambda: tk.var(tk.zeros(2), 0, True, correction=0), ArgumentError, "not both"),
    ],
)
def test_errors(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_nan_wins_or_counts_as_the_largest() -> None:
    nan = float("nan")
    x = tk.tensor([1.0, nan, 3.0, nan])
    assert np.isnan(x.max().item())
    assert x.max(0).indices.item() == x.argmax().item() == 1
    assert x.argmin().item() == 1
    assert x.sort().indices.tolist() == [0, 2, 1, 3]
    assert x.sort(descending=True).indices.tolist() == [1, 3, 2, 0]
    assert np.isnan(x.median().item())
    assert x.median(0).indices.item() == 1
    assert x.nanmedian().item() == 1.0
    assert x.nansum().item() == 4.0
    assert x.nanmean().item() == 2.0
    assert np.isnan(x.quantile(0.5).item())
    assert x.nanquantile(0.5).item() == 2.0
    assert x.topk(2).indices.tolist() == [1, 3]
    assert x.unique().shape == (4,)


def test_products_with_zeros_have_their_gradient() -> None:
    for values in ([2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [1.5, -2.0, 4.0]):
        x = tk.tensor(values, dtype=tk.float64, requires_grad=True)
        for function in (lambda x: x.prod(), lambda x: x.prod(0, keepdim=True), lambda x: x.cumprod(0)):
            assert gradcheck(function, x)
            assert tk.gradgradcheck(function, x)


def test_flat_places_give_flat_gradients() -> None:
    """Where a root is 0 or all is equal, PyTorch's subgradient: 0, or shares."""
    x = tk.zeros(3, requires_grad=True)
    (x.norm() + x.std() + x.norm(3)).backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
    x = tk.ones(4, requires_grad=True)
    (x.max() + x.norm(float("inf"))).backward()
    assert x.grad.tolist() == [0.5] * 4


def test_pairs_have_names() -> None:
    values, indices = found = tk.tensor([[1.0, 5.0], [7.0, 2.0]]).max(dim=1)
    assert found.values is values
    assert found.indices is indices
    assert tk.aminmax(tk.arange(3)).max.item() == 2
    assert tk.cummax(tk.tensor([1, 3, 3, 2]), 0).indices.tolist() == [0, 1, 2, 2]


def test_tensors_of_no_dimensions() -> None:
    x = tk.tensor(2.0, requires_grad=True)
    for call in (
        lambda: x.sum(0),
        lambda: x.mean(-1),
        lambda: x.max(0)[0],
        lambda: x.cumsum(0),
        lambda: x.cumprod(0),
        lambda: x.sort()[0],
        lambda: x.median(),
        lambda: x.topk(1)[0],
        lambda: x.prod(0),
        lambda: x.logsumexp(0),
        lambda: x.quantile(0.5),
        lambda: x.logcumsumexp(0),
    ):
        out = call()
        assert out.shape == ()
        x.grad = None
        out.backward()
        assert x.grad.item() == pytest.approx(1.0)


def test_gradients_of_long_scans_need_little_memory() -> None:
    """A row of this length squared would not fit into memory."""
    x = tk.linspace(-1, 1, 200_001, requires_grad=True)  # with a 0 in the middle
    (x.cumprod(0).sum() + x.prod() + x.logcumsumexp(0).mean()).backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_constants_vary_by_nothing() -> None:
    for dtype in (tk.float32, tk.float64):
        x = tk.full((1000, 3), 0.1, dtype=dtype, requires_grad=True)
        out = x.std(0)
        out.sum().backward()
        assert out.tolist() == [0.0] * 3
        assert not x.grad.numpy().any()


def test_an_index_that_was_changed_is_noticed() -> None:
    for call in (
        lambda x: x.max(1),
        lambda x: x.sort(),
        lambda x: x.topk(2),
        lambda x: x.cummax(1),
        lambda x: x.mode(),
    ):
        values, indices = call(tk.rand(3, 4, requires_grad=True))
        indices.zero_()
        with pytest.raises(tk.TrainkitError, match="version"):
            values.sum().backward()
