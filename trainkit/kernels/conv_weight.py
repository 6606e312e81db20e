"""The gradient of a convolution's weight: sums over pixels, in three manners.

`_correlate` has pixels in the lanes, ROWS filters and three taps in a tile, and sums the lanes at the end;
`_correlate_few` does so one filter at a time, where there are few to a group. `_correlate_pixels` has channels in the
lanes, which lie side by side in a pixel: no pixel between the rows is computed and no lanes are summed.
"""

import numpy as np

from trainkit.kernels.jit import Array, inner_kernel, parallel_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.planes import SLACK, Layout, fill_pixels_all, fill_planes, lay_rows, zeros
from trainkit.kernels.simd import COLUMNS, ROWS, VECTOR_BYTES, inner, outer, store, sums, zero_row, zero_tile

__all__ = ["correlate", "correlate_pixels", "wants_pixels"]

# The images whose products a tile adds up before its lanes are summed: so many elements fit the level-2 cache.
BATCH = 1 << 17
MOST_CHUNKS = 16  # of partial sums: fixed, so that they are added in the same order on any machine
MOST_PARTIAL = 1 << 20  # elements of all partial sums
LARGE = 1 << 17  # elements of a weight whose lanes take long to sum
FEW = ROWS // 2  # filters in a group up to which one at a time is quicker
TASKS = 32  # that a launch should have, if it can


def _chunks(images: int, elements: int) -> int:
    return max(1, min(images, MOST_CHUNKS, MOST_PARTIAL // elements))


def wants_pixels(filters: int, channels: int, plan: Layout) -> bool:
    """Whether laying channels side by side costs less than the pixels between the rows and the sums of lanes.

    The former must be met by enough filters, the latter count where planes are small or weights are large.
    """
    enough = filters >= ROWS and channels >= 16 and filters * plan.taps >= 256 * channels
    return enough and (plan.share < 0.97 or filters * plan.taps > LARGE)


def correlate(grad: Array, x: Array, groups: int, plan: Layout) -> Array:
    """Sums grad (N * groups, F, OH, OW) times x (N * groups, C, H, W) at each tap: (groups * F, taps)."""
    images, filters, taps = grad.shape[0] // groups, grad.shape[1], plan.taps
    chunks = _chunks(images, groups * filters * taps)
    partial = empty((chunks, groups * filters, taps), grad.dtype)
    if filters <= FEW:
        chunks = min(chunks, -(-TASKS // groups))
        partial = partial[:chunks]
        spans = min(groups, -(-TASKS // chunks))
        _correlate_few_all(chunks * spans, spans, groups, grad, x, plan.offsets, partial, plan.geometry)
    else:
        blocks = -(-filters // ROWS)
        parts = min(blocks, -(-MOST_CHUNKS // (chunks * groups)))
        _correlate_all(chunks * groups * parts, parts, groups, grad, x, plan.offsets, partial, plan.geometry)
    total: Array = partial[0] if chunks == 1 else partial.sum(axis=0)
    return total


@inner_kernel
def _correlate(task, parts, groups, grad, x, offsets, partial, geometry):
    """Computes the gradient of one part of a group's filters over one chunk of images."""
    chunk, group, part = task // (parts * groups), task // parts % groups, task % parts
    width, rows, columns = geometry[1], geometry[10], geometry[11]
    chunks, filters, taps = partial.shape[0], grad.shape[1], partial.shape[2]
    lanes = VECTOR_BYTES // x.itemsize
    pitch = ((rows - 1) * width + columns + lanes - 1) // lanes * lanes
    images = grad.shape[0] // groups
    start = images * chunk // chunks
    images = images * (chunk + 1) // chunks - start
    size = x.shape[1] * geometry[6] * geometry[7] * geometry[0] * width + SLACK
    blocks = (filters + ROWS - 1) // ROWS
    first, end = blocks * part // parts * ROWS, blocks * (part + 1) // parts * ROWS
    area = (end - first) * pitch
    batch = min(images, max(1, BATCH // (size + area)))
    source = zeros(batch * size, x)
    upstream = zeros(batch * area, x)
    flat, pixels = grad.reshape(grad.size), x.reshape(x.size)
    found = np.empty(ROWS * COLUMNS, x.dtype)
    base = group * filters
    partial[chunk, base + first : base + min(end, filters)] = 0
    for image in range(0, images, batch):
        batch = min(batch, images - image)
        for n in range(batch):
            index = (start + image + n) * groups + group
            fill_planes(pixels, x.shape, index, 1, source, n * size, geometry)
            for f in range(first, min(end, filters)):
                to = n * area + (f - first) * pitch
                lay_rows(flat, (index * filters + f) * rows * columns, rows, columns, upstream, to, width)
        for block in range(0, end - first, ROWS):
            for k in range(0, taps, COLUMNS):
                tile = zero_tile(source, COLUMNS)
                for n in range(batch):
                    at = n * area + block * pitch
                    b0, b1, b2 = n * size + offsets[k], n * size + offsets[k + 1], n * size + offsets[k + 2]
                    for pixel in range(0, pitch, lanes):
                        tile = inner(tile, upstream, at + pixel, pitch, source, b0 + pixel, b1 + pixel, b2 + pixel)
                sums(tile, found, 0)
                for r in range(min(ROWS, filters - first - block)):
                    for c in range(min(COLUMNS, taps - k)):
                        partial[chunk, base + first + block + r, k + c] += found[r * COLUMNS + c]


_correlate_all = parallel_kernel(_correlate)


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
    most = min(stop - start, max(1, BATCH // 8 // (size + area)))
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


def correlate_pixels(grad: Array, x: Array, groups: int, plan: Layout) -> Array:
    """What `correlate` does, with channels in the lanes; `plan` is of one channel, the filters at least ROWS."""
    images, filters, channels = grad.shape[0] // groups, grad.shape[1], x.shape[1]
    lanes = VECTOR_BYTES // x.itemsize
    pitch = (-(-channels // lanes) | 1) * lanes  # odd, so that pixels do not all fall into the same sets of the cache
    taps = plan.taps
    chunks = _chunks(images, groups * filters * channels * taps)
    partial = empty((chunks, groups * filters, channels * taps), grad.dtype)
    parts = min(-(-filters // ROWS), -(-TASKS // (chunks * groups)))
    pixels = empty((images * groups, plan.size * pitch), x.dtype)
    fill_pixels_all(images * groups, x, pixels, plan.geometry, pitch)
    _correlate_pixels_all(
        chunks * groups * parts,
        parts,
        groups,
        taps,
        channels,
        pitch,
        grad,
        pixels,
        plan.offsets,
        partial,
        plan.geometry,
    )
    total: Array = partial[0] if chunks == 1 else partial.sum(axis=0)
    return total


@inner_kernel
def _correlate_pixels(task, parts, groups, taps, channels, pitch, grad, pixels, offsets, partial, geometry):
    """Computes the gradient of one part of a group's filters over one chunk of images."""
    chunk, group, part = task // (parts * groups), task // parts % groups, task % parts
    width, rows, columns = geometry[1], geometry[10], geometry[11]
    chunks, filters = partial.shape[0], grad.shape[1]
    lanes = VECTOR_BYTES // grad.itemsize
    wide = COLUMNS * lanes
    images = grad.shape[0] // groups
    start, stop = images * chunk // chunks, images * (chunk + 1) // chunks
    blocks = (filters + ROWS - 1) // ROWS
    upstream, source = grad.reshape(grad.size), pixels.reshape(pixels.size)
    area = rows * columns
    found = np.empty(ROWS * wide, grad.dtype)
    depth = (channels + lanes - 1) // lanes * lanes
    for c0 in range(0, depth, wide):
        for block in range(blocks * part // parts, blocks * (part + 1) // parts):
            first = min(block * ROWS, filters - ROWS)  # the last block begins early where it is not whole
            for tap in range(taps):
                offset = offsets[tap] * pitch + c0
                if c0 + wide <= depth:
                    tile = zero_tile(grad, COLUMNS)
                    for n in range(start, stop):
                        index = n * groups + group
                        a, b = (index * filters + first) * area, index * pixels.shape[1] + offset
                        for _ in range(rows):
                            for column in range(columns):
                                tile = outer(tile, upstream, a + column, area, source, b + column * pitch)
                            a += columns
                            b += width * pitch
                    store(tile, found, 0, wide)
                elif c0 + 2 * lanes == depth:
                    double = zero_tile(grad, 2)
                    for n in range(start, stop):
                        index = n * groups + group
                        a, b = (index * filters + first) * area, index * pixels.shape[1] + offset
                        for _ in range(rows):
                            for column in range(columns):
                                double = outer(double, upstream, a + column, area, source, b + column * pitch)
                            a += columns
                            b += width * pitch
                    store(double, found, 0, wide)
                else:
                    thin = zero_tile(grad, 1)
                    for n in range(start, stop):
                        index = n * groups + group
                        a, b = (index * filters + first) * area, index * pixels.shape[1] + offset
                        for _ in range(rows):
                            for column in range(columns):
                                thin = outer(thin, upstream, a + column, area, source, b + column * pitch)
                            a += columns
                            b += width * pitch
                    store(thin, found, 0, wide)
                for f in range(block * ROWS, min((block + 1) * ROWS, filters)):
                    line = found[(f - first) * wide :]
                    goal = partial[chunk, group * filters + f, c0 * taps + tap :]
                    for c in range(min(wide, channels - c0)):
                        goal[c * taps] = line[c]


_correlate_pixels_all = parallel_kernel(_correlate_pixels)
