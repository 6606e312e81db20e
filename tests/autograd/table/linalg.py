"""Products of vectors and matrices, and linear algebra."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.autograd.table.rows import Float, Row

__all__ = ["ROWS"]


def product(name: str, args: tuple[str, ...], reference: Any, *, method: bool = True, **options: Any) -> list[Row]:
    """A product of tensors of one dtype, integers too; the function and the method."""
    options = {"dtypes": ("int64",), "special": True, **options}
    call = options.pop("call", lambda f, *xs: f(*xs))
    rows = [Row(name, args, lambda lib, *xs: call(getattr(lib, name), *xs), reference, **options)]
    if method:
        rows.append(Row(f"Tensor.{name}", args, lambda lib, x, *ys: call(getattr(x, name), *ys), reference, **options))
    return rows


def matmul(*args: str, note: str) -> Row:
    return Row(
        "matmul", args, lambda lib, x, y: lib.matmul(x, y), np.matmul, dtypes=("int64",), special=True, note=note
    )


def einsum(equation: str, *args: str, reference: Any = None, **options: Any) -> Row:
    spaced = equation.replace(" ", "")
    reference = reference or (lambda *xs: np.einsum(spaced, *xs))
    return Row("einsum", args, lambda lib, *xs: lib.einsum(equation, *xs), reference, note=equation, **options)


def scaled(name: str, args: tuple[str, ...], reference: Any) -> list[Row]:
    """The functions that add to a product."""
    return [
        *product(name, args, lambda x, a, b: x + reference(a, b)),
        *product(
            name,
            args,
            lambda x, a, b: 0.5 * x - 2 * reference(a, b),
            call=lambda f, *xs: f(*xs, beta=0.5, alpha=-2.0),
            dtypes=(),
            note="scaled",
        ),
        Row(
            f"Tensor.{name}_",
            args,
            lambda lib, x, a, b: getattr(x.clone(), f"{name}_")(a, b, alpha=3),
            lambda x, a, b: x + 3 * reference(a, b),
            dtypes=("int64",),
        ),
    ]


PRODUCTS = [
    matmul("nk", "km", note="2x2"),
    matmul("k", "k", note="1x1"),
    matmul("nk", "k", note="2x1"),
    matmul("k", "km", note="1x2"),
    matmul("cnk", "km", note="3x2"),
    matmul("cnk", "k", note="3x1"),
    matmul("k", "ckm", note="1x3"),
    matmul("nk", "ckm", note="2x3"),
    matmul("cnk", "ckm", note="3x3"),
    matmul("bcnk", "ckm", note="4x3"),
    Row("matmul", ("bnk", "ckm"), lambda lib, x, y: x[:, None] @ y, lambda x, y: x[:, None] @ y, note="crosswise"),
    Row("Tensor.matmul", ("nk", "km"), lambda lib, x, y: x.matmul(y), np.matmul, dtypes=("int64",), special=True),
    Row("matmul", ("kn", "mk"), lambda lib, x, y: x.T @ y.T, lambda x, y: x.T @ y.T, note="transposed"),
    Row("matmul", ("nk",), lambda lib, x: x @ x.T, lambda x: x @ x.T, note="square", tolerance=1e-4),
    *product("mm", ("nk", "km"), np.matmul),
    *product("bmm", ("bnk", "bkm"), np.matmul),
    *product("mv", ("nk", "k"), np.matmul),
    *product("dot", ("n", "n"), np.dot),
    *product("vdot", ("n", "n"), np.dot),
    *product("inner", ("cnk", "mk"), np.inner),
    *product("inner", ("k", "k"), np.inner, note="vectors"),
    *product("inner", ("", "nk"), np.multiply, note="number"),
    *product("outer", ("n", "m"), np.outer),
    *product("ger", ("n", "m"), np.outer),
    *scaled("addmm", ("nm", "nk", "km"), np.matmul),
    *scaled("addmv", ("n", "nk", "k"), np.matmul),
    *scaled("addr", ("nm", "n", "m"), np.outer),
    *scaled("baddbmm", ("bnm", "bnk", "bkm"), np.matmul),
    *scaled("addbmm", ("nm", "bnk", "bkm"), lambda a, b: (a @ b).sum(0)),
    Row("addmm", ("m", "nk", "km"), lambda lib, x, a, b: lib.addmm(x, a, b), lambda x, a, b: x + a @ b, note="bias"),
    Row("addmm", (Float("m", gradient=False), "nk", "km"), lambda lib, x, a, b: lib.addmm(x * np.nan, a, b, beta=0), lambda x, a, b: a @ b, note="beta-0"),
    Row("chain_matmul", ("nk", "km", "mh", "hw"), lambda lib, *xs: lib.chain_matmul(*xs), lambda *xs: np.linalg.multi_dot(xs), tolerance=1e-4),
    Row("linalg.multi_dot", ("k", "km", "mh", "h"), lambda lib, *xs: lib.linalg.multi_dot(list(xs)), lambda *xs: np.linalg.multi_dot(xs), tolerance=1e-4),
    Row("linalg.matmul", ("nk", "km"), lambda lib, x, y: lib.linalg.matmul(x, y), np.matmul),
    *[
        row
        for n in (0, 1, 2, 3, 5)
        for row in product("matrix_power", ("cnn",), lambda x, n=n: np.linalg.matrix_power(x, n), call=lambda f, *xs, n=n: f(*xs, n), note=str(n), tolerance=1e-3, special=False, differentiable=n > 0)
    ],
    Row("linalg.matrix_power", ("nn",), lambda lib, x: lib.linalg.matrix_power(lib.eye(x.shape[0], dtype=x.dtype) * 5 + x, -3), lambda x: np.linalg.matrix_power(5 * np.eye(len(x)) + x, -3), empty=False, tolerance=1e-4),
    *product("kron", ("nm", "bc"), np.kron),
    *product("kron", ("n", "bcm"), np.kron, note="ranks"),
    *product("trace", ("nm",), np.trace),
    *[
        Row("cross", ("nm3", "nm3"), lambda lib, x, y, d=dim: lib.cross(x, y, dim=d), lambda x, y: np.cross(x, y), dtypes=("int64",), special=True, note=str(dim))
        for dim in (-1, 2)
    ],
    Row("Tensor.cross", ("3n", "3n"), lambda lib, x, y: x.cross(y, 0), lambda x, y: np.cross(x, y, axis=0), dtypes=("int64",)),
    Row("linalg.cross", ("3nm", "3n1"), lambda lib, x, y: lib.linalg.cross(x, y, dim=0), lambda x, y: np.cross(x, y, axis=0), dtypes=("int64",)),
    Row("linalg.vecdot", ("cnm", "nm"), lambda lib, x, y: lib.linalg.vecdot(x, y), lambda x, y: (x * y).sum(-1)),
    Row("linalg.vecdot", ("cnm", "nm"), lambda lib, x, y: lib.linalg.vecdot(x, y, dim=1), lambda x, y: (x * y).sum(1), note="dim"),
]  # fmt: skip


def far(p: Any) -> Callable[..., Any]:
    """Distances by numpy."""

    def distances(x: Any, y: Any) -> Any:
        apart = np.abs(x[..., :, None, :] - y[..., None, :, :])
        if p == 0:
            return (apart != 0).sum(-1).astype(float)
        if np.isinf(p):
            return apart.max(-1, initial=0)
        return (apart**p).sum(-1) ** (1 / p)

    return distances


SUMS = [
    einsum("ij,jk->ik", "nk", "km", special=True),
    einsum("ij,jk", "nk", "km"),
    einsum("ij,jk->ki", "nk", "km"),
    einsum("bij,bjk->bik", "bnk", "bkm"),
    einsum("bij,bjk->ibk", "bnk", "bkm"),
    einsum("bhid,bhjd->bhij", "bcnk", "bcmk"),
    einsum("i,j->ij", "n", "m", special=True),
    einsum("i,i->", "n", "n"),
    einsum("i,i", "n", "n"),
    einsum("ij->ji", "nm"),
    einsum("ba", "nm"),
    einsum("ij->", "nm"),
    einsum("ij->i", "nm"),
    einsum("ii->i", "nn"),
    einsum("ii", "nn"),
    einsum("iji->ij", "nmn"),
    einsum("iii->i", "nnn"),
    einsum("...ij->...ji", "bcnm"),
    einsum("...ij,...jk->...ik", "bcnk", "ckm"),
    einsum("...ij,jk", "bnk", "km"),
    einsum("i...,i...->...", "nbc", "nc"),
    einsum("...,...->...", "nm", "m"),
    einsum("ij...,...->...i", "nmb", "b"),
    einsum("...ij->ij", "bcnm", reference=lambda x: x.sum((0, 1))),
    einsum("bn,anm,bm->ba", "bn", "cnm", "bm"),
    einsum("ij,jk,kl,lm->im", "nk", "km", "mh", "hw", tolerance=1e-4),
    einsum("ij, ij, ij -> i", "nm", "nm", "nm"),
    einsum("ik,jk,i->j", "nk", "mk", "n"),
    einsum("ii,ij->j", "nn", "nm"),
    einsum("aB,Bc->cB", "nk", "km"),
    Row("einsum", ("nk", "1k"), lambda lib, x, y: lib.einsum("ij,ij->ij", x, y), np.multiply, note="ones-kept"),
    Row("einsum", ("nk", "n1"), lambda lib, x, y: lib.einsum("ij,ij->i", x, y), lambda x, y: (x * y).sum(1), note="ones-summed"),
    Row("einsum", ("nk", "km"), lambda lib, x, y: lib.einsum("ij,jk->ik", [x, y]), np.matmul, note="list"),
    Row("einsum", ("bnk", "km"), lambda lib, x, y: lib.einsum(x, [..., 0, 1], y, [1, 2], [..., 2, 0]), lambda x, y: (x @ y).swapaxes(-1, -2), note="sublists"),
    Row("einsum", ("nk", "km"), lambda lib, x, y: lib.einsum(x, [0, 1], y, [1, 2]), np.matmul, note="sublists-implicit"),
    Row("tensordot", ("cnk", "nkm"), lambda lib, x, y: lib.tensordot(x, y), lambda x, y: np.tensordot(x, y, 2), dtypes=("int64",)),
    Row("tensordot", ("nk", "mc"), lambda lib, x, y: lib.tensordot(x, y, 0), lambda x, y: np.tensordot(x, y, 0), note="0"),
    Row("tensordot", ("cnk", "mcn"), lambda lib, x, y: lib.tensordot(x, y, ([0, -2], [1, 2])), lambda x, y: np.tensordot(x, y, ([0, 1], [1, 2])), note="lists"),
    *[
        Row("cdist", ("bnk", "bmk"), lambda lib, x, y, p=p: lib.cdist(x, y, p=p), far(p), ties=p != 0.5, note=str(p), tolerance=1e-4 if p == 0.5 else 1e-5)
        for p in (2.0, 1.0, 3.0, 1.5, 0.5, 0.0)
    ],
    # equal largest differences share the gradient here, each has the whole of it in PyTorch: test_linalg_functions.py
    Row("cdist", ("bnk", "bmk"), lambda lib, x, y: lib.cdist(x.detach(), y.detach(), p=float("inf")), far(float("inf")), differentiable=False, note="inf"),
    Row("cdist", ("cnk", "bcmk"), lambda lib, x, y: lib.cdist(x, y), far(2), note="stacks"),
    Row("cdist", ("nk", "mk"), lambda lib, x, y: lib.cdist(x, y, compute_mode="use_mm_for_euclid_dist"), far(2), ties=False, tolerance=1e-3, note="product"),
]  # fmt: skip


def spread(x: Any, lib: Any = np) -> Any:
    """Matrices of the last two, equal dimensions, far from singular."""
    return x + 4.5 * (np.eye(x.shape[-1]) if lib is np else lib.eye(x.shape[-1], dtype=x.dtype))


def positive(x: Any, lib: Any = np) -> Any:
    """Symmetric positive definite matrices, of any square ones; the eigenvalues differ by the steps on the diagonal."""
    n = x.shape[-1]
    steps = np.diag(1.0 + np.arange(n)) if lib is np else lib.tensor(np.diag(1.0 + np.arange(n))).to(x.dtype)
    return x @ x.swapaxes(-1, -2) + steps


def square(name: str, call: Any, reference: Any, shape: str = "cnn", make: Any = spread, **options: Any) -> Row:
    """A function of square matrices that `make` makes of any."""
    options = {"tolerance": 2e-4, **options}
    return Row(name, (shape,), lambda lib, x: call(lib, make(x, lib)), lambda x: reference(make(x)), **options)


def silent(function: Callable[..., Any], *args: Any) -> Any:
    """Call what PyTorch advises against by a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args)


def several(name: str, *reference: Any, call: Any = None, **options: Any) -> list[Row]:
    """The function `torch.name` and the method."""
    call = call or (lambda f, *xs: f(*xs))
    return [
        square(name, lambda lib, x: call(getattr(lib, name), x), *reference, **options),
        square(f"Tensor.{name}", lambda lib, x: call(getattr(x, name)), *reference, **options),
    ]


def rebuilt(u: Any, s: Any, vh: Any) -> Any:
    """What of an SVD does not depend on the choice of signs."""
    k = s.shape[-1]
    return [(u[..., :k] * s[..., None, :]) @ vh[..., :k, :], s, u[..., :k] ** 2, vh[..., :k, :] ** 2]


def np_pinv_solution(a: Any, b: Any) -> Any:
    return np.linalg.pinv(a) @ b


def tall(x: Any, lib: Any = np) -> Any:
    """Matrices of full rank with singular values that differ, of any."""
    m, n = x.shape[-2:]
    steps = np.eye(m, n) * (4.0 + 2 * np.arange(n))
    return x + (steps if lib is np else lib.tensor(steps).to(x.dtype))


def factors(name: str, letters: str, call: Any, reference: Any, note: str = "", **options: Any) -> Row:
    """A function of matrices of any shape."""
    options = {"tolerance": 2e-4, "empty": False, **options}
    return Row(
        name,
        (letters,),
        lambda lib, x: call(lib, tall(x, lib)),
        lambda x: reference(tall(x)),
        note=note or letters,
        **options,
    )


def np_exp(x: Any) -> Any:
    total = term = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
    for k in range(1, 60):
        term = term @ x / k
        total = total + term
    return total


def np_slogdet(x: Any) -> Any:
    return tuple(np.linalg.slogdet(x))


MATRICES = [
    square("linalg.inv", lambda lib, x: lib.linalg.inv(x), np.linalg.inv),
    *several("inverse", np.linalg.inv),
    square("linalg.det", lambda lib, x: lib.linalg.det(x), np.linalg.det, tolerance=1e-3),
    *several("det", np.linalg.det, tolerance=1e-3),
    Row("linalg.det", ("n",), lambda lib, x: lib.linalg.det(x[:, None] * x), lambda x: np.linalg.det(x[:, None] * x), least={"n": 2}, twice=False, empty=False, ties=False, tolerance=1e-3, note="singular"),
    square("linalg.slogdet", lambda lib, x: tuple(lib.linalg.slogdet(-x)), lambda x: np_slogdet(-x)),
    *several("slogdet", np_slogdet),
    *several("logdet", lambda x: np.log(np.linalg.det(x))),
    square("linalg.cholesky", lambda lib, x: lib.linalg.cholesky(x), np.linalg.cholesky, make=positive),
    *several("cholesky", np.linalg.cholesky, make=positive, call=silent),
    square("linalg.cholesky", lambda lib, x: lib.linalg.cholesky(x, upper=True), lambda x: np.linalg.cholesky(x).swapaxes(-1, -2), make=positive, note="upper"),
    *[
        Row(name, ("bnk", "bnn"), lambda lib, b, x, f=f: f(lib, b, spread(x, lib)), reference, tolerance=2e-4)
        for name, f, reference in (
            ("cholesky_solve", lambda lib, b, x: lib.cholesky_solve(b, lib.tril(x)), lambda b, x: np.linalg.solve(np.tril(spread(x)) @ np.tril(spread(x)).swapaxes(-1, -2), b)),
            ("Tensor.cholesky_solve", lambda lib, b, x: b.cholesky_solve(lib.triu(x), upper=True), lambda b, x: np.linalg.solve(np.triu(spread(x)).swapaxes(-1, -2) @ np.triu(spread(x)), b)),
        )
    ],
    *several("cholesky_inverse", lambda x: np.linalg.inv(np.tril(x) @ np.tril(x).swapaxes(-1, -2)), make=lambda x, lib=np: lib.tril(spread(x, lib))),
    *[
        Row("linalg.solve", args, lambda lib, a, b: lib.linalg.solve(spread(a, lib), b), lambda a, b: np.linalg.solve(spread(a), b), tolerance=2e-4, note=note)
        for note, args in (("vector", ("nn", "n")), ("matrix", ("nn", "nk")), ("stacks", ("cnn", "cnk")), ("broadcast", ("nn", "cnk")))
    ],
    Row("linalg.solve", ("cnn", "cn"), lambda lib, a, b: lib.linalg.solve(spread(a, lib), b), lambda a, b: np.linalg.solve(spread(a), b[..., None])[..., 0], tolerance=2e-4, note="vectors"),
    Row("linalg.solve", ("nn", "kn"), lambda lib, a, b: lib.linalg.solve(spread(a, lib), b, left=False), lambda a, b: b @ np.linalg.inv(spread(a)), tolerance=2e-4, note="right"),
    *[
        Row(
            "linalg.solve_triangular", ("cnn", "cnk" if left else "ckn"),
            lambda lib, a, b, u=upper, l=left, o=ones: lib.linalg.solve_triangular(spread(a, lib), b, upper=u, left=l, unitriangular=o),
            lambda a, b, u=upper, l=left, o=ones: (lambda t: np.linalg.solve(t, b) if l else b @ np.linalg.inv(t))(
                (np.triu if u else np.tril)(spread(a)) * (1 - o * np.eye(a.shape[-1])) + o * np.eye(a.shape[-1])
            ),
            tolerance=5e-3 if ones else 2e-4, ties=not ones, note=f"{'upper' if upper else 'lower'}-{'left' if left else 'right'}{'-ones' * ones}",
        )
        for upper in (True, False) for left in (True, False) for ones in (True, False)
    ],
    square("linalg.eigh", lambda lib, x: (lambda f: [f[0], f[1] ** 2, (f[1] * f[0][..., None, :]) @ f[1].swapaxes(-1, -2)])(lib.linalg.eigh(x)),
           lambda x: (lambda f: [f[0], f[1] ** 2, x])(np.linalg.eigh(x)), make=positive, ties=False, tolerance=2e-3),
    square("linalg.eigh", lambda lib, x: lib.linalg.eigh(x, UPLO="U").eigenvalues, np.linalg.eigvalsh, make=positive, ties=False, tolerance=2e-3, note="values"),
    square("linalg.eigvalsh", lambda lib, x: lib.linalg.eigvalsh(x), np.linalg.eigvalsh, make=positive, ties=False, tolerance=2e-3),
    square("linalg.pinv", lambda lib, x: lib.linalg.pinv(x, hermitian=True), np.linalg.pinv, make=positive, empty=False, note="hermitian"),
    square("linalg.cond", lambda lib, x: lib.linalg.cond(x), np.linalg.cond, empty=False, ties=False, tolerance=1e-3),
    *[square("linalg.cond", lambda lib, x, p=p: lib.linalg.cond(x.detach(), p), lambda x, p=p: np.linalg.cond(x, p), differentiable=False, empty=False, ties=False, tolerance=1e-3, note=str(p)) for p in (2, -2, 1, float("inf"), "fro")],
    square("matrix_exp", lambda lib, x: lib.matrix_exp(x / 4), lambda x: np_exp(x / 4)),
    square("Tensor.matrix_exp", lambda lib, x: (x / 4).matrix_exp(), lambda x: np_exp(x / 4)),
    square("linalg.matrix_exp", lambda lib, x: lib.linalg.matrix_exp(x / 40), lambda x: np_exp(x / 40)),
    square("linalg.matrix_rank", lambda lib, x: lib.linalg.matrix_rank(x), lambda x: np.full(x.shape[:-2], x.shape[-1]), differentiable=False),
    square("linalg.matrix_rank", lambda lib, x: lib.linalg.matrix_rank(x, hermitian=True, atol=0.1), lambda x: np.full(x.shape[:-2], x.shape[-1]), make=positive, differentiable=False, note="hermitian"),
    Row("linalg.matrix_rank", ("n", "m"), lambda lib, x, y: lib.linalg.matrix_rank(x[:, None] * y, rtol=1e-3), lambda x, y: np.array(1), differentiable=False, ties=False, empty=False, note="one"),
    *[
        factors("linalg.svd", letters, lambda lib, x: rebuilt(*lib.linalg.svd(x, full_matrices=False)), lambda x: rebuilt(*np.linalg.svd(x, full_matrices=False)), ties=False, least={"m": 2}, tolerance=2e-3)
        for letters in ("mm", "hk", "kh", "bhk")
    ],
    *[
        factors("linalg.svd", letters, lambda lib, x: rebuilt(*lib.linalg.svd(x)), lambda x: rebuilt(*np.linalg.svd(x)), note=f"full-{letters}", ties=False, tolerance=2e-3)
        for letters in ("hk", "bkh")
    ],
    *[
        factors(name, letters, lambda lib, x, f=f: rebuilt(f(lib, x)[0], f(lib, x)[1], f(lib, x)[2].swapaxes(-1, -2)), lambda x: rebuilt(*np.linalg.svd(x)), ties=False, tolerance=2e-3)
        for name, f in (("svd", lambda lib, x: lib.svd(x)), ("Tensor.svd", lambda lib, x: x.svd(some=False)))
        for letters in ("hk", "kh")
    ],
    *[factors("linalg.svdvals", letters, lambda lib, x: lib.linalg.svdvals(x), lambda x: np.linalg.svd(x, compute_uv=False), ties=False, tolerance=1e-3) for letters in ("nn", "hk", "bkh")],
    *[
        factors(name, letters, lambda lib, x, f=f: tuple(f(lib, x)), lambda x: tuple(np.linalg.qr(x)), tolerance=1e-3)
        for name, f in (("linalg.qr", lambda lib, x: lib.linalg.qr(x)), ("qr", lambda lib, x: silent(lib.qr, x)), ("Tensor.qr", lambda lib, x: silent(x.qr)))
        for letters in ("nn", "hk", "kh", "bhk")
    ],
    factors("linalg.qr", "hk", lambda lib, x: tuple(lib.linalg.qr(x.detach(), mode="complete")), lambda x: tuple(np.linalg.qr(x, "complete")), differentiable=False, note="complete"),
    factors("linalg.qr", "hk", lambda lib, x: lib.linalg.qr(x.detach(), mode="r")[1], lambda x: np.linalg.qr(x, "r"), differentiable=False, note="r"),
    *[
        factors(name, letters, f, np.linalg.pinv)
        for name, f in (("linalg.pinv", lambda lib, x: lib.linalg.pinv(x)), ("pinverse", lambda lib, x: lib.pinverse(x)), ("Tensor.pinverse", lambda lib, x: x.pinverse()))
        for letters in ("nn", "hk", "bkh")
    ],
    *[
        Row("linalg.lstsq", args, lambda lib, a, b: lib.linalg.lstsq(tall(a, lib), b).solution, lambda a, b: np_pinv_solution(tall(a), b), empty=False, tolerance=2e-4, note=args[0])
        for args in (("nn", "nm"), ("hk", "hm"), ("bhk", "bhm"))
    ],
    Row("linalg.tensorinv", ("nknk",), lambda lib, x: lib.linalg.tensorinv(x + 9 * lib.eye(x.shape[0] * x.shape[1], dtype=x.dtype).reshape(x.shape)),
        lambda x: np.linalg.tensorinv(x + 9 * np.eye(x.shape[0] * x.shape[1]).reshape(x.shape)), empty=False, tolerance=1e-3),
    Row("linalg.tensorsolve", ("nknk", "nk"), lambda lib, x, y: lib.linalg.tensorsolve(x + 9 * lib.eye(x.shape[0] * x.shape[1], dtype=x.dtype).reshape(x.shape), y),
        lambda x, y: np.linalg.tensorsolve(x + 9 * np.eye(x.shape[0] * x.shape[1]).reshape(x.shape), y), empty=False, tolerance=1e-3),
    Row("linalg.vander", ("cn",), lambda lib, x: lib.linalg.vander(x, N=4), lambda x: x[..., None] ** np.arange(4), dtypes=("int64",)),
    Row("linalg.diagonal", ("cnm",), lambda lib, x: lib.linalg.diagonal(x, offset=1), lambda x: np.diagonal(x, 1, -2, -1), dtypes=("int64", "bool")),
]  # fmt: skip


def np_norm(x: Any, p: Any, axis: Any = None, keepdims: bool = False) -> Any:
    size = np.abs(x)
    if p == 0:
        return (x != 0).sum(axis=axis, keepdims=keepdims).astype(float)
    if np.isinf(p):
        return (size.max if p > 0 else size.min)(axis=axis, keepdims=keepdims)
    return (size**p).sum(axis=axis, keepdims=keepdims) ** (1 / p)


INF = float("inf")
NORMS = [
    *[
        Row("linalg.vector_norm", ("nm",), lambda lib, x, p=p: lib.linalg.vector_norm(x, p), lambda x, p=p: np_norm(x, p), empty=p in (0.5, 1, 2, 3), special=p in (0, 1, 2, INF, -INF), tolerance=1e-4, ties=p not in (0.5, -1), note=str(p))
        for p in (2, 1, 3, 1.5, 0.5, -1, 0, INF, -INF)
    ],
    *[
        Row("linalg.vector_norm", ("nmk",), lambda lib, x, p=p: lib.linalg.vector_norm(x, p, dim=(0, -1), keepdim=True), lambda x, p=p: np_norm(x, p, (0, 2), True), empty=p in (2, 3), note=f"{p}-dims")
        for p in (2, 3, INF)
    ],
    Row("linalg.vector_norm", ("nm",), lambda lib, x: lib.linalg.vector_norm(x, dtype=lib.float64).to(x.dtype), lambda x: np_norm(x, 2), dtypes=(), note="dtype"),
    *[
        Row("linalg.matrix_norm", ("cnm",), lambda lib, x, p=p: lib.linalg.matrix_norm(x * x - 1, p), lambda x, p=p: np.linalg.norm(x * x - 1, p, (-2, -1)), empty=p == "fro", ties=p not in (2, -2, "nuc"), tolerance=1e-4 if p in (2, -2, "nuc") else 1e-5, note=str(p))
        for p in ("fro", "nuc", 1, -1, 2, -2, INF, -INF)
    ],
    *[
        Row("linalg.matrix_norm", ("cnm",), lambda lib, x, p=p: lib.linalg.matrix_norm(x, p, dim=(2, 0), keepdim=True), lambda x, p=p: np.linalg.norm(x, p, (2, 0), keepdims=True), empty=False, ties=p != 2, note=f"{p}-dims")
        for p in ("fro", 1, INF, 2)
    ],
    Row("linalg.norm", ("bnm",), lambda lib, x: lib.linalg.norm(x), lambda x: np_norm(x, 2), special=True),
    Row("linalg.norm", ("bnm",), lambda lib, x: lib.linalg.norm(x, dim=1), lambda x: np_norm(x, 2, 1), note="dim"),
    Row("linalg.norm", ("bnm",), lambda lib, x: lib.linalg.norm(x, 1, dim=(0, 1)), lambda x: np.linalg.norm(x, 1, (0, 1)), empty=False, note="matrix"),
    Row("linalg.norm", ("nm",), lambda lib, x: lib.linalg.norm(x, "nuc"), lambda x: np.linalg.norm(x, "nuc"), empty=False, ties=False, tolerance=1e-4, note="nuc"),
    Row("linalg.norm", ("n",), lambda lib, x: lib.linalg.norm(x, 3), lambda x: np_norm(x, 3), note="vector"),
]  # fmt: skip

ROWS = [*PRODUCTS, *SUMS, *MATRICES, *NORMS]
