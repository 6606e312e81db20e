"""Ops that sum up, multiply up or follow the extreme along a dimension."""

import math
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.op import array_of, op
from trainkit.autograd.ops.arrange import flip
from trainkit.autograd.ops.exponential import exp
from trainkit.autograd.ops.shape import unsqueeze

__all__ = ["cumprod", "cumsum", "logcumsumexp", "prod", "recurrence", "shift"]


@op
def cumsum(ctx: Any, x: Any, dim: int) -> Any:
    """Sums up to each place along `dim`; float32 is added in float64, as in PyTorch."""
    ctx.save(dim)
    wide = np.float64 if x.dtype.kind == "f" else np.int64
    with np.errstate(all="ignore"):  # infinities and NaN are answers
        return np.add.accumulate(x, dim, wide).astype(x.dtype if x.dtype.kind == "f" else np.int64, copy=False)


@cumsum.backward
def _(ctx: Any, grad: Any) -> Any:
    (dim,) = ctx.saved
    return flip(cumsum(flip(grad, (dim,)), dim), (dim,))


@op
def cumprod(ctx: Any, x: Any, dim: int) -> Any:
    wide = np.float64 if x.dtype.kind == "f" else np.int64
    with np.errstate(all="ignore"):  # infinities are answers
        out = np.multiply.accumulate(x, dim, wide).astype(x.dtype if x.dtype.kind == "f" else np.int64, copy=False)
    ctx.save(x, out, dim)
    return out


@cumprod.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out, dim = ctx.saved
    # x[i] is a factor of out[k] for k >= i: the others before it have out[i - 1] for product, those behind it give
    # after[i] = grad[i] + x[i + 1] * after[i + 1]. Nothing is divided, so zeros are no matter.
    after = recurrence(grad, shift(x, dim, -1, 0.0), dim, True)
    return shift(out, dim, 1, 1.0) * after


@op
def recurrence(ctx: Any, x: Any, factor: Any, dim: int, backwards: bool) -> Any:
    """`out[i] = x[i] + factor[i] * out[i - 1]` along `dim`; or from the end, with `out[i + 1]`, backwards."""
    out = kernels.recurrence(x, factor, dim, backwards)
    ctx.save(factor, out, dim, backwards)
    return out


@recurrence.backward
def _(ctx: Any, grad: Any) -> Any:
    factor, out, dim, backwards = ctx.saved
    step = -1 if backwards else 1
    grad_x = recurrence(grad, shift(factor, dim, -step, 0.0), dim, not backwards)
    return grad_x, grad_x * shift(out, dim, step, 0.0) if ctx.needs(1) else None


@op
def shift(ctx: Any, x: Any, dim: int, step: int, fill: float) -> Any:
    """Move each element to the next place along `dim`, or to the one before for step -1; the free place is filled."""
    ctx.save(dim, step)
    out = np.empty_like(x)
    before = (slice(None),) * dim
    late, early, free = (
        (*before, slice(1, None)),
        (*before, slice(None, -1)),
        slice(0, 1) if step > 0 else slice(-1, None),
    )
    out[late if step > 0 else early] = x[early if step > 0 else late]
    out[(*before, free)] = fill
    return out


@shift.backward
def _(ctx: Any, grad: Any) -> Any:
    dim, step = ctx.saved
    return shift(grad, dim, -step, 0.0)


@op
def logcumsumexp(ctx: Any, x: Any, dim: int) -> Any:
    with np.errstate(all="ignore"):  # -inf is a logarithm too
        out = np.logaddexp.accumulate(x, dim, np.float64).astype(x.dtype)
    ctx.save(x, out, dim)
    return out


@logcumsumexp.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out, dim = ctx.saved
    # The weight of x[j] in out[i >= j] is exp(x[j] - out[i]), the product of exp(x[j] - out[j]) and of the quotients
    # exp(out[k] - out[k + 1]) from j to i, of which none is above 1: nothing overflows.
    with np.errstate(invalid="ignore"):  # -inf - -inf gives NaN, as in PyTorch
        quotients = exp(out - shift(out, dim, -1, math.inf))
        return recurrence(grad, quotients, dim, True) * exp(x - out)


@op
def prod(ctx: Any, x: Any, dim: int, keepdim: bool) -> Any:
    wide = np.float64 if x.dtype.kind == "f" else np.int64
    with np.errstate(all="ignore"):  # infinities are answers
        out = np.prod(x, axis=dim, dtype=wide, keepdims=keepdim)
        out = np.asarray(out, x.dtype if x.dtype.kind == "f" else wide)
    ctx.save(x, out, dim)
    return out


@prod.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out, dim = ctx.saved
    if grad.ndim != x.ndim:
        grad, out = unsqueeze(grad, dim), unsqueeze(out, dim)
    if array_of(x).all():
        return grad * out / x
    before = shift(cumprod(x, dim), dim, 1, 1.0)
    after = flip(shift(cumprod(flip(x, (dim,)), dim), dim, 1, 1.0), (dim,))
    return grad * (before * after)
