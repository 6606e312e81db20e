"""Ops that pick elements and put them back."""

from typing import Any

import numpy as np

from trainkit.autograd.op import array_of, op, view_op
from trainkit.errors import IndexRangeError

__all__ = ["gather", "getitem", "index_put", "plain_index", "scatter_add"]


def plain_index(index: Any) -> Any:
    """Return an index as numpy takes it: tensors and lists in it become arrays."""
    if isinstance(index, tuple):
        return tuple([plain_index(part) for part in index])
    if index is None or index is Ellipsis or isinstance(index, (int, slice, np.ndarray, np.integer)):
        return index
    return array_of(index)


@view_op
def getitem(ctx: Any, x: Any, index: Any) -> Any:
    ctx.save(x.shape, index)
    try:
        return x[index]
    except IndexError as error:
        raise IndexRangeError(f"cannot index a tensor of shape {x.shape}: {error}") from None


@getitem.backward
def _(ctx: Any, grad: Any) -> Any:
    shape, index = ctx.saved
    return index_put(grad, shape, index)


@op
def index_put(ctx: Any, values: Any, shape: tuple[int, ...], index: Any) -> Any:
    """Add `values` at `index` into zeros of `shape`: what getitem took apart, put back."""
    ctx.save(index)
    out = np.zeros(shape, values.dtype)
    if _is_basic(index):
        out[index] = values
    else:
        np.add.at(out, index, values)  # an index may name an element twice
    return out


@index_put.backward
def _(ctx: Any, grad: Any) -> Any:
    return getitem(grad, ctx.saved[0])


def _is_basic(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return not any(isinstance(part, np.ndarray) for part in parts)


@op
def gather(ctx: Any, x: Any, dim: int, index: Any) -> Any:
    """Pick along `dim`: `out[i][j] = x[index[i][j]][j]` for dim 0."""
    ctx.save(x.shape, dim, index)
    return np.take_along_axis(x, index, axis=dim)


@gather.backward
def _(ctx: Any, grad: Any) -> Any:
    shape, dim, index = ctx.saved
    return scatter_add(grad, shape, dim, index)


@op
def scatter_add(ctx: Any, values: Any, shape: tuple[int, ...], dim: int, index: Any) -> Any:
    """Add `values` into zeros of `shape` where `gather` would have picked them."""
    ctx.save(dim, index)
    out = np.zeros(shape, values.dtype)
    grid: list[Any] = list(np.ogrid[tuple(slice(size) for size in index.shape)])
    grid[dim] = index
    np.add.at(out, tuple(grid), values)
    return out


@scatter_add.backward
def _(ctx: Any, grad: Any) -> Any:
    dim, index = ctx.saved
    return gather(grad, dim, index)
