"""Tensors in the likeness of another: of its shape, its dtype, or both."""

from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.convert import array_from, finish, shape_from
from trainkit.autograd.dtypes import as_dtype
from trainkit.autograd.graph import Array, TensorBase
from trainkit.errors import DTypeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "empty_like",
    "full_like",
    "like",
    "new_empty",
    "new_full",
    "new_ones",
    "new_tensor",
    "new_zeros",
    "ones_like",
    "zeros_like",
]


def like(input: Any, dtype: Any) -> tuple[Array, np.dtype[Any]]:
    """Return the array of a tensor, and `dtype` or else its own.

    Raises:
        DTypeError: it is no tensor.
    """
    if not isinstance(input, TensorBase):
        raise DTypeError(f"expected a tensor to make another one like it, got {type(input).__name__}")
    return input.array, input.array.dtype if dtype is None else as_dtype(dtype)


def zeros_like(input: TensorBase, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> "Tensor":
    """Make zeros of the shape and dtype of `input`."""
    return finish(np.zeros_like(*like(input, dtype)), device, requires_grad)


def ones_like(input: TensorBase, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> "Tensor":
    """Make ones of the shape and dtype of `input`."""
    return finish(np.ones_like(*like(input, dtype)), device, requires_grad)


def empty_like(input: TensorBase, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> "Tensor":
    """Make a tensor of the shape and dtype of `input` with whatever lay in memory."""
    return finish(np.empty_like(*like(input, dtype)), device, requires_grad)


def full_like(
    input: TensorBase, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> "Tensor":
    """Make a tensor of the shape and dtype of `input` filled with one value."""
    array, dtype = like(input, dtype)
    return finish(np.full_like(array, array_from(fill_value, dtype), dtype), device, requires_grad)


def new_zeros(
    self: TensorBase,
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> "Tensor":
    """Make zeros of this tensor's dtype."""
    return finish(np.zeros(shape_from(sizes, size), like(self, dtype)[1]), device, requires_grad)


def new_ones(
    self: TensorBase,
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> "Tensor":
    """Make ones of this tensor's dtype."""
    return finish(np.ones(shape_from(sizes, size), like(self, dtype)[1]), device, requires_grad)


def new_empty(
    self: TensorBase,
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> "Tensor":
    """Make a tensor of this tensor's dtype with whatever lay in memory."""
    return finish(np.empty(shape_from(sizes, size), like(self, dtype)[1]), device, requires_grad)


def new_full(
    self: TensorBase,
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> "Tensor":
    """Make a tensor of this tensor's dtype filled with one value."""
    dtype = like(self, dtype)[1]
    return finish(np.full(shape_from((), size), array_from(fill_value, dtype), dtype), device, requires_grad)


def new_tensor(
    self: TensorBase, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> "Tensor":
    """Make a tensor of a copy of `data`; numbers and sequences take this tensor's dtype, arrays keep theirs.

    >>> import trainkit as tk
    >>> tk.zeros(2).new_tensor([1, 2])
    tensor([1., 2.])
    """
    if dtype is None and not hasattr(data, "dtype"):
        dtype = self.array.dtype
    return finish(array_from(data, dtype), device, requires_grad)
