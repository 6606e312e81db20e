"""What the functions of more than one family check before they call an op."""

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["Pair", "Sizes", "check_images", "check_window", "pair", "same_dtype", "sizes_of"]

Pair = int | tuple[int, int]
Sizes = int | Sequence[int]


def pair(value: Any, name: str, least: int) -> tuple[int, int]:
    """Return (height, width) of one number or two.

    Raises:
        ArgumentError: it is neither, or smaller than `least`.
    """
    sizes = (value, value) if isinstance(value, int) else tuple(value)
    if len(sizes) != 2 or not all(isinstance(size, (int, np.integer)) and size >= least for size in sizes):
        raise ArgumentError(f"{name} must be an integer of at least {least}, or two of them, got {value!r}")
    return int(sizes[0]), int(sizes[1])


def check_images(name: str, x: Tensor, channels: int | None = None) -> None:
    """Raise unless `x` is (N, C, H, W), with as many channels as expected."""
    if x.ndim != 4 or (channels is not None and x.shape[1] != channels):
        expected = "C" if channels is None else channels
        hint = "; add the batch dimension with x.unsqueeze(0)" if x.ndim == 3 else ""
        if channels == 1 and x.ndim == 3:
            hint = "; add the channel dimension with x.unsqueeze(1)"
        raise ShapeError(f"{name} expected input of shape (N, {expected}, H, W), got {x.shape}{hint}")


def check_window(name: str, x: Tensor, kernel: Any, stride: Any, padding: Any) -> None:
    """Raise where the window is larger than the padded image."""
    for size, k, p in zip(x.shape[2:], kernel, padding, strict=True):
        if size + 2 * p < k:
            raise ShapeError(
                f"{name}: the window of {tuple(kernel)} is larger than the image, {tuple(x.shape[2:])} with padding "
                f"{tuple(padding)}; use a smaller kernel, more padding, or pool less before"
            )


def same_dtype(name: str, x: Tensor, weight: Tensor) -> None:
    """Raise unless the input has the dtype of the weight."""
    if x.array.dtype != weight.array.dtype:
        raise DTypeError(
            f"{name} expected input of dtype {weight.dtype}, that of its weight, got {x.dtype}; "
            f"cast the input with .to({str(weight.dtype)!r})"
        )


def sizes_of(value: Any, dims: int, name: str, least: int) -> tuple[int, ...]:
    """Return one number for each dimension, from one for all of them or from as many as there are.

    Raises:
        ArgumentError: it is neither, or smaller than `least`.
    """
    try:
        given = tuple(map(index, value)) if isinstance(value, (tuple, list)) else (index(value),)
    except TypeError:
        given = ()
    sizes = given * dims if len(given) == 1 else given
    if len(sizes) != dims or min(sizes) < least:
        many = f" or {dims} of them" if dims > 1 else ""
        raise ArgumentError(f"{name} must be an integer of at least {least}{many}, got {value!r}")
    return sizes
