"""Winograd's convolution F(4x4, 3x3): a quarter of the multiplications for 3x3 filters that move by single pixels.

A task takes blocks of tiles, so many that they stay near in the caches. It carries the pixels of a vector of channels
over (`spread`), transforms them, multiplies the 36 matrices (tiles, channels) by (channels, filters) in register tiles,
transforms back and carries the result to the planes of the output (`collect`). Channels and filters are in the lanes:
nothing depends on the width of an image. Filters that move by two pixels, and their gradients of the input, go the same
way with 81 products: their `kind` is STRIDED or SPACED.

A NaN or an infinity reaches every output of the tiles of 4x4 whose 6x6 inputs hold it, and makes them NaN.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from trainkit.kernels.conv_filters import Filters
from trainkit.kernels.jit import Array, exact_inner_kernel, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import get_num_threads, parallel_kernel
from trainkit.kernels.planes import aligned_empty
from trainkit.kernels.simd import COLUMNS, ROWS, VECTOR_BYTES, clear, outer, store, zero_tile
from trainkit.kernels.winograd_transforms import (
    PLAIN,
    SPACED,
    STRIDED,
    collect,
    data_transform,
    filter_transform,
    output_transform,
    spread,
)

__all__ = ["SIDES", "Plan", "convolve_tiles", "lay", "plan_tiles", "shared", "span", "transform_data", "wants_tiles"]

Pair = tuple[int, int]
PRODUCTS = 36  # of a tile, for each channel and filter; so many numbers a filter becomes, whatever the kind
SIDES = {PLAIN: (6, 4, 6, 4), STRIDED: (9, 8, 9, 4), SPACED: (9, 4, 5, 8)}
"""Of each kind the products, the pixels to the next tile, those that a tile reads and those it gives: in a line."""
CACHED = 1 << 18  # elements of the transformed tiles of a block: they stay in the second-level cache
LEAST, MOST = 16, 256  # tiles of a block
TASKS = 32  # that a launch should have, if it can
SHARES, PART = 8, 96  # that blocks and parts of the filters should be, and the filters of one part
PARTS = 2  # for each thread, into which filters are cut where there are few blocks: that changes no sum
LARGE = 1 << 22  # elements of transformed filters that are not kept, where few blocks need them
LAUNCH = 30_000  # cycles that a launch takes
CARRY, TURN = 280, 200  # cycles to carry and transform a tile's vector, and to transform a vector of filters
FURTHER, SLOWER = 1000, 1.4  # what CARRY is where filters move by two pixels, and how much longer taps take there


class Plan(NamedTuple):
    """How images are cut into tiles.

    Attributes:
        geometry: images, and of an image the height, width, zeros above, columns cut off at the left, row length of its
            padded plane, rows and columns of the result, rows and columns of tiles; blocks of an image, images of a
            block, and the most tiles of a block; the sides of the kind, and the rows of the first tile that are above
            the result.
        taken: where in the padded plane each pixel of the image lies.
        given: where in a plane of whole tiles each pixel of the result lies.
        blocks: their number.
    """

    geometry: Array
    taken: Array
    given: Array
    blocks: int


@lru_cache(maxsize=256)
def plan_tiles(
    images: int,
    channels: int,
    filters: int,
    size: Pair,
    padding: Pair,
    target: Pair,
    kind: tuple[int, ...] = PLAIN,
    before: Pair = (0, 0),
    least: int = LEAST,
) -> Plan:
    """Cut images of a size, with zeros above and to the left, into blocks of tiles for results of the target's size.

    The cut depends on shapes alone. The first tile begins so many pixels `before` the result. A block has `least` tiles
    where there are enough: three times as many if they are PLAIN.
    """
    side, move, reach, give = SIDES[kind]
    tile_rows, tile_columns = -(-(target[0] + before[0]) // give), -(-(target[1] + before[1]) // give)
    tiles = tile_rows * tile_columns
    most = min(MOST, max(3 * least if kind == PLAIN else least, CACHED // (side**2 * (channels + filters))))
    most = max(LEAST, min(most, images * tiles * (1 + filters // PART) // SHARES))
    parts, together = 1, 1
    if tiles > most:
        parts = -(-tile_rows // max(1, most // tile_columns))
    else:
        together = _fullest(tiles, min(images, most // tiles))
    cut = max(0, -padding[1])
    width = max(move * (tile_columns - 1) + reach + cut, size[1] + padding[1] + cut)
    row, column = np.ogrid[: size[0], : size[1]]
    taken = ((row + padding[0]) * width + column + padding[1] + cut).astype(np.int32)
    row, column = np.ogrid[: target[0], : target[1]]
    given = ((row + before[0]) * (give * tile_columns) + column + before[1]).astype(np.int32)
    most = together * -(-tile_rows // parts) * tile_columns
    geometry = [images, *size, padding[0], cut, width, *target, tile_rows, tile_columns, parts, together, most]
    geometry += [*SIDES[kind], before[0]]
    return Plan(np.array(geometry), taken.ravel(), given.ravel(), parts * -(-images // together))


def _fullest(tiles: int, most: int) -> int:
    """How many images, at most `most`, leave the smallest share of the last rows of register tiles empty."""
    counts = range(max(1, (most + 1) // 2), most + 1)
    return max(counts, key=lambda count: (count * tiles / (-(-count * tiles // ROWS) * ROWS), count))


def wants_tiles(images: int, channels: int, filters: int, target: Pair, kind: tuple[int, ...] = PLAIN) -> bool:
    """Whether tiles are quicker than taking tap by tap, in cycles: a product of two vectors takes one."""
    lanes = VECTOR_BYTES // 4
    side, _, _, give = SIDES[kind]
    tiles = images * -(-target[0] // give) * -(-target[1] // give)
    wide, deep = -(-filters // lanes), -(-channels // lanes)
    products = 1.1 * side**2 * channels * wide * -(-tiles // ROWS) * ROWS
    direct = images * target[0] * target[1] * 9 * channels * filters / lanes
    carry = CARRY
    if kind != PLAIN:
        carry, direct = FURTHER, direct * (SLOWER / 4 if kind == SPACED else SLOWER)
    return 1.1 * (products + tiles * (deep + wide) * carry + channels * wide * TURN + 2 * LAUNCH) < direct


def convolve_tiles(
    x: Array,
    weight: Array,
    filters: Filters,
    bias: Array | None,
    out: Array,
    padding: Pair,
    relu: bool = False,
    kind: tuple[int, ...] = PLAIN,
    before: Pair = (0, 0),
    factors: Array | None = None,
) -> None:
    """Write the convolution of x (N, C, H, W) with filters of 3x3 into out (N, F, OH, OW), with `relu` max(it, 0).

    With `factors`, (3, F), the result is (it - start) * scale + shift before that.
    """
    (images, channels, *size), (_, count, *target) = x.shape, out.shape
    lanes = VECTOR_BYTES // x.itemsize
    plan = plan_tiles(images, channels, count, tuple(size), padding, tuple(target), kind, before)
    vectors = -(-count // lanes)
    panels = -(-vectors // COLUMNS)
    step = vectors * lanes * channels + lanes
    splits = min(channels, -(-TASKS // panels))
    parts = min(panels, -(-PARTS * get_num_threads() // plan.blocks))
    tasks = min(plan.blocks, TASKS)
    steps = [filters.start, *filters.steps[1:3], filters.steps[4] < 0]
    shape = np.array([count, channels, panels, splits, step, *steps, tasks, parts])
    taps = weight.reshape(-1)
    kept = plan.blocks > 2 or PRODUCTS * step < LARGE
    transformed = empty((PRODUCTS * step if kept else 0,), x.dtype)
    if kept:
        _filters_all(panels * splits, kind, taps, transformed, shape)
    shift = np.zeros((1 if factors is None else 4, vectors * lanes), x.dtype)
    if bias is not None:
        shift[0, :count] = bias
    if factors is not None:
        shift[1:, :count] = factors
    _convolve_all(
        tasks * parts, kind, 0.0 if relu else -np.inf, x.reshape(-1), taps, transformed, shift.reshape(-1),
        out.reshape(-1), plan.taken, plan.given, shape, plan.geometry,
    )  # fmt: skip


@inner_kernel
def _filters(task, kind, weight, out, shape):
    """Transforms a panel of filters for a range of channels: (36, panels, channels, filters of a panel) flat."""
    filters, channels, panels, splits, step = shape[0], shape[1], shape[2], shape[3], shape[4]
    lanes = VECTOR_BYTES // weight.itemsize
    panel, split = task // splits, task % splits
    vectors = (filters + lanes - 1) // lanes
    start, end = vectors * panel // panels, vectors * (panel + 1) // panels
    first, last = channels * split // splits, channels * (split + 1) // splits
    _transform_filters(kind, weight, shape, start, end, first, last, out, start * channels * lanes, step)


_filters_all = parallel_kernel(_filters)


@inner_kernel
def _transform_filters(kind, weight, shape, start, end, first, last, out, to, step):
    """Transforms the vectors of filters from start to end for the channels from first to last."""
    lanes = VECTOR_BYTES // weight.itemsize
    for vector in range(start, end):
        count = min(lanes, shape[0] - vector * lanes)
        at = shape[5] + vector * lanes * shape[6]
        for c in range(first, last):
            goal = to + (c * (end - start) + vector - start) * lanes
            filter_transform(kind, weight, at + c * shape[7], shape[6], count, shape[8], out, goal, 6 * step, step)


@inner_kernel
def span(block, geometry):
    """The images and the rows of tiles of a block: the first and the number of each."""
    rows, parts, together = geometry[8], geometry[10], geometry[11]
    if parts > 1:
        part = block % parts
        first = rows * part // parts
        return block // parts, 1, first, rows * (part + 1) // parts - first
    image = block * together
    return image, min(together, geometry[0] - image), 0, rows


@inner_kernel
def shared(product, side):
    """The number of a transformed filter that a product takes: of 9 in a line the last 4 share one."""
    return min(product // side, 5) * 6 + min(product % side, 5)


@inner_kernel
def lay(pixels, image, images, channels, channel, area, start, end, places, shift, plane, buffer):
    """Carries the pixels from start to end of a vector of channels of some images into planes of `buffer`."""
    lanes = VECTOR_BYTES // pixels.itemsize
    for n in range(images):
        at = ((image + n) * channels + channel) * area
        if channels >= lanes and end - start >= lanes:
            for p in range(start, end, lanes):
                q = min(p, end - lanes)  # the last run begins early: its pixels are laid twice
                spread(pixels, at + q, area, places, q, shift, buffer)
        else:
            for r in range(min(lanes, channels)):
                for p in range(start, end):
                    buffer[(places[p] - shift) * lanes + r] = pixels[at + r * area + p]
        shift -= plane


@inner_kernel
def transform_data(kind, pixels, channels, image, images, first, strips, places, work, out, pitch, step, geometry):
    """Transforms all channels of a block: (products, tiles, channels) from `out` on, `step` and `pitch` apart."""
    height, row, columns = geometry[1], geometry[2], geometry[9]
    top, cut, width = geometry[3], geometry[4], geometry[5]
    side, move, over = geometry[13], geometry[14], geometry[15] - geometry[14]
    lanes = VECTOR_BYTES // pixels.itemsize
    start, end = max(0, move * first - top) * row, min(height, move * (first + strips) + over - top) * row
    plane = (move * strips + over) * width
    if geometry[10] > 1:
        clear(work, 0, plane * lanes)
    for group in range(0, channels, lanes):
        channel = max(0, min(group, channels - lanes))
        shift = move * first * width
        lay(pixels, image, images, channels, channel, height * row, start, end, places, shift, plane, work)
        to = out + channel
        for n in range(images):
            for strip in range(strips):
                at = (n * plane + move * strip * width + cut) * lanes
                for _ in range(columns):
                    data_transform(kind, work, at, width * lanes, lanes, work, to, side * step, step)
                    at += move * lanes
                    to += pitch


@inner_kernel
def _convolve(task, kind, least, x, weight, transformed, bias, out, taken, given, shape, geometry):
    """Computes one part of the filters of some blocks. All arrays are flat: numba compiles `reshape` for long."""
    filters, channels, panels, tasks, parts = shape[0], shape[1], shape[2], shape[9], shape[10]
    lanes = VECTOR_BYTES // x.itemsize
    task, part = task // parts, task % parts
    vectors = (filters + lanes - 1) // lanes
    kept, u_step = transformed.size > 0, shape[4]
    first_panel, end_panel = panels * part // parts, panels * (part + 1) // parts
    base = vectors * first_panel // panels * lanes
    end = min(vectors * end_panel // panels * lanes, filters)
    # An odd number of vectors between tiles, and one between products: not all fall into the same sets of the cache.
    tile_rows, columns, parted, together = geometry[8], geometry[9], geometry[10], geometry[11]
    most = (geometry[12] + ROWS - 1) // ROWS * ROWS
    v_pitch = ((channels + lanes - 1) // lanes | 1) * lanes
    m_pitch = ((end - base + lanes - 1) // lanes | 1) * lanes
    v_step, m_step = most * v_pitch + lanes, most * m_pitch + lanes
    strips = (tile_rows + parted - 1) // parted
    # One piece of memory: the images, their transform, the products, the result, and a panel of filters.
    side, move, over, give = geometry[13], geometry[14], geometry[15] - geometry[14], geometry[16]
    data = together * (move * strips + over) * geometry[5] * lanes
    products = data + side * side * v_step
    result = products + side * side * m_step
    size = result + together * strips * columns * give * give * lanes
    left = size
    if not kept:
        u_step = COLUMNS * lanes * channels + lanes
        size += PRODUCTS * u_step
    work = aligned_empty(size, x)
    clear(work, 0, products)
    blocks = (geometry[0] + together - 1) // together * parted
    for block in range(blocks * task // tasks, blocks * (task + 1) // tasks):
        image, images, first, strips = span(block, geometry)
        tiles = images * strips * columns
        transform_data(kind, x, channels, image, images, first, strips, taken, work, data, v_pitch, v_step, geometry)
        for low in range(first_panel, end_panel, end_panel - first_panel if kept else 1):
            lowest, high = 0, end_panel
            if not kept:
                lowest, high = vectors * low // panels, low + 1
                end_vector = vectors * high // panels
                _transform_filters(kind, weight, shape, lowest, end_vector, 0, channels, work, left, u_step)
            for product in range(side * side):
                number = shared(product, side)
                for panel in range(low, high):
                    vector = vectors * panel // panels
                    wide = vectors * (panel + 1) // panels - vector
                    start = number * u_step + (vector - lowest) * lanes * channels
                    at, to = data + product * v_step, products + product * m_step + vector * lanes - base
                    if kept:
                        _multiply(tiles, channels, wide, work, at, v_pitch, transformed, start, to, m_pitch)
                    else:
                        _multiply(tiles, channels, wide, work, at, v_pitch, work, left + start, to, m_pitch)
        _give(
            kind, least, work, products, m_pitch, m_step, base, end, image, images, first, strips, given, result, bias,
            out, filters, geometry,
        )  # fmt: skip


_convolve_all = parallel_kernel(_convolve)


@inner_kernel
def _multiply(tiles, channels, vectors, data, at, pitch, transformed, start, to, m_pitch):
    """Multiplies (tiles, channels) by (channels, vectors of filters)."""
    lanes = VECTOR_BYTES // data.itemsize
    for _ in range(0, tiles, ROWS):
        if vectors == 3:
            tile = zero_tile(data, 3)
            for k in range(channels):
                tile = outer(tile, data, at + k, pitch, transformed, start + k * 3 * lanes)
            store(tile, data, to, m_pitch)
        elif vectors == 2:
            double = zero_tile(data, 2)
            for k in range(channels):
                double = outer(double, data, at + k, pitch, transformed, start + k * 2 * lanes)
            store(double, data, to, m_pitch)
        else:
            narrow = zero_tile(data, 1)
            for k in range(channels):
                narrow = outer(narrow, data, at + k, pitch, transformed, start + k * lanes)
            store(narrow, data, to, m_pitch)
        at += ROWS * pitch
        to += ROWS * m_pitch


@exact_inner_kernel
def _rescaled(value, start, scale, shift):
    return (value - start) * scale + shift


@inner_kernel
def _give(
    kind, least, work, products, pitch, step, base, end, image, images, first, strips, places, result, bias, out,
    filters, geometry,
):  # fmt: skip
    """Transforms the products of a block back and writes its pixels of the filters from base to end.

    Behind the bias, as long as whole vectors, lie three rows of factors, or nothing.
    """
    height, row, columns = geometry[6], geometry[7], geometry[9]
    lanes = VECTOR_BYTES // out.itemsize
    line = (filters + lanes - 1) // lanes * lanes
    side, give, before = geometry[13], geometry[16], geometry[17]
    area, width = height * row, give * columns
    plane = give * strips * width
    start, stop = max(0, give * first - before) * row, min(height, give * (first + strips) - before) * row
    for group in range(base, end, lanes):
        filter = max(base, min(group, end - lanes))
        at = products + filter - base
        for n in range(images):
            for strip in range(strips):
                to = result + (n * plane + give * strip * width) * lanes
                for _ in range(columns):
                    output_transform(kind, work, at, side * step, step, work, to, width * lanes, lanes)
                    at += pitch
                    to += give * lanes
        shift = give * first * width - result // lanes
        for n in range(images):
            to = ((image + n) * filters + filter) * area
            if end - base >= lanes and stop - start >= lanes:
                for p in range(start, stop, lanes):
                    q = min(p, stop - lanes)
                    collect(work, places, q, shift, bias, filter, line, least, out, to + q, area)
            else:
                for r in range(min(lanes, end - base)):
                    f = filter + r
                    for p in range(start, stop):
                        pixel = work[(places[p] - shift) * lanes + r] + bias[f]
                        if bias.size > line:
                            pixel = _rescaled(pixel, bias[line + f], bias[2 * line + f], bias[3 * line + f])
                        out[to + r * area + p] = least if pixel < least else pixel
            shift -= plane
