"""Functions of square matrices and factors of any, by PyTorch's top-level names; `trainkit.linalg` has them all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.op import array_of, wrap
from trainkit.autograd.ops import decompose as ops
from trainkit.autograd.ops.elementwise import add, where
from trainkit.autograd.ops.linalg import matmul
from trainkit.autograd.ops.results import QR, SVD, SLogDet
from trainkit.autograd.ops.shape import transpose
from trainkit.autograd.ops.solve import check_matrix, det, logabsdet, solve_triangular
from trainkit.autograd.ops.solve import inv as inverse

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "cholesky_solve",
    "det",
    "inverse",
    "logdet",
    "matrix_exp",
    "pinverse",
    "qr",
    "slogdet",
    "svd",
]


def slogdet(input: Tensor) -> SLogDet:
    """The sign and the logarithm of the absolute value of the determinants of square matrices (..., n, n).

    A singular matrix gives the sign 0 and -inf. The sign has no gradient.
    """
    check_matrix("slogdet", array_of(input))
    with np.errstate(all="ignore"):
        sign = np.linalg.slogdet(array_of(input))[0]
    return SLogDet(wrap(sign), logabsdet(input))


def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinants of square matrices: -inf for 0, NaN below it."""
    sign, logarithm = slogdet(input)
    return where(wrap(sign.array < 0), math.nan, logarithm)


def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The triangle L with `input = L @ L.mT` of positive definite matrices, or its transpose if `upper`.

    Only the lower triangle of `input` is read.

    Raises:
        LinAlgError: a matrix is not positive definite.
    """
    out = ops.cholesky(input)
    return transpose(out, -1, -2) if upper else out


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """Solve `A @ X = B`, (..., n, k), where L is the Cholesky factor of A."""
    back = transpose(L, -1, -2)
    lower, raised = (back, L) if upper else (L, back)
    return solve_triangular(raised, solve_triangular(lower, B, False, False), True, False)


def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of the matrices whose Cholesky factor is L."""
    return cholesky_solve(wrap(np.eye(L.shape[-1], dtype=L.dtype)), L, upper)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse; singular values up to `rcond` times the largest count as 0."""
    return ops.pinv(input, 0.0, rcond, False)


def qr(input: Tensor, some: bool = True) -> QR:
    """`linalg.qr`, reduced or, with `some=False`, complete."""
    return ops.qr_in_mode(input, "reduced" if some else "complete")


def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> SVD:
    """U, the singular values, and V of matrices (..., m, n), with `input = U @ diag(S) @ V.mT`.

    Differs from `linalg.svd`, which gives V transposed.
    """
    if not compute_uv:
        rows, columns = input.shape[-2:]
        zeros = [np.zeros((*input.shape[:-2], size, size), input.dtype) for size in (rows, columns)]
        return SVD(wrap(zeros[0]), ops.svdvals(input), wrap(zeros[1]))
    u, s, vh = ops.svd(input, not some)
    return SVD(u, s, transpose(vh, -1, -2))


def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of square matrices, the sum of `A^k / k!`.

    Source: scaling and squaring, Higham, "Functions of Matrices", 2008, chapter 10; with the Taylor polynomial of
    degree 14, whose rest is below a rounding of float64 for norms up to 1/2.
    """
    check_matrix("matrix_exp", array_of(input))
    norm = np.abs(array_of(input)).sum(-2).max(initial=0.0)
    squarings = max(0, math.ceil(math.log2(norm)) + 1) if np.isfinite(norm) and norm > 0 else 0
    small = input * 0.5**squarings
    one = np.eye(input.shape[-1], dtype=input.dtype)
    out: Any = add(small * (1 / 14), one)
    for k in range(13, 0, -1):
        out = add(matmul(small, out) * (1 / k), one)
    for _ in range(squarings):
        out = matmul(out, out)
    return out
