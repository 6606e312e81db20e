"""Ops that put elements into a copy of a tensor: along a dimension, or where a mask says."""

import math
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import cast, sum_to
from trainkit.autograd.ops.choose import masked, where
from trainkit.autograd.ops.index import check_range, flat_places, gather, grid, index_select

__all__ = ["index_add", "index_copy", "masked_fill", "scatter", "scatter_add", "scatter_extreme", "scatter_prod"]


@op
def scatter(ctx: Any, x: Any, dim: int, index: Any, src: Any) -> Any:
    """Write `src`, an array of the shape of `index` or a number, where `gather` would pick."""
    ctx.save(dim, index)
    check_range("scatter", index, dim, x.shape[dim])
    out = np.array(x)
    out[grid(dim, index)] = src
    return out


@scatter.backward
def _(ctx: Any, grad: Any) -> Any:
    dim, index = ctx.saved
    grad_x = scatter(grad, dim, index, 0.0) if ctx.needs(0) else None
    return grad_x, None, None, gather(grad, dim, index) if ctx.needs(3) else None


@op
def scatter_add(ctx: Any, x: Any, dim: int, index: Any, src: Any) -> Any:
    """Add `src` where `gather` would pick, one element after the other."""
    ctx.save(dim, index)
    check_range("scatter_add", index, dim, x.shape[dim])
    out = np.array(x, order="C")
    kernels.add_rows(out.reshape(1, -1, 1), flat_places(x.shape, dim, index), src.reshape(1, -1, 1))
    return out


@scatter_add.backward
def _(ctx: Any, grad: Any) -> Any:
    dim, index = ctx.saved
    return grad, None, None, gather(grad, dim, index) if ctx.needs(3) else None


@op
def scatter_prod(ctx: Any, x: Any, dim: int, index: Any, src: Any) -> Any:
    """Multiply with `src` where `gather` would pick."""
    ctx.save(x, dim, index, src)
    check_range("scatter_reduce", index, dim, x.shape[dim])
    return _reduced(np.multiply, x, dim, index, src)


@scatter_prod.backward
def _(ctx: Any, grad: Any) -> Any:
    # The gradient of a factor is the product of the others: of all that are not 0, divided by it if it is none, unless
    # another one is 0.
    x, dim, index, src = ctx.saved
    x_is_0, src_is_0 = cast(x == 0, grad.dtype), cast(src == 0, grad.dtype)
    x, src = where(x == 0, 1.0, x), where(src == 0, 1.0, src)
    zeros = scatter_add(x_is_0, dim, index, src_is_0)
    share = grad * scatter_prod(x, dim, index, src)
    grad_x = masked(share / x, zeros == x_is_0) if ctx.needs(0) else None
    if not ctx.needs(3):
        return grad_x
    return grad_x, None, None, masked(gather(share, dim, index) / src, gather(zeros, dim, index) == src_is_0)


@op
def scatter_extreme(ctx: Any, x: Any, dim: int, index: Any, src: Any, largest: bool) -> Any:
    """Keep the largest, or the smallest, of `x` and of all `src` where `gather` would pick; NaN is either."""
    check_range("scatter_reduce", index, dim, x.shape[dim])
    out = _reduced(np.maximum if largest else np.minimum, x, dim, index, src)
    ctx.save(x, dim, index, src, out)
    return out


@scatter_extreme.backward
def _(ctx: Any, grad: Any) -> Any:
    x, dim, index, src, out = ctx.saved
    hits, src_hits = cast(x == out, grad.dtype), cast(src == gather(out, dim, index), grad.dtype)
    share = grad / scatter_add(hits, dim, index, src_hits)  # equals have the same part of the gradient
    return hits * share, None, None, src_hits * gather(share, dim, index)


def _reduced(function: Any, x: Any, dim: int, index: Any, src: Any) -> Any:
    out = np.array(x, order="C")
    with np.errstate(all="ignore"):
        function.at(out.reshape(-1), flat_places(x.shape, dim, index), src.reshape(-1))
    return out


@op
def index_add(ctx: Any, x: Any, dim: int, index: Any, src: Any) -> Any:
    """Add the slices of `src` to those that `index_select` would pick, one after the other."""
    ctx.save(dim, index)
    check_range("index_add", index, dim, x.shape[dim])
    out = np.array(x, order="C")
    before, after = math.prod(x.shape[:dim]), math.prod(x.shape[dim + 1 :])
    kernels.add_rows(out.reshape(before, x.shape[dim], after), index, src.reshape(before, index.size, after))
    return out


@index_add.backward
def _(ctx: Any, grad: Any) -> Any:
    dim, index = ctx.saved
    return grad, None, None, index_select(grad, dim, index, None) if ctx.needs(3) else None


@op
def index_copy(ctx: Any, x: Any, dim: int, index: Any, src: Any) -> Any:
    """Write the slices of `src`, or a number, over those that `index_select` would pick."""
    ctx.save(dim, index)
    check_range("index_copy", index, dim, x.shape[dim])
    out = np.array(x)
    out[(slice(None),) * dim + (index,)] = src
    return out


@index_copy.backward
def _(ctx: Any, grad: Any) -> Any:
    dim, index = ctx.saved
    grad_x = index_copy(grad, dim, index, 0.0) if ctx.needs(0) else None
    return grad_x, None, None, index_select(grad, dim, index, None) if ctx.needs(3) else None


@op
def masked_fill(ctx: Any, x: Any, mask: Any, value: Any) -> Any:
    """`value`, a number or an array of no dimensions, where the mask is true; it broadcasts to the shape of `x`."""
    ctx.save(mask)
    out = np.array(x)
    np.copyto(out, value, where=mask)
    return out


@masked_fill.backward
def _(ctx: Any, grad: Any) -> Any:
    (mask,) = ctx.saved
    grad_x = masked(grad, mask == 0) if ctx.needs(0) else None
    return grad_x, None, sum_to(masked(grad, mask), ()) if ctx.needs(2) else None
