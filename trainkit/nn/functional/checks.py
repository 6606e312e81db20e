"""What the functions of more than one family check before they call an op."""

from collections.abc import Sequence
from operator import index
from typing import Any

from trainkit.autograd import Tensor
from trainkit.errors import ArgumentError, DTypeError, ShapeError

__all__ = [
    "Sizes",
    "check_kind",
    "check_pooled",
    "check_window",
    "fixed",
    "fractional_sizes",
    "same_dtype",
    "sizes_of",
    "window_sizes",
]

Sizes = int | Sequence[int]


def check_window(
    name: str,
    size: Sequence[int],
    kernel_size: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> None:
    """Raise where the window is larger than the padded image."""
    for length, k, p, d in zip(size, kernel_size, padding, dilation, strict=True):
        if length + 2 * p < (k - 1) * d + 1:
            spread = f" with dilation {tuple(dilation)}" if max(dilation) > 1 else ""
            raise ShapeError(
                f"{name}: the window of {tuple(kernel_size)}{spread} is larger than the image, {tuple(size)} with "
                f"padding {tuple(padding)}; use a smaller kernel, more padding, or pool less before"
            )


def check_pooled(name: str, input: Tensor, dims: int, kinds: str = "f") -> None:
    """Raise unless `input` is (N, C, ...) or (C, ...) with so many more dimensions, of a dtype of some kinds.

    Only the batch may be empty.
    """
    check_kind(name, input.array.shape, input.array.dtype, dims, kinds)


def check_kind(name: str, shape: tuple[int, ...], dtype: Any, dims: int, kinds: str) -> None:
    """Do what `check_pooled` does with a shape and a dtype."""
    if not dims + 1 <= len(shape) <= dims + 2:
        axes = {1: "L", 2: "H, W", 3: "D, H, W"}[dims]
        raise ShapeError(f"{name} expected input of shape (N, C, {axes}) or (C, {axes}), got {shape}")
    if 0 in shape[-dims - 1 :]:
        raise ShapeError(f"{name} expected input in which nothing but the batch is empty, got shape {shape}")
    if dtype.kind not in kinds:
        wanted = "a floating point dtype" if kinds == "f" else "numbers"
        raise DTypeError(f"{name} expected input of {wanted}, got {dtype}; cast it with .float()")


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


def fixed(sizes: Any) -> Any:
    """Make a tuple of a list, so that what was found for these sizes can be kept."""
    return tuple(sizes) if isinstance(sizes, list) else sizes


def window_sizes(
    dims: int, kernel_size: Any, stride: Any, padding: Any
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return kernel size, stride and padding, one number for each dimension."""
    kernel = sizes_of(kernel_size, dims, "kernel_size", 1)
    steps = kernel if stride is None else sizes_of(stride, dims, "stride", 1)
    return kernel, steps, sizes_of(padding, dims, "padding", 0)


def fractional_sizes(name: str, dims: int, output_size: Any, output_ratio: Any) -> tuple[Any, Any]:
    """Return the size or the ratio of each dimension, the other as None.

    Raises:
        ArgumentError: not one of both is given, or a ratio is not between 0 and 1.
    """
    if (output_size is None) == (output_ratio is None):
        raise ArgumentError(
            f"{name} takes either output_size or output_ratio, got output_size={output_size} and "
            f"output_ratio={output_ratio}"
        )
    if output_size is not None:
        return sizes_of(output_size, dims, "output_size", 1), None
    ratios = tuple(output_ratio) if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * dims
    if len(ratios) != dims or not all(0 < ratio < 1 for ratio in ratios):
        raise ArgumentError(f"{name}: output_ratio must lie between 0 and 1, got {output_ratio}")
    return None, ratios
