import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels


def column(array):
    return array[:, None]


def check(dtype, N, C, L):
    x, grad, weight, bias = (
        draw(dtype, N, C, L),
        draw(dtype, N, C, L, seed=1),
        draw(dtype, C),
        draw(dtype, C, seed=1),
    )
    wide, slope = x.astype(np.float64), grad.astype(np.float64)
    out, mean, variance = kernels.batch_norm(x, weight, bias, 0.1)
    assert mean.dtype == variance.dtype == np.float64
    np.testing.assert_allclose(mean, wide.mean((0, 2)), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(variance, wide.var((0, 2)), rtol=1e-9, atol=1e-12)

    inv_std = 1 / np.sqrt(wide.var((0, 2)) + 0.1)
    normal = (wide - column(wide.mean((0, 2)))) * column(inv_std)
    assert out.dtype == dtype
    assert_close(out, normal * column(weight) + column(bias), 5)
    assert_close(kernels.batch_norm(x, None, None, 0.1)[0], normal, 5)
    assert_close(kernels.batch_norm_apply(x, mean, inv_std, weight, bias), normal * column(weight) + column(bias), 5)
    assert_close(kernels.batch_norm_apply(x, mean, inv_std, None, None), normal, 5)

    for factor in (weight, None):
        grad_x, grad_weight, grad_bias = kernels.batch_norm_grad(grad, x, mean, inv_std, factor)
        assert grad_x.dtype == grad_weight.dtype == grad_bias.dtype == dtype
        assert_close(grad_bias, slope.sum((0, 2)), N * L)
        assert_close(grad_weight, (slope * normal).sum((0, 2)), N * L)
        inner = slope - column(slope.mean((0, 2))) - normal * column((slope * normal).mean((0, 2)))
        scale = column(inv_std if factor is None else inv_std * factor)
        assert_close(grad_x, inner * scale, 5)
        given = kernels.batch_norm_grad(grad, x, mean, inv_std, factor, True)
        assert_close(given[0], slope * scale, 5)
        np.testing.assert_array_equal(given[1], grad_weight)
        np.testing.assert_array_equal(given[2], grad_bias)
        without = kernels.batch_norm_grad(grad, x, mean, inv_std, factor, True, False)
        assert_close(without[0], given[0])
        assert not without[1].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("N", "C", "L"), [(1, 1, 1), (1, 3, 17), (5, 6, 11), (64, 10, 1), (7, 33, 196), (300, 40, 1)])
def test_batch_norm(dtype, N, C, L):
    check(dtype, N, C, L)


@settings(max_examples=20, deadline=None)
@given(N=st.integers(1, 20), C=st.integers(1, 20), L=st.integers(1, 40), dtype=st.sampled_from(DTYPES))
def test_any_shape(N, C, L, dtype):
    check(dtype, N, C, L)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("L", [1, 50])
def test_a_mean_far_larger_than_the_deviation(dtype, L):
    x, grad = draw(dtype, 200, 3, L) + dtype(10_000), draw(dtype, 200, 3, L, seed=1)
    wide, slope = x.astype(np.float64), grad.astype(np.float64)
    out, mean, variance = kernels.batch_norm(x, None, None, 1e-5)
    np.testing.assert_allclose(mean, wide.mean((0, 2)), rtol=1e-12)
    np.testing.assert_allclose(variance, wide.var((0, 2)), rtol=1e-10)
    inv_std = 1 / np.sqrt(wide.var((0, 2)) + 1e-5)
    normal = (wide - column(wide.mean((0, 2)))) * column(inv_std)
    assert_close(out, normal, 5)
    grad_x, grad_weight, _ = kernels.batch_norm_grad(grad, x, mean, inv_std, None)
    assert_close(grad_weight, (slope * normal).sum((0, 2)), 100)
    inner = slope - column(slope.mean((0, 2))) - normal * column((slope * normal).mean((0, 2)))
    assert_close(grad_x, inner * column(inv_std), 5)


def test_a_first_element_far_from_all_others():
    x = draw(np.float64, 100, 1, 50)
    x[0, 0, 0] = 1e6
    _, mean, variance = kernels.batch_norm(x, None, None, 1e-5)
    np.testing.assert_allclose(mean, x.mean(), rtol=1e-11)
    np.testing.assert_allclose(variance, x.var(), rtol=1e-11)


def test_a_constant_channel_nan_no_batch_and_an_array_that_is_not_contiguous():
    x = np.full((4, 2, 3), 7.3, np.float32)
    x[:, 1] = np.nan
    _, mean, variance = kernels.batch_norm(x, None, None, 1e-5)
    assert mean[0] == np.float32(7.3)
    assert variance[0] == 0
    assert np.isnan(mean[1])
    assert np.isnan(variance[1])
    empty = np.empty((0, 2, 3), np.float32)
    grad_x, grad_weight, _ = kernels.batch_norm_grad(empty, empty, mean, mean, None)
    assert grad_x.shape == (0, 2, 3)
    np.testing.assert_array_equal(grad_weight, 0)
    x = draw(np.float32, 9, 8, 7).transpose(2, 0, 1)
    for ours, plain in zip(
        kernels.batch_norm(x, None, None, 0.1), kernels.batch_norm(x.copy(), None, None, 0.1), strict=True
    ):
        np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("shape", [(64, 20, 60), (5000, 40, 1)])
def test_batch_norm_does_not_depend_on_the_number_of_threads(shape):
    x, grad, many = draw(np.float32, *shape), draw(np.float32, *shape, seed=1), kernels.get_num_threads()

    def results():
        out, mean, variance = kernels.batch_norm(x, None, None, 0.1)
        return out, mean, variance, *kernels.batch_norm_grad(grad, x, mean, 1 / np.sqrt(variance), None)

    expected = results()
    try:
        kernels.set_num_threads(1)
        for ours, theirs in zip(results(), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    finally:
        kernels.set_num_threads(many)


def check_relu(dtype, N, C, L):
    x, grad, weight, bias = (
        draw(dtype, N, C, L),
        draw(dtype, N, C, L, seed=1),
        draw(dtype, C),
        draw(dtype, C, seed=1),
    )
    wide, slope = x.astype(np.float64), grad.astype(np.float64)
    mean, inv_std = wide.mean((0, 2)), 1 / np.sqrt(wide.var((0, 2)) + 0.1)
    normal, ones, zeros = (wide - column(mean)) * column(inv_std), np.ones(C), np.zeros(C)
    for factor, shift in ((weight, bias), (None, None)):
        plain, *_ = kernels.batch_norm(x, factor, shift, 0.1)
        out, *statistics = kernels.batch_norm(x, factor, shift, 0.1, True)
        for found, expected in zip(statistics, (mean, wide.var((0, 2))), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(out, np.maximum(plain, 0))
        assert not np.signbit(out).any()
        applied = kernels.batch_norm_apply(x, mean, inv_std, factor, shift, True)
        np.testing.assert_array_equal(applied, np.maximum(kernels.batch_norm_apply(x, mean, inv_std, factor, shift), 0))
        whole = normal * column(ones if factor is None else factor) + column(zeros if shift is None else shift)
        assert_close(applied, np.maximum(whole, 0), 5)

        kept = np.where(out > 0, slope, 0)
        scale = column(inv_std if factor is None else inv_std * factor)
        inner = kept - column(kept.mean((0, 2))) - normal * column((kept * normal).mean((0, 2)))
        for fixed in (False, True):
            parts = kernels.batch_norm_grad(grad, x, mean, inv_std, factor, fixed, True, True, shift)
            masked = kernels.batch_norm_grad(kept.astype(dtype), x, mean, inv_std, factor, fixed)
            for found, expected in zip(parts, masked, strict=True):
                assert found.dtype == dtype
                assert_close(found, expected)
            assert_close(parts[0], (kept if fixed else inner) * scale, 5)
            assert_close(parts[1], (kept * normal).sum((0, 2)), N * L)
            assert_close(parts[2], kept.sum((0, 2)), N * L)
        (alone, *none) = kernels.batch_norm_grad(grad, x, mean, inv_std, factor, True, False, True, shift)
        np.testing.assert_array_equal(alone, parts[0])
        assert not np.any(none)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("N", "C", "L"), [(1, 3, 17), (5, 6, 11), (64, 10, 1), (7, 33, 196), (300, 40, 1)])
def test_batch_norm_with_relu(dtype, N, C, L):
    check_relu(dtype, N, C, L)


@settings(max_examples=20, deadline=None)
@given(N=st.integers(1, 20), C=st.integers(1, 20), L=st.integers(1, 40), dtype=st.sampled_from(DTYPES))
def test_any_shape_with_relu(N, C, L, dtype):
    check_relu(dtype, N, C, L)


@pytest.mark.parametrize("shape", [(4, 2), (4, 2, 3)])
def test_relu_keeps_nan_and_has_no_slope_at_0(shape):
    x = draw(np.float32, *shape)
    x[0, 1] = np.nan
    ones = np.ones(2)
    out, mean, variance = kernels.batch_norm(x, None, None, 0.1, True)
    assert np.isnan(out[:, 1]).all()
    assert not np.isnan(out[:, 0]).any()
    assert np.isnan(mean[1])
    assert np.isnan(variance[1])
    applied = kernels.batch_norm_apply(x, ones - 1, ones, None, None, True)
    np.testing.assert_array_equal(applied, np.maximum(x, 0))
    grad = draw(np.float32, *shape, seed=1)
    x[1] = 0
    found, *_ = kernels.batch_norm_grad(grad, x, ones - 1, ones, None, True, True, True)
    np.testing.assert_array_equal(found, np.where(x <= 0, 0, grad))
    empty = np.empty((0, *shape[1:]), np.float32)
    assert kernels.batch_norm(empty, None, None, 0.1, True)[0].shape == empty.shape
    assert kernels.batch_norm_grad(empty, empty, ones, ones, None, False, True, True)[0].shape == empty.shape
