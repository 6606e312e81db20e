"""Max pooling: the index of a maximum within its window, mostly one byte, is all that the gradient needs."""

import numpy as np
from numba import prange

from trainkit.kernels.jit import Array, kernel, parallel_kernel

__all__ = ["max_pool2d", "max_pool2d_gather", "max_pool2d_grad"]

Pair = tuple[int, int]


def max_pool2d(x: Array, kernel_size: Pair, stride: Pair, padding: Pair) -> tuple[Array, Array]:
    """The maximum of each window of x (N, C, H, W), and its index: two arrays (N, C, OH, OW).

    The index is the position i * kw + j in the window, uint8 where it fits and int32 else. As in PyTorch the
    padding is minus infinity, the first of equal maxima wins, and a NaN is larger than any number.
    """
    x = np.ascontiguousarray(x)
    N, C, H, W = x.shape
    rows = (H + 2 * padding[0] - kernel_size[0]) // stride[0] + 1
    columns = (W + 2 * padding[1] - kernel_size[1]) // stride[1] + 1
    out = np.empty((N, C, rows, columns), x.dtype)
    index = np.empty(out.shape, np.uint8 if kernel_size[0] * kernel_size[1] <= 256 else np.int32)
    if out.size:
        planes = (
            x.reshape(N * C, H, W),
            out.reshape(N * C, rows, columns),
            index.reshape(N * C, rows, columns),
        )
        even = kernel_size == stride == (2, 2) and padding == (0, 0)
        _max_pool_all(_chunks(N * C, H * W), even, *planes, np.array([*kernel_size, *stride, *padding]))
    return out, index


def max_pool2d_grad(
    grad: Array,
    index: Array,
    input_shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
) -> Array:
    """The gradient (N, C, H, W) of the input: grad (N, C, OH, OW) added at each window's maximum."""
    grad = np.ascontiguousarray(grad)
    N, C, H, W = input_shape
    grad_x = np.empty(input_shape, grad.dtype)
    if grad_x.size:
        planes = (
            grad.reshape(N * C, *grad.shape[2:]),
            np.ascontiguousarray(index).reshape(N * C, *grad.shape[2:]),
        )
        even = kernel_size == stride == (2, 2) and padding == (0, 0)
        window = np.array([*kernel_size, *stride, *padding])
        _scatter_all(_chunks(N * C, H * W), even, *planes, grad_x.reshape(N * C, H, W), window)
    return grad_x


def max_pool2d_gather(x: Array, index: Array, kernel_size: Pair, stride: Pair, padding: Pair) -> Array:
    """The elements of x (N, C, H, W) at the positions that `max_pool2d` found: (N, C, OH, OW)."""
    x, index = np.ascontiguousarray(x), np.ascontiguousarray(index)
    out = np.empty(index.shape, x.dtype)
    if out.size:
        planes = x.shape[0] * x.shape[1]
        window = np.array([*kernel_size, *stride, *padding])
        shapes = (
            x.reshape(planes, *x.shape[2:]),
            index.reshape(planes, *index.shape[2:]),
            out.reshape(planes, *index.shape[2:]),
        )
        _gather(*shapes, window)
    return out


def _chunks(planes: int, pixels: int) -> int:
    return max(1, min(planes, planes * pixels >> 14))


@parallel_kernel
def _max_pool_all(chunks, even, x, out, index, window):
    for chunk in prange(chunks):
        _max_pool(np.int64(chunk), chunks, even, x, out, index, window)


@kernel
def _max_pool(chunk, chunks, even, x, out, index, window):
    kernel_rows, kernel_columns, row_step, column_step, top, left = window
    for plane in range(x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks):
        for row in range(out.shape[1]):
            if even:
                upper, lower = x[plane, 2 * row], x[plane, 2 * row + 1]
                for column in range(out.shape[2]):
                    best, at = upper[2 * column], np.uint8(0)
                    best, at = _larger(best, at, upper[2 * column + 1], np.uint8(1))
                    best, at = _larger(best, at, lower[2 * column], np.uint8(2))
                    best, at = _larger(best, at, lower[2 * column + 1], np.uint8(3))
                    out[plane, row, column] = best
                    index[plane, row, column] = at
                continue
            y = row * row_step - top
            i0, i1 = max(0, -y), min(kernel_rows, x.shape[1] - y)
            for column in range(out.shape[2]):
                z = column * column_step - left
                j0, j1 = max(0, -z), min(kernel_columns, x.shape[2] - z)
                best, at = x[plane, y + i0, z + j0], i0 * kernel_columns + j0
                for i in range(i0, i1):
                    for j in range(j0, j1):
                        best, at = _larger(best, at, x[plane, y + i, z + j], i * kernel_columns + j)
                out[plane, row, column] = best
                index[plane, row, column] = at


@kernel
def _larger(best, at, value, position):
    wins = (value > best) | (value != value)
    return (value if wins else best), (position if wins else at)


@parallel_kernel
def _scatter_all(chunks, even, grad, index, grad_x, window):
    for chunk in prange(chunks):
        _scatter(np.int64(chunk), chunks, even, grad, index, grad_x, window)


@kernel
def _scatter(chunk, chunks, even, grad, index, grad_x, window):
    kernel_columns, row_step, column_step, top, left = window[1], window[2], window[3], window[4], window[5]
    for plane in range(grad.shape[0] * chunk // chunks, grad.shape[0] * (chunk + 1) // chunks):
        if even:
            _scatter_even(grad[plane], index[plane], grad_x[plane])
            continue
        grad_x[plane] = 0
        for row in range(grad.shape[1]):
            for column in range(grad.shape[2]):
                at = np.int64(index[plane, row, column])
                y = row * row_step - top + at // kernel_columns
                z = column * column_step - left + at % kernel_columns
                grad_x[plane, y, z] += grad[plane, row, column]


@kernel
def _scatter_even(grad, index, grad_x):
    """Windows of 2 x 2 side by side: no division, and unsigned places that need no check for negative ones."""
    grad_x[:] = 0
    width = np.uint64(grad_x.shape[1])
    flat = grad_x.reshape(grad_x.size)
    for row in range(grad.shape[0]):
        for column in range(grad.shape[1]):
            at = np.uint64(index[row, column])
            corner = np.uint64(2 * row) * width + np.uint64(2 * column)
            flat[corner + (at >> np.uint64(1)) * width + (at & np.uint64(1))] = grad[row, column]


@kernel
def _gather(x, index, out, window):
    kernel_columns, row_step, column_step, top, left = window[1], window[2], window[3], window[4], window[5]
    for plane in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                at = np.int64(index[plane, row, column])
                y = row * row_step - top + at // kernel_columns
                z = column * column_step - left + at % kernel_columns
                out[plane, row, column] = x[plane, y, z]
