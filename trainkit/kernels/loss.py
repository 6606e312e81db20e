"""Softmax and cross-entropy along the rows of a matrix, each shifted by its maximum and summed in float64.

And the cross-entropy of single logits against probabilities.
"""

import numpy as np
from numba import prange

from trainkit.kernels.elementwise import CHUNK
from trainkit.kernels.exponential import quick_exp, quick_log_plus_one
from trainkit.kernels.jit import Array, kernel, parallel_kernel
from trainkit.kernels.memory import empty

__all__ = [
    "cross_entropy",
    "cross_entropy_grad",
    "log_softmax",
    "log_softmax_grad",
    "logistic_loss",
    "logistic_loss_grad",
    "smooth_cross_entropy",
    "smooth_cross_entropy_grad",
    "softmax",
    "softmax_grad",
]

SERIAL = 1 << 12  # elements below which one thread is quicker than a launch


def cross_entropy(logits: Array, target: Array) -> tuple[Array, Array]:
    """Losses (N,) -log softmax(logits)[n, target[n]], log sum exp (N,) in float64; (N, C) logits.

    A target outside 0..C-1 gives a loss of 0 and, in `cross_entropy_grad`, a gradient of 0: an ignored row.
    """
    logits, target = np.ascontiguousarray(logits), np.ascontiguousarray(target, dtype=np.int64)
    losses, log_sum_exp = np.empty(len(logits), logits.dtype), np.empty(len(logits))
    chunks, parts = _chunks(logits), (logits, target, losses, log_sum_exp, logits.dtype == np.float32)
    if chunks == 1:
        _cross_entropy(0, 1, *parts)
    else:
        _cross_entropy_all(chunks, *parts)
    return losses, log_sum_exp


def cross_entropy_grad(grad: Array, logits: Array, log_sum_exp: Array, target: Array) -> Array:
    """The gradient (N, C) of the logits from grad (N,) of the losses: grad * (softmax - onehot(target))."""
    logits, target = np.ascontiguousarray(logits), np.ascontiguousarray(target, dtype=np.int64)
    grad, log_sum_exp = np.ascontiguousarray(grad), np.ascontiguousarray(log_sum_exp, dtype=np.float64)
    out = empty(logits.shape, logits.dtype)
    chunks, parts = _chunks(logits), (grad, logits, log_sum_exp, target, out, logits.dtype == np.float32)
    if chunks == 1:
        _cross_entropy_grad(0, 1, *parts)
    else:
        _cross_entropy_grad_all(chunks, *parts)
    return out


def smooth_cross_entropy(logits: Array, target: Array, weight: Array, smoothing: float) -> tuple[Array, Array]:
    """As `cross_entropy`, against (1 - smoothing) onehot(target) + smoothing / C, each class times its weight (C,)."""
    logits, target = np.ascontiguousarray(logits), np.ascontiguousarray(target, dtype=np.int64)
    weight = np.ascontiguousarray(weight, dtype=np.float64)
    losses, log_sum_exp = np.empty(len(logits), logits.dtype), np.empty(len(logits))
    chunks, quick = _chunks(logits), logits.dtype == np.float32
    parts = (logits, target, weight, float(smoothing), losses, log_sum_exp, quick)
    if chunks == 1:
        _smooth(0, 1, *parts)
    else:
        _smooth_all(chunks, *parts)
    return losses, log_sum_exp


def smooth_cross_entropy_grad(
    grad: Array, logits: Array, log_sum_exp: Array, target: Array, weight: Array, smoothing: float
) -> Array:
    """The gradient (N, C) of the logits of `smooth_cross_entropy` from grad (N,) of the losses."""
    logits, target = np.ascontiguousarray(logits), np.ascontiguousarray(target, dtype=np.int64)
    grad, log_sum_exp = np.ascontiguousarray(grad), np.ascontiguousarray(log_sum_exp, dtype=np.float64)
    weight, out = np.ascontiguousarray(weight, dtype=np.float64), empty(logits.shape, logits.dtype)
    chunks, quick = _chunks(logits), logits.dtype == np.float32
    parts = (grad, logits, log_sum_exp, target, weight, float(smoothing), out, quick)
    if chunks == 1:
        _smooth_grad(0, 1, *parts)
    else:
        _smooth_grad_all(chunks, *parts)
    return out


def logistic_loss(x: Array, target: Array) -> Array:
    """-target log sigmoid(x) - (1 - target) log(1 - sigmoid(x)) of each element, in any shape."""
    x, target = np.ascontiguousarray(x).reshape(x.shape), np.ascontiguousarray(target)
    out = empty(x.shape, x.dtype)
    parts = x.reshape(-1), target.reshape(-1), out.reshape(-1), x.dtype == np.float32
    if x.size <= CHUNK:
        _logistic(0, *parts)
    else:
        _logistic_all(-(-x.size // CHUNK), *parts)
    return out


def logistic_loss_grad(grad: Array, x: Array, target: Array) -> Array:
    """The gradient of `logistic_loss`'s input x: grad * (sigmoid(x) - target)."""
    grad, x, target = np.ascontiguousarray(grad), np.ascontiguousarray(x).reshape(x.shape), np.ascontiguousarray(target)
    out = empty(x.shape, x.dtype)
    parts = grad.reshape(-1), x.reshape(-1), target.reshape(-1), out.reshape(-1), x.dtype == np.float32
    if x.size <= CHUNK:
        _logistic_grad(0, *parts)
    else:
        _logistic_grad_all(-(-x.size // CHUNK), *parts)
    return out


def log_softmax(x: Array) -> Array:
    """The logarithm of softmax along the last axis of x (N, C): x - log sum exp x."""
    return _rows(x, True)


def softmax(x: Array) -> Array:
    """The softmax along the last axis of x (N, C): exp x / sum exp x."""
    return _rows(x, False)


def _rows(x: Array, log: bool) -> Array:
    x = np.ascontiguousarray(x)
    out = empty(x.shape, x.dtype)
    chunks = _chunks(x)
    if chunks == 1:
        _softmax(0, 1, x, out, log, x.dtype == np.float32)
    else:
        _softmax_all(chunks, x, out, log, x.dtype == np.float32)
    return out


def log_softmax_grad(grad: Array, out: Array) -> Array:
    """The gradient (N, C) of `log_softmax`'s input from its output: grad - exp(out) * sum of grad."""
    return _rows_grad(grad, out, True)


def softmax_grad(grad: Array, out: Array) -> Array:
    """The gradient (N, C) of `softmax`'s input from its output: out * (grad - sum of grad * out)."""
    return _rows_grad(grad, out, False)


def _rows_grad(grad: Array, out: Array, log: bool) -> Array:
    grad, out = np.ascontiguousarray(grad), np.ascontiguousarray(out)
    grad_x = empty(grad.shape, grad.dtype)
    chunks = _chunks(grad)
    if chunks == 1:
        _softmax_grad(0, 1, grad, out, grad_x, log, grad.dtype == np.float32)
    else:
        _softmax_grad_all(chunks, grad, out, grad_x, log, grad.dtype == np.float32)
    return grad_x


def _chunks(x: Array) -> int:
    return max(1, min(len(x), x.size // SERIAL))


@kernel
def _log_sum_exp(row, quick):
    """Its float64 value; minus infinity and NaN come out as themselves."""
    largest = -np.inf
    for c in range(row.size):
        largest = row[c] if row[c] > largest else largest
    largest = np.float64(largest)
    if np.isinf(largest):
        for c in range(row.size):
            largest = np.nan if row[c] != row[c] else largest
        return largest
    total = 0.0
    if quick:
        for c in range(row.size):
            total += quick_exp(np.float64(row[c]) - largest)
    else:
        for c in range(row.size):
            total += np.exp(np.float64(row[c]) - largest)
    return largest + np.log(total)


@kernel
def _cross_entropy(chunk, chunks, logits, target, losses, log_sum_exp, quick):
    N, C = logits.shape
    for n in range(N * chunk // chunks, N * (chunk + 1) // chunks):
        log_sum_exp[n] = _log_sum_exp(logits[n], quick)
        inside = 0 <= target[n] < C
        losses[n] = log_sum_exp[n] - np.float64(logits[n, target[n]]) if inside else 0.0


@parallel_kernel
def _cross_entropy_all(chunks, logits, target, losses, log_sum_exp, quick):
    for chunk in prange(chunks):
        _cross_entropy(np.int64(chunk), chunks, logits, target, losses, log_sum_exp, quick)


@kernel
def _cross_entropy_grad(chunk, chunks, grad, logits, log_sum_exp, target, out, quick):
    N, C = logits.shape
    for n in range(N * chunk // chunks, N * (chunk + 1) // chunks):
        if not 0 <= target[n] < C:
            out[n] = 0
            continue
        row, out_row, slope, shift = logits[n], out[n], np.float64(grad[n]), log_sum_exp[n]
        if quick:
            for c in range(row.size):
                out_row[c] = slope * quick_exp(np.float64(row[c]) - shift)
        else:
            for c in range(row.size):
                out_row[c] = slope * np.exp(np.float64(row[c]) - shift)
        # In float64 until the end: in equal logits p - 1/C would else be a float32's rounding error.
        value = np.float64(row[target[n]]) - shift
        p = quick_exp(value) if quick else np.exp(value)
        out_row[target[n]] = slope * (p - 1.0)


@parallel_kernel
def _cross_entropy_grad_all(chunks, grad, logits, log_sum_exp, target, out, quick):
    for chunk in prange(chunks):
        _cross_entropy_grad(np.int64(chunk), chunks, grad, logits, log_sum_exp, target, out, quick)


@kernel
def _smooth(chunk, chunks, logits, target, weight, smoothing, losses, log_sum_exp, quick):
    N, C = logits.shape
    for n in range(N * chunk // chunks, N * (chunk + 1) // chunks):
        row = logits[n]
        shift = log_sum_exp[n] = _log_sum_exp(row, quick)
        if not 0 <= target[n] < C:
            losses[n] = 0
            continue
        total = 0.0
        for c in range(row.size):
            total += weight[c] * (shift - np.float64(row[c]))
        own = weight[target[n]] * (shift - np.float64(row[target[n]]))
        losses[n] = (1.0 - smoothing) * own + smoothing / C * total


@parallel_kernel
def _smooth_all(chunks, logits, target, weight, smoothing, losses, log_sum_exp, quick):
    for chunk in prange(chunks):
        _smooth(np.int64(chunk), chunks, logits, target, weight, smoothing, losses, log_sum_exp, quick)


@kernel
def _smooth_grad(chunk, chunks, grad, logits, log_sum_exp, target, weight, smoothing, out, quick):
    N, C = logits.shape
    share, all_weights = smoothing / C, 0.0
    for c in range(C):
        all_weights += weight[c]
    for n in range(N * chunk // chunks, N * (chunk + 1) // chunks):
        if not 0 <= target[n] < C:
            out[n] = 0
            continue
        row, out_row, slope, shift = logits[n], out[n], np.float64(grad[n]), log_sum_exp[n]
        own = (1.0 - smoothing) * weight[target[n]]
        scale = own + share * all_weights
        if quick:
            for c in range(row.size):
                out_row[c] = slope * (scale * quick_exp(np.float64(row[c]) - shift) - share * weight[c])
        else:
            for c in range(row.size):
                out_row[c] = slope * (scale * np.exp(np.float64(row[c]) - shift) - share * weight[c])
        value = np.float64(row[target[n]]) - shift
        p = quick_exp(value) if quick else np.exp(value)
        out_row[target[n]] = slope * (scale * p - share * weight[target[n]] - own)


@parallel_kernel
def _smooth_grad_all(chunks, grad, logits, log_sum_exp, target, weight, smoothing, out, quick):
    for chunk in prange(chunks):
        _smooth_grad(np.int64(chunk), chunks, grad, logits, log_sum_exp, target, weight, smoothing, out, quick)


@kernel
def _logistic(chunk, x, target, out, quick):
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    x, target, out = x[part], target[part], out[part]
    if quick:
        for i in range(x.size):
            value = np.float64(x[i])
            most = 0.0 if value < 0 else value  # written so that NaN stays
            out[i] = (most - value * np.float64(target[i])) + quick_log_plus_one(quick_exp(-abs(value)))
    else:
        for i in range(x.size):
            value = np.float64(x[i])
            most = 0.0 if value < 0 else value
            out[i] = (most - value * np.float64(target[i])) + np.log1p(np.exp(-abs(value)))


@parallel_kernel
def _logistic_all(chunks, x, target, out, quick):
    for chunk in prange(chunks):
        _logistic(np.int64(chunk), x, target, out, quick)


@kernel
def _logistic_grad(chunk, grad, x, target, out, quick):
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    grad, x, target, out = grad[part], x[part], target[part], out[part]
    if quick:
        for i in range(x.size):
            share = 1.0 / (1.0 + quick_exp(-np.float64(x[i])))
            out[i] = np.float64(grad[i]) * (share - np.float64(target[i]))
    else:
        for i in range(x.size):
            share = 1.0 / (1.0 + np.exp(-np.float64(x[i])))
            out[i] = np.float64(grad[i]) * (share - np.float64(target[i]))


@parallel_kernel
def _logistic_grad_all(chunks, grad, x, target, out, quick):
    for chunk in prange(chunks):
        _logistic_grad(np.int64(chunk), grad, x, target, out, quick)


@kernel
def _softmax(chunk, chunks, x, out, log, quick):
    for n in range(x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks):
        row, out_row = x[n], out[n]
        largest = -np.inf
        for c in range(row.size):
            largest = row[c] if row[c] > largest else largest
        largest = np.float64(largest)
        if np.isinf(largest):
            out_row[:] = np.nan  # what inf - inf is, here and in the sum
            continue
        total = 0.0
        if quick:
            for c in range(row.size):
                total += quick_exp(np.float64(row[c]) - largest)
        else:
            for c in range(row.size):
                out_row[c] = np.exp(np.float64(row[c]) - largest)
                total += out_row[c]
        if log:
            log_total = np.log(total)
            for c in range(row.size):
                out_row[c] = (np.float64(row[c]) - largest) - log_total
        elif quick:
            for c in range(row.size):
                out_row[c] = quick_exp(np.float64(row[c]) - largest) / total
        else:
            for c in range(row.size):
                out_row[c] /= total


@parallel_kernel
def _softmax_all(chunks, x, out, log, quick):
    for chunk in prange(chunks):
        _softmax(np.int64(chunk), chunks, x, out, log, quick)


@kernel
def _softmax_grad(chunk, chunks, grad, out, grad_x, log, quick):
    for n in range(grad.shape[0] * chunk // chunks, grad.shape[0] * (chunk + 1) // chunks):
        given, row, found = grad[n], out[n], grad_x[n]
        total = 0.0
        if not log:
            for c in range(row.size):
                total += np.float64(given[c]) * np.float64(row[c])
            for c in range(row.size):
                found[c] = np.float64(row[c]) * (np.float64(given[c]) - total)
            continue
        for c in range(row.size):
            total += np.float64(given[c])
        if quick:
            for c in range(row.size):
                found[c] = np.float64(given[c]) - quick_exp(np.float64(row[c])) * total
        else:
            for c in range(row.size):
                found[c] = np.float64(given[c]) - np.exp(np.float64(row[c])) * total


@parallel_kernel
def _softmax_grad_all(chunks, grad, out, grad_x, log, quick):
    for chunk in prange(chunks):
        _softmax_grad(np.int64(chunk), chunks, grad, out, grad_x, log, quick)
