"""Convolutions of one, two and three dimensions, and their transposes, as functions: all are made of the plane's.

A line is a plane of one row; a volume is, for each of its output planes, an image of as many times the channels as the
kernel is deep; a transposed convolution is the gradient of a convolution's input.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from trainkit.autograd import Tensor
from trainkit.autograd.ops.conv import conv2d as _plane
from trainkit.autograd.ops.conv import conv2d_grad_input as _transposed_plane
from trainkit.autograd.ops.conv import conv2d_relu as _rectified_plane
from trainkit.autograd.ops.conv import conv2d_scale_shift as _scaled_plane
from trainkit.autograd.ops.pad import pad
from trainkit.autograd.ops.strided import unfold
from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.nn.functional.checks import Sizes, check_window, fixed, sizes_of

__all__ = [
    "check_same",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "convolve",
    "same_padding",
    "transposed_size",
]

_AXES = {1: "L", 2: "H, W", 3: "D, H, W"}


def same_padding(kernel_size: Sequence[int], dilation: Sequence[int]) -> list[tuple[int, int]]:
    """Return what 'same' puts before and after each dimension; of an odd number the larger half comes after."""
    totals = [(k - 1) * d for k, d in zip(kernel_size, dilation, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


def check_same(padding: Any, stride: Sequence[int]) -> None:
    """Raise unless a padding that is a word is 'valid', or 'same' with a stride of 1."""
    if padding not in ("same", "valid"):
        raise ArgumentError(f"padding must be a number, one for each dimension, 'same' or 'valid', got {padding!r}")
    if padding == "same" and max(stride) > 1:
        raise ArgumentError(f"padding='same' is not supported for strided convolutions, got stride={tuple(stride)}")


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Correlate lines with filters: input (N, C, L) or (C, L), weight (F, C / groups, k) to (N, F, L') or (F, L').

    L' is as H' of `conv2d`, and so are the arguments and the errors.
    """
    return convolve(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Correlate images with filters: input (N, C, H, W) or (C, H, W), weight (F, C / groups, kh, kw).

    The result is (N, F, H', W') or (F, H', W'), H' = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1, and
    W' likewise.

    Args:
        input: float32 or float64; float16 is computed in float32.
        weight: of the input's dtype.
        bias: (F,) or None.
        stride: a number, or one for each dimension.
        padding: zeros on both sides: a number, or one for each dimension; 'valid' is none, 'same' as many as keep the
            size at a stride of 1.
        dilation: the step between the taps of a filter.
        groups: channels and filters fall into so many groups that do not see each other.

    Raises:
        ShapeError: the channels or the groups do not fit, or the filter is larger than the padded image.
        DTypeError: the dtypes differ, or are not floating point.
        ArgumentError: a number is none that the argument can be.
    """
    return convolve(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Correlate volumes with filters: input (N, C, D, H, W) or (C, D, H, W), weight (F, C / groups, kd, kh, kw).

    The result is (N, F, D', H', W') or (F, D', H', W'), D' as H' of `conv2d`, and so are the arguments and the errors.
    Takes kd / stride times the memory of the input, for what each output plane sees.
    """
    return convolve(3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """Spread lines by filters: input (N, C, L) or (C, L), weight (C, F / groups, k) to (N, F, L') or (F, L').

    L' is as H' of `conv_transpose2d`, and so are the arguments and the errors.
    """
    return _transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """Spread images by filters, the gradient of `conv2d`: input (N, C, H, W) or (C, H, W), weight (C, F / groups, ...).

    The result is (N, F, H', W') or (F, H', W').
    H' = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1, and W' likewise.
    Source: Zeiler et al., 2010, https://doi.org/10.1109/CVPR.2010.5539957.

    Args:
        input: float32 or float64; float16 is computed in float32.
        weight: of the input's dtype.
        bias: (F,) or None.
        stride: a number, or one for each dimension.
        padding: what is cut off on both sides.
        output_padding: rows and columns more at the end, for one of the sizes that the convolution makes the same.
        groups: channels and filters fall into so many groups that do not see each other.
        dilation: the step between the taps of a filter.

    Raises:
        ShapeError: the channels or the groups do not fit, nothing is left of the output, or `output_padding` is not
            smaller than stride or dilation.
        DTypeError: the dtypes differ, or are not floating point.
        ArgumentError: a number is none that the argument can be.
    """
    return _transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def convolve(
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    relu: bool = False,
    norm: tuple[Any, ...] | None = None,
) -> Tensor:
    """Correlate in so many dimensions, and replace what is negative by 0 if asked to.

    With `norm`, what `scale_shift` takes besides its input, the channels are normalised by it before that, and nothing
    is recorded.
    """
    x, w, b = input.array, weight.array, None if bias is None else bias.array
    shapes = x.shape, w.shape, None if b is None else b.shape
    dtypes = x.dtype, w.dtype, None if b is None else b.dtype
    plan = _plan(dims, shapes, dtypes, fixed(stride), fixed(padding), fixed(dilation), groups)
    strides, paddings, dilations, count, missing = plan
    if missing:
        input = pad(input, missing)
    if x.dtype.char == "e":
        return convolve(dims, *_wide(input, weight, bias), strides, paddings, dilations, count, relu, norm).half()
    batch = input if x.ndim == dims + 2 else input.unsqueeze(0)
    plane = _rectified_plane if relu else _plane
    if norm is not None:
        plane = _scaling(norm, relu)
    if dims == 2:
        out = plane(batch, weight, bias, strides, paddings, dilations, count)
    elif dims == 1:
        lines = batch.unsqueeze(2), weight.unsqueeze(2), bias
        out = plane(*lines, (1, *strides), (0, *paddings), (1, *dilations), count).squeeze(2)
    else:
        out = _volume(plane, batch, weight, bias, strides, paddings, dilations, count)
    return out if batch is input else out.squeeze(0)


def _scaling(norm: tuple[Any, ...], relu: bool) -> Any:
    def plane(x: Any, weight: Any, bias: Any, *how: Any) -> Any:
        return _scaled_plane(x, weight, bias, *norm, relu, *how)

    return plane


class _Plan(NamedTuple):
    """A convolution's numbers, one for each dimension; and what 'same' puts behind, the last dimension first."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    missing: tuple[int, ...]


@lru_cache(maxsize=512, typed=True)
def _plan(
    dims: int,
    shapes: tuple[Any, Any, Any],
    dtypes: tuple[Any, Any, Any],
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> _Plan:
    """Check the numbers, and the shapes and dtypes of input, weight and bias (or None), once for each of their kind."""
    name = f"Conv{dims}d"
    strides, dilations = sizes_of(stride, dims, "stride", 1), sizes_of(dilation, dims, "dilation", 1)
    count = sizes_of(groups, 1, "groups", 1)[0]
    size, filters, _ = shapes
    _check_shapes(name, dims, shapes, filters[1] * count if len(filters) > 1 else 0, filters[0] if filters else 0)
    if filters[0] % count:
        raise ShapeError(f"{name}: {filters[0]} filters do not fall into groups={count}; take a multiple of it")
    kernel_size = filters[2:]
    missing: tuple[int, ...] = ()
    if isinstance(padding, str):
        check_same(padding, strides)
        pads = [(0, 0)] * dims if padding == "valid" else same_padding(kernel_size, dilations)
        padding = tuple([before for before, _ in pads])
        if any(before != after for before, after in pads):
            missing = tuple([n for before, after in reversed(pads) for n in (0, after - before)])
            size = (*size[:-dims], *[n + after - before for n, (before, after) in zip(size[-dims:], pads, strict=True)])
    paddings = sizes_of(padding, dims, "padding", 0)
    check_window(name, size[-dims:], kernel_size, paddings, dilations)
    _check_dtypes(name, *dtypes)
    return _Plan(strides, paddings, dilations, count, missing)


def _wide(input: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    return input.float(), weight.float(), None if bias is None else bias.float()


def _volume(
    plane: Any, x: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    """Convolve each output plane as an image: the planes that a filter sees are channels of it."""
    depth = weight.shape[2]
    if padding[0]:
        x = pad(x, (0, 0, 0, 0, padding[0], padding[0]))
    seen = unfold(x, 2, (depth - 1) * dilation[0] + 1, stride[0])[..., :: dilation[0]]  # (N, C, D', H, W, kd)
    N, C, planes, H, W, _ = seen.shape
    images = seen.permute(0, 2, 1, 5, 3, 4).reshape(N * planes, C * depth, H, W)
    filters = weight.reshape(weight.shape[0], -1, *weight.shape[3:])
    out = plane(images, filters, bias, stride[1:], padding[1:], dilation[1:], groups)
    return out.reshape(N, planes, *out.shape[1:]).permute(0, 2, 1, 3, 4).contiguous()


def _transpose(
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    name = f"ConvTranspose{dims}d"
    strides, dilations = sizes_of(stride, dims, "stride", 1), sizes_of(dilation, dims, "dilation", 1)
    paddings, extra = sizes_of(padding, dims, "padding", 0), sizes_of(output_padding, dims, "output_padding", 0)
    count = sizes_of(groups, 1, "groups", 1)[0]
    shapes = input.array.shape, weight.array.shape, None if bias is None else bias.array.shape
    _check_shapes(name, dims, shapes, weight.shape[0], weight.shape[1] * count if weight.ndim > 1 else 0)
    _check_dtypes(name, input.dtype, weight.dtype, None if bias is None else bias.dtype)
    if weight.shape[0] % count:
        raise ShapeError(f"{name}: {weight.shape[0]} channels do not fall into groups={count}; take a multiple of it")
    if any(e >= max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)):
        raise ShapeError(
            f"{name}: output_padding {extra} must be smaller than either stride {strides} or dilation {dilations}"
        )
    size = transposed_size(input.shape[-dims:], weight.shape[2:], strides, paddings, dilations)
    size = [length + more for length, more in zip(size, extra, strict=True)]
    if min(size) < 1:
        raise ShapeError(
            f"{name}: nothing is left of the output, its size would be {tuple(size)} for input {input.shape}; "
            "use less padding"
        )
    if input.dtype == np.float16:
        return _transpose(dims, *_wide(input, weight, bias), stride, padding, output_padding, groups, dilation).half()
    batch = input if input.ndim == dims + 2 else input.unsqueeze(0)
    shape = batch.shape[0], weight.shape[1] * count
    if dims == 2:
        out = _transposed_plane(batch, weight, (*shape, *size), strides, paddings, dilations, count)
    else:
        line = batch.unsqueeze(2), weight.unsqueeze(2), (*shape, 1, *size)
        out = _transposed_plane(*line, (1, *strides), (0, *paddings), (1, *dilations), count).squeeze(2)
    if bias is not None:
        out = out + bias.reshape(-1, *[1] * dims)
    return out if batch is input else out.squeeze(0)


def transposed_size(
    size: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> list[int]:
    """Return the smallest size that the transposed convolution makes of `size`."""
    numbers = zip(size, kernel_size, stride, padding, dilation, strict=True)
    return [(length - 1) * s - 2 * p + d * (k - 1) + 1 for length, k, s, p, d in numbers]


def _check_shapes(name: str, dims: int, shapes: tuple[Any, Any, Any], channels: int, filters: int) -> None:
    """Raise unless the shapes of the input, the weight and the bias (or None) fit each other."""
    size, weight, bias = shapes
    if len(weight) != dims + 2:
        raise ShapeError(f"{name} expected a weight of {dims + 2} dimensions, got shape {weight}")
    if min(weight[2:]) < 1:
        raise ShapeError(f"{name} expected a kernel of at least one element, got a weight of shape {weight}")
    if not dims + 1 <= len(size) <= dims + 2 or size[-dims - 1] != channels:
        axes = _AXES[dims]
        hint = ""
        if channels == 1 and len(size) == dims + 1:
            hint = "; add the channel dimension with x.unsqueeze(1)"
        elif len(size) == dims + 2 and size[-1] == channels:
            hint = "; put the channels first with x.movedim(-1, 1)"
        raise ShapeError(
            f"{name} expected input of shape (N, {channels}, {axes}) or ({channels}, {axes}), got {size}{hint}"
        )
    if bias is not None and bias != (filters,):
        raise ShapeError(f"{name} expected a bias of shape ({filters},), got {bias}")


def _check_dtypes(name: str, dtype: Any, own: Any, other: Any) -> None:
    """Raise unless input, weight and bias (or None) are of one floating point dtype."""
    if dtype.kind != "f":
        raise DTypeError(f"{name} expected input of a floating point dtype, got {dtype}; cast it with .float()")
    if own != dtype or (other is not None and other != dtype):
        found = own if own != dtype else other
        raise DTypeError(
            f"{name} expected input of dtype {found}, that of its weight and bias, got {dtype}; "
            f"cast the input with .to({str(found)!r})"
        )
