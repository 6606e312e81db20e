"""Matrix products."""

from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.dtypes import bool_
from trainkit.autograd.graph import Array
from trainkit.autograd.op import op
from trainkit.autograd.ops.activation import relu_grad
from trainkit.autograd.ops.broadcast import broadcast_to, promoted, sum_to
from trainkit.autograd.ops.reduce import sum
from trainkit.autograd.ops.shape import normalize_dim, reshape, transpose, unsqueeze
from trainkit.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["cross_along", "cross_product", "dot", "linear", "linear_relu", "matmul", "mm", "mv", "stacked_mm"]

SMALL = 1 << 18
"""Multiply-adds up to which numpy's BLAS computes: it is quick for them and wakes no threads of its own.

More go to the kernels, so that one pool of threads is at work and not two.
"""
TINY = 1 << 15
"""Multiply-adds of a matrix of a stack up to which numpy's BLAS takes any number of them."""


def matmul(input: Any, other: Any) -> Any:
    """Multiply matrices, (..., n, k) by (..., k, m); the stacks broadcast.

    A vector on the left is a row, on the right a column, and its dimension is gone from the result.

    Raises:
        ShapeError: the sizes or the stacks do not fit.
        DTypeError: the two dtypes differ.

    >>> import trainkit as tk
    >>> (tk.ones(5, 2, 3) @ tk.ones(3, 4)).shape
    (5, 2, 4)
    """
    try:
        if input.array.ndim == 2 and other.array.ndim == 2:  # by far the most frequent, and quick to see
            return mm(input, other)
    except AttributeError:
        pass
    try:
        ranks = input.ndim, other.ndim
    except AttributeError:
        raise ArgumentError(
            f"matmul needs two tensors, got {type(input).__name__} and {type(other).__name__}"
        ) from None
    if 0 in ranks:
        raise ShapeError(
            f"matmul needs at least one dimension on both sides, got shapes {_shape(input)} and {_shape(other)}; "
            "a product with a number is written with *"
        )
    if ranks == (2, 2):
        return mm(input, other)
    if ranks == (1, 1):
        return dot(input, other)
    if ranks == (1, 2):
        return mv(transpose(other, 0, 1), input)
    if ranks[1] <= 2:
        # one product of all rows is quicker than a stack of products
        rows = reshape(input, (_count(input.shape[:-1]), input.shape[-1])) if ranks[0] > 2 else input
        out = mv(rows, other) if ranks[1] == 1 else mm(rows, other)
        return reshape(out, (*input.shape[:-1], *other.shape[1:])) if ranks[0] > 2 else out
    if ranks[0] == 1:
        out = stacked_mm(unsqueeze(input, 0), other)
        return reshape(out, (*out.shape[:-2], out.shape[-1]))
    return stacked_mm(input, other)


def product(a: Any, b: Any) -> Any:
    """Multiply matrices or stacks of them, for rules."""
    return mm(a, b) if a.ndim == b.ndim == 2 else stacked_mm(a, b)


@np.errstate(all="ignore")
def _dot(a: Array, b: Array) -> Any:
    """The product with a vector: OpenBLAS computes lanes beyond it too, and numpy now and then warns of them."""
    return a.dot(b)


@op
def mm(ctx: Any, a: Any, b: Any) -> Any:
    ctx.save(a if ctx.needs(1) else None, b if ctx.needs(0) else None)
    dtype = a.dtype
    if dtype is not b.dtype or dtype is bool_:
        _check_dtypes(a, b)
    if a.size * b.shape[1] <= SMALL or dtype.kind != "f" or dtype.itemsize < 4:
        try:
            return a.dot(b) if a.shape[0] > 1 < b.shape[1] else _dot(a, b)
        except ValueError:
            raise _misfit(a, b) from None
    if a.shape[1] != b.shape[0]:
        raise _misfit(a, b)
    # a transposed view is read as it lies
    if b.flags.f_contiguous and not b.flags.c_contiguous and a.flags.c_contiguous:
        return kernels.matmul_nt(a, b.T)
    return kernels.matmul(a, b)


@mm.backward
def _(ctx: Any, grad: Any) -> Any:
    a, b = ctx.saved
    return None if b is None else mm(grad, b.T), None if a is None else mm(a.T, grad)


@op
def stacked_mm(ctx: Any, a: Any, b: Any) -> Any:
    """Multiply stacks of matrices, (..., n, k) by (..., k, m); the stacks broadcast."""
    ctx.save(a if ctx.needs(1) else None, b if ctx.needs(0) else None, a.shape, b.shape)
    dtype = a.dtype
    if dtype is not b.dtype or dtype is bool_:
        _check_dtypes(a, b)
    (n, k), m = a.shape[-2:], b.shape[-1]
    if k != b.shape[-2]:
        raise _misfit(a, b)
    few = SMALL if n == 1 or m == 1 else TINY
    work = max(a.size * m, b.size * n)
    by_numpy = work <= SMALL or n * k * m <= few or dtype.kind != "f" or dtype.itemsize < 4
    try:
        return np.matmul(a, b) if by_numpy else kernels.matmul(a, b)
    except ValueError:
        raise ShapeError(
            f"matmul cannot broadcast the stacks of shapes {a.shape} and {b.shape}: from the right, the sizes before "
            "the last two must be equal or 1"
        ) from None


@stacked_mm.backward
def _(ctx: Any, grad: Any) -> Any:
    a, b, a_shape, b_shape = ctx.saved
    grad_a = None if b is None else stacked_mm(grad, transpose(b, -1, -2))
    grad_b = None if a is None else stacked_mm(transpose(a, -1, -2), grad)
    if grad_a is not None and grad_a.shape != a_shape:
        grad_a = sum_to(grad_a, a_shape)
    if grad_b is not None and grad_b.shape != b_shape:
        grad_b = sum_to(grad_b, b_shape)
    return grad_a, grad_b


@op
def mv(ctx: Any, matrix: Any, vector: Any) -> Any:
    ctx.save(matrix if ctx.needs(1) else None, vector if ctx.needs(0) else None)
    dtype = matrix.dtype
    if dtype is not vector.dtype or dtype is bool_:
        _check_dtypes(matrix, vector)
    if matrix.shape[1] != vector.shape[0]:
        raise _misfit(matrix, vector)
    if matrix.size <= SMALL or dtype.kind != "f" or dtype.itemsize < 4:
        return _dot(matrix, vector)
    row = vector.reshape(1, -1)
    return (kernels.matmul_nt(row, matrix) if matrix.flags.c_contiguous else kernels.matmul(row, matrix.T))[0]


@mv.backward
def _(ctx: Any, grad: Any) -> Any:
    matrix, vector = ctx.saved
    grad_matrix = None if vector is None else unsqueeze(grad, 1) * unsqueeze(vector, 0)
    return grad_matrix, None if matrix is None else mv(matrix.T, grad)


@op
def dot(ctx: Any, x: Any, y: Any) -> Any:
    """Sum of the products of two vectors."""
    ctx.save(x if ctx.needs(1) else None, y if ctx.needs(0) else None)
    if x.ndim != 1 or y.ndim != 1 or x.shape != y.shape:
        raise ShapeError(f"dot needs two vectors of one length, got shapes {x.shape} and {y.shape}")
    dtype = x.dtype
    if dtype is not y.dtype or dtype is bool_:
        _check_dtypes(x, y)
    if x.size <= 8192 or dtype.kind != "f" or dtype.itemsize < 4:
        return _dot(x, y)
    return kernels.matmul_nt(x.reshape(1, -1), y.reshape(1, -1))[0, 0]


@dot.backward
def _(ctx: Any, grad: Any) -> Any:
    x, y = ctx.saved
    return None if y is None else grad * y, None if x is None else grad * x


def cross_along(input: Any, other: Any, dim: int) -> Any:
    """The cross product along `dim`, with the other dimensions broadcast."""
    if input.ndim != other.ndim:
        raise ShapeError(
            f"cross needs as many dimensions on both sides, got shapes {tuple(input.shape)} and {tuple(other.shape)}"
        )
    at = normalize_dim(dim, input.ndim)
    if not input.ndim or input.shape[at] != 3 or other.shape[at] != 3:
        raise ShapeError(f"cross needs size 3 along dimension {dim}, got {tuple(input.shape)} and {tuple(other.shape)}")
    a, b = promoted(input, other)
    shape = tuple([max(i, j) if i and j else 0 for i, j in zip(a.shape, b.shape, strict=True)])
    a = a if tuple(a.shape) == shape else broadcast_to(a, shape)
    return cross_product(a, b if tuple(b.shape) == shape else broadcast_to(b, shape), at)


@op
def cross_product(ctx: Any, a: Any, b: Any, dim: int) -> Any:
    """The cross product along `dim` of two arrays of one shape."""
    ctx.save(a if ctx.needs(1) else None, b if ctx.needs(0) else None, dim)
    x, y = np.moveaxis(a, dim, 0), np.moveaxis(b, dim, 0)
    out = np.empty_like(a)
    goal: Array = np.moveaxis(out, dim, 0)
    with np.errstate(all="ignore"):
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            goal[i] = x[j] * y[k] - x[k] * y[j]
    return out


@cross_product.backward
def _(ctx: Any, grad: Any) -> Any:
    a, b, dim = ctx.saved
    return None if b is None else cross_product(b, grad, dim), None if a is None else cross_product(grad, a, dim)


@op
def linear(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
    """Map the last dimension: (*, in) by weight (out, in) and bias (out,) or None to (*, out)."""
    ctx.save(x if ctx.needs(1) else None, weight if ctx.needs(0) else None)
    return _linear(x, weight, bias, False)


@linear.backward
def _(ctx: Any, grad: Any) -> Any:
    return _linear_gradients(ctx, grad, *ctx.saved)


@op
def linear_relu(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
    """`relu(linear(...))`, in one pass over memory less."""
    out = _linear(x, weight, bias, True)
    ctx.save(out, x if ctx.needs(1) else None, weight if ctx.needs(0) else None)
    return out


@linear_relu.backward
def _(ctx: Any, grad: Any) -> Any:
    out, x, weight = ctx.saved
    return _linear_gradients(ctx, relu_grad(grad, out), x, weight)


def _linear(x: Array, weight: Array, bias: Array | None, relu: bool) -> Any:
    rows = x if x.ndim == 2 else x.reshape(_count(x.shape[:-1]), x.shape[-1])
    kernel_takes = x.dtype.char in "fd"
    if kernel_takes and rows.size * weight.shape[0] > SMALL:
        out = kernels.linear(rows, weight, bias)
    else:
        out = rows.dot(weight.T) if len(rows) > 1 else _dot(rows, weight.T)
        if bias is not None and bias.dtype is out.dtype and kernel_takes:
            kernels.shift(out, bias, relu)
            relu = False
        elif bias is not None:
            out += bias
    if relu:
        out = kernels.relu(out, out) if kernel_takes else np.maximum(out, 0, out=out)
    return out if rows is x else out.reshape(*x.shape[:-1], weight.shape[0])


def _linear_gradients(ctx: Any, grad: Any, x: Any, weight: Any) -> Any:
    """The gradients of input, weight and bias."""
    rows = grad if grad.ndim == 2 else reshape(grad, (_count(grad.shape[:-1]), grad.shape[-1]))
    grad_x = grad_weight = grad_bias = None
    if weight is not None:
        grad_x = mm(rows, weight)
        if grad.ndim != 2:
            grad_x = reshape(grad_x, (*grad.shape[:-1], weight.shape[1]))
    if x is not None:
        grad_weight = mm(rows.T, x if x.ndim == 2 else reshape(x, (rows.shape[0], x.shape[-1])))
    if ctx.needs(2):
        grad_bias = sum(rows, (0,), False)
    return grad_x, grad_weight, grad_bias


def _count(sizes: tuple[int, ...]) -> int:
    count = 1
    for size in sizes:
        count *= size
    return count


def _shape(x: Any) -> tuple[int, ...]:
    return tuple(x.shape)


def _check_dtypes(a: Array, b: Array) -> None:
    if a.dtype != b.dtype:
        raise DTypeError(
            f"a matrix product needs one dtype on both sides, got {a.dtype} and {b.dtype}; cast one with .to()"
        )
    if a.dtype == bool_:
        raise DTypeError("a matrix product of booleans is not defined; cast both with .float() or .long()")


def _misfit(a: Array, b: Array) -> ShapeError:
    rows = b.shape[-2 if b.ndim > 1 else 0]
    return ShapeError(
        f"matmul of shapes {a.shape} and {b.shape}: the last size of the first, {a.shape[-1]}, must equal {rows} of "
        "the second"
    )
