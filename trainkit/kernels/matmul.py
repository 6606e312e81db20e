"""Products of two matrices as register tiles, on the kernels' own threads: no BLAS, so no second thread pool.

Where the right matrix runs along its columns in memory, a panel of columns is packed once and met by all rows
(`outer`). Where it is given transposed, both run along the shared dimension and nothing is packed (`inner`).
"""

import numpy as np
from numba import prange

from trainkit.kernels.jit import Array, kernel, parallel_kernel
from trainkit.kernels.simd import COLUMNS, ROWS, VECTOR_BYTES, inner, outer, store, sums, zero_tile

__all__ = ["linear", "matmul", "matmul_nt", "matmul_tn"]

DEPTH = 512  # of a packed panel: DEPTH * COLUMNS * VECTOR_BYTES bytes stay in the second-level cache
STRETCH = 2048  # of a dot product that one task adds up: fixed, so that the order of additions is
SERIAL = 1 << 20  # multiply-adds below which handing out work costs more than it saves


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """The product (M, O) of x (M, K) and weight (O, K) transposed, plus bias (O,) or None."""
    return _dot_rows(x, weight, bias)


def matmul_nt(a: Array, b: Array) -> Array:
    """The product (M, N) of a (M, K) and b (N, K) transposed."""
    return _dot_rows(a, b, None)


def matmul(a: Array, b: Array) -> Array:
    """The product (M, N) of a (M, K) and b (K, N)."""
    a = np.ascontiguousarray(a)
    return _panels(a.reshape(-1), a.shape[0], a.shape[1], 1, b)


def matmul_tn(a: Array, b: Array) -> Array:
    """The product (M, N) of a (K, M) transposed and b (K, N)."""
    a = np.ascontiguousarray(a)
    return _panels(a.reshape(-1), a.shape[1], 1, a.shape[1], b)


def _panels(a: Array, M: int, row_stride: int, depth_stride: int, b: Array) -> Array:
    b = np.ascontiguousarray(b)
    K, N = b.shape
    out = np.empty((M, N), b.dtype)
    if not K:
        out.fill(0)
    if not out.size or not K:
        return out
    width = COLUMNS * VECTOR_BYTES // b.itemsize
    panels, blocks = -(-N // width), -(-M // ROWS)
    groups = min(blocks, max(1, 8 // panels))
    if M * N * K <= SERIAL:
        _panels_serial(panels, 1, a, row_stride, depth_stride, b.reshape(-1), out)
    else:
        _panels_all(panels * groups, groups, a, row_stride, depth_stride, b.reshape(-1), out)
    return out


@parallel_kernel
def _panels_all(tasks, groups, a, row_stride, depth_stride, b, out):
    for task in prange(tasks):
        _panel(np.int64(task), groups, a, row_stride, depth_stride, b, out)


@kernel
def _panels_serial(tasks, groups, a, row_stride, depth_stride, b, out):
    for task in range(tasks):
        _panel(np.int64(task), groups, a, row_stride, depth_stride, b, out)


@kernel
def _panel(task, groups, a, row_stride, depth_stride, b, out):
    """Computes one group of rows of one panel of columns."""
    M, N = out.shape
    K = b.size // N
    lanes = VECTOR_BYTES // out.itemsize
    width = COLUMNS * lanes
    start = task // groups * width
    columns = min(width, N - start)
    blocks = (M + ROWS - 1) // ROWS
    first = blocks * (task % groups) // groups
    end = blocks * (task % groups + 1) // groups
    panel = np.empty(min(K, DEPTH) * width, b.dtype)
    rest = np.zeros(min(K, DEPTH) * ROWS, b.dtype)  # rows of the last, incomplete block
    found = np.empty(ROWS * width, b.dtype)
    for k0 in range(0, K, DEPTH):
        depth = min(DEPTH, K - k0)
        for k in range(depth):
            line = panel[k * width : (k + 1) * width]
            origin = b[(k0 + k) * N + start :]
            for j in range(columns):
                line[j] = origin[j]
            line[columns:] = 0
        for block in range(first, end):
            rows = min(ROWS, M - block * ROWS)
            left, left_row, left_step = a, row_stride, depth_stride
            left_start = block * ROWS * row_stride + k0 * depth_stride
            if rows < ROWS:
                for k in range(depth):
                    for r in range(rows):
                        rest[k * ROWS + r] = a[left_start + r * row_stride + k * depth_stride]
                left, left_row, left_step, left_start = rest, 1, ROWS, 0
            if columns > lanes:
                tile = zero_tile(panel, COLUMNS)
                for k in range(depth):
                    tile = outer(tile, left, left_start + k * left_step, left_row, panel, k * width)
                store(tile, found, 0, width)
            else:
                narrow = zero_tile(panel, 1)
                for k in range(depth):
                    narrow = outer(narrow, left, left_start + k * left_step, left_row, panel, k * width)
                store(narrow, found, 0, width)
            for r in range(rows):
                line, target = found[r * width :], out[block * ROWS + r, start:]
                if k0 == 0:
                    for j in range(columns):
                        target[j] = line[j]
                else:
                    for j in range(columns):
                        target[j] += line[j]


def _dot_rows(a: Array, b: Array, bias: Array | None) -> Array:
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    (M, K), N = a.shape, b.shape[0]
    if bias is None:
        bias = np.zeros(N, a.dtype)
    out = np.empty((M, N), a.dtype)
    if not out.size:
        return out
    stretches = max(1, -(-K // STRETCH))
    partial = out.reshape(1, M, N) if stretches == 1 else np.empty((stretches, M, N), a.dtype)
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
