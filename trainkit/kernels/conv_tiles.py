"""Convolution of planes of pixels: filters times vectors of pixels, one tap after another, in three manners.

`convolve_runs` lays an image out and computes runs of pixels across its rows, ROWS filters at a time;
`convolve_few` does so one filter at a time, where there are few to a group. `convolve_panels` copies the taps of as
many pixels as a tile holds, of any rows and images, into a panel that all filters meet: no pixel is computed for
nothing, and what is read again and again stays in the first caches.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from trainkit.kernels.jit import Array, inner_kernel, parallel_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.planes import SLACK, Layout, aligned_empty, fill_all, fill_planes, take_rows, zeros
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
    zero_row,
    zero_tile,
)

__all__ = ["Filters", "convolve"]

FEW = ROWS // 2  # filters in a group up to which one at a time is quicker
PANEL = COLUMNS * VECTOR_BYTES // 4  # pixels of a panel
DEPTH = 256  # taps of a panel: it stays in the second-level cache
PARALLEL = 1 << 15  # elements from which a copy is worth handing out
TASKS = 32  # that a launch should have, if it can
LARGE = 1 << 21  # elements of an image's planes from which reading them for each filter takes too long
CHUNK = 1 << 14  # elements that a task takes together
BATCH = 1 << 12  # elements that it works on at once


class Filters(NamedTuple):
    """A weight as a convolution reads it.

    Attributes:
        weight: contiguous.
        taps: the rows and columns of the kernel.
        start: the index of its first element in `weight`.
        steps: between the elements of group, filter, channel, row and column.
    """

    weight: Array
    taps: tuple[int, int]
    start: int
    steps: tuple[int, ...]


def _packed(filters: Filters, groups: int, count: int, channels: int) -> Array:
    """The weight as tiles read it: (groups, filters / rows, taps, rows) flat; missing filters are zero.

    The number of filters and channels is that of a group.
    """
    weight, taps, start, steps = filters
    rows = 1 if count <= FEW else ROWS
    blocks = -(-count // rows)
    shape = np.array([count, channels, *taps, rows, blocks, start, *steps])
    packed = np.empty(groups * blocks * rows * channels * taps[0] * taps[1], weight.dtype)
    pack = _pack_all if packed.size > PARALLEL else _pack_all.serial
    pack(groups * blocks, weight.reshape(-1), packed, shape)
    return packed


@inner_kernel
def _pack(task, weight, packed, shape):
    filters, channels, height, width, rows, blocks = shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]
    group, block = task // blocks, task % blocks
    taps = channels * height * width
    target = packed[task * rows * taps : (task + 1) * rows * taps]
    start = shape[6] + group * shape[7] + block * rows * shape[8]
    whole = min(rows, filters - block * rows)
    if whole < rows:
        target[:] = 0
    k = 0
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                line = weight[start + c * shape[9] + i * shape[10] + j * shape[11] :]
                goal = target[k : k + rows]
                for r in range(whole):
                    goal[r] = line[r * shape[8]]
                k += rows


_pack_all = parallel_kernel(_pack)


def convolve(x: Array, weight: Filters, bias: Array | None, out: Array, groups: int, plan: Layout) -> None:
    """Writes the convolution of x (N * groups, C, H, W) into the target pixels of out (N * groups, F, OH, OW)."""
    if not out.size:
        return
    images, filters = out.shape[:2]
    taps, geometry = plan.taps, plan.geometry
    rows = 1 if filters <= FEW else ROWS
    blocks = -(-filters // rows)
    shifts = np.zeros((groups, blocks * rows), x.dtype)
    if bias is not None:
        shifts[:, :filters] = bias.reshape(groups, filters)
    shifts = shifts.reshape(-1)
    if filters > FEW and _wants_panels(filters, plan):
        left, steps, places = _left(weight, groups, filters, x.shape[1])
        planes = empty((images, plan.size + SLACK), x.dtype)
        fill_all(images, x, planes, geometry)
        pixels = images // groups * int(geometry[10] * geometry[11])
        panels = -(-pixels // (COLUMNS * VECTOR_BYTES // x.itemsize)) * groups
        parts = min(blocks, -(-TASKS // panels))
        _convolve_panels_all(
            panels * parts, parts, groups, taps, planes, left, steps, places, plan.offsets, shifts, out, geometry
        )
        return
    packed = _packed(weight, groups, filters, x.shape[1])
    if filters <= FEW:
        chunk = max(1, min(images // TASKS, CHUNK // plan.size))
        _convolve_few_all(-(-images // chunk), chunk, groups, taps, x, packed, plan.offsets, shifts, out, geometry)
        return
    parts = 1 if images >= 16 else min(blocks, -(-16 // images))
    _convolve_runs_all(images * parts, parts, groups, taps, x, packed, plan.offsets, shifts, out, geometry)


def _left(weight: Filters, groups: int, filters: int, channels: int) -> tuple[Array, Array, Array]:
    """The left side of a panel: memory, steps, and where in it each tap of a filter lies.

    The steps are those between groups, between filters that are ROWS apart (the ROWS-th part), and between filters.
    A weight is read where it lies, but for a last block that is not whole, and for filters that would all fall into
    one set of the cache.
    """
    step = weight.steps[1]
    if filters % ROWS or step % 1024 == 0:
        taps = channels * weight.taps[0] * weight.taps[1]
        steps = np.array([-(-filters // ROWS) * ROWS * taps, taps, 1])
        return _packed(weight, groups, filters, channels), steps, np.arange(taps) * ROWS
    places = _places(weight.start, weight.steps[2:], (channels, *weight.taps))
    return weight.weight.reshape(-1), np.array([weight.steps[0], step, step]), places


@lru_cache(maxsize=256)
def _places(start: int, steps: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    channel, row, column = np.ogrid[: sizes[0], : sizes[1], : sizes[2]]
    places: Array = start + channel * steps[0] + row * steps[1] + column * steps[2]
    return places.reshape(-1)


def _wants_panels(filters: int, plan: Layout) -> bool:
    """Whether copying the taps of every pixel costs less than computing the pixels between the rows, in cycles a tap.

    Measured: 12 cycles to copy a run of at most a vector, 3 to multiply a vector by a filter's tap.
    """
    runs = PANEL / min(int(plan.geometry[11]), VECTOR_BYTES // 4) + 1
    return 3 * filters * (1 / plan.share - 1) > 12 * runs or plan.size > LARGE


@inner_kernel
def _convolve_runs(task, parts, groups, taps, x, packed, offsets, bias, out, geometry):
    """Computes one part of the filters of one image."""
    image, part = task // parts, task % parts
    width, rows, columns = geometry[1], geometry[10], geometry[11]
    size = x.shape[1] * geometry[6] * geometry[7] * geometry[0] * width
    source = zeros(size + SLACK, x)
    fill_planes(x.reshape(x.size), x.shape, image, 1, source, 0, geometry)
    lanes = VECTOR_BYTES // x.itemsize
    pixels = (rows - 1) * width + columns
    pitch = (pixels + lanes - 1) // lanes * lanes
    result = np.empty(ROWS * pitch + lanes, x.dtype)
    flat = out.reshape(out.size)
    filters = out.shape[1]
    blocks = (filters + ROWS - 1) // ROWS
    group = image % groups
    for block in range(blocks * part // parts, blocks * (part + 1) // parts):
        shift = (group * blocks + block) * ROWS
        start = shift * taps
        pixel = 0
        while pixel + COLUMNS * lanes <= pitch:
            tile = begin(zero_tile(source, COLUMNS), bias, shift)
            for k in range(taps):
                tile = outer(tile, packed, start + k * ROWS, 1, source, pixel + offsets[k])
            store(tile, result, pixel, pitch)
            pixel += COLUMNS * lanes
        if pixel + 2 * lanes <= pitch:
            double = begin(zero_tile(source, 2), bias, shift)
            for k in range(taps):
                double = outer(double, packed, start + k * ROWS, 1, source, pixel + offsets[k])
            store(double, result, pixel, pitch)
            pixel += 2 * lanes
        if pixel < pitch:
            narrow = begin(zero_tile(source, 1), bias, shift)
            for k in range(taps):
                narrow = outer(narrow, packed, start + k * ROWS, 1, source, pixel + offsets[k])
            store(narrow, result, pixel, pitch)
            pixel += lanes
        for r in range(min(ROWS, filters - block * ROWS)):
            _put(result, r * pitch, width, flat, out.shape, image, block * ROWS + r, geometry)


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
def _convolve_few(task, chunk, groups, taps, x, packed, offsets, bias, out, geometry):
    """Computes a few images, or groups of channels of them, filter by filter."""
    width, rows, columns = geometry[1], geometry[10], geometry[11]
    size = x.shape[1] * geometry[6] * geometry[7] * geometry[0] * width
    lanes = VECTOR_BYTES // x.itemsize
    pitch = ((rows - 1) * width + columns + lanes - 1) // lanes * lanes
    filters = out.shape[1]
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
                            wide = outer(wide, packed, start + k, 1, source, pixel + offsets[k])
                        store(wide, result, at, 0)
                    else:
                        slim = begin(zero_row(source, 4), bias, index)
                        for k in range(taps):
                            slim = outer(slim, packed, start + k, 1, source, pixel + offsets[k])
                        store(slim, result, at, 0)
                    pixel += 8 * lanes
                    at += 8 * lanes
                    left -= 8 * lanes
        for n in range(images):
            for filter in range(filters):
                _put(result, (n * filters + filter) * pitch, width, flat, out.shape, image + n, filter, geometry)


_convolve_few_all = parallel_kernel(_convolve_few)


@inner_kernel
def _convolve_panels(task, parts, groups, taps, planes, left, steps, places, offsets, bias, out, geometry):
    """Computes one part of a group's filters for as many pixels as a tile is wide."""
    group, part = task // parts % groups, task % parts
    width, rows, columns = geometry[1], geometry[10], geometry[11]
    lanes = VECTOR_BYTES // planes.itemsize
    wide = COLUMNS * lanes
    filters = out.shape[1]
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
            shift = (group * blocks + block) * ROWS
            start = group * steps[0] + block * ROWS * steps[1]
            at = (block - first) * ROWS * wide
            if count > lanes:
                tile = begin(zero_tile(panel, COLUMNS), bias, shift)
                if k0 > 0:
                    tile = loaded(tile, result, at, wide)
                for k in range(depth):
                    tile = outer(tile, left, start + places[k0 + k], steps[2], panel, k * wide)
                store(tile, result, at, wide)
            else:
                narrow = begin(zero_tile(panel, 1), bias, shift)
                if k0 > 0:
                    narrow = loaded(narrow, result, at, wide)
                for k in range(depth):
                    narrow = outer(narrow, left, start + places[k0 + k], steps[2], panel, k * wide)
                store(narrow, result, at, wide)
    y0, x0, y_step, x_step = geometry[12], geometry[13], geometry[14], geometry[15]
    target, size = out.reshape(out.size), out.shape[2] * out.shape[3]
    for run in range(number):
        at = y0 + runs[run, 1] * y_step, x0 + runs[run, 2] * x_step
        runs[run, 4] = (runs[run, 0] * filters * out.shape[2] + at[0]) * out.shape[3] + at[1]
    for filter in range(first * ROWS, min(end * ROWS, filters)):
        at_run = (filter - first * ROWS) * wide
        for run in range(number):
            copy_strided(target, runs[run, 4] + filter * size, x_step, result, at_run, 1, runs[run, 3])
            at_run += runs[run, 3]


_convolve_panels_all = parallel_kernel(_convolve_panels)
