"""The filters of a convolution: where their taps lie, and how they are laid out for tiles."""

from typing import NamedTuple

import numpy as np

from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.parallel import parallel_kernel
from trainkit.kernels.simd import ROWS, VECTOR_BYTES, copy_strided, turn

__all__ = ["FEW", "Filters", "Packing", "pack_filters", "packing"]

FEW = ROWS // 2  # filters in a group up to which one at a time is quicker
PARALLEL = 1 << 15  # elements from which a copy is worth handing out


class Filters(NamedTuple):
    """How a convolution reads a contiguous weight.

    Attributes:
        taps: the rows and columns of the kernel.
        start: the index of its first element in the weight.
        steps: between the elements of group, filter, channel, row and column.
    """

    taps: tuple[int, int]
    start: int
    steps: tuple[int, ...]


class Packing(NamedTuple):
    """How a weight is packed: in so many tasks, into so many elements, of what shape it is."""

    tasks: int
    size: int
    shape: Array


def packing(filters: Filters, groups: int, count: int, channels: int, rows: int, itemsize: int) -> Packing:
    """Plan the weight as tiles read it: (groups, filters / rows, taps, rows) flat.

    The number of filters and channels is that of a group. The last block of filters begins early where it is not whole.
    """
    taps, start, steps = filters
    blocks = -(-count // rows)
    lanes = VECTOR_BYTES // itemsize
    area = taps[0] * taps[1]
    size = groups * blocks * rows * channels * area
    # Filters whose taps lie side by side are turned, a square of vectors at a time, by one thread: each writes too far.
    turned = size <= PARALLEL and steps[2:] == (area, taps[1], 1) and lanes <= channels * area and rows <= lanes
    shape = np.array((count, channels, *taps, rows, blocks, start, *steps, turned))
    return Packing(groups * blocks, size, shape)


def pack_filters(weight: Array, plan: Packing) -> Array:
    """The weight as it was planned; behind it is what a vector may write too far."""
    packed = np.empty(plan.size + VECTOR_BYTES // weight.itemsize, weight.dtype)
    pack = _pack_all if plan.size > PARALLEL else _pack_all.serial
    pack(plan.tasks, weight.reshape(-1), packed, plan.shape)
    return packed


@inner_kernel
def _pack(task, weight, packed, shape):
    filters, channels, height, width, rows, blocks = shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]
    group, block = task // blocks, task % blocks
    taps = channels * height * width
    start = shape[6] + group * shape[7] + min(block * rows, filters - rows) * shape[8]
    k = task * rows * taps
    if shape[12]:
        lanes = VECTOR_BYTES // packed.itemsize
        for tap in range(0, taps, lanes):
            tap = min(tap, taps - lanes)
            turn(packed, k + tap * rows, rows, weight, start + tap, shape[8], rows)
        return
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                at = start + c * shape[9] + i * shape[10] + j * shape[11]
                copy_strided(packed, k, 1, weight, at, shape[8], rows)
                k += rows


_pack_all = parallel_kernel(_pack)
