"""Sums of rows that an index sends to one place: the gradient of picking rows; numpy's `add.at` is far too slow."""

from typing import Any

import numpy as np

from trainkit.errors import IndexRangeError
from trainkit.kernels.jit import Array, kernel
from trainkit.kernels.parallel import parallel_kernel

__all__ = ["add_rows"]

CHUNK = 1 << 15  # additions a task; one chunk or less runs on the calling thread
LEAST = 16  # columns a task: those of a cache line
FLOATS = (np.float32, np.float64)


def add_rows(out: Array, index: Array, values: Array) -> None:
    """`out[p, index[i], q] += values[p, i, q]` in place, one i after the other: the sums repeat bit for bit.

    Args:
        out: (P, K, Q), its elements in order in memory.
        index: (N,), from -K to K - 1; a negative one counts from the end.
        values: (P, N, Q), of the dtype of `out`.

    Raises:
        IndexRangeError: an index is outside its range.
    """
    rows = out.shape[1]
    if not index.size:
        return
    low, high = index.min(), index.max()
    if low < -rows or high >= rows:
        raise IndexRangeError(f"index {low if low < -rows else high} is out of bounds for {rows} rows")
    if out.dtype not in FLOATS:
        everywhere: Any = (slice(None), index)
        np.add.at(out, everywhere, values)
        return
    index, values = np.ascontiguousarray(index, np.int64), np.ascontiguousarray(values)
    if values.size <= CHUNK:
        for place in range(out.shape[0]):
            _add_rows(np.int64(place), max(out.shape[2], 1), out, index, values)
        return
    width = min(max(CHUNK // index.size, LEAST), out.shape[2])
    _add_rows_all(out.shape[0] * -(-out.shape[2] // width), width, out, index, values)


@kernel
def _add_rows(task, width, out, index, values):
    blocks = -(-out.shape[2] // width)
    place, start = task // blocks, task % blocks * width
    out, values = out[place, :, start : start + width], values[place, :, start : start + width]
    for i in range(index.size):
        row = index[i] if index[i] >= 0 else index[i] + out.shape[0]
        if out.shape[1] == 1:  # a loop over vectors of columns would take longer to begin
            out[row, 0] += values[i, 0]
            continue
        for column in range(out.shape[1]):
            out[row, column] += values[i, column]


_add_rows_all = parallel_kernel(_add_rows)
