"""Functions that pick elements and put them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainkit.autograd.ops import index as ops
from trainkit.autograd.ops.shape import normalize_dim

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = ["gather"]


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Pick along `dim`: `out[i][j] = input[index[i][j]][j]` for dim 0."""
    return ops.gather(input, normalize_dim(dim, input.array.ndim), index.array)
