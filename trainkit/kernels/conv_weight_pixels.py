"""The gradient of a convolution's weight with channels in the lanes: filters times channels, summed over pixels.

A task takes blocks of pixels: a band of rows of an image, or several small images. It lays the input out as vectors of
channels and the output's gradient as vectors of filters, and adds their products to tiles of the sum, which stays in
the second cache. No pixel between the rows is computed and no lanes are summed.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from trainkit.kernels.conv_weight import SERIAL, cut
from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel
from trainkit.kernels.planes import zeros
from trainkit.kernels.simd import COLUMNS, ROWS, VECTOR_BYTES, clear, copy, loaded, store, turn, zero_tile
from trainkit.kernels.simd_apart import outer_apart
from trainkit.kernels.winograd import lay

__all__ = ["correlate_pixels"]

Pair = tuple[int, int]
MOST = 256  # pixels of a block: enough that a tile is seldom read and written
MOST_PARTIAL = 1 << 20  # elements of all partial sums
MOST_SUMS = 1 << 18  # elements of the sums of a part
TASKS = 8  # that a launch should have, if it can: with their own sums, so the number is the same on any machine


class _Plan(NamedTuple):
    """How images are cut into blocks.

    Attributes:
        geometry: images, and of an image the height, row length, zeros above, row length and rows of a block's padded
            plane; row step, rows and columns of the result; bands of an image and images of a block.
        places: where in the padded plane each pixel of the image lies.
        offsets: of each tap from a pixel's place.
        blocks: their number.
    """

    geometry: Array
    places: Array
    offsets: Array
    blocks: int


@lru_cache(maxsize=256)
def _plan(
    images: int,
    chunks: int,
    size: Pair,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    target: Pair,
) -> _Plan:
    """Cut images into blocks. In a row of a plane lie first the columns of one phase of the step, then of the next.

    What no tap reads is laid in a column of its own.
    """
    rows, columns = target
    bands, together = cut(-(-images // chunks), rows, columns, MOST, MOST)
    tap = np.arange(kernel_size[1]) * dilation[1]
    phases = sorted(set((tap % stride[1]).tolist()))
    index = np.full(stride[1], -1)
    index[phases] = range(len(phases))
    across = columns + int(tap[-1]) // stride[1]
    width = len(phases) * across + 1
    x = np.arange(size[1]) + padding[1]
    read = (x >= 0) & (x < across * stride[1]) & (index[x % stride[1]] >= 0)
    column = np.where(read, index[x % stride[1]] * across + x // stride[1], width - 1)
    row = np.arange(size[0])[:, None] + padding[0]
    below = np.arange(kernel_size[0])[:, None] * (dilation[0] * width)
    offsets = below + index[tap % stride[1]] * across + tap // stride[1]
    high = (-(-rows // bands) - 1) * stride[0] + (kernel_size[0] - 1) * dilation[0] + 1
    geometry = [images, *size, padding[0], width, high, stride[0], rows, columns, bands, together]
    places = (row * width + column).astype(np.int32).ravel()
    return _Plan(np.array(geometry), places, offsets.ravel(), bands * -(-images // together))


def correlate_pixels(
    grad: Array, x: Array, groups: int, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """Sums grad (N * groups, F, OH, OW) times x (N * groups, C, H, W) at each tap: (groups * F, C * taps)."""
    (images, filters, *target), (_, channels, *size) = grad.shape, x.shape
    images //= groups
    taps = kernel_size[0] * kernel_size[1]
    lanes = VECTOR_BYTES // x.itemsize
    vectors = -(-channels // lanes) * taps
    unit = max(lanes, ROWS)
    units = -(-filters // unit)
    sums = groups * units * unit * vectors * lanes
    chunks = max(1, min(-(-TASKS // groups), MOST_PARTIAL // sums))
    plan = _plan(images, chunks, tuple(size), kernel_size, stride, padding, dilation, tuple(target))
    chunks = min(chunks, plan.blocks)
    parts = min(units, max(-(-sums // groups // MOST_SUMS), -(-TASKS // (chunks * groups))))
    partial = empty((chunks, groups * units * (unit // ROWS), ROWS * vectors * lanes), x.dtype)
    shape = np.array([filters, channels, groups, chunks, parts, units, unit, plan.blocks])
    serial = grad.size * channels * taps <= SERIAL
    launch, finish = (_correlate_all.serial, _finish_all.serial) if serial else (_correlate_all, _finish_all)
    launch(
        chunks * groups * parts, grad.reshape(-1), x.reshape(-1), partial.reshape(-1), plan.places, plan.offsets, shape,
        plan.geometry,
    )  # fmt: skip
    out = empty((groups * filters, channels * taps), x.dtype)
    finish(groups * -(-filters // ROWS), partial, taps, shape, out.reshape(-1))
    return out


@inner_kernel
def _correlate(task, grad, x, partial, places, offsets, shape, geometry):
    """Sums one part of a group's filters over one chunk of the blocks. All arrays are flat."""
    filters, channels, groups, chunks, parts = shape[0], shape[1], shape[2], shape[3], shape[4]
    units, unit, blocks = shape[5], shape[6], shape[7]
    chunk, group, part = task // (parts * groups), task // parts % groups, task % parts
    lanes = VECTOR_BYTES // x.itemsize
    taps, deep = offsets.size, (channels + lanes - 1) // lanes
    begin, end = units * part // parts, units * (part + 1) // parts
    all_rows = min((end - begin) * unit, (filters + ROWS - 1) // ROWS * ROWS - begin * unit)
    height, row, top, width, high, step = geometry[1], geometry[2], geometry[3], geometry[4], geometry[5], geometry[6]
    rows, columns, bands, together = geometry[7], geometry[8], geometry[9], geometry[10]
    most = together * ((rows + bands - 1) // bands) * columns
    plane = high * width
    upstream = deep * together * plane * lanes
    work = zeros(upstream + (end - begin) * most * unit, x)
    steps = np.empty(most, np.int64)
    vectors = deep * taps
    starts = np.empty(vectors, np.int64)
    for v in range(deep):
        for tap in range(taps):
            starts[v * taps + tap] = (v * together * plane + offsets[tap]) * lanes
    panels = (vectors + COLUMNS - 1) // COLUMNS
    pitch = vectors * lanes
    sums = ((chunk * groups + group) * units + begin) * unit * pitch
    clear(partial, sums, (end - begin) * unit * pitch)
    for block in range(blocks * chunk // chunks, blocks * (chunk + 1) // chunks):
        image = block // bands * together
        images = min(together, geometry[0] - image)
        first = rows * (block % bands) // bands
        count = rows * (block % bands + 1) // bands - first
        if bands > 1:
            clear(work, 0, upstream)
        start, stop = max(0, first * step - top), min(height, first * step - top + high)
        for v in range(deep):
            channel = max(0, min(v * lanes, channels - lanes))
            shift = first * step * width - v * together * plane
            for n in range(images):
                index = (image + n) * groups + group
                lay(x, index, 1, channels, channel, height * row, start * row, stop * row, places, shift, plane, work)
                shift -= plane
        pixels = count * columns
        depth = images * pixels
        k = 0
        for n in range(images):
            for y in range(count):
                for i in range(columns):
                    steps[k] = (n * plane + y * step * width + i) * lanes
                    k += 1
            at = (((image + n) * groups + group) * filters * rows + first) * columns
            _turn_filters(grad, at, rows * columns, filters, begin, end, pixels, unit, work, upstream, n, depth)
        for panel in range(panels):
            vector = vectors * panel // panels
            wide = vectors * (panel + 1) // panels - vector
            last = vector + wide - 1
            b0, b1, b2 = starts[vector], starts[min(vector + 1, last)], starts[last]
            to = sums + vector * lanes
            for filter in range(0, all_rows, ROWS):
                left = upstream + filter // unit * depth * unit + filter % unit
                if wide == COLUMNS:
                    tile = loaded(zero_tile(x, COLUMNS), partial, to, pitch)
                    for k in range(depth):
                        b = steps[k]
                        tile = outer_apart(tile, work, left + k * unit, work, b0 + b, b1 + b, b2 + b)
                    store(tile, partial, to, pitch)
                elif wide == 2:
                    double = loaded(zero_tile(x, 2), partial, to, pitch)
                    for k in range(depth):
                        b = steps[k]
                        double = outer_apart(double, work, left + k * unit, work, b0 + b, b1 + b, b2 + b)
                    store(double, partial, to, pitch)
                else:
                    thin = loaded(zero_tile(x, 1), partial, to, pitch)
                    for k in range(depth):
                        b = steps[k]
                        thin = outer_apart(thin, work, left + k * unit, work, b0 + b, b1 + b, b2 + b)
                    store(thin, partial, to, pitch)
                to += ROWS * pitch


_correlate_all = parallel_kernel(_correlate)


@inner_kernel
def _turn_filters(grad, at, area, filters, begin, end, pixels, unit, work, to, image, depth):
    """Lays the pixels of an image's filters from unit `begin` to `end`, a unit side by side."""
    lanes = VECTOR_BYTES // grad.itemsize
    to += image * pixels * unit
    for filter in range(begin * unit, end * unit, lanes):
        source, count = at + filter * area, min(lanes, filters - filter)
        goal = to + (filter // unit - begin) * depth * unit + filter % unit
        if count > 0 and pixels >= lanes:
            for p in range(0, pixels, lanes):
                q = min(p, pixels - lanes)  # the last run begins early: its pixels are laid twice
                turn(work, goal + q * unit, unit, grad, source + q, area, count)
        else:
            for c in range(count):
                for p in range(pixels):
                    work[goal + p * unit + c] = grad[source + c * area + p]


@inner_kernel
def _finish(task, partial, taps, shape, out):
    """Adds the chunks' sums of a block of filters and writes them in the order of a weight."""
    filters, channels, unit = shape[0], shape[1], shape[6]
    blocks = (filters + ROWS - 1) // ROWS
    group, block = task // blocks, task % blocks
    lanes = VECTOR_BYTES // out.itemsize
    line = group * shape[5] * (unit // ROWS) + block
    total = partial[0, line]
    for chunk in range(1, partial.shape[0]):
        more = partial[chunk, line]
        for i in range(total.size):
            total[i] += more[i]
    pitch = total.size // ROWS
    found = np.empty(taps * lanes + lanes, out.dtype)
    for r in range(min(ROWS, filters - block * ROWS)):
        for v in range(pitch // (taps * lanes)):
            channel = max(0, min(v * lanes, channels - lanes))
            at = r * pitch + v * taps * lanes
            # The taps that fill no vector come first: what is written beyond them is written over.
            tap = taps // lanes * lanes
            if tap < taps:
                turn(found, tap, taps, total, at + tap * lanes, lanes, taps - tap)
            for full in range(0, tap, lanes):
                turn(found, full, taps, total, at + full * lanes, lanes, lanes)
            to = ((group * filters + block * ROWS + r) * channels + channel) * taps
            copy(out, to, found, 0, min(lanes, channels) * taps)


_finish_all = parallel_kernel(_finish)
