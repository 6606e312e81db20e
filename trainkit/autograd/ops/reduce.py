"""Ops that make one number of many."""

import math
from typing import Any

import numpy as np

from trainkit.autograd.graph import Array
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import broadcast_to, cast
from trainkit.autograd.ops.elementwise import exp, log
from trainkit.autograd.ops.index import gather
from trainkit.autograd.ops.shape import normalize_dims, reshape
from trainkit.errors import ShapeError

__all__ = ["amax", "amin", "argmax", "argmin", "logsumexp", "max_along", "mean", "min_along", "sum", "var"]

Dims = tuple[int, ...]


@op
def sum(ctx: Any, x: Any, dims: Dims | None, keepdim: bool) -> Any:
    """Sum over `dims`; booleans and integers sum in int64, float32 in pairs (numpy's pairwise summation)."""
    ctx.save(x.shape, dims)
    return x.sum(axis=dims, keepdims=keepdim)


@sum.backward
def _(ctx: Any, grad: Any) -> Any:
    shape, dims = ctx.saved
    return _spread(grad, shape, dims)


def _spread(reduced: Any, shape: tuple[int, ...], dims: Dims | None) -> Any:
    """Broadcast what was reduced over `dims` back to `shape`."""
    kept = tuple([1 if dims is None or i in dims else size for i, size in enumerate(shape)])
    return broadcast_to(reduced if reduced.shape == kept else reshape(reduced, kept), shape)


def mean(x: Any, dims: Dims | None, keepdim: bool) -> Any:
    """Average over `dims`: NaN over nothing, as in PyTorch."""
    count = math.prod(x.shape[d] for d in range(x.ndim) if dims is None or d in dims)
    return sum(x, dims, keepdim) / count


def var(x: Any, dims: Dims | None, correction: int, keepdim: bool) -> Any:
    """Variance over `dims`, in two passes; divided by the count less `correction`."""
    count = math.prod(x.shape[d] for d in range(x.ndim) if dims is None or d in dims)
    centred = x - mean(x, dims, True)
    return sum(centred * centred, dims, keepdim) / max(count - correction, 0)


@op
def amax(ctx: Any, x: Any, dims: Dims | None, keepdim: bool) -> Any:
    return _extreme(ctx, np.max, x, dims, keepdim)


@amax.backward
def _(ctx: Any, grad: Any) -> Any:
    return _to_extremes(ctx, grad)


@op
def amin(ctx: Any, x: Any, dims: Dims | None, keepdim: bool) -> Any:
    return _extreme(ctx, np.min, x, dims, keepdim)


@amin.backward
def _(ctx: Any, grad: Any) -> Any:
    return _to_extremes(ctx, grad)


def _extreme(ctx: Any, function: Any, x: Array, dims: Dims | None, keepdim: bool) -> Any:
    if x.size == 0 and (dims is None or 0 in [x.shape[d] for d in dims]):
        raise ShapeError(f"the largest or smallest of no elements is not defined; got shape {x.shape}")
    out = function(x, axis=dims, keepdims=keepdim)
    ctx.save(x, out, dims)
    return out


def _to_extremes(ctx: Any, grad: Any) -> Any:
    """Share a gradient evenly between the elements that are equal to the extreme, as PyTorch does."""
    x, out, dims = ctx.saved
    hits = cast(x == _spread(out, x.shape, dims), grad.dtype)
    share = hits / _spread(sum(hits, dims, False), x.shape, dims)
    return _spread(grad, x.shape, dims) * share


def _indexed(x: Any, index: Any, dim: int, keepdim: bool) -> Any:
    values = gather(x, dim, index)
    return values if keepdim else reshape(values, tuple(s for i, s in enumerate(x.shape) if i != dim))


def max_along(x: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """Return the largest values along `dim` and where they stand."""
    index = argmax(x, dim, True)
    return _indexed(x, getattr(index, "array", index), dim, keepdim), index if keepdim else _drop(index, dim)


def min_along(x: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """Return the smallest values along `dim` and where they stand."""
    index = argmin(x, dim, True)
    return _indexed(x, getattr(index, "array", index), dim, keepdim), index if keepdim else _drop(index, dim)


def _drop(index: Any, dim: int) -> Any:
    return reshape(index, tuple(s for i, s in enumerate(index.shape) if i != dim))


@op
def argmax(ctx: Any, x: Any, dim: int | None, keepdim: bool) -> Any:
    return _arg(np.argmax, x, dim, keepdim)


@op
def argmin(ctx: Any, x: Any, dim: int | None, keepdim: bool) -> Any:
    return _arg(np.argmin, x, dim, keepdim)


def _arg(function: Any, x: Array, dim: int | None, keepdim: bool) -> Any:
    if x.size == 0:
        raise ShapeError(f"the place of an extreme among no elements is not defined; got shape {x.shape}")
    return np.asarray(function(x, axis=dim, keepdims=keepdim), np.int64)


def logsumexp(x: Any, dims: Dims, keepdim: bool) -> Any:
    """Logarithm of the sum of exponentials, shifted by the largest so that nothing overflows."""
    largest = amax(getattr(x, "array", x), dims, True)
    largest = np.where(np.isfinite(largest), largest, 0)  # inf - inf would be NaN
    out = log(sum(exp(x - largest), dims, True)) + largest
    if keepdim:
        return out
    return reshape(out, tuple(s for i, s in enumerate(x.shape) if i not in normalize_dims(dims, x.ndim)))
