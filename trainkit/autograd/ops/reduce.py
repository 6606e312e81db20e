"""Ops that make one number of many."""

import math
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.graph import Array
from trainkit.autograd.op import array_of, op
from trainkit.autograd.ops.broadcast import broadcast_to, cast
from trainkit.autograd.ops.choose import masked, where
from trainkit.autograd.ops.exponential import exp
from trainkit.autograd.ops.index import gather
from trainkit.autograd.ops.shape import reshape
from trainkit.errors import DTypeError, IndexRangeError, ShapeError

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "check_floating",
    "check_some",
    "count",
    "logsumexp",
    "max_along",
    "mean",
    "min_along",
    "pick",
    "spread",
    "std",
    "sum",
    "sum_all",
    "to_equals",
    "var",
    "without",
]

Dims = tuple[int, ...]


@op
def sum(ctx: Any, x: Any, dims: Dims | None, keepdim: bool) -> Any:
    """Sum over `dims`, all for None; booleans and integers sum in int64."""
    ctx.save(x.shape, dims)
    return kernels.total(x, dims, keepdim)


@sum.backward
def _(ctx: Any, grad: Any) -> Any:
    shape, dims = ctx.saved
    return spread(grad, shape, dims)


@op
def sum_all(ctx: Any, x: Any) -> Any:
    """Sum over everything: `sum` without arguments, by the short way that ops of one argument have."""
    ctx.save(x.shape)
    return kernels.total(x)


sum_all.op.title = "Sum"  # what users see of it


@sum_all.backward
def _(ctx: Any, grad: Any) -> Any:
    return broadcast_to(grad, ctx.saved[0])


def spread(reduced: Any, shape: tuple[int, ...], dims: Dims | None) -> Any:
    """Broadcast what was reduced over `dims` back to `shape`."""
    if reduced.ndim == 0:
        return broadcast_to(reduced, shape)
    kept = tuple([1 if dims is None or i in dims else size for i, size in enumerate(shape)])
    return broadcast_to(reduced if reduced.shape == kept else reshape(reduced, kept), shape)


@op
def mean(ctx: Any, x: Any, dims: Dims | None, keepdim: bool) -> Any:
    """Average over `dims`: NaN over nothing, as in PyTorch."""
    number = count(x, dims)
    ctx.save(x.shape, dims, number)
    return _mean(x, dims, keepdim)


@mean.backward
def _(ctx: Any, grad: Any) -> Any:
    shape, dims, number = ctx.saved
    return spread(grad / (number or 1), shape, dims)


def _mean(x: Array, dims: Dims | None, keepdim: bool) -> Any:
    number = count(x, dims) or math.nan
    if x.dtype.char == "e":  # its sum may be beyond float16
        return (kernels.total(x.astype(np.float32), dims, keepdim) / number).astype(x.dtype)
    return kernels.total(x, dims, keepdim) / number


@op
def var(ctx: Any, x: Any, dims: Dims | None, correction: float, keepdim: bool) -> Any:
    """Variance over `dims`, in two passes; divided by the count less `correction`."""
    ctx.save(x, dims, correction)
    return _var(x, dims, correction, keepdim)


@var.backward
def _(ctx: Any, grad: Any) -> Any:
    return _var_grad(grad, *ctx.saved)


@op
def std(ctx: Any, x: Any, dims: Dims | None, correction: float, keepdim: bool) -> Any:
    """The root of the variance; its gradient is 0 where it is 0, as in PyTorch."""
    out = np.asarray(np.sqrt(_var(x, dims, correction, keepdim)))
    ctx.save(x, out, dims, correction)
    return out


@std.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out, dims, correction = ctx.saved
    some = out != 0
    return _var_grad(masked(grad, some) / where(some, 2.0 * out, 1.0), x, dims, correction)


def _var(x: Array, dims: Dims | None, correction: float, keepdim: bool) -> Any:
    if x.dtype.char == "e":
        return _var(x.astype(np.float32), dims, correction, keepdim).astype(x.dtype)
    with np.errstate(all="ignore"):
        centred = x - _mean(x, dims, True)
        rest = _mean(centred, dims, True)
        if np.any(rest):  # what the mean lost when it was rounded
            centred -= rest
        np.multiply(centred, centred, centred)
        return kernels.total(centred, dims, keepdim) / np.asarray(max(count(x, dims) - correction, 0), x.dtype)


def _var_grad(grad: Any, x: Any, dims: Dims | None, correction: float) -> Any:
    freedom = count(x, dims) - correction
    with np.errstate(all="ignore"):  # without freedom, infinite and NaN as in PyTorch
        return spread(grad, x.shape, dims) * ((x - mean(x, dims, True)) * (2.0 / freedom if freedom > 0 else math.inf))


def count(x: Any, dims: Dims | None) -> int:
    """Return how many elements are reduced to one."""
    shape = x.shape
    return math.prod(shape if dims is None else [shape[dim] for dim in dims])


@op
def amax(ctx: Any, x: Any, dims: Dims | None, keepdim: bool) -> Any:
    return _extreme(ctx, np.max, x, dims, keepdim)


@amax.backward
def _(ctx: Any, grad: Any) -> Any:
    return to_equals(ctx, grad)


@op
def amin(ctx: Any, x: Any, dims: Dims | None, keepdim: bool) -> Any:
    return _extreme(ctx, np.min, x, dims, keepdim)


@amin.backward
def _(ctx: Any, grad: Any) -> Any:
    return to_equals(ctx, grad)


def _extreme(ctx: Any, function: Any, x: Array, dims: Dims | None, keepdim: bool) -> Any:
    if not x.size and (dims is None or len(dims) == x.ndim):
        raise ShapeError(f"the largest or smallest of no elements is not defined; got shape {x.shape}")
    check_some(x, dims)
    out = np.asarray(function(x, axis=dims, keepdims=keepdim))
    ctx.save(x, out, dims)
    return out


def check_floating(name: str, x: Any) -> None:
    """Raise unless a tensor holds floating point numbers.

    Raises:
        DTypeError: it holds integers or booleans.
    """
    if x.array.dtype.kind != "f":
        raise DTypeError(
            f"{name} needs floating point numbers, got {x.array.dtype}; cast first (.float()) or pass dtype="
        )


def check_some(x: Array, dims: Dims | None) -> None:
    """Raise if there are no elements to choose from."""
    if x.size == 0 and (dims is None or 0 in [x.shape[d] for d in dims]):
        raise IndexRangeError(f"among no elements there is none to choose; got shape {x.shape} and dim={dims}")


def to_equals(ctx: Any, grad: Any) -> Any:
    """Share a gradient evenly between the elements that are equal to the one chosen, as PyTorch does."""
    x, out, dims = ctx.saved
    extreme = spread(out, x.shape, dims)
    equal = x == extreme
    if np.isnan(array_of(out)).any():  # which came from each NaN
        equal = equal | ((x != x) & (extreme != extreme))
    hits = cast(equal, grad.dtype)
    share = hits / spread(sum(hits, dims, False), x.shape, dims)
    return spread(grad, x.shape, dims) * share


def max_along(x: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """Return the largest values along `dim` and where they stand."""
    return pick(x, argmax(x, dim, True), dim, keepdim)


def min_along(x: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """Return the smallest values along `dim` and where they stand."""
    return pick(x, argmin(x, dim, True), dim, keepdim)


def pick(x: Any, index: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """Return the elements of `x` at `index`, which has size 1 along `dim`, and the index, without `dim` unless kept."""
    if x.ndim == 0:
        return reshape(x, ()), index
    values = gather(x, dim, index)
    return (values, index) if keepdim else (without(values, (dim,)), without(index, (dim,)))


def without(kept: Any, dims: Dims) -> Any:
    """Drop dimensions of size 1 that a reduction has kept."""
    return reshape(kept, tuple(size for i, size in enumerate(kept.shape) if i not in dims))


@op
def argmax(ctx: Any, x: Any, dim: int | None, keepdim: bool) -> Any:
    return _arg(np.argmax, x, dim, keepdim)


@op
def argmin(ctx: Any, x: Any, dim: int | None, keepdim: bool) -> Any:
    return _arg(np.argmin, x, dim, keepdim)


def _arg(function: Any, x: Array, dim: int | None, keepdim: bool) -> Any:
    if x.dtype == np.bool_:
        raise DTypeError("argmax and argmin take no booleans, in which most are equal; cast with .int() first")
    if x.ndim == 0:
        return np.zeros((), np.int64)
    check_some(x, None if dim is None else (dim,))
    return np.asarray(function(x, axis=dim, keepdims=keepdim), np.int64)


@op
def logsumexp(ctx: Any, x: Any, dims: Dims, keepdim: bool) -> Any:
    """Logarithm of the sum of exponentials, shifted by the largest so that nothing overflows."""
    largest = np.max(x, axis=dims, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, x.dtype.type(0))  # inf - inf would be NaN
    with np.errstate(all="ignore"):  # the logarithm of nothing is -inf
        out = np.log(kernels.total(np.exp(x - largest), dims, True)) + largest
    if not keepdim:
        out = out.reshape([size for i, size in enumerate(x.shape) if i not in dims])
    ctx.save(x, out, dims)
    return out


@logsumexp.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out, dims = ctx.saved
    with np.errstate(invalid="ignore"):
        return spread(grad, x.shape, dims) * exp(x - spread(out, x.shape, dims))
