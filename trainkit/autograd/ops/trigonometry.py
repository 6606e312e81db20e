"""Trigonometric and hyperbolic functions, and their inverses."""

import math
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import elementwise
from trainkit.autograd.ops.choose import where
from trainkit.autograd.ops.exponential import floating, floats, rsqrt
from trainkit.autograd.ops.large import LARGE, is_large, through

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "sin",
    "sinc",
    "sinh",
    "tan",
    "tanh",
]


@op
def sin(ctx: Any, x: Any) -> Any:
    """The sine of each element, in radians."""
    ctx.save(x)
    with np.errstate(all="ignore"):  # NaN is the answer of an infinity, as in PyTorch
        return through(np.sin, floating(x))


@sin.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * cos(x)


@op
def cos(ctx: Any, x: Any) -> Any:
    """The cosine of each element, in radians."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.cos, floating(x))


@cos.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return -(grad * sin(x))


@op
def tan(ctx: Any, x: Any) -> Any:
    """The tangent of each element, in radians."""
    with np.errstate(all="ignore"):
        out = through(np.tan, floating(x))
    ctx.save(out)
    return out


@tan.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return grad * (1.0 + out * out)


@op
def asin(ctx: Any, x: Any) -> Any:
    """The angle in [-pi/2, pi/2] whose sine each element is; NaN outside [-1, 1]."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.arcsin, floating(x))


@asin.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * rsqrt(1.0 - x * x)


@op
def acos(ctx: Any, x: Any) -> Any:
    """The angle in [0, pi] whose cosine each element is; NaN outside [-1, 1]."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.arccos, floating(x))


@acos.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return -(grad * rsqrt(1.0 - x * x))


@op
def atan(ctx: Any, x: Any) -> Any:
    """The angle in (-pi/2, pi/2) whose tangent each element is."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.arctan, floating(x))


@atan.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad / (x * x + 1.0)


@elementwise
def atan2(ctx: Any, y: Any, x: Any) -> Any:
    """The angle in [-pi, pi] of the point (x, y) from the x axis; note the order of the arguments."""
    y, x = floats(y, x)
    ctx.save(y, x)
    with np.errstate(all="ignore"):
        return np.arctan2(y, x)


@atan2.backward
def _(ctx: Any, grad: Any) -> Any:
    y, x = ctx.saved
    square = x * x + y * y
    share = grad / where(square == 0, 1.0, square)  # at the origin, which has no angle, the gradients are 0
    return share * x if ctx.needs(0) else None, -(share * y) if ctx.needs(1) else None


@op
def sinh(ctx: Any, x: Any) -> Any:
    """The hyperbolic sine of each element."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.sinh, floating(x))


@sinh.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * cosh(x)


@op
def cosh(ctx: Any, x: Any) -> Any:
    """The hyperbolic cosine of each element."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.cosh, floating(x))


@cosh.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * sinh(x)


@op
def tanh(ctx: Any, x: Any) -> Any:
    """The hyperbolic tangent of each element, in (-1, 1)."""
    x = floating(x)
    if x.nbytes >= LARGE and x.dtype != np.float16:
        out = kernels.activation("tanh", x)
    else:
        with np.errstate(all="ignore"):
            out = np.tanh(x)
    ctx.save(out)
    return out


@tanh.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    if is_large(grad):
        return kernels.activation_grad("tanh", grad, out)
    return grad * (1.0 - out * out)


@op
def asinh(ctx: Any, x: Any) -> Any:
    """The inverse of sinh, of each element."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.arcsinh, floating(x))


@asinh.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * rsqrt(x * x + 1.0)


@op
def acosh(ctx: Any, x: Any) -> Any:
    """The inverse of cosh, of each element; NaN below 1."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.arccosh, floating(x))


@acosh.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * rsqrt(x * x - 1.0)


@op
def atanh(ctx: Any, x: Any) -> Any:
    """The inverse of tanh, of each element; NaN outside [-1, 1]."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.arctanh, floating(x))


@atanh.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad / (1.0 - x * x)


@op
def sinc(ctx: Any, x: Any) -> Any:
    """sin(pi x) / (pi x) of each element, and 1 at 0."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        angle = floating(x) * math.pi
        return np.where(angle == 0, 1, np.sin(angle) / angle)


# The Taylor series of the derivative of sin(u) / u, divided by u, in u * u
SINC_SLOPE = [(-1) ** k * 2 * k / math.factorial(2 * k + 1) for k in range(1, 10)]


@sinc.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    angle = x * math.pi
    near = (angle < 1) & (angle > -1)
    far = where(near, 1.0, angle)
    slope = (cos(far) - sin(far) / far) / far
    # near 0 the difference would lose all its digits
    small = where(near, angle, 0.0)
    square = small * small
    series = SINC_SLOPE[-1]
    for factor in reversed(SINC_SLOPE[:-1]):
        series = factor + series * square
    return grad * (where(near, small * series, slope) * math.pi)
