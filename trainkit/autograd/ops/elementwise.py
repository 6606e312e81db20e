"""Arithmetic, comparison and the common functions, element by element."""

import math
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.dtypes import get_default_dtype, result_type
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import cast, elementwise
from trainkit.errors import ArgumentError

__all__ = [
    "abs",
    "add",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "clamp",
    "cos",
    "div",
    "dropout",
    "eq",
    "exp",
    "ge",
    "gt",
    "le",
    "log",
    "lt",
    "maximum",
    "minimum",
    "mul",
    "ne",
    "neg",
    "pow",
    "relu",
    "relu_grad",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "sub",
    "tanh",
    "where",
]


@elementwise
def add(ctx: Any, x: Any, y: Any) -> Any:
    return x + y


@add.backward
def _(ctx: Any, grad: Any) -> Any:
    return grad, grad


@elementwise
def sub(ctx: Any, x: Any, y: Any) -> Any:
    return np.subtract(x, y)


@sub.backward
def _(ctx: Any, grad: Any) -> Any:
    return grad, -grad if ctx.needs(1) else None


@elementwise
def mul(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x if ctx.needs(1) else None, y if ctx.needs(0) else None)
    return x * y


@mul.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    return None if y is None else grad * y, None if x is None else grad * x


@elementwise
def div(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x if ctx.needs(1) else None, y)
    with np.errstate(all="ignore"):  # 1 / 0 is inf and 0 / 0 is NaN, as in PyTorch
        out = np.true_divide(x, y)
    operand = x if isinstance(x, np.ndarray) else y
    # the quotient of integers is float64 in numpy, of the default dtype in PyTorch
    return out if operand.dtype.kind == "f" else out.astype(get_default_dtype())


@div.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    grad_x = grad / y
    return grad_x, None if x is None else -(grad_x * (x / y))


@elementwise
def pow(ctx: Any, x: Any, exponent: Any) -> Any:
    with np.errstate(all="ignore"):  # infinities and NaN are answers, as in PyTorch
        out = x**exponent
    ctx.save(x, exponent, out if ctx.needs(1) else None)
    return out


@pow.backward
def _(ctx: Any, grad: Any) -> Any:
    x, exponent, out = ctx.saved
    grad_x = grad_exponent = None
    if ctx.needs(0):
        # the gradient of x ** 0 is 0, also at 0, where x ** (0 - 1) is infinite
        if isinstance(exponent, (int, float)):
            grad_x = grad * (exponent * pow(x, exponent - 1)) if exponent else grad * 0.0
        else:
            grad_x = grad * (exponent * pow(x, where(exponent == 0, 0.0, exponent - 1)))
    if out is not None:
        # 0 ** y is flat in y; where() keeps the logarithm of 0 out of the product
        base = where(x > 0, x, 1.0) if hasattr(x, "shape") else x or 1.0
        grad_exponent = grad * (out * (log(base) if hasattr(base, "shape") else math.log(base)))
    return grad_x, grad_exponent


@op
def neg(ctx: Any, x: Any) -> Any:
    return -x


@neg.backward
def _(ctx: Any, grad: Any) -> Any:
    return -grad


@op
def abs(ctx: Any, x: Any) -> Any:
    ctx.save(x)
    return np.abs(x)


@abs.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * sign(x)


@op
def sign(ctx: Any, x: Any) -> Any:
    return np.sign(x)


@sign.backward
def _(ctx: Any, grad: Any) -> Any:
    return grad * 0.0


@op
def exp(ctx: Any, x: Any) -> Any:
    out = np.exp(_floating(x))
    ctx.save(out)
    return out


@exp.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return grad * out


@op
def log(ctx: Any, x: Any) -> Any:
    ctx.save(x)
    with np.errstate(divide="ignore", invalid="ignore"):  # log 0 is -inf and log -1 is NaN, as in PyTorch
        return np.log(_floating(x))


@log.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad / x


@op
def sqrt(ctx: Any, x: Any) -> Any:
    with np.errstate(invalid="ignore"):
        out = np.sqrt(_floating(x))
    ctx.save(out)
    return out


@sqrt.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return grad / (2.0 * out)


@op
def sin(ctx: Any, x: Any) -> Any:
    ctx.save(x)
    return np.sin(_floating(x))


@sin.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return grad * cos(x)


@op
def cos(ctx: Any, x: Any) -> Any:
    ctx.save(x)
    return np.cos(_floating(x))


@cos.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return -(grad * sin(x))


@op
def tanh(ctx: Any, x: Any) -> Any:
    out = np.tanh(_floating(x))
    ctx.save(out)
    return out


@tanh.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return grad * (1.0 - out * out)


@op
def sigmoid(ctx: Any, x: Any) -> Any:
    # by way of tanh: exp(-x) would overflow for large negative x
    out = 0.5 * np.tanh(0.5 * _floating(x)) + 0.5
    ctx.save(out)
    return out


@sigmoid.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return grad * (out * (1.0 - out))


@op
def relu(ctx: Any, x: Any) -> Any:
    out = kernels.relu(x)
    ctx.save(out)
    return out


@relu.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return relu_grad(grad, out)


@op
def relu_grad(ctx: Any, grad: Any, out: Any) -> Any:
    """The gradient of relu: `grad` where the output is positive, 0 elsewhere."""
    ctx.save(out)
    return kernels.relu_grad(grad, out)


@relu_grad.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return relu_grad(grad, out)


@op
def dropout(ctx: Any, x: Any, probability: float, seed: int) -> Any:
    """Zero each element with `probability`, scale the rest; the seed alone decides which, so no mask is kept."""
    ctx.save(probability, seed)
    return kernels.dropout(x, probability, seed)


@dropout.backward
def _(ctx: Any, grad: Any) -> Any:
    return dropout(grad, *ctx.saved)


@elementwise
def maximum(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x, y)
    return np.maximum(x, y)


@maximum.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    return _share(grad, x, y)


@elementwise
def minimum(ctx: Any, x: Any, y: Any) -> Any:
    ctx.save(x, y)
    return np.minimum(x, y)


@minimum.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    return _share(grad, y, x)


def _share(grad: Any, winner: Any, loser: Any) -> tuple[Any, Any]:
    """Split a gradient: all of it to the larger, half to each of equals, as PyTorch does."""
    to_winner = cast(winner > loser, grad.dtype) + 0.5 * cast(winner == loser, grad.dtype)
    return grad * to_winner, grad * (1.0 - to_winner)


@op
def clamp(ctx: Any, x: Any, low: float | None, high: float | None) -> Any:
    if low is None and high is None:
        raise ArgumentError("clamp needs min, max or both, got neither")
    out = np.clip(x, low, high)
    ctx.save(x, out)
    return out


@clamp.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out = ctx.saved
    return where(x == out, grad, 0.0)


@elementwise
def where(ctx: Any, condition: Any, x: Any, y: Any) -> Any:
    ctx.save(condition)
    if not isinstance(x, np.ndarray) and not isinstance(y, np.ndarray):
        x = np.asarray(x, result_type(x, y))  # two plain numbers meet in PyTorch's dtype, not in float64
    return np.where(condition, x, y)


@where.backward
def _(ctx: Any, grad: Any) -> Any:
    (condition,) = ctx.saved
    return None, where(condition, grad, 0.0), where(condition, 0.0, grad)


@elementwise
def eq(ctx: Any, x: Any, y: Any) -> Any:
    return np.equal(x, y)


@elementwise
def ne(ctx: Any, x: Any, y: Any) -> Any:
    return np.not_equal(x, y)


@elementwise
def lt(ctx: Any, x: Any, y: Any) -> Any:
    return np.less(x, y)


@elementwise
def le(ctx: Any, x: Any, y: Any) -> Any:
    return np.less_equal(x, y)


@elementwise
def gt(ctx: Any, x: Any, y: Any) -> Any:
    return np.greater(x, y)


@elementwise
def ge(ctx: Any, x: Any, y: Any) -> Any:
    return np.greater_equal(x, y)


@elementwise
def bitwise_and(ctx: Any, x: Any, y: Any) -> Any:
    return np.bitwise_and(x, y)


@elementwise
def bitwise_or(ctx: Any, x: Any, y: Any) -> Any:
    return np.bitwise_or(x, y)


@op
def bitwise_not(ctx: Any, x: Any) -> Any:
    return np.invert(x)


def _floating(x: Any) -> Any:
    """Return `x`, or its values in the default dtype where it holds integers."""
    return x if x.dtype.kind == "f" else x.astype(get_default_dtype())
