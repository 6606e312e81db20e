"""Whole numbers: rounding, division without a fraction and its remainders."""

from typing import Any

import numpy as np

from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import check_no_mask, elementwise
from trainkit.autograd.ops.choose import masked
from trainkit.errors import DTypeError

__all__ = ["ceil", "div_floor", "div_trunc", "floor", "floor_divide", "fmod", "frac", "remainder", "round", "trunc"]


@op
def floor(ctx: Any, x: Any) -> Any:
    """Round each element down."""
    return np.floor(x) if x.dtype.kind == "f" else _whole("floor", x)


@floor.backward
def _(ctx: Any, grad: Any) -> Any:
    return masked(grad, np.False_)


@op
def ceil(ctx: Any, x: Any) -> Any:
    """Round each element up."""
    return np.ceil(x) if x.dtype.kind == "f" else _whole("ceil", x)


@ceil.backward
def _(ctx: Any, grad: Any) -> Any:
    return masked(grad, np.False_)


@op
def trunc(ctx: Any, x: Any) -> Any:
    """Round each element towards 0."""
    return np.trunc(x) if x.dtype.kind == "f" else _whole("trunc", x)


@trunc.backward
def _(ctx: Any, grad: Any) -> Any:
    return masked(grad, np.False_)


@op
def round(ctx: Any, x: Any, decimals: int) -> Any:
    if x.dtype.kind != "f":
        if decimals:
            raise DTypeError(f"round to decimals takes floating point numbers, got {x.dtype}; cast with .float()")
        return _whole("round", x)
    if not decimals:
        return np.rint(x)
    wide = x if x.dtype.itemsize > 2 else x.astype(np.float32)  # the powers of 10 end early in float16
    power = np.power(wide.dtype.type(10), wide.dtype.type(max(decimals, -decimals)))
    with np.errstate(all="ignore"):  # a large number times a power of 10 may be infinite, as in PyTorch
        out = np.rint(wide * power) / power if decimals > 0 else np.rint(wide / power) * power
        return out.astype(x.dtype, copy=False)


@round.backward
def _(ctx: Any, grad: Any) -> Any:
    return masked(grad, np.False_)


@op
def frac(ctx: Any, x: Any) -> Any:
    """Take the whole part off each element: `x - trunc(x)`."""
    if x.dtype.kind != "f":
        raise DTypeError(f"frac takes floating point numbers, got {x.dtype}; integers have no fraction")
    with np.errstate(invalid="ignore"):
        return x - np.trunc(x)


@frac.backward
def _(ctx: Any, grad: Any) -> Any:
    return grad


def _whole(name: str, x: Any) -> Any:
    """Return a copy of integers: they are whole."""
    check_no_mask(name, x)
    return x.copy()


@elementwise
def floor_divide(ctx: Any, x: Any, y: Any) -> Any:
    return _divided(np.floor_divide, x, y)


@elementwise
def div_floor(ctx: Any, x: Any, y: Any) -> Any:
    """The quotient rounded down; as `floor_divide`, but with a gradient, of 0."""
    return _divided(np.floor_divide, x, y)


@div_floor.backward
def _(ctx: Any, grad: Any) -> Any:
    return masked(grad, np.False_), masked(grad, np.False_)


@elementwise
def div_trunc(ctx: Any, x: Any, y: Any) -> Any:
    """The quotient rounded towards 0."""
    return _divided(_truncated, x, y)


@div_trunc.backward
def _(ctx: Any, grad: Any) -> Any:
    return masked(grad, np.False_), masked(grad, np.False_)


@elementwise
def remainder(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x if ctx.needs(1) else None, y)
    return _divided(np.remainder, x, y)


@remainder.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    return grad, None if x is None else -(grad * div_floor(x, y))


@elementwise
def fmod(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x if ctx.needs(1) else None, y)
    return _divided(np.fmod, x, y)


@fmod.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    return grad, None if x is None else -(grad * div_trunc(x, y))


def _truncated(x: Any, y: Any) -> Any:
    if np.result_type(x, y).kind == "f":
        return np.trunc(np.true_divide(x, y))
    return np.floor_divide(x - np.fmod(x, y), y)


def _divided(function: Any, x: Any, y: Any) -> Any:
    """Divide floats in silence, which gives infinities and NaN; raise where integers are divided by 0."""
    kind = np.result_type(x, y).kind
    if kind == "b":
        raise DTypeError("whole division and its remainders do not take booleans alone; cast them with .long()")
    if kind != "f" and not np.all(y):
        raise DTypeError("integers cannot be divided by 0; cast them with .float() for an infinite quotient")
    with np.errstate(all="ignore"):
        return function(x, y)
