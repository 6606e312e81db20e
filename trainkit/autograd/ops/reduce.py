"""Ops that make one number of many."""

import math
from typing import Any

import numpy as np

from trainkit.autograd.graph import Array
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import broadcast_to, cast
from trainkit.autograd.ops.elementwise import exp, log
from trainkit.autograd.ops.index import gather
from trainkit.autograd.ops.shape import reshape
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
    return sum(x, dims, keepdim) / _count(x, dims)


def var(x: Any, dims: Dims | None, correction: int, keepdim: bool) -> Any:
    """Variance over `dims`, in two passes; divided by the count less `correction`."""
    centred = x - mean(x, dims, True)
    return sum(centred * centred, dims, keepdim) / max(_count(x, dims) - correction, 0)


def _count(x: Any, dims: Dims | None) -> int:
    """Return how many elements are reduced to one."""
    return math.prod(x.shape[d] for d in range(x.ndim) if dims is None or d in dims)


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


def max_along(x: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """Return the largest values along `dim` and where they stand."""
    return _picked(x, argmax(x, dim, True), dim, keepdim)


def min_along(x: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """Return the smallest values along `dim` and where they stand."""
    return _picked(x, argmin(x, dim, True), dim, keepdim)


def _picked(x: Any, index: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    values = gather(x, dim, getattr(index, "array", index))
    return (values, index) if keepdim else (_without(values, (dim,)), _without(index, (dim,)))


def _without(kept: Any, dims: Dims) -> Any:
    """Drop dimensions of size 1 that a reduction has kept."""
    return reshape(kept, tuple(size for i, size in enumerate(kept.shape) if i not in dims))


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
    return out if keepdim else _without(out, dims)
