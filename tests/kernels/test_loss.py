import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels


def log_softmax_twin(x):
    shifted = x - x.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def check(dtype, N, C):
    logits, slope = draw(dtype, N, C) * 5, draw(dtype, N)
    target = np.random.default_rng(N).integers(0, C, N)
    log_p = log_softmax_twin(logits.astype(np.float64))
    losses, log_sum_exp = kernels.cross_entropy(logits, target)
    assert losses.dtype == dtype
    assert_close(losses, -log_p[np.arange(N), target])
    onehot = np.eye(C)[target]
    found = kernels.cross_entropy_grad(slope, logits, log_sum_exp, target)
    assert found.dtype == dtype
    assert_close(found, slope[:, None] * (np.exp(log_p) - onehot))

    assert_close(kernels.log_softmax(logits), log_p)
    assert_close(kernels.softmax(logits), np.exp(log_p))
    out, grad = kernels.log_softmax(logits), draw(dtype, N, C, seed=1)
    total = grad.astype(np.float64).sum(1, keepdims=True)
    assert_close(kernels.log_softmax_grad(grad, out), grad - np.exp(log_p) * total, 5)
    wide, share = grad.astype(np.float64), kernels.softmax(logits)
    expected = np.exp(log_p) * (wide - (wide * np.exp(log_p)).sum(1, keepdims=True))
    assert_close(kernels.softmax_grad(grad, share), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("N", "C"), [(1, 1), (64, 10), (3, 1000), (300, 50), (5, 2)])
def test_softmax_and_cross_entropy(dtype, N, C):
    check(dtype, N, C)


@settings(max_examples=20, deadline=None)
@given(N=st.integers(1, 40), C=st.integers(1, 70), dtype=st.sampled_from(DTYPES))
def test_any_shape(N, C, dtype):
    check(dtype, N, C)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_equal_logits_give_an_exact_gradient(dtype, classes):
    logits, target = np.full((4, classes), 0.7, dtype), np.arange(4) % classes
    _, log_sum_exp = kernels.cross_entropy(logits, target)
    grad = kernels.cross_entropy_grad(np.ones(4, dtype), logits, log_sum_exp, target)
    expected = (1 / classes - np.eye(classes)[target]).astype(dtype)
    np.testing.assert_allclose(grad, expected, rtol=0, atol=(2e-7 if dtype == np.float32 else 1e-15) / classes)


def test_large_logits_nan_and_infinities():
    logits = np.array([[1e4, 0, -1e4], [np.nan, 0, 0], [-np.inf, 0, 0], [np.inf, 0, 0]], np.float32)
    losses, log_sum_exp = kernels.cross_entropy(logits, np.array([0, 1, 1, 1]))
    assert losses[0] == 0
    assert np.isnan(losses[1])
    np.testing.assert_allclose(losses[2], np.log(2), rtol=1e-6)
    assert losses[3] == np.inf
    grad = kernels.cross_entropy_grad(np.ones(4, np.float32), logits, log_sum_exp, np.array([0, 1, 1, 1]))
    np.testing.assert_array_equal(grad[0], 0)
    assert np.isnan(grad[1]).all()
    np.testing.assert_allclose(grad[2], [0, -0.5, 0.5])


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_of_rows_without_a_finite_largest(dtype):
    x = np.array([[-np.inf] * 3, [0, np.inf, 1], [0, np.nan, 1], [-np.inf, 0, 0], [-1e30, 0, 0]], dtype)
    for function, expected in ((kernels.softmax, [0, 0.5, 0.5]), (kernels.log_softmax, np.log([1e-300, 0.5, 0.5]))):
        out = function(x)
        assert np.isnan(out[:3]).all()
        np.testing.assert_allclose(out[3:, 1:], [expected[1:]] * 2, rtol=1e-6)
    np.testing.assert_array_equal(kernels.softmax(x)[3:, 0], 0)
    np.testing.assert_array_equal(kernels.log_softmax(x)[3:, 0], x[3:, 0])


def test_a_target_outside_the_classes_is_an_ignored_row():
    logits = draw(np.float32, 3, 4)
    losses, log_sum_exp = kernels.cross_entropy(logits, np.array([1, -100, 4]))
    np.testing.assert_array_equal(losses[1:], 0)
    grad = kernels.cross_entropy_grad(np.ones(3, np.float32), logits, log_sum_exp, np.array([1, -100, 4]))
    np.testing.assert_array_equal(grad[1:], 0)


def test_no_row_and_arrays_that_are_not_contiguous():
    losses, log_sum_exp = kernels.cross_entropy(np.empty((0, 4), np.float32), np.empty(0, np.int64))
    assert losses.shape == log_sum_exp.shape == (0,)
    x = draw(np.float32, 10, 6).T
    for function in (kernels.softmax, kernels.log_softmax):
        np.testing.assert_array_equal(function(x), function(x.copy("C")))
    target, grad = np.arange(12)[::2] % 10, np.broadcast_to(np.float32(0.5), 6)
    losses, log_sum_exp = kernels.cross_entropy(x, target)
    np.testing.assert_array_equal(losses, kernels.cross_entropy(x.copy("C"), target.copy())[0])
    found = kernels.cross_entropy_grad(grad, x, log_sum_exp, target)
    np.testing.assert_array_equal(found, kernels.cross_entropy_grad(grad.copy(), x.copy("C"), log_sum_exp, target))


def smooth_twin(logits, target, weight, smoothing):
    """The losses and the slopes for a gradient of 1."""
    log_p = log_softmax_twin(logits.astype(np.float64))
    classes = logits.shape[1]
    inside = (target >= 0) & (target < classes)
    wanted = weight * ((1 - smoothing) * np.eye(classes)[np.where(inside, target, 0)] + smoothing / classes)
    wanted *= inside[:, None]
    return -(wanted * log_p).sum(1), wanted.sum(1, keepdims=True) * np.exp(log_p) - wanted


@settings(max_examples=30, deadline=None)
@given(
    N=st.integers(0, 70), C=st.integers(1, 90), dtype=st.sampled_from(DTYPES), smoothing=st.sampled_from([0, 0.1, 1])
)
def test_smooth_cross_entropy(N, C, dtype, smoothing):
    rng = np.random.default_rng([N, C])
    logits, slope, weight = draw(dtype, N, C) * 5, draw(dtype, N), rng.uniform(0, 2, C)
    target = rng.integers(-1, C + 1, N)
    losses, log_sum_exp = kernels.smooth_cross_entropy(logits, target, weight, smoothing)
    grad = kernels.smooth_cross_entropy_grad(slope, logits, log_sum_exp, target, weight, smoothing)
    assert losses.dtype == grad.dtype == dtype
    expected, slopes = smooth_twin(logits, target, weight, smoothing)
    assert_close(losses, expected, 10)
    assert_close(grad, slope[:, None] * slopes, 10)


def test_smooth_cross_entropy_is_the_plain_one_without_smoothing_and_weights():
    logits, target, slope = draw(np.float32, 300, 50), np.arange(300) % 50, draw(np.float32, 300)
    plain, log_sum_exp = kernels.cross_entropy(logits, target)
    losses, again = kernels.smooth_cross_entropy(logits, target, np.ones(50), 0.0)
    np.testing.assert_array_equal(again, log_sum_exp)
    np.testing.assert_allclose(losses, plain, rtol=1e-6)
    grad = kernels.smooth_cross_entropy_grad(slope, logits, log_sum_exp, target, np.ones(50), 0.0)
    np.testing.assert_allclose(grad, kernels.cross_entropy_grad(slope, logits, log_sum_exp, target), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0, 3), (7, 5), (2, 40_000)])
def test_logistic_loss(dtype, shape):
    x, target = np.asarray(draw(dtype, *shape) * 20), np.asarray(draw(dtype, *shape, seed=1) % 1)
    grad = np.asarray(draw(dtype, *shape, seed=2))
    wide = x.astype(np.float64)
    expected = np.maximum(wide, 0) - wide * target + np.log1p(np.exp(-np.abs(wide)))
    share = np.exp(np.minimum(wide, 0)) / (1 + np.exp(-np.abs(wide)))
    for turn in (lambda a: a, lambda a: a.T.copy().T):
        assert_close(kernels.logistic_loss(turn(x), target), expected)
        assert_close(kernels.logistic_loss_grad(grad, turn(x), turn(target)), grad * (share - target))


def test_logistic_loss_of_large_logits_and_nan():
    for dtype in DTYPES:
        x = np.array([1e4, -1e4, 1e4, -1e4, np.nan, 1e-5], dtype)
        target = np.array([1, 0, 0, 1, 0, 0.5], dtype)
        found = kernels.logistic_loss(x, target)
        np.testing.assert_allclose(found, [0, 0, 1e4, 1e4, np.nan, np.log(2)], rtol=1e-6)
        slope = kernels.logistic_loss_grad(np.ones(6, dtype), x, target)
        np.testing.assert_allclose(slope, [0, 0, 1, -1, np.nan, 2.5e-6], rtol=1e-5)


def test_which_numbers_are_classes():
    target = np.array([[0, 3], [9, 5]])
    assert kernels.are_classes(target, 10)
    assert not kernels.are_classes(target, 9)
    assert kernels.are_classes(target[:, 1], 6)
    for wrong in (-1, 10, np.iinfo(np.int64).min, np.iinfo(np.int64).max):
        assert not kernels.are_classes(np.array([0, wrong]), 10)
    assert kernels.are_classes(np.empty(0, np.int64), 10)
