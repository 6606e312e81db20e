"""Ops whose results are views by strides: diagonals, windows that slide, any strides at all."""

import math
from typing import Any

import numpy as np

from trainkit.autograd.graph import Array, TensorBase
from trainkit.autograd.op import op, view_op
from trainkit.autograd.ops.index import getitem, index_put
from trainkit.autograd.ops.shape import normalize_dim, reshape
from trainkit.errors import ShapeError

__all__ = ["as_strided", "diagonal", "diagonal_put", "storage_offset", "unfold", "unfold_sum"]


@view_op
def diagonal(ctx: Any, x: Any, offset: int, dim1: int, dim2: int) -> Any:
    first, second = normalize_dim(dim1, x.ndim), normalize_dim(dim2, x.ndim)
    if first == second:
        raise ShapeError(f"a diagonal needs two different dimensions, got dim1={dim1} and dim2={dim2}")
    ctx.save(x.shape, offset, first, second)
    return _diagonal(x, offset, first, second)


@diagonal.backward
def _(ctx: Any, grad: Any) -> Any:
    return diagonal_put(grad, *ctx.saved)


@op
def diagonal_put(ctx: Any, values: Any, shape: tuple[int, ...], offset: int, dim1: int, dim2: int) -> Any:
    """Put `values` on a diagonal of zeros of `shape`."""
    ctx.save(offset, dim1, dim2)
    out = np.zeros(shape, values.dtype)
    _diagonal(out, offset, dim1, dim2)[...] = values
    return out


@diagonal_put.backward
def _(ctx: Any, grad: Any) -> Any:
    return diagonal(grad, *ctx.saved)


def _diagonal(x: Array, offset: int, dim1: int, dim2: int) -> Array:
    out = x.diagonal(offset, dim1, dim2)
    if x.flags.writeable:
        out.flags.writeable = True  # numpy is careful here, PyTorch is not
    return out


@view_op
def unfold(ctx: Any, x: Any, dimension: int, size: int, step: int) -> Any:
    """All windows of `size` along a dimension, `step` apart; the places in a window are a new last dimension."""
    at = normalize_dim(dimension, x.ndim)
    length = x.shape[at] if x.ndim else 1
    if not 0 <= size <= length or step < 1:
        raise ShapeError(
            f"unfold along dimension {dimension} of shape {x.shape} needs a size from 0 to {length} and a step of at "
            f"least 1, got size={size} and step={step}"
        )
    ctx.save(x.shape, at, size, step)
    if not x.ndim:
        return x.reshape(1)[:size]
    shape = (*x.shape[:at], (length - size) // step + 1, *x.shape[at + 1 :], size)
    strides = (*x.strides[:at], x.strides[at] * step, *x.strides[at + 1 :], x.strides[at])
    if x.flags.c_contiguous:
        return np.ndarray(shape, x.dtype, x, 0, strides)  # a tenth of the time of as_strided
    return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=x.flags.writeable)


@unfold.backward
def _(ctx: Any, grad: Any) -> Any:
    return unfold_sum(grad, *ctx.saved)


@op
def unfold_sum(ctx: Any, windows: Any, shape: tuple[int, ...], dimension: int, size: int, step: int) -> Any:
    """Add windows up where `unfold` took them from a tensor of `shape`."""
    ctx.save(dimension, size, step)
    if not shape:
        return windows.sum()
    out = np.zeros(shape, windows.dtype)
    line = np.moveaxis(out, dimension, -1)
    count = windows.shape[dimension]
    windows = np.moveaxis(windows, dimension, -2)
    if size <= count:
        for place in range(size):
            line[..., place : place + (count - 1) * step + 1 : step] += windows[..., place]
    else:
        for number in range(count):
            line[..., number * step : number * step + size] += windows[..., number, :]
    return out


@unfold_sum.backward
def _(ctx: Any, grad: Any) -> Any:
    return unfold(grad, *ctx.saved)


@view_op
def as_strided(
    ctx: Any, x: Any, size: tuple[int, ...], stride: tuple[int, ...], offset: int, layout: tuple[int, ...]
) -> Any:
    """The memory of `x` in a shape with strides, counted in elements.

    `offset` counts from the first element of `x`; `layout` is the strides of `x`. An array that lies otherwise, a
    gradient say, gives a copy of the same elements.
    """
    if len(size) != len(stride):
        raise ShapeError(f"as_strided needs a stride for each size, got size={size} and stride={stride}")
    ctx.save(x.shape, size, stride, offset, layout)
    if any(step != wanted * x.itemsize for n, step, wanted in zip(x.shape, x.strides, layout, strict=True) if n > 1):
        source = _source(x.shape, size, stride, offset, layout)
        if (source < 0).any():
            raise ShapeError("as_strided took memory around a view, which cannot be found in another layout")
        return x.reshape(-1)[source]
    memory = x
    while isinstance(memory.base, np.ndarray):
        memory = memory.base
    first = x.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    steps = [step * x.itemsize for step in stride]
    try:
        return np.ndarray(size, x.dtype, memory, first + offset * x.itemsize, steps)
    except (TypeError, ValueError, BufferError):
        raise ShapeError(
            f"as_strided with size={size}, stride={stride}, {offset} elements after the first, reaches out of the "
            f"memory of a tensor of shape {x.shape}, which holds {memory.nbytes // x.itemsize} elements"
        ) from None


@as_strided.backward
def _(ctx: Any, grad: Any) -> Any:
    shape = ctx.saved[0]
    source = _source(*ctx.saved).reshape(-1)
    inside = np.flatnonzero(source >= 0)
    values = reshape(grad, (-1,))
    if inside.size < source.size:  # x is a view itself, and memory around it was taken too
        values, source = getitem(values, inside), source[inside]
    return reshape(index_put(values, (math.prod(shape),), source), shape)


def _source(
    shape: tuple[int, ...], size: tuple[int, ...], stride: tuple[int, ...], offset: int, layout: tuple[int, ...]
) -> Any:
    """Return for each element that as_strided takes its number in x, or -1 where it is none of x."""
    own, taken = _places(shape, layout), _places(size, stride) + offset
    low = min(own.min(initial=0), taken.min(initial=0))
    which = np.full(max(own.max(initial=0), taken.max(initial=0)) - low + 1, -1)
    which[own - low] = np.arange(own.size).reshape(shape)
    return which[taken - low]


def _places(shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    """Where each element lies in memory, counted from the first one."""
    places = np.zeros(shape, np.int64)
    for dim, (size, stride) in enumerate(zip(shape, strides, strict=True)):
        places += (np.arange(size) * stride).reshape(-1, *(1,) * (len(shape) - dim - 1))
    return places


def storage_offset(input: TensorBase) -> int:
    """Return where in the memory of its base a view begins, in elements."""
    if input.view_of is None:
        return 0
    array, base = input.array, input.view_of.base
    return (array.__array_interface__["data"][0] - base.array.__array_interface__["data"][0]) // array.itemsize
