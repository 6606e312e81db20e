"""Exponentials, logarithms and roots."""

import math
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.dtypes import get_default_dtype
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import elementwise
from trainkit.autograd.ops.choose import where
from trainkit.autograd.ops.large import LARGE, through, times

__all__ = [
    "entr",
    "exp",
    "exp2",
    "expm1",
    "floating",
    "floats",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "rsqrt",
    "sqrt",
    "xlog1py",
    "xlogy",
]

LOG_2, LOG_10 = math.log(2), math.log(10)


def floating(x: Any) -> Any:
    """Return an array, or its values in the default dtype where it holds integers."""
    return x if x.dtype.kind == "f" else x.astype(get_default_dtype())


def floats(x: Any, y: Any) -> tuple[Any, Any]:
    """Return two operands of one dtype, or a number among them, as floats."""
    kinds = [value.dtype for value in (x, y) if isinstance(value, (np.ndarray, np.generic))]
    # booleans meet the dtype of the other without a cast
    dtype = next((kind for kind in kinds if kind.kind == "f"), get_default_dtype())
    return _as_float(x, dtype), _as_float(y, dtype)


def _as_float(x: Any, dtype: Any) -> Any:
    return x if isinstance(x, (int, float)) or x.dtype.kind == "f" else x.astype(dtype)


@op
def exp(ctx: Any, x: Any) -> Any:
    """Raise e to the power of each element."""
    x = floating(x)
    if x.nbytes >= LARGE and x.dtype != np.float16:
        out = kernels.activation("exp", x)
    else:
        with np.errstate(all="ignore"):  # infinities and NaN are answers, as in PyTorch
            out = np.exp(x)
    ctx.save(out)
    return out


@exp.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return times(grad, out)


@op
def exp2(ctx: Any, x: Any) -> Any:
    """Raise 2 to the power of each element."""
    with np.errstate(all="ignore"):
        out = through(np.exp2, floating(x))
    ctx.save(out)
    return out


@exp2.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return grad * (out * LOG_2)


@op
def expm1(ctx: Any, x: Any) -> Any:
    """Raise e to the power of each element and subtract 1; precise where that is small."""
    with np.errstate(all="ignore"):
        out = through(np.expm1, floating(x))
    ctx.save(out)
    return out


@expm1.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return grad * (out + 1.0)


@op
def log(ctx: Any, x: Any) -> Any:
    """The natural logarithm of each element: -inf of 0, NaN of what is negative."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.log, floating(x))


@log.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad / x


@op
def log2(ctx: Any, x: Any) -> Any:
    """The logarithm to base 2 of each element."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.log2, floating(x))


@log2.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad / (x * LOG_2)


@op
def log10(ctx: Any, x: Any) -> Any:
    """The logarithm to base 10 of each element."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.log10, floating(x))


@log10.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad / (x * LOG_10)


@op
def log1p(ctx: Any, x: Any) -> Any:
    """The natural logarithm of 1 and each element together; precise where the element is small."""
    ctx.save(x)
    with np.errstate(all="ignore"):
        return through(np.log1p, floating(x))


@log1p.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad / (x + 1.0)


@op
def sqrt(ctx: Any, x: Any) -> Any:
    """The square root of each element: NaN of what is negative."""
    with np.errstate(invalid="ignore"):
        out = through(np.sqrt, floating(x))
    ctx.save(out)
    return out


@sqrt.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return grad / (2.0 * out)


@op
def rsqrt(ctx: Any, x: Any) -> Any:
    """Divide 1 by the square root of each element."""
    with np.errstate(all="ignore"):
        out = 1 / np.sqrt(floating(x))
    ctx.save(out)
    return out


@rsqrt.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return grad * (-0.5 * (out * out * out))


@elementwise
def logaddexp(ctx: Any, x: Any, y: Any) -> Any:
    """The logarithm of exp(x) + exp(y), without overflow."""
    x, y = floats(x, y)
    ctx.save(x, y)
    with np.errstate(all="ignore"):
        return np.logaddexp(x, y)


@logaddexp.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    return grad / (1.0 + exp(y - x)), grad / (1.0 + exp(x - y))


@elementwise
def logaddexp2(ctx: Any, x: Any, y: Any) -> Any:
    """The logarithm to base 2 of 2**x + 2**y, without overflow."""
    x, y = floats(x, y)
    ctx.save(x, y)
    with np.errstate(all="ignore"):
        return np.logaddexp2(x, y)


@logaddexp2.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    return grad / (1.0 + exp2(y - x)), grad / (1.0 + exp2(x - y))


@elementwise
def xlogy(ctx: Any, x: Any, y: Any) -> Any:
    """Multiply x with log y: 0 where x is 0, unless y is NaN."""
    return _times_log(ctx, np.log, x, y)


@xlogy.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    grad_x = where((x == 0) & (y <= 0), 0.0, xlogy(grad, y)) if ctx.needs(0) else None
    return grad_x, grad * (x / y) if ctx.needs(1) else None


@elementwise
def xlog1py(ctx: Any, x: Any, y: Any) -> Any:
    """Multiply x with log(1 + y): 0 where x is 0, unless y is NaN."""
    return _times_log(ctx, np.log1p, x, y)


@xlog1py.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    grad_x = where((x == 0) & (y <= -1), 0.0, xlog1py(grad, y)) if ctx.needs(0) else None
    return grad_x, grad * (x / (y + 1.0)) if ctx.needs(1) else None


def _times_log(ctx: Any, logarithm: Any, x: Any, y: Any) -> Any:
    x, y = floats(x, y)
    ctx.save(x, y)
    with np.errstate(all="ignore"):
        # a number has no dtype: its logarithm in float64 would bring float64 about
        out = x * (float(logarithm(y)) if isinstance(y, (int, float)) else logarithm(y))
        return np.where((x == 0) & (y == y), 0, out)


@op
def entr(ctx: Any, x: Any) -> Any:
    """The share of each element in an entropy, -x log x: 0 of 0, -inf of what is negative."""
    x = floating(x)
    ctx.save(x)
    with np.errstate(all="ignore"):
        return np.where(x > 0, -x * np.log(x), np.where(x == 0, 0, np.where(x < 0, -np.inf, x)))


@entr.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * -(1.0 + log(x))
