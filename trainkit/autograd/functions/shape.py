"""Functions that move elements without changing them; what is a view in PyTorch is a view here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainkit.autograd.ops import shape as ops
from trainkit.autograd.ops.shape import clone, flatten, movedim, squeeze, transpose, unsqueeze
from trainkit.errors import ArgumentError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "cat",
    "clone",
    "flatten",
    "movedim",
    "permute",
    "reshape",
    "squeeze",
    "stack",
    "transpose",
    "unsqueeze",
]


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along `dim`; they agree in every other dimension.

    >>> import trainkit as tk
    >>> tk.cat([tk.zeros(1, 2), tk.ones(2, 2)]).shape
    (3, 2)
    """
    if not tensors:
        raise ArgumentError("cat needs at least one tensor, got none")
    return ops.cat(dim, *tensors)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new dimension."""
    if not tensors:
        raise ArgumentError("stack needs at least one tensor, got none")
    return ops.stack(tensors, dim)


def reshape(input: Tensor, shape: Sequence[int]) -> Tensor:
    """Give the elements another shape: a view where the layout allows it, else a copy."""
    return ops.reshape(input, tuple(shape))


def permute(input: Tensor, dims: Sequence[int]) -> Tensor:
    """Put the dimensions into another order."""
    return ops.permute(input, tuple(dims))
