"""Ops that give the elements another shape or order: what is a view in PyTorch is a view here."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainkit.autograd.op import array_of, op, view_op
from trainkit.autograd.ops.broadcast import broadcast_to, sum_to
from trainkit.autograd.size import integer
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

__all__ = [
    "clone",
    "contiguous",
    "expand",
    "flatten",
    "movedim",
    "normalize_dim",
    "normalize_dims",
    "permute",
    "repeat",
    "reshape",
    "squeeze",
    "sum_to_size",
    "transpose",
    "unsqueeze",
    "view",
    "view_dtype",
]


def normalize_dim(dim: Any, ndim: int) -> int:
    """Return `dim` counted from the front.

    Raises:
        IndexRangeError: `dim` is outside [-ndim, ndim - 1].
    """
    if type(dim) is not int:
        dim = integer(dim, "a dimension")
    low = -max(ndim, 1)
    if not low <= dim < -low:
        raise IndexRangeError(f"dimension {dim} is out of range; a tensor of {ndim} dimensions has [{low}, {-low - 1}]")
    return dim - low if dim < 0 else dim


def normalize_dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """Return the dimensions that `dim` names, counted from the front; all of them for None or ()."""
    several = isinstance(dim, (tuple, list))
    if dim is None or (several and len(dim) == 0):
        return tuple(range(ndim))
    dims = tuple([normalize_dim(d, ndim) for d in (dim if several else (dim,))])
    if len(set(dims)) != len(dims):
        raise ArgumentError(f"a dimension is named twice in dim={dim}")
    return () if ndim == 0 else dims


@view_op
def reshape(ctx: Any, x: Any, shape: tuple[int, ...]) -> Any:
    ctx.save(x.shape)
    try:
        return x.reshape(shape)
    except ValueError:
        raise _does_not_fit(x, shape) from None


@reshape.backward
def _(ctx: Any, grad: Any) -> Any:
    return reshape(grad, ctx.saved[0])


def view(x: Any, shape: tuple[int, ...]) -> Any:
    """Reshape without a copy; raises where the layout in memory does not allow it."""
    out = reshape(x, shape)
    array, base = out.array, x.array
    if array.size and not np.may_share_memory(array, base):
        strides = tuple([stride // base.itemsize for stride in base.strides])
        raise ShapeError(
            f"view({shape}) of a tensor of shape {base.shape} and strides {strides} would need a copy; use reshape()"
        )
    return out


def _does_not_fit(x: Any, shape: tuple[int, ...]) -> ShapeError:
    known = math.prod(size for size in shape if size != -1)
    if shape.count(-1) > 1:
        reason = "only one size can be -1"
    elif -1 in shape and known == 0:
        reason = "beside a 0 any size would do for -1; give the size itself"
    else:
        reason = f"that has {'a multiple of ' if -1 in shape else ''}{known} elements"
    return ShapeError(f"cannot view shape {x.shape} ({x.size} elements) as {tuple(shape)}: {reason}")


@view_op
def view_dtype(ctx: Any, x: Any, dtype: np.dtype[Any]) -> Any:
    """Take the same bytes for numbers of another dtype; without a gradient, as in PyTorch."""
    try:
        return x.view(dtype)
    except ValueError:
        raise DTypeError(
            f"cannot view a {x.dtype} tensor of shape {x.shape} as {dtype}: where the sizes of the elements differ, "
            "the last dimension must lie in order in memory and hold a whole number of the new elements; use "
            f".to({str(dtype)!r}) to convert the values"
        ) from None


def expand(x: Any, sizes: tuple[int, ...]) -> Any:
    """Broadcast to `sizes` as a view; -1 keeps a size."""
    if -1 in sizes:
        shape = x.shape
        extra = len(sizes) - len(shape)
        if -1 in sizes[: max(extra, 0)]:
            raise ShapeError(f"cannot expand shape {shape} to {sizes}: -1 keeps a size, and the first {extra} are new")
        sizes = tuple([shape[i - extra] if size == -1 and extra >= 0 else size for i, size in enumerate(sizes)])
    return broadcast_to(x, sizes)


def sum_to_size(input: Any, size: tuple[int, ...]) -> Any:
    """Sum to `size`, from which `input` could have been broadcast."""
    shape = input.shape
    extra = len(shape) - len(size)
    if extra < 0 or any(wanted not in (1, given) for wanted, given in zip(size, shape[extra:], strict=True)):
        raise ShapeError(f"cannot sum shape {shape} to {size}: from the right, each size must be equal or 1")
    return sum_to(input, size)


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Join the dimensions from `start_dim` to `end_dim` into one: a view where the layout allows it, else a copy."""
    shape = array_of(input).shape or (1,)
    start, end = normalize_dim(start_dim, len(shape)), normalize_dim(end_dim, len(shape))
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} lies behind end_dim {end_dim}")
    if start == end and input.ndim:
        return input
    return reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@view_op
def permute(ctx: Any, x: Any, dims: tuple[int, ...]) -> Any:
    order = [normalize_dim(dim, x.ndim) for dim in dims]
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(f"permute of a tensor of {x.ndim} dimensions needs each of them once, got {tuple(dims)}")
    back = [0] * len(order)
    for place, dim in enumerate(order):
        back[dim] = place
    ctx.save(tuple(back))
    return x.transpose(order)


@permute.backward
def _(ctx: Any, grad: Any) -> Any:
    return permute(grad, ctx.saved[0])


@view_op
def transpose(ctx: Any, x: Any, dim0: int, dim1: int) -> Any:
    """Swap two dimensions."""
    first, second = normalize_dim(dim0, x.ndim), normalize_dim(dim1, x.ndim)
    ctx.save(first, second)
    return x.swapaxes(first, second) if x.ndim else x.reshape(())


@transpose.backward
def _(ctx: Any, grad: Any) -> Any:
    return transpose(grad, *ctx.saved)


def movedim(input: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Move dimensions to other places, as a view; the others keep their order."""
    ndim = input.ndim
    if type(source) is int and type(destination) is int and ndim:
        order = list(range(ndim))
        order.insert(normalize_dim(destination, ndim), order.pop(normalize_dim(source, ndim)))
        return permute(input, tuple(order))
    start = [normalize_dim(dim, ndim) for dim in (source if isinstance(source, (tuple, list)) else (source,))]
    end = [normalize_dim(d, ndim) for d in (destination if isinstance(destination, (tuple, list)) else (destination,))]
    if len(start) != len(end) or len(set(start)) != len(start) or len(set(end)) != len(end):
        raise ShapeError(
            f"movedim needs as many sources as destinations, none twice, got source={source} and "
            f"destination={destination}"
        )
    if not ndim:
        return permute(input, ())
    order = [dim for dim in range(ndim) if dim not in start]
    for place, dim in sorted(zip(end, start, strict=True)):
        order.insert(place, dim)
    return permute(input, tuple(order))


def squeeze(input: Any, dim: int | Sequence[int] | None = None) -> Any:
    """Drop the dimensions of size 1, or those of `dim` that are, as a view."""
    shape = input.shape
    if dim is None:
        return reshape(input, tuple([size for size in shape if size != 1]))
    dims = () if isinstance(dim, (tuple, list)) and not dim else normalize_dims(dim, len(shape))
    return reshape(input, tuple([size for i, size in enumerate(shape) if size != 1 or i not in dims]))


def unsqueeze(input: Any, dim: int) -> Any:
    """Insert a dimension of size 1 at `dim`, as a view."""
    shape = input.shape
    at = normalize_dim(dim, len(shape) + 1)
    return reshape(input, (*shape[:at], 1, *shape[at:]))


@op
def repeat(ctx: Any, x: Any, repeats: tuple[int, ...]) -> Any:
    """Lay `repeats` copies of `x` side by side along each dimension; further dimensions come in front."""
    extra = len(repeats) - x.ndim
    if extra < 0 or any(count < 0 for count in repeats):
        raise ShapeError(
            f"repeat of a tensor of shape {x.shape} needs at least {x.ndim} counts, one for each dimension, none "
            f"negative; got {repeats}"
        )
    sizes = (1,) * extra + x.shape
    # Between the copies lies a dimension of its own: (r1, s1, r2, s2, ...)
    many = tuple([part for pair in zip(repeats, sizes, strict=True) for part in pair])
    once = tuple([part for size in sizes for part in (1, size)])
    ctx.save(x.shape, many, once)
    out = np.empty(many, x.dtype)
    out[...] = x.reshape(once)
    return out.reshape([count * size for count, size in zip(repeats, sizes, strict=True)])


@repeat.backward
def _(ctx: Any, grad: Any) -> Any:
    shape, many, once = ctx.saved
    return reshape(sum_to(reshape(grad, many), once), shape)


@op
def clone(ctx: Any, x: Any) -> Any:
    return x.copy()


@clone.backward
def _(ctx: Any, grad: Any) -> Any:
    return grad


def contiguous(x: Any, memory_format: Any = None) -> Any:
    """Return `x` if its elements lie in order in memory, else a copy whose elements do."""
    return x if x.array.flags.c_contiguous else clone(x)
