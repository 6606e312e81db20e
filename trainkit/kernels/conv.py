"""Two-dimensional convolution and its gradients as products of register tiles over planes of pixels.

No column matrix is ever made. Forward and the gradient of the input are one kernel: ROWS filters times three
vectors of pixels, one tap after another. The gradient of the weight is ROWS filters times three taps, pixels
in the lanes.
"""

import math

import numpy as np
from numba import prange

from trainkit.kernels.jit import Array, kernel, parallel_kernel
from trainkit.kernels.planes import aligned_empty, fill_planes, plane_width, tap_offsets
from trainkit.kernels.simd import COLUMNS, ROWS, VECTOR_BYTES, inner, outer, store, sums, zero_tile

__all__ = ["channel_sum", "conv2d", "conv2d_grad_input", "conv2d_grad_weight"]

Pair = tuple[int, int]
SLACK = COLUMNS * VECTOR_BYTES  # elements behind a buffer's end that a tile may touch
# The images whose products a tile adds up before its lanes are summed: so many elements fit the level-2 cache.
BATCH = 1 << 17
MOST_CHUNKS = 16  # of partial sums: fixed, so that they are added in the same order on any machine


def conv2d(x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair) -> Array:
    """Cross-correlation: x (N, C, H, W), weight (F, C, kh, kw), bias (F,) or None give (N, F, OH, OW)."""
    x = np.ascontiguousarray(x)
    N, C, H, W = x.shape
    F, _, kh, kw = weight.shape
    rows = (H + 2 * padding[0] - kh) // stride[0] + 1
    columns = (W + 2 * padding[1] - kw) // stride[1] + 1
    out = np.empty((N, F, rows, columns), x.dtype)
    if bias is None:
        bias = np.zeros(F, x.dtype)
    plane = rows + (kh - 1) // stride[0], plane_width(columns, kw, W, padding[1], stride[1])
    offsets = tap_offsets(C, (kh, kw), stride, plane, 1)
    geometry = np.array([*plane, *padding, *stride, rows, columns, 0, 0, 1, 1])
    _launch_convolve(x, _packed(weight.reshape(F, -1)), offsets, np.ascontiguousarray(bias), out, geometry)
    return out


def conv2d_grad_input(grad: Array, weight: Array, input_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    """The gradient (N, C, H, W) of `conv2d`'s input from that of its output, grad (N, F, OH, OW).

    Pixels of the input fall into stride * stride phases by which taps reach them; each phase is a convolution
    of the output's gradient with every stride-th tap, mirrored.
    """
    grad = np.ascontiguousarray(grad)
    N, C, H, W = input_shape
    F, _, kh, kw = weight.shape
    covered = kh >= stride[0] and kw >= stride[1]
    out = (np.empty if covered else np.zeros)((N, C, H, W), grad.dtype)
    zero = np.zeros(C, grad.dtype)
    for row_phase in range(min(stride[0], kh)):
        for column_phase in range(min(stride[1], kw)):
            taps = weight[:, :, row_phase :: stride[0], column_phase :: stride[1]]
            mirrored = np.ascontiguousarray(taps[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
            rows, y, top = _phase(H, row_phase, stride[0], padding[0], taps.shape[2])
            columns, x, left = _phase(W, column_phase, stride[1], padding[1], taps.shape[3])
            if rows <= 0 or columns <= 0:
                continue
            plane = rows + taps.shape[2] - 1, plane_width(columns, taps.shape[3], grad.shape[3], left, 1)
            offsets = tap_offsets(F, mirrored.shape[2:], (1, 1), plane, 1)
            geometry = np.array([*plane, top, left, 1, 1, rows, columns, y, x, *stride])
            _launch_convolve(grad, _packed(mirrored.reshape(C, -1)), offsets, zero, out, geometry)
    return out


def _phase(size: int, phase: int, stride: int, padding: int, taps: int) -> tuple[int, int, int]:
    """Of the pixels p with (p + padding) % stride == phase: their number, the first, the grad's padding."""
    first = -((phase - padding) // stride)  # the first (p + padding) // stride that lies inside
    start = first * stride + phase - padding
    return (size - start + stride - 1) // stride, start, taps - 1 - first


def _packed(weight: Array) -> Array:
    """(F, K) as the flat (F/ROWS, K, ROWS) that a tile's left side reads; missing filters are zero."""
    F, K = weight.shape
    packed = np.zeros((-(-F // ROWS), ROWS, K), weight.dtype)
    packed.reshape(-1, K)[:F] = weight
    return np.ascontiguousarray(packed.transpose(0, 2, 1)).reshape(-1)


def _launch_convolve(x, packed, offsets, bias, out, geometry):
    if out.size:
        blocks = -(-out.shape[1] // ROWS)
        groups = 1 if x.shape[0] >= 16 else min(blocks, -(-16 // x.shape[0]))
        _convolve_all(x.shape[0] * groups, groups, x, packed, offsets, bias, out, geometry)


@parallel_kernel
def _convolve_all(tasks, groups, x, packed, offsets, bias, out, geometry):
    for task in prange(tasks):
        _convolve(np.int64(task), groups, x, packed, offsets, bias, out, geometry)


@kernel
def _convolve(task, groups, x, packed, offsets, bias, out, geometry):
    """Computes one group of filters of one image."""
    image, group = task // groups, task % groups
    height, width, top, left, row_step, column_step, rows, columns, y0, x0, y_step, x_step = (
        geometry[0], geometry[1], geometry[2], geometry[3], geometry[4], geometry[5],
        geometry[6], geometry[7], geometry[8], geometry[9], geometry[10], geometry[11],
    )  # fmt: skip
    source = aligned_empty(x.shape[1] * row_step * column_step * height * width + SLACK, x)
    fill_planes(x, image, source, height, width, top, left, row_step, column_step)
    lanes = VECTOR_BYTES // x.itemsize
    pixels = (rows - 1) * width + columns
    pitch = (pixels + lanes - 1) // lanes * lanes
    result = np.empty(ROWS * pitch, x.dtype)
    taps = offsets.size
    blocks = (out.shape[1] + ROWS - 1) // ROWS
    for block in range(blocks * group // groups, blocks * (group + 1) // groups):
        start = block * taps * ROWS
        pixel = 0
        while pixel + COLUMNS * lanes <= pitch:
            tile = zero_tile(source, COLUMNS)
            for k in range(taps):
                tile = outer(tile, packed, start + k * ROWS, 1, source, pixel + offsets[k])
            store(tile, result, pixel, pitch)
            pixel += COLUMNS * lanes
        if pixel + 2 * lanes <= pitch:
            double = zero_tile(source, 2)
            for k in range(taps):
                double = outer(double, packed, start + k * ROWS, 1, source, pixel + offsets[k])
            store(double, result, pixel, pitch)
            pixel += 2 * lanes
        if pixel < pitch:
            narrow = zero_tile(source, 1)
            for k in range(taps):
                narrow = outer(narrow, packed, start + k * ROWS, 1, source, pixel + offsets[k])
            store(narrow, result, pixel, pitch)
            pixel += lanes
        for r in range(min(ROWS, out.shape[1] - block * ROWS)):
            filter = block * ROWS + r
            shift = bias[filter]
            for row in range(rows):
                line = result[r * pitch + row * width :]
                target = out[image, filter, y0 + row * y_step, x0:]
                if x_step == 1:
                    for column in range(columns):
                        target[column] = line[column] + shift
                else:
                    for column in range(columns):
                        target[column * x_step] = line[column] + shift


def conv2d_grad_weight(grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    """The gradient (F, C, kh, kw) of `conv2d`'s weight: grad (N, F, OH, OW), x (N, C, H, W).

    Images are summed in chunks that depend on the shapes alone, and the chunks in order: the result is the
    same to the last bit on any number of threads.
    """
    grad, x = np.ascontiguousarray(grad), np.ascontiguousarray(x)
    N, F, rows, columns = grad.shape
    _, C, kh, kw = weight_shape
    if not grad.size:
        return np.zeros(weight_shape, grad.dtype)
    plane = rows + (kh - 1) // stride[0], plane_width(columns, kw, x.shape[3], padding[1], stride[1])
    offsets = tap_offsets(C, (kh, kw), stride, plane, COLUMNS)
    geometry = np.array([*plane, *padding, *stride, rows, columns])
    chunks, blocks = min(N, MOST_CHUNKS), -(-F // ROWS)
    groups = min(blocks, -(-MOST_CHUNKS // chunks))
    partial = np.empty((chunks, blocks * ROWS, offsets.size), grad.dtype)
    _correlate_all(chunks * groups, groups, grad, x, offsets, partial, geometry)
    total = partial[0] if chunks == 1 else partial.sum(axis=0)
    return np.ascontiguousarray(total[:F, : C * kh * kw]).reshape(weight_shape)


@parallel_kernel
def _correlate_all(tasks, groups, grad, x, offsets, partial, geometry):
    for task in prange(tasks):
        _correlate(np.int64(task), groups, grad, x, offsets, partial, geometry)


@kernel
def _correlate(task, groups, grad, x, offsets, partial, geometry):
    """Computes one group of filters' gradient over one chunk of images."""
    chunk, group = task // groups, task % groups
    height, width, top, left, row_step, column_step, rows, columns = (
        geometry[0], geometry[1], geometry[2], geometry[3],
        geometry[4], geometry[5], geometry[6], geometry[7],
    )  # fmt: skip
    chunks, filters, taps = partial.shape
    lanes = VECTOR_BYTES // x.itemsize
    pitch = ((rows - 1) * width + columns + lanes - 1) // lanes * lanes
    start = grad.shape[0] * chunk // chunks
    images = grad.shape[0] * (chunk + 1) // chunks - start
    size = x.shape[1] * row_step * column_step * height * width + SLACK
    first = filters // ROWS * group // groups * ROWS
    end = filters // ROWS * (group + 1) // groups * ROWS
    area = (end - first) * pitch
    batch = min(images, max(1, BATCH // (size + area)))
    source = aligned_empty(batch * size, x)
    upstream = aligned_empty(batch * area, x)
    upstream[:] = 0
    found = np.empty(ROWS * COLUMNS, x.dtype)
    partial[chunk, first:end] = 0
    for image in range(0, images, batch):
        batch = min(batch, images - image)
        for n in range(batch):
            planes = source[n * size : (n + 1) * size]
            fill_planes(x, start + image + n, planes, height, width, top, left, row_step, column_step)
            for f in range(first, min(end, grad.shape[1])):
                for row in range(rows):
                    line = upstream[n * area + (f - first) * pitch + row * width :]
                    pixels = grad[start + image + n, f, row]
                    for column in range(columns):
                        line[column] = pixels[column]
        for block in range(0, end - first, ROWS):
            for k in range(0, taps, COLUMNS):
                tile = zero_tile(source, COLUMNS)
                for n in range(batch):
                    at = n * area + block * pitch
                    b0, b1, b2 = n * size + offsets[k], n * size + offsets[k + 1], n * size + offsets[k + 2]
                    for pixel in range(0, pitch, lanes):
                        tile = inner(tile, upstream, at + pixel, pitch, source, b0 + pixel, b1 + pixel, b2 + pixel)
                sums(tile, found, 0)
                for r in range(ROWS):
                    for c in range(COLUMNS):
                        partial[chunk, first + block + r, k + c] += found[r * COLUMNS + c]


def channel_sum(grad: Array) -> Array:
    """The sum (C,) of grad (N, C, ...) over all but the channels: a bias' gradient; added in float64."""
    grad = np.ascontiguousarray(grad)
    out = np.empty(grad.shape[1], grad.dtype)
    if grad.ndim == 2:
        return np.sum(grad, axis=0, dtype=np.float64).astype(grad.dtype)
    _channel_sum_all(grad.shape[1], grad.reshape(*grad.shape[:2], math.prod(grad.shape[2:])), out)
    return out


@parallel_kernel
def _channel_sum_all(channels, grad, out):
    for channel in prange(channels):
        _channel_sum(np.int64(channel), grad, out)


@kernel
def _channel_sum(channel, grad, out):
    total = 0.0
    for n in range(grad.shape[0]):
        for i in range(grad.shape[2]):
            total += np.float64(grad[n, channel, i])
    out[channel] = total
