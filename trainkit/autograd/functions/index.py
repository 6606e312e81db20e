"""Functions that pick elements by index or mask, and those that put slices and elements back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.dtypes import bool_, int32, int64
from trainkit.autograd.functions.index_checks import check_along, check_dtypes, check_index, meet, number_for, value_for
from trainkit.autograd.functions.scattering import scatter_reduce
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.inplace import put as put_at
from trainkit.autograd.op import wrap
from trainkit.autograd.ops import index as ops
from trainkit.autograd.ops.broadcast import broadcast_to
from trainkit.autograd.ops.places import Places
from trainkit.autograd.ops.scatter import index_add as add_slices
from trainkit.autograd.ops.scatter import index_copy as copy_slices
from trainkit.autograd.ops.shape import normalize_dim, reshape
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "argwhere",
    "gather",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_reduce",
    "index_select",
    "masked_select",
    "nonzero",
    "put",
    "take",
    "take_along_dim",
]

_ALL = slice(None)


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """Pick along `dim`: `out[i][j] = input[index[i][j]][j]` for dim 0.

    Args:
        input: from which is picked.
        dim: along which.
        index: int64 or int32, none negative, with as many dimensions as `input`; apart from `dim` its sizes may be
            smaller. The result has its shape.
        sparse_grad: gradients are dense here, whatever this says.

    Raises:
        IndexRangeError: an index is outside the dimension.

    >>> import trainkit as tk
    >>> tk.gather(tk.tensor([[1, 2], [3, 4]]), 1, tk.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    check_index("gather", index)
    shape, sizes = input.array.shape, index.array.shape
    at = normalize_dim(dim, len(shape))
    if not index.array.size:
        return ops.getitem(reshape(input, (-1,)), np.zeros(sizes, np.int64))
    check_along("gather", at, sizes, shape)
    if shape and sizes:
        return ops.gather(input, at, index)
    return reshape(ops.gather(reshape(input, shape or (1,)), 0, reshape(index, sizes or (1,))), sizes)


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Pick the slices of `input` along `dim` that `index`, a vector of int64 or int32, names; a copy.

    Raises:
        IndexRangeError: an index is negative or outside the dimension.

    >>> import trainkit as tk
    >>> tk.index_select(tk.tensor([[1, 2], [3, 4]]), 0, tk.tensor([1, 1]))
    tensor([[3, 4],
            [3, 4]])
    """
    at, index = _vector("index_select", input, dim, index)
    if not input.array.ndim:
        return reshape(ops.index_select(reshape(input, (1,)), 0, index, None), ())
    return ops.index_select(input, at, index, None)


def take(input: Tensor, index: Tensor) -> Tensor:
    """Pick of `input`, as if it was flattened, in the shape of `index`; a negative index counts from the end.

    >>> import trainkit as tk
    >>> tk.take(tk.tensor([[1, 2], [3, 4]]), tk.tensor([0, -1]))
    tensor([1, 4])
    """
    check_index("take", index)
    array = index.array if index.array.ndim else index.array.reshape(1)
    return reshape(ops.getitem(reshape(input, (input.array.size,)), array), index.array.shape)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """Pick along `dim` with what `argsort` or `argmax` gave; apart from `dim` both broadcast.

    Without `dim` both are flattened. A negative index counts from the end.

    >>> import trainkit as tk
    >>> x = tk.tensor([[3, 1, 2]])
    >>> tk.take_along_dim(x, x.argmax(1, keepdim=True), 1)
    tensor([[3]])
    """
    check_index("take_along_dim", indices)
    if dim is None:
        input, indices, dim = reshape(input, (-1,)), reshape(indices, (-1,)), 0
    shape, sizes = input.array.shape, indices.array.shape
    if len(shape) != len(sizes):
        raise ShapeError(f"take_along_dim needs as many dimensions in indices as in input, got {sizes} and {shape}")
    at = normalize_dim(dim, len(shape))
    if not shape:
        return gather(input, 0, indices)
    try:
        common = np.broadcast_shapes((*shape[:at], 1, *shape[at + 1 :]), (*sizes[:at], 1, *sizes[at + 1 :]))
    except ValueError:
        raise ShapeError(f"take_along_dim: apart from dimension {dim}, {shape} and {sizes} do not broadcast") from None
    if (indices.array < 0).any():
        indices = wrap(np.where(indices.array < 0, indices.array + shape[at], indices.array))
    input = broadcast_to(input, (*common[:at], shape[at], *common[at + 1 :]))
    return ops.gather(input, at, broadcast_to(indices, (*common[:at], sizes[at], *common[at + 1 :])))


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where a mask, which broadcasts, is true, in a row; a copy.

    >>> import trainkit as tk
    >>> x = tk.tensor([[1, 5], [7, 2]])
    >>> tk.masked_select(x, x > 3)
    tensor([5, 7])
    """
    input, mask = meet("masked_select", input, mask)
    return ops.getitem(input, np.broadcast_to(mask.array, input.array.shape))


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Where the elements are that are not 0, in order: a row of indices for each, (count, dimensions).

    With `as_tuple` a tuple of one vector of indices for each dimension, which is an index itself.

    >>> import trainkit as tk
    >>> tk.nonzero(tk.tensor([[0, 5], [6, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    if as_tuple:
        return tuple([wrap(places) for places in np.nonzero(np.atleast_1d(input.array))])
    return wrap(np.argwhere(input.array))


def argwhere(input: Tensor) -> Tensor:
    """Where the elements are that are not 0: a row of indices for each, (count, dimensions)."""
    return wrap(np.argwhere(input.array))


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """Add the slices of `source`, times `alpha`, to those of `input` along `dim` that `index` names.

    Args:
        input: to which is added.
        dim: along which.
        index: a vector of int64 or int32; an index may stand in it several times.
        source: of the dtype of `input`, with a slice for each index.
        alpha: a number.

    Raises:
        IndexRangeError: an index is negative or outside the dimension.

    >>> import trainkit as tk
    >>> tk.index_add(tk.zeros(3), 0, tk.tensor([2, 0, 2]), tk.tensor([1.0, 2.0, 3.0]))
    tensor([2., 0., 4.])
    """
    at, index = _vector("index_add", input, dim, index)
    _check_slices("index_add", input, at, index, source)
    if alpha != 1:
        source = source * number_for(alpha, source.array.dtype)
    return _with_slices(add_slices, input, at, index, source)


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Put the slices of `source` in the place of those of `input` along `dim` that `index`, a vector, names.

    Which of several comes to lie in one place is left open, and so is their gradient.

    Raises:
        IndexRangeError: an index is negative or outside the dimension.
    """
    at, index = _vector("index_copy", input, dim, index)
    if input.array.ndim == 1 and not source.array.ndim:
        source = reshape(source, (1,))
    _check_slices("index_copy", input, at, index, source)
    return _with_slices(copy_slices, input, at, index, source)


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """Fill the slices along `dim` that `index`, a vector, names with a number or a tensor of no dimensions.

    A negative index counts from the end.

    Differs from PyTorch: an index that stands there twice counts once in the gradient of `value`.
    """
    at, index = _vector("index_fill", input, dim, index)
    shape = input.array.shape or (1,)
    value = value_for("index_fill", value, input.array.dtype)
    if (index.array < 0).any():
        index = wrap(np.where(index.array < 0, index.array + shape[at], index.array))
    if isinstance(value, TensorBase):
        index = wrap(np.unique(index.array))
        value = broadcast_to(value, (*shape[:at], index.array.size, *shape[at + 1 :]))
    return _with_slices(copy_slices, input, at, index, value)


def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Reduce the slices of `source` to those of `input` along `dim` that `index`, a vector, names.

    Args:
        input: of which elements that no index names stay.
        dim: along which.
        index: a vector of int64 or int32.
        source: of the dtype of `input`, with a slice for each index.
        reduce: "prod", "mean", "amax" or "amin".
        include_self: whether the elements of `input` count where there are others.

    Raises:
        IndexRangeError: an index is negative or outside the dimension.
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise ArgumentError(f"index_reduce knows prod, mean, amax and amin, got reduce={reduce!r}")
    at, index = _vector("index_reduce", input, dim, index)
    _check_slices("index_reduce", input, at, index, source)
    if not input.array.ndim:
        return scatter_reduce(input, 0, reshape(index, ()), source, reduce, include_self=include_self)
    shape = source.array.shape
    column = reshape(index, (-1,) + (1,) * (len(shape) - at - 1))
    return scatter_reduce(input, at, broadcast_to(column, shape), source, reduce, include_self=include_self)


def index_put(input: Tensor, indices: Sequence[Any], values: Tensor, accumulate: bool = False) -> Tensor:
    """Put `values`, which broadcast, at `input[indices]`, or with `accumulate` add them there.

    Args:
        input: of which the rest is kept.
        indices: a tuple of int64, int32 or bool tensors, one for each dimension from the first on; None is all of one.
        values: of the dtype of `input`.
        accumulate: add, as often as an element is named; else which of several comes to lie there is left open.

    Raises:
        IndexRangeError: an index is outside its dimension, or there are too many.

    >>> import trainkit as tk
    >>> tk.index_put(tk.zeros(3), (tk.tensor([0, 0, 2]),), tk.tensor(1.0), accumulate=True)
    tensor([2., 0., 1.])
    """
    if not isinstance(indices, (tuple, list)):
        raise ArgumentError(f"index_put takes a tuple of tensors as indices, got {type(indices).__name__}")
    if not isinstance(values, TensorBase):
        raise DTypeError(f"index_put takes a tensor as values, got {type(values).__name__}")
    check_dtypes("index_put", input, values)
    key = []
    for part in indices:
        if part is not None and not (isinstance(part, TensorBase) and part.array.dtype in (int64, int32, bool_)):
            kind = part.array.dtype if isinstance(part, TensorBase) else type(part).__name__
            raise DTypeError(f"index_put takes int64, int32 and bool tensors as indices, got {kind}")
        key.append(_ALL if part is None else part.array.copy())
    if all(part is _ALL for part in key):
        raise ArgumentError("index_put needs an index that is a tensor; add or copy_ work on all elements")
    shape = input.array.shape
    places = Places(tuple(key), shape)
    wanted = places.picked_shape()
    if values.array.shape != wanted:
        values = broadcast_to(values, wanted)
    if accumulate:
        return input + ops.index_put(values, shape, places)
    return put_at(input, values, tuple(key))


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Put the elements of `source` at the places of `input`, as if it was flattened, that `index` names.

    A negative index counts from the end. With `accumulate` the elements are added.

    >>> import trainkit as tk
    >>> tk.put(tk.zeros(2, 2), tk.tensor([1, -1]), tk.tensor([5.0, 6.0]))
    tensor([[0., 5.],
            [0., 6.]])
    """
    check_index("put", index)
    check_dtypes("put", input, source)
    count = index.array.size
    if source.array.size != count:
        raise ShapeError(f"put needs an element for each index, got {source.array.size} for {count}")
    flat, places = reshape(input, (input.array.size,)), reshape(index, (count,))
    return reshape(index_put(flat, (places,), reshape(source, (count,)), accumulate), input.array.shape)


def _vector(name: str, input: Tensor, dim: int, index: Any) -> tuple[int, Any]:
    """Return the dimension counted from the front, and `index` as a vector."""
    check_index(name, index)
    if index.array.ndim > 1:
        raise ShapeError(f"{name} takes a vector as index, got shape {index.array.shape}; gather takes others")
    at = normalize_dim(dim, input.array.ndim)
    if not input.array.ndim and index.array.size != 1:
        raise IndexRangeError(f"{name}: a tensor of no dimensions takes one index, got {index.array.size}")
    return at, index if index.array.ndim else reshape(index, (1,))


def _check_slices(name: str, input: Tensor, at: int, index: Tensor, source: Tensor) -> None:
    check_dtypes(name, input, source)
    shape = input.array.shape
    expected = (*shape[:at], index.array.size, *shape[at + 1 :]) if shape else ()
    if source.array.shape != expected:
        raise ShapeError(
            f"{name} along dimension {at} of shape {shape} with {index.array.size} indices needs a source of shape "
            f"{expected}, got {source.array.shape}"
        )


def _with_slices(op: Any, input: Tensor, at: int, index: Tensor, source: Any) -> Any:
    """Run an op on slices; a tensor of no dimensions has one."""
    if input.array.ndim:
        return op(input, at, index, source)
    source = reshape(source, (1,)) if isinstance(source, TensorBase) else source
    return reshape(op(reshape(input, (1,)), 0, index, source), ())
