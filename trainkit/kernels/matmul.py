"""Products of two matrices as register tiles, on the kernels' own threads: no BLAS, so no second thread pool.

Where the right matrix runs along its columns in memory, a panel of columns is packed once and met by all rows
(`outer`). Where it is given transposed, both run along the shared dimension and nothing is packed (`inner`).
"""

import functools
import math

import numpy as np
from numba import prange

from trainkit.kernels.jit import Array, kernel, parallel_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.simd import COLUMNS, ROWS, VECTOR_BYTES, inner, outer, store, sums, zero_tile

__all__ = ["linear", "matmul", "matmul_nt", "matmul_tn"]

DEPTH = 512  # of a packed panel: DEPTH * COLUMNS * VECTOR_BYTES bytes stay in the second-level cache
STRETCH = 2048  # of a dot product that one task adds up: fixed, so that the order of additions is
CHUNK = 1 << 17  # multiply-adds of small matrices that one task takes
CACHED = 1 << 15  # elements over which a panel is read where it lies
UNPACKED = 2  # blocks of rows for which copying a panel first costs more than it saves
SERIAL = 1 << 20  # multiply-adds below which handing out work costs more than it saves
_FRONT = np.zeros(1, np.int64)


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """The product (M, O) of x (M, K) and weight (O, K) transposed, plus bias (O,) or None."""
    return _dot_rows(x, weight, bias)


def matmul_nt(a: Array, b: Array) -> Array:
    """The product (M, N) of a (M, K) and b (N, K) transposed."""
    return _dot_rows(a, b, None)


def matmul_tn(a: Array, b: Array) -> Array:
    """The product (M, N) of a (K, M) transposed and b (K, N)."""
    return matmul(a.T, b)


def matmul(a: Array, b: Array) -> Array:
    """The products (..., M, N) of a (..., M, K) and b (..., K, N); stacks broadcast, any strides are read as they lie.

    Raises:
        ValueError: the stacks do not broadcast.
    """
    M, K = a.shape[-2:]
    N = b.shape[-1]
    stack: tuple[int, ...] = ()
    items = 1
    if a.ndim > 2 or b.ndim > 2:
        stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        items = math.prod(stack)
    work = M * N * K * items
    if not work:
        return np.zeros((*stack, M, N), a.dtype)
    out = empty((items, M, N), a.dtype)
    left, (*left_steps, row, depth) = _memory(a)
    right, (*right_steps, line, column) = _memory(b)
    if stack:
        left_starts = _starts(stack, a.shape[:-2], tuple(left_steps))
        right_starts = _starts(stack, b.shape[:-2], tuple(right_steps))
    else:
        left_starts = right_starts = _FRONT
    panels, blocks = -(-N // (COLUMNS * VECTOR_BYTES // out.itemsize)), -(-M // ROWS)
    groups = min(blocks, max(1, 8 // (panels * items)))
    chunk = max(1, min(items // 16, CHUNK * items // work))
    run, tasks = (_panels_serial, panels) if work <= SERIAL else (_panels_all, panels * groups)
    if work <= SERIAL:
        chunk, groups = items, 1
    tasks *= -(-items // chunk)
    run(tasks, chunk, panels, groups, K, left, left_starts, row, depth, right, right_starts, line, column, out)
    return out.reshape(*stack, M, N) if stack else out[0]


def _memory(x: Array) -> tuple[Array, list[int]]:
    """The memory of an array as one dimension, and the array's strides in elements; copied where it cannot be read."""
    size = x.itemsize
    flags = x.flags
    if flags.c_contiguous and flags.writeable:
        return x.reshape(-1), [step // size for step in x.strides]
    if x.ndim == 2 and flags.f_contiguous and flags.writeable:
        return x.T.reshape(-1), [step // size for step in x.strides]
    # What was expanded lies in memory once.
    expanded = [step == 0 for step in x.strides]
    once = x[tuple([slice(0, 1) if many else slice(None) for many in expanded])]
    if not flags.writeable or any(step < 0 or step % size for step in once.strides):
        once = np.array(once, order="C")  # one kernel less: numba compiles one more for arrays that are read only
    strides = once.strides
    steps = [0 if many else step // size for many, step in zip(expanded, strides, strict=True)]
    dense = once.transpose(sorted(range(x.ndim), key=lambda i: -strides[i]))
    if dense.flags.c_contiguous:
        return dense.reshape(-1), steps
    extent = 1 + sum([(length - 1) * step for length, step in zip(once.shape, steps, strict=True)])
    return np.lib.stride_tricks.as_strided(once, (extent,), (size,)), steps


@functools.lru_cache(maxsize=32)
def _starts(stack: tuple[int, ...], own: tuple[int, ...], steps: tuple[int, ...]) -> Array:
    """Where in memory each matrix of the broadcast stack begins."""
    starts = np.zeros(1, np.int64)
    missing = len(stack) - len(own)
    for i, size in enumerate(stack):
        step = steps[i - missing] if i >= missing and own[i - missing] == size else 0
        starts = np.add.outer(starts, np.arange(size) * step).reshape(-1)
    return starts


@parallel_kernel
def _panels_all(tasks, chunk, panels, groups, K, a, a_starts, a_row, a_depth, b, b_starts, b_depth, b_column, out):
    for task in prange(tasks):
        _panels(
            np.int64(task), chunk, panels, groups, K, a, a_starts, a_row, a_depth, b, b_starts, b_depth, b_column, out
        )


@kernel
def _panels_serial(tasks, chunk, panels, groups, K, a, a_starts, a_row, a_depth, b, b_starts, b_depth, b_column, out):
    for task in range(tasks):
        _panels(
            np.int64(task), chunk, panels, groups, K, a, a_starts, a_row, a_depth, b, b_starts, b_depth, b_column, out
        )


@kernel
def _panels(task, chunk, panels, groups, K, a, a_starts, a_row, a_depth, b, b_starts, b_depth, b_column, out):
    """Computes one group of rows of one panel of columns, for each matrix of one chunk of the stack."""
    items, M, N = out.shape
    width = COLUMNS * VECTOR_BYTES // out.itemsize
    first, part = task // (panels * groups) * chunk, task % (panels * groups)
    start = part // groups * width
    blocks = (M + ROWS - 1) // ROWS
    first_block = blocks * (part % groups) // groups
    end_block = blocks * (part % groups + 1) // groups
    flat = out.reshape(out.size)
    if M == 1:
        for item in range(first, min(first + chunk, items)):
            line = out[item, 0, start : start + width]
            _row(a, a_starts[item], a_depth, b, b_starts[item] + start * b_column, b_depth, b_column, K, line)
        return
    panel = np.empty(min(K, DEPTH) * width, b.dtype)
    rest = np.zeros(min(K, DEPTH) * ROWS, b.dtype)  # rows of the last, incomplete block
    found = np.empty(ROWS * width, b.dtype)
    for item in range(first, min(first + chunk, items)):
        for k0 in range(0, K, DEPTH):
            _panel(
                a, a_starts[item] + k0 * a_depth, a_row, a_depth,
                b, b_starts[item] + k0 * b_depth + start * b_column, b_depth, b_column,
                flat, item * M * N + start, M, N, start, first_block, end_block, k0, min(DEPTH, K - k0),
                panel, rest, found,
            )  # fmt: skip


@kernel
def _row(a, a_start, a_depth, b, b_start, b_depth, b_column, K, out):
    """One row times a matrix."""
    if b_column == 1:
        out[:] = 0
        for k in range(K):
            factor, line = a[a_start + k * a_depth], b[b_start + k * b_depth :]
            for j in range(out.size):
                out[j] += factor * line[j]
    else:
        for j in range(out.size):
            line, total = b[b_start + j * b_column :], out.dtype.type(0)
            if a_depth == 1 and b_depth == 1:
                left = a[a_start:]
                for k in range(K):
                    total += left[k] * line[k]
            else:
                for k in range(K):
                    total += a[a_start + k * a_depth] * line[k * b_depth]
            out[j] = total


@kernel
def _panel(
    a, a_start, a_row, a_depth, b, b_start, b_depth, b_column,
    out, out_start, M, N, start, first, end, k0, depth, panel, rest, found,
):  # fmt: skip
    """Adds the products of one stretch of the shared dimension to the rows of a panel of columns."""
    lanes = VECTOR_BYTES // out.itemsize
    width = COLUMNS * lanes
    columns = min(width, N - start)
    whole = columns in (width, lanes)
    right, right_start, right_step = panel, 0, width
    if b_column == 1 and whole and (end - first <= UNPACKED or b_depth * depth <= CACHED):
        right, right_start, right_step = b, b_start, b_depth
    elif b_column == 1:
        for k in range(depth):
            line, source = panel[k * width : (k + 1) * width], b[b_start + k * b_depth :]
            for j in range(columns):
                line[j] = source[j]
            line[columns:] = 0
    else:
        for j in range(columns):
            source = b[b_start + j * b_column :]
            for k in range(depth):
                panel[k * width + j] = source[k * b_depth]
        for k in range(depth):
            panel[k * width + columns : (k + 1) * width] = 0
    for block in range(first, end):
        rows = min(ROWS, M - block * ROWS)
        left, left_row, left_step = a, a_row, a_depth
        left_start = a_start + block * ROWS * a_row
        if rows < ROWS:
            for k in range(depth):
                for r in range(rows):
                    rest[k * ROWS + r] = a[left_start + r * a_row + k * a_depth]
            left, left_row, left_step, left_start = rest, 1, ROWS, 0
        target, target_start, target_row = found, 0, width
        at = out_start + block * ROWS * N
        direct = whole and rows == ROWS and k0 == 0
        if direct:
            target, target_start, target_row = out, at, N
        if columns > lanes:
            tile = zero_tile(panel, COLUMNS)
            for k in range(depth):
                tile = outer(tile, left, left_start + k * left_step, left_row, right, right_start + k * right_step)
            store(tile, target, target_start, target_row)
        else:
            thin = zero_tile(panel, 1)
            for k in range(depth):
                thin = outer(thin, left, left_start + k * left_step, left_row, right, right_start + k * right_step)
            store(thin, target, target_start, target_row)
        if not direct:
            for r in range(rows):
                line, goal = found[r * width :], out[at + r * N :]
                if k0 == 0:
                    for j in range(columns):
                        goal[j] = line[j]
                else:
                    for j in range(columns):
                        goal[j] += line[j]


def _dot_rows(a: Array, b: Array, bias: Array | None) -> Array:
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    (M, K), N = a.shape, b.shape[0]
    if bias is None:
        bias = np.zeros(N, a.dtype)
    out = empty((M, N), a.dtype)
    if not out.size:
        return out
    stretches = max(1, -(-K // STRETCH))
    partial = out.reshape(1, M, N) if stretches == 1 else empty((stretches, M, N), a.dtype)
    shift = np.ascontiguousarray(bias)
    groups = max(1, min(-(-N // COLUMNS), 16 // stretches))
    if M * N * K <= SERIAL:
        _dots_serial(stretches, 1, a, b, shift, partial)
    else:
        _dots_all(stretches * groups, groups, a, b, shift, partial)
    if stretches > 1:
        np.add.reduce(partial, axis=0, out=out)
    return out


@parallel_kernel
def _dots_all(tasks, groups, a, b, bias, partial):
    for task in prange(tasks):
        _dots(np.int64(task), groups, a, b, bias, partial)


@kernel
def _dots_serial(tasks, groups, a, b, bias, partial):
    for task in range(tasks):
        _dots(np.int64(task), groups, a, b, bias, partial)


@kernel
def _dots(task, groups, a, b, bias, partial):
    """Computes one group of columns over one stretch of the shared dimension."""
    stretches, M, N = partial.shape
    K = a.shape[1]
    stretch, group = task // groups, task % groups
    lanes = VECTOR_BYTES // a.itemsize
    k0 = K * stretch // stretches
    k1 = K * (stretch + 1) // stretches
    whole = k0 + (k1 - k0) // lanes * lanes
    blocks = (N + COLUMNS - 1) // COLUMNS
    first = blocks * group // groups
    end = blocks * (group + 1) // groups
    found = np.empty(ROWS * COLUMNS, a.dtype)
    left_tail = np.zeros(ROWS * lanes, a.dtype)  # what is left of the rows behind the last whole vector
    right_tail = np.zeros(COLUMNS * lanes, a.dtype)
    rest = np.zeros(ROWS * (k1 - k0 + lanes), a.dtype)
    flat_a, flat_b = a.reshape(a.size), b.reshape(b.size)
    for i in range(0, M, ROWS):
        rows = min(ROWS, M - i)
        left, left_start, left_row = flat_a, i * K + k0, K
        if rows < ROWS:
            for r in range(rows):
                for k in range(k1 - k0):
                    rest[r * (k1 - k0) + k] = a[i + r, k0 + k]
            left, left_start, left_row = rest, 0, k1 - k0
        for r in range(rows):
            for k in range(k1 - whole):
                left_tail[r * lanes + k] = a[i + r, whole + k]
        for block in range(first, end):
            j = block * COLUMNS
            columns = min(COLUMNS, N - j)
            b0 = j * K + k0
            b1 = b0 + (K if columns > 1 else 0)
            b2 = b1 + (K if columns > 2 else 0)
            tile = zero_tile(a, COLUMNS)
            for k in range(0, whole - k0, lanes):
                tile = inner(tile, left, left_start + k, left_row, flat_b, b0 + k, b1 + k, b2 + k)
            if whole < k1:
                for c in range(columns):
                    for k in range(k1 - whole):
                        right_tail[c * lanes + k] = b[j + c, whole + k]
                tile = inner(tile, left_tail, 0, lanes, right_tail, 0, lanes, 2 * lanes)
            sums(tile, found, 0)
            for r in range(rows):
                for c in range(columns):
                    shift = bias[j + c] if stretch == 0 else bias.dtype.type(0)
                    partial[stretch, i + r, j + c] = found[r * COLUMNS + c] + shift
