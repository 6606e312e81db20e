"""Convolution of single channels row by row: a row of pixels is a few vectors, and each tap a load under a mask.

So nothing is laid out, and what is computed is where it belongs. For depthwise convolutions, whose planes would else
take longer to be copied than to be multiplied.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from trainkit.kernels.conv_filters import FEW
from trainkit.kernels.conv_tiles import Tiles
from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel
from trainkit.kernels.simd import VECTOR_BYTES, begin, sums
from trainkit.kernels.simd_masked import MASKS, add_taps, correlate_taps, numbers, short_row, store_few
from trainkit.kernels.simd_pieces import clamp, scaled

__all__ = ["correlate_rows", "rows_of", "wants_rows"]

Pair = tuple[int, int]
PIXELS = 1 << 13  # that a task computes
SMALL = 1 << 17  # products up to which a launch costs more than it brings
WIDEST, MOST_TAPS = 64, 7  # columns of a plane, and of a kernel
TASKS, MOST_TASKS = 16, 64  # that a launch has, if it can, and of a gradient at most
MOST_CHUNKS = 16  # of partial sums: fixed, so that they are added in the same order on any machine


class _Geometry(NamedTuple):
    """What a row reads.

    Attributes:
        rows: of each row of pixels and row of taps, where in the plane the row lies that it reads, or -1: in none.
        columns: of each vector of a row, where in that row each tap begins, and then the mask of each.
        form: a tuple that is as long as `simd_masked` says.
        across: a tuple that is as long as a row of taps.
        halved: a tuple that is as long as vectors are halved.
    """

    rows: Array
    columns: Array
    form: tuple[int, ...]
    across: tuple[int, ...]
    halved: tuple[int, ...]


def wants_rows(channels: int, filters: int, columns: int, kernel_size: Pair, stride: Pair) -> bool:
    """Whether rows are quicker than planes that are laid out, being so long; channels and filters are a group's.

    What moves by two pixels falls into phases, which takes long to lay out at any size.
    """
    if not MASKS or channels != 1 or filters > FEW or kernel_size[1] > MOST_TAPS:
        return False
    return stride[1] == 2 or (stride[1] == 1 and columns <= WIDEST)


def rows_of(
    images: int,
    groups: int,
    count: int,
    size: Pair,
    target: Pair,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    itemsize: int,
    back: bool = False,
) -> Tiles:
    """Plan a convolution, or with `back` the gradient of its input, from planes of `size` to those of the target.

    Images are N * groups, and `count` filters belong to a group.
    """
    area = count * target[0] * target[1]
    chunk = max(1, min(PIXELS // area, -(-images // TASKS)))
    alone = images * area * kernel_size[0] * kernel_size[1] < SMALL
    geometry = _geometry(size, target, kernel_size, stride, padding, dilation, itemsize, back)
    launch = _convolve_rows_all.serial if alone else _convolve_rows_all
    return Tiles(None, launch, -(-images // chunk), (chunk, groups, *geometry))


@lru_cache(maxsize=256)
def _geometry(
    size: Pair, target: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, itemsize: int, back: bool
) -> _Geometry:
    """Which element of a plane of `size` each tap reads for each pixel."""
    # where a row is short, so is the vector: it lies in one line of the cache more often
    halved = (0,) * (target[1] * itemsize * 2 <= VECTOR_BYTES)
    lanes = VECTOR_BYTES // itemsize >> len(halved)
    lines = []
    for axis in (0, 1):
        place, tap = np.ogrid[: target[axis], : kernel_size[axis]]
        if back:
            reached = place + padding[axis] - tap * dilation[axis]
            line = np.where(reached % stride[axis] == 0, reached // stride[axis], -1)
        else:
            line = place * stride[axis] + tap * dilation[axis] - padding[axis]
        lines.append(np.where((line >= 0) & (line < size[axis]), line, -1))
    rows = np.where(lines[0] < 0, -1, lines[0] * size[1])
    spread = back and stride[1] == 2
    step = 1 if back else stride[1]
    columns = []
    for start in range(0, target[1], lanes):
        firsts, masks = [], []
        for read in lines[1][start : start + lanes].T.tolist():
            inside = [lane for lane, element in enumerate(read) if element >= 0]
            lane, element = (inside[0], read[inside[0]]) if inside else (0, 0)
            firsts.append(element if spread else element - step * lane)
            masks.append(sum(1 << step * lane for lane in inside))
        columns.append(firsts + masks)
    form = 3 if spread else step
    return _Geometry(rows.ravel(), np.array(columns), (0,) * form, (0,) * kernel_size[1], halved)


@inner_kernel
def _convolve_rows(task, relu, x, weight, bias, out, chunk, groups, rows, columns, form, across, halved):
    """Computes the filters of a few planes."""
    filters, total, plane = out.shape[1], groups * out.shape[1], x.shape[2] * x.shape[3]
    height, lanes, wide = rows.size // out.shape[2], VECTOR_BYTES // x.itemsize >> len(halved), len(across)
    pixels, flat, table = x.reshape(x.size), out.reshape(out.size), columns.reshape(columns.size)
    for image in range(task * chunk, min((task + 1) * chunk, out.shape[0])):
        for filter in range(filters):
            index = image % groups * filters + filter
            for v in range(columns.shape[0]):
                firsts, masks = numbers(table, 2 * v * wide, across), numbers(table, (2 * v + 1) * wide, across)
                to = (image * filters + filter) * out.shape[2] * out.shape[3] + v * lanes
                count = min(lanes, out.shape[3] - v * lanes)
                for y in range(out.shape[2]):
                    row = begin(short_row(x, (0,), halved), bias, index)
                    for i in range(height):
                        at = rows[y * height + i]
                        if at >= 0:
                            start = (index * height + i) * wide
                            row = add_taps(row, weight, start, pixels, image * plane + at, firsts, masks, form)
                    if bias.size > total:
                        row = scaled(row, bias, total + index, total)
                    if relu:
                        row = clamp(row)
                    store_few(row, flat, to, count)
                    to += out.shape[3]


_convolve_rows_all = parallel_kernel(_convolve_rows)


def correlate_rows(
    grad: Array, x: Array, groups: int, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """Sums grad (N * groups, F, OH, OW) times x (N * groups, 1, H, W) at each tap: (groups * F, taps)."""
    images, taps = grad.shape[0] // groups, kernel_size[0] * kernel_size[1]
    size, target = (x.shape[2], x.shape[3]), (grad.shape[2], grad.shape[3])
    geometry = _geometry(size, target, kernel_size, stride, padding, dilation, x.itemsize, False)
    chunks = max(1, min(images, MOST_CHUNKS, MOST_TASKS // groups))
    partial = empty((chunks, groups * grad.shape[1], taps), grad.dtype)
    spans = min(groups, -(-MOST_TASKS // chunks))
    launch = _correlate_rows_all if grad.size * taps > SMALL else _correlate_rows_all.serial
    launch(chunks * spans, spans, groups, grad, x, partial, *geometry)
    total: Array = partial[0] if chunks == 1 else partial.sum(axis=0)
    return total


@inner_kernel
def _correlate_rows(task, spans, groups, grad, x, partial, rows, columns, form, across, halved):
    """Computes the gradient of one span of groups over one chunk of images."""
    chunk, span, chunks = task // spans, task % spans, partial.shape[0]
    images, filters, plane = grad.shape[0] // groups, grad.shape[1], x.shape[2] * x.shape[3]
    height, lanes, wide = rows.size // grad.shape[2], VECTOR_BYTES // x.itemsize >> len(halved), len(across)
    pixels, flat, table = x.reshape(x.size), grad.reshape(grad.size), columns.reshape(columns.size)
    found = partial.reshape(partial.size)
    first, end = images * chunk // chunks, images * (chunk + 1) // chunks
    for group in range(groups * span // spans, groups * (span + 1) // spans):
        for filter in range(filters):
            to = (chunk * groups * filters + group * filters + filter) * height * wide
            for i in range(height):
                tile = short_row(x, across, halved)
                for v in range(columns.shape[0]):
                    firsts, masks = numbers(table, 2 * v * wide, across), numbers(table, (2 * v + 1) * wide, across)
                    count = min(lanes, grad.shape[3] - v * lanes)
                    for image in range(first * groups + group, end * groups, groups):
                        start = (image * filters + filter) * grad.shape[2] * grad.shape[3] + v * lanes
                        for y in range(grad.shape[2]):
                            at = rows[y * height + i]
                            if at >= 0:
                                tile = correlate_taps(
                                    tile, flat, start, count, pixels, image * plane + at, firsts, masks, form
                                )
                            start += grad.shape[3]
                sums(tile, found, to + i * wide)


_correlate_rows_all = parallel_kernel(_correlate_rows)
