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


@settings(max_examples=60, deadline=None)
@given(
    M=st.sampled_from([1, 2, 5, 8, 17]),
    K=st.sampled_from([1, 3, 40, 600]),
    N=st.sampled_from([1, 16, 30, 48, 70]),
    stacks=st.sampled_from([((3,), (3,)), ((2, 1), (3,)), ((), (4,)), ((4,), ()), ((2, 3), (2, 1)), ((40,), (1,))]),
    turned=st.tuples(st.booleans(), st.booleans()),
    dtype=st.sampled_from(DTYPES),
)
def test_stacks(M, K, N, stacks, turned, dtype):
    a, b = draw(dtype, *stacks[0], M, K), draw(dtype, *stacks[1], K, N, seed=1)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    a, b = (
        np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2) if turn else x
        for x, turn in zip((a, b), turned, strict=True)
    )
    found = kernels.matmul(a, b)
    assert found.dtype == dtype
    assert_close(found, expected, K**0.5)


def test_stacks_of_every_layout():
    packed = draw(np.float32, 2, 30, 3 * 4 * 16).reshape(2, 30, 3, 4, 16)
    q, k = packed[:, :, 0].transpose(0, 2, 1, 3), packed[:, :, 1].transpose(0, 2, 1, 3)  # heads, parts of one array
    frozen = q.copy()
    frozen.flags.writeable = False
    fields = np.zeros((2, 4, 30, 16), [("pad", "u1"), ("value", "f4")])
    fields["value"] = k
    for a, b in [
        (q, k.swapaxes(-1, -2)),
        (q[:, :, ::2, ::-1], k.swapaxes(-1, -2)[..., ::3]),
        (np.broadcast_to(q[:1], q.shape), np.broadcast_to(k[:, :1, :1, :1], k.shape).swapaxes(-1, -2)),
        (frozen, fields["value"].swapaxes(-1, -2)),
        (np.broadcast_to(np.float32(2), (4, 7, 5)), draw(np.float32, 3, 5, 9)[:1]),
    ]:
        assert_close(kernels.matmul(a, b), a.astype(np.float64) @ b.astype(np.float64), 6)
    assert_close(kernels.matmul(q[0, 0, ::2], k[0, 0].T[::-1][::-1]), q[0, 0, ::2] @ k[0, 0].T, 6)


def test_stacks_without_elements_or_that_do_not_broadcast():
    assert kernels.matmul(np.zeros((2, 3, 0)), np.zeros((2, 0, 4))).tolist() == np.zeros((2, 3, 4)).tolist()
    assert kernels.matmul(np.zeros((0, 3, 2)), np.zeros((2, 4))).shape == (0, 3, 4)
    with pytest.raises(ValueError, match="broadcast"):
        kernels.matmul(np.zeros((2, 3, 4)), np.zeros((3, 4, 5)))


def test_stacks_have_the_same_bits_on_any_number_of_threads():
    a, b = draw(np.float32, 50, 40, 130), draw(np.float32, 50, 130, 70)
    many, first = kernels.get_num_threads(), kernels.matmul(a, b)
    try:
        kernels.set_num_threads(1)
        alone = kernels.matmul(a, b)
    finally:
        kernels.set_num_threads(many)
    assert first.tobytes() == alone.tobytes()
    assert_close(first[7], a[7].astype(np.float64) @ b[7], 12)
