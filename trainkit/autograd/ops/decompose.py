"""Factors of matrices, by numpy's LAPACK; every rule holds for stacks.

An op whose factors all have gradients returns them packed in one array, which its function takes apart: so their
gradients arrive together, and the rule needs no more than its own output.
"""

from typing import Any, Literal

import numpy as np

from trainkit.autograd.graph import Array, TensorBase
from trainkit.autograd.modes import is_grad_enabled
from trainkit.autograd.op import array_of, op, wrap
from trainkit.autograd.ops.arrange import tril
from trainkit.autograd.ops.elementwise import where
from trainkit.autograd.ops.join import cat
from trainkit.autograd.ops.linalg import matmul
from trainkit.autograd.ops.results import QR, Eigh, SVDFactors
from trainkit.autograd.ops.shape import unsqueeze
from trainkit.autograd.ops.solve import by_lapack, check_matrix, solve_triangular, turned
from trainkit.autograd.ops.strided import diagonal_put
from trainkit.errors import ArgumentError, GradientError

__all__ = [
    "cholesky",
    "cutoff",
    "eigh",
    "eigh_factors",
    "eigvalsh",
    "pinv",
    "qr",
    "qr_factors",
    "qr_in_mode",
    "svd",
    "svd_factors",
    "svdvals",
]


def _quotient(x: Any, y: Any) -> Any:
    """Divide; nothing divided by nothing is nothing: what the loss does not look at has no gradient."""
    return x / where((x == 0) & (y == 0), 1.0, y)


@op
def cholesky(ctx: Any, a: Any) -> Any:
    """The lower factor; only the lower triangle of `a` is read.

    Source of the rule: Murray, "Differentiation of the Cholesky decomposition", 2016, arXiv:1602.07527.
    """
    check_matrix("cholesky", a)
    out = by_lapack(np.linalg.cholesky, a, "cholesky", "is not positive definite")
    ctx.save(out)
    return out


@cholesky.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    back = turned(out)
    inner = matmul(back, grad)
    inner = 0.5 * (tril(inner, 0) + turned(tril(inner, -1)))
    return turned(solve_triangular(back, turned(solve_triangular(back, inner, True, False)), True, False))


@op
def eigh_factors(ctx: Any, a: Any, lower: bool) -> Any:
    """Eigenvalues (..., 1, n) above the matrix of the eigenvectors (..., n, n); one triangle of `a` is read.

    Source of the rule: Giles, "An extended collection of matrix derivative results", 2008, section 3.1.
    """
    check_matrix("eigh", a)
    values, vectors = by_lapack(lambda a: np.linalg.eigh(a, _triangle(lower)), a, "eigh", "did not converge")
    out = np.concatenate([values[..., None, :], vectors], -2)
    ctx.save(out)
    return out


@eigh_factors.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    values, vectors = out[..., :1, :], out[..., 1:, :]
    turn = where(np.eye(values.shape[-1], dtype=bool), 0.0, matmul(turned(vectors), grad[..., 1:, :]))
    inner = _quotient(turn, values - turned(values)) + _on_diagonal(grad[..., 0, :])
    return matmul(matmul(vectors, inner), turned(vectors))


def eigh(a: Any, lower: bool) -> Eigh:
    """Eigenvalues, ascending, and the matrix whose columns are the eigenvectors."""
    out = eigh_factors(a, lower)
    return Eigh(out[..., 0, :], out[..., 1:, :])


@op
def eigvalsh(ctx: Any, a: Any, lower: bool) -> Any:
    """Eigenvalues of symmetric matrices, ascending; the vectors are found only where a gradient will need them."""
    check_matrix("eigvalsh", a)
    triangle = _triangle(lower)
    if not ctx.needs(0):
        return by_lapack(lambda a: np.linalg.eigvalsh(a, triangle), a, "eigvalsh", "did not converge")
    values, vectors = by_lapack(lambda a: np.linalg.eigh(a, triangle), a, "eigvalsh", "did not converge")
    ctx.save(a, vectors, lower)
    return values


@eigvalsh.backward
def _(ctx: Any, grad: Any) -> Any:
    a, vectors, lower = ctx.saved
    if isinstance(grad, TensorBase):
        vectors = eigh(a, lower)[1]  # with their history: they depend on the matrix too
    return matmul(vectors * unsqueeze(grad, -2), turned(vectors))


def _triangle(lower: bool) -> Literal["L", "U"]:
    return "L" if lower else "U"


def _on_diagonal(x: Any) -> Any:
    return diagonal_put(x, (*x.shape, x.shape[-1]), 0, -2, -1)


@op
def svd_factors(ctx: Any, a: Any, full: bool) -> Any:
    """Of (..., m, n), with k = min(m, n): (..., k, m + 1 + n), U transposed, the singular values, V transposed.

    Beside it the other columns of U and rows of V transposed, if `full`: they have no gradient.
    Source of the rule: Townsend, "Differentiating the singular value decomposition", 2016.
    """
    check_matrix("svd", a, square=False)
    u, s, vh = by_lapack(lambda a: np.linalg.svd(a, full_matrices=full), a, "svd", "did not converge")
    k = s.shape[-1]
    out = np.concatenate([u[..., :k].swapaxes(-1, -2), s[..., None], vh[..., :k, :]], -1)
    ctx.save(out, a.shape)
    return (out, u[..., k:], vh[..., k:, :]) if full else out


@svd_factors.backward
def _(ctx: Any, grad: Any) -> Any:
    out, (*_, m, n) = ctx.saved
    ut, s, vt = out[..., :m], out[..., m : m + 1], out[..., m + 1 :]
    grad_ut, grad_s, grad_vt = grad[..., :m], grad[..., m], grad[..., m + 1 :]
    u, row = turned(ut), turned(s)
    inner_u, inner_v = matmul(ut, turned(grad_ut)), matmul(vt, turned(grad_vt))
    gaps = (row - s) * (row + s)
    turn_u = _quotient(inner_u - turned(inner_u), gaps)
    turn_v = _quotient(inner_v - turned(inner_v), gaps)
    core = turn_u * row + s * turn_v + _on_diagonal(grad_s)
    result = matmul(matmul(u, core), vt)
    k = s.shape[-2]
    if m > k:
        outside = turned(grad_ut) - matmul(u, inner_u)
        result = result + matmul(_quotient(outside, row), vt)
    if n > k:
        outside = grad_vt - matmul(turned(inner_v), vt)
        result = result + matmul(u, _quotient(outside, s))
    return result


def svd(a: Any, full: bool) -> SVDFactors:
    """U, the singular values and V transposed; `full` gives square U and V, the added vectors without a gradient."""
    out, rest_u, rest_vh = svd_factors(a, full) if full else (svd_factors(a, full), None, None)
    m = a.shape[-2]
    u, s, vh = turned(out[..., :m]), out[..., m], out[..., m + 1 :]
    if rest_u is not None and rest_u.shape[-1]:
        u = cat(-1, u, rest_u)
    if rest_vh is not None and rest_vh.shape[-2]:
        vh = cat(-2, vh, rest_vh)
    return SVDFactors(u, s, vh)


@op
def svdvals(ctx: Any, a: Any) -> Any:
    """Singular values, descending; the vectors are found only where a gradient will need them."""
    check_matrix("svdvals", a, square=False)
    if not ctx.needs(0):
        return by_lapack(lambda a: np.linalg.svd(a, compute_uv=False), a, "svdvals", "did not converge")
    u, s, vh = by_lapack(lambda a: np.linalg.svd(a, full_matrices=False), a, "svdvals", "did not converge")
    ctx.save(a, u, vh)
    return s


@svdvals.backward
def _(ctx: Any, grad: Any) -> Any:
    a, u, vh = ctx.saved
    if isinstance(grad, TensorBase):
        u, _, vh = svd(a, False)  # with their history: they depend on the matrix too
    return matmul(u * unsqueeze(grad, -2), vh)


@op
def qr_factors(ctx: Any, a: Any) -> Any:
    """Of (..., m, n), m >= n: (..., n, m + n), Q transposed beside R.

    Source of the rule: Walter and Lehmann, "Algorithmic differentiation of linear algebra functions with application
    in optimum experimental design", 2010, arXiv:1001.1654.
    """
    q, r = by_lapack(np.linalg.qr, a, "qr", "has no factors")
    out = np.concatenate([q.swapaxes(-1, -2), r], -1)
    ctx.save(out)
    return out


@qr_factors.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    n = out.shape[-2]
    qt, r = out[..., :-n], out[..., -n:]
    grad_qt, grad_r = grad[..., :-n], grad[..., -n:]
    inner = matmul(r, turned(grad_r)) - matmul(grad_qt, turned(qt))
    inner = tril(inner, 0) + turned(tril(inner, -1))
    return turned(solve_triangular(r, grad_qt + matmul(inner, qt), True, False))


def qr(a: Any) -> QR:
    """Q (..., m, k) and R (..., k, n), k = min(m, n)."""
    check_matrix("qr", a, square=False)
    m, n = a.shape[-2:]
    if m >= n:
        out = qr_factors(a)
        return QR(turned(out[..., :m]), out[..., m:])
    # Q is that of the first columns; the others are turned by it.
    q, r = qr(a[..., :m])
    return QR(q, cat(-1, r, matmul(turned(q), a[..., m:])))


def qr_in_mode(a: Any, mode: str) -> QR:
    """Q and R in one of numpy's modes; those that are not unique have no gradient."""
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(f"qr: mode must be 'reduced', 'complete' or 'r', got {mode!r}")
    array = array_of(a)
    check_matrix("qr", array, square=False)
    rows, columns = array.shape[-2:]
    if mode == "reduced" or (mode == "complete" and rows <= columns):
        return qr(a)
    if a.requires_grad and is_grad_enabled():
        raise GradientError(
            f"qr with mode={mode!r} of matrices {rows} by {columns} has no gradient; use mode='reduced', or detach()"
        )
    q, r = (np.empty(0, array.dtype), np.linalg.qr(array, "r")) if mode == "r" else np.linalg.qr(array, "complete")
    return QR(wrap(q), wrap(r))


@op
def pinv(ctx: Any, a: Any, atol: Any, rtol: Any, hermitian: bool) -> Any:
    """The pseudo-inverse; singular values up to max(atol, rtol * largest) count as 0.

    Source of the rule: Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems
    whose variables separate", 1973.
    """
    check_matrix("pinv", a, square=hermitian)
    if hermitian:
        s, u = by_lapack(np.linalg.eigh, a, "pinv", "has no eigenvalues")
        vh = u.swapaxes(-1, -2)
    else:
        u, s, vh = by_lapack(lambda a: np.linalg.svd(a, full_matrices=False), a, "pinv", "has no singular values")
    kept = np.abs(s) > cutoff(s, a.shape, atol, rtol)
    scale = np.where(kept, 1 / np.where(kept, s, 1), 0).astype(a.dtype)
    out = (vh.swapaxes(-1, -2) * scale[..., None, :]) @ u.swapaxes(-1, -2)
    ctx.save(a, out)
    return out


def cutoff(s: Array, shape: tuple[int, ...], atol: Any, rtol: Any) -> Array:
    """Return up to where singular values count as 0: by default max(m, n) roundings of the largest."""
    if rtol is None:
        rtol = max(shape[-2:]) * np.finfo(s.dtype).eps if atol is None or not np.any(atol) else 0.0
    largest = np.abs(s).max(-1, initial=0.0)
    return np.maximum(0.0 if atol is None else atol, rtol * largest)[..., None]


@pinv.backward
def _(ctx: Any, grad: Any) -> Any:
    a, out = ctx.saved
    back, gt = turned(out), turned(grad)
    result = -matmul(matmul(back, grad), back)
    left = gt - matmul(a, matmul(out, gt))
    right = gt - matmul(matmul(gt, out), a)
    return result + matmul(matmul(left, out), back) + matmul(matmul(back, out), right)
