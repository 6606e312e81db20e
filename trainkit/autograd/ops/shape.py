"""Ops that move elements without changing them: what is a view in PyTorch is a view here."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainkit.autograd.op import op, view_op
from trainkit.autograd.ops.broadcast import broadcast_to
from trainkit.errors import ArgumentError, IndexRangeError, ShapeError

__all__ = [
    "cat",
    "clone",
    "contiguous",
    "expand",
    "flatten",
    "movedim",
    "normalize_dim",
    "normalize_dims",
    "permute",
    "reshape",
    "squeeze",
    "stack",
    "transpose",
    "unsqueeze",
    "view",
]


def normalize_dim(dim: int, ndim: int) -> int:
    """Return `dim` counted from the front.

    Raises:
        IndexRangeError: `dim` is outside [-ndim, ndim - 1].
    """
    low = -max(ndim, 1)
    if not low <= dim < -low:
        raise IndexRangeError(f"dimension {dim} is out of range; a tensor of {ndim} dimensions has [{low}, {-low - 1}]")
    return dim - low if dim < 0 else dim


def normalize_dims(dim: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Return the dimensions that `dim` names, counted from the front; all of them for None or ()."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return tuple(range(ndim))
    dims = tuple(normalize_dim(d, ndim) for d in ((dim,) if isinstance(dim, int) else dim))
    if len(set(dims)) != len(dims):
        raise ArgumentError(f"a dimension is named twice in dim={dim}")
    return () if ndim == 0 else dims


@view_op
def reshape(ctx: Any, x: Any, shape: tuple[int, ...]) -> Any:
    ctx.save(x.shape)
    try:
        return x.reshape(shape)
    except ValueError:
        known = math.prod(size for size in shape if size != -1)
        raise ShapeError(
            f"cannot view shape {x.shape} ({x.size} elements) as {tuple(shape)} "
            f"({'a multiple of ' if -1 in shape else ''}{known} elements)"
        ) from None


@reshape.backward
def _(ctx: Any, grad: Any) -> Any:
    return reshape(grad, ctx.saved[0])


def view(x: Any, shape: tuple[int, ...]) -> Any:
    """Reshape without a copy; raises where the layout in memory does not allow it."""
    out = reshape(x, shape)
    if out.numel() and out.base is None:
        raise ShapeError(
            f"view({shape}) of a tensor of shape {x.shape} and strides {x.stride()} would need a copy; use reshape()"
        )
    return out


def expand(x: Any, sizes: tuple[int, ...]) -> Any:
    """Broadcast to `sizes` as a view; -1 keeps a size."""
    extra = len(sizes) - x.ndim
    return broadcast_to(
        x, tuple(x.shape[i - extra] if size == -1 and i >= extra else size for i, size in enumerate(sizes))
    )


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Join the dimensions from `start_dim` to `end_dim` into one."""
    start, end = normalize_dim(start_dim, x.ndim), normalize_dim(end_dim, x.ndim)
    if start > end:
        raise ArgumentError(f"flatten: start_dim {start_dim} lies behind end_dim {end_dim}")
    shape = tuple(x.shape) or (1,)
    return reshape(x, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@view_op
def permute(ctx: Any, x: Any, dims: tuple[int, ...]) -> Any:
    order = tuple(normalize_dim(dim, x.ndim) for dim in dims)
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(f"permute of a tensor of {x.ndim} dimensions needs each of them once, got {tuple(dims)}")
    ctx.save(tuple(np.argsort(order).tolist()))
    return x.transpose(order)


@permute.backward
def _(ctx: Any, grad: Any) -> Any:
    return permute(grad, ctx.saved[0])


def transpose(x: Any, dim0: int, dim1: int) -> Any:
    """Swap two dimensions."""
    order = list(range(x.ndim))
    first, second = normalize_dim(dim0, x.ndim), normalize_dim(dim1, x.ndim)
    if order:
        order[first], order[second] = second, first
    return permute(x, tuple(order))


def movedim(x: Any, source: int, destination: int) -> Any:
    """Move one dimension to another place."""
    order = list(range(x.ndim))
    order.insert(normalize_dim(destination, x.ndim), order.pop(normalize_dim(source, x.ndim)))
    return permute(x, tuple(order))


def squeeze(x: Any, dim: int | Sequence[int] | None = None) -> Any:
    """Drop the dimensions of size 1, or those of `dim` that are."""
    dims = normalize_dims(dim, x.ndim)
    return reshape(x, tuple(size for i, size in enumerate(x.shape) if i not in dims or size != 1))


def unsqueeze(x: Any, dim: int) -> Any:
    """Insert a dimension of size 1 at `dim`."""
    at = normalize_dim(dim, x.ndim + 1)
    return reshape(x, (*x.shape[:at], 1, *x.shape[at:]))


@op
def clone(ctx: Any, x: Any) -> Any:
    return x.copy()


@clone.backward
def _(ctx: Any, grad: Any) -> Any:
    return grad


def contiguous(x: Any) -> Any:
    """Return `x` if its elements lie in order in memory, else a copy whose elements do."""
    return x if x.is_contiguous() else clone(x)


@op
def cat(ctx: Any, dim: int, *tensors: Any) -> Any:
    shapes = [x.shape for x in tensors]
    if not tensors:
        raise ArgumentError("cat needs at least one tensor, got none")
    at = normalize_dim(dim, tensors[0].ndim)
    try:
        out = np.concatenate(tensors, axis=at)
    except ValueError:
        raise ShapeError(
            f"cat along dimension {dim} needs shapes that agree in every other one, got {shapes}"
        ) from None
    ctx.save(at, tuple(shape[at] for shape in shapes))
    return out


@cat.backward
def _(ctx: Any, grad: Any) -> Any:
    at, sizes = ctx.saved
    gradients, start = [], 0
    for size in sizes:
        gradients.append(grad[(slice(None),) * at + (slice(start, start + size),)])
        start += size
    return None, *gradients


def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Join tensors of one shape along a new dimension."""
    return cat(dim, *[unsqueeze(x, dim) for x in tensors])
