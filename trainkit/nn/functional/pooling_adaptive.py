"""Pooling to a size that is given: the windows are as large as that makes them."""

from collections.abc import Sequence
from functools import lru_cache
from operator import index
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd import Tensor, from_numpy, rand
from trainkit.autograd.ops.pooling import take_places
from trainkit.autograd.ops.resample import plane_mean, resample
from trainkit.autograd.ops.shape import clone
from trainkit.errors import ArgumentError, ShapeError
from trainkit.kernels.resample import Axis
from trainkit.nn.functional.checks import Sizes, check_pooled, fractional_sizes, sizes_of

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
]

OutputSize = int | None | Sequence[int | None]


def adaptive_avg_pool1d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Average windows so that `output_size` are left: (N, C, L) or (C, L); see `adaptive_avg_pool2d`."""
    return _average(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Average windows so that (H', W') of them are left: (N, C, H, W) or (C, H, W).

    Window i of n along a size of H goes from floor(i H / n) to ceil((i + 1) H / n); windows may share elements.

    Args:
        input: of a floating point dtype.
        output_size: a number, or one for each dimension; None keeps the size of the input.

    Raises:
        ShapeError: `input` has another number of dimensions, or no elements to average.
        ArgumentError: a size is negative or no integer.

    >>> import trainkit as tk
    >>> adaptive_avg_pool2d(tk.tensor([[[0.0, 1.0, 2.0], [4.0, 5.0, 6.0]]]), (1, 2))
    tensor([[[2.5000, 3.5000]]])
    """
    return _average(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Average windows so that (D', H', W') of them are left: (N, C, D, H, W) or (C, D, H, W).

    See `adaptive_avg_pool2d`.
    """
    return _average(3, input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: OutputSize, return_indices: bool = False) -> Any:
    """Take the largest element of windows, `output_size` of them: (N, C, L) or (C, L); see `adaptive_max_pool2d`."""
    return _largest(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: OutputSize, return_indices: bool = False) -> Any:
    """Take the largest element of windows, so that (H', W') of them are left: (N, C, H, W) or (C, H, W).

    The windows, the size and the errors are those of `adaptive_avg_pool2d`; `return_indices` as of `max_pool2d`.

    >>> import trainkit as tk
    >>> adaptive_max_pool2d(tk.tensor([[[0.0, 1.0, 2.0], [4.0, 6.0, 5.0]]]), (1, 2))
    tensor([[[6., 6.]]])
    """
    return _largest(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: OutputSize, return_indices: bool = False) -> Any:
    """Take the largest element of windows, so that (D', H', W') of them are left: (N, C, D, H, W) or (C, D, H, W).

    See `adaptive_max_pool2d`.
    """
    return _largest(3, input, output_size, return_indices)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Take the largest element of windows whose steps are drawn at random: (N, C, H, W) or (C, H, W).

    Source: Graham, 2014, https://arxiv.org/abs/1412.6071.

    Args:
        input: of a floating point dtype.
        kernel_size: the size of the windows: a number, or one for each dimension, as all that follow.
        output_size: how many windows there are.
        output_ratio: in its place, how many there are for an element of the input; between 0 and 1.
        return_indices: return also where each largest element lies in its plane, counted row by row, as int64.
        _random_samples: (N, C, 2) numbers from 0 to 1 that place the windows, across first; drawn unless given.

    Raises:
        ShapeError: the windows do not fit into the input, or the samples are not for it.
        ArgumentError: not one of size and ratio is given, or a number is none that the argument can be.
    """
    return _fractional(2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Take the largest element of windows whose steps are drawn at random: (N, C, D, H, W) or (C, D, H, W).

    See `fractional_max_pool2d`; of the samples, (N, C, 3), the first is for the depth.
    """
    return _fractional(3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def _output_sizes(name: str, input: Tensor, output_size: Any, dims: int) -> tuple[int, ...]:
    """Return the size of the output of each dimension, where None stands for that of the input."""
    given = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,)
    given = given * dims if len(given) == 1 else given
    try:
        sizes = tuple([None if size is None else index(size) for size in given])
    except TypeError:
        sizes = ()
    if len(sizes) != dims or any(size is not None and size < 0 for size in sizes):
        raise ArgumentError(
            f"{name}: output_size must be a number of at least 0 or None"
            f"{f', or {dims} of them' if dims > 1 else ''}, got {output_size!r}"
        )
    return tuple([have if size is None else size for size, have in zip(sizes, input.shape[-dims:], strict=True)])


@lru_cache(maxsize=256)
def _spans(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where each of `count` windows over `size` elements begins and ends."""
    number = np.arange(count)
    return number * size // count, -(-(number + 1) * size // count)


@lru_cache(maxsize=256)
def _averages(size: int, count: int) -> Axis:
    """Return the averages over `_spans`."""
    starts, ends = _spans(size, count)
    places = starts + np.arange((ends - starts).max(initial=0))[:, None]
    return Axis(size, np.where(places < ends, places, size), divisors=(ends - starts).astype(float))


def _largest(dims: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    name = f"AdaptiveMaxPool{dims}d"
    check_pooled(name, input, dims, "iuf")
    sizes = _output_sizes(name, input, output_size, dims)
    windows = [_spans(*pair) for pair in zip(input.shape[-dims:], sizes, strict=True)]
    return _pick(input, [starts[None] for starts, _ in windows], [ends[None] for _, ends in windows], return_indices)


def _fractional(
    dims: int,
    input: Tensor,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    return_indices: bool,
    samples: Tensor | None,
) -> Any:
    name = f"FractionalMaxPool{dims}d"
    kernel = sizes_of(kernel_size, dims, "kernel_size", 1)
    check_pooled(name, input, dims)
    sizes, ratios = fractional_sizes(name, dims, output_size, output_ratio)
    have, lead = input.shape[-dims:], input.shape[:-dims]
    if ratios is not None:
        sizes = tuple([int(n * ratio) for n, ratio in zip(have, ratios, strict=True)])
    if min(sizes) < 1 or any(out + k - 1 > n for n, k, out in zip(have, kernel, sizes, strict=True)):
        raise ShapeError(f"{name}: {sizes} windows of {kernel} do not fit into an input of {have}")
    form = (*lead, dims) if len(lead) == 2 else (1, *lead, dims)
    drawn = rand(*form, dtype=input.dtype) if samples is None else samples
    if drawn.shape != form or drawn.dtype != input.dtype:
        raise ShapeError(
            f"{name} expected samples of shape {form} and dtype {input.dtype}, got {drawn.shape} and {drawn.dtype}"
        )
    rows = drawn.array.reshape(-1, dims)
    columns = rows[:, ::-1] if dims == 2 else rows
    starts = [_fractional_starts(*each) for each in zip(columns.T, have, sizes, kernel, strict=True)]
    ends = [start + k for start, k in zip(starts, kernel, strict=True)]
    return _pick(input, starts, ends, return_indices)


def _fractional_starts(samples: Any, size: int, count: int, kernel: int) -> np.ndarray:
    """Return where the windows begin in each plane: (planes, count)."""
    starts = np.full((len(samples), count), size - kernel)
    if count > 1:
        dtype = samples.dtype.type
        step = dtype(size - kernel) / dtype(count - 1)
        samples = samples[:, None]
        starts[:, :-1] = ((np.arange(count - 1).astype(dtype) + samples) * step).astype(np.int64)
        starts[:, :-1] -= (samples * step).astype(np.int64)
    return starts


def _pick(input: Tensor, starts: Sequence[np.ndarray], ends: Sequence[np.ndarray], return_indices: bool) -> Any:
    """Return the largest element of each window, and where it lies."""
    wide = input.float() if input.dtype == np.float16 else input
    places = kernels.max_places(wide.array, tuple(starts), tuple(ends))
    out = take_places(wide, places, len(starts)).to(input.dtype)
    return (out, from_numpy(places)) if return_indices else out


def _average(dims: int, input: Tensor, output_size: Any) -> Tensor:
    name = f"AdaptiveAvgPool{dims}d"
    check_pooled(name, input, dims)
    sizes = _output_sizes(name, input, output_size, dims)
    if input.dtype == np.float16:
        return _average(dims, input.float(), sizes).half()
    if max(sizes) == 1 == min(sizes):
        return plane_mean(input, dims)
    if sizes == tuple(input.shape[-dims:]):
        return clone(input)
    return resample(input, tuple([_averages(*pair) for pair in zip(input.shape[-dims:], sizes, strict=True)]))
