"""Softmax and cross-entropy along the rows of a matrix, each shifted by its maximum; sums are float64.

And the cross-entropy of single logits against probabilities.
"""

import numpy as np

from trainkit.kernels.elementwise import flat, over_chunks
from trainkit.kernels.exponential import exp, largest, log_plus_one
from trainkit.kernels.jit import Array, exact_kernel, inner_kernel, kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import get_num_threads, parallel_kernel

__all__ = [
    "are_classes",
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


def are_classes(target: Array, classes: int) -> bool:
    """Tell whether each element of an array of int64 is one of 0 to classes - 1; numpy takes four times as long."""
    return bool(_are_classes(flat(target), classes))


@kernel
def _are_classes(target, classes):
    outside = 0
    for i in range(target.size):
        outside += target[i] < 0 or target[i] >= classes
    return outside == 0


def cross_entropy(logits: Array, target: Array) -> tuple[Array, Array]:
    """Losses (N,) -log softmax(logits)[n, target[n]], log sum exp (N,) in float64; (N, C) logits.

    A target outside 0..C-1 gives a loss of 0 and, in `cross_entropy_grad`, a gradient of 0: an ignored row.
    """
    logits, target = np.ascontiguousarray(logits), np.ascontiguousarray(target, dtype=np.int64)
    losses, log_sum_exp = np.empty(len(logits), logits.dtype), np.empty(len(logits))
    chunks, parts = _chunks(logits), (logits, target, losses, log_sum_exp)
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
    chunks, parts = _chunks(logits), (grad, logits, log_sum_exp, target, out)
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
    chunks = _chunks(logits)
    parts = (logits, target, weight, float(smoothing), losses, log_sum_exp)
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
    chunks = _chunks(logits)
    parts = (grad, logits, log_sum_exp, target, weight, float(smoothing), out)
    if chunks == 1:
        _smooth_grad(0, 1, *parts)
    else:
        _smooth_grad_all(chunks, *parts)
    return out


def logistic_loss(x: Array, target: Array) -> Array:
    """-target log sigmoid(x) - (1 - target) log(1 - sigmoid(x)) of each element, in any shape."""
    x, target = np.ascontiguousarray(x).reshape(x.shape), np.ascontiguousarray(target)
    out = empty(x.shape, x.dtype)
    over_chunks(_logistic, _logistic_all, x.size, x.reshape(-1), target.reshape(-1), out.reshape(-1))
    return out


def logistic_loss_grad(grad: Array, x: Array, target: Array) -> Array:
    """The gradient of `logistic_loss`'s input x: grad * (sigmoid(x) - target)."""
    grad, x, target = np.ascontiguousarray(grad), np.ascontiguousarray(x).reshape(x.shape), np.ascontiguousarray(target)
    out = empty(x.shape, x.dtype)
    parts = x.reshape(-1), target.reshape(-1), grad.reshape(-1), out.reshape(-1)
    over_chunks(_logistic_grad, _logistic_grad_all, x.size, *parts)
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
        _softmax(0, 1, x, out, log)
    else:
        _softmax_all(chunks, x, out, log)
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
        _softmax_grad(0, 1, grad, out, grad_x, log)
    else:
        _softmax_grad_all(chunks, grad, out, grad_x, log)
    return grad_x


def _chunks(x: Array) -> int:
    return 1 if get_num_threads() == 1 else max(1, min(len(x), x.size // SERIAL))


@inner_kernel
def _log_sum_exp(row):
    """Its float64 value; minus infinity and NaN come out as themselves."""
    most = largest(row)
    if np.isinf(most):
        for c in range(row.size):
            most = row[c] if row[c] != row[c] else most
        return np.float64(most)
    total = 0.0
    for c in range(row.size):
        total += np.float64(exp(row[c] - most))
    return np.float64(most) + np.log(total)


@kernel
def _cross_entropy(chunk, chunks, logits, target, losses, log_sum_exp):
    N, C = logits.shape
    for n in range(N * chunk // chunks, N * (chunk + 1) // chunks):
        log_sum_exp[n] = _log_sum_exp(logits[n])
        inside = 0 <= target[n] < C
        losses[n] = log_sum_exp[n] - np.float64(logits[n, target[n]]) if inside else 0.0


_cross_entropy_all = parallel_kernel(_cross_entropy, counted=True)


@exact_kernel
def _cross_entropy_grad(chunk, chunks, grad, logits, log_sum_exp, target, out):
    N, C = logits.shape
    for n in range(N * chunk // chunks, N * (chunk + 1) // chunks):
        if not 0 <= target[n] < C:
            out[n] = 0
            continue
        row, out_row, slope, shift = logits[n], out[n], grad[n], logits.dtype.type(log_sum_exp[n])
        rest = logits.dtype.type(log_sum_exp[n] - shift)  # what the dtype leaves of the shift
        for c in range(row.size):
            out_row[c] = slope * exp((row[c] - shift) - rest)
        out_row[target[n]] = np.float64(slope) * (exp(np.float64(row[target[n]]) - log_sum_exp[n]) - 1.0)


_cross_entropy_grad_all = parallel_kernel(_cross_entropy_grad, counted=True)


@kernel
def _smooth(chunk, chunks, logits, target, weight, smoothing, losses, log_sum_exp):
    N, C = logits.shape
    for n in range(N * chunk // chunks, N * (chunk + 1) // chunks):
        row = logits[n]
        shift = log_sum_exp[n] = _log_sum_exp(row)
        if not 0 <= target[n] < C:
            losses[n] = 0
            continue
        total = 0.0
        for c in range(row.size):
            total += weight[c] * (shift - np.float64(row[c]))
        own = weight[target[n]] * (shift - np.float64(row[target[n]]))
        losses[n] = (1.0 - smoothing) * own + smoothing / C * total


_smooth_all = parallel_kernel(_smooth, counted=True)


@kernel
def _smooth_grad(chunk, chunks, grad, logits, log_sum_exp, target, weight, smoothing, out):
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
        # In float64 until the end: in equal logits the difference would else be a float32's rounding error.
        for c in range(row.size):
            out_row[c] = slope * (scale * exp(np.float64(row[c]) - shift) - share * weight[c])
        p = exp(np.float64(row[target[n]]) - shift)
        out_row[target[n]] = slope * (scale * p - share * weight[target[n]] - own)


_smooth_grad_all = parallel_kernel(_smooth_grad, counted=True)


@exact_kernel
def _logistic(chunk, count, x, target, out):
    zero, first = x.dtype.type(0), chunk * count
    x, target, out = x[first : first + count], target[first : first + count], out[first : first + count]
    for i in range(x.size):
        most = zero if x[i] < zero else x[i]  # written so that NaN stays
        out[i] = (most - x[i] * target[i]) + log_plus_one(exp(-abs(x[i])))


_logistic_all = parallel_kernel(_logistic)


@exact_kernel
def _logistic_grad(chunk, count, x, target, grad, out):
    first = chunk * count
    x, target = x[first : first + count], target[first : first + count]
    grad, out = grad[first : first + count], out[first : first + count]
    for i in range(x.size):
        # in float64: of a difference of numbers that are near each other a float32 leaves few digits
        share = 1.0 / (1.0 + exp(-np.float64(x[i])))
        out[i] = np.float64(grad[i]) * (share - np.float64(target[i]))


_logistic_grad_all = parallel_kernel(_logistic_grad)


@kernel
def _softmax(chunk, chunks, x, out, log):
    for n in range(x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks):
        row, out_row = x[n], out[n]
        most = largest(row)
        if np.isinf(most):
            out_row[:] = np.nan  # what inf - inf is, here and in the sum
            continue
        total = 0.0
        if log:
            for c in range(row.size):
                total += np.float64(exp(row[c] - most))
            log_total = x.dtype.type(np.log(total))
            for c in range(row.size):
                out_row[c] = (row[c] - most) - log_total
        else:
            for c in range(row.size):
                out_row[c] = exp(row[c] - most)
            # A loop of its own: one that also writes is a vector's or not by where arrays lie, and so is its sum.
            for c in range(row.size):
                total += np.float64(out_row[c])
            scale = x.dtype.type(1.0 / total)
            for c in range(row.size):
                out_row[c] *= scale


_softmax_all = parallel_kernel(_softmax, counted=True)


@kernel
def _softmax_grad(chunk, chunks, grad, out, grad_x, log):
    for n in range(grad.shape[0] * chunk // chunks, grad.shape[0] * (chunk + 1) // chunks):
        given, row, found = grad[n], out[n], grad_x[n]
        total = 0.0
        if log:
            for c in range(row.size):
                total += np.float64(given[c])
            less = grad.dtype.type(total)
            for c in range(row.size):
                found[c] = given[c] - exp(row[c]) * less
        else:
            for c in range(row.size):
                total += np.float64(given[c]) * np.float64(row[c])
            less = grad.dtype.type(total)
            for c in range(row.size):
                found[c] = row[c] * (given[c] - less)


_softmax_grad_all = parallel_kernel(_softmax_grad, counted=True)
