"""Functions that give the elements another shape or order; what is a view in PyTorch is a view here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainkit.autograd.ops import shape as ops
from trainkit.autograd.ops.shape import flatten, movedim, squeeze, unsqueeze
from trainkit.autograd.size import Size, sizes_of
from trainkit.errors import ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "adjoint",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_shapes",
    "broadcast_to",
    "clone",
    "detach",
    "flatten",
    "moveaxis",
    "movedim",
    "numel",
    "permute",
    "ravel",
    "reshape",
    "squeeze",
    "swapaxes",
    "swapdims",
    "t",
    "transpose",
    "unflatten",
    "unsqueeze",
]

moveaxis = movedim


def detach(input: Tensor) -> Tensor:
    """The same memory without history; changes in place of either are seen by the version check of both."""
    return input.detach()


def reshape(input: Tensor, shape: Sequence[int]) -> Tensor:
    """Give the elements another shape, in which one -1 stands for what is left: a view where the layout allows it."""
    return ops.reshape(input, sizes_of((shape,), -1))


def ravel(input: Tensor) -> Tensor:
    """Give the elements one dimension: a view where the layout allows it, else a copy."""
    return ops.reshape(input, (-1,) if input.array.size else (0,))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Take one dimension apart into `sizes`, in which one -1 stands for what is left; a view.

    Raises:
        ShapeError: `sizes` do not multiply up to the size of the dimension.

    >>> import trainkit as tk
    >>> tk.unflatten(tk.zeros(2, 6), 1, (3, -1)).shape
    (2, 3, 2)
    """
    shape = input.array.shape
    at = ops.normalize_dim(dim, len(shape))
    parts = sizes_of((sizes,), -1)
    known = math.prod(size for size in parts if size != -1)
    whole = shape[at] if shape else -1
    fits = whole % known == 0 if -1 in parts and known else whole == known
    if not shape or not parts or parts.count(-1) > 1 or not fits:
        raise ShapeError(
            f"unflatten cannot take dimension {dim} of shape {shape} apart into {parts}: the sizes must multiply up to "
            "that of the dimension, and one of them may be -1"
        )
    parts = tuple([whole // max(known, 1) if size == -1 else size for size in parts])
    return ops.reshape(input, (*shape[:at], *parts, *shape[at + 1 :]))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swap two dimensions, as a view."""
    return ops.transpose(input, dim0, dim1)


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Swap two dimensions, as a view: `transpose` by another name."""
    return ops.transpose(input, axis0, axis1)


def swapdims(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swap two dimensions, as a view: `transpose` by another name."""
    return ops.transpose(input, dim0, dim1)


def t(input: Tensor) -> Tensor:
    """Transpose a matrix, as a view; fewer dimensions stay as they are.

    Raises:
        ShapeError: there are more than 2 dimensions.
    """
    ndim = input.array.ndim
    if ndim > 2:
        raise ShapeError(f"t() takes at most 2 dimensions, got shape {input.array.shape}; use .mT or transpose()")
    return ops.transpose(input, 0, 1) if ndim == 2 else ops.permute(input, (0,) * ndim)


def adjoint(input: Tensor) -> Tensor:
    """Swap the last two dimensions, as a view; the numbers here are real.

    Raises:
        ShapeError: there is one dimension.
    """
    if input.array.ndim == 1:
        raise ShapeError(f"only matrices, or stacks of them, can be transposed, got shape {input.array.shape}")
    return ops.transpose(input, -2, -1) if input.array.ndim else ops.permute(input, ())


def permute(input: Tensor, dims: Sequence[int]) -> Tensor:
    """Put the dimensions into another order, as a view."""
    return ops.permute(input, tuple(dims))


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """Copy; the copy keeps the history. `memory_format` is taken and not used: elements lie in order of the indices."""
    return ops.clone(input)


def numel(input: Tensor) -> int:
    """Return the number of elements."""
    return input.array.size


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Stretch sizes of 1 to `size`, as a view; -1 keeps a size, and new dimensions come in front."""
    return ops.expand(input, sizes_of((size,), -1))


def broadcast_shapes(*shapes: Any) -> Size:
    """Return the shape in which shapes meet: from the right, sizes are equal or 1.

    Raises:
        ShapeError: they do not.

    >>> broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    given = [sizes_of((shape,)) for shape in shapes]
    met = [1] * max(map(len, given), default=0)
    for shape in given:
        for place, size in enumerate(shape, len(met) - len(shape)):
            if met[place] == 1:
                met[place] = size
            elif size not in (1, met[place]):
                raise ShapeError(
                    f"shapes {' and '.join(map(str, given))} do not broadcast: from the right, sizes must be equal or 1"
                )
    return Size(met)


def atleast_1d(*tensors: Any) -> Any:
    """Give a tensor of no dimensions one; several tensors, or a sequence of them, give a tuple."""
    return _each(tensors, lambda x: x if x.ndim else ops.reshape(x, (1,)))


def atleast_2d(*tensors: Any) -> Any:
    """Put dimensions in front until there are 2; several tensors, or a sequence of them, give a tuple."""
    return _each(tensors, lambda x: x if x.ndim > 1 else ops.reshape(x, (1, x.array.size)))


def atleast_3d(*tensors: Any) -> Any:
    """Bring tensors to 3 dimensions: (n,) becomes (1, n, 1) and (m, n) (m, n, 1); several tensors give a tuple."""

    def deepen(x: Any) -> Any:
        shape = x.array.shape
        return x if len(shape) > 2 else ops.reshape(x, (*shape, 1) if len(shape) == 2 else (1, x.array.size, 1))

    return _each(tensors, deepen)


def _each(tensors: tuple[Any, ...], change: Any) -> Any:
    if len(tensors) == 1:
        if not isinstance(tensors[0], (tuple, list)):
            return change(tensors[0])
        tensors = tuple(tensors[0])
    return tuple([change(x) for x in tensors])
