"""Convolution of planes of pixels: filters times vectors of pixels, one tap after another, in three manners.

`_convolve_runs` computes runs of pixels across the rows of an image, up to ROWS filters at a time; `_convolve_few` does
so one filter at a time, where there are few to a group. `conv_panels.py` copies the taps of as many pixels as a tile
holds, of any rows and images, into a panel that all filters meet: no pixel is computed for nothing, and what is read
again and again stays in the first caches.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from trainkit.kernels.conv_filters import FEW, Filters, Packing, pack_filters, packing
from trainkit.kernels.conv_panels import Panels, panels_of
from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.parallel import parallel_kernel
from trainkit.kernels.planes import SLACK, Layout, aligned_empty, fill_planes, take_rows, zeros
from trainkit.kernels.simd import (
    COLUMNS,
    ROWS,
    VECTOR_BYTES,
    begin,
    clear,
    copy,
    copy_strided,
    outer,
    store,
    zero_row,
)
from trainkit.kernels.simd_pieces import clamp, outer_pieces, scaled, store_pieces, tile_like

__all__ = ["Tiles", "Way", "plan_convolution"]

PANEL = COLUMNS * VECTOR_BYTES // 4  # pixels of a panel
TASKS = 32  # that a launch should have, if it can
LARGE = 1 << 21  # elements of an image's planes from which reading them for each filter takes too long
SMALL = 1 << 19  # products up to which a launch costs more than it brings
CHUNK = 1 << 14  # elements that a task takes together
BATCH = 1 << 12  # elements that it works on at once


class Tiles(NamedTuple):
    """A convolution as tiles of runs of pixels, or of rows (`conv_rows.py`).

    Attributes:
        packing: of the weight, or None: it is read where it lies.
        launch: what runs the kernel.
        tasks: their number.
        rest: what the kernel is told besides the arrays.
    """

    packing: Packing | None
    launch: Any
    tasks: int
    rest: tuple[Any, ...]

    def __call__(self, x: Array, weight: Array, bias: Array, out: Array, relu: bool) -> None:
        """Write a convolution, as `Panels` do."""
        left = weight.reshape(-1) if self.packing is None else pack_filters(weight, self.packing)
        self.launch(self.tasks, relu, x, left, bias, out, *self.rest)


Way = Tiles | Panels


def plan_convolution(
    images: int, groups: int, count: int, channels: int, filters: Filters, plan: Layout, itemsize: int
) -> Way:
    """Choose the way of a convolution; images are N * groups, and filters and channels counted in a group."""
    if count >= ROWS and _wants_panels(count, plan):
        return panels_of(images, groups, count, channels, filters, plan, itemsize)
    taps, area = plan.taps, filters.taps[0] * filters.taps[1]
    alone = images * count * taps * plan.target[0] * plan.target[1] < SMALL
    # Filters whose taps lie side by side as they are counted, and those of all groups one behind the other.
    in_order = filters.start == 0 and filters.steps == (count * taps, taps, area, filters.taps[1], 1)
    if count <= FEW:
        packed = None if in_order else packing(filters, groups, count, channels, 1, itemsize)
        chunk = max(1, min(images // TASKS, CHUNK // plan.size))
        launch = _convolve_few_all.serial if alone else _convolve_few_all
        return Tiles(packed, launch, -(-images // chunk), (chunk, groups, taps, plan.offsets, plan.geometry))
    blocks = -(-count // ROWS)
    high = -(-count // blocks)  # so many filters to a block: few are computed twice
    # To pack the weight of a small product takes a third as long as the product.
    packed = None if in_order and alone else packing(filters, groups, count, channels, high, itemsize)
    parts = 1 if images >= 16 or alone else min(blocks, -(-16 // images))
    launch = _convolve_runs_all.serial if alone else _convolve_runs_all
    vectors, single, gap, _ = _vectors(plan.width, *plan.target, VECTOR_BYTES // itemsize)
    apart = (taps,) if packed is None else ()
    return Tiles(
        packed, launch, images * parts,
        (
            *(parts, groups, (channels, *filters.taps), (0,) * high, apart),
            *(vectors, single, gap, plan.offsets, plan.geometry),
        ),
    )  # fmt: skip


class _Vectors(NamedTuple):
    """The vectors that cover the wanted pixels of a plane; those of one row come first, the others are of two.

    Attributes:
        table: of each vector where its pixels belong in the output and lie in the plane, the lane with which the second
            row begins, the first row and the last.
        single: so many, a multiple of COLUMNS, are of one row.
        gap: the elements between two rows.
        share: of the pixels that are wanted.
    """

    table: Array
    single: int
    gap: int
    share: float


@lru_cache(maxsize=256)
def _vectors(width: int, rows: int, columns: int, lanes: int) -> _Vectors:
    """Cut the pixels of a plane into vectors.

    What a vector computes beyond its rows the next one overwrites, and the last one ends with the last pixel. Where
    rows are shorter than half a vector the pixels between them are computed too, as if they were wanted.
    """
    gap, line = (width - columns, columns) if 2 * columns >= lanes else (0, width)
    area = (rows - 1) * line + columns
    single: list[tuple[int, ...]] = []
    double: list[tuple[int, ...]] = []
    place = 0
    while place < area:
        place = max(0, min(place, area - lanes))
        row, column = place // line, place % line
        end = line - column if gap else lanes
        last = min((place + min(lanes, end + line) - 1) // line, rows - 1)
        (single if end >= lanes else double).append((place, place + row * gap, end, row, last))
        place += min(lanes, end + line) if gap else lanes
    if any(end + line < lanes for _, _, end, _, _ in double):
        single, double = [], sorted(single + double)  # what is too much must be overwritten
    rest = len(single) % COLUMNS
    double = sorted(single[len(single) - rest :] + double)
    table = single[: len(single) - rest] + double
    return _Vectors(np.array(table), len(single) - rest, gap, rows * columns / (len(table) * lanes))


def _wants_panels(filters: int, plan: Layout) -> bool:
    """Whether copying the taps of every pixel costs less than computing more pixels than are wanted, in cycles a tap.

    Measured: a filter takes 1 cycle a vector, to copy a run of at most a vector 2, and writing by runs takes a share.
    """
    lanes = VECTOR_BYTES // 4
    share = _vectors(plan.width, *plan.target, lanes).share
    runs = PANEL / min(plan.target[1], lanes) + 1
    return filters * (1 / share - 1.08) > 2 * runs or plan.size > LARGE


@inner_kernel
def _reached(first, last, kernel, geometry):
    """The taps by which pixels of some rows reach the image, and not only the zeros around it.

    The first, how many of a channel lie side by side, and the number of all.
    """
    channels, height, across = kernel
    top = geometry[16] // geometry[1]
    low, high = max(0, top - last), min(height, top + geometry[18] - first)
    together = max(0, high - low) * across
    return low * across, together, channels * together


@inner_kernel
def _convolve_runs(
    task, relu, x, weight, bias, out, parts, groups, kernel, form, apart, vectors, single, gap, offsets, geometry
):
    """Computes one part of the filters of one image: `form` is as long as a tile is high.

    `apart` is () where the weight is packed, and else a tuple of the elements from filter to filter: what the kernel
    reads in its innermost loop is found out when it is compiled.
    """
    image, part = task // parts, task % parts
    width, rows, columns = geometry[1], geometry[10], geometry[11]
    lanes = VECTOR_BYTES // x.itemsize
    high, filters, count = len(form), out.shape[1], vectors.shape[0]
    total = groups * filters
    blocks, step = (filters + high - 1) // high, (1 if len(apart) > 0 else high)
    channels, period, taps = kernel[0], kernel[1] * kernel[2], kernel[0] * kernel[1] * kernel[2]
    size, slack = channels * geometry[6] * geometry[7] * geometry[0] * width, SLACK + gap
    pixels, base = x.reshape(x.size), image * channels * x.shape[2] * x.shape[3]
    source = pixels
    plain = geometry[0] == x.shape[2] and width == x.shape[3] and geometry[6] * geometry[7] == 1
    # What is laid out like its planes is read where it lies, if more images lie behind it.
    if not plain or geometry[2] != 0 or geometry[3] != 0:
        base, source = 0, zeros(size + slack, x)
        fill_planes(pixels, x.shape, image, 1, source, 0, geometry)
    elif (x.shape[0] - 1 - image) * size < slack:
        source = aligned_empty(size + slack, x)
        copy(source, 0, pixels, base, size)
        clear(source, size, slack)
        base = 0
    line = columns if gap > 0 else width
    area = max((rows - 1) * line + columns, lanes)
    direct = line == columns and area == out.shape[2] * out.shape[3] and columns == out.shape[3]
    flat = out.reshape(out.size)
    result = flat
    if not direct:
        result = aligned_empty(high * area, x)
    # Where there are many rows of zeros some taps read nothing else.
    skips = geometry[4] == 1 and geometry[6] == 1 and geometry[8] == 1 and geometry[0] - geometry[18] > 2
    group = image % groups
    for block in range(blocks * part // parts, blocks * (part + 1) // parts):
        first = min(block * high, filters - high)
        shift = group * filters + first
        start = taps * (shift if len(apart) > 0 else (group * blocks + block) * high)
        to = (image * filters + first) * area if direct else 0
        v = 0
        while v < count:
            k, together, number = 0, taps, taps
            if v + COLUMNS <= count:
                if skips:
                    k, together, number = _reached(vectors[v, 3], vectors[v + 2, 4], kernel, geometry)
                ends = vectors[v, 2], vectors[v + 1, 2], vectors[v + 2, 2]
                starts = base + vectors[v, 1], base + vectors[v + 1, 1], base + vectors[v + 2, 1]
                goals = to + vectors[v, 0], to + vectors[v + 1, 0], to + vectors[v + 2, 0]
                tile = begin(tile_like(source, form, COLUMNS), bias, shift)
                end = k + together
                if v < single:
                    for _ in range(number):
                        tile = outer_pieces(tile, weight, start + k * step, apart, source, offsets[k], starts, (), 0)
                        k += 1
                        if k == end:
                            k += period - together
                            end += period
                else:
                    for _ in range(number):
                        tile = outer_pieces(
                            tile, weight, start + k * step, apart, source, offsets[k], starts, ends, gap
                        )
                        k += 1
                        if k == end:
                            k += period - together
                            end += period
                if bias.size > total:
                    tile = scaled(tile, bias, total + shift, total)
                if relu:
                    tile = clamp(tile)
                store_pieces(tile, result, goals, area)
                v += COLUMNS
            else:
                if skips:
                    k, together, number = _reached(vectors[v, 3], vectors[v, 4], kernel, geometry)
                place, stop = (base + vectors[v, 1],), (vectors[v, 2],)
                narrow = begin(tile_like(source, form, 1), bias, shift)
                end = k + together
                for _ in range(number):
                    narrow = outer_pieces(narrow, weight, start + k * step, apart, source, offsets[k], place, stop, gap)
                    k += 1
                    if k == end:
                        k += period - together
                        end += period
                if bias.size > total:
                    narrow = scaled(narrow, bias, total + shift, total)
                if relu:
                    narrow = clamp(narrow)
                store_pieces(narrow, result, (to + vectors[v, 0],), area)
                v += 1
        if not direct:
            for r in range(high):
                _put(result, r * area, line, flat, out.shape, image, first + r, geometry)


_convolve_runs_all = parallel_kernel(_convolve_runs)


@inner_kernel
def _put(result, start, width, out, shape, image, filter, geometry):
    """Writes the pixels of one filter's runs to where they belong in the output."""
    rows, columns, x_step = geometry[10], geometry[11], geometry[15]
    _, filters, out_rows, out_columns = shape
    at = (image * filters + filter) * out_rows * out_columns
    if rows == out_rows and columns == out_columns:
        take_rows(result, start, width, out, at, rows, columns)
        return
    at += geometry[12] * out_columns + geometry[13]
    for _ in range(rows):
        copy_strided(out, at, x_step, result, start, 1, columns)
        at += geometry[14] * out_columns
        start += width


@inner_kernel
def _convolve_few(task, relu, x, weight, bias, out, chunk, groups, taps, offsets, geometry):
    """Computes a few images, or groups of channels of them, filter by filter."""
    width, rows, columns = geometry[1], geometry[10], geometry[11]
    size = x.shape[1] * geometry[6] * geometry[7] * geometry[0] * width
    lanes = VECTOR_BYTES // x.itemsize
    pitch = ((rows - 1) * width + columns + lanes - 1) // lanes * lanes
    filters, total = out.shape[1], groups * out.shape[1]
    # So many images at once that what is read has been written a while ago, and is still in the first cache.
    batch = max(1, min(chunk, BATCH // (size + filters * pitch)))
    source = zeros(batch * size + SLACK, x)
    result = aligned_empty(batch * filters * pitch + 8 * lanes, x)
    pixels, flat = x.reshape(x.size), out.reshape(out.size)
    end = min((task + 1) * chunk, out.shape[0])
    for image in range(task * chunk, end, batch):
        images = min(batch, end - image)
        fill_planes(pixels, x.shape, image, images, source, 0, geometry)
        for n in range(images):
            for filter in range(filters):
                index = (image + n) % groups * filters + filter
                start = index * taps
                pixel, at = n * size, (n * filters + filter) * pitch
                left = pitch
                while left > 0:
                    # What is computed beyond the end is overwritten by the next image.
                    if left > 4 * lanes:
                        wide = begin(zero_row(source, 8), bias, index)
                        for k in range(taps):
                            wide = outer(wide, weight, start + k, 1, source, pixel + offsets[k])
                        if bias.size > total:
                            wide = scaled(wide, bias, total + index, total)
                        if relu:
                            wide = clamp(wide)
                        store(wide, result, at, 0)
                    else:
                        slim = begin(zero_row(source, 4), bias, index)
                        for k in range(taps):
                            slim = outer(slim, weight, start + k, 1, source, pixel + offsets[k])
                        if bias.size > total:
                            slim = scaled(slim, bias, total + index, total)
                        if relu:
                            slim = clamp(slim)
                        store(slim, result, at, 0)
                    pixel += 8 * lanes
                    at += 8 * lanes
                    left -= 8 * lanes
        for n in range(images):
            for filter in range(filters):
                _put(result, (n * filters + filter) * pitch, width, flat, out.shape, image + n, filter, geometry)


_convolve_few_all = parallel_kernel(_convolve_few)
