"""Functions that lay elements out anew: turned, shifted, repeated, on diagonals; the results are copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops import arrange as ops
from trainkit.autograd.ops.shape import clone, normalize_dim, normalize_dims, repeat, reshape, transpose
from trainkit.autograd.ops.strided import diagonal as diagonal_of
from trainkit.autograd.ops.strided import diagonal_put
from trainkit.autograd.size import integer, sizes_of
from trainkit.errors import DTypeError, IndexRangeError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "diag",
    "diag_embed",
    "diagflat",
    "flip",
    "fliplr",
    "flipud",
    "repeat_interleave",
    "roll",
    "rot90",
    "tile",
    "tril",
    "tril_indices",
    "triu",
    "triu_indices",
]


def flip(input: Tensor, dims: int | Sequence[int]) -> Tensor:
    """Turn the order along `dims` round; a copy."""
    none = isinstance(dims, (tuple, list)) and not dims
    return ops.flip(input, () if none else normalize_dims(dims, input.array.ndim))


def fliplr(input: Tensor) -> Tensor:
    """Turn the columns round, dimension 1."""
    _at_least("fliplr", input, 2)
    return ops.flip(input, (1,))


def flipud(input: Tensor) -> Tensor:
    """Turn the rows round, dimension 0."""
    _at_least("flipud", input, 1)
    return ops.flip(input, (0,))


def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] = ()) -> Tensor:
    """Shift elements along `dims`; what leaves at the end comes in at the beginning. Without `dims` flattened.

    >>> import trainkit as tk
    >>> tk.roll(tk.tensor([1, 2, 3, 4]), 1)
    tensor([4, 1, 2, 3])
    """
    shape = input.array.shape
    by = sizes_of((shifts if isinstance(shifts, (tuple, list)) else (shifts,),), -(2**62))
    if isinstance(dims, (tuple, list)) and not dims and len(by) == 1:
        return reshape(ops.roll(reshape(input, (input.array.size,)), by, (0,)), shape)
    along = tuple([normalize_dim(dim, len(shape)) for dim in (dims if isinstance(dims, (tuple, list)) else (dims,))])
    if along and not shape:
        raise IndexRangeError(f"roll along dimensions {dims}: this tensor has none")
    if len(by) != len(along) or not by:
        raise ShapeError(f"roll needs a shift for each dimension, got shifts={shifts} and dims={dims}")
    return ops.roll(input, by, along)


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Rotate `k` times by 90 degrees in the plane of two dimensions, from the first towards the second; a copy."""
    shape = input.array.shape
    if len(shape) < 2 or len(dims) != 2:
        raise ShapeError(f"rot90 needs at least 2 dimensions and rotates in 2 of them, got shape {shape}, dims={dims}")
    first, second = normalize_dim(dims[0], len(shape)), normalize_dim(dims[1], len(shape))
    if first == second:
        raise ShapeError(f"rot90 needs two different dimensions, got dims={dims}")
    turns = integer(k, "k") % 4
    if turns == 0:
        return clone(input)
    if turns == 2:
        return ops.flip(input, (first, second))
    return transpose(ops.flip(input, (second if turns == 1 else first,)), first, second)


def tile(input: Tensor, dims: Sequence[int]) -> Tensor:
    """Lay copies side by side, `dims` of them along the last dimensions; further dimensions come in front.

    >>> import trainkit as tk
    >>> tk.tile(tk.tensor([1, 2]), (2, 2)).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    counts = sizes_of((dims,))
    return repeat(input, (1,) * (input.array.ndim - len(counts)) + counts)


def repeat_interleave(
    input: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Repeat each slice along `dim`, next to itself; without `dim` flattened.

    Args:
        input: whose slices are repeated; or, alone, how often each index from 0 on is to be.
        repeats: how often; one number for all, or an integer tensor with one for each slice.
        dim: along which.
        output_size: the size of the result along `dim`; checked.

    >>> import trainkit as tk
    >>> tk.repeat_interleave(tk.tensor([1, 2, 3]), tk.tensor([2, 0, 1]))
    tensor([1, 1, 3])
    """
    if repeats is None:
        return wrap(np.repeat(np.arange(input.array.size), _counts(input, input.array.size)))
    if dim is None:
        input, dim = reshape(input, (input.array.size,)), 0
    shape = input.array.shape
    if not shape:
        raise IndexRangeError("repeat_interleave along a dimension: this tensor has none; leave dim out")
    at = normalize_dim(dim, len(shape))
    counts = _counts(repeats, shape[at])
    if output_size is not None:
        size = counts * shape[at] if isinstance(counts, int) else int(counts.sum())
        if size != output_size:
            raise ShapeError(f"repeat_interleave makes a dimension of size {size}, output_size={output_size}")
    return ops.interleave(input, counts, at)


def _counts(repeats: Any, size: int) -> Any:
    """Return how often each of `size` slices is repeated: a number for all, or an array of our own."""
    if not isinstance(repeats, TensorBase) or repeats.array.size == 1 != size:
        count = integer(repeats.array.item() if isinstance(repeats, TensorBase) else repeats, "repeats")
        if count < 0:
            raise ShapeError(f"repeats must not be negative, got {count}")
        return count
    counts = repeats.array
    if counts.dtype not in (np.int64, np.int32):
        raise DTypeError(f"repeats must be an int64 or int32 tensor, got {counts.dtype}; cast it with .long()")
    if counts.ndim > 1 or counts.size != size:
        raise ShapeError(f"repeats needs shape ({size},), a count for each slice, got {counts.shape}")
    if (counts < 0).any():
        raise ShapeError(f"repeats must not be negative, got {counts.min()}")
    return counts.astype(np.int64).reshape(-1)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of matrices (*, n, m), zeros above; `diagonal` 1 keeps one diagonal more."""
    return ops.tril(input, integer(diagonal, "diagonal"))


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of matrices (*, n, m), zeros below; `diagonal` 1 drops one diagonal more."""
    return ops.triu(input, integer(diagonal, "diagonal"))


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = np.int64) -> Tensor:
    """Where the lower triangle of a (row, col) matrix is: rows and columns, shape (2, N), row by row.

    >>> tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _triangle(row, col, dtype, lambda i, j: j - i <= offset)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = np.int64) -> Tensor:
    """Where the upper triangle of a (row, col) matrix is: rows and columns, shape (2, N), row by row."""
    return _triangle(row, col, dtype, lambda i, j: j - i >= offset)


def _triangle(row: int, col: int, dtype: Any, inside: Any) -> Tensor:
    if row < 0 or col < 0:
        raise ShapeError(f"a matrix has no negative sizes, got row={row} and col={col}")
    if np.dtype(dtype) not in (np.int64, np.int32):
        raise DTypeError(f"indices are int64 or int32, got dtype={dtype}")
    return wrap(np.stack(np.nonzero(inside(*np.ogrid[:row, :col]))).astype(dtype, copy=False))


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A matrix with a tensor of one dimension on its diagonal; of a matrix a copy of its diagonal."""
    ndim = input.array.ndim
    if ndim == 1:
        return diag_embed(input, diagonal)
    if ndim != 2:
        raise ShapeError(f"diag takes 1 or 2 dimensions, got shape {input.array.shape}; use diagonal() or diag_embed()")
    return clone(diagonal_of(input, integer(diagonal, "diagonal"), 0, 1))


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last dimension on their diagonal, zeros elsewhere; `dim1` and `dim2` are the matrices'.

    >>> import trainkit as tk
    >>> tk.diag_embed(tk.tensor([1, 2]), 1)
    tensor([[0, 1, 0],
            [0, 0, 2],
            [0, 0, 0]])
    """
    shape, offset = input.array.shape, integer(offset, "offset")
    first, second = normalize_dim(dim1, len(shape) + 1), normalize_dim(dim2, len(shape) + 1)
    if not shape or first == second:
        raise ShapeError(f"diag_embed needs a dimension and two different new ones, got shape {shape}, {dim1}, {dim2}")
    size = shape[-1] + abs(offset)
    out = list(shape[:-1])
    for place in sorted((first, second)):
        out.insert(place, size)
    return diagonal_put(input, tuple(out), offset, first, second)


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements on its diagonal."""
    return diag_embed(reshape(input, (input.array.size,)), offset)


def _at_least(name: str, input: Tensor, ndim: int) -> None:
    if input.array.ndim < ndim:
        raise ShapeError(f"{name} needs at least {ndim} dimensions, got shape {input.array.shape}")
