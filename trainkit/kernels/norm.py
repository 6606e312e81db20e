"""Batch normalisation: statistics and map in one, the map alone, the gradient. Arrays (N, C, *) are seen as (N, C, L).

A task that sums has some channels and all that belongs to them, so that nothing depends on the number of threads, and
what its first pass read is still in the cache for the second. With L = 1 the array is passed as (N, C): its rows are
summed side by side. Means are float64; what the dtype leaves of one is added to the shift.

With `relu` the map is followed by max(y, 0) in the same pass. Its gradient takes the sign of y from x once more, which
costs less than to read y.
"""

from typing import Any

import numpy as np

from trainkit.kernels.exponential import like
from trainkit.kernels.jit import Array, exact_inner_kernel, inner_kernel, kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel

__all__ = ["batch_norm", "batch_norm_apply", "batch_norm_factors", "batch_norm_grad", "scale_runs"]

TASK = 1 << 13  # elements of a task, at least
WIDTH = 16  # columns of (N, C) that one task has, at least: a line of the cache


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float, relu: bool = False
) -> tuple[Array, Array, Array]:
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
        _launch(_batch_norm_all, _most(plain), plain, *factors, eps, _floor(x, relu), mean, variance, _plain(out))
    return out, mean, variance


def batch_norm_apply(
    x: Array, mean: Array, inv_std: Array, weight: Array | None, bias: Array | None, relu: bool = False
) -> Array:
    """The map (x - mean) * inv_std * weight + bias of x (N, C, *); weight and bias may be None."""
    x = np.ascontiguousarray(x)
    out = empty(x.shape, x.dtype)
    if x.size:
        factors = _channels(x.dtype, x.shape[1], weight, bias)
        plain = _plain(x)
        rows = len(plain) if plain.ndim == 2 else len(plain) * plain.shape[1]
        _launch(_apply_all, rows, plain, *_doubles(mean, inv_std), *factors, _floor(x, relu), _plain(out))
    return out


def batch_norm_factors(dtype: np.dtype, mean: Array, inv_std: Array, weight: Array | None, bias: Array | None) -> Array:
    """Start, scale and shift (3, C): `batch_norm_apply` gives (x - start) * scale + shift, to the bit."""
    factors = np.empty((3, len(mean)), dtype)
    _factors(*_doubles(mean, inv_std), *_channels(factors.dtype, len(mean), weight, bias), factors)
    return factors


def scale_runs(x: Array, factors: Array) -> Array:
    """Multiply each run of x.size / factors.size elements of x with its factor."""
    x, count = np.ascontiguousarray(x), factors.size
    out, plain = empty(x.shape, x.dtype), (1, count, -1)
    given = np.zeros(count), np.ones(count), np.ascontiguousarray(factors).reshape(-1), np.zeros(count, x.dtype)
    _launch(_apply_all, count, x.reshape(plain), *given, None, out.reshape(plain))
    return out


def batch_norm_grad(
    grad: Array,
    x: Array,
    mean: Array,
    inv_std: Array,
    weight: Array | None,
    given: bool = False,
    sums: bool = True,
    relu: bool = False,
    bias: Array | None = None,
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
        relu: whether grad is that of max(y, 0), where y is the output; x must then be the input in any case.
        bias: what `relu` needs to know of the output; or None for zeros.
    """
    grad, x = np.ascontiguousarray(grad), np.ascontiguousarray(x)
    C = x.shape[1]
    grad_x, grad_weight, grad_bias = empty(x.shape, x.dtype), np.zeros(C, x.dtype), np.zeros(C, x.dtype)
    if x.size:
        factors = _channels(x.dtype, C, weight, bias)
        plain, found = _plain(grad), (_plain(grad_x), grad_weight, grad_bias)
        given_arrays = *_doubles(mean, inv_std), *factors
        _launch(
            _grad_all, _most(plain), plain, _plain(x), *given_arrays, given, sums or not given, _floor(x, relu), *found
        )
    return grad_x, grad_weight, grad_bias


def _floor(x: Array, relu: bool) -> Any:
    """What no output is below; with None a kernel is compiled without a word of it."""
    return x.dtype.type(0) if relu else None


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


def _launch(parallel, most, x, *args) -> None:
    parallel(max(1, min(most, x.size // TASK)), x, *args)


@inner_kernel
def _batch_norm(task, tasks, x, weight, bias, eps, floor, mean, variance, out):
    C = x.shape[1]
    first, end = C * task // tasks, C * (task + 1) // tasks
    _stats(first, x, mean[first:end], variance[first:end])
    inv_std = np.empty(end - first)
    for c in range(end - first):
        inv_std[c] = 1.0 / np.sqrt(variance[first + c] + eps)
    _map(first, x, mean[first:end], inv_std, weight[first:end], bias[first:end], floor, out)


_batch_norm_all = parallel_kernel(_batch_norm, counted=True)


@inner_kernel
def _apply(task, tasks, x, mean, inv_std, weight, bias, floor, out):
    """Nothing is summed here, so a task has what lies together: neighbouring rows of the channels of all samples."""
    N, C = x.shape[0], x.shape[1]
    if x.ndim == 2:
        first, end = N * task // tasks, N * (task + 1) // tasks
        _map(0, x[first:end], mean, inv_std, weight, bias, floor, out[first:end])
    else:
        for row in range(N * C * task // tasks, N * C * (task + 1) // tasks):
            n, c = row // C, row % C
            start, scale = x.dtype.type(mean[c]), x.dtype.type(inv_std[c] * np.float64(weight[c]))
            shift = _shift(start, mean[c], inv_std[c], weight[c], bias[c])
            for i in range(x.shape[2]):
                out[n, c, i] = _above(floor, (x[n, c, i] - start) * scale + shift)


_apply_all = parallel_kernel(_apply, counted=True)


@exact_inner_kernel
def _above(floor, value):
    """The larger of the two; NaN stays, and 0 has no sign."""
    if floor is None:
        return value
    return floor if value <= floor else value


@exact_inner_kernel
def _kept(floor, value, slope):
    """The gradient of `_above`."""
    if floor is None:
        return slope
    return like(slope, 0.0) if value <= floor else slope


@kernel
def _factors(mean, inv_std, weight, bias, factors):
    for c in range(mean.size):
        factors[0, c], factors[1, c] = mean[c], inv_std[c] * np.float64(weight[c])
        factors[2, c] = _shift(factors[0, c], mean[c], inv_std[c], weight[c], bias[c])


@exact_inner_kernel
def _shift(start, mean, inv_std, weight, bias):
    """The bias, and what the dtype leaves of a mean."""
    return type(bias)(np.float64(bias) + (np.float64(start) - mean) * (inv_std * np.float64(weight)))


@inner_kernel
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


@inner_kernel
def _map(first, x, mean, inv_std, weight, bias, floor, out):
    N, count = x.shape[0], mean.size
    origin, scale, shift = np.empty(count, x.dtype), np.empty(count, x.dtype), np.empty(count, x.dtype)
    for c in range(count):
        origin[c] = mean[c]
        scale[c] = inv_std[c] * np.float64(weight[c])
        shift[c] = _shift(origin[c], mean[c], inv_std[c], weight[c], bias[c])
    for n in range(N):
        if x.ndim == 2:
            row, out_row = x[n, first : first + count], out[n, first : first + count]
            for c in range(count):
                out_row[c] = _above(floor, (row[c] - origin[c]) * scale[c] + shift[c])
        else:
            for c in range(count):
                start, factor, more = origin[c], scale[c], shift[c]
                for i in range(x.shape[2]):
                    out[n, first + c, i] = _above(floor, (x[n, first + c, i] - start) * factor + more)


@inner_kernel
def _grad(task, tasks, grad, x, mean, inv_std, weight, bias, given, sums, floor, grad_x, grad_weight, grad_bias):
    """grad_x = scale * (grad - average of grad - normalised x * average of grad * normalised x)."""
    N, C = x.shape[0], x.shape[1]
    first, count = C * task // tasks, C * (task + 1) // tasks - C * task // tasks
    origin, scale, shift = np.empty(count, x.dtype), np.empty(count, x.dtype), np.empty(count, x.dtype)
    total, product = np.zeros(count), np.zeros(count)
    for c in range(count):
        origin[c] = mean[first + c]
        scale[c] = inv_std[first + c] * np.float64(weight[first + c])
        shift[c] = _shift(origin[c], mean[first + c], inv_std[first + c], weight[first + c], bias[first + c])
    for n in range(N):
        if x.ndim == 2:
            row, slope = x[n, first : first + count], grad[n, first : first + count]
            found = grad_x[n, first : first + count]
            if sums:
                for c in range(count):
                    distance = row[c] - origin[c]
                    value = np.float64(_kept(floor, distance * scale[c] + shift[c], slope[c]))
                    total[c] += value
                    product[c] += value * np.float64(distance)
            if given:
                for c in range(count):
                    found[c] = _kept(floor, (row[c] - origin[c]) * scale[c] + shift[c], slope[c]) * scale[c]
        else:
            for c in range(count):
                start, factor, more = origin[c], scale[c], shift[c]
                if sums:
                    row_total, row_product = x.dtype.type(0), x.dtype.type(0)
                    for i in range(x.shape[2]):
                        distance = x[n, first + c, i] - start
                        value = _kept(floor, distance * factor + more, grad[n, first + c, i])
                        row_total += value
                        row_product += value * distance
                    total[c] += np.float64(row_total)
                    product[c] += np.float64(row_product)
                if given:
                    for i in range(x.shape[2]):
                        value = (x[n, first + c, i] - start) * factor + more
                        grad_x[n, first + c, i] = _kept(floor, value, grad[n, first + c, i]) * factor
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
                distance = row[c] - origin[c]
                value = _kept(floor, distance * scale[c] + shift[c], slope[c])
                found[c] = (value - average[c] - distance * bend[c]) * scale[c]
        else:
            for c in range(count):
                start, factor, more, less, per = origin[c], scale[c], shift[c], average[c], bend[c]
                for i in range(x.shape[2]):
                    distance = x[n, first + c, i] - start
                    value = _kept(floor, distance * factor + more, grad[n, first + c, i])
                    grad_x[n, first + c, i] = (value - less - distance * per) * factor


_grad_all = parallel_kernel(_grad, counted=True)
