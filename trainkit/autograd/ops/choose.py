"""Ops that choose between elements: by a condition, by their order, by bounds."""

from functools import partial
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.dtypes import result_type
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import elementwise
from trainkit.autograd.ops.compare import isfinite
from trainkit.errors import ArgumentError

__all__ = ["clamp", "fmax", "fmin", "heaviside", "masked", "maximum", "minimum", "nan_to_num", "where"]


@partial(elementwise, large="raises")
def where(ctx: Any, condition: Any, x: Any, y: Any) -> Any:
    ctx.save(condition)
    if not isinstance(x, np.ndarray) and not isinstance(y, np.ndarray):
        x = np.asarray(x, result_type(x, y))  # two plain numbers meet in PyTorch's dtype, not in float64
    return kernels.select(condition, x, y)


@where.backward
def _(ctx: Any, grad: Any) -> Any:
    (condition,) = ctx.saved
    grad_x = masked(grad, condition) if ctx.needs(1) else None
    return None, grad_x, masked(grad, condition == 0) if ctx.needs(2) else None


@op
def masked(ctx: Any, x: Any, keep: Any) -> Any:
    """`x` where `keep` is true, 0 elsewhere, whatever `x` is there; `keep` broadcasts to the shape of `x`."""
    ctx.save(keep)
    return kernels.masked(x, keep)


@masked.backward
def _(ctx: Any, grad: Any) -> Any:
    return masked(grad, ctx.saved[0])


@elementwise
def maximum(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x, y)
    return np.maximum(x, y)


@maximum.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    return _shared(ctx, grad, x == y, x < y, x > y)


@elementwise
def minimum(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x, y)
    return np.minimum(x, y)


@minimum.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    return _shared(ctx, grad, x == y, x > y, x < y)


def _shared(ctx: Any, grad: Any, equal: Any, lost: Any, won: Any) -> tuple[Any, Any]:
    """Split a gradient: half to each of equals, none to what lost, all to both where one is NaN, as PyTorch does."""
    halves = grad - masked(0.5 * grad, equal)
    return masked(halves, lost == 0) if ctx.needs(0) else None, masked(halves, won == 0) if ctx.needs(1) else None


@elementwise
def fmax(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x, y)
    return np.fmax(x, y)


@fmax.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    to_first = (x >= y) | (y != y)
    return masked(grad, to_first), masked(grad, to_first == 0)


@elementwise
def fmin(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x, y)
    return np.fmin(x, y)


@fmin.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    to_first = (x <= y) | (y != y)
    return masked(grad, to_first), masked(grad, to_first == 0)


@partial(elementwise, large="raises")
def clamp(ctx: Any, x: Any, low: Any, high: Any) -> Any:
    if low is None and high is None:
        raise ArgumentError("clamp needs min, max or both, got neither")
    ctx.save(x, low, high)
    return x.clip(low, high)


@clamp.backward
def _(ctx: Any, grad: Any) -> Any:
    x, low, high = ctx.saved
    grad_x = grad_low = grad_high = None
    if ctx.needs(0):
        inside = x >= low if high is None else x <= high if low is None else (x >= low) & (x <= high)
        grad_x = masked(grad, inside)
    if ctx.needs(1):
        grad_low = masked(grad, x < low if high is None else (x < low) & (low < high))
    if ctx.needs(2):
        grad_high = masked(grad, x > high if low is None else (x > high) | (low > high))
    return grad_x, grad_low, grad_high


@op
def nan_to_num(ctx: Any, x: Any, nan: float, posinf: float | None, neginf: float | None) -> Any:
    ctx.save(x)
    if x.dtype.kind != "f":
        return x.copy()
    info = np.finfo(x.dtype)
    values = (nan, info.max if posinf is None else posinf, info.min if neginf is None else neginf)
    out = np.array(x)
    for place, value in zip((np.isnan(x), x == np.inf, x == -np.inf), values, strict=True):
        if place.any():
            with np.errstate(all="ignore"):  # a number beyond the dtype becomes infinite
                out[place] = value
    return out


@nan_to_num.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return masked(grad, isfinite(x))


@elementwise
def heaviside(ctx: Any, x: Any, values: Any) -> Any:
    # np.heaviside knows no integers, and its NaN stays NaN
    return np.where(x == 0, values, (x > 0).astype(x.dtype))
