"""Functions that make one number of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainkit.autograd.ops import elementwise, loss
from trainkit.autograd.ops import reduce as ops
from trainkit.autograd.ops.shape import normalize_dim, normalize_dims

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "min",
    "softmax",
    "std",
    "sum",
    "var",
]

Dim = int | Sequence[int] | None


def _dims(input: Tensor, dim: Dim) -> tuple[int, ...] | None:
    return None if dim is None else normalize_dims(dim, input.array.ndim)


def sum(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Sum over `dim`, or over everything."""
    return ops.sum(input, _dims(input, dim), keepdim)


def mean(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Average over `dim`, or over everything."""
    return ops.mean(input, _dims(input, dim), keepdim)


def var(input: Tensor, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """Variance over `dim`, divided by the count less `correction`."""
    return ops.var(input, _dims(input, dim), correction, keepdim)


def std(input: Tensor, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """Standard deviation over `dim`: the root of `var`."""
    return elementwise.sqrt(var(input, dim, correction, keepdim))


def max(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The largest element, or the largest along `dim` with their indices."""
    if dim is None:
        return ops.amax(input, None, keepdim)
    return ops.max_along(input, normalize_dim(dim, input.array.ndim), keepdim)


def min(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest element, or the smallest along `dim` with their indices."""
    if dim is None:
        return ops.amin(input, None, keepdim)
    return ops.min_along(input, normalize_dim(dim, input.array.ndim), keepdim)


def amax(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Take the largest over `dim`; equal ones share the gradient."""
    return ops.amax(input, _dims(input, dim), keepdim)


def amin(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Take the smallest over `dim`; equal ones share the gradient."""
    return ops.amin(input, _dims(input, dim), keepdim)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Tell where the largest stands; the first one if several do."""
    return ops.argmax(input, None if dim is None else normalize_dim(dim, input.array.ndim), keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Tell where the smallest stands; the first one if several do."""
    return ops.argmin(input, None if dim is None else normalize_dim(dim, input.array.ndim), keepdim)


def logsumexp(input: Tensor, dim: Dim, keepdim: bool = False) -> Tensor:
    """Logarithm of the sum of exponentials over `dim`, without overflow."""
    return ops.logsumexp(input, normalize_dims(dim, input.array.ndim), keepdim)


def softmax(input: Tensor, dim: int) -> Tensor:
    """Exponentials along `dim`, divided by their sum."""
    return loss.softmax(input, normalize_dim(dim, input.array.ndim))


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """The logarithm of softmax along `dim`."""
    return loss.log_softmax(input, normalize_dim(dim, input.array.ndim))
