"""Comparison, logic and bits, element by element; none of them has a gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.autograd.dtypes import bool_
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import elementwise
from trainkit.errors import DTypeError

__all__ = [
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "eq",
    "ge",
    "gt",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "le",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
    "signbit",
]


@elementwise
def eq(ctx: Any, x: Any, y: Any) -> Any:
    return np.equal(x, y)


@elementwise
def ne(ctx: Any, x: Any, y: Any) -> Any:
    return np.not_equal(x, y)


@elementwise
def lt(ctx: Any, x: Any, y: Any) -> Any:
    return np.less(x, y)


@elementwise
def le(ctx: Any, x: Any, y: Any) -> Any:
    return np.less_equal(x, y)


@elementwise
def gt(ctx: Any, x: Any, y: Any) -> Any:
    return np.greater(x, y)


@elementwise
def ge(ctx: Any, x: Any, y: Any) -> Any:
    return np.greater_equal(x, y)


@op
def isnan(ctx: Any, x: Any) -> Any:
    """Tell which elements are NaN."""
    return np.isnan(x)


@op
def isinf(ctx: Any, x: Any) -> Any:
    """Tell which elements are infinite."""
    return np.isinf(x)


@op
def isposinf(ctx: Any, x: Any) -> Any:
    """Tell which elements are positive infinity."""
    return np.equal(x, np.inf) if x.dtype.kind == "f" else np.zeros(x.shape, bool)


@op
def isneginf(ctx: Any, x: Any) -> Any:
    """Tell which elements are negative infinity."""
    return np.equal(x, -np.inf) if x.dtype.kind == "f" else np.zeros(x.shape, bool)


@op
def isfinite(ctx: Any, x: Any) -> Any:
    """Tell which elements are neither infinite nor NaN."""
    return np.isfinite(x)


@op
def isreal(ctx: Any, x: Any) -> Any:
    """Tell which elements are real numbers: all, for there are no complex tensors."""
    return np.ones(x.shape, bool)


@op
def signbit(ctx: Any, x: Any) -> Any:
    """Tell which elements have a minus sign; -0.0 has one."""
    return np.signbit(x) if x.dtype.kind == "f" else np.less(x, 0)


@elementwise
def logical_and(ctx: Any, x: Any, y: Any) -> Any:
    return np.logical_and(x, y)


@elementwise
def logical_or(ctx: Any, x: Any, y: Any) -> Any:
    return np.logical_or(x, y)


@elementwise
def logical_xor(ctx: Any, x: Any, y: Any) -> Any:
    return np.logical_xor(x, y)


@op
def logical_not(ctx: Any, x: Any) -> Any:
    """Tell which elements are 0."""
    return np.logical_not(x)


@elementwise
def bitwise_and(ctx: Any, x: Any, y: Any) -> Any:
    return _of_bits(np.bitwise_and, x, y)


@elementwise
def bitwise_or(ctx: Any, x: Any, y: Any) -> Any:
    return _of_bits(np.bitwise_or, x, y)


@elementwise
def bitwise_xor(ctx: Any, x: Any, y: Any) -> Any:
    return _of_bits(np.bitwise_xor, x, y)


@op
def bitwise_not(ctx: Any, x: Any) -> Any:
    """Turn every bit round; of booleans, the logical not."""
    return _of_bits(np.invert, x)


@elementwise
def bitwise_left_shift(ctx: Any, x: Any, y: Any) -> Any:
    return _shifted(np.left_shift, x, y)


@elementwise
def bitwise_right_shift(ctx: Any, x: Any, y: Any) -> Any:
    return _shifted(np.right_shift, x, y)


def _shifted(shift: Callable[..., Any], x: Any, y: Any) -> Any:
    # numpy shifts by less than 0 and by more bits than there are as PyTorch does, but it shifts booleans too
    if not any(type(part) is int or getattr(part, "dtype", bool_) != bool_ for part in (x, y)):
        raise DTypeError(f"bitwise_{shift.__name__} takes integers, got booleans; cast them with .long()")
    return _of_bits(shift, x, y)


def _of_bits(function: Callable[..., Any], *operands: Any) -> Any:
    try:
        return function(*operands)
    except TypeError:
        kinds = " and ".join(str(getattr(part, "dtype", type(part).__name__)) for part in operands)
        raise DTypeError(f"{function.__name__} takes integers and booleans, got {kinds}; cast with .long()") from None
