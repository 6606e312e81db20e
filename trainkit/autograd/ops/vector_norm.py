"""The p-norm of vectors and the distances that are made of it."""

import math
from typing import Any

import numpy as np

from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import cast
from trainkit.autograd.ops.elementwise import abs, pow, sign, where
from trainkit.autograd.ops.linalg import matmul
from trainkit.autograd.ops.reduce import sum
from trainkit.autograd.ops.shape import reshape, transpose
from trainkit.errors import ShapeError
from trainkit.kernels import total

__all__ = ["euclidean", "vector_norm"]

Dims = tuple[int, ...]


@op
def vector_norm(ctx: Any, x: Any, p: float, dims: Dims | None, keepdim: bool) -> Any:
    """The p-norm over `dims`; the gradient where a norm is 0 is 0, the mean of the subgradients."""
    if not x.size and (p < 0 or p == math.inf) and (dims is None or 0 in [x.shape[d] for d in dims]):
        raise ShapeError(f"the norm of order {p} of no elements is not defined; got shape {x.shape}")
    size = np.abs(x)
    with np.errstate(all="ignore"):
        if p == 2:
            out = np.sqrt(total(x * x, dims, keepdim))
        elif p == 1:
            out = total(size, dims, keepdim)
        elif p == 0:
            out = (x != 0).sum(axis=dims, keepdims=keepdim, dtype=x.dtype)
        elif math.isinf(p):
            out = (size.max if p > 0 else size.min)(axis=dims, keepdims=keepdim)
        else:
            out = total(size**p, dims, keepdim) ** (1 / p)
    ctx.save(x, out, p, dims)
    return out


@vector_norm.backward
def _(ctx: Any, grad: Any) -> Any:
    x, out, p, dims = ctx.saved
    kept = tuple([1 if dims is None or i in dims else size for i, size in enumerate(x.shape)])
    grad, out = reshape(grad, kept), reshape(out, kept)
    if p == 0:
        return where(x == x, 0.0, grad)
    if p == 1:
        return sign(x) * grad
    if math.isinf(p):
        hits = cast(abs(x) == out, x.dtype)
        return sign(x) * (hits * (grad / sum(hits, dims, True)))
    nothing = out == 0
    grad = where(nothing, 0.0, grad)
    out = where(nothing, 1.0, out)
    if p == 2:
        return x * (grad / out)
    zero = x == 0
    size = where(zero, 0.0, pow(where(zero, 1.0, abs(x)), p - 1))
    return sign(x) * size * (grad / pow(out, p - 1))


@op
def euclidean(ctx: Any, x: Any, y: Any, by_product: bool) -> Any:
    """Distances (..., p, r) between the rows of x (..., p, m) and of y (..., r, m).

    Args:
        ctx: of the op.
        x: points.
        y: points.
        by_product: use |x|^2 + |y|^2 - 2 x y, which is quick and exact to half the digits, not the differences.
    """
    if by_product:
        squares = (x * x).sum(-1)[..., :, None] + (y * y).sum(-1)[..., None, :]
        out = np.sqrt(np.maximum(squares - 2 * matmul(x, y.swapaxes(-1, -2)), 0))
    else:
        apart = x[..., :, None, :] - y[..., None, :, :]
        out = np.sqrt((apart * apart).sum(-1))
    ctx.save(x, y, out)
    return out


@euclidean.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y, out = ctx.saved
    nothing = out == 0
    weight = where(nothing, 0.0, grad) / where(nothing, 1.0, out)
    back = transpose(weight, -1, -2)
    grad_x = x * sum(weight, (x.ndim - 1,), True) - matmul(weight, y)
    return grad_x, y * sum(back, (x.ndim - 1,), True) - matmul(back, x)
