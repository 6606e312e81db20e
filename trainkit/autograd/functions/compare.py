"""Comparisons, logic and bits, element by element. Nothing here has a gradient."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.dtypes import get_default_dtype
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops import compare as ops
from trainkit.autograd.ops.compare import (
    bitwise_not,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    isreal,
    logical_not,
    signbit,
)
from trainkit.errors import ArgumentError, DTypeError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "allclose",
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "eq",
    "equal",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "is_nonzero",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "le",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
    "not_equal",
    "signbit",
]


def eq(input: Any, other: Any) -> Tensor:
    """Tell where `input` equals `other`; NaN equals nothing."""
    return ops.eq(input, other)


def ne(input: Any, other: Any) -> Tensor:
    """Tell where `input` does not equal `other`."""
    return ops.ne(input, other)


def lt(input: Any, other: Any) -> Tensor:
    """Tell where `input` is less than `other`."""
    return ops.lt(input, other)


def le(input: Any, other: Any) -> Tensor:
    """Tell where `input` is less than or equal to `other`."""
    return ops.le(input, other)


def gt(input: Any, other: Any) -> Tensor:
    """Tell where `input` is greater than `other`."""
    return ops.gt(input, other)


def ge(input: Any, other: Any) -> Tensor:
    """Tell where `input` is greater than or equal to `other`."""
    return ops.ge(input, other)


not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge


def equal(input: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors have one shape and the same elements; their dtypes may differ."""
    for x in (input, other):
        if not isinstance(x, (TensorBase, np.ndarray)):
            raise DTypeError(f"equal() compares two tensors, got {type(x).__name__}; compare numbers with eq()")
    return tuple(input.shape) == tuple(other.shape) and bool(ops.eq(input, other).array.all())


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Tell where `|input - other| <= atol + rtol * |other|`; infinities are close to themselves alone.

    Args:
        input: of the dtype of `other`.
        other: what to compare with.
        rtol: the tolerance relative to `other`.
        atol: the absolute tolerance.
        equal_nan: NaN counts as close to NaN.

    Raises:
        ArgumentError: a tolerance is negative.
        DTypeError: the dtypes differ.
    """
    x, y = (_array(value) for value in (input, other))
    if x.dtype != y.dtype:
        raise DTypeError(f"isclose compares tensors of one dtype, got {x.dtype} and {y.dtype}")
    if rtol < 0 or atol < 0:
        raise ArgumentError(f"tolerances must not be negative, got rtol={rtol} and atol={atol}")
    try:
        close = x == y
    except ValueError:
        raise ShapeError(f"isclose cannot broadcast shapes {x.shape} and {y.shape}") from None
    if x.dtype.kind != "f":
        x, y = x.astype(get_default_dtype()), y.astype(get_default_dtype())
    elif equal_nan:
        close = close | (np.isnan(x) & np.isnan(y))
    with np.errstate(all="ignore"):
        apart = np.abs(x - y)
        return wrap(close | (np.isfinite(apart) & (apart <= atol + np.abs(rtol * y))))


def _array(value: Any) -> Any:
    if not isinstance(value, (TensorBase, np.ndarray)):
        raise DTypeError(f"isclose compares two tensors, got {type(value).__name__}; make it a tensor first")
    return value.array if isinstance(value, TensorBase) else value


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Tell whether `isclose` holds everywhere."""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


def is_nonzero(input: Tensor) -> bool:
    """Tell whether the one element of a tensor is not 0.

    Raises:
        ShapeError: there are more, or none.
    """
    if input.array.size != 1:
        raise ShapeError(
            f"is_nonzero takes a tensor of one element, got shape {tuple(input.shape)}; use any() or all()"
        )
    return builtins.bool(input.array.item())


def logical_and(input: Any, other: Any) -> Tensor:
    """Tell where neither is 0."""
    return ops.logical_and(input, other)


def logical_or(input: Any, other: Any) -> Tensor:
    """Tell where they are not both 0."""
    return ops.logical_or(input, other)


def logical_xor(input: Any, other: Any) -> Tensor:
    """Tell where one of them is 0 and the other is not."""
    return ops.logical_xor(input, other)


def bitwise_and(input: Any, other: Any) -> Tensor:
    """The bits that are set in both integers; of booleans, the logical and."""
    return ops.bitwise_and(input, other)


def bitwise_or(input: Any, other: Any) -> Tensor:
    """The bits that are set in one or both integers; of booleans, the logical or."""
    return ops.bitwise_or(input, other)


def bitwise_xor(input: Any, other: Any) -> Tensor:
    """The bits that are set in one integer and not in the other; of booleans, where they differ."""
    return ops.bitwise_xor(input, other)


def bitwise_left_shift(input: Any, other: Any) -> Tensor:
    """Shift the bits of integers to the left: times 2 to the power of `other`; what leaves the dtype is lost."""
    return ops.bitwise_left_shift(input, other)


def bitwise_right_shift(input: Any, other: Any) -> Tensor:
    """Shift the bits of integers to the right, keeping the sign: divided by 2 to the power of `other`, rounded down."""
    return ops.bitwise_right_shift(input, other)
