"""Matrix products around every boundary at which the kernels do something else."""

import numpy as np
import pytest
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels
from trainkit.kernels.matmul import ALIKE, FEW, LEAST, TALL
from trainkit.kernels.matmul_dots import STRETCH, dot_rows
from trainkit.kernels.matmul_panels import DEPTH, UNPACKED
from trainkit.kernels.simd import COLUMNS, ROWS, VECTOR_BYTES

LAYOUTS = ("nn", "nt", "tn", "tt")


def around(*sizes):
    return [size + step for size in sizes for step in (-1, 0, 1)]


def products(dtype, M, K, N, layouts=LAYOUTS):
    """Pairs of a product in one layout and its reference."""
    a, b = draw(dtype, M, K), draw(dtype, K, N, seed=1)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    for layout in layouts:
        left = a if layout[0] == "n" else a.T.copy().T
        right = b if layout[1] == "n" else b.T.copy().T
        yield kernels.matmul(left, right), expected


def check(dtype, M, K, N, layouts=LAYOUTS):
    for found, expected in products(dtype, M, K, N, layouts):
        assert found.dtype == dtype
        assert found.flags.c_contiguous
        assert_close(found, expected, K**0.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("M", [*around(ROWS, 3 * ROWS), 1, 2])
def test_rows(dtype, M):
    lanes = VECTOR_BYTES // dtype().itemsize
    for N in (lanes + 3, 2 * COLUMNS * lanes):
        check(dtype, M, 37, N)


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns(dtype):
    lanes = VECTOR_BYTES // dtype().itemsize
    for N in (1, 2, 10, *around(lanes, 2 * lanes, COLUMNS * lanes, COLUMNS * lanes * 2)):
        check(dtype, ROWS + 3, 21, N)
        check(dtype, 1, 21, N)


@pytest.mark.parametrize("dtype", DTYPES)
def test_depth(dtype):
    lanes = VECTOR_BYTES // dtype().itemsize
    for K in (*around(lanes, 2 * lanes), *around(DEPTH), 2 * DEPTH + 5):
        check(dtype, 2 * ROWS + 1, K, lanes * (COLUMNS + 1) + 5)


@pytest.mark.parametrize("M", around(UNPACKED * ROWS))
def test_rows_from_which_a_panel_is_packed(M):
    check(np.float32, M, 40, 120)
    check(np.float32, M, DEPTH + 3, 50, ("nn", "nt"))


@pytest.mark.parametrize("N", around(LEAST * COLUMNS * VECTOR_BYTES // 4))
def test_columns_from_which_panels_are_wide(N):
    check(np.float32, 60, 60, N)
    check(np.float32, 1, 3000, N, ("nn", "nt"))


@pytest.mark.parametrize("M", around(TALL * ROWS * 2))
def test_rows_that_are_cut_into_groups(M):
    check(np.float32, M, 200, 50)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dots(dtype):
    lanes = VECTOR_BYTES // dtype().itemsize
    for M in (1, 2, 3, 4, 7):
        for N in (1, 2, 3, *around(ROWS), 2 * ROWS + 3):
            for K in (1, lanes - 1, lanes, 3 * lanes + 1):
                a, b, bias = draw(dtype, M, K), draw(dtype, N, K, seed=1), draw(dtype, N, seed=2)
                expected = a.astype(np.float64) @ b.astype(np.float64).T
                assert_close(dot_rows(a, b, bias), expected + bias, K**0.5)
                assert_close(dot_rows(a, b, None), expected, K**0.5)


@pytest.mark.parametrize("K", [*around(STRETCH, 2 * STRETCH), *around(ALIKE // 4)])
def test_linear_of_long_rows(K):
    for M in (1, FEW, FEW + 1, 64):
        x, weight, bias = draw(np.float32, M, K), draw(np.float32, 21, K, seed=1), draw(np.float32, 21, seed=2)
        expected = x.astype(np.float64) @ weight.astype(np.float64).T + bias
        assert_close(kernels.linear(x, weight, bias), expected, K**0.5)


@pytest.mark.parametrize(("M", "N"), [(64, 10), (50, 1), (1, 50), (10, 64), (200, 3)])
def test_linear_with_few_rows_or_outputs(M, N):
    x, weight, bias = draw(np.float32, M, 300), draw(np.float32, N, 300, seed=1), draw(np.float32, N, seed=2)
    expected = x.astype(np.float64) @ weight.astype(np.float64).T
    for found, wanted in (
        (kernels.linear(x, weight, bias), expected + bias),
        (kernels.linear(x, weight, None), expected),
    ):
        assert found.flags.c_contiguous
        assert_close(found, wanted, 18)


def test_linear_without_inputs_is_its_bias():
    bias = draw(np.float32, 5)
    for M in (0, 1, 3, 70):
        found = kernels.linear(np.zeros((M, 0), np.float32), np.zeros((5, 0), np.float32), bias)
        assert found.tolist() == [bias.tolist()] * M
        assert not kernels.linear(np.zeros((M, 0), np.float32), np.zeros((5, 0), np.float32), None).any()
    assert kernels.linear(np.zeros((3, 4), np.float32), np.zeros((0, 4), np.float32), None).shape == (3, 0)


def test_strided_turned_and_expanded():
    a, b = draw(np.float32, 140, 90), draw(np.float32, 90, 220, seed=1)
    wide = np.zeros((90, 2 * 220 + 7), np.float32)
    wide[:, 5 : 5 + 220] = b
    expected = a.astype(np.float64) @ b
    assert_close(kernels.matmul(a, wide[:, 5 : 5 + 220]), expected, 10)  # rows farther apart than they are long
    assert_close(kernels.matmul(a, wide.T.copy().T[:, 5 : 5 + 220]), expected, 10)
    assert_close(kernels.matmul(a[::3, ::2], b[::2, ::3]), a[::3, ::2].astype(np.float64) @ b[::2, ::3], 10)
    assert_close(kernels.matmul(a[:, ::-1], b[::-1]), expected, 10)
    row = np.broadcast_to(b[:1], (90, 220))
    assert_close(kernels.matmul(a, row), a.astype(np.float64) @ row, 10)
    column = np.broadcast_to(b[:, :1], (90, 220))
    assert_close(kernels.matmul(a, column), a.astype(np.float64) @ column, 10)
    assert_close(kernels.linear(a[:, ::2], b.T[:, ::2], b[0]), a[:, ::2].astype(np.float64) @ b[::2] + b[0], 10)


def test_infinity_stays_in_its_row_and_column():
    a, b = np.ones((70, 50), np.float32), np.ones((50, 70), np.float32)
    a[3, 49], b[0, 69] = np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        expected = a @ b
    for layout_b in (b, b.T.copy().T):
        np.testing.assert_array_equal(kernels.matmul(a, layout_b), expected)
    np.testing.assert_array_equal(dot_rows(a, b.T.copy(), None), expected)


@pytest.mark.parametrize("shape", [(64, 784, 128), (130, 700, 60), (300, 65, 500), (17, 5000, 40), (90, 1500, 10)])
def test_the_same_bits_on_any_number_of_threads(shape):
    M, K, N = shape
    x, weight, bias = draw(np.float32, M, K), draw(np.float32, N, K), draw(np.float32, N)
    turned = x.T.copy().T

    def run():
        products = (kernels.matmul(x, weight.T), kernels.matmul(turned, weight.T), kernels.matmul(x, weight.T.copy()))
        return kernels.linear(x, weight, bias), dot_rows(x, weight, bias), *products

    many = kernels.get_num_threads()
    try:
        first, results = run(), []
        for threads in range(1, many + 1):
            kernels.set_num_threads(threads)
            results.append(run())
    finally:
        kernels.set_num_threads(many)
    for result in results:
        for a, b in zip(first, result, strict=True):
            assert a.tobytes() == b.tobytes()
