"""Activations of float32 in one pass over the elements, computed in float64 by functions that LLVM vectorises.

The exponential (`quick_exp`) and the normal distribution that is made of it have an error of less than a float32's
rounding, in the tails too.
"""

import numpy as np
from numba import prange

from trainkit.kernels.elementwise import CHUNK
from trainkit.kernels.exponential import quick_exp, quick_log_plus_one
from trainkit.kernels.jit import Array, kernel, parallel_kernel
from trainkit.kernels.memory import empty

__all__ = ["activation", "activation_grad"]

KINDS = {"sigmoid": 0, "silu": 1, "gelu": 2, "gelu_tanh": 3, "logsigmoid": 4}
SIGMOID, SILU, GELU, GELU_TANH, LOG_SIGMOID = KINDS.values()

INV_ROOT_2 = 1 / np.sqrt(2)
INV_ROOT_TAU = 1 / np.sqrt(2 * np.pi)
ROOT_8_PI, CUBE = np.sqrt(8 / np.pi), 0.044715


def activation(kind: str, x: Array) -> Array:
    """`kind` ("sigmoid", "silu", "gelu", "gelu_tanh", "logsigmoid") of float32 elements, in any shape."""
    x = np.ascontiguousarray(x).reshape(x.shape)
    out = empty(x.shape, x.dtype)
    if x.size <= CHUNK:
        _activation(0, KINDS[kind], x.reshape(-1), out.reshape(-1))
    else:
        _activation_all(-(-x.size // CHUNK), KINDS[kind], x.reshape(-1), out.reshape(-1))
    return out


def activation_grad(kind: str, grad: Array, x: Array) -> Array:
    """The gradient of the input `x` of an activation ("silu", "gelu", "gelu_tanh") in float32, in any shape."""
    grad, x = np.ascontiguousarray(grad).reshape(grad.shape), np.ascontiguousarray(x)
    out = empty(grad.shape, grad.dtype)
    if grad.size <= CHUNK:
        _activation_grad(0, KINDS[kind], grad.reshape(-1), x.reshape(-1), out.reshape(-1))
    else:
        _activation_grad_all(-(-grad.size // CHUNK), KINDS[kind], grad.reshape(-1), x.reshape(-1), out.reshape(-1))
    return out


@kernel
def _sigmoid(x):
    return 1.0 / (1.0 + quick_exp(-x))


@kernel
def _normal(x, bell):
    """The normal distribution of x, given exp(-x * x / 2).

    erfc(z) exp(z * z) / t is a polynomial of t = 2 / (2 + z): a fit at Chebyshev's nodes, 3e-8 of relative error.
    """
    t = 2.0 / (2.0 + abs(x) * INV_ROOT_2)
    p = 0.0453513366235701
    p = p * t - 0.245580036275335
    p = p * t + 0.5168995401022985
    p = p * t - 0.4824747605145184
    p = p * t + 0.1518851796289982
    p = p * t - 0.06795827531374868
    p = p * t + 0.0958271993931922
    p = p * t + 0.17494859631541002
    p = p * t + 0.24691356121779123
    p = p * t + 0.2820928673346307
    p = p * t + 0.282094799651273
    tail = 0.5 * bell * t * p
    return tail if x < 0 else 1.0 - tail


@kernel
def _activation(chunk, kind, x, out):
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    x, out = x[part], out[part]
    if kind == SIGMOID:
        for i in range(x.size):
            out[i] = _sigmoid(np.float64(x[i]))
    elif kind == SILU:
        for i in range(x.size):
            value = np.float64(x[i])
            out[i] = value * _sigmoid(value)
    elif kind == GELU:
        for i in range(x.size):
            value = np.float64(x[i])
            out[i] = value * _normal(value, quick_exp(-0.5 * value * value))
    elif kind == LOG_SIGMOID:
        for i in range(x.size):
            value = np.float64(x[i])
            least = 0.0 if value > 0 else value  # written so that NaN stays
            out[i] = least - quick_log_plus_one(quick_exp(-abs(value)))
    else:
        for i in range(x.size):
            value = np.float64(x[i])
            out[i] = value * _sigmoid(ROOT_8_PI * (value + CUBE * value * value * value))


@parallel_kernel
def _activation_all(chunks, kind, x, out):
    for chunk in prange(chunks):
        _activation(np.int64(chunk), kind, x, out)


@kernel
def _activation_grad(chunk, kind, grad, x, out):
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    grad, x, out = grad[part], x[part], out[part]
    if kind == SILU:
        for i in range(x.size):
            value = np.float64(x[i])
            share = _sigmoid(value)
            out[i] = np.float64(grad[i]) * share * (1.0 + value * (1.0 - share))
    elif kind == GELU:
        for i in range(x.size):
            value = np.float64(x[i])
            bell = quick_exp(-0.5 * value * value)
            out[i] = np.float64(grad[i]) * (_normal(value, bell) + value * bell * INV_ROOT_TAU)
    else:
        for i in range(x.size):
            value = np.float64(x[i])
            share = _sigmoid(ROOT_8_PI * (value + CUBE * value * value * value))
            slope = ROOT_8_PI * (1.0 + 3.0 * CUBE * value * value)
            out[i] = np.float64(grad[i]) * share * (1.0 + value * (1.0 - share) * slope)


@parallel_kernel
def _activation_grad_all(chunks, kind, grad, x, out):
    for chunk in prange(chunks):
        _activation_grad(np.int64(chunk), kind, grad, x, out)
