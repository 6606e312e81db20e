"""Batch normalisation over (N, C, L): statistics, the map and its gradient, a channel a task."""

import numpy as np
from numba import prange

from trainkit.kernels.jit import Array, kernel, parallel_kernel

__all__ = ["batch_norm_apply", "batch_norm_grad", "batch_norm_stats"]


def batch_norm_stats(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance of x (N, C, L) over N and L: two arrays (C,).

    One pass over memory. Sums are taken in float64 of the distance from the channel's first element, so that
    a mean far larger than the deviation costs no digits (Chan, Golub, LeVeque 1983).
    """
    x = np.ascontiguousarray(x)
    mean, variance = np.zeros(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    if x.size:
        _stats_all(_tasks(x), x, mean, variance)
    return mean, variance


def batch_norm_apply(x: Array, mean: Array, inv_std: Array, weight: Array | None, bias: Array | None) -> Array:
    """The map (x - mean) * inv_std * weight + bias for x (N, C, L); weight and bias may be None."""
    x = np.ascontiguousarray(x)
    out = np.empty(x.shape, x.dtype)
    if x.size:
        scale = inv_std if weight is None else inv_std * weight
        shift = np.zeros_like(mean) if bias is None else bias
        _apply_all(_tasks(x), x, *_channels(x, mean, scale, shift), out)
    return out


def batch_norm_grad(
    grad: Array, x: Array, mean: Array, inv_std: Array, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Gradients of input (N, C, L), weight (C,) and bias (C,), where mean and inv_std are those of x."""
    grad, x = np.ascontiguousarray(grad), np.ascontiguousarray(x)
    grad_x = np.empty(x.shape, x.dtype)
    grad_weight, grad_bias = np.zeros(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    if x.size:
        scale = inv_std if weight is None else inv_std * weight
        _grad_all(_tasks(x), grad, x, *_channels(x, mean, inv_std, scale), grad_x, grad_weight, grad_bias)
    return grad_x, grad_weight, grad_bias


def _channels(x: Array, *arrays: Array) -> list[Array]:
    return [np.ascontiguousarray(array, dtype=x.dtype) for array in arrays]


def _tasks(x: Array) -> int:
    return max(1, min(int(x.shape[1]), x.size >> 13))


@parallel_kernel
def _stats_all(tasks, x, mean, variance):
    for task in prange(tasks):
        _stats(np.int64(task), tasks, x, mean, variance)


@kernel
def _stats(task, tasks, x, mean, variance):
    """Sums distances from the first element; with L = 1 the loop over n, not over c, is outside."""
    N, C, L = x.shape
    first, end = C * task // tasks, C * (task + 1) // tasks
    total, squares = np.zeros(end - first), np.zeros(end - first)
    if L == 1:
        for n in range(N):
            for c in range(first, end):
                distance = np.float64(x[n, c, 0]) - np.float64(x[0, c, 0])
                total[c - first] += distance
                squares[c - first] += distance * distance
    else:
        for c in range(first, end):
            origin = np.float64(x[0, c, 0])
            for n in range(N):
                row_total, row_squares = 0.0, 0.0
                for i in range(L):
                    distance = np.float64(x[n, c, i]) - origin
                    row_total += distance
                    row_squares += distance * distance
                total[c - first] += row_total
                squares[c - first] += row_squares
    for c in range(first, end):
        shift = total[c - first] / (N * L)
        mean[c] = np.float64(x[0, c, 0]) + shift
        spread = squares[c - first] / (N * L) - shift * shift
        variance[c] = 0.0 if spread < 0 else spread


@parallel_kernel
def _apply_all(tasks, x, mean, scale, shift, out):
    for task in prange(tasks):
        _apply(np.int64(task), tasks, x, mean, scale, shift, out)


@kernel
def _apply(task, tasks, x, mean, scale, shift, out):
    N, C, L = x.shape
    first, end = C * task // tasks, C * (task + 1) // tasks
    if L == 1:
        for n in range(N):
            for c in range(first, end):
                out[n, c, 0] = (x[n, c, 0] - mean[c]) * scale[c] + shift[c]
    else:
        for c in range(first, end):
            for n in range(N):
                for i in range(L):
                    out[n, c, i] = (x[n, c, i] - mean[c]) * scale[c] + shift[c]


@parallel_kernel
def _grad_all(tasks, grad, x, mean, inv_std, scale, grad_x, grad_weight, grad_bias):
    for task in prange(tasks):
        _grad(np.int64(task), tasks, grad, x, mean, inv_std, scale, grad_x, grad_weight, grad_bias)


@kernel
def _grad(task, tasks, grad, x, mean, inv_std, scale, grad_x, grad_weight, grad_bias):
    """grad_x = scale * (grad - average of grad - normalised x * average of grad * normalised x)."""
    N, C, L = x.shape
    first, end = C * task // tasks, C * (task + 1) // tasks
    total, product = np.zeros(end - first), np.zeros(end - first)
    for c in range(first, end):
        for n in range(N):
            row_total, row_product = 0.0, 0.0
            for i in range(L):
                value = np.float64(grad[n, c, i])
                row_total += value
                row_product += value * np.float64(x[n, c, i] - mean[c])
            total[c - first] += row_total
            product[c - first] += row_product
    for c in range(first, end):
        grad_bias[c] = total[c - first]
        grad_weight[c] = product[c - first] * inv_std[c]
        average = x.dtype.type(total[c - first] / (N * L))
        slope = x.dtype.type(product[c - first] * inv_std[c] * inv_std[c] / (N * L))
        for n in range(N):
            for i in range(L):
                grad_x[n, c, i] = (grad[n, c, i] - average - (x[n, c, i] - mean[c]) * slope) * scale[c]
