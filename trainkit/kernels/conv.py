"""Two-dimensional convolution and its gradients: each is planned here and computed in tiles by the kernels beside it.

No column matrix of a batch is ever made. Groups are images of their own: (N, C, H, W) is (N * groups, C / groups, H, W)
in memory. Forward and the gradient of the input are one kernel, the gradient of the weight is another. Filters of 3x3
that move by one or two pixels take Winograd's way where it is quicker.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from trainkit.kernels.conv_filters import Filters
from trainkit.kernels.conv_rows import correlate_rows, rows_of, wants_rows
from trainkit.kernels.conv_tiles import Way, plan_convolution
from trainkit.kernels.conv_weight import correlate, wants_pixels
from trainkit.kernels.conv_weight_pixels import correlate_pixels
from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel
from trainkit.kernels.planes import Target, layout
from trainkit.kernels.winograd import convolve_tiles, wants_tiles
from trainkit.kernels.winograd_transforms import PLAIN, SPACED, STRIDED
from trainkit.kernels.winograd_weight import correlate_tiles, wants_tile_sums

__all__ = ["channel_sum", "conv2d", "conv2d_grad_input", "conv2d_grad_weight"]

Pair = tuple[int, int]
PIECE = 1 << 10  # pixels whose sums over images stay in the first cache
SERIAL_SUM = 1 << 17  # elements that are summed before they are handed out


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair = (1, 1),
    groups: int = 1,
    relu: bool = False,
    factors: Array | None = None,
) -> Array:
    """Cross-correlation: x (N, C, H, W), weight (F, C / groups, kh, kw), bias (F,) or None give (N, F, OH, OW).

    With `factors`, (3, F) as of `batch_norm_factors`, the result is (it - start) * scale + shift. With `relu` it is
    max(it, 0), where NaN stays NaN.
    """
    x, weight = np.ascontiguousarray(x), np.ascontiguousarray(weight)
    plan = _forward(x.shape, weight.shape, x.itemsize, stride, padding, dilation, groups)
    out = empty(plan.shape, x.dtype)
    if plan.way is not None:
        shifts = np.zeros(len(weight), x.dtype) if bias is None else np.ascontiguousarray(bias, x.dtype)
        if factors is not None:
            shifts = np.concatenate((shifts, factors.reshape(-1)))
        plan.way(_grouped(x, groups), weight, shifts, _grouped(out, groups), relu)
    elif out.size:
        convolve_tiles(x, weight, plan.filters, bias, out, padding, relu, plan.kind, factors=factors)
    return out


class _Forward(NamedTuple):
    """A convolution: the shape of its result, its filters, and its way; with none it takes Winograd's, of a kind."""

    shape: tuple[int, ...]
    filters: Filters
    way: Way | None
    kind: tuple[int, ...] = ()


@lru_cache(maxsize=256)
def _forward(
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    itemsize: int,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> _Forward:
    N, _, H, W = input_shape
    F, C, kh, kw = weight_shape
    rows = (H + 2 * padding[0] - (kh - 1) * dilation[0] - 1) // stride[0] + 1
    columns = (W + 2 * padding[1] - (kw - 1) * dilation[1] - 1) // stride[1] + 1
    shape, count, area = (N, F, rows, columns), F // groups, kh * kw
    filters = Filters((kh, kw), 0, (count * C * area, C * area, area, kw, 1))
    if 0 in shape:
        return _Forward(shape, filters, None)
    kind = _kind(itemsize, (kh, kw), stride, dilation, groups)
    if kind and wants_tiles(N, C, F, (rows, columns), kind):
        return _Forward(shape, filters, None, kind)
    if wants_rows(C, count, columns, (kh, kw), stride):
        how = (H, W), (rows, columns), (kh, kw), stride, padding, dilation, itemsize
        return _Forward(shape, filters, rows_of(N * groups, groups, count, *how))
    plan = layout(C, (H, W), (kh, kw), stride, dilation, padding, Target((rows, columns)))
    return _Forward(shape, filters, plan_convolution(N * groups, groups, count, C, filters, plan, itemsize))


def _kind(itemsize: int, kernel_size: Pair, stride: Pair, dilation: Pair, groups: int) -> tuple[int, ...]:
    """The kind of Winograd's tiles that may serve, () if none. Not for float64: who asks for it wants its accuracy."""
    if kernel_size != (3, 3) or dilation != (1, 1) or groups != 1 or itemsize != 4:
        return ()
    return {(1, 1): PLAIN, (2, 2): STRIDED}.get(stride, ())


def _grouped(x: Array, groups: int) -> Array:
    return x if groups == 1 else x.reshape(x.shape[0] * groups, x.shape[1] // groups, *x.shape[2:])


def conv2d_grad_input(
    grad: Array,
    weight: Array,
    input_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """The gradient (N, C, H, W) of `conv2d`'s input from that of its output, grad (N, F, OH, OW).

    Pixels of the input fall into stride * stride phases by which taps reach them; each phase is a convolution
    of the output's gradient with every stride-th tap, mirrored.
    """
    grad, weight = np.ascontiguousarray(grad), np.ascontiguousarray(weight)
    H, W = input_shape[2:]
    F, C, kh, kw = weight.shape
    if not grad.size or 0 in input_shape:
        return np.zeros(input_shape, grad.dtype)
    kind = _kind(grad.itemsize, (kh, kw), stride, dilation, groups)
    if kind == STRIDED:
        kind = SPACED
    if kind and wants_tiles(len(grad), F, C, (H, W), kind):
        mirrored = Filters((3, 3), 8, (0, 9, C * 9, -3, -1))
        zeros, before = (2 - padding[0], 2 - padding[1]), (0, 0)
        if kind == SPACED:  # a tile begins with a pixel that one tap reaches: an odd one, counted with the padding
            before = (padding[0] + 1) % 2, (padding[1] + 1) % 2
            zeros = (1 + before[0] - padding[0]) // 2, (1 + before[1] - padding[1]) // 2
        out = empty(input_shape, grad.dtype)
        convolve_tiles(grad, weight, mirrored, None, out, zeros, False, kind, before)
        return out
    ways, covered = _phase_ways(grad.shape, weight.shape, (H, W), grad.itemsize, stride, padding, dilation, groups)
    out = (empty if covered else np.zeros)(input_shape, grad.dtype)
    images, target, shifts = _grouped(grad, groups), _grouped(out, groups), np.zeros(groups * C, grad.dtype)
    for way in ways:
        way(images, weight, shifts, target, False)
    return out


@lru_cache(maxsize=256)
def _phase_ways(
    grad_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    size: Pair,
    itemsize: int,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> tuple[list[Way], bool]:
    """The convolution of each phase, and whether they write all pixels."""
    F, C, kh, kw = weight_shape
    filters, area = F // groups, kh * kw
    if filters == 1 and wants_rows(C, 1, size[1], (kh, kw), stride):
        how = (grad_shape[2], grad_shape[3]), size, (kh, kw), stride, padding, dilation, itemsize
        return [rows_of(grad_shape[0] * groups, groups, 1, *how, back=True)], True
    row_phases = _phases(size[0], kh, stride[0], padding[0], dilation[0])
    column_phases = _phases(size[1], kw, stride[1], padding[1], dilation[1])
    ways: list[Way] = []
    for i, i_step, i_taps, rows, y, top, i_dilation in row_phases:
        for j, j_step, j_taps, columns, x, left, j_dilation in column_phases:
            if rows <= 0 or columns <= 0:
                continue
            last = (i + (i_taps - 1) * i_step) * kw + j + (j_taps - 1) * j_step
            steps = filters * C * area, area, C * area, -i_step * kw, -j_step
            taps = i_taps, j_taps
            pixels = Target((rows, columns), (y, x), stride)
            plan = layout(
                filters, (grad_shape[2], grad_shape[3]), taps, (1, 1), (i_dilation, j_dilation), (top, left), pixels
            )
            read = Filters(taps, last, steps)
            ways.append(plan_convolution(grad_shape[0] * groups, groups, C, filters, read, plan, itemsize))
    return ways, len(row_phases) == stride[0] and len(column_phases) == stride[1]


def _phases(size: int, taps: int, stride: int, padding: int, dilation: int) -> list[tuple[int, ...]]:
    """The phases of the pixels of a line which some tap reaches, all with (p + padding) % stride alike.

    Of each: its first tap, the step to its next and their number, the number of pixels, the first, the zeros before
    the output's gradient, and the dilation of its taps there.
    """
    common = math.gcd(stride, dilation)
    step = stride // common
    phases: list[tuple[int, ...]] = []
    for tap in range(min(step, taps)):
        count = (taps - 1 - tap) // step + 1
        phase, shift = tap * dilation % stride, tap * dilation // stride
        first = -((phase - padding) // stride)  # the first (p + padding) // stride that lies inside
        start = first * stride + phase - padding
        pixels = (size - start + stride - 1) // stride
        before = shift + (count - 1) * (dilation // common) - first
        phases.append((tap, step, count, pixels, start, before, dilation // common))
    return phases


def conv2d_grad_weight(
    grad: Array,
    x: Array,
    weight_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """The gradient (F, C / groups, kh, kw) of `conv2d`'s weight: grad (N, F, OH, OW), x (N, C, H, W).

    Images are summed in chunks that depend on the shapes alone, and the chunks in order: the result is the
    same to the last bit on any number of threads.
    """
    grad, x = np.ascontiguousarray(grad), np.ascontiguousarray(x)
    F, C, kh, kw = weight_shape
    taps = kh, kw
    if not grad.size:
        return np.zeros(weight_shape, grad.dtype)
    kind = _kind(x.itemsize, taps, stride, dilation, groups)
    if kind and wants_tile_sums(len(x), C, F, (grad.shape[2], grad.shape[3]), kind):
        return correlate_tiles(grad, x, padding, kind).reshape(weight_shape)
    upstream, images = _grouped(grad, groups), _grouped(x, groups)
    way = correlate_pixels if wants_pixels(F // groups, C, kh * kw) else correlate
    if wants_rows(C, F // groups, grad.shape[3], taps, stride):
        way = correlate_rows
    return way(upstream, images, groups, taps, stride, padding, dilation).reshape(weight_shape)


def channel_sum(grad: Array) -> Array:
    """The sum (C,) of grad (N, C, ...) over all but the channels: a bias' gradient.

    Four images are added up in their own precision, and the rest in float64.
    """
    grad = np.ascontiguousarray(grad)
    if grad.ndim == 2:
        return np.sum(grad, axis=0, dtype=np.float64).astype(grad.dtype)
    out, area = np.zeros(grad.shape[1], np.float64), math.prod(grad.shape[2:])
    channels = max(1, PIECE // max(area, 1))
    launch = _channel_sum_all if grad.size > SERIAL_SUM else _channel_sum_all.serial
    launch(-(-out.size // channels), channels, area, grad.reshape(len(grad), out.size * area), out)
    return out.astype(grad.dtype)


@inner_kernel
def _channel_sum(task, channels, area, grad, out):
    """Adds the images of some channels up, a piece of their pixels at a time, and then these pixels."""
    first, last = task * channels * area, min((task + 1) * channels, out.size) * area
    piece = max(1, min(PIECE, last - first))
    totals = np.empty(piece, np.float64)
    for begin in range(first, last, piece):
        found = totals[: min(piece, last - begin)]
        found[:] = 0
        for n in range(0, len(grad) - 3, 4):
            a, b, c, d = grad[n, begin:], grad[n + 1, begin:], grad[n + 2, begin:], grad[n + 3, begin:]
            for i in range(found.size):
                found[i] += np.float64((a[i] + b[i]) + (c[i] + d[i]))
        for n in range(len(grad) // 4 * 4, len(grad)):
            line = grad[n, begin:]
            for i in range(found.size):
                found[i] += np.float64(line[i])
        for start in range(0, found.size, area):
            pixels, total = found[start : start + area], 0.0
            for i in range(pixels.size):
                total += pixels[i]
            out[(begin + start) // area] += total


_channel_sum_all = parallel_kernel(_channel_sum)
