"""Sums of many numbers, exact to the last digits in every layout.

numpy sums in pairs along the contiguous axis alone; along others float32 loses digits with every element. Here sums are
taken in float64, in fixed chunks, so that they repeat bit for bit whatever the number of threads.
"""

import math
from typing import Any

import numpy as np

from trainkit.kernels.jit import Array, inner_kernel, kernel
from trainkit.kernels.parallel import parallel_kernel

__all__ = ["total"]

FEW = 1 << 10  # elements up to which numpy is quicker in every layout, and its errors are small
CHUNK = 1 << 14  # elements that are summed by one task
SERIAL = 1 << 16  # elements up to which the calling thread does all
WIDTH = 512  # columns that a task sums side by side: as float64 they stay in the first cache
NARROW = 64  # rows shorter than this are summed several at once, as one row

Axes = tuple[int, ...] | None

_add: Any = np.add.reduce


def total(x: Array, axes: Axes = None, keepdims: bool = False) -> Array:
    """The sum over `axes`, or over everything: of floats in their dtype, of integers and booleans in int64.

    float32 is summed in float64, float16 too, unless there are few elements.
    """
    if x.dtype.char in "fd":
        if axes is None and x.size <= SERIAL and x.flags.c_contiguous:
            out = np.asarray(_sum_row(x.ravel()), x.dtype)  # quicker than numpy's from the first element on
            return out.reshape((1,) * x.ndim) if keepdims else out
        if x.ndim == 2 and axes == (0,) and x.shape[0] <= FEW and x.size <= SERIAL and x.flags.c_contiguous:
            out = np.empty(x.shape[1], x.dtype)
            _sum_columns(x, out)  # as of a bias
            return out.reshape(1, -1) if keepdims else out
        if x.size <= FEW:
            return _few(x, axes, keepdims)
        order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
        lying = x.transpose(order)
        if lying.flags.c_contiguous:
            return _in_order(x, lying, order, axes, keepdims)
    elif x.dtype.kind != "f":
        return np.asarray(_add(x, axes, np.int64, keepdims=keepdims))
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(_add(x, axes, np.float64, keepdims=keepdims)).astype(x.dtype)


@np.errstate(over="ignore", invalid="ignore")
def _few(x: Array, axes: Axes, keepdims: bool) -> Array:
    return np.asarray(_add(x, axes, keepdims=keepdims))


def _in_order(x: Array, lying: Array, order: list[int], axes: Axes, keepdims: bool) -> Array:
    """Sum `x`, whose axes in `order` are `lying` one after another in memory."""
    reduced = [axes is None or axis in axes for axis in order]
    # Neighbours that share their fate become one group; then groups that are summed and groups that stay take turns.
    sizes: list[int] = []
    fates: list[bool] = []
    for size, fate in zip(lying.shape, reduced, strict=True):
        if size == 1:
            continue
        if fates and fates[-1] == fate:
            sizes[-1] *= size
        else:
            sizes.append(size)
            fates.append(fate)
    values: Array = lying.reshape(-1)
    while True in fates:
        _, at = max((size, at) for at, (size, fate) in enumerate(zip(sizes, fates, strict=True)) if fate)
        values = _middle(values, math.prod(sizes[:at]), sizes[at], math.prod(sizes[at + 1 :]))
        del sizes[at], fates[at]
    kept = [axis for axis, fate in zip(order, reduced, strict=True) if not fate]
    out = values.reshape([x.shape[axis] for axis in kept])
    if kept != sorted(kept):
        out = out.transpose(np.argsort(kept))
    with np.errstate(over="ignore", invalid="ignore"):
        out = out.astype(x.dtype, order="C")
    if keepdims:
        out = out.reshape([1 if axes is None or i in axes else size for i, size in enumerate(x.shape)])
    return out


def _middle(x: Array, outer: int, n: int, inner: int) -> Array:
    """Sum the middle of (outer, n, inner), given as one row, into a row of float64."""
    width = min(inner, WIDTH)
    rows = max(1, CHUNK // width)  # of a chunk
    chunks = -(-n // rows)
    if inner == 1 and chunks == 1:
        out = np.empty(outer)
        per = max(1, CHUNK // n)
        if x.size <= SERIAL:
            _sum_rows(0, outer, x, n, out)
        else:
            _sum_rows_all(-(-outer // per), per, x, n, out)
        return out
    out = np.empty((outer, chunks, inner))
    items = outer * chunks * -(-inner // width)
    if x.size <= SERIAL:
        _sum_items(0, items, x, n, width, rows, out)
    else:
        per = max(1, CHUNK // (min(rows, n) * width))
        _sum_items_all(-(-items // per), per, x, n, width, rows, out)
    return out.reshape(-1) if chunks == 1 else _add(out, 1).reshape(-1)


@kernel
def _sum_rows(task, per, x, n, out):
    """Sum `per` rows of length n of x for each task."""
    first, last = task * per, min((task + 1) * per, out.size)
    if n >= NARROW:
        for row in range(first, last):
            out[row] = _sum_row(x[row * n : (row + 1) * n])
    else:
        part = x[first * n : last * n]
        at = 0
        for row in range(first, last):
            value = 0.0
            for i in range(n):
                value += np.float64(part[np.uint64(at + i)])  # unsigned: it does not count from the end
            out[row] = value
            at += n


_sum_rows_all = parallel_kernel(_sum_rows)


@kernel
def _sum_items(task, per, x, n, width, rows, out):
    """Sum chunks of `rows` rows and `width` columns of (outer, n, inner): `per` items for each task."""
    outer, chunks, inner = out.shape
    tiles = (inner + width - 1) // width
    side = 1 if width >= NARROW else NARROW // width  # rows that lie side by side in one row of sums
    sums = np.empty(width * side)
    for item in range(task * per, min((task + 1) * per, outer * chunks * tiles)):
        o, chunk, tile = item // (chunks * tiles), item // tiles % chunks, item % tiles
        start, end = chunk * rows, min(n, (chunk + 1) * rows)
        if inner == 1:
            out[o, chunk, 0] = _sum_row(x[o * n + start : o * n + end])
            continue
        left, right = tile * width, min(inner, (tile + 1) * width)
        step = right - left
        sums[:] = 0.0
        if tiles == 1:
            part = x[(o * n + start) * inner : (o * n + end) * inner]
            whole = part.size // (step * side) * (step * side)
            for at in range(0, whole, step * side):
                _add_row(part[at : at + step * side], sums)
            _add_row(part[whole:], sums)
        else:
            for row in range(o * n + start, o * n + end):
                _add_row(x[row * inner + left : row * inner + right], sums)
        for i in range(step):
            value = sums[i]
            for k in range(1, side):
                value += sums[k * step + i]
            out[o, chunk, left + i] = value


_sum_items_all = parallel_kernel(_sum_items)


@kernel
def _sum_columns(x, out):
    """Sum the rows of a small matrix into a row."""
    sums = np.zeros(out.size)
    for row in range(x.shape[0]):
        _add_row(x[row], sums)
    for i in range(out.size):
        out[i] = sums[i]


@kernel
def _sum_row(x):
    value = 0.0
    for i in range(x.size):
        value += np.float64(x[i])
    return value


@inner_kernel
def _add_row(x, sums):
    for i in range(x.size):
        sums[i] += np.float64(x[i])
