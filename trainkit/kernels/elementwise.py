"""Maps over all elements that are not a numpy ufunc, or that numpy runs on one thread only."""

import numpy as np
from numba import prange

from trainkit.kernels.jit import Array, kernel, parallel_kernel
from trainkit.kernels.memory import empty

__all__ = ["CHUNK", "dropout", "leaky", "relu", "relu_grad"]

FEW = 1 << 10  # elements up to which numpy is quicker than the call of a kernel
ZERO = {"f": np.zeros((), "f"), "d": np.zeros((), "d")}  # an array: numpy is slow to make one of a number
CHUNK = 1 << 15  # elements a task; one chunk or less runs on the calling thread, where a launch would cost more


def relu(x: Array) -> Array:
    """max(x, 0), of any shape; NaN stays NaN."""
    if x.size <= FEW:
        return np.asarray(np.maximum(x, ZERO[x.dtype.char]))
    x = np.ascontiguousarray(x).reshape(x.shape)
    out = empty(x.shape, x.dtype)
    if x.size <= CHUNK:
        _relu(0, x.reshape(-1), out.reshape(-1))
    else:
        _relu_all(-(-x.size // CHUNK), x.reshape(-1), out.reshape(-1))
    return out


@kernel
def _relu(chunk, x, out):
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    x, out = x[part], out[part]  # LLVM vectorises a loop from 0, where no index can be negative
    for i in range(x.size):
        out[i] = x.dtype.type(0) if x[i] <= 0 else x[i]


@parallel_kernel
def _relu_all(chunks, x, out):
    for chunk in prange(chunks):
        _relu(np.int64(chunk), x, out)


def relu_grad(grad: Array, out: Array) -> Array:
    """The gradient of `relu`'s input: grad where its output `out` is not 0 or less, else 0."""
    grad, out = np.ascontiguousarray(grad).reshape(grad.shape), np.ascontiguousarray(out)
    grad_x = empty(grad.shape, grad.dtype)
    if grad.size <= CHUNK:
        _relu_grad(0, grad.reshape(-1), out.reshape(-1), grad_x.reshape(-1))
    else:
        _relu_grad_all(-(-grad.size // CHUNK), grad.reshape(-1), out.reshape(-1), grad_x.reshape(-1))
    return grad_x


@kernel
def _relu_grad(chunk, grad, out, grad_x):
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    grad, out, grad_x = grad[part], out[part], grad_x[part]
    for i in range(grad.size):
        grad_x[i] = grad.dtype.type(0) if out[i] <= 0 else grad[i]


@parallel_kernel
def _relu_grad_all(chunks, grad, out, grad_x):
    for chunk in prange(chunks):
        _relu_grad(np.int64(chunk), grad, out, grad_x)


def leaky(values: Array, x: Array, slope: float) -> Array:
    """`values` where x is positive, else times `slope`: leaky relu of x itself, its gradient of what came back."""
    values, x = np.ascontiguousarray(values).reshape(values.shape), np.ascontiguousarray(x)
    out = empty(values.shape, values.dtype)
    parts = values.reshape(-1), x.reshape(-1), values.dtype.type(slope), out.reshape(-1)
    if x.size <= CHUNK:
        _leaky(0, *parts)
    else:
        _leaky_all(-(-x.size // CHUNK), *parts)
    return out


@kernel
def _leaky(chunk, values, x, slope, out):
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    values, x, out = values[part], x[part], out[part]
    one = values.dtype.type(1)
    for i in range(x.size):
        out[i] = values[i] * (one if x[i] > 0 else slope)  # LLVM vectorises a choice of numbers, not one of products


@parallel_kernel
def _leaky_all(chunks, values, x, slope, out):
    for chunk in prange(chunks):
        _leaky(np.int64(chunk), values, x, slope, out)


def dropout(x: Array, probability: float, seed: int) -> Array:
    """Dropout of x, of any shape: elements zeroed with `probability`, the others scaled by 1 / (1 - it).

    Which elements go is a function of (seed, element index) alone: nothing is saved for backward, whose
    gradient is the same function of grad. The bits are SplitMix64's (Steele, Lea, Flood 2014), a counter
    instead of a state.
    """
    x = np.ascontiguousarray(x).reshape(x.shape)
    out = empty(x.shape, x.dtype)
    threshold = np.uint64(round(probability * 2**32))
    scale = x.dtype.type(1 / (1 - probability) if probability < 1 else 0)
    start = np.uint64(seed % 2**64)
    if x.size <= CHUNK:
        _dropout(0, x.reshape(-1), threshold, scale, start, out.reshape(-1))
    else:
        _dropout_all(-(-x.size // CHUNK), x.reshape(-1), threshold, scale, start, out.reshape(-1))
    return out


@kernel
def _dropout(chunk, x, threshold, scale, seed, out):
    key = _mixed(seed)  # neighbouring seeds must not give shifted copies of one mask
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    x, out = x[part], out[part]
    for i in range(x.size):
        bits = _mixed(key + np.uint64(chunk * CHUNK + i) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
        out[i] = x[i] * (scale if bits >= threshold else x.dtype.type(0))


@kernel
def _mixed(state):
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@parallel_kernel
def _dropout_all(chunks, x, threshold, scale, seed, out):
    for chunk in prange(chunks):
        _dropout(np.int64(chunk), x, threshold, scale, seed, out)
