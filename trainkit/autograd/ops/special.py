"""Special functions: of errors, of the normal distribution, of gamma, of Bessel."""

import math
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.op import op
from trainkit.autograd.ops.choose import where
from trainkit.autograd.ops.exponential import exp, floating

__all__ = [
    "digamma",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "lgamma",
    "log_ndtr",
    "ndtr",
    "ndtri",
    "polygamma",
]

ROOT_2, ROOT_PI, ROOT_TAU = math.sqrt(2), math.sqrt(math.pi), math.sqrt(2 * math.pi)


def _special(name: str, x: Any, order: int = 0) -> Any:
    x = floating(x)
    if x.dtype == np.float16:
        with np.errstate(all="ignore"):
            return kernels.special(name, x.astype(np.float32), order).astype(np.float16)
    return kernels.special(name, x, order)


@op
def erf(ctx: Any, x: Any) -> Any:
    """The error function of each element: 2 / sqrt(pi) times the integral of exp(-t * t) from 0 to it."""
    ctx.save(x)
    return _special("erf", x)


@erf.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * (2 / ROOT_PI * exp(-(x * x)))


@op
def erfc(ctx: Any, x: Any) -> Any:
    """1 less the error function of each element; precise where that is tiny."""
    ctx.save(x)
    return _special("erfc", x)


@erfc.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * (-2 / ROOT_PI * exp(-(x * x)))


@op
def erfcx(ctx: Any, x: Any) -> Any:
    """exp(x * x) erfc(x) of each element, which does not underflow."""
    out = _special("erfcx", x)
    ctx.save(x, out)
    return out


@erfcx.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out = ctx.saved
    return grad * (2.0 * x * out - 2 / ROOT_PI)


@op
def erfinv(ctx: Any, x: Any) -> Any:
    """The inverse of the error function of each element; NaN outside [-1, 1]."""
    out = _special("erfinv", x)
    ctx.save(out)
    return out


@erfinv.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return grad * (ROOT_PI / 2 * exp(out * out))


@op
def ndtr(ctx: Any, x: Any) -> Any:
    """The probability that a standard normal variable is less than each element."""
    ctx.save(x)
    return _special("ndtr", x)


@ndtr.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * (exp(-0.5 * (x * x)) / ROOT_TAU)


@op
def log_ndtr(ctx: Any, x: Any) -> Any:
    """The logarithm of `ndtr` of each element, where that itself underflows too."""
    ctx.save(x)
    return _special("log_ndtr", x)


@log_ndtr.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * (2 / ROOT_TAU) / erfcx(x * (-1 / ROOT_2))


@op
def ndtri(ctx: Any, x: Any) -> Any:
    """The inverse of `ndtr` of each element: the quantile of the standard normal distribution."""
    out = _special("ndtri", x)
    ctx.save(out)
    return out


@ndtri.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return grad * (ROOT_TAU * exp(0.5 * (out * out)))


@op
def lgamma(ctx: Any, x: Any) -> Any:
    """The logarithm of the absolute value of the gamma function of each element."""
    ctx.save(x)
    return _special("lgamma", x)


@lgamma.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * digamma(x)


@op
def digamma(ctx: Any, x: Any) -> Any:
    """The derivative of `lgamma` of each element: infinite at 0, NaN at negative integers."""
    ctx.save(x)
    return _special("digamma", x)


@digamma.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * polygamma(x, 1)


@op
def polygamma(ctx: Any, x: Any, order: int) -> Any:
    """The derivative of digamma of an order, of each element."""
    ctx.save(x, order)
    return _special("polygamma", x, order)


@polygamma.backward
def _(ctx: Any, grad: Any) -> Any:
    x, order = ctx.saved
    return grad * polygamma(x, order + 1)


@op
def i0(ctx: Any, x: Any) -> Any:
    """The modified Bessel function of the first kind and order 0, of each element."""
    ctx.save(x)
    return _special("i0", x)


@i0.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * i1(x)


@op
def i0e(ctx: Any, x: Any) -> Any:
    """exp(-abs(x)) i0(x) of each element, which does not overflow."""
    out = _special("i0e", x)
    ctx.save(x, out)
    return out


@i0e.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out = ctx.saved
    return grad * (i1e(x) - _sign(x) * out)


@op
def i1(ctx: Any, x: Any) -> Any:
    """The modified Bessel function of the first kind and order 1, of each element."""
    out = _special("i1", x)
    ctx.save(x, out)
    return out


@i1.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out = ctx.saved
    return grad * (i0(x) - where(x == 0, 0.5, out / where(x == 0, 1.0, x)))


@op
def i1e(ctx: Any, x: Any) -> Any:
    """exp(-abs(x)) i1(x) of each element, which does not overflow."""
    out = _special("i1e", x)
    ctx.save(x, out)
    return out


@i1e.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out = ctx.saved
    return grad * (i0e(x) - _sign(x) * out - where(x == 0, 0.5, out / where(x == 0, 1.0, x)))


def _sign(x: Any) -> Any:
    return where(x > 0, 1.0, where(x < 0, -1.0, x))
