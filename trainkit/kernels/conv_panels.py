"""Convolution by panels: the taps of as many pixels as a tile holds, which all filters meet."""

from typing import Any, NamedTuple

import numpy as np

from trainkit.kernels.conv_filters import Filters, Packing, pack_filters, packing
from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel
from trainkit.kernels.planes import SLACK, Layout, aligned_empty, fill_all
from trainkit.kernels.simd import (
    COLUMNS,
    ROWS,
    VECTOR_BYTES,
    begin,
    copy_strided,
    copy_vector,
    loaded,
    outer,
    store,
    zero_tile,
)
from trainkit.kernels.simd_pieces import clamp, scaled

__all__ = ["Panels", "panels_of"]

DEPTH = 256  # taps of a panel: it stays in the second-level cache
TASKS = 32  # that a launch should have, if it can


class Panels(NamedTuple):
    """A convolution with at least ROWS filters to a group.

    Attributes:
        packing: of the weight, or None: it is read where it lies.
        plan: how its images lie.
        tasks: their number.
        rest: what the kernel is told besides the arrays.
    """

    packing: Packing | None
    plan: Layout
    tasks: int
    rest: tuple[Any, ...]

    def __call__(self, x: Array, weight: Array, bias: Array, out: Array, relu: bool) -> None:
        """Write the convolution of x (N * groups, C, H, W) into the target pixels of out (N * groups, F, OH, OW).

        The bias has a number for each filter of all groups. Where it is four times as long, three rows of factors lie
        behind it, and the result is (it - start) * scale + shift. With `relu`, what is written is max(result, 0).
        """
        left = weight.reshape(-1) if self.packing is None else pack_filters(weight, self.packing)
        planes = empty((len(x), self.plan.size + SLACK), x.dtype)
        fill_all(len(x), x, planes, self.plan.geometry)
        _convolve_panels_all(self.tasks, relu, planes, left, bias, out, *self.rest)


def panels_of(
    images: int, groups: int, count: int, channels: int, filters: Filters, plan: Layout, itemsize: int
) -> Panels:
    """Plan a convolution; the numbers of filters and channels are those of a group.

    A weight is read where it lies, but for filters that would all fall into one set of the cache.
    """
    # The steps are those between groups, between blocks of filters, what the last block begins earlier for each filter
    # that it lacks, and between filters; the places where in the left side each tap of a filter lies.
    step, taps, packed = filters.steps[1], plan.taps, None
    if step % 1024 == 0:
        steps = np.array([-(-count // ROWS) * ROWS * taps, ROWS * taps, 0, 1])
        packed, places = packing(filters, groups, count, channels, ROWS, itemsize), np.arange(taps) * ROWS
    else:
        steps = np.array([filters.steps[0], ROWS * step, step, step])
        places = _places(filters.start, filters.steps[2:], (channels, *filters.taps))
    pixels = images // groups * plan.target[0] * plan.target[1]
    panels = -(-pixels // (COLUMNS * VECTOR_BYTES // itemsize)) * groups
    parts = min(-(-count // ROWS), -(-TASKS // panels))
    return Panels(packed, plan, panels * parts, (parts, groups, taps, steps, places, plan.offsets, plan.geometry))


def _places(start: int, steps: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    channel, row, column = np.ogrid[: sizes[0], : sizes[1], : sizes[2]]
    places: Array = start + channel * steps[0] + row * steps[1] + column * steps[2]
    return places.reshape(-1)


@inner_kernel
def _convolve_panels(task, relu, planes, left, bias, out, parts, groups, taps, steps, places, offsets, geometry):
    """Computes one part of a group's filters for as many pixels as a tile is wide."""
    group, part = task // parts % groups, task % parts
    width, rows, columns = geometry[1], geometry[10], geometry[11]
    lanes = VECTOR_BYTES // planes.itemsize
    wide = COLUMNS * lanes
    filters, total = out.shape[1], groups * out.shape[1]
    blocks = (filters + ROWS - 1) // ROWS
    first, end = blocks * part // parts, blocks * (part + 1) // parts
    pixel = task // (parts * groups) * wide
    count = min(wide, out.shape[0] // groups * rows * columns - pixel)
    # Runs of pixels within a row and a vector: image, row, column, number, and where they begin in the planes.
    runs = np.empty((wide, 5), np.int64)
    number, done = 0, 0
    while done < count:
        place = pixel + done
        image = place // (rows * columns) * groups + group
        line, column = place // columns % rows, place % columns
        length = min(min(columns - column, lanes), count - done)
        runs[number, 0], runs[number, 1], runs[number, 2], runs[number, 3] = image, line, column, length
        runs[number, 4] = image * planes.shape[1] + line * width + column
        number += 1
        done += length
    flat = planes.reshape(planes.size)
    panel = aligned_empty(min(taps, DEPTH) * wide + lanes, planes)
    result = aligned_empty((end - first) * ROWS * wide, planes)
    for k0 in range(0, taps, DEPTH):
        depth = min(DEPTH, taps - k0)
        for k in range(depth):
            to, offset = k * wide, offsets[k0 + k]
            for run in range(number):
                # Writes a whole vector: what is too much is overwritten by the run or the tap behind it.
                copy_vector(panel, to, flat, runs[run, 4] + offset)
                to += runs[run, 3]
        for block in range(first, end):
            early = max(0, (block + 1) * ROWS - filters)  # the last block begins early where it is not whole
            shift = group * filters + block * ROWS - early
            start = group * steps[0] + block * steps[1] - early * steps[2]
            at = (block - first) * ROWS * wide
            if count > lanes:
                tile = begin(zero_tile(panel, COLUMNS), bias, shift)
                if k0 > 0:
                    tile = loaded(tile, result, at, wide)
                for k in range(depth):
                    tile = outer(tile, left, start + places[k0 + k], steps[3], panel, k * wide)
                if k0 + depth == taps:
                    if bias.size > total:
                        tile = scaled(tile, bias, total + shift, total)
                    if relu:
                        tile = clamp(tile)
                store(tile, result, at, wide)
            else:
                narrow = begin(zero_tile(panel, 1), bias, shift)
                if k0 > 0:
                    narrow = loaded(narrow, result, at, wide)
                for k in range(depth):
                    narrow = outer(narrow, left, start + places[k0 + k], steps[3], panel, k * wide)
                if k0 + depth == taps:
                    if bias.size > total:
                        narrow = scaled(narrow, bias, total + shift, total)
                    if relu:
                        narrow = clamp(narrow)
                store(narrow, result, at, wide)
    y0, x0, y_step, x_step = geometry[12], geometry[13], geometry[14], geometry[15]
    target, size = out.reshape(out.size), out.shape[2] * out.shape[3]
    for run in range(number):
        at = y0 + runs[run, 1] * y_step, x0 + runs[run, 2] * x_step
        runs[run, 4] = (runs[run, 0] * filters * out.shape[2] + at[0]) * out.shape[3] + at[1]
    for row in range((end - first) * ROWS):
        filter, at_run = min(first * ROWS + row // ROWS * ROWS, filters - ROWS) + row % ROWS, row * wide
        for run in range(number):
            copy_strided(target, runs[run, 4] + filter * size, x_step, result, at_run, 1, runs[run, 3])
            at_run += runs[run, 3]


_convolve_panels_all = parallel_kernel(_convolve_panels)
