"""Functions that go along a dimension: sums and products so far, extremes so far, differences, areas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.dtypes import as_dtype
from trainkit.autograd.functions.join import cat
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops import scan as ops
from trainkit.autograd.ops.broadcast import cast
from trainkit.autograd.ops.index import gather
from trainkit.autograd.ops.reduce import check_floating, sum
from trainkit.autograd.ops.results import Chosen
from trainkit.autograd.ops.shape import normalize_dim, reshape
from trainkit.errors import ArgumentError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_trapezoid",
    "diff",
    "logcumsumexp",
    "trapezoid",
    "trapz",
]


def _along(op: Any, input: Any, dim: int, dtype: Any = None) -> Any:
    """Run an op along a dimension; a tensor of none is one of a single element."""
    at = normalize_dim(dim, input.array.ndim)
    if dtype is not None and input.array.dtype != as_dtype(dtype):
        input = cast(input, as_dtype(dtype))
    return reshape(op(reshape(input, (1,)), 0), ()) if input.array.ndim == 0 else op(input, at)


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Sums up to each place along `dim`; float32 is added in float64, integers in int64.

    >>> import trainkit as tk
    >>> tk.cumsum(tk.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
    """
    return _along(ops.cumsum, input, dim, dtype)


def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Products up to each place along `dim`; zeros have their right gradient too."""
    return _along(ops.cumprod, input, dim, dtype)


def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """Logarithms of the sums of exponentials up to each place along `dim`, without overflow."""
    check_floating("logcumsumexp", input)
    return _along(ops.logcumsumexp, input, dim)


def cummax(input: Tensor, dim: int) -> Chosen:
    """The largest up to each place along `dim` and where it stands: the last one if several do."""
    return _extremes(np.maximum, input, dim)


def cummin(input: Tensor, dim: int) -> Chosen:
    """The smallest up to each place along `dim` and where it stands: the last one if several do."""
    return _extremes(np.minimum, input, dim)


def _extremes(ufunc: Any, input: Tensor, dim: int) -> Chosen:
    at = normalize_dim(dim, input.array.ndim)
    array = input.array
    if array.ndim == 0:
        return Chosen(reshape(input, ()), wrap(np.zeros((), np.int64)))
    best = ufunc.accumulate(array, at) if array.size else array
    places = np.arange(array.shape[at]).reshape([-1 if i == at else 1 for i in range(array.ndim)])
    hits = (array == best) | (array != array)
    index = wrap(
        np.maximum.accumulate(np.where(hits, places, 0), at) if array.size else np.zeros(array.shape, np.int64)
    )
    return Chosen(gather(input, at, index), index)


def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """Differences of neighbours along `dim`, taken `n` times; `prepend` and `append` are joined on before."""
    if input.array.ndim == 0:
        raise ArgumentError("diff needs a tensor of at least one dimension, got one of none")
    at = normalize_dim(dim, input.array.ndim)
    if n < 0:
        raise ArgumentError(f"diff is taken n >= 0 times, got n={n}")
    parts = [part for part in (prepend, input, append) if part is not None]
    out: Any = cat(parts, at) if len(parts) > 1 else input
    for _ in range(n):
        low, high = _cut(at, slice(None, -1)), _cut(at, slice(1, None))
        out = out[high] ^ out[low] if out.array.dtype == np.bool_ else out[high] - out[low]
    return out


def _cut(at: int, part: slice) -> tuple[slice, ...]:
    return (slice(None),) * at + (part,)


def trapezoid(y: Tensor, x: Any = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The area under `y` along `dim` by the trapezoidal rule, at the places `x`, or `dx` apart."""
    at = normalize_dim(dim, y.array.ndim)
    low, high = _cut(at, slice(None, -1)), _cut(at, slice(1, None))
    heights: Any = y[low] + y[high]
    if x is None:
        return sum(heights, (at,), False) * (dx / 2)
    return sum(heights * _steps(y, x, at), (at,), False) / 2.0


def _steps(y: Any, x: Any, at: int) -> Any:
    """Return how far the places `x` of neighbours along dimension `at` of `y` are apart."""
    if not isinstance(x, TensorBase):
        raise ArgumentError(f"trapezoid expected a tensor of places, got {type(x).__name__}; dx= takes a number")
    if x.array.ndim == 1:
        x = reshape(x, tuple([-1 if i == at else 1 for i in range(y.array.ndim)]))
    return diff(x, dim=at - y.array.ndim)


def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The areas under `y` from the first place to each other along `dim`; arguments as for `trapezoid`."""
    at = normalize_dim(dim, y.array.ndim)
    low, high = _cut(at, slice(None, -1)), _cut(at, slice(1, None))
    heights: Any = y[low] + y[high]
    if x is None:
        return cumsum(heights * (dx / 2), at)
    return cumsum(heights * _steps(y, x, at), at) / 2.0


trapz = trapezoid
