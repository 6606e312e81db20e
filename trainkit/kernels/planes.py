"""Images laid out for a convolution: zero-padded planes, one per channel and stride phase, addressed flatly.

With stride s and dilation d, tap (i, j) of an output pixel (y, x) reads row y*s + i*d, column x*s + j*d of the
padded image. In the plane of phase (i*d % s, j*d % s) that is row y + i*d//s, column x + j*d//s: a constant offset
from the pixel's own place y*width + x. So a run of pixels is a run of memory for every tap, whatever the stride, and
one table of offsets describes a kernel; phases that no tap reads are not laid out. The run goes on over the end of a
row: the few pixels computed there are dropped (forward) or count zero (gradients).
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.parallel import parallel_kernel
from trainkit.kernels.simd import COLUMNS, VECTOR_BYTES, clear, copy, copy_strided
from trainkit.kernels.simd_masked import MASKS, copy_few_halved
from trainkit.kernels.simd_pieces import copy_halved

__all__ = [
    "SLACK",
    "Layout",
    "Target",
    "aligned_empty",
    "fill_all",
    "fill_planes",
    "lay_rows",
    "layout",
    "take_rows",
    "zeros",
]

Pair = tuple[int, int]
SLACK = COLUMNS * VECTOR_BYTES  # elements behind a buffer's end that a tile may touch


class Target(NamedTuple):
    """The pixels that a convolution writes: their number, the first one's place, the steps between them."""

    size: Pair
    first: Pair = (0, 0)
    step: Pair = (1, 1)


class Layout(NamedTuple):
    """How the images of one convolution lie.

    Attributes:
        offsets: of each tap (c, i, j) from an output pixel; the last repeated up to a multiple of COLUMNS.
        geometry: the plane's height and width, the zeros above and to the left, row and column step, the number of
            row and column phases, row and column dilation, rows and columns of output, and of the target the first
            row and column, the row and column step. Then of each phase: where it begins in its plane and in the image,
            the number of rows and of columns that it takes from there.
        taps: their number.
        size: the elements of one image, without slack.
        width: of a plane.
        target: the rows and columns that are wanted.
    """

    offsets: Array
    geometry: Array
    taps: int
    size: int
    width: int
    target: Pair


@lru_cache(maxsize=256)
def layout(
    channels: int,
    size: Pair,
    kernel_size: Pair,
    stride: Pair,
    dilation: Pair,
    padding: Pair,
    target: Target,
    dense: bool = False,
) -> Layout:
    """Lay out images of `channels` and a size for the taps of a kernel.

    `dense` planes are read along whole rows only and share no zeros. A negative padding cuts off.
    """
    rows, columns = target.size
    phases = [min(s // math.gcd(s, d), k) for s, d, k in zip(stride, dilation, kernel_size, strict=True)]
    height = rows + (kernel_size[0] - 1) * dilation[0] // stride[0]
    across = columns + (kernel_size[1] - 1) * dilation[1] // stride[1]
    if stride[1] == 1 and not dense:
        # The zeros behind a row may be those before the next one.
        across -= max(0, min(padding[1], across - padding[1] - size[1], (kernel_size[1] - 1) * dilation[1]))
    c, row, column = np.ogrid[:channels, : kernel_size[0], : kernel_size[1]]
    plane = (c * phases[0] + row % phases[0]) * phases[1] + column % phases[1]
    offsets = plane * (height * across) + row * dilation[0] // stride[0] * across + column * dilation[1] // stride[1]
    offsets = offsets.astype(np.int64).ravel()
    taps = offsets.size
    offsets = np.pad(offsets, (0, -offsets.size % COLUMNS), mode="edge")
    geometry = [height, across, *padding, *stride, *phases, *dilation, rows, columns, *target.first, *target.step]
    for i in range(phases[0]):
        y, line, y_count = _inside(size[0], height, stride[0], i * dilation[0] % stride[0] - padding[0])
        for j in range(phases[1]):
            x, place, x_count = _inside(size[1], across, stride[1], j * dilation[1] % stride[1] - padding[1])
            geometry += [y * across + x, line * size[1] + place, y_count, x_count]
    elements = channels * phases[0] * phases[1] * height * across
    return Layout(offsets, np.array(geometry), taps, elements, across, target.size)


def _inside(size: int, length: int, step: int, shift: int) -> tuple[int, int, int]:
    """Which places p of a line of the plane lie inside the image, being place p * step + shift there.

    The first, which one that is there, and how many there are.
    """
    first = min(max(-(shift // step), 0), length)
    end = min(max((size - 1 - shift) // step + 1, first), length)
    return first, first * step + shift, end - first


@inner_kernel
def aligned_empty(size, like):
    """A flat array that begins on a vector's boundary: loads that cross cache lines take twice as long."""
    raw = np.empty(size + VECTOR_BYTES // like.itemsize, like.dtype)
    skip = -raw.ctypes.data % VECTOR_BYTES // like.itemsize
    return raw[skip : skip + size]


@inner_kernel
def zeros(size, like):
    """What `aligned_empty` gives, filled with zeros."""
    array = aligned_empty(size, like)
    clear(array, 0, size)
    return array


@inner_kernel
def fill_planes(pixels, shape, image, images, buffer, start, geometry):
    """Writes `images` images of (N, C, H, W) as planes into a flat buffer of zeros, from `start` on.

    What is flat comes flat: numba's `reshape` takes longer than to copy a small image.
    """
    channels, area = shape[1], shape[2] * shape[3]
    width, plane, column_step = geometry[1], geometry[0] * geometry[1], geometry[5]
    phases, line = geometry[6] * geometry[7], geometry[4] * shape[3]
    lanes = VECTOR_BYTES // buffer.itemsize
    source = image * channels * area
    for _ in range(images * channels):
        for phase in range(phases):
            fill = 16 + 4 * phase
            to, at, count = start + geometry[fill], source + geometry[fill + 1], geometry[fill + 3]
            for _ in range(geometry[fill + 2]):
                if column_step == 1:
                    copy(buffer, to, pixels, at, count)
                elif MASKS and column_step == 2 and count <= lanes:
                    copy_few_halved(buffer, to, pixels, at, count)
                else:
                    done = 0
                    if column_step == 2:
                        while done + lanes < count:
                            copy_halved(buffer, to + done, pixels, at + 2 * done)
                            done += lanes
                    rest = count - done
                    copy_strided(buffer, to + done, 1, pixels, at + column_step * done, column_step, rest)
                at += line
                to += width
            start += plane
        source += area


@inner_kernel
def lay_rows(source, start, rows, columns, target, to, width):
    """Lays an image (rows, columns) out in rows of `width`; what lies between them stays as it is."""
    for _ in range(rows):
        copy(target, to, source, start, columns)
        start += columns
        to += width


@inner_kernel
def take_rows(source, start, width, target, to, rows, columns):
    """Takes an image (rows, columns) out of rows of `width`: what `lay_rows` does, backwards."""
    for _ in range(rows):
        copy(target, to, source, start, columns)
        start += width
        to += columns


@inner_kernel
def _fill(image, x, buffers, geometry):
    """Writes the planes of an image of x into its row of `buffers`."""
    size = buffers.shape[1]
    buffer = buffers.reshape(buffers.size)
    clear(buffer, image * size, size)
    fill_planes(x.reshape(x.size), x.shape, image, 1, buffer, image * size, geometry)


fill_all = parallel_kernel(_fill)
