"""Normalisation of rows: layer, group, instance and root-mean-square norm are one map and one gradient.

An array is seen as (R, K, L): each of R rows is normalised over its K channels of L elements, then row r takes the
scales and shifts of its group, the channels from (r % groups) * K on. Layer norm has one group and L = 1, instance norm
K = 1. With L = 1 it is passed as (R, K). A row is read from memory once and stays in the cache for the next passes.

Means are float64. What the dtype leaves of one, `rest`, is added where LLVM, which may reorder sums, cannot lose it.
"""

import numpy as np

from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel

__all__ = ["row_norm", "row_norm_grad"]

Form = tuple[int, int, int, int]

TASK = 1 << 14  # elements of a task, at least, if a row has no more
ADDED = 16  # rows whose gradients of scale and shift are added in the dtype, before they are in float64
TASKS = 64  # at most, for each has sums of its own for the gradients of scale and shift


def row_norm(
    x: Array, weight: Array | None, bias: Array | None, form: Form, eps: float, centred: bool
) -> tuple[Array, Array, Array]:
    """The map (x - mean) / sqrt(variance + eps) * weight + bias of the rows of x.

    Args:
        x: of any shape.
        weight: groups * K numbers, or None.
        bias: the same.
        form: (R, groups, K, L): `x` is R groups of rows of K L elements.
        eps: added to the variance.
        centred: if not, the mean is taken as 0 and the variance is the mean of the squares.

    Returns:
        the result; the means and the biased variances of the rows, in float64.
    """
    x = np.ascontiguousarray(x)
    number, groups, K, L = form
    R = number * groups
    out, mean, variance = empty(x.shape, x.dtype), np.zeros(R), np.zeros(R)
    if x.size:
        weight = np.ones(groups * K, x.dtype) if weight is None else _line(weight, x)
        bias = np.zeros(groups * K, x.dtype) if bias is None else _line(bias, x)
        shape, tasks = (R, K) if L == 1 else (R, K, L), _tasks(x, R)
        args = x.reshape(shape), weight, bias, groups, eps, centred, mean, variance, out.reshape(shape)
        _norm_all(tasks, *args)
    return out, mean, variance


def row_norm_grad(
    grad: Array,
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array | None,
    form: Form,
    eps: float,
    centred: bool,
    sums: bool,
) -> tuple[Array, Array, Array]:
    """Gradients of `row_norm`'s input, weight and bias (groups * K,); without `sums` the last two are 0."""
    grad, x = np.ascontiguousarray(grad), np.ascontiguousarray(x)
    number, groups, K, L = form
    R = number * groups
    grad_x, tasks = empty(x.shape, x.dtype), _tasks(x, R)
    parts = np.zeros((tasks, 2, groups * K))
    if x.size:
        weight = np.ones(groups * K, x.dtype) if weight is None else _line(weight, x)
        shape = (R, K) if L == 1 else (R, K, L)
        rows = grad.reshape(shape), x.reshape(shape)
        args = *rows, mean, variance, weight, groups, eps, centred, sums, grad_x.reshape(shape), parts
        _norm_grad_all(tasks, *args)
    grad_weight, grad_bias = (parts[0] if tasks == 1 else parts.sum(0)).astype(x.dtype)
    return grad_x, grad_weight, grad_bias


def _line(weight: Array, x: Array) -> Array:
    return np.ascontiguousarray(weight, dtype=x.dtype).reshape(-1)


def _tasks(x: Array, rows: int) -> int:
    return max(1, min(rows, x.size // TASK, TASKS))


@inner_kernel
def _norm(task, tasks, x, weight, bias, groups, eps, centred, mean, variance, out):
    R, K = x.shape[0], x.shape[1]
    number = x.size // R
    for r in range(R * task // tasks, R * (task + 1) // tasks):
        row, out_row = x[r], out[r]
        # in one pass: sums of the distance from the first element, as in `norm._stats`
        middle, total, squares = 0.0, 0.0, 0.0
        if centred:
            middle = np.float64(row[0] if x.ndim == 2 else row[0, 0])
        if x.ndim == 2:
            for k in range(K):
                distance = np.float64(row[k]) - middle
                total += distance
                squares += distance * distance
        else:
            for k in range(K):
                for i in range(x.shape[2]):
                    distance = np.float64(row[k, i]) - middle
                    total += distance
                    squares += distance * distance
        spread = squares / number
        if centred:
            total /= number
            middle += total
            spread -= total * total
            spread = 0.0 if spread < 0 else spread
        mean[r], variance[r] = middle, spread
        inverse = 1.0 / np.sqrt(variance[r] + eps)
        origin = x.dtype.type(middle)
        rest, factor = (np.float64(origin) - middle) * inverse, x.dtype.type(inverse)
        at = r % groups * K
        scales, shifts = weight[at : at + K], bias[at : at + K]
        if x.ndim == 2:
            more = x.dtype.type(rest)
            for k in range(K):
                out_row[k] = ((row[k] - origin) * factor + more) * scales[k] + shifts[k]
        else:
            for k in range(K):
                scale = x.dtype.type(inverse * np.float64(scales[k]))
                shift = x.dtype.type(np.float64(shifts[k]) + rest * np.float64(scales[k]))
                for i in range(x.shape[2]):
                    out_row[k, i] = (row[k, i] - origin) * scale + shift


_norm_all = parallel_kernel(_norm, counted=True)


@inner_kernel
def _norm_grad(task, tasks, grad, x, mean, variance, weight, groups, eps, centred, sums, grad_x, parts):
    """grad_x = (inner - average of inner - normal * average of inner * normal) / deviation; inner = grad * weight."""
    R, K = x.shape[0], x.shape[1]
    number = x.size // R
    totals, products = np.empty(K), np.empty(K)
    first, last = R * task // tasks, R * (task + 1) // tasks
    some = groups * K if sums and x.ndim == 2 else 0
    along_weight, along_bias = np.zeros(some, x.dtype), np.zeros(some, x.dtype)
    for r in range(first, last):
        row, slope, found = x[r], grad[r], grad_x[r]
        inverse = 1.0 / np.sqrt(variance[r] + eps)
        origin = x.dtype.type(mean[r])
        rest, factor = np.float64(origin) - mean[r], x.dtype.type(inverse)
        at = r % groups * K
        scales = weight[at : at + K]
        if x.ndim == 2:
            total, along = x.dtype.type(0), x.dtype.type(0)
            if sums:
                more = x.dtype.type(rest * inverse)
                row_weight, row_bias = along_weight[at : at + K], along_bias[at : at + K]
                for k in range(K):
                    inner, distance = slope[k] * scales[k], row[k] - origin
                    total += inner
                    along += inner * distance
                    row_weight[k] += slope[k] * (distance * factor + more)
                    row_bias[k] += slope[k]
            else:
                for k in range(K):
                    inner = slope[k] * scales[k]
                    total += inner
                    along += inner * (row[k] - origin)
            average = np.float64(total)
            product = np.float64(along) + rest * average
            if sums and ((r + 1 - first) % (ADDED * groups) == 0 or r + 1 == last):
                all_weight, all_bias = parts[task, 0], parts[task, 1]
                for k in range(some):
                    all_weight[k] += np.float64(along_weight[k])
                    all_bias[k] += np.float64(along_bias[k])
                along_weight[:] = 0
                along_bias[:] = 0
        else:
            for k in range(K):
                total, along = x.dtype.type(0), x.dtype.type(0)
                for i in range(x.shape[2]):
                    total += slope[k, i]
                    along += slope[k, i] * (row[k, i] - origin)
                totals[k] = np.float64(total)
                products[k] = np.float64(along) + rest * totals[k]
            grad_weight, grad_bias = parts[task, 0, at : at + K], parts[task, 1, at : at + K]
            average, product = np.float64(0), np.float64(0)
            for k in range(K):
                average += totals[k] * np.float64(scales[k])
                product += products[k] * np.float64(scales[k])
                if sums:
                    grad_weight[k] += products[k] * inverse
                    grad_bias[k] += totals[k]
        per = product * inverse * inverse / number
        bend = x.dtype.type(per)
        less = x.dtype.type((average / number if centred else 0.0) + rest * per)
        if x.ndim == 2:
            for k in range(K):
                found[k] = (slope[k] * scales[k] - less - (row[k] - origin) * bend) * factor
        else:
            for k in range(K):
                scale = scales[k]
                for i in range(x.shape[2]):
                    found[k, i] = (slope[k, i] * scale - less - (row[k, i] - origin) * bend) * factor


_norm_grad_all = parallel_kernel(_norm_grad, counted=True)
