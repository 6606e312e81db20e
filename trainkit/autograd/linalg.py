"""Linear algebra by the names of `torch.linalg`; forward by numpy's LAPACK, gradients of every order.

Matrices are the last two dimensions, all before are a stack. Real numbers only: what needs complex ones (`eig`) is not
here. A matrix that has no inverse or factor raises a LinAlgError that says which of the stack it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.functions.factors import cholesky, det, matrix_exp, slogdet
from trainkit.autograd.functions.factors import inverse as inv
from trainkit.autograd.functions.linalg import chain_matmul, matmul, matrix_power
from trainkit.autograd.matrix_norms import cond, matrix_norm, norm, vector_norm
from trainkit.autograd.op import array_of, wrap
from trainkit.autograd.ops import decompose as ops
from trainkit.autograd.ops import solve as solve_ops
from trainkit.autograd.ops.elementwise import mul
from trainkit.autograd.ops.join import stack as _stack
from trainkit.autograd.ops.linalg import cross_along
from trainkit.autograd.ops.reduce import sum as _sum
from trainkit.autograd.ops.results import QR, Eigh, LstSq, SVDFactors
from trainkit.autograd.ops.shape import normalize_dim, permute, reshape, transpose, unsqueeze
from trainkit.autograd.ops.strided import diagonal as _diagonal
from trainkit.errors import ArgumentError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
    "vector_norm",
]


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """Solve `A @ X = B`, or `X @ A = B` where not `left`; B holds columns (..., n, k) or vectors (..., n).

    B is taken for vectors where it has one dimension, or one less than A and otherwise A's shape.

    Raises:
        LinAlgError: a matrix is singular.

    >>> import trainkit as tk
    >>> tk.linalg.solve(tk.tensor([[2.0, 0.0], [0.0, 4.0]]), tk.tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    if B.ndim == 1 or (B.ndim == A.ndim - 1 and tuple(B.shape) == tuple(A.shape[:-1])):
        if not left:
            raise ArgumentError("solve of vectors needs left=True")
        out = solve_ops.solve(A, unsqueeze(B, -1))
        return reshape(out, tuple(out.shape[:-1]))
    if left:
        return solve_ops.solve(A, B)
    return transpose(solve_ops.solve(transpose(A, -1, -2), transpose(B, -1, -2)), -1, -2)


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """Solve `A @ X = B`, or `X @ A = B` where not `left`, reading one triangle of A.

    With `unitriangular` the diagonal counts as ones. Differs from PyTorch: a zero on the diagonal raises.
    """
    if left:
        return solve_ops.solve_triangular(A, B, upper, unitriangular)
    out = solve_ops.solve_triangular(transpose(A, -1, -2), transpose(B, -1, -2), not upper, unitriangular)
    return transpose(out, -1, -2)


def qr(A: Tensor, mode: str = "reduced") -> QR:
    """Orthonormal columns Q and an upper triangle R with `A = Q @ R`, for matrices (..., m, n).

    "reduced": Q (..., m, k), R (..., k, n), k = min(m, n); "complete": Q (..., m, m); "r": R alone, Q is empty.
    "complete" of tall matrices and "r" have no gradient.

    Differs from PyTorch: where one is recorded, these raise at once, not in the backward pass.
    """
    return ops.qr_in_mode(A, mode)


def eigh(A: Tensor, UPLO: str = "L") -> Eigh:
    """Eigenvalues, ascending, and eigenvectors, as columns, of symmetric matrices; one triangle is read.

    The gradient of vectors whose eigenvalues are equal is infinite or NaN; their sign is the library's choice.

    >>> import trainkit as tk
    >>> tk.linalg.eigh(tk.tensor([[2.0, 1.0], [1.0, 2.0]])).eigenvalues
    tensor([1., 3.])
    """
    return ops.eigh(A, _lower(UPLO))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Eigenvalues of symmetric matrices, ascending; one triangle is read."""
    return ops.eigvalsh(A, _lower(UPLO))


def _lower(triangle: str) -> bool:
    if triangle.upper() not in ("L", "U"):
        raise ArgumentError(f"UPLO must be 'L' or 'U', got {triangle!r}")
    return triangle.upper() == "L"


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> SVDFactors:
    """Factors U, S, Vh of matrices (..., m, n): orthonormal columns, singular values, descending, orthonormal rows.

    U is (..., m, m), or (..., m, k) with k = min(m, n) where not `full_matrices`; Vh is (..., n, n) or (..., k, n). The
    columns and rows beyond k have no gradient; that of the others is infinite or NaN where singular values are equal.
    `driver` is accepted for PyTorch's sake.
    """
    return ops.svd(A, full_matrices)


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """Singular values of matrices, descending."""
    return ops.svdvals(A)


def pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The pseudo-inverse of matrices of any shape; singular values up to max(atol, rtol * largest) count as 0.

    `rtol` (`rcond` is its old name) is max(m, n) roundings where neither is given. The gradient is that of matrices of
    one rank.
    """
    return ops.pinv(A, _number(atol), _number(rcond if rtol is None else rtol), hermitian)


def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """How many singular values of each matrix are above max(atol, rtol * largest); `tol` is an old name of atol."""
    array = array_of(A)
    s = np.abs(ops.eigvalsh(array, True)) if hermitian else ops.svdvals(array)
    if tol is not None:
        atol, rtol = tol, 0.0
    kept = s > ops.cutoff(s, array.shape, _number(atol), _number(rtol))
    return wrap(kept.sum(-1, dtype=np.int64))


def _number(tolerance: Any) -> Any:
    return None if tolerance is None else array_of(tolerance)


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> LstSq:
    """The X of smallest norm that makes `A @ X - B` smallest, for matrices (..., m, n) and (..., m, k).

    Returns the solution, the sums of squared differences (empty unless m > n and every rank is n), the ranks, and no
    singular values. Differs from PyTorch: every `driver` computes by the SVD, "gels" too.
    """
    if A.ndim < 2 or B.ndim < 1 or A.shape[-2] not in B.shape[-2:]:
        raise ShapeError(f"lstsq needs (..., m, n) and (..., m, k), got shapes {tuple(A.shape)} and {tuple(B.shape)}")
    vectors = B.ndim == A.ndim - 1 and tuple(B.shape) == tuple(A.shape[:-1])
    right = unsqueeze(B, -1) if vectors else B
    X = matmul(pinv(A, rcond), right)
    rank = matrix_rank(A, rtol=rcond)
    m, n = A.shape[-2:]
    if m > n and (rank.array == n).all():
        apart = matmul(A, X) - right
        residuals = _sum(apart * apart, (apart.ndim - 2,), False)
        residuals = reshape(residuals, tuple(residuals.shape[:-1])) if vectors else residuals
    else:
        residuals = wrap(np.empty(0, A.dtype))
    return LstSq(reshape(X, tuple(X.shape[:-1])) if vectors else X, residuals, rank, wrap(np.empty(0, A.dtype)))


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """Multiply two or more matrices in the order that takes the fewest multiplications."""
    if len(tensors) < 2:
        raise ArgumentError(f"multi_dot needs at least two tensors, got {len(tensors)}")
    return chain_matmul(*tensors)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross product of vectors of 3 along `dim`; the other dimensions broadcast."""
    return cross_along(input, other, dim)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Sum of the products along `dim`; the other dimensions broadcast."""
    product = mul(x, y)
    return _sum(product, (normalize_dim(dim, product.ndim),), False)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices as a view; a positive `offset` lies to the right."""
    return _diagonal(A, offset, dim1, dim2)


def vander(x: Tensor, N: int | None = None) -> Tensor:
    """The matrices whose columns are the powers 0 to N - 1 of vectors (..., n); N is n where it is None."""
    count = x.shape[-1] if N is None else N
    if count < 2:
        raise ArgumentError(f"vander needs at least two powers, got {count}")
    powers = [mul(x, 0) + 1, x]
    while len(powers) < count:
        powers.append(mul(powers[-1], x))
    return _stack(-1, *powers[:count])


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A as a map of its last dimensions to its first `ind`: `tensordot(tensorinv(A), A, ind)` is one."""
    if ind < 1:
        raise ArgumentError(f"tensorinv needs ind of at least 1, got {ind}")
    first, last = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if math.prod(first) != math.prod(last):
        raise ShapeError(
            f"tensorinv needs as many elements in the first {ind} dimensions as in the others, got shape "
            f"{tuple(A.shape)}"
        )
    return reshape(inv(reshape(A, (math.prod(first), math.prod(last)))), (*last, *first))


def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """Solve `tensordot(A, X, X.ndim) = B`; the dimensions `dims` of A are moved to its end first."""
    if dims is not None:
        moved = [normalize_dim(dim, A.ndim) for dim in dims]
        A = permute(A, (*[i for i in range(A.ndim) if i not in moved], *moved))
    shape = tuple(A.shape[B.ndim :])
    rows = math.prod(B.shape)
    if math.prod(shape) != rows or tuple(A.shape[: B.ndim]) != tuple(B.shape):
        raise ShapeError(f"tensorsolve: shape {tuple(A.shape)} of A does not fit {tuple(B.shape)} of B")
    return reshape(solve(reshape(A, (rows, rows)), reshape(B, (rows,))), shape)
