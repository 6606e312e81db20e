"""Methods that move elements, pick them and put them back."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.autograd import inplace
from trainkit.autograd.functions import (
    arrange,
    index,
    parts,
    scattering,
    shape,
)
from trainkit.autograd.functions.index_checks import diagonal_places, number_for
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.ops import index as index_ops
from trainkit.autograd.ops import shape as shape_ops
from trainkit.autograd.ops import strided as strided_ops
from trainkit.autograd.size import integer, sizes_of
from trainkit.errors import InPlaceError, ShapeError

__all__ = ["ShapingMethods"]


def _shape_stays(name: str, method: str = "") -> Callable[..., Any]:
    """Make the in-place form of a function that changes the shape, which a tensor here keeps: it raises."""
    method = method or name + "_"

    def change(self: TensorBase, *args: Any, **kwargs: Any) -> Any:
        raise InPlaceError(
            f"{method} would change the shape of a tensor itself, with its views and its place in the graph; "
            f"write x = x.{name}(...), which shares the memory"
        )

    change.__name__ = change.__qualname__ = method
    change.__doc__ = f"Raises InPlaceError: a tensor keeps its shape; `{name}` gives a view of another."
    return change


class ShapingMethods(TensorBase):
    """Methods that move elements, pick them and put them back."""

    __slots__ = ()

    # Shapes

    adjoint = shape.adjoint
    as_strided = parts.as_strided
    broadcast_to = shape.broadcast_to
    chunk = parts.chunk
    clone = shape.clone
    diag = arrange.diag
    diag_embed = arrange.diag_embed
    diagflat = arrange.diagflat
    diagonal = parts.diagonal
    dsplit = parts.dsplit
    flatten = shape.flatten
    fliplr = arrange.fliplr
    flipud = arrange.flipud
    hsplit = parts.hsplit
    moveaxis = shape.moveaxis
    movedim = shape.movedim
    narrow = parts.narrow
    ravel = shape.ravel
    repeat_interleave = arrange.repeat_interleave
    roll = arrange.roll
    rot90 = arrange.rot90
    select = parts.select
    split_with_sizes = parts.split_with_sizes
    squeeze = shape.squeeze
    swapaxes = shape.swapaxes
    swapdims = shape.swapdims
    t = shape.t
    tensor_split = parts.tensor_split
    transpose = shape.transpose
    tril = arrange.tril
    triu = arrange.triu
    unbind = parts.unbind
    unflatten = shape.unflatten
    unsqueeze = shape.unsqueeze
    vsplit = parts.vsplit
    tril_ = inplace.in_place(arrange.tril)
    triu_ = inplace.in_place(arrange.triu)
    squeeze_ = _shape_stays("squeeze")
    unsqueeze_ = _shape_stays("unsqueeze")
    transpose_ = _shape_stays("transpose")
    swapaxes_ = _shape_stays("swapaxes")
    swapdims_ = _shape_stays("swapdims")
    t_ = _shape_stays("t")
    resize_ = _shape_stays("reshape", "resize_")

    def reshape(self, *sizes: Any, shape: Any = None) -> Any:
        """Give the elements another shape, in which one -1 stands for what is left: a view where the layout allows."""
        return shape_ops.reshape(self, sizes_of(sizes if shape is None else (shape,), -1))

    def reshape_as(self, other: Any) -> Any:
        """Reshape to the shape of `other`."""
        return shape_ops.reshape(self, other.array.shape)

    def view(self, *sizes: Any, size: Any = None, dtype: Any = None) -> Any:
        """Give the elements another shape without a copy, or with `view(dtype)` take their bytes for another dtype.

        Raises:
            ShapeError: the layout in memory does not allow the shape.
            DTypeError: the last dimension does not hold a whole number of the new elements, in order.
        """
        if dtype is not None or (len(sizes) == 1 and isinstance(sizes[0], (np.dtype, type, str))):
            return shape_ops.view_dtype(self, np.dtype(sizes[0] if dtype is None else dtype))
        return shape_ops.view(self, sizes_of(sizes if size is None else (size,), -1))

    def view_as(self, other: Any) -> Any:
        """View in the shape of `other`."""
        return shape_ops.view(self, other.array.shape)

    def contiguous(self, memory_format: Any = None) -> Any:
        """Return this tensor if its elements lie in order in memory, else a copy whose elements do."""
        return shape_ops.contiguous(self)

    def permute(self, *order: Any, dims: Any = None) -> Any:
        """Put the dimensions into another order, as a view."""
        if dims is None:
            dims = order[0] if len(order) == 1 and isinstance(order[0], (tuple, list)) else order
        return shape_ops.permute(self, tuple(dims))

    def expand(self, *sizes: Any, size: Any = None) -> Any:
        """Stretch sizes of 1 to `sizes`, as a view; -1 keeps a size, and new dimensions come in front.

        An element stands in several places then, so the result cannot be written to.
        """
        return shape_ops.expand(self, sizes_of(sizes if size is None else (size,), -1))

    def expand_as(self, other: Any) -> Any:
        """Expand to the shape of `other`."""
        return shape_ops.expand(self, other.array.shape)

    def sum_to_size(self: Any, *size: Any) -> Any:
        """Sum to `size`, from which this tensor could have been broadcast."""
        return shape_ops.sum_to_size(self, sizes_of(size))

    def repeat(self, *counts: Any, repeats: Any = None) -> Any:
        """Lay copies side by side, a number of them for each dimension; further dimensions come in front."""
        return shape_ops.repeat(self, sizes_of(counts if repeats is None else (repeats,)))

    def tile(self: Any, *counts: Any, dims: Any = None) -> Any:
        """Lay copies side by side, a number of them for each of the last dimensions."""
        return arrange.tile(self, sizes_of(counts if dims is None else (dims,)))

    def flip(self: Any, *along: Any, dims: Any = None) -> Any:
        """Turn the order along dimensions round; a copy."""
        if dims is None:
            dims = along[0] if len(along) == 1 else along
        return arrange.flip(self, dims)

    def split(self: Any, split_size: Any, dim: int = 0) -> Any:
        """Cut along `dim` into pieces of one size, or of the sizes given, as views."""
        return parts.split(self, split_size, dim)

    def unfold(self, dimension: int, size: int, step: int) -> Any:
        """All windows of `size` along a dimension, `step` apart, as a view; the places in one are a new last dimension.

        >>> import trainkit as tk
        >>> tk.arange(5).unfold(0, 3, 2)
        tensor([[0, 1, 2],
                [2, 3, 4]])
        """
        return strided_ops.unfold(self, dimension, integer(size, "size"), integer(step, "step"))

    @property
    def T(self) -> Any:  # noqa: N802 -- PyTorch's name
        """The dimensions in reverse, as a view."""
        return shape_ops.permute(self, tuple(range(self.array.ndim))[::-1])

    @property
    def mT(self: Any) -> Any:  # noqa: N802 -- PyTorch's name
        """The last two dimensions swapped, as a view."""
        return shape.adjoint(self)

    @property
    def mH(self: Any) -> Any:  # noqa: N802 -- PyTorch's name
        """The last two dimensions swapped, as a view; the numbers here are real."""
        return shape.adjoint(self)

    @property
    def H(self: Any) -> Any:  # noqa: N802 -- PyTorch's name
        """A matrix transposed, as a view; the numbers here are real."""
        if self.array.ndim not in (0, 2):
            raise ShapeError(f"H is of matrices, got shape {self.array.shape}; use .mH for stacks of them")
        return shape.adjoint(self)

    nelement = shape.numel

    def ndimension(self) -> int:
        """Return the number of dimensions."""
        return self.array.ndim

    def element_size(self) -> int:
        """Return the bytes of one element."""
        return self.array.itemsize

    @property
    def itemsize(self) -> int:
        """The bytes of one element."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return self.array.nbytes

    def storage_offset(self) -> int:
        """Return where in the memory of its base a view begins, in elements."""
        return strided_ops.storage_offset(self)

    # Elements

    argwhere = index.argwhere
    diagonal_scatter = scattering.diagonal_scatter
    gather = index.gather
    index_add = index.index_add
    index_copy = index.index_copy
    index_fill = index.index_fill
    index_put = index.index_put
    index_reduce = index.index_reduce
    index_select = index.index_select
    masked_fill = scattering.masked_fill
    masked_scatter = scattering.masked_scatter
    masked_select = index.masked_select
    nonzero = index.nonzero
    put = index.put
    scatter = scattering.scatter
    scatter_add = scattering.scatter_add
    scatter_reduce = scattering.scatter_reduce
    select_scatter = scattering.select_scatter
    slice_scatter = scattering.slice_scatter
    take = index.take
    take_along_dim = index.take_along_dim
    index_add_ = inplace.in_place(index.index_add)
    index_copy_ = inplace.in_place(index.index_copy)
    index_fill_ = inplace.in_place(index.index_fill)
    index_put_ = inplace.in_place(index.index_put)
    index_reduce_ = inplace.in_place(index.index_reduce)
    masked_fill_ = inplace.in_place(scattering.masked_fill)
    masked_scatter_ = inplace.in_place(scattering.masked_scatter)
    put_ = inplace.in_place(index.put)
    scatter_ = inplace.in_place(scattering.scatter)
    scatter_add_ = inplace.in_place(scattering.scatter_add)
    scatter_reduce_ = inplace.in_place(scattering.scatter_reduce)

    def fill_diagonal_(self, fill_value: float, wrap: bool = False) -> Any:
        """Fill the diagonal of a matrix, or of a tensor whose sizes are all the same, with a number.

        With `wrap` it begins again in the row after next when a matrix is higher than wide.
        """
        self[diagonal_places(self.array.shape, wrap)] = number_for(fill_value, self.array.dtype)
        return self

    def __getitem__(self, key: Any) -> Any:
        return index_ops.getitem(self, index_ops.plain_index(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        inplace.set_item(self, key, value)
