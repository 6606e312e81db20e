"""Functions that put elements into a copy of a tensor: along a dimension, where a mask says, in place of a view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.functions.index_checks import (
    check_along,
    check_dtypes,
    check_index,
    meet,
    number_for,
    value_for,
)
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.inplace import put, put_view
from trainkit.autograd.op import wrap
from trainkit.autograd.ops import scatter as ops
from trainkit.autograd.ops.broadcast import cast
from trainkit.autograd.ops.index import getitem
from trainkit.autograd.ops.places import complaint, plain_index
from trainkit.autograd.ops.rounding import floor_divide
from trainkit.autograd.ops.shape import normalize_dim, reshape
from trainkit.autograd.ops.strided import diagonal
from trainkit.autograd.size import integer
from trainkit.errors import ArgumentError, DTypeError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "diagonal_scatter",
    "masked_fill",
    "masked_scatter",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "select_scatter",
    "slice_scatter",
]

_ALL = (slice(None),)


def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """Write along `dim` where `gather` would pick: `out[index[i][j]][j] = src[i][j]` for dim 0.

    Args:
        input: of which the rest is kept.
        dim: along which.
        index: int64 or int32, none negative; no size is larger than that of `input`, apart from `dim`, or of `src`.
        src: a tensor of the dtype of `input`, or a number. Which of several comes to lie in one place is left open.
        value: a number, in place of `src`.
        reduce: "add" or "multiply" what is there already; `scatter_reduce` knows more.

    Raises:
        IndexRangeError: an index is outside the dimension.

    >>> import trainkit as tk
    >>> tk.scatter(tk.zeros(2, 3), 1, tk.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    if (src is None) == (value is None):
        raise ArgumentError("scatter takes either src or value")
    if reduce not in (None, "add", "multiply"):
        raise ArgumentError(f"scatter knows reduce='add' and 'multiply', got {reduce!r}; see scatter_reduce")
    given = value if src is None else src
    if isinstance(given, TensorBase):
        at, input_, index, given = _along("scatter", input, dim, index, given)
    else:
        at, input_, index, _ = _along("scatter", input, dim, index, None)
        given = number_for(given, input.array.dtype)
        if reduce is not None:
            given = wrap(np.full(index.array.shape, given, input.array.dtype))
    op = ops.scatter if reduce is None else ops.scatter_add if reduce == "add" else ops.scatter_prod
    return _shaped(op(input_, at, index, given), input)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Add along `dim` where `gather` would pick: `out[index[i][j]][j] += src[i][j]` for dim 0.

    Args:
        input: to which is added.
        dim: along which.
        index: int64 or int32, none negative; no size is larger than that of `input`, apart from `dim`, or of `src`.
        src: of the dtype of `input`.

    Raises:
        IndexRangeError: an index is outside the dimension.

    >>> import trainkit as tk
    >>> tk.scatter_add(tk.zeros(3), 0, tk.tensor([0, 0, 2]), tk.tensor([1.0, 2.0, 3.0]))
    tensor([3., 0., 3.])
    """
    at, input_, index, src = _along("scatter_add", input, dim, index, src)
    return _shaped(ops.scatter_add(input_, at, index, src), input)


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Reduce the elements of `src` that `index` sends to one place of `input` along `dim`.

    The gradient of equal extremes is shared evenly. The second derivative of a product in which there are zeros leaves
    out that the gradient of another factor depends on them.

    Differs from PyTorch: with `include_self=False`, an element of `input` that equals the extreme takes no part of the
    gradient.

    Args:
        input: of which elements that no index names stay.
        dim: along which.
        index: int64 or int32, none negative; no size is larger than that of `input`, apart from `dim`, or of `src`.
        src: of the dtype of `input`.
        reduce: "sum", "prod", "mean", "amax" or "amin"; the mean of integers is rounded down.
        include_self: whether the elements of `input` count where there are others.

    Raises:
        IndexRangeError: an index is outside the dimension.

    >>> import trainkit as tk
    >>> tk.scatter_reduce(tk.zeros(2), 0, tk.tensor([0, 0, 1]), tk.tensor([1.0, 5.0, -2.0]), "amax")
    tensor([5., 0.])
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ArgumentError(f"scatter_reduce knows sum, prod, mean, amax and amin, got reduce={reduce!r}")
    at, out, index, src = _along("scatter_reduce", input, dim, index, src)
    if not include_self:
        out = ops.scatter(out, at, index, _neutral(reduce, input.array.dtype))
    if reduce == "prod":
        out = ops.scatter_prod(out, at, index, src)
    elif reduce in ("amax", "amin"):
        out = ops.scatter_extreme(out, at, index, src, reduce == "amax")
    else:
        out = ops.scatter_add(out, at, index, src)
        if reduce == "mean":
            out = _divided(out, at, index, include_self)
    return _shaped(out, input)


def _neutral(reduce: str, dtype: np.dtype[Any]) -> Any:
    """Return the number that takes no part in a reduction."""
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    if dtype.kind == "b":
        return reduce == "amin"
    low, high = (-np.inf, np.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return low if reduce == "amax" else high


def _divided(total: Any, at: int, index: Tensor, include_self: bool) -> Any:
    """Divide sums by how many elements they are of."""
    array, places = total.array, index.array
    if array.dtype.kind == "b":
        raise DTypeError("booleans have no mean; cast them with .float()")
    count = np.ones_like(array)
    if not include_self:
        count = ops.scatter(count, at, places, 0)
    count = np.maximum(ops.scatter_add(count, at, places, np.ones(places.shape, array.dtype)), 1)
    return total / count if array.dtype.kind == "f" else floor_divide(total, count)


def _along(name: str, input: Tensor, dim: int, index: Any, src: Any) -> tuple[int, Any, Any, Any]:
    """Check the arguments; return them with at least one dimension, `src` cut to the shape of `index`."""
    check_index(name, index)
    shape, sizes = input.array.shape, index.array.shape
    at = normalize_dim(dim, len(shape))
    if src is not None:
        if not isinstance(src, TensorBase):
            raise DTypeError(f"{name} takes a tensor as src, got {type(src).__name__}")
        check_dtypes(name, input, src)
    if not index.array.size:
        sizes = (0,) * max(len(shape), 1)
        index = wrap(np.zeros(sizes, np.int64))
        if src is not None:
            src = reshape(getitem(reshape(src, (src.array.size,)), slice(0)), sizes)
    else:
        check_along(name, at, sizes, shape)
        if src is not None:
            given = src.array.shape
            if max(len(given), 1) != max(len(sizes), 1) or any(
                n > m for n, m in zip(sizes, given or (1,), strict=False)
            ):
                raise ShapeError(f"{name} needs a src that is at least as large as index, got {given} and {sizes}")
            if given != sizes and given and sizes:
                src = getitem(src, tuple([slice(size) for size in sizes]))
    if shape and sizes:
        return at, input, index, src if src is None or src.array.ndim else reshape(src, (1,))
    if src is not None:
        src = reshape(getitem(reshape(src, (-1,)), slice(index.array.size)), sizes or (1,))
    return at, reshape(input, shape or (1,)), reshape(index, sizes or (1,)), src


def _shaped(out: Any, input: Tensor) -> Any:
    return out if input.array.ndim else reshape(out, ())


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Put a number, or a tensor of no dimensions, where a mask is true; both broadcast.

    Raises:
        DTypeError: the mask is not of dtype bool.
        ArgumentError: the number does not fit the dtype of `input`.

    >>> import trainkit as tk
    >>> tk.masked_fill(tk.tensor([1.0, -2.0]), tk.tensor([False, True]), 0)
    tensor([1., 0.])
    """
    input, mask = meet("masked_fill", input, mask)
    return ops.masked_fill(input, mask, value_for("masked_fill", value, input.array.dtype))


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Put the elements of `source`, one after the other, where a mask, which broadcasts, is true.

    Raises:
        ShapeError: there are fewer elements than places.

    >>> import trainkit as tk
    >>> tk.masked_scatter(tk.zeros(3), tk.tensor([True, False, True]), tk.tensor([5.0, 6.0, 7.0]))
    tensor([5., 0., 6.])
    """
    input, mask = meet("masked_scatter", input, mask)
    check_dtypes("masked_scatter", input, source)
    places = np.array(np.broadcast_to(mask.array, input.array.shape))
    count = np.count_nonzero(places)
    if source.array.size < count:
        raise ShapeError(f"masked_scatter has {count} places to fill, the source {source.array.size} elements")
    return put(input, getitem(reshape(source, (source.array.size,)), slice(count)), places)


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of `input` with `src` in the place of `input.select(dim, index)`.

    Raises:
        ShapeError: `src` has another shape than that.
    """
    at = normalize_dim(dim, input.array.ndim)
    return _in_view("select_scatter", input, src, (*_ALL * at, integer(index, "index"), ...))


def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy of `input` with `src` in the place of its slice `start:end:step` along `dim`.

    Raises:
        ShapeError: `src` has another shape than that.

    >>> import trainkit as tk
    >>> tk.slice_scatter(tk.zeros(4), tk.ones(2), start=1, end=3)
    tensor([0., 1., 1., 0.])
    """
    at = normalize_dim(dim, input.array.ndim)
    return _in_view("slice_scatter", input, src, plain_index((*_ALL * at, slice(start, end, step))))


def _in_view(name: str, input: Tensor, src: Tensor, index: Any) -> Any:
    try:
        shape = input.array[index].shape
    except IndexError:
        raise complaint(input.array.shape, index) from None
    return put(input, _fitting(name, input, src, shape), index)


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of `input` with `src` in the place of `input.diagonal(offset, dim1, dim2)`.

    Raises:
        ShapeError: `src` has another shape than that.
    """
    step = integer(offset, "offset"), dim1, dim2
    src = _fitting("diagonal_scatter", input, src, diagonal(input.array, *step).shape)
    return put_view(input, src, ((diagonal, step),))


def _fitting(name: str, input: Tensor, src: Tensor, shape: tuple[int, ...]) -> Any:
    if src.array.shape != shape:
        raise ShapeError(f"{name} needs a src of shape {shape}, as the view has, got {src.array.shape}")
    return src if src.array.dtype == input.array.dtype else cast(src, input.array.dtype)
