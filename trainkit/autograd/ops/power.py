"""Powers."""

import math
from functools import partial
from typing import Any

import numpy as np

from trainkit.autograd.dtypes import bool_
from trainkit.autograd.ops.broadcast import elementwise, fitted
from trainkit.autograd.ops.choose import masked, where
from trainkit.autograd.ops.exponential import log
from trainkit.errors import DTypeError

__all__ = ["pow"]


@partial(elementwise, large="stays")
def pow(ctx: Any, x: Any, exponent: Any) -> Any:
    with np.errstate(all="ignore"):  # infinities and NaN are answers, as in PyTorch
        out = _power(x, exponent)
    ctx.save(x, exponent, out if ctx.needs(1) else None)
    return out


@pow.backward
def _(ctx: Any, grad: Any) -> Any:
    x, exponent, out = ctx.saved
    grad_x = grad_exponent = None
    if ctx.needs(0):
        # the gradient of x ** 0 is 0, also at 0, where x ** (0 - 1) is infinite
        if isinstance(exponent, (int, float)):
            grad_x = grad * (exponent * pow(x, exponent - 1)) if exponent else masked(grad, np.False_)
        else:
            grad_x = grad * (exponent * pow(x, where(exponent == 0, 0.0, exponent - 1)))
    if out is not None:
        if isinstance(x, (int, float)) and x:
            grad_exponent = grad * (out * (math.log(x) if x > 0 else math.nan))
        elif isinstance(x, (int, float)):
            # 0 ** y is flat where y is not negative; NaN stays NaN
            grad_exponent = grad * where(exponent < 0, -math.inf, masked(out, exponent != exponent))
        else:
            # where() keeps the logarithm of 0 out of the product
            grad_exponent = grad * (out * log(where((exponent >= 0) & (x == 0), 1.0, x)))
    return grad_x, grad_exponent


def _power(x: Any, exponent: Any) -> Any:
    if isinstance(exponent, (int, float)) and x.dtype.kind == "f":
        # the powers that need no logarithm, a hundred times as quick; PyTorch has the same ones
        if exponent == 2:
            return x * x
        if exponent == 3:
            return x * x * x
        if exponent == 0.5:
            return np.sqrt(x)
        if exponent == -0.5:
            return 1 / np.sqrt(x)
        if exponent == -1:
            return 1 / x
        if exponent == -2:
            return 1 / (x * x)
        return np.power(x, exponent)
    if isinstance(x, int) and exponent.dtype.kind != "b":
        x = fitted(x, exponent.dtype, True)
    if isinstance(exponent, int) and x.dtype.kind != "b":
        if exponent < 0:
            raise _no_fraction(exponent)
        exponent = fitted(exponent, x.dtype, False)
    dtype = np.result_type(x, exponent)
    if isinstance(exponent, bool) and x.dtype == bool_:
        return x.copy() if exponent else np.ones_like(x)  # the two powers of booleans that PyTorch has
    if dtype == bool_:
        raise DTypeError("pow does not take booleans alone; cast them with .long()")
    if dtype.kind != "i" or not np.less(exponent, 0).any():
        return np.power(x, exponent)
    if isinstance(exponent, int):
        raise _no_fraction(exponent)
    # among integers 1 / x is 0, but for 1 and -1
    inverse = np.where(np.abs(x) == 1, np.where(exponent % 2 == 0, 1, x), 0)
    return np.where(exponent >= 0, np.power(x, np.maximum(exponent, 0)), inverse).astype(dtype)


def _no_fraction(exponent: int) -> DTypeError:
    return DTypeError(f"an integer to the power of {exponent} is a fraction; cast the tensor with .float() first")
