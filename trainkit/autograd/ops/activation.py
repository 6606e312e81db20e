"""Activation functions. Of float32 the common ones are kernels that pass over the elements once."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.dtypes import bool_
from trainkit.autograd.op import op
from trainkit.autograd.ops.choose import where
from trainkit.autograd.ops.exponential import exp, floating
from trainkit.autograd.ops.large import is_large, is_plain
from trainkit.autograd.ops.trigonometry import tanh
from trainkit.errors import DTypeError

__all__ = [
    "dropout",
    "elu",
    "gelu",
    "gelu_grad",
    "hardswish",
    "leaky_relu",
    "leaky_relu_grad",
    "logit",
    "logsigmoid",
    "mish",
    "relu",
    "relu_grad",
    "sigmoid",
    "silu",
    "silu_grad",
    "softplus",
]

INV_ROOT_TAU = 1 / math.sqrt(2 * math.pi)
ROOT_8_PI, CUBE = math.sqrt(8 / math.pi), 0.044715


def _in_float32(function: Callable[..., Any], *arrays: Any) -> Any:
    """Compute what float16 is too coarse to compute in."""
    with np.errstate(all="ignore"):
        return function(*[array.astype(np.float32) for array in arrays]).astype(np.float16)


def _activated(kind: str, x: Any, *numbers: float) -> Any:
    if x.dtype == np.float16:
        return _in_float32(lambda wide: kernels.activation(kind, wide, *numbers), x)
    return kernels.activation(kind, x, *numbers)


def _slope(kind: str, grad: Any, x: Any) -> Any:
    if x.dtype == np.float16:
        return _in_float32(lambda wide, at: kernels.activation_grad(kind, wide, at), grad, x)
    return kernels.activation_grad(kind, grad, x)


@op
def sigmoid(ctx: Any, x: Any) -> Any:
    """The logistic function of each element, 1 / (1 + exp(-x))."""
    out = _activated("sigmoid", floating(x))
    ctx.save(out)
    return out


@sigmoid.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return kernels.activation_grad("sigmoid", grad, out) if is_large(grad) else grad * (out * (1.0 - out))


@op
def logit(ctx: Any, x: Any, eps: float | None) -> Any:
    """The inverse of sigmoid, of each element; `eps` clamps it to [eps, 1 - eps] first."""
    x = floating(x)
    ctx.save(x, eps)
    return _logit(x, eps)


def _logit(x: Any, eps: float | None) -> Any:
    if x.dtype == np.float16:
        return _in_float32(lambda wide: _logit(wide, eps), x)
    with np.errstate(all="ignore"):  # infinities and NaN are answers, as in PyTorch
        inside = x if eps is None else np.clip(x, eps, 1 - eps)
        return np.log(inside / (1 - inside))


@logit.backward
def _(ctx: Any, grad: Any) -> Any:
    x, eps = ctx.saved
    low, outside = (0.0, math.nan) if eps is None else (eps, 0.0)
    return where((x < low) | (x > 1 - low), outside, grad / (x * (1.0 - x)))


@op
def relu(ctx: Any, x: Any) -> Any:
    """Replace what is negative by 0."""
    if x.dtype.char in "fd":
        out = kernels.relu(x)
    elif x.dtype == bool_:
        raise DTypeError("relu does not take booleans; cast the mask with .float()")
    else:
        out = np.maximum(x, 0)
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
    return np.where(out <= 0, 0, grad) if grad.dtype.char == "e" else kernels.relu_grad(grad, out)


@relu_grad.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    return relu_grad(grad, out)


@op
def leaky_relu(ctx: Any, x: Any, slope: float) -> Any:
    """Multiply what is not positive with `slope`."""
    ctx.save(x, slope)
    return _leaky(x, x, slope)


@leaky_relu.backward
def _(ctx: Any, grad: Any) -> Any:
    return leaky_relu_grad(grad, *ctx.saved)


@op
def leaky_relu_grad(ctx: Any, grad: Any, x: Any, slope: float) -> Any:
    """The gradient of leaky relu's input `x`."""
    ctx.save(x, slope)
    return _leaky(grad, x, slope)


@leaky_relu_grad.backward
def _(ctx: Any, outer: Any) -> Any:
    return leaky_relu_grad(outer, *ctx.saved)


def _leaky(values: Any, x: Any, slope: float) -> Any:
    if values.dtype == np.float16:
        with np.errstate(all="ignore"):  # what the product makes where it is not taken
            return np.where(x > 0, values, values * np.float16(slope))
    return kernels.leaky(values, x, slope)


@op
def dropout(ctx: Any, x: Any, probability: float, seed: int) -> Any:
    """Zero each element with `probability`, scale the rest; the seed alone decides which, so no mask is kept."""
    ctx.save(probability, seed)
    if x.dtype == np.float16:
        return _in_float32(lambda wide: kernels.dropout(wide, probability, seed), x)
    return kernels.dropout(x, probability, seed)


@dropout.backward
def _(ctx: Any, grad: Any) -> Any:
    return dropout(grad, *ctx.saved)


@op
def silu(ctx: Any, x: Any) -> Any:
    """Each element times its sigmoid."""
    ctx.save(x)
    return _activated("silu", x)


@silu.backward
def _(ctx: Any, grad: Any) -> Any:
    return silu_grad(grad, ctx.saved[0])


@op
def silu_grad(ctx: Any, grad: Any, x: Any) -> Any:
    """The gradient of silu's input `x`."""
    ctx.save(grad, x)
    return _slope("silu", grad, x)


@silu_grad.backward
def _(ctx: Any, outer: Any) -> Any:
    grad, x = ctx.saved
    share = sigmoid(x)
    bend = share * (1.0 - share) * (2.0 + x * (1.0 - 2.0 * share))
    return silu_grad(outer, x), outer * (grad * bend)


@op
def gelu(ctx: Any, x: Any, approximate: bool) -> Any:
    """Each element times the normal distribution of it, or that by the approximation with tanh.

    Source: Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415.
    """
    ctx.save(x, approximate)
    return _activated("gelu_tanh" if approximate else "gelu", x)


@gelu.backward
def _(ctx: Any, grad: Any) -> Any:
    return gelu_grad(grad, *ctx.saved)


@op
def gelu_grad(ctx: Any, grad: Any, x: Any, approximate: bool) -> Any:
    """The gradient of gelu's input `x`."""
    ctx.save(grad, x, approximate)
    return _slope("gelu_tanh" if approximate else "gelu", grad, x)


@gelu_grad.backward
def _(ctx: Any, outer: Any) -> Any:
    grad, x, approximate = ctx.saved
    if approximate:
        share = sigmoid(ROOT_8_PI * (x + CUBE * (x * x * x)))
        slope = ROOT_8_PI * (1.0 + 3 * CUBE * (x * x))
        bend = share * (1.0 - share) * (slope * (2.0 + x * slope * (1.0 - 2.0 * share)) + 6 * CUBE * ROOT_8_PI * x * x)
    else:
        bend = INV_ROOT_TAU * exp(-0.5 * (x * x)) * (2.0 - x * x)
    return gelu_grad(outer, x, approximate), outer * (grad * bend)


@op
def softplus(ctx: Any, x: Any, beta: float, threshold: float) -> Any:
    """log(1 + exp(beta x)) / beta of each element: a smooth relu; beyond `threshold` for beta x the element itself."""
    ctx.save(x, beta, threshold)
    return _activated("softplus", x, beta, threshold, 0.0)


@softplus.backward
def _(ctx: Any, grad: Any) -> Any:
    x, beta, threshold = ctx.saved
    if is_plain(grad):
        return kernels.activation_grad("softplus", grad, x, beta, threshold, 0.0)
    power = x * beta
    return grad * where(power > threshold, 1.0, sigmoid(power))


@op
def logsigmoid(ctx: Any, x: Any) -> Any:
    """The logarithm of the sigmoid of each element, where that itself underflows too."""
    ctx.save(x)
    return _activated("logsigmoid", x)


@logsigmoid.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    return kernels.activation_grad("logsigmoid", grad, x) if is_plain(grad) else grad * sigmoid(-x)


@op
def mish(ctx: Any, x: Any) -> Any:
    """Each element times the tanh of its softplus."""
    ctx.save(x)
    return _activated("mish", x)


@mish.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    if is_plain(grad):
        return kernels.activation_grad("mish", grad, x)
    share = tanh(softplus(x, 1.0, 20.0))
    return grad * (share + x * (1.0 - share * share) * sigmoid(x))


@op
def hardswish(ctx: Any, x: Any) -> Any:
    """Each element times (x + 3) / 6, which is limited to [0, 1]."""
    ctx.save(x)
    return _activated("hardswish", x)


@hardswish.backward
def _(ctx: Any, grad: Any) -> Any:
    (x,) = ctx.saved
    if is_plain(grad):
        return kernels.activation_grad("hardswish", grad, x)
    return grad * where(x <= -3, 0.0, where(x >= 3, 1.0, x / 3.0 + 0.5))


@op
def elu(ctx: Any, x: Any, alpha: float, scale: float, slope: float) -> Any:
    """Elu, selu and celu: scale * x where x is positive, else scale * alpha * (exp(slope * x) - 1)."""
    ctx.save(x, alpha, scale, slope)
    if slope > 0 and x.dtype != np.float16:
        return kernels.activation("elu", x, scale, alpha * scale, slope)
    with np.errstate(all="ignore"):
        return np.where(x > 0, x * scale, np.expm1(np.minimum(x, 0) * slope) * (alpha * scale))


@elu.backward
def _(ctx: Any, grad: Any) -> Any:
    x, alpha, scale, slope = ctx.saved
    if is_plain(grad):
        return kernels.activation_grad("elu", grad, x, scale, alpha * scale, slope)
    negative = exp(where(x > 0, 0.0, x) * slope) * (alpha * scale * slope)
    return grad * where(x > 0, scale, negative)
