"""Matrix products."""

from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.graph import Array
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import promoted, sum_to
from trainkit.autograd.ops.reduce import sum
from trainkit.autograd.ops.shape import reshape, transpose, unsqueeze
from trainkit.errors import DTypeError, ShapeError

__all__ = ["linear", "matmul", "product"]


def matmul(a: Any, b: Any) -> Any:
    """Multiply matrices; vectors and batches as in PyTorch: (..., n, k) @ (..., k, m) -> (..., n, m)."""
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"matmul needs at least one dimension on both sides, got shapes {a.shape} and {b.shape}")
    if a.dtype is not b.dtype:
        if a.dtype != b.dtype and a.dtype.kind != b.dtype.kind:
            raise DTypeError(f"matmul needs one dtype on both sides, got {a.dtype} and {b.dtype}; cast one with .to()")
        a, b = promoted(a, b)
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ShapeError(
            f"matmul of shapes {a.shape} and {b.shape}: the last size of the first, {a.shape[-1]}, must equal "
            f"{b.shape[-2 if b.ndim > 1 else 0]} of the second"
        )
    if a.ndim > 1 and b.ndim > 1:
        return product(a, b)
    rows = unsqueeze(a, 0) if a.ndim == 1 else a
    columns = unsqueeze(b, 1) if b.ndim == 1 else b
    out = product(rows, columns)
    if a.ndim == 1:
        out = reshape(out, (*out.shape[:-2], out.shape[-1]))
    return reshape(out, out.shape[:-1]) if b.ndim == 1 else out


@op
def product(ctx: Any, a: Any, b: Any) -> Any:
    """Multiply stacks of matrices, (..., n, k) by (..., k, m); the stacks broadcast."""
    ctx.save(a if ctx.needs(1) else None, b if ctx.needs(0) else None, a.shape, b.shape)
    if a.ndim == b.ndim == 2:
        return _product(a, b)
    try:
        return np.matmul(a, b)
    except ValueError:
        raise ShapeError(f"matmul cannot broadcast the stacks of shapes {a.shape} and {b.shape}") from None


@product.backward
def _(ctx: Any, grad: Any) -> Any:
    a, b, a_shape, b_shape = ctx.saved
    grad_a = None if b is None else product(grad, transpose(b, -1, -2))
    grad_b = None if a is None else product(transpose(a, -1, -2), grad)
    if grad_a is not None and grad_a.shape != a_shape:
        grad_a = sum_to(grad_a, a_shape)
    if grad_b is not None and grad_b.shape != b_shape:
        grad_b = sum_to(grad_b, b_shape)
    return grad_a, grad_b


def _product(a: Array, b: Array) -> Array:
    """Multiply two matrices by the kernel for their layout; a transposed view is read as it lies."""
    if a.dtype.kind != "f" or a.dtype.itemsize < 4:
        return np.matmul(a, b)
    if a.flags.c_contiguous:
        if b.flags.f_contiguous and not b.flags.c_contiguous:
            return kernels.matmul_nt(a, b.T)
    elif a.flags.f_contiguous and b.flags.c_contiguous:
        return kernels.matmul_tn(a.T, b)
    return kernels.matmul(a, b)


@op
def linear(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
    """Map the last dimension: (*, in) by weight (out, in) and bias (out,) or None to (*, out)."""
    ctx.save(x if ctx.needs(1) else None, weight if ctx.needs(0) else None)
    if x.ndim == 2:
        return kernels.linear(x, weight, bias)
    rows = kernels.linear(x.reshape(-1, x.shape[-1]), weight, bias)
    return rows.reshape(*x.shape[:-1], weight.shape[0])


@linear.backward
def _(ctx: Any, grad: Any) -> Any:
    x, weight = ctx.saved
    rows = grad if grad.ndim == 2 else reshape(grad, (-1, grad.shape[-1]))
    grad_x = grad_weight = grad_bias = None
    if weight is not None:
        grad_x = product(rows, weight)
        if grad.ndim != 2:
            grad_x = reshape(grad_x, (*grad.shape[:-1], weight.shape[1]))
    if x is not None:
        grad_weight = product(transpose(rows, 0, 1), x if x.ndim == 2 else reshape(x, (-1, x.shape[-1])))
    if ctx.needs(2):
        grad_bias = sum(rows, (0,), False)
    return grad_x, grad_weight, grad_bias
