"""Products of two matrices as register tiles, on the kernels' own threads: no BLAS, so no second thread pool.

Here is what is called, and chosen: tiles of outer products (`matmul_panels.py`) or, where both matrices run along the
shared dimension and that is cheaper, of dot products (`matmul_dots.py`).
"""

import functools
import math

import numpy as np

from trainkit.kernels.jit import Array
from trainkit.kernels.matmul_dots import dot_rows
from trainkit.kernels.matmul_panels import panels_all, panels_serial
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import get_num_threads
from trainkit.kernels.simd import COLUMNS, ROWS, VECTOR_BYTES

__all__ = ["linear", "matmul", "matmul_nt", "matmul_tn"]

CHUNK = 1 << 17  # multiply-adds of small matrices that one part takes
SERIAL = 1 << 20  # multiply-adds below which handing out work costs more than it saves
LEAST, WELL = 8, 32  # parts that a product is cut into if only thin panels make it, and if enough rows do
TALL = 16  # blocks of rows that pay for packing a panel once more
PIECES, PIECE = 16, 1 << 18  # tasks for each thread at most, and multiply-adds that are worth one
PANELS, DOTS, TURNED = range(3)
TURNING = 8  # what it costs to pack a transposed column, in multiply-adds of a row with it
SUMMING = 110  # what it costs to sum the lanes of a tile of dot products, in the same of its three rows
ALIKE, FEW = 4096, 16  # bytes from line to line that drive each other out of the first cache, unless rows are few
_FRONT = np.zeros(1, np.int64)


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """The product (M, O) of x (M, K) and weight (O, K) transposed, plus bias (O,) or None."""
    (M, K), N = x.shape, weight.shape[0]
    way = _way(M, K, N, x.itemsize)
    if way == PANELS:
        return _product(x, weight.T, bias)
    if way == DOTS:
        return dot_rows(x, weight, bias)
    turned, out = dot_rows(weight, x, None).T, empty((M, N), x.dtype)
    return np.add(turned, 0 if bias is None else bias, out)


@functools.lru_cache(maxsize=256)
def _way(M: int, K: int, N: int, itemsize: int) -> int:
    """How a matrix is multiplied with a transposed one: by panels, by dot products, or by those of the turned ones."""
    packed, dots = -(-M // ROWS) * ROWS + TURNING, -(-M // COLUMNS) * (COLUMNS + SUMMING / max(K, 1))
    if packed < dots or (M > FEW and K * itemsize % ALIKE == 0):
        return PANELS
    return DOTS if M == 1 or _places(N, M) * 5 > _places(M, N) * 4 else TURNED


def _places(rows: int, columns: int) -> int:
    """What the tiles of dot products cover."""
    return -(-rows // COLUMNS) * COLUMNS * -(-columns // ROWS) * ROWS


def matmul_nt(a: Array, b: Array) -> Array:
    """The product (M, N) of a (M, K) and b (N, K) transposed."""
    return linear(a, b, None)


def matmul_tn(a: Array, b: Array) -> Array:
    """The product (M, N) of a (K, M) transposed and b (K, N)."""
    return _product(a.T, b, None)


def matmul(a: Array, b: Array) -> Array:
    """The products (..., M, N) of a (..., M, K) and b (..., K, N); stacks broadcast, any strides are read as they lie.

    Raises:
        ValueError: the stacks do not broadcast.
    """
    return _product(a, b, None)


def _product(a: Array, b: Array, bias: Array | None) -> Array:
    """The products of stacks of matrices, and bias (N,) added to every row."""
    M, K = a.shape[-2:]
    N = b.shape[-1]
    stack: tuple[int, ...] = ()
    items = 1
    if a.ndim > 2 or b.ndim > 2:
        stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        items = math.prod(stack)
    work = M * N * K * items
    if not work:
        out = np.zeros((*stack, M, N), a.dtype)
        return out if bias is None else np.add(out, bias, out)
    # no view: what is returned is known to be nobody else's
    out = empty((*stack, M, N), a.dtype)
    left, (*left_steps, row, depth) = _memory(a)
    right, (*right_steps, line, column) = _memory(b)
    if stack:
        left_starts = _starts(stack, a.shape[:-2], tuple(left_steps))
        right_starts = _starts(stack, b.shape[:-2], tuple(right_steps))
    else:
        left_starts = right_starts = _FRONT
    shift = np.empty(0, out.dtype) if bias is None else np.ascontiguousarray(bias)
    # how the work is cut changes no sum
    threads = 1 if work <= SERIAL else get_num_threads()
    chunk, wide, panels, groups, tasks = _cut(M, K, N, items, out.itemsize, threads)
    arguments = (
        *(tasks, chunk, wide, panels, groups, K, left, left_starts, row, depth),
        *(right, right_starts, line, column, shift, out.reshape(items, M, N)),
    )
    if threads == 1:
        panels_serial(0, *arguments)
    else:
        panels_all(*arguments)
    return out


@functools.lru_cache(maxsize=256)
def _cut(M: int, K: int, N: int, items: int, itemsize: int, threads: int) -> tuple[int, int, int, int, int]:
    """How a product is shared out: matrices in a chunk, vectors in a panel's row, panels, groups of rows, and tasks."""
    vectors, blocks = -(-N * itemsize // VECTOR_BYTES), -(-M // ROWS)
    if threads == 1:
        return items, COLUMNS, -(-vectors // COLUMNS), 1, 1
    wide = COLUMNS if M == 1 or vectors * items >= LEAST * COLUMNS else 1
    panels = -(-vectors // wide)
    groups = max(min(blocks // TALL, WELL // (panels * items)), min(blocks, LEAST // (panels * items)), 1)
    work = M * N * K * items
    chunk = max(1, min(items // 16, CHUNK * items // work))
    parts = panels * groups * -(-items // chunk)
    return chunk, wide, panels, groups, min(parts, threads * max(1, min(PIECES, work // (threads * PIECE))))


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
