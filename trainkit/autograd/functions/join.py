"""Functions that make one tensor of several, or combine the elements of several."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.functions.shape import atleast_1d, atleast_2d, atleast_3d, broadcast_shapes
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops import join as ops
from trainkit.autograd.ops.broadcast import broadcast_to, promoted
from trainkit.autograd.ops.index import getitem
from trainkit.autograd.ops.pad import pad_constant
from trainkit.autograd.ops.shape import reshape
from trainkit.errors import ArgumentError, DTypeError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "block_diag",
    "broadcast_tensors",
    "cartesian_prod",
    "cat",
    "column_stack",
    "combinations",
    "concat",
    "concatenate",
    "dstack",
    "hstack",
    "meshgrid",
    "row_stack",
    "stack",
    "vstack",
]


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along `dim`; they agree in every other dimension. Different dtypes meet in one.

    >>> import trainkit as tk
    >>> tk.cat([tk.zeros(1, 2), tk.ones(2, 2)]).shape
    (3, 2)
    """
    return ops.cat(dim, *_of_one_dtype("cat", tensors))


concat = concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new dimension. Different dtypes meet in one."""
    return ops.stack(dim, *_of_one_dtype("stack", tensors))


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join tensors side by side: along dimension 1, or 0 if it is the only one."""
    deep = atleast_1d(_checked("hstack", tensors))
    return cat(deep, 0 if deep[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join tensors one below the other, along dimension 0; one of 1 dimension is a row."""
    return cat(atleast_2d(_checked("vstack", tensors)))


row_stack = vstack


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join tensors one behind the other, along dimension 2."""
    return cat(atleast_3d(_checked("dstack", tensors)), 2)


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Join matrices along dimension 1; a tensor of 1 dimension is a column."""
    tensors = _checked("column_stack", tensors)
    return cat([x if x.array.ndim > 1 else reshape(x, (x.array.size, 1)) for x in tensors], 1)


def block_diag(*tensors: Tensor) -> Tensor:
    """Put matrices on the diagonal of one of zeros; one of 1 dimension is a row.

    >>> import trainkit as tk
    >>> tk.block_diag(tk.tensor([[1, 2]]), tk.tensor([3]))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    if not tensors:
        return wrap(np.zeros((1, 0), np.float32))
    for x in tensors:
        if x.ndim > 2:
            raise ShapeError(f"block_diag takes tensors of at most 2 dimensions, got shape {x.shape}")
    blocks = atleast_2d(list(tensors))
    widths = [block.array.shape[1] for block in blocks]
    rows = [pad_constant(block, ((0, 0), (sum(widths[:i]), sum(widths[i + 1 :]))), 0) for i, block in enumerate(blocks)]
    return cat(rows)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Stretch tensors to the shape in which they meet, as views."""
    given = _checked("broadcast_tensors", tensors)
    shape = tuple(broadcast_shapes(*[x.array.shape for x in given]))
    return tuple([broadcast_to(x, shape) for x in given])


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Stretch tensors of n, m, ... numbers to grids of shape (n, m, ...), as views.

    Args:
        tensors: of no or one dimension and of one dtype, or one sequence of them.
        indexing: "ij" as above; "xy" for (m, n, ...). None means "ij", as in PyTorch, which warns.

    >>> import trainkit as tk
    >>> tk.meshgrid(tk.tensor([1, 2]), tk.tensor([3, 4]), indexing="xy")[0]
    tensor([[1, 2],
            [1, 2]])
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    lines = list(_checked("meshgrid", given))
    if indexing not in (None, "ij", "xy"):
        raise ArgumentError(f"indexing of meshgrid is 'ij' or 'xy', got {indexing!r}")
    for x in lines:
        if x.array.ndim > 1:
            raise ShapeError(f"meshgrid takes tensors of no or one dimension, got shape {x.array.shape}")
        if x.array.dtype != lines[0].array.dtype:
            raise DTypeError(f"meshgrid takes tensors of one dtype, got {lines[0].array.dtype} and {x.array.dtype}")
    swap = indexing == "xy" and len(lines) > 1
    if swap:
        lines[:2] = lines[1::-1]
    shape = tuple([x.array.size for x in lines])
    grids = []
    for i, x in enumerate(lines):
        alone = (1,) * i + (x.array.size,) + (1,) * (len(lines) - i - 1)
        grids.append(broadcast_to(reshape(x, alone), shape))
    if swap:
        grids[:2] = grids[1::-1]
    return tuple(grids)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of one element of each tensor, as rows; of one tensor itself.

    >>> import trainkit as tk
    >>> tk.cartesian_prod(tk.tensor([1, 2]), tk.tensor([3, 4])).tolist()
    [[1, 3], [1, 4], [2, 3], [2, 4]]
    """
    for x in _checked("cartesian_prod", tensors):
        if x.array.ndim != 1:
            raise ShapeError(f"cartesian_prod takes tensors of one dimension, got shape {x.array.shape}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(grid, (grid.array.size,)) for grid in meshgrid(*tensors)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All combinations of `r` elements of a tensor of one dimension, as rows, in order of their places.

    >>> import trainkit as tk
    >>> tk.combinations(tk.tensor([1, 2, 3])).tolist()
    [[1, 2], [1, 3], [2, 3]]
    """
    if input.array.ndim != 1 or r < 0:
        raise ShapeError(
            f"combinations takes a tensor of one dimension and r of at least 0, got shape {input.array.shape} and r={r}"
        )
    if r == 0:
        return wrap(np.zeros(0, input.array.dtype))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = list(choose(range(input.array.size), r))
    return getitem(input, np.array(places, np.int64).reshape(-1, r))


def _checked(name: str, tensors: Any) -> Any:
    """Return `tensors` if they are tensors, and some."""
    if isinstance(tensors, TensorBase) or not len(tensors):
        raise ArgumentError(
            f"{name} takes a tuple or list of tensors, at least one, got "
            f"{'a tensor' if isinstance(tensors, TensorBase) else 'none'}"
        )
    for x in tensors:
        if not isinstance(x, TensorBase):
            raise ArgumentError(f"{name} takes tensors, got {type(x).__name__}; make it one first (trainkit.tensor())")
    return tensors


def _of_one_dtype(name: str, tensors: Any) -> Any:
    dtype = None
    for x in _checked(name, tensors):
        if dtype is None:
            dtype = x.array.dtype
        elif x.array.dtype is not dtype:
            return promoted(*tensors)
    return tensors
