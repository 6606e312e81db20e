"""Images laid out for a convolution: zero-padded planes, one per channel and stride phase, addressed flatly.

With stride s, tap (i, j) of an output pixel (y, x) reads row y*s + i, column x*s + j of the padded image. In
the plane of phase (i % s, j % s) that is row y + i//s, column x + j//s: a constant offset from the pixel's
own place y*width + x. So a run of pixels is a run of memory for every tap, whatever the stride, and one table
of offsets describes a kernel. The run goes on over the end of a row: the few pixels computed there are
dropped (forward) or count zero (gradients).
"""

from functools import lru_cache

import numpy as np

from trainkit.kernels.jit import kernel
from trainkit.kernels.simd import VECTOR_BYTES

__all__ = ["aligned_empty", "fill_planes", "plane_width", "tap_offsets"]


def plane_width(columns: int, taps: int, size: int, left: int, step: int) -> int:
    """The width of a plane for an image `size` wide with `left` zeros before it.

    The zeros behind a row may be those before the next one, where the stride is 1.
    """
    width = columns + (taps - 1) // step
    shared = min(left, width - left - size, taps - 1) if step == 1 else 0
    return width - max(0, shared)


@lru_cache(maxsize=256)
def tap_offsets(
    channels: int, kernel_size: tuple[int, int], step: tuple[int, int], plane: tuple[int, int], multiple: int
) -> np.ndarray:
    """Offsets of all taps (c, i, j) from an output pixel, the last repeated up to a multiple of a number."""
    c, i, j = np.ogrid[:channels, : kernel_size[0], : kernel_size[1]]
    phase = (c * step[0] + i % step[0]) * step[1] + j % step[1]
    offsets = (phase * plane[0] * plane[1] + i // step[0] * plane[1] + j // step[1]).astype(np.int64).ravel()
    return np.pad(offsets, (0, -offsets.size % multiple), mode="edge")


@kernel
def aligned_empty(size, like):
    """A flat array that begins on a vector's boundary: loads that cross cache lines take twice as long."""
    raw = np.empty(size + VECTOR_BYTES // like.itemsize, like.dtype)
    skip = -raw.ctypes.data % VECTOR_BYTES // like.itemsize
    return raw[skip : skip + size]


@kernel
def fill_planes(x, image, buffer, height, width, top, left, row_step, column_step):
    """Writes image `image` of x (N, C, H, W) as planes into the flat buffer, and zeros behind the last."""
    position = 0
    for c in range(x.shape[1]):
        for row_phase in range(row_step):
            for column_phase in range(column_step):
                shift = column_phase - left  # the image's column of the plane's column 0
                first = min(max(-(shift // column_step), 0), width)
                end = min(max((x.shape[3] - 1 - shift) // column_step + 1, first), width)
                for row in range(height):
                    y = row * row_step + row_phase - top
                    line = buffer[position : position + width]
                    position += width
                    if not 0 <= y < x.shape[2]:
                        line[:] = 0
                        continue
                    line[:first] = 0
                    line[end:] = 0
                    middle = line[first:end]
                    pixels = x[image, c, y, first * column_step + shift :]
                    if column_step == 1:
                        for column in range(middle.size):
                            middle[column] = pixels[column]
                    else:
                        for column in range(middle.size):
                            middle[column] = pixels[column * column_step]
    buffer[position:] = 0
