"""Activations, and gradients of their inputs, in one pass over the elements, in the dtype of these.

One kernel holds them all and is told which by a number: one machine code, not twenty.
"""

import numpy as np

from trainkit.kernels.elementwise import flat, over_chunks
from trainkit.kernels.exponential import exp, exp_as, exp_minus_one, log_plus_one, normal_tail, tanh
from trainkit.kernels.jit import Array, exact_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel

__all__ = ["activation", "activation_grad"]

NAMES = (
    "sigmoid", "silu", "gelu", "gelu_tanh", "logsigmoid", "exp", "tanh", "softplus", "elu", "mish", "hardswish"
)  # fmt: skip
KINDS = {name: kind for kind, name in enumerate(NAMES)}
SIGMOID, SILU, GELU, GELU_TANH, LOG_SIGMOID, EXP, TANH, SOFTPLUS, ELU, MISH, HARD_SWISH = range(11)

NO_NUMBERS = {"f": np.zeros(3, "f"), "d": np.zeros(3, "d")}
INV_ROOT_TAU = 1 / np.sqrt(2 * np.pi)
ROOT_8_PI, CUBE = np.sqrt(8 / np.pi), 0.044715


def activation(kind: str, x: Array, *numbers: float) -> Array:
    """The activation `kind`, one of NAMES, of floats in any shape.

    `numbers` are softplus' beta, threshold and 0; elu's factors of x above 0 and of e ** (slope x) - 1 below, and its
    slope, which is positive.
    """
    out = empty(x.shape, x.dtype)
    given = np.array(numbers, x.dtype) if numbers else NO_NUMBERS[x.dtype.char]
    over_chunks(_activation, _activation_all, x.size, KINDS[kind], flat(x), given, out.reshape(-1))
    return out


def activation_grad(kind: str, grad: Array, x: Array, *numbers: float) -> Array:
    """The gradient of an activation's input `x`, in any shape; of sigmoid and tanh, `x` is the output instead."""
    out = empty(grad.shape, grad.dtype)
    given = np.array(numbers, x.dtype) if numbers else NO_NUMBERS[x.dtype.char]
    over_chunks(_slope, _slope_all, x.size, KINDS[kind], flat(x), flat(grad), given, out.reshape(-1))
    return out


@exact_kernel
def _activation(chunk, count, kind, x, numbers, out):
    first = chunk * count
    x, out = x[first : first + count], out[first : first + count]
    zero, one, two = x.dtype.type(0), x.dtype.type(1), x.dtype.type(2)
    a, b, c = numbers[0], numbers[1], numbers[2]
    if kind == SIGMOID:
        for i in range(x.size):
            out[i] = one / (one + exp(-x[i]))
    elif kind == SILU:
        for i in range(x.size):
            out[i] = x[i] / (one + exp(-x[i]))
    elif kind == GELU:
        for i in range(x.size):
            tail, _ = normal_tail(x[i])
            out[i] = x[i] * (tail if x[i] < zero else one - tail)
    elif kind == GELU_TANH:
        for i in range(x.size):
            value = np.float64(x[i])
            out[i] = x[i] / (one + exp_as(zero, -ROOT_8_PI * (value + CUBE * value * value * value)))
    elif kind == LOG_SIGMOID:
        for i in range(x.size):
            out[i] = (zero if x[i] > zero else x[i]) - log_plus_one(exp(-abs(x[i])))  # written so that NaN stays
    elif kind == EXP:
        for i in range(x.size):
            out[i] = exp(x[i])
    elif kind == TANH:
        for i in range(x.size):
            out[i] = tanh(x[i])
    elif kind == SOFTPLUS:
        inverse = one / a
        for i in range(x.size):
            power = x[i] * a
            curve = (zero if power < zero else power) + log_plus_one(exp(-abs(power)))
            out[i] = x[i] if power > b else curve * inverse
    elif kind == ELU:
        for i in range(x.size):
            out[i] = x[i] * a if x[i] > zero else exp_minus_one(x[i] * c) * b
    elif kind == MISH:
        top = x.dtype.type(40)  # tanh(softplus) is e (e + 2) / (e (e + 2) + 2), and 1 long before
        for i in range(x.size):
            power = exp(top if x[i] > top else x[i])
            power = power * (power + two)
            out[i] = x[i] * (power / (power + two))
    else:
        three, six, sixth = x.dtype.type(3), x.dtype.type(6), x.dtype.type(1 / 6)
        for i in range(x.size):
            gate = x[i] + three
            gate = zero if gate < zero else gate
            out[i] = x[i] * ((six if gate > six else gate) * sixth)


_activation_all = parallel_kernel(_activation)


@exact_kernel
def _slope(chunk, count, kind, x, grad, numbers, out):
    first = chunk * count
    x, grad, out = x[first : first + count], grad[first : first + count], out[first : first + count]
    zero, one, two = x.dtype.type(0), x.dtype.type(1), x.dtype.type(2)
    a, b, c = numbers[0], numbers[1], numbers[2]
    if kind == SIGMOID:
        for i in range(x.size):
            out[i] = grad[i] * (x[i] * (one - x[i]))
    elif kind == TANH:
        for i in range(x.size):
            out[i] = grad[i] * (one - x[i] * x[i])
    elif kind == SILU:
        for i in range(x.size):
            low = exp(-abs(x[i]))  # of sigmoid(x) and sigmoid(-x) both have all their digits: 1 - the other has not
            most = one / (one + low)
            least = low * most
            out[i] = grad[i] * ((least if x[i] < zero else most) + x[i] * least * most)
    elif kind == GELU:
        scale = x.dtype.type(INV_ROOT_TAU)
        for i in range(x.size):
            tail, bell = normal_tail(x[i])
            out[i] = grad[i] * ((tail if x[i] < zero else one - tail) + x[i] * bell * scale)
    elif kind == GELU_TANH:
        lift, curve = x.dtype.type(ROOT_8_PI), x.dtype.type(3 * CUBE * ROOT_8_PI)
        for i in range(x.size):
            value = np.float64(x[i])
            low = exp_as(zero, -ROOT_8_PI * abs(value + CUBE * value * value * value))
            most = one / (one + low)
            least = low * most
            bend = x[i] * (lift + curve * (x[i] * x[i]))
            out[i] = grad[i] * ((least if x[i] < zero else most) + (bend * least * most if least > zero else zero))
    elif kind == LOG_SIGMOID:
        for i in range(x.size):
            out[i] = grad[i] / (one + exp(x[i]))
    elif kind == SOFTPLUS:
        for i in range(x.size):
            power = x[i] * a
            out[i] = grad[i] * (one if power > b else one / (one + exp(-power)))
    elif kind == ELU:
        for i in range(x.size):
            out[i] = grad[i] * (a if x[i] > zero else exp(x[i] * c) * b * c)
    elif kind == MISH:
        top = x.dtype.type(40)
        for i in range(x.size):
            power = exp(top if x[i] > top else x[i])
            rise = power * (power + two)
            left = one / (rise + two)
            share = rise * left
            out[i] = grad[i] * (share + x[i] * (two * left * (one + share)) * (power / (one + power)))
    else:
        three, third, half = x.dtype.type(3), x.dtype.type(1 / 3), x.dtype.type(0.5)
        for i in range(x.size):
            inside = x[i] * third + half
            inside = one if x[i] >= three else inside
            out[i] = grad[i] * (zero if x[i] <= -three else inside)


_slope_all = parallel_kernel(_slope)
