"""What the functions that pick and put ask of their arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trainkit.autograd.dtypes import bool_, int32, int64
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops.broadcast import broadcast_to, cast
from trainkit.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["check_along", "check_dtypes", "check_index", "diagonal_places", "meet", "number_for", "value_for"]


def check_index(name: str, index: Any) -> None:
    """Raise unless `index` is a tensor of int64 or int32."""
    if not isinstance(index, TensorBase):
        raise DTypeError(f"{name} takes an int64 or int32 tensor as index, got {type(index).__name__}")
    if index.array.dtype not in (int64, int32):
        raise DTypeError(
            f"{name} takes an int64 or int32 tensor as index, got {index.array.dtype}; cast it with .long()"
        )


def check_dtypes(name: str, input: Any, src: Any) -> None:
    """Raise unless two tensors have one dtype."""
    if input.array.dtype != src.array.dtype:
        wanted = str(input.array.dtype)
        raise DTypeError(f"{name} needs one dtype, got {wanted} and {src.array.dtype}; cast one with .to({wanted!r})")


def check_along(name: str, dim: int, sizes: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raise unless an index of `sizes` fits a tensor of `shape` along `dim`."""
    if max(len(sizes), 1) != max(len(shape), 1):
        raise ShapeError(f"{name} needs an index with as many dimensions as input, got {sizes} and {shape}")
    if any(n > m for i, (n, m) in enumerate(zip(sizes, shape, strict=False)) if i != dim):
        raise ShapeError(
            f"{name}: apart from dimension {dim}, no size of index may be larger than that of input, got {sizes} and "
            f"{shape}"
        )


def meet(name: str, input: Any, mask: Any) -> tuple[Any, Any]:
    """Check a mask; return the input, which broadcasts to the shape of both, and the mask."""
    if not isinstance(mask, TensorBase) or mask.array.dtype is not bool_:
        kind = mask.array.dtype if isinstance(mask, TensorBase) else type(mask).__name__
        raise DTypeError(f"{name} takes a bool tensor as mask, got {kind}; compare it first (mask != 0)")
    shape, sizes = input.array.shape, mask.array.shape
    if shape == sizes:
        return input, mask
    try:
        common = np.broadcast_shapes(shape, sizes)
    except ValueError:
        raise ShapeError(f"{name}: the mask of shape {sizes} and the input of shape {shape} do not broadcast") from None
    return input if common == shape else broadcast_to(input, common), mask


def number_for(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return a Python number as an element of `dtype`: a fraction is cut off for integers, as in PyTorch.

    Raises:
        ArgumentError: the number does not fit.
        DTypeError: it is none.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (bool, int, float)):
        raise DTypeError(f"expected a number, got {type(value).__name__}")
    if dtype.kind == "b":
        return bool(value)
    if dtype.kind == "f":
        if math.isfinite(value) and abs(value) > float(np.finfo(dtype).max):
            raise ArgumentError(f"{value} does not fit {dtype}")
        return float(value)
    info = np.iinfo(dtype)
    if not math.isfinite(value) or not (-info.max if dtype.kind == "u" else info.min) <= int(value) <= info.max:
        raise ArgumentError(f"{value} does not fit {dtype}, which holds {info.min} to {info.max}")
    return int(value) % (info.max + 1) if dtype.kind == "u" else int(value)


def value_for(name: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """Return what is to fill elements of `dtype`: a number, or a tensor of no dimensions.

    Raises:
        ArgumentError: a number does not fit.
        ShapeError: a tensor has dimensions.
    """
    if not isinstance(value, TensorBase):
        return number_for(value, dtype)
    if value.array.ndim:
        raise ShapeError(f"{name} fills with a number or a tensor of no dimensions, got shape {value.array.shape}")
    if value.array.dtype == dtype:
        return value
    return cast(value, dtype) if dtype.kind == "f" else wrap(cast(value.array, dtype))


def diagonal_places(shape: tuple[int, ...], wrap: bool) -> tuple[Any, ...]:
    """Return the index of the diagonal that `fill_diagonal_` fills."""
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise ShapeError(f"fill_diagonal_ takes a matrix, or sizes that are all the same, got shape {shape}")
    if wrap and len(shape) == 2:
        return np.divmod(np.arange(0, math.prod(shape), shape[1] + 1), shape[1])
    return (np.arange(min(shape)),) * len(shape)
