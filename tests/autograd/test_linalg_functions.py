"""Products and linear algebra: what the table of functions cannot say."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import trainkit as tk
from trainkit.autograd import gradcheck, gradgradcheck
from trainkit.autograd.ops.linalg import SMALL
from trainkit.errors import ArgumentError, DTypeError, GradientError, LinAlgError, ShapeError

WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: tk.ones(2, 3) @ tk.ones(2, 3), ShapeError, "must equal 2"),
    (lambda: tk.ones(3) @ tk.ones(2), ShapeError, "one length"),
    (lambda: tk.ones(4, 2, 3) @ tk.ones(2, 3), ShapeError, "must equal 2"),
    (lambda: tk.ones(4, 2, 3) @ tk.ones(5, 3, 2), ShapeError, "broadcast"),
    (lambda: tk.ones(200, 300) @ tk.ones(200, 300), ShapeError, "must equal 200"),
    (lambda: tk.ones(2, 3) @ tk.ones(()), ShapeError, r"written with \*"),
    (lambda: tk.ones(2, 3) @ 2.0, ArgumentError, "float"),
    (lambda: tk.ones(2, 3) @ tk.ones(3, 2, dtype="float64"), DTypeError, "one dtype"),
    (lambda: tk.ones(2, 3) @ tk.ones(3, 2, dtype="int64"), DTypeError, "one dtype"),
    (lambda: tk.ones(2, 3).bool() @ tk.ones(3, 2).bool(), DTypeError, "booleans"),
    (lambda: tk.mm(tk.ones(2, 3), tk.ones(3)), ShapeError, "mat2 of 2 dimensions"),
    (lambda: tk.bmm(tk.ones(2, 3, 4), tk.ones(1, 4, 3)), ShapeError, "as many matrices"),
    (lambda: tk.mv(tk.ones(2, 3), tk.ones(2)), ShapeError, "must equal 2"),
    (lambda: tk.dot(tk.ones(2), tk.ones(2, 1)), ShapeError, "two vectors"),
    (lambda: tk.inner(tk.ones(2, 3), tk.ones(2)), ShapeError, "one size"),
    (lambda: tk.addmm(tk.ones(5, 1), tk.ones(2, 3), tk.ones(3, 2)), ShapeError, "expand"),
    (lambda: tk.addmm(tk.ones(1, 2, 2), tk.ones(2, 3), tk.ones(3, 2)), ShapeError, "expand"),
    (lambda: tk.addmm(tk.ones(2), tk.ones(2, 3).long(), tk.ones(3, 2).long()), DTypeError, "one dtype"),
    (lambda: tk.addmm(*[tk.ones(2, 2).long()] * 3, alpha=0.5), DTypeError, "integers"),
    (lambda: tk.chain_matmul(tk.ones(2, 2), tk.ones(2), tk.ones(2, 2)), ShapeError, "at its ends"),
    (lambda: tk.linalg.multi_dot([tk.ones(2, 2)]), ArgumentError, "at least two"),
    (lambda: tk.matrix_power(tk.ones(2, 3), 2), ShapeError, "square"),
    (lambda: tk.trace(tk.ones(2)), ShapeError, "2 dimensions"),
    (lambda: tk.cross(tk.ones(2, 4), tk.ones(2, 4)), ShapeError, "size 3"),
    (lambda: tk.linalg.cross(tk.ones(4), tk.ones(4)), ShapeError, "size 3"),
    (lambda: tk.cdist(tk.ones(2, 3), tk.ones(2, 4)), ShapeError, "points"),
    (lambda: tk.cdist(tk.ones(2, 3), tk.ones(2, 3), p=-1), ArgumentError, "at least 0"),
    (lambda: tk.cdist(tk.ones(2, 3), tk.ones(2, 3), compute_mode="x"), ArgumentError, "compute_mode"),
    (lambda: tk.einsum("ij,jk->ik", tk.ones(2, 3)), ArgumentError, "names 2 operands"),
    (lambda: tk.einsum("ij", tk.ones(2)), ShapeError, "does not name"),
    (lambda: tk.einsum("i", tk.ones(2, 2)), ShapeError, "does not name"),
    (lambda: tk.einsum("i.j", tk.ones(2, 2)), ArgumentError, "may hold"),
    (lambda: tk.einsum("ij->ik", tk.ones(2, 2)), ArgumentError, "each letter"),
    (lambda: tk.einsum("ij->ii", tk.ones(2, 2)), ArgumentError, "each letter"),
    (lambda: tk.einsum("ii", tk.ones(2, 3)), ShapeError, "sizes 2 and 3"),
    (lambda: tk.einsum("ij,jk", tk.ones(2, 3), tk.ones(2, 2)), ShapeError, "sizes 3 and 2"),
    (lambda: tk.einsum("...i,...i", tk.ones(2, 3), tk.ones(3, 3)), ShapeError, "under '...'"),
    (lambda: tk.einsum(tk.ones(2), [52]), ArgumentError, "0 to 51"),
    (lambda: tk.einsum(tk.ones(2)), ArgumentError, "list of numbers"),
    (lambda: tk.tensordot(tk.ones(2, 3), tk.ones(2, 3), 1), ShapeError, "differ in size"),
    (lambda: tk.tensordot(tk.ones(2, 3), tk.ones(2, 3), 3), ArgumentError, "between 0 and 2"),
    (lambda: tk.tensordot(tk.ones(2, 3), tk.ones(2, 3), ([0], [0, 1])), ArgumentError, "one length"),
    (lambda: tk.linalg.inv(tk.ones(2, 3)), ShapeError, "square"),
    (lambda: tk.linalg.inv(tk.ones(2, 2).long()), DTypeError, "float32 or float64"),
    (lambda: tk.linalg.svd(tk.ones(2, 2).half()), DTypeError, "float32 or float64"),
    (lambda: tk.linalg.solve(tk.eye(2), tk.ones(3)), ShapeError, "does not fit"),
    (lambda: tk.linalg.solve(tk.eye(2), tk.ones(2, dtype="float64")), DTypeError, "one dtype"),
    (lambda: tk.linalg.solve(tk.eye(2), tk.ones(2), left=False), ArgumentError, "left=True"),
    (lambda: tk.linalg.solve(tk.ones(2, 3, 3), tk.ones(4, 3, 3)), ShapeError, "broadcast"),
    (lambda: tk.linalg.eigh(tk.eye(2), UPLO="X"), ArgumentError, "'L' or 'U'"),
    (lambda: tk.linalg.qr(tk.eye(2), mode="x"), ArgumentError, "mode"),
    (lambda: tk.linalg.vector_norm(tk.ones(2).long()), DTypeError, "floating"),
    (lambda: tk.linalg.vector_norm(tk.ones(0), float("inf")), ShapeError, "no elements"),
    (lambda: tk.linalg.matrix_norm(tk.ones(2, 2), 3), ArgumentError, "ord must be"),
    (lambda: tk.linalg.matrix_norm(tk.ones(2)), ShapeError, "at least two"),
    (lambda: tk.linalg.norm(tk.ones(2, 2, 2), 1), ShapeError, "one or two dimensions"),
    (lambda: tk.linalg.norm(tk.ones(2), "fro"), ArgumentError, "matrices"),
    (lambda: tk.linalg.vander(tk.ones(3), 1), ArgumentError, "two powers"),
    (lambda: tk.linalg.tensorinv(tk.ones(2, 3)), ShapeError, "as many elements"),
    (lambda: tk.linalg.tensorsolve(tk.ones(2, 3), tk.ones(2)), ShapeError, "does not fit"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_what_does_not_fit_is_said(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_matrix_without_an_inverse_or_a_factor_is_named() -> None:
    stack = tk.eye(3).expand(2, 4, 3, 3).clone()
    stack[1, 2, 0, 0] = 0.0
    for call in (tk.linalg.inv, lambda x: tk.linalg.solve(x, tk.ones(3, 1)), tk.linalg.cholesky):
        with pytest.raises(LinAlgError, match="matrix 1, 2 of the stack"):
            call(stack)
    with pytest.raises(LinAlgError, match="zero on its diagonal"):
        tk.linalg.solve_triangular(stack, tk.ones(3, 1), upper=True)
    with pytest.raises(LinAlgError, match=r"the matrix, .* is not positive definite"):
        tk.linalg.cholesky(-tk.eye(2))
    with pytest.raises(LinAlgError, match="NaN"):
        tk.linalg.svdvals(tk.full((2, 2), float("nan")))
    assert issubclass(LinAlgError, RuntimeError)


def test_large_products_and_their_gradients() -> None:
    """Sizes that go to the kernels: every rank, and both sides transposed."""
    rng = np.random.default_rng(0)
    shapes = [
        ((70, 80), (80, 90)),
        ((8, 70, 60), (8, 60, 50)),
        ((2, 1, 70, 60), (3, 60, 50)),
        ((600, 500), (500,)),
        ((9000,), (9000,)),
    ]
    for a_shape, b_shape in shapes:
        a, b = rng.standard_normal(a_shape), rng.standard_normal(b_shape)
        expected = a @ b
        weights = rng.standard_normal(expected.shape)
        for turn in (False, True):
            x, y = (tk.from_numpy(np.ascontiguousarray(z.T).T if turn else z.copy()).requires_grad_() for z in (a, b))
            out = x @ y
            np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-9, atol=1e-9)
            out.backward(tk.tensor(weights))
            right = b if b.ndim > 1 else b[:, None]
            left = a if a.ndim > 1 else a[None]
            above = weights.reshape(*weights.shape[: max(a.ndim, b.ndim) - 2], left.shape[-2], right.shape[-1])
            for grad, full, shape in (
                (x.grad, above @ right.swapaxes(-1, -2), a_shape),
                (y.grad, left.swapaxes(-1, -2) @ above, b_shape),
            ):
                while full.ndim > max(len(shape), 2):
                    full = full.sum(0)
                kept = [i for i, size in enumerate(shape[:-2]) if size == 1]
                full = full.sum(tuple(kept), keepdims=True).reshape(shape)
                np.testing.assert_allclose(grad.numpy(), full, rtol=1e-9, atol=1e-9)
    assert SMALL < 70 * 80 * 90


def test_a_small_product_is_that_of_numpy() -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 5, 5)).astype("float32")
    np.testing.assert_array_equal((tk.tensor(a) @ tk.tensor(b)).numpy(), a @ b)
    np.testing.assert_array_equal((a @ tk.tensor(b)).numpy(), a @ b)


def test_halves_multiply_in_float32() -> None:
    a = np.full((1, 4000), 0.1, "float16")
    out = tk.tensor(a) @ tk.tensor(a.T.copy())
    assert out.dtype == tk.float16
    assert abs(out.item() - 40) < 0.05


def test_second_derivatives_of_det_at_a_singular_matrix_raise() -> None:
    x = tk.ones(2, 2, dtype="float64").requires_grad_()
    (grad,) = tk.autograd.grad(tk.det(x), x, create_graph=True)
    np.testing.assert_allclose(grad.detach().numpy(), [[1, -1], [-1, 1]], atol=1e-12)
    with pytest.raises(LinAlgError, match="singular"):
        grad.sum().backward()


def test_values_of_equal_eigenvalues_have_a_gradient() -> None:
    x = tk.eye(3, dtype="float64").requires_grad_()
    tk.linalg.eigh(x).eigenvalues.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.eye(3), atol=1e-12)
    y = tk.eye(3, dtype="float64").requires_grad_()
    tk.linalg.svd(y).S.sum().backward()
    np.testing.assert_allclose(y.grad.numpy(), np.eye(3), atol=1e-12)


def test_qr_that_is_not_unique_raises_where_a_gradient_is_wanted() -> None:
    x = tk.tensor(np.random.default_rng(0).standard_normal((4, 2)), requires_grad=True)
    for mode in ("complete", "r"):
        with pytest.raises(GradientError, match="reduced"):
            tk.linalg.qr(x, mode)
        with tk.no_grad():
            assert not tk.linalg.qr(x, mode).R.requires_grad


def test_cond_by_norms() -> None:
    x = tk.tensor(np.random.default_rng(0).standard_normal((2, 3, 3)), requires_grad=True)
    for p in (1, float("inf"), "fro"):
        np.testing.assert_allclose(tk.linalg.cond(x, p).detach().numpy(), np.linalg.cond(x.detach().numpy(), p))
        assert gradcheck(lambda x, p=p: tk.linalg.cond(x, p), [x])
        assert gradgradcheck(lambda x, p=p: tk.linalg.cond(x, p), [x])


def test_least_squares_tell_what_is_left() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 6, 3)), rng.standard_normal((2, 6, 2))
    found = tk.linalg.lstsq(tk.tensor(a), tk.tensor(b))
    for i in range(2):
        solution, residuals, rank, _ = np.linalg.lstsq(a[i], b[i], rcond=None)
        np.testing.assert_allclose(found.solution[i].numpy(), solution)
        np.testing.assert_allclose(found.residuals[i].numpy(), residuals)
        assert found.rank[i].item() == rank
    assert tk.linalg.lstsq(tk.ones(3, 2), tk.ones(3, 1)).residuals.numel() == 0


def test_named_results() -> None:
    x = tk.eye(2)
    assert tk.linalg.svd(x)._fields == ("U", "S", "Vh")
    assert tk.svd(x)._fields == ("U", "S", "V")
    assert tk.linalg.qr(x)._fields == ("Q", "R")
    assert tk.linalg.eigh(x)._fields == ("eigenvalues", "eigenvectors")
    assert tk.linalg.slogdet(x)._fields == ("sign", "logabsdet")
    assert [part.shape for part in tk.svd(tk.ones(2, 3), compute_uv=False)] == [(2, 2), (2,), (3, 3)]


def test_logdet_below_zero_and_at_it() -> None:
    with np.errstate(all="raise"):
        assert tk.logdet(tk.tensor([[0.0, 1.0], [1.0, 0.0]])).isnan().item()
        assert tk.logdet(tk.zeros(2, 2)).item() == -float("inf")
        sign, logarithm = tk.slogdet(tk.zeros(2, 2))
    assert (sign.item(), logarithm.item()) == (0.0, -float("inf"))


def test_distances_by_products_stay_close() -> None:
    x = tk.tensor(np.random.default_rng(0).standard_normal((30, 4)).astype("float32"))
    fast, exact = tk.cdist(x, x), tk.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    np.testing.assert_allclose(fast.numpy(), exact.numpy(), atol=5e-3)
    assert exact.numpy().diagonal().max() == 0


def test_gradient_of_the_largest_difference() -> None:
    x = tk.randn(3, 4, dtype=tk.float64, requires_grad=True)
    y = tk.randn(2, 4, dtype=tk.float64, requires_grad=True)
    assert gradcheck(lambda x, y: tk.cdist(x, y, p=float("inf")), (x, y))
