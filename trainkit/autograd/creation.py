"""Tensors from numbers, arrays and generators."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainkit.autograd import dtypes
from trainkit.autograd.convert import array_from
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.tensor import Tensor
from trainkit.errors import ArgumentError, DTypeError
from trainkit.random import Generator, default_generator

__all__ = [
    "arange",
    "as_tensor",
    "empty",
    "empty_like",
    "eye",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "ones",
    "ones_like",
    "rand",
    "randint",
    "randn",
    "randperm",
    "tensor",
    "zeros",
    "zeros_like",
]


def _finish(array: Any, requires_grad: bool) -> Tensor:
    result: Tensor = wrap(array)
    return result.requires_grad_() if requires_grad else result


def _shape(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    shape = tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    if any(size < 0 for size in shape):
        raise ArgumentError(f"sizes must not be negative, got {shape}")
    return shape


def _dtype(dtype: Any) -> np.dtype[Any]:
    return dtypes.get_default_dtype() if dtype is None else np.dtype(dtype)


def tensor(data: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of a copy of `data`: numbers, nested sequences, an array.

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    return _finish(array_from(data, dtype), requires_grad)


def as_tensor(data: Any, dtype: Any = None) -> Tensor:
    """Make a tensor of `data`, sharing its memory where it is an array or a tensor of that dtype already."""
    if isinstance(data, Tensor):
        return data.to(dtype)
    if isinstance(data, np.ndarray):
        return from_numpy(data if dtype is None else data.astype(dtype, copy=False))
    return tensor(data, dtype=dtype)


def from_numpy(array: Any) -> Tensor:
    """Make a tensor that shares the memory of `array`.

    >>> import numpy as np
    >>> from_numpy(np.array([0.5, 1.5]))
    tensor([0.5000, 1.5000], dtype=float64)
    """
    if not isinstance(array, np.ndarray):
        raise DTypeError(f"from_numpy needs an ndarray, got {type(array).__name__}; use trainkit.tensor()")
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"cannot make a tensor of an array of dtype {array.dtype}; cast it to a number or bool first")
    return wrap(array)


def zeros(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of zeros."""
    return _finish(np.zeros(_shape(size), _dtype(dtype)), requires_grad)


def ones(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of ones."""
    return _finish(np.ones(_shape(size), _dtype(dtype)), requires_grad)


def empty(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor whose values are whatever lay in memory."""
    return _finish(np.empty(_shape(size), _dtype(dtype)), requires_grad)


def full(size: Sequence[int], fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of `fill_value`; its dtype is that of the value where none is given."""
    filled = np.full(tuple(size), fill_value, array_from(fill_value).dtype if dtype is None else dtype)
    return _finish(filled, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a matrix with ones on its diagonal."""
    return _finish(np.eye(n, m, dtype=_dtype(dtype)), requires_grad)


def arange(*bounds: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Count: `arange(end)`, `arange(start, end)`, `arange(start, end, step)`; the end is left out.

    >>> arange(3)
    tensor([0, 1, 2])
    """
    if dtype is None:
        dtype = dtypes.get_default_dtype() if any(isinstance(b, float) for b in bounds) else dtypes.int64
    return _finish(np.arange(*bounds, dtype=dtype), requires_grad)


def linspace(start: float, end: float, steps: int, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make `steps` numbers evenly spaced from `start` to `end`, both included."""
    return _finish(np.linspace(start, end, steps, dtype=_dtype(dtype)), requires_grad)


def zeros_like(input: TensorBase, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make zeros of the shape and dtype of `input`."""
    return _finish(np.zeros(input.array.shape, dtype or input.array.dtype), requires_grad)


def ones_like(input: TensorBase, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make ones of the shape and dtype of `input`."""
    return _finish(np.ones(input.array.shape, dtype or input.array.dtype), requires_grad)


def empty_like(input: TensorBase, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of the shape and dtype of `input` with whatever lay in memory."""
    return _finish(np.empty(input.array.shape, dtype or input.array.dtype), requires_grad)


def full_like(input: TensorBase, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of the shape and dtype of `input` filled with one value."""
    return _finish(np.full(input.array.shape, fill_value, dtype or input.array.dtype), requires_grad)


def rand(*size: Any, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Draw uniformly from [0, 1)."""
    source, dtype = (generator or default_generator).numpy, _dtype(dtype)
    return _finish(
        source.random(_shape(size), np.float32).astype(dtype, copy=False)
        if dtype == np.float32
        else source.random(_shape(size)).astype(dtype, copy=False),
        requires_grad,
    )


def randn(*size: Any, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Draw from the normal distribution of mean 0 and variance 1."""
    source, dtype = (generator or default_generator).numpy, _dtype(dtype)
    drawn = source.standard_normal(_shape(size), np.float32 if dtype == np.float32 else np.float64)
    return _finish(np.asarray(drawn, dtype), requires_grad)


def randint(
    low: int,
    high: Any = None,
    size: Sequence[int] = (),
    *,
    generator: Generator | None = None,
    dtype: Any = None,
) -> Tensor:
    """Draw integers from `low` up to but without `high`; `randint(high, size)` draws from 0.

    Raises:
        ArgumentError: the range is empty.
    """
    if not isinstance(high, int):
        low, high, size = 0, low, size if high is None else high
    if low >= high:
        raise ArgumentError(f"randint draws from [low, high), which is empty for low={low}, high={high}")
    source = (generator or default_generator).numpy
    return _finish(np.asarray(source.integers(low, high, tuple(size)), dtype or np.int64), False)


def randperm(n: int, *, generator: Generator | None = None) -> Tensor:
    """Draw an order of the integers from 0 to n - 1."""
    return wrap((generator or default_generator).numpy.permutation(n))
