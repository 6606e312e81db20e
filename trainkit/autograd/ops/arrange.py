"""Ops that lay elements out anew: turned, shifted, repeated, cut off at a diagonal. The results are copies."""

from typing import Any

import numpy as np

from trainkit.autograd.op import op
from trainkit.errors import ShapeError

__all__ = ["flip", "interleave", "interleave_sum", "roll", "tril", "triu"]


@op
def flip(ctx: Any, x: Any, dims: tuple[int, ...]) -> Any:
    ctx.save(dims)
    return np.flip(x, dims).copy() if dims else x.copy()


@flip.backward
def _(ctx: Any, grad: Any) -> Any:
    return flip(grad, ctx.saved[0])


@op
def roll(ctx: Any, x: Any, shifts: tuple[int, ...], dims: tuple[int, ...]) -> Any:
    ctx.save(tuple([-shift for shift in shifts]), dims)
    out = x
    for shift, dim in zip(shifts, dims, strict=True):
        size = x.shape[dim]
        first = shift % size if size else 0  # where the first slice goes
        if first:
            before = (slice(None),) * dim
            rolled = np.empty_like(out)
            rolled[(*before, slice(first, None))] = out[(*before, slice(size - first))]
            rolled[(*before, slice(first))] = out[(*before, slice(size - first, None))]
            out = rolled
    return out.copy() if out is x else out


@roll.backward
def _(ctx: Any, grad: Any) -> Any:
    return roll(grad, *ctx.saved)


@op
def tril(ctx: Any, x: Any, diagonal: int) -> Any:
    ctx.save(diagonal)
    if x.ndim < 2:
        raise ShapeError(f"tril needs matrices, at least 2 dimensions, got shape {x.shape}")
    return np.tril(x, diagonal)


@tril.backward
def _(ctx: Any, grad: Any) -> Any:
    return tril(grad, ctx.saved[0])


@op
def triu(ctx: Any, x: Any, diagonal: int) -> Any:
    ctx.save(diagonal)
    if x.ndim < 2:
        raise ShapeError(f"triu needs matrices, at least 2 dimensions, got shape {x.shape}")
    return np.triu(x, diagonal)


@triu.backward
def _(ctx: Any, grad: Any) -> Any:
    return triu(grad, ctx.saved[0])


@op
def interleave(ctx: Any, x: Any, repeats: Any, dim: int) -> Any:
    """Repeat each slice along `dim`: all `repeats` times, or each by the count that an array has for it."""
    ctx.save(x.shape, repeats, dim)
    return np.repeat(x, repeats, dim)


@interleave.backward
def _(ctx: Any, grad: Any) -> Any:
    return interleave_sum(grad, *ctx.saved)


@op
def interleave_sum(ctx: Any, values: Any, shape: tuple[int, ...], repeats: Any, dim: int) -> Any:
    """Add up the slices that `interleave` made of one."""
    ctx.save(repeats, dim)
    if isinstance(repeats, int):
        return values.reshape(*shape[: dim + 1], repeats, *shape[dim + 1 :]).sum(dim + 1)
    out = np.zeros(shape, values.dtype)
    present = np.flatnonzero(repeats)
    if present.size:
        starts = (np.cumsum(repeats) - repeats)[present]
        out[(slice(None),) * dim + (present,)] = np.add.reduceat(values, starts, dim)
    return out


@interleave_sum.backward
def _(ctx: Any, grad: Any) -> Any:
    return interleave(grad, *ctx.saved)
