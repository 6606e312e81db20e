"""Softmax and cross-entropy along the rows of a matrix, each shifted by its maximum and summed in float64."""

import numpy as np
from numba import prange

from trainkit.kernels.exponential import quick_exp
from trainkit.kernels.jit import Array, kernel, parallel_kernel

__all__ = ["cross_entropy", "cross_entropy_grad", "log_softmax", "log_softmax_grad", "softmax", "softmax_grad"]

SERIAL = 1 << 12  # elements below which one thread is quicker than a launch


def cross_entropy(logits: Array, target: Array) -> tuple[Array, Array]:
    """Losses (N,) -log softmax(logits)[n, target[n]], log sum exp (N,) in float64; (N, C) logits.

    A target outside 0..C-1 gives a loss of 0 and, in `cross_entropy_grad`, a gradient of 0: an ignored row.
    """
    logits, target = np.ascontiguousarray(logits), np.ascontiguousarray(target, dtype=np.int64)
    losses, log_sum_exp = np.empty(len(logits), logits.dtype), np.empty(len(logits))
    chunks = _chunks(logits)
    if chunks == 1:
        _cross_entropy(0, 1, logits, target, losses, log_sum_exp)
    else:
        _cross_entropy_all(chunks, logits, target, losses, log_sum_exp)
    return losses, log_sum_exp


def cross_entropy_grad(grad: Array, logits: Array, log_sum_exp: Array, target: Array) -> Array:
    """The gradient (N, C) of the logits from grad (N,) of the losses: grad * (softmax - onehot(target))."""
    logits, target = np.ascontiguousarray(logits), np.ascontiguousarray(target, dtype=np.int64)
    grad, log_sum_exp = np.ascontiguousarray(grad), np.ascontiguousarray(log_sum_exp, dtype=np.float64)
    out = np.empty(logits.shape, logits.dtype)
    chunks = _chunks(logits)
    if chunks == 1:
        _cross_entropy_grad(0, 1, grad, logits, log_sum_exp, target, out)
    else:
        _cross_entropy_grad_all(chunks, grad, logits, log_sum_exp, target, out)
    return out


def log_softmax(x: Array) -> Array:
    """The logarithm of softmax along the last axis of x (N, C): x - log sum exp x."""
    return _rows(x, True)


def softmax(x: Array) -> Array:
    """The softmax along the last axis of x (N, C): exp x / sum exp x."""
    return _rows(x, False)


def _rows(x: Array, log: bool) -> Array:
    x = np.ascontiguousarray(x)
    out = np.empty(x.shape, x.dtype)
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
    grad_x = np.empty(grad.shape, grad.dtype)
    chunks = _chunks(grad)
    if chunks == 1:
        _softmax_grad(0, 1, grad, out, grad_x, log, grad.dtype == np.float32)
    else:
        _softmax_grad_all(chunks, grad, out, grad_x, log, grad.dtype == np.float32)
    return grad_x


def _chunks(x: Array) -> int:
    return max(1, min(len(x), x.size // SERIAL))


@kernel
def _log_sum_exp(row):
    """Its float64 value; minus infinity and NaN come out as themselves."""
    largest = np.float64(row[0]) if row.size else -np.inf
    for value in row:
        if value > largest or value != value:
            largest = np.float64(value)
    if np.isinf(largest):
        return largest
    total = 0.0
    for value in row:
        total += np.exp(np.float64(value) - largest)
    return largest + np.log(total)


@kernel
def _cross_entropy(chunk, chunks, logits, target, losses, log_sum_exp):
    N, C = logits.shape
    for n in range(N * chunk // chunks, N * (chunk + 1) // chunks):
        log_sum_exp[n] = _log_sum_exp(logits[n])
        inside = 0 <= target[n] < C
        losses[n] = log_sum_exp[n] - np.float64(logits[n, target[n]]) if inside else 0.0


@parallel_kernel
def _cross_entropy_all(chunks, logits, target, losses, log_sum_exp):
    for chunk in prange(chunks):
        _cross_entropy(np.int64(chunk), chunks, logits, target, losses, log_sum_exp)


@kernel
def _cross_entropy_grad(chunk, chunks, grad, logits, log_sum_exp, target, out):
    N, C = logits.shape
    for n in range(N * chunk // chunks, N * (chunk + 1) // chunks):
        if not 0 <= target[n] < C:
            out[n] = 0
            continue
        for c in range(C):
            # In float64 until the end: in equal logits p - 1/C would else be a float32's rounding error.
            p = np.exp(np.float64(logits[n, c]) - log_sum_exp[n])
            out[n, c] = np.float64(grad[n]) * (p - 1.0 if c == target[n] else p)


@parallel_kernel
def _cross_entropy_grad_all(chunks, grad, logits, log_sum_exp, target, out):
    for chunk in prange(chunks):
        _cross_entropy_grad(np.int64(chunk), chunks, grad, logits, log_sum_exp, target, out)


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
