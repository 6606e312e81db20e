"""Products of vectors and matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.op import array_of, wrap
from trainkit.autograd.ops import linalg as ops
from trainkit.autograd.ops.broadcast import broadcast_to
from trainkit.autograd.ops.elementwise import add, mul
from trainkit.autograd.ops.linalg import cross_along, dot, matmul
from trainkit.autograd.ops.reduce import sum
from trainkit.autograd.ops.shape import reshape, transpose, unsqueeze
from trainkit.autograd.ops.solve import check_matrix, inv
from trainkit.autograd.ops.strided import diagonal
from trainkit.autograd.ops.vector_norm import euclidean, vector_norm
from trainkit.errors import ArgumentError, DTypeError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "bmm",
    "cdist",
    "chain_matmul",
    "cross",
    "dot",
    "ger",
    "inner",
    "kron",
    "matmul",
    "matrix_power",
    "mm",
    "mv",
    "outer",
    "trace",
    "vdot",
]


def _check_ranks(name: str, **ranks: tuple[Any, int]) -> None:
    for argument, (x, rank) in ranks.items():
        if x.ndim != rank:
            raise ShapeError(f"{name} needs {argument} of {rank} dimensions, got shape {tuple(x.shape)}")


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Multiply two matrices, (n, k) by (k, m)."""
    _check_ranks("mm", input=(input, 2), mat2=(mat2, 2))
    return ops.mm(input, mat2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Multiply matrix by matrix, (b, n, k) by (b, k, m); nothing broadcasts."""
    _check_ranks("bmm", input=(input, 3), mat2=(mat2, 3))
    if input.shape[0] != mat2.shape[0]:
        raise ShapeError(f"bmm needs as many matrices on both sides, got {input.shape[0]} and {mat2.shape[0]}")
    return ops.stacked_mm(input, mat2)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Multiply a matrix (n, m) by a vector (m,)."""
    _check_ranks("mv", input=(input, 2), vec=(vec, 1))
    return ops.mv(input, vec)


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Sum of the products of two vectors; `dot`, as there are no complex numbers here."""
    return dot(input, other)


def inner(input: Tensor, other: Tensor) -> Tensor:
    """Products of the vectors along the last dimensions: (..., k) and (*, k) give (..., *); numbers multiply."""
    if input.ndim == 0 or other.ndim == 0:
        return mul(input, other)
    if input.shape[-1] != other.shape[-1]:
        raise ShapeError(
            f"inner needs last dimensions of one size, got shapes {tuple(input.shape)} and {tuple(other.shape)}"
        )
    k = input.shape[-1]
    rows = reshape(input, (math.prod(input.shape[:-1]), k))
    columns = reshape(other, (math.prod(other.shape[:-1]), k))
    return reshape(ops.mm(rows, transpose(columns, 0, 1)), (*input.shape[:-1], *other.shape[:-1]))


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The product of every element of a vector (n,) with every one of another (m,): (n, m)."""
    _check_ranks("outer", input=(input, 1), vec2=(vec2, 1))
    return mul(unsqueeze(input, 1), vec2)


def ger(input: Tensor, vec2: Tensor) -> Tensor:
    """Another name of `outer`."""
    return outer(input, vec2)


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """`beta * input + alpha * (mat1 @ mat2)`; with beta 0, what `input` holds is not looked at."""
    return _added("addmm", input, mm(mat1, mat2), beta, alpha)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """`beta * input + alpha * (mat @ vec)`."""
    return _added("addmv", input, mv(mat, vec), beta, alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """`beta * input + alpha * outer(vec1, vec2)`."""
    return _added("addr", input, outer(vec1, vec2), beta, alpha)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """`beta * input + alpha * bmm(batch1, batch2)`."""
    return _added("baddbmm", input, bmm(batch1, batch2), beta, alpha)


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """`beta * input + alpha * bmm(batch1, batch2).sum(0)`."""
    return _added("addbmm", input, sum(bmm(batch1, batch2), (0,), False), beta, alpha)


def _added(name: str, input: Any, product: Any, beta: Any, alpha: Any) -> Any:
    if product.dtype != input.dtype and name != "addr":
        raise DTypeError(
            f"{name} needs one dtype, got {input.dtype} to add and {product.dtype} matrices; cast one with .to()"
        )
    if product.dtype.kind != "f" and (isinstance(beta, float) or isinstance(alpha, float)):
        raise DTypeError(f"{name} of integers needs integers for beta and alpha, got {beta!r} and {alpha!r}")
    if alpha != 1:
        product = mul(product, alpha)
    if input.shape != product.shape:
        broadcast_to(array_of(input), product.shape)  # raises where it would be the product that expands
    if beta == 0:
        return product
    return add(input if beta == 1 else mul(input, beta), product)


def chain_matmul(*matrices: Any) -> Tensor:
    """Multiply two or more matrices in the order that takes the fewest multiplications.

    The first may be a row, the last a column, as vectors.
    """
    parts = list(matrices[0]) if len(matrices) == 1 and isinstance(matrices[0], (list, tuple)) else list(matrices)
    if not parts:
        raise ArgumentError("a chain of products needs at least one matrix, got none")
    if len(parts) == 1:
        return parts[0]
    for i, x in enumerate(parts):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, len(parts) - 1)):
            raise ShapeError(f"a chain of products takes matrices, and vectors at its ends, got shape {tuple(x.shape)}")
    first, last = parts[0].ndim == 1, parts[-1].ndim == 1
    if first:
        parts[0] = unsqueeze(parts[0], 0)
    if last:
        parts[-1] = unsqueeze(parts[-1], 1)
    out = _chain(parts, _splits([parts[0].shape[0], *[x.shape[1] for x in parts]]), 0, len(parts) - 1)
    if first or last:
        out = reshape(out, tuple(out.shape[int(first) : 2 - int(last)]))
    return out


def _splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split the product of matrices i to j: Cormen et al., "Introduction to Algorithms", section 14.2."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    split = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i, j], split[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )
    return split


def _chain(parts: list[Any], split: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return parts[i]
    k = split[i, j]
    return ops.mm(_chain(parts, split, i, k), _chain(parts, split, k + 1, j))


def matrix_power(input: Tensor, n: int) -> Tensor:
    """Multiply square matrices `n` times; a negative `n` multiplies the inverse.

    >>> import trainkit as tk
    >>> tk.matrix_power(tk.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    tensor([[1., 5.],
            [0., 1.]])
    """
    if input.ndim < 2 or input.shape[-1] != input.shape[-2]:
        raise ShapeError(f"matrix_power needs square matrices (..., n, n), got shape {tuple(input.shape)}")
    if n == 0:
        return wrap(np.broadcast_to(np.eye(input.shape[-1], dtype=input.dtype), input.shape).copy())
    square = input
    if n < 0:
        check_matrix("matrix_power with a negative power", input.array)
        square = inv(input)
    out: Any = None
    while n := abs(n):
        if n % 2:
            out = square if out is None else matmul(out, square)
        n //= 2
        square = matmul(square, square) if n else square
    return mul(input, 1) if out is input else out


def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of `input` times all of `other`, side by side.

    >>> import trainkit as tk
    >>> tk.kron(tk.tensor([1, 10]), tk.tensor([1, 2, 3]))
    tensor([ 1,  2,  3, 10, 20, 30])
    """
    rank = max(input.ndim, other.ndim)
    a = (1,) * (rank - input.ndim) + tuple(input.shape)
    b = (1,) * (rank - other.ndim) + tuple(other.shape)
    rows = reshape(input, tuple([size for length in a for size in (length, 1)]))
    out = mul(rows, reshape(other, tuple([size for length in b for size in (1, length)])))
    return reshape(out, tuple([i * j for i, j in zip(a, b, strict=True)]))


def trace(input: Tensor) -> Tensor:
    """Sum of the diagonal of a matrix."""
    _check_ranks("trace", input=(input, 2))
    return sum(diagonal(input, 0, 0, 1), None, False)


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product of vectors of 3 along `dim`; None takes the first dimension of size 3."""
    if dim is None:
        shape = np.broadcast_shapes(input.shape, other.shape)
        if 3 not in shape:
            raise ShapeError(f"cross needs a dimension of size 3, got shape {tuple(shape)}")
        dim = shape.index(3)
    return cross_along(input, other, dim)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """Distances (..., P, R), by the p-norm, between the points of x1 (..., P, M) and those of x2 (..., R, M).

    By the default mode more than 25 points are compared by one matrix product, |x|^2 + |y|^2 - 2 x y, which is quick
    but exact to about half the digits where two points lie close; "donot_use_mm_for_euclid_dist" is exact.

    Differs from PyTorch: with p = inf, differences that are equally large share the gradient.
    """
    modes = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
    if compute_mode not in modes:
        raise ArgumentError(f"cdist: compute_mode must be one of {modes}, got {compute_mode!r}")
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(
            f"cdist needs points (..., P, M) and (..., R, M), got shapes {tuple(x1.shape)} and {tuple(x2.shape)}"
        )
    if x1.dtype.kind != "f" or x1.dtype != x2.dtype:
        raise DTypeError(f"cdist needs one floating point dtype, got {x1.dtype} and {x2.dtype}; cast with .to()")
    if p < 0:
        raise ArgumentError(f"cdist needs p of at least 0, got {p}")
    stack = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    x1, x2 = _stacked(x1, stack), _stacked(x2, stack)
    if p == 2:
        many = x1.shape[-2] > 25 or x2.shape[-2] > 25
        return euclidean(x1, x2, compute_mode == modes[1] or (many and compute_mode == modes[0]))
    return vector_norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), float(p), (len(stack) + 2,), False)


def _stacked(x: Any, stack: tuple[int, ...]) -> Any:
    return x if tuple(x.shape[:-2]) == stack else broadcast_to(x, (*stack, *x.shape[-2:]))
