"""Batch normalisation: statistics and map in one, the map alone, the gradient. Arrays (N, C, *) are seen as (N, C, L).

A task that sums has some channels and all that belongs to them, so that nothing depends on the number of threads, and
what its first pass read is still in the cache for the second. With L = 1 the array is passed as (N, C): its rows are
summed side by side. Means are float64; what the dtype leaves of one is added to the shift.
"""

import numpy as np
from numba import prange

from trainkit.kernels.jit import Array, kernel, parallel_kernel
from trainkit.kernels.memory import empty

__all__ = ["batch_norm", "batch_norm_apply", "batch_norm_grad", "scale_runs"]

TASK = 1 << 13  # elements of a task, at least
WIDTH = 16  # columns of (N, C) that one task has, at least: a line of the cache


def batch_norm(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Array, Array]:
    """The map (x - mean) / sqrt(variance + eps) * weight + bias of x (N, C, *); weight and bias may be None.

    Returns also mean and biased variance of the channels, (C,), in float64. One pass over memory takes them: sums in
    float64 of the distance from a channel's first element (Chan, Golub, LeVeque 1983). That element is at most
    sqrt(count - 1) deviations from the mean, so the digits that are lost are fewer than those of the count.
    """
    x = np.ascontiguousarray(x)
    C = x.shape[1]
    out, mean, variance = empty(x.shape, x.dtype), np.zeros(C), np.zeros(C)
    if x.size:
        factors = _channels(x.dtype, C, weight, bias)
        plain = _plain(x)
        _launch(_batch_norm, _batch_norm_all, _most(plain), plain, *factors, eps, mean, variance, _plain(out))
    return out, mean, variance


def batch_norm_apply(x: Array, mean: Array, inv_std: Array, weight: Array | None, bias: Array | None) -> Array:
    """The map (x - mean) * inv_std * weight + bias of x (N, C, *); weight and bias may be None."""
    x = np.ascontiguousarray(x)
    out = empty(x.shape, x.dtype)
    if x.size:
        factors = _channels(x.dtype, x.shape[1], weight, bias)
        plain = _plain(x)
        rows = len(plain) if plain.ndim == 2 else len(plain) * plain.shape[1]
        _launch(_apply, _apply_all, rows, plain, *_doubles(mean, inv_std), *factors, _plain(out))
    return out


def scale_runs(x: Array, factors: Array) -> Array:
    """Multiply each run of x.size / factors.size elements of x with its factor."""
    x, count = np.ascontiguousarray(x), factors.size
    out, plain = empty(x.shape, x.dtype), (1, count, -1)
    given = np.zeros(count), np.ones(count), np.ascontiguousarray(factors).reshape(-1), np.zeros(count, x.dtype)
    _launch(_apply, _apply_all, count, x.reshape(plain), *given, out.reshape(plain))
    return out


def batch_norm_grad(
    grad: Array,
    x: Array,
    mean: Array,
    inv_std: Array,
    weight: Array | None,
    given: bool = False,
    sums: bool = True,
) -> tuple[Array, Array, Array]:
    """Gradients of input (N, C, *), weight (C,) and bias (C,).

    Sums along L are taken in the dtype, those over N in float64.

    Args:
        grad: of the output.
        x: the input.
        mean: those of x, or others, if `given`.
        inv_std: the same.
        weight: or None for ones.
        given: whether mean and inv_std are numbers, not functions of x.
        sums: whether the gradients of weight and bias are wanted; if not, and mean and inv_std are given, they stay 0.
    """
    grad, x = np.ascontiguousarray(grad), np.ascontiguousarray(x)
    C = x.shape[1]
    grad_x, grad_weight, grad_bias = empty(x.shape, x.dtype), np.zeros(C, x.dtype), np.zeros(C, x.dtype)
    if x.size:
        factor, _ = _channels(x.dtype, C, weight, None)
        plain, found = _plain(grad), (_plain(grad_x), grad_weight, grad_bias)
        given_arrays = *_doubles(mean, inv_std), factor
        _launch(_grad, _grad_all, _most(plain), plain, _plain(x), *given_arrays, given, sums or not given, *found)
    return grad_x, grad_weight, grad_bias


def _plain(x: Array) -> Array:
    N, C = x.shape[:2]
    return x.reshape((N, C) if x.size == N * C else (N, C, -1))


def _channels(dtype: np.dtype, channels: int, weight: Array | None, bias: Array | None) -> list[Array]:
    return [
        np.ones(channels, dtype) if weight is None else np.ascontiguousarray(weight, dtype=dtype),
        np.zeros(channels, dtype) if bias is None else np.ascontiguousarray(bias, dtype=dtype),
    ]


def _doubles(*arrays: Array) -> list[Array]:
    return [np.ascontiguousarray(array, dtype=np.float64) for array in arrays]


def _most(plain: Array) -> int:
    """How many tasks can share channels."""
    return int(plain.shape[1] if plain.ndim == 3 else plain.shape[1] // WIDTH)


def _launch(serial, parallel, most, x, *args) -> None:
    tasks = max(1, min(most, x.size // TASK))
    if tasks == 1:
        serial(0, 1, x, *args)
    else:
        parallel(tasks, x, *args)


@parallel_kernel
def _batch_norm_all(tasks, x, weight, bias, eps, mean, variance, out):
    for task in prange(tasks):
        _batch_norm(np.int64(task), tasks, x, weight, bias, eps, mean, variance, out)


@kernel
def _batch_norm(task, tasks, x, weight, bias, eps, mean, variance, out):
    C = x.shape[1]
    first, end = C * task // tasks, C * (task + 1) // tasks
    _stats(first, x, mean[first:end], variance[first:end])
    inv_std = np.empty(end - first)
    for c in range(end - first):
        inv_std[c] = 1.0 / np.sqrt(variance[first + c] + eps)
    _map(first, x, mean[first:end], inv_std, weight[first:end], bias[first:end], out)


@parallel_kernel
def _apply_all(tasks, x, mean, inv_std, weight, bias, out):
    for task in prange(tasks):
        _apply(np.int64(task), tasks, x, mean, inv_std, weight, bias, out)


@kernel
def _apply(task, tasks, x, mean, inv_std, weight, bias, out):
    """Nothing is summed here, so a task has what lies together: neighbouring rows of the channels of all samples."""
    N, C = x.shape[0], x.shape[1]
    if x.ndim == 2:
        first, end = N * task // tasks, N * (task + 1) // tasks
        _map(0, x[first:end], mean, inv_std, weight, bias, out[first:end])
    else:
        for row in range(N * C * task // tasks, N * C * (task + 1) // tasks):
            n, c = row // C, row % C
            factor = inv_std[c] * np.float64(weight[c])
            start, scale = x.dtype.type(mean[c]), x.dtype.type(factor)
            shift = x.dtype.type(np.float64(bias[c]) + (np.float64(start) - mean[c]) * factor)
            for i in range(x.shape[2]):
                out[n, c, i] = (x[n, c, i] - start) * scale + shift


@parallel_kernel
def _grad_all(tasks, grad, x, mean, inv_std, weight, given, sums, grad_x, grad_weight, grad_bias):
    for task in prange(tasks):
        _grad(np.int64(task), tasks, grad, x, mean, inv_std, weight, given, sums, grad_x, grad_weight, grad_bias)


@kernel
def _stats(first, x, mean, variance):
    """Mean and variance of the channels from `first` on, as many as `mean` has."""
    N, count = x.shape[0], mean.size
    total, squares = np.zeros(count), np.zeros(count)
    if x.ndim == 2:
        origin = x[0, first : first + count]
        for n in range(N):
            row = x[n, first : first + count]
            for c in range(count):
                distance = np.float64(row[c]) - np.float64(origin[c])
                total[c] += distance
                squares[c] += distance * distance
    else:
        for n in range(N):
            for c in range(count):
                start = np.float64(x[0, first + c, 0])
                row_total, row_squares = 0.0, 0.0
                for i in range(x.shape[2]):
                    distance = np.float64(x[n, first + c, i]) - start
                    row_total += distance
                    row_squares += distance * distance
                total[c] += row_total
                squares[c] += row_squares
    number = x.size // x.shape[1]
    for c in range(count):
        start = np.float64(x[0, first + c] if x.ndim == 2 else x[0, first + c, 0])
        apart = total[c] / number
        spread = squares[c] / number - apart * apart
        mean[c] = start + apart
        variance[c] = 0.0 if spread < 0 else spread


@kernel
def _map(first, x, mean, inv_std, weight, bias, out):
    N, count = x.shape[0], mean.size
    origin, scale, shift = np.empty(count, x.dtype), np.empty(count, x.dtype), np.empty(count, x.dtype)
    for c in range(count):
        factor = inv_std[c] * np.float64(weight[c])
        origin[c] = mean[c]
        scale[c] = factor
        shift[c] = np.float64(bias[c]) + (np.float64(origin[c]) - mean[c]) * factor
    for n in range(N):
        if x.ndim == 2:
            row, out_row = x[n, first : first + count], out[n, first : first + count]
            for c in range(count):
                out_row[c] = (row[c] - origin[c]) * scale[c] + shift[c]
        else:
            for c in range(count):
                start, factor, more = origin[c], scale[c], shift[c]
                for i in range(x.shape[2]):
                    out[n, first + c, i] = (x[n, first + c, i] - start) * factor + more


@kernel
def _grad(task, tasks, grad, x, mean, inv_std, weight, given, sums, grad_x, grad_weight, grad_bias):
    """grad_x = scale * (grad - average of grad - normalised x * average of grad * normalised x)."""
    N, C = x.shape[0], x.shape[1]
    first, count = C * task // tasks, C * (task + 1) // tasks - C * task // tasks
    origin, scale = np.empty(count, x.dtype), np.empty(count, x.dtype)
    total, product = np.zeros(count), np.zeros(count)
    for c in range(count):
        origin[c] = mean[first + c]
        scale[c] = inv_std[first + c] * np.float64(weight[first + c])
    for n in range(N):
        if x.ndim == 2:
            row, slope = x[n, first : first + count], grad[n, first : first + count]
            found = grad_x[n, first : first + count]
            if sums:
                for c in range(count):
                    value = np.float64(slope[c])
                    total[c] += value
                    product[c] += value * np.float64(row[c] - origin[c])
            if given:
                for c in range(count):
                    found[c] = slope[c] * scale[c]
        else:
            for c in range(count):
                if sums:
                    start, row_total, row_product = origin[c], x.dtype.type(0), x.dtype.type(0)
                    for i in range(x.shape[2]):
                        row_total += grad[n, first + c, i]
                        row_product += grad[n, first + c, i] * (x[n, first + c, i] - start)
                    total[c] += np.float64(row_total)
                    product[c] += np.float64(row_product)
                if given:
                    factor = scale[c]
                    for i in range(x.shape[2]):
                        grad_x[n, first + c, i] = grad[n, first + c, i] * factor
    average, bend = np.empty(count, x.dtype), np.empty(count, x.dtype)
    number = x.size // C
    for c in range(count):
        inverse, rest = inv_std[first + c], np.float64(origin[c]) - mean[first + c]
        product[c] += rest * total[c]
        grad_bias[first + c] = total[c]
        grad_weight[first + c] = product[c] * inverse
        per = product[c] * inverse * inverse / number
        average[c] = total[c] / number + rest * per
        bend[c] = per
    for n in range(0 if given else N):
        if x.ndim == 2:
            row, slope = x[n, first : first + count], grad[n, first : first + count]
            found = grad_x[n, first : first + count]
            for c in range(count):
                found[c] = (slope[c] - average[c] - (row[c] - origin[c]) * bend[c]) * scale[c]
        else:
            for c in range(count):
                start, factor, less, per = origin[c], scale[c], average[c], bend[c]
                for i in range(x.shape[2]):
                    value = grad[n, first + c, i] - less - (x[n, first + c, i] - start) * per
                    grad_x[n, first + c, i] = value * factor
