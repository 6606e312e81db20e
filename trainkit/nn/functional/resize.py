"""Lines, images and volumes of another size, and channels turned into pixels and back."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.autograd.ops.resample import resample
from trainkit.autograd.ops.shape import permute, reshape
from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.kernels.resample import Axis
from trainkit.nn.functional.checks import Sizes, sizes_of
from trainkit.nn.functional.pooling_adaptive import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

__all__ = ["channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle", "upsample"]

_SMOOTH = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
_PLAIN = "nearest", "nearest-exact", "area"


def interpolate(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resize lines (N, C, L), images (N, C, H, W) or volumes (N, C, D, H, W).

    Source of "bicubic": Keys, 1981, https://doi.org/10.1109/TASSP.1981.1163711, with a = -0.75, and -0.5 antialiased.

    Args:
        input: of a floating point dtype.
        size: of the output: a number, or one for each dimension.
        scale_factor: in its place, what the sizes are multiplied by; what results is rounded down.
        mode: "nearest" as it always was, "nearest-exact" as Pillow has it, "linear" for lines, "bilinear" or "bicubic"
            for images, "trilinear" for volumes, "area" for the averages of `adaptive_avg_pool2d`.
        align_corners: whether the first and last elements, not their outer edges, lie upon each other; of the smooth
            modes.
        recompute_scale_factor: whether the places follow from the rounded size, and not from the factor.
        antialias: whether a smaller image is made of all that lies under its elements; "bilinear" and "bicubic" only.

    Raises:
        ShapeError: the mode is not one for so many dimensions, or a size is 0.
        DTypeError: `input` holds no floats.
        ArgumentError: not one of size and factor is given, an argument is not one of the mode, or the mode is none.

    >>> import trainkit as tk
    >>> interpolate(tk.tensor([[[0.0, 4.0]]]), scale_factor=2, mode="linear")
    tensor([[[0., 1., 3., 4.]]])
    """
    dims = input.ndim - 2
    _check_mode(input, mode, align_corners, antialias)
    sizes, factors = _target(input.shape[2:], size, scale_factor, recompute_scale_factor)
    if 0 in sizes or 0 in input.shape[1:]:
        raise ShapeError(f"interpolate makes {tuple(sizes)} of shape {input.shape}; no size but the batch may be 0")
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[dims - 1](input, sizes)
    if input.dtype == np.float16:
        return _resized(input.float(), sizes, factors, mode, bool(align_corners), antialias).half()
    return _resized(input, sizes, factors, mode, bool(align_corners), antialias)


def upsample(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Resize: the old name of `interpolate`.

    Differs from PyTorch: it does not warn.
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Turn channels into pixels: (*, C r^2, H, W) to (*, C, H r, W r), r being `upscale_factor`.

    Source: Shi et al., 2016, https://arxiv.org/abs/1609.05158.

    Raises:
        ShapeError: there are fewer than 3 dimensions, or the channels are no multiple of r^2.
        ArgumentError: the factor is less than 1.
    """
    (r,) = sizes_of(upscale_factor, 1, "upscale_factor", 1)
    if input.ndim < 3 or input.shape[-3] % r**2:
        raise ShapeError(
            f"pixel_shuffle expected input of shape (*, C, H, W) with C a multiple of upscale_factor^2 = {r**2}, got "
            f"{input.shape}"
        )
    *lead, C, H, W = input.shape
    x = reshape(input, (*lead, C // r**2, r, r, H, W))
    return reshape(_move(x, len(lead), 0, 3, 1, 4, 2), (*lead, C // r**2, H * r, W * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Turn pixels into channels: (*, C, H r, W r) to (*, C r^2, H, W), r being `downscale_factor`.

    Raises:
        ShapeError: there are fewer than 3 dimensions, or height or width is no multiple of r.
        ArgumentError: the factor is less than 1.
    """
    (r,) = sizes_of(downscale_factor, 1, "downscale_factor", 1)
    if input.ndim < 3 or input.shape[-2] % r or input.shape[-1] % r:
        raise ShapeError(
            f"pixel_unshuffle expected input of shape (*, C, H, W) with H and W multiples of downscale_factor={r}, got "
            f"{input.shape}"
        )
    *lead, C, H, W = input.shape
    x = reshape(input, (*lead, C, H // r, r, W // r, r))
    return reshape(_move(x, len(lead), 0, 2, 4, 1, 3), (*lead, C * r**2, H // r, W // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Deal the channels of (N, C, ...) out anew: the first of each of `groups` groups, then the second of each.

    Source: Zhang et al., 2017, https://arxiv.org/abs/1707.01083.

    Raises:
        ShapeError: there are fewer than 3 dimensions, or the channels do not fall into so many groups.
        ArgumentError: `groups` is less than 1.
    """
    (count,) = sizes_of(groups, 1, "groups", 1)
    if input.ndim < 3 or input.shape[1] % count:
        raise ShapeError(
            f"channel_shuffle expected input of shape (N, C, ...) with C a multiple of groups={count}, got "
            f"{input.shape}"
        )
    N, C, *rest = input.shape
    x = reshape(input, (N, count, C // count, *rest))
    return reshape(permute(x, (0, 2, 1, *range(3, x.ndim))), (N, C, *rest))


def _move(x: Tensor, lead: int, *order: int) -> Tensor:
    """Permute the dimensions behind the first `lead`."""
    return permute(x, (*range(lead), *[lead + dim for dim in order]))


def _check_mode(input: Tensor, mode: str, align_corners: bool | None, antialias: bool) -> None:
    if mode not in (*_PLAIN, *_SMOOTH):
        raise ArgumentError(f"the mode of interpolate is one of {', '.join((*_PLAIN, *_SMOOTH))}, got {mode!r}")
    if mode in _PLAIN and align_corners is not None:
        raise ArgumentError(f"align_corners is for the modes {', '.join(_SMOOTH)}, got mode {mode!r}")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ArgumentError(f"antialias is for the modes bilinear and bicubic, got mode {mode!r}")
    dims = input.ndim - 2
    if not 1 <= dims <= 3 or dims != _SMOOTH.get(mode, dims):
        axes = {1: "N, C, L", 2: "N, C, H, W", 3: "N, C, D, H, W"}
        wanted = f"({axes[_SMOOTH[mode]]})" if mode in _SMOOTH else " or ".join(f"({a})" for a in axes.values())
        raise ShapeError(f"interpolate in mode {mode!r} expected input of shape {wanted}, got {input.shape}")
    if input.dtype.kind != "f":
        raise DTypeError(f"interpolate expected a floating point dtype, got {input.dtype}; cast it with .float()")


def _target(have: Sequence[int], size: Any, scale_factor: Any, recompute: bool | None) -> tuple[Any, Any]:
    """Return the size of the output, and of each dimension the factor or None."""
    dims = len(have)
    if (size is None) == (scale_factor is None):
        raise ArgumentError(
            f"interpolate takes either size or scale_factor, got size={size} and scale_factor={scale_factor}"
        )
    if size is not None:
        if recompute:
            raise ArgumentError("recompute_scale_factor is for scale_factor, and a size was given")
        return sizes_of(size, dims, "size", 0), (None,) * dims
    given = tuple(scale_factor) if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * dims
    factors = tuple([float(factor) for factor in given])
    if len(factors) != dims or not all(factor > 0 and math.isfinite(factor) for factor in factors):
        many = f", or {dims} of them" if dims > 1 else ""
        raise ArgumentError(f"scale_factor must be a positive number{many}, got {scale_factor}")
    sizes = tuple([math.floor(n * factor) for n, factor in zip(have, factors, strict=True)])
    return sizes, (None,) * dims if recompute else factors


def _resized(
    input: Tensor, sizes: Sequence[int], factors: Sequence[Any], mode: str, align_corners: bool, antialias: bool
) -> Tensor:
    kind = mode.removeprefix("bi").removeprefix("tri") if mode in _SMOOTH else mode
    pairs = zip(input.shape[2:], sizes, factors, strict=True)
    how = kind, align_corners, antialias, input.dtype.char
    return resample(input, tuple([_axis(*each, *how) for each in pairs]))


@lru_cache(maxsize=256)
def _axis(size: int, out: int, factor: float | None, kind: str, align: bool, antialias: bool, dtype: str) -> Axis:
    """Return what each element along a dimension is made of, computed in the dtype of the input as PyTorch does."""
    real = np.float32 if kind.startswith("nearest") else np.dtype(dtype).type
    number = np.arange(out).astype(real)
    step = real(1.0 / factor) if factor is not None else real(size) / real(out)
    if align:
        step = real(size - 1) / real(out - 1) if out > 1 else real(0)
    if size == out and (kind != "cubic" or antialias):
        return Axis(size, np.arange(out)[None])
    if antialias:
        return _antialiased(size, number, step, kind)
    if kind.startswith("nearest"):
        step = real(0.5) if out == 2 * size else step
        place = number * step if kind == "nearest" else (number + real(0.5)) * step
        return Axis(size, _whole(place, size)[None])
    place = number * step if align else (number + real(0.5)) * step - real(0.5)
    if kind == "linear":
        place = np.maximum(place, 0)
        first = _whole(place, size)
        share = np.clip(place - first, 0, 1)
        return Axis(size, np.stack([first, np.minimum(first + 1, size - 1)]), np.stack([1 - share, share]))
    first = _whole(place, size)
    share = np.clip(place - first, 0, 1)
    shift = np.arange(-1, 3)[:, None]
    return Axis(size, np.clip(first + shift, 0, size - 1), _cubic(share - shift, -0.75))


def _whole(place: Any, size: int) -> Any:
    return np.minimum(np.floor(place.astype(np.float32)).astype(np.int64), size - 1)


def _cubic(distance: Any, a: float) -> Any:
    """Return the weight of an element at a distance, by the cubic convolution of Keys."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    return np.where(d <= 1, near, np.where(d < 2, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a, 0.0))


def _antialiased(size: int, number: Any, step: Any, kind: str) -> Axis:
    """Return weights of all that lies under an element, as far as the wider of both grids reaches."""
    number, step = number.astype(np.float64), float(step)
    wide = max(step, 1.0)
    reach = (1 if kind == "linear" else 2) * wide
    centre = step * (number + 0.5)
    first = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + reach + 0.5).astype(np.int64), size)
    places = first + np.arange((end - first).max())[:, None]
    distance = (places - centre + 0.5) / wide
    weights = np.maximum(1 - np.abs(distance), 0) if kind == "linear" else _cubic(distance, -0.5)
    weights = np.where(places < end, weights, 0)
    return Axis(size, np.where(places < end, places, size), weights / weights.sum(0))
