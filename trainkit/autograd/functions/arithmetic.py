"""Arithmetic, element by element. Integers meet floats in the floats' dtype; Python numbers take the tensor's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.dtypes import bool_, float64
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.ops import arithmetic as ops
from trainkit.autograd.ops import power, rounding
from trainkit.autograd.ops.arithmetic import abs, neg, reciprocal, sign, square
from trainkit.autograd.ops.broadcast import cast, check_no_mask, promoted
from trainkit.errors import ArgumentError, DTypeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "abs",
    "absolute",
    "add",
    "addcdiv",
    "addcmul",
    "copysign",
    "div",
    "divide",
    "float_power",
    "floor_divide",
    "fmod",
    "gcd",
    "hypot",
    "lcm",
    "lerp",
    "mul",
    "multiply",
    "neg",
    "negative",
    "positive",
    "pow",
    "reciprocal",
    "remainder",
    "rsub",
    "sgn",
    "sign",
    "square",
    "sub",
    "subtract",
    "true_divide",
]

absolute = abs
negative = neg
sgn = sign


def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Add `alpha` times `other`; of booleans, the logical or.

    Raises:
        DTypeError: `alpha` is a fraction and the tensors hold integers.
    """
    if type(alpha) is int and alpha == 1:
        return ops.add(input, other)
    return ops.add(*_scaled(input, other, alpha))


def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Subtract `alpha` times `other`.

    Raises:
        DTypeError: one of them holds booleans, or `alpha` is a fraction and the tensors hold integers.
    """
    if type(alpha) is int and alpha == 1:
        return ops.sub(input, other)
    check_no_mask("sub", input, other)
    return ops.sub(*_scaled(input, other, alpha))


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Subtract `alpha` times `input` from `other`."""
    return sub(other, input, alpha=alpha)


def _scaled(input: Any, other: Any, alpha: Any) -> tuple[Any, Any]:
    """Return two operands in the dtype in which they meet, the second one times `alpha`."""
    alpha = _number(alpha, "alpha")
    input, other = promoted(input, other)
    dtype = (input if hasattr(input, "dtype") else other).dtype
    if isinstance(alpha, bool) and dtype != bool_:
        raise DTypeError(f"alpha must be a number where the result is {dtype}, got {alpha}")
    if isinstance(alpha, float) and dtype.kind != "f":
        raise DTypeError(f"alpha must be an integer where the result is {dtype}, got {alpha}; cast with .float()")
    return input, ops.mul(other, bool(alpha) if dtype == bool_ else alpha)


def _number(value: Any, name: str) -> Any:
    """Return a Python number, which a tensor of one element is too."""
    value = value.array if isinstance(value, TensorBase) else value
    if isinstance(value, (np.ndarray, np.generic)):
        if value.size != 1:
            raise ArgumentError(f"{name} must be a number, got a tensor of shape {value.shape}")
        return value.item()
    if not isinstance(value, (int, float)):
        raise DTypeError(f"{name} must be a number, got {type(value).__name__}")
    return value


def mul(input: Any, other: Any) -> Tensor:
    """Multiply; of booleans, the logical and."""
    return ops.mul(input, other)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Divide; integers give the default dtype.

    Args:
        input: the dividend.
        other: the divisor.
        rounding_mode: "trunc" rounds the quotient towards 0, "floor" down; both keep integers, and their gradient is 0.

    Raises:
        ArgumentError: there is no such rounding mode.
        DTypeError: integers are divided by 0 and rounded.

    >>> import trainkit as tk
    >>> tk.div(tk.tensor([7, -7]), 2), tk.div(tk.tensor([7, -7]), 2, rounding_mode="trunc")
    (tensor([ 3.5000, -3.5000]), tensor([ 3, -3]))
    """
    if rounding_mode is None:
        return ops.div(input, other)
    if rounding_mode == "floor":
        return rounding.div_floor(input, other)
    if rounding_mode == "trunc":
        return rounding.div_trunc(input, other)
    raise ArgumentError(f'rounding_mode must be None, "trunc" or "floor", got {rounding_mode!r}')


subtract, multiply = sub, mul
divide = true_divide = div


def floor_divide(input: Any, other: Any) -> Tensor:
    """Divide and round down: `input // other`.

    Differs from PyTorch: the result has no history, PyTorch's has one whose backward raises; `div` with
    `rounding_mode="floor"` has a gradient of 0 in both.

    Raises:
        DTypeError: integers are divided by 0.
    """
    return rounding.floor_divide(input, other)


def remainder(input: Any, other: Any) -> Tensor:
    """What is left when `input` is divided and the quotient rounded down: it has the sign of `other`, as Python's `%`.

    Raises:
        DTypeError: integers are divided by 0.
    """
    return rounding.remainder(input, other)


def fmod(input: Any, other: Any) -> Tensor:
    """What is left when `input` is divided and the quotient rounded towards 0: it has the sign of `input`.

    Raises:
        DTypeError: integers are divided by 0.
    """
    return rounding.fmod(input, other)


def pow(input: Any, exponent: Any) -> Tensor:
    """Raise to a power; either may be a number.

    Raises:
        DTypeError: integers are raised to a negative number.
    """
    return power.pow(input, exponent)


def float_power(input: Any, exponent: Any) -> Tensor:
    """Raise to a power in float64, whatever the dtypes."""
    return power.pow(_double(input), _double(exponent))


def _double(x: Any) -> Any:
    if isinstance(x, TensorBase):
        return x if x.array.dtype == float64 else cast(x, float64)
    return float(_number(x, "a power's base or exponent"))


def positive(input: Tensor) -> Tensor:
    """Return the tensor itself: `+input`."""
    check_no_mask("positive", input)
    return input


def lerp(input: Any, end: Any, weight: Any) -> Tensor:
    """Go from `input` to `end` by `weight`: `input + weight * (end - input)`; the weight is a number or a tensor.

    Raises:
        DTypeError: the tensors differ in dtype, or hold integers.
    """
    dtype = input.dtype
    if dtype.kind != "f" or dtype != end.dtype or (dtype != getattr(weight, "dtype", dtype) and weight.ndim):
        given = [str(x.dtype) for x in (input, end, weight) if hasattr(x, "dtype")]
        raise DTypeError(f"lerp takes tensors of one floating point dtype, got {', '.join(given)}")
    return ops.lerp(input, end, weight)


def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
    """Add `value` times the product of two tensors: `input + value * tensor1 * tensor2`."""
    input, tensor1, tensor2, value = _fused("addcmul", input, tensor1, tensor2, value)
    with np.errstate(all="ignore"):
        product = ops.mul(tensor1, tensor2)
        return ops.add(input, product if value == 1 else ops.mul(product, value))


def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
    """Add `value` times the quotient of two tensors: `input + value * tensor1 / tensor2`.

    Raises:
        DTypeError: both of them hold integers.
    """
    if tensor1.dtype.kind != "f" and tensor2.dtype.kind != "f":
        raise DTypeError(f"addcdiv takes floating point tensors, got {tensor1.dtype} and {tensor2.dtype}")
    input, tensor1, tensor2, value = _fused("addcdiv", input, tensor1, tensor2, value)
    with np.errstate(all="ignore"):
        quotient = ops.div(tensor1, tensor2)
        return ops.add(input, quotient if value == 1 else ops.mul(quotient, value))


def _fused(name: str, input: Any, tensor1: Any, tensor2: Any, value: Any) -> tuple[Any, Any, Any, Any]:
    input, tensor1, tensor2 = promoted(input, tensor1, tensor2)
    if input.dtype == bool_:
        check_no_mask(name, input)
    value = _number(value, "value")
    return input, tensor1, tensor2, value if input.dtype.kind == "f" else int(value)


def hypot(input: Any, other: Any) -> Tensor:
    """The length of the hypotenuse, `sqrt(input ** 2 + other ** 2)`, without overflow.

    Raises:
        DTypeError: both hold integers.
    """
    return ops.hypot(input, other)


def copysign(input: Any, other: Any) -> Tensor:
    """Give each element of `input` the sign of `other`, that of -0.0 too; integers become floats."""
    return ops.copysign(input, other)


def gcd(input: Any, other: Any) -> Tensor:
    """The greatest common divisor of integers, never negative; that of 0 and 0 is 0."""
    return ops.gcd(input, other)


def lcm(input: Any, other: Any) -> Tensor:
    """The least common multiple of integers, never negative; that of 0 and anything is 0."""
    return ops.lcm(input, other)
