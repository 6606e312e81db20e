"""The gradient of a convolution's weight with pixels in the lanes: dot products of planes, lanes summed at the end.

`_correlate` reads the output's gradient where it lies and lays the input out so that it may: a plane for each column
of taps, whose rows are as long as those of the output. `_correlate_few` lays both out and takes one filter at a time,
where there are few to a group.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from trainkit.kernels.conv_filters import FEW
from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel
from trainkit.kernels.planes import SLACK, Layout, Target, fill_planes, lay_rows, layout, zeros
from trainkit.kernels.simd import (
    COLUMNS,
    ROWS,
    VECTOR_BYTES,
    copy_vector,
    inner,
    loaded,
    store,
    sums,
    zero_row,
)
from trainkit.kernels.simd_apart import inner_apart, inner_end
from trainkit.kernels.simd_pieces import tile_like

__all__ = ["SERIAL", "correlate", "cut", "wants_pixels"]

Pair = tuple[int, int]
BATCH = 1 << 14  # elements of the images that are laid out together where filters are few
MOST, TOGETHER = 6400, 704  # pixels of a block, at most, and of several images in one
MOST_CHUNKS = 16  # of partial sums: fixed, so that they are added in the same order on any machine
MOST_PARTIAL = 1 << 20  # elements of all partial sums
SUMMING = 3200  # pixels that a chunk has at least: that many take twenty times as long as to sum the lanes
TASKS, MOST_TASKS = 8, 32  # that a launch should have, if it can
SERIAL = 1 << 20  # multiply-adds below which handing out work costs more than it saves
MOST_SUMS = 1 << 18  # elements of the sums of a part, lanes apart
TILES = ((ROWS, COLUMNS), (5, 5), (6, 4)) if VECTOR_BYTES == 64 else ((ROWS, COLUMNS),)  # what registers hold


def wants_pixels(filters: int, channels: int, area: int) -> bool:
    """Whether channels in the lanes are quicker: where they fill them, and a pixel's vector meets some products."""
    lanes = VECTOR_BYTES // 4
    return filters * area >= FEW and channels >= lanes and channels >= 0.85 * -(-channels // lanes) * lanes


def cut(images: int, rows: int, columns: int, together: int, most: int) -> Pair:
    """Into how many bands of rows an image is cut, and how many images lie together in a block.

    A block has at most so many pixels: of images together, and of a band.
    """
    if rows * columns > most:
        return -(-rows // max(1, most // columns)), 1
    count = max(1, min(together // (rows * columns), images))
    return 1, -(-images // -(-images // count))


def correlate(
    grad: Array, x: Array, groups: int, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """Sums grad (N * groups, F, OH, OW) times x (N * groups, C, H, W) at each tap: (groups * F, C * taps)."""
    (images, filters, *target), (_, channels, *size) = grad.shape, x.shape
    lanes = VECTOR_BYTES // x.itemsize
    how = tuple(size), kernel_size, stride, dilation, padding, Target((target[0], target[1]))
    fitting = tuple(tile for tile in TILES if FEW < filters >= tile[0])
    if not fitting:
        return _correlate_singly(grad, x, groups, layout(channels, *how))
    plan = _plan(images // groups, filters, channels, groups, lanes, fitting, how)
    area = target[0] * target[1]
    if area < lanes:
        grad = np.pad(grad.reshape(*grad.shape[:2], area), ((0, 0), (0, 0), (0, lanes - area)))
    taps = channels * kernel_size[0] * kernel_size[1]
    partial = empty((plan.chunks, groups * filters, taps), grad.dtype)
    launch = _correlate_all if grad.size * taps > SERIAL else _correlate_all.serial
    launch(
        plan.tasks, grad.reshape(-1), x.reshape(-1), partial, plan.planes, plan.places, plan.shape, plan.geometry,
        *plan.tile,
    )  # fmt: skip
    total: Array = partial[0] if plan.chunks == 1 else partial.sum(axis=0)
    return total


class _Plan(NamedTuple):
    """How images are cut into blocks and laid out.

    Attributes:
        shape: the numbers that the kernel begins with.
        planes: where each plane of a channel begins, in the image as it lies.
        places: of each tap (c, i, j) of a part, in the planes; the last repeated until they fill tiles.
        geometry: of the image as it lies.
        tile: tuples as long as a tile is high, and wide.
        chunks: of the blocks, each with sums of its own.
        tasks: their number.
    """

    shape: Array
    planes: Array
    places: Array
    geometry: Array
    tile: tuple[tuple[int, ...], tuple[int, ...]]
    chunks: int
    tasks: int


@lru_cache(maxsize=256)
def _plan(
    images: int, filters: int, channels: int, groups: int, lanes: int, fitting: tuple[Pair, ...], how: Any
) -> _Plan:
    """Cut the work by its sizes alone."""
    size, (height, width), *_, ((rows, columns), *_) = how
    taps, area = height * width, rows * columns
    total = groups * filters * channels * taps
    chunks = max(1, min(images * area // SUMMING, -(-TASKS // groups), MOST_PARTIAL // total))
    bands, together = cut(-(-images // chunks), rows, columns, TOGETHER, MOST)
    blocks = bands * -(-images // together)
    chunks = min(chunks, blocks)
    parts = min(channels, max(-(-TASKS // (chunks * groups)), -(-total * lanes // (groups * MOST_SUMS))))
    own = -(-channels // parts)
    high, wide = min(fitting, key=lambda tile: _cost(tile, filters, own * taps))
    plan = layout(1, *how, True)
    phases, across = int(plan.geometry[6]), plan.width
    row = np.arange(height)
    lowered = (plan.offsets[row * width] - plan.offsets[row % phases * width]) // across
    rise = int(lowered.max())
    plane = (-(-rows // bands) + rise) * columns
    step = own * phases * width * plane
    c, i, j = np.ogrid[:own, :height, :width]
    places = (((c * phases + i % phases) * width + j) * plane + lowered[i] * columns).ravel()
    places = np.pad(places, (0, -places.size % wide), mode="edge")
    # One piece of memory: the images as they lie, a plane for each column of taps, and the sums.
    source = (own * plan.size + SLACK) // lanes * lanes
    found = source + (together * step + 2 * lanes) // lanes * lanes
    end = found + -(-filters // high) * high * places.size * lanes + SLACK
    shape = [images, filters, channels, groups, chunks, parts, *size, taps, phases * width]
    shape += [bands, together, blocks, max(area, lanes), plan.size, plane, rise, step, source, found, end]
    tile = (0,) * high, (0,) * wide
    return _Plan(
        np.array(shape), plan.offsets[: phases * width], places, plan.geometry, tile, chunks, chunks * groups * parts
    )


def _cost(tile: Pair, filters: int, taps: int) -> float:
    """What tiles of a height and a width cost that cover filters and taps."""
    high, wide = tile
    step = 1.0 if tile == TILES[0] else 1.04
    return step * high * wide * -(-filters // high) * -(-taps // wide)


@inner_kernel
def _correlate(task, grad, x, partial, planes, places, shape, geometry, high, wide):
    """Sums one part of a group's channels over one chunk of the blocks. What is flat comes flat."""
    filters, channels, groups, chunks, parts, taps = shape[1], shape[2], shape[3], shape[4], shape[5], shape[8]
    bands, together, blocks, area, plane, rise = shape[10], shape[11], shape[12], shape[13], shape[15], shape[16]
    step, source, found = shape[17], shape[18], shape[19]
    chunk, group, part = task // (parts * groups), task // parts % groups, task % parts
    rows, columns, across = geometry[10], geometry[11], geometry[1]
    lanes = VECTOR_BYTES // x.itemsize
    begin = channels * part // parts
    own = channels * (part + 1) // parts - begin
    pitch = len(wide) * lanes
    work = zeros(shape[20], x)
    most = together * max(1, plane // lanes)
    left, right = np.empty(most + together, np.int64), np.empty(most + together, np.int64)
    start = blocks * chunk // chunks
    for block in range(start, blocks * (chunk + 1) // chunks):
        band, image = block % bands, block // bands * together
        images = min(together, shape[0] - image)
        first = rows * band // bands
        count = rows * (band + 1) // bands - first
        whole = count * columns // lanes * lanes
        rest = count * columns - whole
        if area > rows * columns:
            whole, rest = lanes, 0
        k = 0
        for n in range(images):
            index = (image + n) * groups + group
            if band == 0 or block == start:
                fill_planes(x, (0, 1, shape[6], shape[7]), index * channels + begin, own, work, 0, geometry)
            to = source + n * step
            for c in range(own):
                for tap in range(shape[9]):
                    at = c * shape[14] + planes[tap] + first * across
                    for _ in range(count + rise):
                        # Writes whole vectors: what is too much is overwritten by the next row.
                        for i in range(0, columns, lanes):
                            copy_vector(work, to + i, work, at + i)
                        to += columns
                        at += across
                    to += plane - (count + rise) * columns
            at = index * filters * area + first * columns
            for i in range(0, whole, lanes):
                left[k], right[k] = at + i, source + n * step + i
                k += 1
            last = whole + rest - lanes
            left[most + n], right[most + n] = at + last, source + n * step + last
        to = found
        for strip in range(0, filters, len(high)):
            filter = min(strip, filters - len(high))  # the last strip begins early where it is not whole
            for place in range(0, own * taps, len(wide)):
                tile = loaded(tile_like(x, high, wide), work, to, pitch)
                for i in range(k):
                    tile = inner_apart(tile, grad, left[i] + filter * area, area, work, right[i], places, place)
                if rest > 0:
                    for n in range(images):
                        at, b = left[most + n] + filter * area, right[most + n]
                        tile = inner_end(tile, grad, at, area, work, b, places, place, rest)
                store(tile, work, to, pitch)
                to += len(high) * pitch
    total = np.empty(len(high) * len(wide), x.dtype)
    for strip in range(0, filters, len(high)):
        filter = group * filters + min(strip, filters - len(high))
        for k in range(0, own * taps, len(wide)):
            sums(loaded(tile_like(x, high, wide), work, found, pitch), total, 0)
            found += len(high) * pitch
            for r in range(len(high)):
                for c in range(min(len(wide), own * taps - k)):
                    partial[chunk, filter + r, begin * taps + k + c] = total[r * len(wide) + c]


_correlate_all = parallel_kernel(_correlate)


def _correlate_singly(grad: Array, x: Array, groups: int, plan: Layout) -> Array:
    """What `correlate` does for few filters to a group."""
    images, filters, taps = grad.shape[0] // groups, grad.shape[1], plan.taps
    most = min(MOST_CHUNKS, -(-MOST_TASKS // groups), MOST_PARTIAL // (groups * filters * taps))
    chunks = max(1, min(images, most))
    partial = empty((chunks, groups * filters, taps), grad.dtype)
    spans = min(groups, -(-MOST_TASKS // chunks))
    launch = _correlate_few_all if grad.size * taps > SERIAL else _correlate_few_all.serial
    launch(chunks * spans, spans, groups, grad, x, plan.offsets, partial, plan.geometry)
    total: Array = partial[0] if chunks == 1 else partial.sum(axis=0)
    return total


@inner_kernel
def _correlate_few(task, spans, groups, grad, x, offsets, partial, geometry):
    """Computes the gradient of one span of groups over one chunk of images."""
    chunk, span = task // spans, task % spans
    width, rows, columns = geometry[1], geometry[10], geometry[11]
    chunks, filters, taps = partial.shape[0], grad.shape[1], partial.shape[2]
    lanes = VECTOR_BYTES // x.itemsize
    pitch = ((rows - 1) * width + columns + lanes - 1) // lanes * lanes
    total = grad.shape[0] // groups
    start, stop = total * chunk // chunks, total * (chunk + 1) // chunks
    size = x.shape[1] * geometry[6] * geometry[7] * geometry[0] * width + SLACK
    area = filters * pitch
    most = min(stop - start, max(1, BATCH // (size + area)))
    source = zeros(most * size, x)
    upstream = zeros(most * area, x)
    flat, pixels = grad.reshape(grad.size), x.reshape(x.size)
    found = np.empty(COLUMNS, x.dtype)
    for group in range(groups * span // spans, groups * (span + 1) // spans):
        partial[chunk, group * filters : (group + 1) * filters] = 0
        for image in range(start, stop, most):
            batch = min(most, stop - image)
            for n in range(batch):
                index = (image + n) * groups + group
                fill_planes(pixels, x.shape, index, 1, source, n * size, geometry)
                for f in range(filters):
                    to = n * area + f * pitch
                    at = (index * filters + f) * rows * columns
                    lay_rows(flat, at, rows, columns, upstream, to, width)
            for f in range(filters):
                for k in range(0, taps, COLUMNS):
                    tile = zero_row(source, COLUMNS)
                    for n in range(batch):
                        at = n * area + f * pitch
                        b0, b1, b2 = n * size + offsets[k], n * size + offsets[k + 1], n * size + offsets[k + 2]
                        for pixel in range(0, pitch, lanes):
                            tile = inner(tile, upstream, at + pixel, 0, source, b0 + pixel, b1 + pixel, b2 + pixel)
                    sums(tile, found, 0)
                    for c in range(min(COLUMNS, taps - k)):
                        partial[chunk, group * filters + f, k + c] += found[c]


_correlate_few_all = parallel_kernel(_correlate_few)
