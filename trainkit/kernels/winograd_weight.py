"""The gradient of the weight by Winograd: 36 products (filters, tiles) by (tiles, channels) instead of 9 over pixels.

A task takes a chunk of the blocks of tiles and a part of the filters, adds the products of the transformed images and
gradients up, block after block, and transforms the sum back at its end. A NaN in a tile reaches all taps.
"""

import numpy as np

from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import get_num_threads, parallel_kernel
from trainkit.kernels.planes import zeros
from trainkit.kernels.simd import COLUMNS, ROWS, VECTOR_BYTES, clear, copy, loaded, outer, store, zero_tile
from trainkit.kernels.winograd import (
    CARRY,
    FURTHER,
    LAUNCH,
    LEAST,
    PRODUCTS,
    SIDES,
    SLOWER,
    TURN,
    lay,
    plan_tiles,
    shared,
    span,
    transform_data,
)
from trainkit.kernels.winograd_transforms import PLAIN, filter_grad, grad_transform

__all__ = ["correlate_tiles", "wants_tile_sums"]

Pair = tuple[int, int]
MOST_SUMS = 1_300_000  # elements of the transformed gradient of a part: of a size that the third-level cache holds
MOST_PARTIAL = 1 << 21  # elements of all partial sums
MOST_CHUNKS = 16  # of partial sums: fixed, so that they are added in the same order on any machine
TASKS = 4  # that a thread should have, if it can
ADDED = 64  # tiles of a block where filters move by two pixels: their sums are read and written anew for each
PART = 32  # filters of a part, at least


def wants_tile_sums(images: int, channels: int, filters: int, target: Pair, kind: tuple[int, ...] = PLAIN) -> bool:
    """Whether tiles are quicker than taking tap by tap, in cycles: a product of two vectors takes one."""
    lanes = VECTOR_BYTES // 4
    tiles = images * -(-target[0] // 4) * -(-target[1] // 4)
    wide, deep = -(-filters // lanes), -(-channels // lanes)
    products = 1.2 * SIDES[kind][0] ** 2 * tiles * deep * -(-filters // ROWS) * ROWS
    back = min(MOST_CHUNKS, tiles // LEAST + 1) * filters * deep * TURN
    direct = images * target[0] * target[1] * 9 * channels * filters / lanes
    carry = CARRY
    if kind != PLAIN:
        carry, direct = FURTHER, direct * SLOWER
    return 1.1 * (products + tiles * (deep + wide) * carry + back + LAUNCH) < direct


def correlate_tiles(grad: Array, x: Array, padding: Pair, kind: tuple[int, ...] = PLAIN) -> Array:
    """Sum grad (N, F, OH, OW) times x (N, C, H, W) at each of 3x3 taps: (F, C * 9)."""
    (images, channels, *size), (_, filters, *target) = x.shape, grad.shape
    lanes = VECTOR_BYTES // x.itemsize
    plan = plan_tiles(
        images, channels, filters, tuple(size), padding, tuple(target), kind, (0, 0), LEAST if kind == PLAIN else ADDED
    )
    unit = max(lanes, ROWS)
    units = -(-filters // unit)
    pitch = (-(-channels // lanes) | 1) * lanes
    parts = -(-units // max(1, MOST_SUMS // (PRODUCTS * pitch * unit)))
    chunks = max(1, min(plan.blocks, -(-MOST_CHUNKS // parts), MOST_PARTIAL // (filters * channels * 9)))
    # into how many parts the filters are cut changes no sum
    parts = max(parts, min(-(-filters // PART), -(-TASKS * get_num_threads() // chunks)))
    partial = empty((chunks, filters, channels * 9), x.dtype)
    shape = np.array([filters, channels, chunks, parts, unit])
    sums = partial.reshape(-1)
    _correlate_all(
        chunks * parts, kind, grad.reshape(-1), x.reshape(-1), sums, plan.taken, plan.given, shape, plan.geometry
    )
    total: Array = partial[0] if chunks == 1 else partial.sum(axis=0)
    return total


@inner_kernel
def _correlate(task, kind, grad, x, partial, taken, given, shape, geometry):
    """Computes the gradient of one part of the filters over one chunk of the blocks. All arrays are flat."""
    filters, channels, chunks, parts, unit = shape[0], shape[1], shape[2], shape[3], shape[4]
    chunk, part = task // parts, task % parts
    lanes = VECTOR_BYTES // x.itemsize
    units = (filters + unit - 1) // unit
    begin, end = units * part // parts * unit, min(units * (part + 1) // parts * unit, filters)
    columns, parted, together, most = geometry[9], geometry[10], geometry[11], geometry[12]
    rows = (end - begin + ROWS - 1) // ROWS * ROWS
    # An odd number of vectors between tiles, and one between products: not all fall into the same sets of the cache.
    v_pitch = ((channels + lanes - 1) // lanes | 1) * lanes
    m_pitch = (((rows + lanes - 1) // lanes + 1) | 1) * lanes
    v_step, m_step, u_step = most * v_pitch + lanes, most * m_pitch + lanes, rows * v_pitch + lanes
    strips = (geometry[8] + parted - 1) // parted
    # One piece of memory: the images, their transform, the gradients, theirs, the sums and a vector of taps.
    side, move, over = geometry[13], geometry[14], geometry[15] - geometry[14]
    data = together * (move * strips + over) * geometry[5] * lanes
    upstream = data + side * side * v_step
    grads = upstream + together * strips * columns * 16 * lanes
    sums = grads + side * side * m_step
    taps = sums + PRODUCTS * u_step
    work = zeros(taps + 9 * lanes, x)
    blocks = (geometry[0] + together - 1) // together * parted
    vectors = (channels + lanes - 1) // lanes
    panels = (vectors + COLUMNS - 1) // COLUMNS
    for block in range(blocks * chunk // chunks, blocks * (chunk + 1) // chunks):
        image, images, first, strips = span(block, geometry)
        tiles = images * strips * columns
        transform_data(kind, x, channels, image, images, first, strips, taken, work, data, v_pitch, v_step, geometry)
        _transform_grads(
            kind, grad, filters, begin, end, image, images, first, strips, given, work, upstream, grads, m_pitch,
            m_step, geometry,
        )  # fmt: skip
        for product in range(side * side):
            number = shared(product, side)
            for panel in range(panels):
                vector = vectors * panel // panels
                wide = vectors * (panel + 1) // panels - vector
                left, right = grads + product * m_step + lanes, data + product * v_step + vector * lanes
                at = sums + number * u_step + vector * lanes
                _add_products(tiles, rows, wide, work, left, m_pitch, right, v_pitch, at)
    for filter in range(begin, end):
        to = (chunk * filters + filter) * channels * 9
        at = sums + (filter - begin) * v_pitch
        if channels < lanes:
            filter_grad(kind, work, at, 6 * u_step, u_step, work, taps)
            copy(partial, to, work, taps, channels * 9)
        else:
            for group in range(0, channels, lanes):
                channel = min(group, channels - lanes)
                filter_grad(kind, work, at + channel, 6 * u_step, u_step, partial, to + channel * 9)


_correlate_all = parallel_kernel(_correlate)


@inner_kernel
def _transform_grads(
    kind, pixels, filters, begin, end, image, images, first, strips, places, work, buffer, out, pitch, step, geometry
):
    """Transforms a block of the output's gradient: (products, tiles, filters), `begin` a vector behind `out`."""
    height, row, columns = geometry[6], geometry[7], geometry[9]
    lanes = VECTOR_BYTES // pixels.itemsize
    width, side = 4 * columns, geometry[13]
    start, stop = 4 * first * row, min(height, 4 * (first + strips)) * row
    plane = 4 * strips * width
    if geometry[10] > 1:
        clear(work, buffer, plane * lanes)
    for group in range(begin, end, lanes):
        filter = max(0, min(group, filters - lanes))
        shift = 4 * first * width - buffer // lanes
        lay(pixels, image, images, filters, filter, height * row, start, stop, places, shift, plane, work)
        to = out + filter - begin + lanes
        for n in range(images):
            for strip in range(strips):
                at = buffer + (n * plane + 4 * strip * width) * lanes
                for _ in range(columns):
                    grad_transform(kind, work, at, width * lanes, lanes, work, to, side * step, step)
                    at += 4 * lanes
                    to += pitch


@inner_kernel
def _add_products(tiles, rows, vectors, work, left, m_pitch, right, v_pitch, at):
    """Adds (filters, tiles) times (tiles, vectors of channels)."""
    for row in range(0, rows, ROWS):
        if vectors == 3:
            tile = loaded(zero_tile(work, 3), work, at, v_pitch)
            for k in range(tiles):
                tile = outer(tile, work, left + row + k * m_pitch, 1, work, right + k * v_pitch)
            store(tile, work, at, v_pitch)
        elif vectors == 2:
            double = loaded(zero_tile(work, 2), work, at, v_pitch)
            for k in range(tiles):
                double = outer(double, work, left + row + k * m_pitch, 1, work, right + k * v_pitch)
            store(double, work, at, v_pitch)
        else:
            narrow = loaded(zero_tile(work, 1), work, at, v_pitch)
            for k in range(tiles):
                narrow = outer(narrow, work, left + row + k * m_pitch, 1, work, right + k * v_pitch)
            store(narrow, work, at, v_pitch)
        at += ROWS * v_pitch
