import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels

EPS = 0.1


def twin(x, weight, bias, groups, centred, grad):
    """Result, means, variances and the three gradients, in float64."""
    R, K, _ = x.shape
    x, grad = x.astype(np.float64), grad.astype(np.float64)
    mean = x.mean((1, 2), keepdims=True) * centred
    variance = ((x - mean) ** 2).mean((1, 2), keepdims=True)
    normal = (x - mean) / np.sqrt(variance + EPS)
    rows = np.arange(R) % groups
    scale = (np.ones(groups * K) if weight is None else weight.astype(np.float64)).reshape(groups, K, 1)[rows]
    shift = (np.zeros(groups * K) if bias is None else bias.astype(np.float64)).reshape(groups, K, 1)[rows]
    inner = grad * scale
    grad_x = inner - normal * (inner * normal).mean((1, 2), keepdims=True)
    grad_x = (grad_x - inner.mean((1, 2), keepdims=True) * centred) / np.sqrt(variance + EPS)
    sums = np.zeros((2, groups, K))
    np.add.at(sums[0], rows, (grad * normal).sum(2))
    np.add.at(sums[1], rows, grad.sum(2))
    return normal * scale + shift, mean.ravel(), variance.ravel(), grad_x, *sums.reshape(2, -1)


def check(dtype, N, groups, K, L, affine, centred):
    R, form = N * groups, (N, groups, K, L)
    x, grad = draw(dtype, R, K, L), draw(dtype, R, K, L, seed=1)
    weight, bias = (draw(dtype, groups * K), draw(dtype, groups * K, seed=1)) if affine else (None, None)
    expected = twin(x, weight, bias, groups, centred, grad)
    out, mean, variance = kernels.row_norm(x, weight, bias, form, EPS, centred)
    assert (out.dtype, mean.dtype, variance.dtype) == (dtype, np.float64, np.float64)
    assert_close(out, expected[0], 5)
    np.testing.assert_allclose(mean, expected[1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(variance, expected[2], rtol=1e-9, atol=1e-12)
    found = kernels.row_norm_grad(grad, x, mean, variance, weight, form, EPS, centred, True)
    assert all(part.dtype == dtype for part in found)
    assert_close(found[0], expected[3], 20)
    assert_close(found[1], expected[4], R * L)
    assert_close(found[2], expected[5], R * L)
    without = kernels.row_norm_grad(grad, x, mean, variance, weight, form, EPS, centred, False)
    assert_close(without[0], found[0])
    assert not without[1].any()
    assert not without[2].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("N", "groups", "K", "L"),
    [
        (1, 1, 1, 1),
        (5, 1, 7, 1),
        (130, 1, 300, 1),
        (3, 2, 3, 1),
        (4, 3, 2, 11),
        (40, 5, 1, 200),
        (2, 1, 33, 600),
        (33, 3, 40, 1),
    ],
)
@pytest.mark.parametrize("centred", [True, False])
def test_row_norm(dtype, N, groups, K, L, centred):
    check(dtype, N, groups, K, L, True, centred)
    check(dtype, N, groups, K, L, False, centred)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(DTYPES), st.integers(1, 9), st.integers(1, 4), st.integers(1, 20), st.integers(1, 9), st.booleans()
)
def test_any_shape(dtype, N, groups, K, L, centred):
    check(dtype, N, groups, K, L, True, centred)


@pytest.mark.parametrize("L", [1, 50])
def test_a_mean_far_larger_than_the_deviation(L):
    x, grad = draw(np.float32, 3, 200, L) + np.float32(10_000), draw(np.float32, 3, 200, L, seed=1)
    expected = twin(x, None, None, 1, True, grad)
    out, mean, variance = kernels.row_norm(x, None, None, (len(x), 1, *x.shape[1:]), EPS, True)
    assert_close(out, expected[0], 5)
    found = kernels.row_norm_grad(grad, x, mean, variance, None, (len(x), 1, *x.shape[1:]), EPS, True, True)
    for ours, theirs in zip(found, expected[3:], strict=True):
        assert_close(ours, theirs, 20)


def test_constant_rows_nan_no_rows_and_an_array_that_is_not_contiguous():
    x = np.full((3, 4, 1), 7.3, np.float32)
    x[1, 2] = np.nan
    out, mean, variance = kernels.row_norm(x, None, None, (len(x), 1, *x.shape[1:]), EPS, True)
    np.testing.assert_array_equal(out[::2], 0)
    np.testing.assert_array_equal(variance[::2], 0)
    assert np.isnan(out[1]).all()
    assert np.isnan([mean[1], variance[1]]).all()
    for shape in ((0, 4, 1), (3, 0, 2)):
        empty = np.empty(shape, np.float32)
        form = (shape[0], 1, *shape[1:])
        out, mean, variance = kernels.row_norm(empty, None, None, form, EPS, True)
        grad_x, grad_weight, _ = kernels.row_norm_grad(empty, empty, mean, variance, None, form, EPS, True, True)
        assert out.shape == grad_x.shape == shape
        np.testing.assert_array_equal(grad_weight, np.zeros(shape[1]))
    x = draw(np.float32, 9, 8, 7).transpose(2, 0, 1)
    ours, plain = (kernels.row_norm(some, None, None, (7, 1, 9, 8), EPS, True) for some in (x, x.copy()))
    np.testing.assert_array_equal(ours[0], plain[0])


@pytest.mark.parametrize("shape", [(300, 500, 1), (60, 8, 400)])
def test_row_norm_does_not_depend_on_the_number_of_threads(shape):
    x, grad, many = draw(np.float32, *shape), draw(np.float32, *shape, seed=1), kernels.get_num_threads()

    form = (shape[0] // 2, 2, *shape[1:])

    def results():
        out, mean, variance = kernels.row_norm(x, None, None, form, EPS, True)
        return out, *kernels.row_norm_grad(grad, x, mean, variance, None, form, EPS, True, True)

    expected = results()
    try:
        kernels.set_num_threads(1)
        for ours, theirs in zip(results(), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    finally:
        kernels.set_num_threads(many)
