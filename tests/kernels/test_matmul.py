import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels


def check(dtype, M, K, N):
    a, b, bias = draw(dtype, M, K), draw(dtype, K, N, seed=1), draw(dtype, N)
    expected, scale = a.astype(np.float64) @ b.astype(np.float64), max(1, K) ** 0.5
    for found in (
        kernels.matmul(a, b),
        kernels.matmul_tn(a.T.copy(), b),
        kernels.matmul_nt(a, b.T.copy()),
        kernels.linear(a, b.T.copy(), None),
    ):
        assert found.dtype == dtype
        assert_close(found, expected, scale)
    assert_close(kernels.linear(a, b.T.copy(), bias), expected + bias, scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("M", "K", "N"),
    [
        (1, 1, 1),
        (3, 5, 7),
        (8, 16, 48),
        (9, 17, 49),
        (7, 15, 47),
        (64, 784, 128),
        (64, 128, 10),
        (64, 511, 33),
        (64, 513, 100),
        (66, 2049, 40),
        (20, 5000, 130),
        (130, 33, 500),
        (5, 0, 3),
        (0, 4, 3),
        (4, 3, 0),
    ],
)
def test_products(dtype, M, K, N):
    check(dtype, M, K, N)


@settings(max_examples=40, deadline=None)
@given(M=st.integers(1, 60), K=st.integers(1, 70), N=st.integers(1, 110), dtype=st.sampled_from(DTYPES))
def test_any_shape(M, K, N, dtype):
    check(dtype, M, K, N)


def test_arrays_that_are_not_contiguous():
    a, b, bias = draw(np.float32, 40, 30)[::2], draw(np.float32, 25, 30).T, draw(np.float32, 50)[::2]
    expected = a.astype(np.float64) @ b
    assert_close(kernels.matmul(a, b), expected, 6)
    assert_close(kernels.matmul_tn(a.T, b), expected, 6)
    assert_close(kernels.matmul_nt(a, b.T), expected, 6)
    assert_close(kernels.linear(a, b.T, bias), expected + bias, 6)


def test_the_same_bits_on_any_number_of_threads():
    x, weight, bias, grad = (draw(np.float32, *shape) for shape in ((70, 3000), (90, 3000), (90,), (70, 90)))

    def run():
        return (kernels.linear(x, weight, bias), kernels.matmul(grad, weight), kernels.matmul_tn(grad, x))

    many = kernels.get_num_threads()
    try:
        first, second = run(), run()
        kernels.set_num_threads(1)
        alone = run()
    finally:
        kernels.set_num_threads(many)
    for a, b, c in zip(first, second, alone, strict=True):
        assert a.tobytes() == b.tobytes() == c.tobytes()


def test_nan_fills_its_row_or_column_and_nothing_else():
    a, b = np.ones((9, 20), np.float32), np.ones((20, 50), np.float32)
    a[2, 19] = b[0, 49] = np.nan
    expected = np.isnan(a @ b)
    for found in (kernels.matmul(a, b), kernels.matmul_tn(a.T, b), kernels.matmul_nt(a, b.T)):
        np.testing.assert_array_equal(np.isnan(found), expected)
