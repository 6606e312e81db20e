"""One launch for many arrays: the parameters of a group are walked as if they lay in memory one behind the other.

numba takes most of a microsecond to unpack an array argument, and a network has some hundred parameters with up to four
arrays each. So a kernel gets one table of the array objects themselves, read from the tuple that holds them, and reads
from each what numpy's binary interface fixes for every extension: after the head that all objects have come data, ndim,
shape, strides, base, dtype and flags.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numba import carray  # type: ignore[attr-defined]
from numba.core import types
from numba.extending import intrinsic

from trainkit.errors import ShapeError
from trainkit.kernels.jit import Array, kernel, ready_kernel

__all__ = ["CHUNK", "first", "launch", "past", "piece"]

CHUNK, SERIAL = 1 << 12, 1 << 14  # elements a task, and of a group that the calling thread updates by itself
HEAD = object.__basicsize__ // 8  # in words of 8 bytes, as all that follows
NDIM, SHAPE, DTYPE, FLAGS = HEAD + 1, HEAD + 2, HEAD + 5, HEAD + 6
ITEMS = tuple.__basicsize__  # bytes: behind its head a tuple is a row of what it holds
USABLE = np.int64(0x1 | 0x100)  # contiguous and aligned
REALS = np.dtype(np.float32), np.dtype(np.float64)


def launch(
    parallel: Any,
    rows: Sequence[Sequence[Array]],
    numbers: Sequence[float],
) -> None:
    """Run a kernel over all parameters: `parallel(tasks, table, ends, values)`.

    The rows are the parameters, their gradients, and what else belongs to them, array by array of the same shape. All
    are written but the gradients. What is not contiguous, or neither float32 nor float64, is worked on in a copy.
    `numbers` become an array of the parameters' dtype.

    Raises:
        ShapeError: arrays at the same place in the rows have not the same shape.
    """
    count = len(rows[0])
    if not count:
        return
    real = rows[0][0].dtype
    arrays = tuple(chain.from_iterable(rows))  # keeps them alive as long as the table is in use
    table, ends = np.empty((len(rows), count), np.int64), np.empty(count + 1, np.int64)
    if real not in REALS or len(arrays) != table.size or not _measure(id(arrays) + ITEMS, id(real), table, ends):
        _launch_copies(parallel, rows, numbers)
        return
    values = np.array(numbers, real)
    size = int(ends[count])
    run = parallel if size > SERIAL else parallel.serial
    run(-(-size // CHUNK), table, ends, values)


def _launch_copies(
    parallel: Any,
    rows: Sequence[Sequence[Array]],
    numbers: Sequence[float],
) -> None:
    """Launch each dtype on its own, on copies of what the kernels cannot work on."""
    copies: dict[int, tuple[Array, Array]] = {}  # by the array's number: one that is in two rows has one copy
    sorted_rows: dict[Any, list[list[Array]]] = {real: [[] for _ in rows] for real in REALS}
    for arrays in zip(*rows, strict=True):
        real = REALS[arrays[0].dtype == REALS[1]]
        for number, array in enumerate(arrays):
            if array.shape != arrays[0].shape:
                what = "gradient" if number == 1 else "state"
                raise ShapeError(f"a parameter of shape {arrays[0].shape} has a {what} of shape {array.shape}")
            if array.dtype is not real or not array.flags.c_contiguous or not array.flags.aligned:
                _, array = copies.setdefault(id(array), (array, np.array(array, real, order="C")))
            sorted_rows[real][number].append(array)
    for chosen in sorted_rows.values():
        launch(parallel, chosen, numbers)
    gradients = {id(gradient) for gradient in rows[1]}
    for key, (array, used) in copies.items():
        if key not in gradients:
            array[...] = used


in_kernels: Any = intrinsic


@in_kernels
def _pointer(context, address, like):
    """An integer as a pointer to elements of an array's dtype."""

    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(like.dtype)(types.int64, like), generate


@ready_kernel
def _words(address, table):
    """The memory at an address as integers of 8 bytes."""
    return carray(_pointer(address, table), (1 << 16,))


@kernel
def _measure(items, dtype, table, ends):
    """Write the table of the array objects, and where each parameter ends in the row of them all.

    Tells whether the arrays are as the kernels need them.
    """
    objects = _words(items, table)
    for row in range(table.shape[0]):
        for p in range(table.shape[1]):
            table[row, p] = objects[row * table.shape[1] + p]
    ends[0] = 0
    for p in range(table.shape[1]):
        model = _words(table[0, p], table)
        dims = model[NDIM] & 0xFFFF
        shape = _words(model[SHAPE], table)
        size = 1
        for d in range(dims):
            size *= shape[d]
        ends[p + 1] = ends[p] + size
        for row in range(table.shape[0]):
            array = _words(table[row, p], table)
            if array[DTYPE] != dtype or array[FLAGS] & USABLE != USABLE or array[NDIM] & 0xFFFF != dims:
                return False
            other = _words(array[SHAPE], table)
            for d in range(dims):
                if other[d] != shape[d]:
                    return False
    return True


@ready_kernel
def piece(task, row, p, table, ends, values):
    """The part of array `p` of a row that belongs to a task, flat; `values` tells the dtype."""
    start = max(task * CHUNK, ends[p])
    stop = min((task + 1) * CHUNK, ends[p + 1])
    data = _words(table[row, p], table)[HEAD]
    return carray(_pointer(data + (start - ends[p]) * values.itemsize, values), (max(stop - start, 0),))


@ready_kernel
def _place(element, ends):
    """How many of the arrays begin before an element."""
    low, high = 0, ends.size - 1
    while low < high:
        middle = (low + high) // 2
        if ends[middle] < element:
            low = middle + 1
        else:
            high = middle
    return low


@ready_kernel
def first(task, ends):
    """The first array that belongs to a task."""
    return max(_place(task * CHUNK + 1, ends) - 1, 0)


@ready_kernel
def past(task, ends):
    """One more than the last array that belongs to a task."""
    return _place((task + 1) * CHUNK, ends)
