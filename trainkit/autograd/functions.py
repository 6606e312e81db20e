"""PyTorch's functions: the ops that need no more than their name, and those with arguments of their own."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainkit.autograd.op import array_of, wrap
from trainkit.autograd.ops import shape as _shape
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
from trainkit.autograd.ops.linalg import matmul
from trainkit.autograd.tensor import Dim, Tensor
from trainkit.errors import ArgumentError

__all__ = [
    "abs",
    "add",
    "allclose",
    "amax",
    "amin",
    "argmax",
    "cat",
    "clamp",
    "cos",
    "div",
    "equal",
    "exp",
    "flatten",
    "isfinite",
    "isnan",
    "log",
    "log_softmax",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "mul",
    "neg",
    "pow",
    "relu",
    "reshape",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "sqrt",
    "squeeze",
    "stack",
    "sub",
    "sum",
    "tanh",
    "transpose",
    "unsqueeze",
    "where",
]


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along `dim`; they agree in every other dimension.

    >>> import trainkit as tk
    >>> tk.cat([tk.zeros(1, 2), tk.ones(2, 2)]).shape
    (3, 2)
    """
    if not tensors:
        raise ArgumentError("cat needs at least one tensor, got none")
    return _shape.cat(dim, *tensors)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new dimension."""
    if not tensors:
        raise ArgumentError("stack needs at least one tensor, got none")
    return _shape.stack(tensors, dim)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Limit each element to [min, max]."""
    return input.clamp(min, max)


def sum(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Sum over `dim`, or over everything."""
    return input.sum(dim, keepdim)


def mean(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Average over `dim`, or over everything."""
    return input.mean(dim, keepdim)


def amax(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Take the largest over `dim`; equal ones share the gradient."""
    return input.amax(dim, keepdim)


def amin(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Take the smallest over `dim`; equal ones share the gradient."""
    return input.amin(dim, keepdim)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Tell where the largest stands; the first one if several do."""
    return input.argmax(dim, keepdim)


def softmax(input: Tensor, dim: int) -> Tensor:
    """Exponentials along `dim`, divided by their sum."""
    return input.softmax(dim)


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """The logarithm of softmax along `dim`."""
    return input.log_softmax(dim)


def reshape(input: Tensor, shape: Sequence[int]) -> Tensor:
    """Give the elements another shape: a view where the layout allows it, else a copy."""
    return input.reshape(shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Join the dimensions from `start_dim` to `end_dim`."""
    return _shape.flatten(input, start_dim, end_dim)


def squeeze(input: Tensor, dim: Dim = None) -> Tensor:
    """Drop dimensions of size 1."""
    return _shape.squeeze(input, dim)


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Insert a dimension of size 1."""
    return _shape.unsqueeze(input, dim)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swap two dimensions."""
    return _shape.transpose(input, dim0, dim1)


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
