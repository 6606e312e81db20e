"""Functions that work element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.op import array_of, wrap
from trainkit.autograd.ops import elementwise as ops
from trainkit.autograd.ops.elementwise import (
    abs,
    add,
    cos,
    div,
    exp,
    log,
    maximum,
    minimum,
    mul,
    neg,
    pow,
    relu,
    sigmoid,
    sign,
    sin,
    sqrt,
    sub,
    tanh,
    where,
)

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "abs",
    "add",
    "allclose",
    "clamp",
    "cos",
    "div",
    "equal",
    "exp",
    "isfinite",
    "isnan",
    "log",
    "maximum",
    "minimum",
    "mul",
    "neg",
    "pow",
    "relu",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "sub",
    "tanh",
    "where",
]


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Limit each element to [min, max]."""
    return ops.clamp(input, min, max)


def isnan(input: Tensor) -> Tensor:
    """Tell which elements are NaN."""
    return wrap(np.isnan(array_of(input)))


def isfinite(input: Tensor) -> Tensor:
    """Tell which elements are neither infinite nor NaN."""
    return wrap(np.isfinite(array_of(input)))


def equal(input: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors have one shape and the same elements."""
    return input.shape == other.shape and bool((input.array == other.array).all())


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Tell whether `|input - other| <= atol + rtol * |other|` everywhere."""
    return bool(np.allclose(input.array, other.array, rtol, atol))
