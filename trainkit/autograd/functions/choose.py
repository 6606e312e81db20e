"""Functions that choose between elements: by a condition, by their order, by bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.dtypes import bool_, uint8
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops import choose as ops
from trainkit.errors import ArgumentError, DTypeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "fmax",
    "fmin",
    "heaviside",
    "maximum",
    "minimum",
    "nan_to_num",
    "where",
]


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """Take `input` where the condition holds and `other` elsewhere; both may be numbers.

    `where(condition)` alone tells where the condition holds: a tuple of indices, one tensor for each dimension.

    Raises:
        DTypeError: the condition is not of dtype bool.

    >>> import trainkit as tk
    >>> x = tk.tensor([-1.0, 2.0])
    >>> tk.where(x > 0, x, 0.0), tk.where(x > 0)
    (tensor([0., 2.]), (tensor([1]),))
    """
    if not isinstance(condition, (TensorBase, np.ndarray)):
        raise DTypeError(f"where expected a tensor as its condition, got {type(condition).__name__}")
    array = condition.array if isinstance(condition, TensorBase) else condition
    if input is None and other is None:
        return tuple([wrap(index) for index in np.nonzero(np.atleast_1d(array))])
    if input is None or other is None:
        raise ArgumentError("where takes a condition alone, or a condition and two values; got one value")
    if array.dtype is not bool_:
        if array.dtype != uint8:
            raise DTypeError(f"where expected a condition of dtype bool, got {array.dtype}; compare it first (x != 0)")
        condition = condition != 0
    return ops.where(condition, input, other)


def maximum(input: Any, other: Any) -> Tensor:
    """The larger of each two elements, NaN if one is NaN; equals share the gradient."""
    return ops.maximum(input, other)


def minimum(input: Any, other: Any) -> Tensor:
    """The smaller of each two elements, NaN if one is NaN; equals share the gradient."""
    return ops.minimum(input, other)


def fmax(input: Any, other: Any) -> Tensor:
    """The larger of each two elements, or the one that is a number; the gradient of equals goes to `input`."""
    return ops.fmax(input, other)


def fmin(input: Any, other: Any) -> Tensor:
    """The smaller of each two elements, or the one that is a number; the gradient of equals goes to `input`."""
    return ops.fmin(input, other)


def clamp(input: Any, min: Any = None, max: Any = None) -> Tensor:
    """Limit each element to [min, max], of which one may be left out; both may be numbers or tensors.

    Where min is greater than max the result is max. The gradient goes to whichever was taken; an element that equals a
    bound has it.

    Raises:
        ArgumentError: both bounds are left out, or a number does not fit the dtype of an integer tensor.
    """
    return ops.clamp(input, min, max)


clip = clamp


def clamp_min(input: Any, min: Any) -> Tensor:
    """Raise each element to `min` at least."""
    return ops.clamp(input, min, None)


def clamp_max(input: Any, max: Any) -> Tensor:
    """Lower each element to `max` at most."""
    return ops.clamp(input, None, max)


def nan_to_num(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Put numbers in the place of NaN (0) and of the infinities (the largest and the smallest of the dtype).

    The gradient is 0 where a number was put.
    """
    return ops.nan_to_num(input, 0.0 if nan is None else nan, posinf, neginf)


def heaviside(input: Any, values: Any) -> Tensor:
    """0 below 0, 1 above 0, and `values` at 0.

    Raises:
        DTypeError: the dtypes differ.
    """
    given = [str(getattr(x, "dtype", type(x).__name__)) for x in (input, values)]
    if given[0] != given[1]:
        raise DTypeError(f"heaviside takes two tensors of one dtype, got {' and '.join(given)}")
    return ops.heaviside(input, values)
