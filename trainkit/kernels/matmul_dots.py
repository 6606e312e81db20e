"""Matrix products by dot products, where both matrices run along the shared dimension in memory: nothing is packed.

A tile is of columns by rows, not of rows by columns: its eight lines of the right matrix stay in the first cache while
all rows pass.
"""

import numpy as np

from trainkit.kernels.jit import Array, kernel, ready_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import get_num_threads, parallel_kernel
from trainkit.kernels.simd import (
    COLUMNS,
    ROWS,
    VECTOR_BYTES,
    copy,
    inner,
    sums,
    sums_turned,
    zero_row,
    zero_tile,
)

__all__ = ["dot_rows"]

STRETCH = 2048  # of a dot product that one task adds up: fixed, so that the order of additions is
SERIAL = 1 << 20  # multiply-adds below which handing out work costs more than it saves
TASKS = 16  # that a launch should have, if it can


def dot_rows(a: Array, b: Array, bias: Array | None) -> Array:
    """The product of few rows a (M, K) and b (N, K) transposed, plus bias."""
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    (M, K), N = a.shape, b.shape[0]
    out = empty((M, N), a.dtype)
    if not M * N * K:
        out[...] = 0 if bias is None else bias
        return out
    stretches = -(-K // STRETCH)
    partial = out.reshape(1, M, N) if stretches == 1 else empty((stretches, M, N), a.dtype)
    shift = np.empty(0, a.dtype) if bias is None else np.ascontiguousarray(bias)
    groups = max(1, min(-(-N // ROWS), TASKS // stretches))
    if M * N * K <= SERIAL or get_num_threads() == 1:
        _dots(0, stretches, 1, a, b, shift, partial)
    else:
        _dots_all(stretches * groups, 1, groups, a, b, shift, partial)
    if stretches > 1:
        np.add.reduce(partial, axis=0, out=out)
    return out


@kernel
def _dots(task, count, groups, a, b, bias, partial):
    """Does `count` groups of columns, each over one stretch of the shared dimension."""
    for part in range(task * count, (task + 1) * count):
        _dot_group(part, groups, a, b, bias, partial)


_dots_all = parallel_kernel(_dots)


@ready_kernel
def _dot_group(task, groups, a, b, bias, partial):
    stretches, M, N = partial.shape
    K = a.shape[1]
    stretch, group = task // groups, task % groups
    lanes = VECTOR_BYTES // a.itemsize
    k0 = K * stretch // stretches
    k1 = K * (stretch + 1) // stretches
    whole = (k1 - k0) // lanes * lanes
    behind = k1 - k0 - whole  # what is left of a line behind the last whole vector
    blocks = (N + ROWS - 1) // ROWS
    flat_a, flat_b, out = a.reshape(a.size), b.reshape(b.size), partial.reshape(partial.size)
    a_tails = np.zeros(M * lanes, a.dtype)
    b_tails = np.zeros(ROWS * lanes, a.dtype)
    for i in range(M if behind else 0):
        copy(a_tails, i * lanes, flat_a, i * K + k0 + whole, behind)
    found = np.empty(ROWS * COLUMNS, a.dtype)
    shift = np.zeros(ROWS, a.dtype)
    few = np.zeros(ROWS * whole if N % ROWS else 0, a.dtype)  # the last columns, and zeros
    for block in range(blocks * group // groups, blocks * (group + 1) // groups):
        j = block * ROWS
        columns = min(ROWS, N - j)
        if bias.size and stretch == 0:
            copy(shift, 0, bias, j, columns)
        for c in range(columns if behind else 0):
            copy(b_tails, c * lanes, flat_b, (j + c) * K + k0 + whole, behind)
        if M == 1:
            _dot_row(flat_a, flat_b, k0, whole, K, j, columns, a_tails, b_tails, shift, out, stretch * N + j)
            continue
        right, right_start, right_step = flat_b, j * K + k0, K
        if columns < ROWS:
            for c in range(columns):
                copy(few, c * whole, flat_b, (j + c) * K + k0, whole)
            right, right_start, right_step = few, 0, whole
        for i in range(0, M, COLUMNS):
            rows = min(COLUMNS, M - i)
            second, third = min(i + 1, M - 1), min(i + 2, M - 1)
            a0, a1, a2 = i * K + k0, second * K + k0, third * K + k0
            tile = zero_tile(a, COLUMNS)
            for k in range(0, whole, lanes):
                tile = inner(tile, right, right_start + k, right_step, flat_a, a0 + k, a1 + k, a2 + k)
            if behind:
                tile = inner(tile, b_tails, 0, lanes, a_tails, i * lanes, second * lanes, third * lanes)
            at = (stretch * M + i) * N + j
            if rows == COLUMNS and columns == ROWS:
                sums_turned(tile, out, at, N, shift, 0)
            else:
                sums_turned(tile, found, 0, ROWS, shift, 0)
                for r in range(rows):
                    copy(out, at + r * N, found, r * ROWS, columns)


@ready_kernel
def _dot_row(a, b, k0, whole, K, j, columns, a_tail, b_tails, shift, out, at):
    """One row times a block of columns."""
    lanes = VECTOR_BYTES // a.itemsize
    found = np.empty(COLUMNS, a.dtype)
    for first in range(0, columns, COLUMNS):
        second, third = min(first + 1, columns - 1), min(first + 2, columns - 1)
        b0, b1, b2 = (j + first) * K + k0, (j + second) * K + k0, (j + third) * K + k0
        tile = zero_row(a, COLUMNS)
        for k in range(0, whole, lanes):
            tile = inner(tile, a, k0 + k, 0, b, b0 + k, b1 + k, b2 + k)
        tile = inner(tile, a_tail, 0, 0, b_tails, first * lanes, second * lanes, third * lanes)
        sums(tile, found, 0)
        for c in range(min(COLUMNS, columns - first)):
            out[at + first + c] = found[c] + shift[first + c]
