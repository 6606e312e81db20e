"""Sums, products, quotients and the signs of numbers."""

from functools import partial
from typing import Any

import numpy as np

from trainkit.autograd.dtypes import bool_, get_default_dtype
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import check_no_mask, elementwise
from trainkit.autograd.ops.choose import masked
from trainkit.autograd.ops.large import minus, negative, plus, times
from trainkit.errors import DTypeError

__all__ = [
    "abs",
    "add",
    "copysign",
    "div",
    "gcd",
    "hypot",
    "lcm",
    "lerp",
    "mul",
    "neg",
    "reciprocal",
    "sign",
    "square",
    "sub",
]


@elementwise
def add(ctx: Any, x: Any, y: Any) -> Any:
    return plus(x, y)


@add.backward
def _(ctx: Any, grad: Any) -> Any:
    return grad, grad


@partial(elementwise, masks=False)
def sub(ctx: Any, x: Any, y: Any) -> Any:
    try:
        return minus(x, y)
    except TypeError:
        check_no_mask("sub", x, y)
        raise


@sub.backward
def _(ctx: Any, grad: Any) -> Any:
    return grad, negative(grad) if ctx.needs(1) else None


@elementwise
def mul(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x if ctx.needs(1) else None, y if ctx.needs(0) else None)
    return times(x, y)


@mul.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    return None if y is None else times(grad, y), None if x is None else times(grad, x)


@partial(elementwise, large="stays")
def div(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x if ctx.needs(1) else None, y)
    with np.errstate(all="ignore"):  # 1 / 0 is inf and 0 / 0 is NaN, as in PyTorch
        if (x if isinstance(x, np.ndarray) else y).dtype.kind != "f":
            x, y = _floats(x, y)
        return np.true_divide(x, y)


@div.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    grad_x = grad / y
    return grad_x, None if x is None else -(grad_x * (x / y))


@op
def reciprocal(ctx: Any, x: Any) -> Any:
    """Divide 1 by each element."""
    with np.errstate(all="ignore"):
        out = np.true_divide(1, *_floats(x))
    ctx.save(out)
    return out


@reciprocal.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return -(grad * (out * out))


@op
def square(ctx: Any, x: Any) -> Any:
    """Multiply each element with itself."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return times(x, x) if x.dtype is not bool_ else x.astype(np.int64)


@square.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return times(grad, times(x, 2.0))


@op
def neg(ctx: Any, x: Any) -> Any:
    """Turn the sign of each element."""
    try:
        return negative(x)
    except TypeError:
        check_no_mask("neg", x)
        raise


@neg.backward
def _(ctx: Any, grad: Any) -> Any:
    return negative(grad)


@op
def abs(ctx: Any, x: Any) -> Any:
    """Take the sign off each element; the gradient at 0 is 0."""
    if x.dtype is bool_:
        check_no_mask("abs", x)
    ctx.save(x)
    return np.abs(x)


@abs.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * sign(x)


@op
def sign(ctx: Any, x: Any) -> Any:
    """Make each element 1, 0 or -1 as it is above, at or below 0; NaN becomes 0, as in PyTorch."""
    return x.copy() if x.dtype is bool_ else np.subtract(x > 0, x < 0, dtype=x.dtype)


@sign.backward
def _(ctx: Any, grad: Any) -> Any:
    return masked(grad, np.False_)


@partial(elementwise, large="stays")
def copysign(ctx: Any, x: Any, y: Any) -> Any:
    x, y = _floats(x, y)
    out = np.copysign(x, y)
    ctx.save(x, out)
    return out


@copysign.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out = ctx.saved
    # 0 where x is 0, as in PyTorch
    return grad * (sign(x) * sign(out)), masked(grad, np.False_) if ctx.needs(1) else None


@elementwise
def hypot(ctx: Any, x: Any, y: Any) -> Any:
    if np.result_type(x, y).kind != "f":
        raise DTypeError(f"hypot takes floating point numbers, got {getattr(x, 'dtype', y)}; cast them with .float()")
    with np.errstate(all="ignore"):
        out = np.hypot(x, y)
    ctx.save(x, y, out)
    return out


@hypot.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y, out = ctx.saved
    return grad * (x / out), grad * (y / out)


@elementwise
def lerp(ctx: Any, start: Any, end: Any, weight: Any) -> Any:
    # from the nearer end, so that a weight of 0 gives start and one of 1 gives end to the last bit
    ctx.save(start, end, weight)
    with np.errstate(all="ignore"):
        span = np.subtract(end, start)
        if not isinstance(weight, np.ndarray):
            return start + weight * span if -0.5 < weight < 0.5 else end - span * (1 - weight)
        return np.where(np.abs(weight) < 0.5, start + weight * span, end - span * (1 - weight))


@lerp.backward
def _(ctx: Any, grad: Any) -> Any:
    start, end, weight = ctx.saved
    to_end = grad * weight
    return grad - to_end, to_end, grad * (end - start) if ctx.needs(2) else None


@elementwise
def gcd(ctx: Any, x: Any, y: Any) -> Any:
    _check_integers("gcd", x, y)
    return np.gcd(x, y)


@elementwise
def lcm(ctx: Any, x: Any, y: Any) -> Any:
    _check_integers("lcm", x, y)
    return np.lcm(x, y)


def _check_integers(name: str, x: Any, y: Any) -> None:
    if np.result_type(x, y).kind not in "iu":
        raise DTypeError(f"{name} takes integers, got {getattr(x, 'dtype', x)} and {getattr(y, 'dtype', y)}")


def _floats(*operands: Any) -> list[Any]:
    """Return arrays and numbers as they are if there are floats among them, the arrays in the default dtype if not."""
    if any(part.dtype.kind == "f" for part in operands if isinstance(part, np.ndarray)):
        return list(operands)
    return [part.astype(get_default_dtype()) if isinstance(part, np.ndarray) else part for part in operands]
