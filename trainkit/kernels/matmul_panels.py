"""Matrix products by outer products: a panel of columns of the right matrix is met by all rows, a block at a time.

The panel is packed first unless its rows are read where they lie; a transposed one is turned a square of vectors at a
time.
"""

import numpy as np

from trainkit.kernels.jit import inner_kernel, kernel
from trainkit.kernels.parallel import parallel_kernel
from trainkit.kernels.simd import (
    COLUMNS,
    ROWS,
    VECTOR_BYTES,
    copy,
    copy_strided,
    copy_vector,
    loaded,
    outer,
    store,
    turn,
    zero_row,
    zero_tile,
)

__all__ = ["panels_all", "panels_serial"]

DEPTH = 1024  # of a packed panel: DEPTH * COLUMNS * VECTOR_BYTES bytes stay in the second-level cache
UNPACKED = 32  # blocks of rows up to which copying a panel of rows first costs more than it saves


@kernel
def panels_serial(
    task, tasks, chunk, wide, panels, groups, K, a, a_starts, a_row, a_depth,
    b, b_starts, b_depth, b_column, bias, out,
):  # fmt: skip
    """Does its share of the groups of rows of panels of columns, each for every matrix of a chunk of the stack."""
    items, M, N = out.shape
    lanes = VECTOR_BYTES // out.itemsize
    width = wide * lanes
    blocks = (M + ROWS - 1) // ROWS
    flat = out.reshape(out.size)
    shift = np.zeros(width, b.dtype)
    space = min(K, DEPTH) if M > 1 else 0
    raw = np.empty((space + 1) * width, b.dtype)
    panel = raw[-raw.ctypes.data % VECTOR_BYTES // raw.itemsize :]
    panel[:] = 0
    rest = np.zeros(space * ROWS, b.dtype)  # rows of the last, incomplete block
    found = np.empty(ROWS * lanes * COLUMNS, b.dtype)
    parts = (items + chunk - 1) // chunk * groups * panels
    for part in range(parts * task // tasks, parts * (task + 1) // tasks):
        first, group, start = part // (groups * panels) * chunk, part // panels % groups, part % panels * width
        columns = min(width, N - start)
        first_block = blocks * group // groups
        end_block = blocks * (group + 1) // groups
        if bias.size:
            copy(shift, 0, bias, start, columns)
        for item in range(first, min(first + chunk, items)):
            a_start, b_start = a_starts[item], b_starts[item] + start * b_column
            at = item * M * N + start
            if M == 1:
                _row(a, a_start, a_depth, b, b_start, b_depth, b_column, K, shift, flat, at, columns)
                continue
            for k0 in range(0, K, DEPTH):
                _panel(
                    a, a_start + k0 * a_depth, a_row, a_depth, b, b_start + k0 * b_depth, b_depth, b_column,
                    flat, at, M, N, columns, first_block, end_block, k0, min(DEPTH, K - k0),
                    shift, panel, width, rest, found,
                )  # fmt: skip


panels_all = parallel_kernel(panels_serial, counted=True)


@inner_kernel
def _row(a, a_start, a_depth, b, b_start, b_depth, b_column, K, shift, out, at, columns):
    """One row times a matrix."""
    lanes = VECTOR_BYTES // out.itemsize
    if b_column == 1 and columns == COLUMNS * lanes:
        row = loaded(zero_row(shift, COLUMNS), shift, 0, 0)
        for k in range(K):
            row = outer(row, a, a_start + k * a_depth, 0, b, b_start + k * b_depth)
        store(row, out, at, 0)
        return
    if b_column == 1 and columns >= lanes:
        for j in range(0, columns, lanes):
            j = min(j, columns - lanes)  # some are computed twice
            thin = loaded(zero_row(shift, 1), shift, j, 0)
            for k in range(K):
                thin = outer(thin, a, a_start + k * a_depth, 0, b, b_start + j + k * b_depth)
            store(thin, out, at + j, 0)
        return
    for j in range(columns):
        line, total = b[b_start + j * b_column :], shift[j]
        if a_depth == 1 and b_depth == 1:
            left = a[a_start:]
            for k in range(K):
                total += left[k] * line[k]
        else:
            for k in range(K):
                total += a[a_start + k * a_depth] * line[k * b_depth]
        out[at + j] = total


@inner_kernel
def _panel(
    a, a_start, a_row, a_depth, b, b_start, b_depth, b_column, out, out_start, M, N, columns,
    first, end, k0, depth, shift, panel, width, rest, found,
):  # fmt: skip
    """Adds the products of one stretch of the shared dimension to the rows of a panel of columns."""
    lanes = VECTOR_BYTES // out.itemsize
    direct = b_column == 1 and columns % lanes == 0 and end - first <= UNPACKED
    right, right_start, right_step = b, b_start, b_depth
    if not direct:
        _pack(b, b_start, b_depth, b_column, columns, depth, panel, width)
        right, right_start, right_step = panel, 0, width
    whole = min(end, M // ROWS)
    left, left_start, left_row, left_step = a, a_start + first * ROWS * a_row, a_row, a_depth
    count, rows, at = whole - first, ROWS, out_start + first * ROWS * N
    for part in range(1 if whole == end else 2):
        if part:  # an incomplete block comes last
            count, rows, at = 1, M - whole * ROWS, out_start + whole * ROWS * N
            for r in range(rows):
                copy_strided(rest, r, ROWS, a, a_start + (whole * ROWS + r) * a_row, a_depth, depth)
            left, left_start, left_row, left_step = rest, 0, 1, ROWS
        _blocks(
            count, rows, left, left_start, left_row, left_step, right, right_start, right_step,
            out, at, N, columns, k0, depth, shift, found,
        )  # fmt: skip


@inner_kernel
def _blocks(
    count, rows, left, left_start, left_row, left_step, right, right_start, right_step,
    out, at, N, columns, k0, depth, shift, found,
):  # fmt: skip
    """Adds the products of blocks of rows and a panel.

    No array is given another name between tiles: that counts a reference, which waits for the last tile's stores.
    """
    lanes = VECTOR_BYTES // out.itemsize
    for _ in range(count):
        if columns == COLUMNS * lanes:
            if k0 == 0:
                tile = loaded(zero_tile(shift, COLUMNS), shift, 0, 0)
            elif rows == ROWS:
                tile = loaded(zero_tile(shift, COLUMNS), out, at, N)
            else:
                tile = zero_tile(shift, COLUMNS)
            for k in range(depth):
                tile = outer(tile, left, left_start + k * left_step, left_row, right, right_start + k * right_step)
            if rows == ROWS:
                store(tile, out, at, N)
            else:
                store(tile, found, 0, columns)
                _put(found, out, at, N, rows, columns, columns, k0)
        else:
            for j in range(0, columns, lanes):
                whole = rows == ROWS and j + lanes <= columns
                if k0 == 0:
                    thin = loaded(zero_tile(shift, 1), shift, j, 0)
                elif whole:
                    thin = loaded(zero_tile(shift, 1), out, at + j, N)
                else:
                    thin = zero_tile(shift, 1)
                line = right_start + j
                for k in range(depth):
                    thin = outer(thin, left, left_start + k * left_step, left_row, right, line + k * right_step)
                if whole:
                    store(thin, out, at + j, N)
                else:
                    store(thin, found, 0, lanes)
                    _put(found, out, at + j, N, rows, min(lanes, columns - j), lanes, k0)
        left_start += ROWS * left_row
        at += ROWS * N


@inner_kernel
def _pack(b, start, b_depth, b_column, columns, depth, panel, width):
    """Lays a panel of columns out row by row."""
    lanes = VECTOR_BYTES // panel.itemsize
    if b_column == 1 and columns == COLUMNS * lanes:
        for k in range(depth):
            for j in range(COLUMNS):
                copy_vector(panel, k * width + j * lanes, b, start + k * b_depth + j * lanes)
        return
    for j in range(0, columns, lanes):
        count = min(lanes, columns - j)
        source = start + j * b_column
        turned = 0
        if b_depth == 1 and b_column != 1:
            turned = depth - depth % lanes
            for k in range(0, turned, lanes):
                turn(panel, k * width + j, width, b, source + k, b_column, count)
        if b_column == 1 and count == lanes:
            for k in range(depth):
                copy_vector(panel, k * width + j, b, source + k * b_depth)
        elif turned < depth:
            for c in range(count):
                at = source + c * b_column + turned * b_depth
                copy_strided(panel, turned * width + j + c, width, b, at, b_depth, depth - turned)


@inner_kernel
def _put(found, out, at, N, rows, columns, step, k0):
    """Writes the part of a tile that lies within the product, or adds it to what is there."""
    for r in range(rows):
        if k0 == 0:
            copy(out, at + r * N, found, r * step, columns)
        else:
            for j in range(columns):
                out[at + r * N + j] += found[r * step + j]
