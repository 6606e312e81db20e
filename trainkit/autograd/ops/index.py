"""Ops that pick elements, each beside the op that puts them back: each is the derivative of the other."""

import math
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.graph import Array
from trainkit.autograd.op import op, view_op
from trainkit.autograd.ops.choose import masked
from trainkit.autograd.ops.places import Places, complaint, is_basic, is_mask, plain_index, set_at
from trainkit.errors import IndexRangeError

__all__ = [
    "check_range",
    "flat_places",
    "gather",
    "gather_put",
    "getitem",
    "grid",
    "index_put",
    "index_select",
    "index_select_put",
    "plain_index",
    "set_at",
]


@view_op
def getitem(ctx: Any, x: Any, index: Any) -> Any:
    """`x[index]`, for an index that `plain_index` made: a view, or a copy where there are arrays in it."""
    if is_basic(index):
        ctx.save(x.shape, index)
        try:
            out = x[index]
        except IndexError:
            raise complaint(x.shape, index) from None
        if type(out) is np.ndarray:
            return out
        return x[(*index, ...) if type(index) is tuple else (index, ...)]  # numpy gives one element as a scalar
    if is_mask(index, x.shape):
        ctx.save(x.shape, index.copy() if ctx.needs(0) else None)
        return x[index]
    places = index if type(index) is Places else Places(index, x.shape, copy=ctx.needs(0))
    ctx.save(x.shape, places)
    return places.pick(x)


@getitem.backward
def _(ctx: Any, grad: Any) -> Any:
    shape, index = ctx.saved
    return index_put(grad, shape, index)


@op
def index_put(ctx: Any, values: Any, shape: tuple[int, ...], index: Any) -> Any:
    """Add `values` at `index` into zeros of `shape`: what getitem took apart, put back."""
    if is_basic(index) or is_mask(index, shape):  # which name no element twice
        ctx.save(index)
        out = np.zeros(shape, values.dtype)
        out[index] = values
        return out
    places = index if type(index) is Places else Places(index, shape, copy=ctx.needs(0))
    ctx.save(places)
    return places.sum(values)


@index_put.backward
def _(ctx: Any, grad: Any) -> Any:
    return getitem(grad, ctx.saved[0])


@op
def gather(ctx: Any, x: Any, dim: int, index: Any) -> Any:
    """Pick along `dim`: `out[i][j] = x[index[i][j]][j]` for dim 0; other sizes of `index` may be smaller than `x`'s."""
    ctx.save(x.shape, dim, index)
    check_range("gather", index, dim, x.shape[dim])
    return x[grid(dim, index)]


@gather.backward
def _(ctx: Any, grad: Any) -> Any:
    shape, dim, index = ctx.saved
    return gather_put(grad, shape, dim, index)


@op
def gather_put(ctx: Any, values: Any, shape: tuple[int, ...], dim: int, index: Any) -> Any:
    """Add `values` into zeros of `shape` where `gather` would have picked them."""
    ctx.save(dim, index)
    out = np.zeros(shape, values.dtype)
    kernels.add_rows(out.reshape(1, -1, 1), flat_places(shape, dim, index), values.reshape(1, -1, 1))
    return out


@gather_put.backward
def _(ctx: Any, grad: Any) -> Any:
    dim, index = ctx.saved
    return gather(grad, dim, index)


@op
def index_select(ctx: Any, x: Any, dim: int, index: Any, skip: int | None) -> Any:
    """Pick slices along `dim`, in the shape of `index`; those that `skip` names have no gradient."""
    ctx.save(x.shape, dim, index, skip)
    check_range("index_select", index, dim, x.shape[dim])
    return x.take(index, dim) if x.flags.c_contiguous else x[(slice(None),) * dim + (index,)]


@index_select.backward
def _(ctx: Any, grad: Any) -> Any:
    return index_select_put(grad, *ctx.saved)


@op
def index_select_put(ctx: Any, values: Any, shape: tuple[int, ...], dim: int, index: Any, skip: int | None) -> Any:
    """Add the slices that `index_select` picked into zeros of `shape`, but for those that `skip` names."""
    ctx.save(dim, index, skip)
    before, after = math.prod(shape[:dim]), math.prod(shape[dim + 1 :])
    values, places = values.reshape(before, index.size, after), index.reshape(-1)
    if skip is not None:
        kept = places != skip
        values, places = values[:, kept], places[kept]
    out = np.zeros(shape, values.dtype)
    kernels.add_rows(out.reshape(before, shape[dim], after), places, values)
    return out


@index_select_put.backward
def _(ctx: Any, grad: Any) -> Any:
    dim, index, skip = ctx.saved
    picked = index_select(grad, dim, index, skip)
    if skip is None:
        return picked
    return masked(picked, (index != skip).reshape(index.shape + (1,) * (len(grad.shape) - dim - 1)))


def check_range(name: str, index: Array, dim: int, size: int) -> None:
    """Raise unless every index is one of a dimension of `size`, counted from the front."""
    if index.size and not (index.min() >= 0 and index.max() < size):
        wrong = index[(index < 0) | (index >= size)]
        raise IndexRangeError(
            f"{name} got index {wrong[0]} for dimension {dim} of size {size}; expected 0 to {size - 1}"
            if size
            else f"{name} got index {wrong[0]} for dimension {dim} of size 0, which has no elements"
        )


def grid(dim: int, index: Array) -> tuple[Array, ...]:
    """Return the index of numpy that means `index` along `dim`, and the same place in all other dimensions."""
    ndim = index.ndim
    return tuple(
        [
            index if i == dim else np.arange(size).reshape((size,) + (1,) * (ndim - i - 1))
            for i, size in enumerate(index.shape)
        ]
    )


def flat_places(shape: tuple[int, ...], dim: int, index: Array) -> Array:
    """Return where `grid` points in an array of `shape` that was flattened, in the order of `index`."""
    flat: Any = 0
    for i, places in enumerate(grid(dim, index)):
        flat = flat * shape[i] + places
    return np.asarray(flat, np.int64).reshape(-1)
