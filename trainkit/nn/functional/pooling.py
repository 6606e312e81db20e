"""Windows that slide over lines, images and volumes, reduced to one value each."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from trainkit.autograd import Tensor, zeros
from trainkit.autograd.ops.pooling import max_pool
from trainkit.autograd.ops.resample import plane_mean, resample
from trainkit.autograd.ops.scatter import scatter
from trainkit.autograd.ops.shape import reshape
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from trainkit.kernels.pooling import Window
from trainkit.kernels.resample import Axis
from trainkit.nn.functional.checks import Sizes, check_kind, check_pooled, check_window, fixed, sizes_of, window_sizes

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]


def max_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the largest element of each window of lines: (N, C, L) or (C, L); see `max_pool2d`."""
    return largest(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the largest element of each window of images, (N, C, H, W) or (C, H, W); NaN counts as the largest.

    The result is (N, C, H', W') or (C, H', W'), H' = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride) + 1,
    and W' likewise. Differs from PyTorch: a window that meets padding alone is an error.

    Args:
        input: of floats or integers.
        kernel_size: a number, or one for each dimension, as all that follow.
        stride: the step between windows; the kernel size unless given.
        padding: what is put on both sides; it is never the largest.
        dilation: the step between the elements of a window.
        ceil_mode: whether H' is rounded up; a last window begins inside the image or the padding before it.
        return_indices: return also where each largest element lies in its plane, counted row by row, as int64.

    Raises:
        ShapeError: `input` has another number of dimensions, or the window is larger than the padded image.
        ArgumentError: the padding is more than half of the window, or a number is none that the argument can be.

    >>> import trainkit as tk
    >>> max_pool2d(tk.tensor([[[1.0, 2.0, 5.0], [3.0, 4.0, 0.0]]]), 2, stride=1, return_indices=True)
    (tensor([[[4., 5.]]]), tensor([[[4, 2]]]))
    """
    return largest(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the largest element of each window of volumes: (N, C, D, H, W) or (C, D, H, W); see `max_pool2d`."""
    return largest(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Average each window of lines: (N, C, L) or (C, L); see `avg_pool2d`."""
    return _average(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Average each window of images, (N, C, H, W) or (C, H, W).

    The result is (N, C, H', W') or (C, H', W'), H' = floor((H + 2 padding - kernel) / stride) + 1, and W' likewise.

    Args:
        input: of a floating point dtype.
        kernel_size: a number, or one for each dimension, as `stride` and `padding`.
        stride: the step between windows; the kernel size unless given.
        padding: zeros on both sides.
        ceil_mode: whether H' is rounded up; a last window begins inside the image or the padding before it.
        count_include_pad: whether the zeros of the padding are counted.
        divisor_override: what the sums are divided by in place of the count.

    Raises:
        ShapeError: `input` has another number of dimensions, or the window is larger than the padded image.
        ArgumentError: the padding is more than half of the window, or a number is none that the argument can be.
    """
    return _average(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Average each window of volumes: (N, C, D, H, W) or (C, D, H, W); see `avg_pool2d`."""
    return _average(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Tensor:
    """Take a norm of each window of lines: (N, C, L) or (C, L); see `lp_pool2d`."""
    return _norm(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Tensor:
    """Sum the powers of each window of images and take the root: (sum of x^p)^(1/p), with p of `norm_type`.

    With `ceil_mode`, a window that reaches over the end counts as if it were whole, at the average of what it has. The
    arguments and errors are those of `avg_pool2d`.
    """
    return _norm(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Tensor:
    """Take a norm of each window of volumes: (N, C, D, H, W) or (C, D, H, W); see `lp_pool2d`."""
    return _norm(3, input, norm_type, kernel_size, stride, ceil_mode)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Put elements back where `max_pool1d` found them: (N, C, L) or (C, L); see `max_unpool2d`."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Put elements back where `max_pool2d` found them, among zeros: (N, C, H', W') or (C, H', W').

    H' = (H - 1) stride - 2 padding + kernel, and W' likewise. Of several elements for one place the last stays.

    Args:
        input: what was pooled, or any tensor of that shape.
        indices: as `max_pool2d` returns them.
        kernel_size: that of the pooling, as `stride` and `padding`.
        stride: the kernel size unless given.
        padding: what was put on both sides.
        output_size: which of the sizes that pool to this one, with or without N and C.

    Raises:
        ShapeError: the shapes differ, or `input` has another number of dimensions.
        IndexRangeError: an index lies outside the output.
        ArgumentError: `output_size` is none that pools to the size of `input`.
    """
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Put elements back where `max_pool3d` found them: (N, C, D, H, W) or (C, D, H, W); see `max_unpool2d`."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)


@lru_cache(maxsize=256, typed=True)
def _window(
    name: str, size: tuple[int, ...], kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Window:
    """Return the windows of a pooling over `size`."""
    dims = len(size)
    kernel, steps, edge = window_sizes(dims, kernel_size, stride, padding)
    spread = sizes_of(dilation, dims, "dilation", 1)
    if any(2 * p > k for p, k in zip(edge, kernel, strict=True)):
        raise ArgumentError(f"{name}: padding {edge} must be at most half of kernel_size {kernel}")
    check_window(name, size, kernel, edge, spread)
    count = []
    for n, k, s, p, d in zip(size, kernel, steps, edge, spread, strict=True):
        windows = (n + 2 * p - d * (k - 1) - 1 + (s - 1 if ceil_mode else 0)) // s + 1
        windows -= ceil_mode and (windows - 1) * s >= n + p
        places = np.arange(windows)[:, None] * s - p + np.arange(k) * d
        if not ((places >= 0) & (places < n)).any(1).all():
            raise ShapeError(
                f"{name}: a window of {kernel} with dilation {spread} meets padding alone in an image of {size}; use "
                "less dilation or padding"
            )
        count.append(windows)
    return Window(kernel, steps, edge, spread, tuple(count))


def largest(
    dims: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    """Take the largest element of each window in so many dimensions; see `max_pool2d`."""
    array = input.array
    numbers = fixed(kernel_size), fixed(stride), fixed(padding), fixed(dilation), bool(ceil_mode)
    window = _checked_window(dims, array.shape, array.dtype, *numbers)
    if array.dtype.char == "e":
        return _halved(max_pool(input.float(), window, return_indices))
    return max_pool(input, window, return_indices)


@lru_cache(maxsize=256, typed=True)
def _checked_window(dims: int, shape: tuple[int, ...], dtype: Any, *numbers: Any) -> Window:
    """Check an input, and return its windows, once for each kind of it."""
    name = f"MaxPool{dims}d"
    check_kind(name, shape, dtype, dims, "iuf")
    return _window(name, shape[-dims:], *numbers)


def _halved(out: Any) -> Any:
    return (out[0].half(), out[1]) if isinstance(out, tuple) else out.half()


@lru_cache(maxsize=256)
def _average_axis(size: int, kernel: int, step: int, padding: int, count: int, with_padding: bool) -> Axis:
    """Return the averages of windows along one dimension."""
    starts = np.arange(count) * step - padding
    places = starts + np.arange(kernel)[:, None]
    inside = (places >= 0) & (places < size)
    divisors = np.minimum(kernel, size + padding - starts) if with_padding else inside.sum(0)
    return Axis(size, np.where(inside, places, size), divisors=divisors.astype(float))


def _average(
    dims: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    name = f"AvgPool{dims}d"
    check_pooled(name, input, dims)
    if divisor_override == 0:
        raise ArgumentError(f"{name}: divisor_override must not be 0")
    size = tuple(input.shape[-dims:])
    window = _window(name, size, *map(fixed, (kernel_size, stride, padding)), 1, bool(ceil_mode))
    if input.dtype == np.float16:
        wide = input.float()
        return _average(dims, wide, *window[:3], ceil_mode, count_include_pad, divisor_override).half()
    if window.kernel_size == size and max(window.padding) == 0 and divisor_override is None:
        return plane_mean(input, dims)
    numbers = zip(size, *window[:3], window.counts, strict=True)
    axes = [_average_axis(*each, bool(count_include_pad)) for each in numbers]
    if divisor_override is not None:
        ones = [Axis(axis.size, axis.places) for axis in axes[:-1]]
        last = axes[-1]
        axes = [*ones, Axis(last.size, last.places, divisors=np.full(last.out, float(divisor_override)))]
    return resample(input, tuple(axes))


def _norm(dims: int, input: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Tensor:
    kernel = sizes_of(kernel_size, dims, "kernel_size", 1)
    out = _average(dims, input**norm_type, kernel, stride, 0, ceil_mode, True, None)
    out = out.sign() * out.abs()  # has no gradient where nothing is left, as in PyTorch
    return (out * math.prod(kernel)) ** (1.0 / norm_type)


def _unpool(
    dims: int, input: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    name = f"MaxUnpool{dims}d"
    kernel, steps, edge = window_sizes(dims, kernel_size, stride, padding)
    check_pooled(name, input, dims, "iuf")
    if indices.dtype != np.int64:
        raise DTypeError(f"{name} expected indices of dtype int64, got {indices.dtype}; cast them with .long()")
    if indices.shape != input.shape:
        raise ShapeError(f"{name} expected indices of the shape of the input, {input.shape}, got {indices.shape}")
    lead, have = input.shape[:-dims], input.shape[-dims:]
    size = tuple([(n - 1) * s + k - 2 * p for n, s, k, p in zip(have, steps, kernel, edge, strict=True)])
    if output_size is not None:
        wanted = tuple(output_size)[-dims:]
        fits = len(output_size) in (dims, input.ndim) and all(
            abs(want - plain) < step for want, plain, step in zip(wanted, size, steps, strict=True)
        )
        if not fits:
            raise ArgumentError(
                f"{name}: output_size must differ from {size} by less than the stride {steps}, got {tuple(output_size)}"
            )
        size = wanted
    places = indices.array.reshape(*lead, math.prod(have))
    total = math.prod(size)
    if places.size and (places.min() < 0 or places.max() >= total):
        raise IndexRangeError(f"{name} got an index outside of the output, which has {total} elements in size {size}")
    out = zeros(*lead, total, dtype=input.dtype)
    return reshape(scatter(out, len(lead), places, reshape(input, places.shape)), (*lead, *size))
