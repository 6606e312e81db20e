"""Inverses, solutions and determinants of square matrices, by numpy's LAPACK; every rule holds for stacks."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.autograd.graph import Array
from trainkit.autograd.op import op
from trainkit.autograd.ops.arrange import tril, triu
from trainkit.autograd.ops.broadcast import sum_to
from trainkit.autograd.ops.linalg import matmul
from trainkit.autograd.ops.reduce import sum
from trainkit.autograd.ops.shape import transpose, unsqueeze
from trainkit.errors import DTypeError, LinAlgError, ShapeError

__all__ = ["by_lapack", "check_matrix", "cofactor", "det", "inv", "logabsdet", "solve", "solve_triangular", "turned"]


def check_matrix(name: str, a: Array, square: bool = True) -> None:
    """Raise if `a` is not a stack of matrices that LAPACK takes."""
    if a.ndim < 2 or (square and a.shape[-1] != a.shape[-2]):
        kind = "square matrices (..., n, n)" if square else "matrices (..., m, n)"
        raise ShapeError(f"{name} needs {kind}, got shape {a.shape}")
    if a.dtype.kind != "f" or a.dtype.itemsize < 4:
        raise DTypeError(f"{name} needs float32 or float64, got {a.dtype}; cast it with .float()")


def by_lapack(compute: Callable[[Array], Any], a: Array, name: str, why: str) -> Any:
    """Run a function of numpy.linalg; say which matrix it failed for."""
    try:
        with np.errstate(all="ignore"):
            return compute(a)
    except np.linalg.LinAlgError:
        place = next((i for i in np.ndindex(a.shape[:-2]) if _fails(compute, a[i])), ())
        which = f"matrix {', '.join(map(str, place))} of the stack" if place else "the matrix"
        reason = why if np.isfinite(a[place]).all() else "holds NaN or infinities"
        raise LinAlgError(f"{name}: {which}, of shape {a.shape[-2:]}, {reason}") from None


def _fails(compute: Callable[[Array], Any], matrix: Array) -> bool:
    try:
        compute(matrix)
    except np.linalg.LinAlgError:
        return True
    return False


def turned(x: Any) -> Any:
    """Transpose the matrices of a stack."""
    return transpose(x, -1, -2)


SINGULAR = "is singular: its columns depend on each other, so it has no inverse; linalg.pinv() always exists"


@op
def inv(ctx: Any, a: Any) -> Any:
    check_matrix("inv", a)
    out = by_lapack(np.linalg.inv, a, "inv", SINGULAR)
    ctx.save(out)
    return out


@inv.backward
def _(ctx: Any, grad: Any) -> Any:
    (out,) = ctx.saved
    back = turned(out)
    return -matmul(matmul(back, grad), back)


@op
def solve(ctx: Any, a: Any, b: Any) -> Any:
    """Solve a x = b for the columns of b, (..., n, k); the stacks broadcast."""
    check_matrix("solve", a)
    _check_sides("solve", a, b)
    out = by_lapack(lambda a: np.linalg.solve(a, b), a, "solve", SINGULAR)
    ctx.save(a, out, b.shape)
    return out


@solve.backward
def _(ctx: Any, grad: Any) -> Any:
    a, out, b_shape = ctx.saved
    grad_b = solve(turned(a), grad)
    grad_a = _summed(-matmul(grad_b, turned(out)), a.shape) if ctx.needs(0) else None
    return grad_a, _summed(grad_b, b_shape)


@op
def solve_triangular(ctx: Any, a: Any, b: Any, upper: bool, unitriangular: bool) -> Any:
    """Solve a x = b, reading one triangle of a; numpy has no routine for triangles, so this costs a full solve."""
    check_matrix("solve_triangular", a)
    _check_sides("solve_triangular", a, b)
    triangle = np.triu(a, int(unitriangular)) if upper else np.tril(a, -int(unitriangular))
    if unitriangular:
        triangle += np.eye(a.shape[-1], dtype=a.dtype)
    out = by_lapack(lambda a: np.linalg.solve(a, b), triangle, "solve_triangular", "has a zero on its diagonal")
    ctx.save(a, out, b.shape, upper, unitriangular)
    return out


@solve_triangular.backward
def _(ctx: Any, grad: Any) -> Any:
    a, out, b_shape, upper, unitriangular = ctx.saved
    grad_b = solve_triangular(turned(a), grad, not upper, unitriangular)
    grad_a = None
    if ctx.needs(0):
        full = _summed(-matmul(grad_b, turned(out)), a.shape)
        grad_a = triu(full, int(unitriangular)) if upper else tril(full, -int(unitriangular))
    return grad_a, _summed(grad_b, b_shape)


def _check_sides(name: str, a: Array, b: Array) -> None:
    if a.dtype != b.dtype:
        raise DTypeError(f"{name} needs one dtype on both sides, got {a.dtype} and {b.dtype}; cast one with .to()")
    if b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise ShapeError(f"{name}: a right side of shape {b.shape} does not fit matrices of shape {a.shape}")
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeError(f"{name} cannot broadcast the stacks of shapes {a.shape} and {b.shape}") from None


def _summed(x: Any, shape: tuple[int, ...]) -> Any:
    return x if x.shape == shape else sum_to(x, shape)


@op
def det(ctx: Any, a: Any) -> Any:
    check_matrix("det", a)
    ctx.save(a)
    with np.errstate(all="ignore"):
        return np.linalg.det(a)


@det.backward
def _(ctx: Any, grad: Any) -> Any:
    (a,) = ctx.saved
    return _over_matrix(grad) * cofactor(a)


@op
def cofactor(ctx: Any, a: Any) -> Any:
    """The gradient of det: det(a) times the inverse of a transposed, by the SVD, so that singular matrices have it too.

    Source: Giles, "An extended collection of matrix derivative results", 2008, section 2.2.4; of the cofactors by the
    SVD: Stewart, "On the adjugate matrix", 1998. Its own derivative needs the inverse.
    """
    ctx.save(a)
    u, s, vh = by_lapack(np.linalg.svd, a, "det", "has no singular values")
    before, after = np.ones_like(s), np.ones_like(s)
    before[..., 1:] = np.cumprod(s[..., :-1], -1)
    after[..., :-1] = np.cumprod(s[..., :0:-1], -1)[..., ::-1]
    scale = np.asarray(np.linalg.det(u) * np.linalg.det(vh))[..., None] * before * after
    return (u * scale[..., None, :]) @ vh


@cofactor.backward
def _(ctx: Any, grad: Any) -> Any:
    (a,) = ctx.saved
    back = turned(inv(a))
    own = cofactor(a)
    inside = _over_matrix(sum(grad * own, (own.ndim - 2, own.ndim - 1), False)) * back
    return inside - matmul(own, matmul(turned(grad), back))


@op
def logabsdet(ctx: Any, a: Any) -> Any:
    """The logarithm of the absolute value of the determinant."""
    ctx.save(a)
    with np.errstate(all="ignore"):
        return np.linalg.slogdet(a)[1]


@logabsdet.backward
def _(ctx: Any, grad: Any) -> Any:
    (a,) = ctx.saved
    return _over_matrix(grad) * turned(inv(a))


def _over_matrix(x: Any) -> Any:
    return unsqueeze(unsqueeze(x, -1), -1)
