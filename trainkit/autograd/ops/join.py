"""Ops that make one tensor of several."""

from typing import Any

import numpy as np

from trainkit.autograd.op import op
from trainkit.autograd.ops.shape import normalize_dim
from trainkit.errors import ShapeError

__all__ = ["cat", "stack"]


@op
def cat(ctx: Any, dim: int, *tensors: Any) -> Any:
    """Join along `dim`; tensors of shape (0,) fit everywhere and add nothing, as in PyTorch."""
    parts = [x for x in tensors if x.shape != (0,)] or tensors
    if not parts[0].ndim:
        raise ShapeError("cat cannot join tensors of no dimensions; use stack()")
    at = normalize_dim(dim, parts[0].ndim)
    try:
        out = np.concatenate(parts, axis=at)
    except ValueError:
        raise ShapeError(
            f"cat along dimension {dim} needs shapes that agree in every other one, got {[x.shape for x in tensors]}"
        ) from None
    ctx.save(at, tuple([x.shape[at] if x.ndim == out.ndim else None for x in tensors]))
    return out


@cat.backward
def _(ctx: Any, grad: Any) -> Any:
    at, sizes = ctx.saved
    before = (slice(None),) * at
    start = 0
    gradients: list[Any] = []
    for size in sizes:
        if size is None:
            gradients.append(None)
            continue
        gradients.append(grad[(*before, slice(start, start + size))])
        start += size
    return None, *gradients


@op
def stack(ctx: Any, dim: int, *tensors: Any) -> Any:
    """Join along a new dimension."""
    at = normalize_dim(dim, tensors[0].ndim + 1)
    ctx.save(at, len(tensors))
    try:
        return np.stack(tensors, axis=at)
    except ValueError:
        raise ShapeError(f"stack needs tensors of one shape, got {[x.shape for x in tensors]}") from None


@stack.backward
def _(ctx: Any, grad: Any) -> Any:
    at, count = ctx.saved
    before = (slice(None),) * at
    return None, *[grad[(*before, i, ...)] for i in range(count)]
