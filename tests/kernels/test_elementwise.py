import numpy as np
import pytest
from kernel_twins import DTYPES, draw

from trainkit import kernels
from trainkit.kernels.elementwise import CHUNK

SHAPES = [(), (1,), (7,), (3, 5, 2), (0, 4), (CHUNK - 1,), (CHUNK,), (CHUNK + 1,), (5, CHUNK // 2 + 3)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_relu_and_its_gradient(dtype, shape):
    x, grad = np.asarray(draw(dtype, *shape)), np.asarray(draw(dtype, *shape, seed=1))
    out = kernels.relu(x)
    assert (out.dtype, out.shape) == (dtype, shape)
    np.testing.assert_array_equal(out, np.maximum(x, 0))
    grad_x = kernels.relu_grad(grad, out)
    assert (grad_x.dtype, grad_x.shape) == (dtype, shape)
    np.testing.assert_array_equal(grad_x, np.where(x > 0, grad, 0))


def test_relu_of_nan_infinities_and_an_array_that_is_not_contiguous():
    x = np.array([np.nan, -np.inf, np.inf, -0.0, 0.0], np.float32)
    for times in (1, 1000):  # numpy's and the kernel's
        np.testing.assert_array_equal(kernels.relu(np.tile(x, times)), np.tile([np.nan, 0, np.inf, 0, 0], times))
    x = draw(np.float32, 60, 80).T[::2]
    np.testing.assert_array_equal(kernels.relu(x), np.maximum(x, 0))
    np.testing.assert_array_equal(kernels.relu_grad(x, kernels.relu(x)), np.maximum(x, 0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [10, 10_000])
def test_relu_in_place(dtype, size):
    x = draw(dtype, size)
    expected = np.maximum(x, 0)
    assert np.shares_memory(kernels.relu(x, x), x)
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (40, 130), (0, 4), (4, 0)])
def test_a_bias_is_added_as_numpy_does(dtype, shape):
    x, bias = draw(dtype, *shape), draw(dtype, 2 * shape[1])[::2]
    plain, rectified = x.copy(), x.copy()
    kernels.shift(plain, bias, False)
    kernels.shift(rectified, bias, True)
    np.testing.assert_array_equal(plain, x + bias)
    np.testing.assert_array_equal(rectified, np.maximum(x + bias, 0))


def test_a_bias_and_relu_of_nan_infinities_and_zeros():
    x = np.array([[np.nan, -np.inf, np.inf, -0.0, 1.0]], np.float32)
    kernels.shift(x, np.array([0.0, 0.0, 0.0, -0.0, np.nan], np.float32), True)
    np.testing.assert_array_equal(x, [[np.nan, 0, np.inf, 0, np.nan]])
    assert not np.signbit(x[0, 3])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_leaky(dtype, shape):
    x, grad = np.asarray(draw(dtype, *shape)), np.asarray(draw(dtype, *shape, seed=1))
    for values in (x, grad):
        out = kernels.leaky(values, x, 0.1)
        assert (out.dtype, out.shape) == (dtype, shape)
        np.testing.assert_array_equal(out, np.where(x > 0, values, values * dtype(0.1)))
    np.testing.assert_array_equal(kernels.leaky(x.T, x.T, -2).T, kernels.leaky(x, x, -2))


def test_leaky_of_nan_and_infinities():
    x = np.array([np.nan, -np.inf, np.inf, -0.0, 0.0], np.float32)
    np.testing.assert_array_equal(kernels.leaky(x, x, 0.5), x)
    np.testing.assert_array_equal(kernels.leaky(x, x, 0.0), [np.nan, np.nan, np.inf, 0, 0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_dropout_keeps_or_drops_every_element(dtype, shape):
    x = np.ones(shape, dtype)
    out = kernels.dropout(x, 0.25, 7)
    assert (out.dtype, out.shape) == (dtype, shape)
    assert set(np.unique(out)) <= {dtype(0), dtype(4 / 3)}
    np.testing.assert_array_equal(kernels.dropout(x * 3, 0.25, 7) == 0, out == 0)


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_share_that_dropout_drops(probability):
    dropped = np.mean(kernels.dropout(np.ones(200_000, np.float32), probability, 3) == 0)
    assert abs(dropped - probability) < 5 * (probability * (1 - probability) / 200_000) ** 0.5 + 1e-12


def test_masks_of_neighbouring_seeds_and_elements_are_independent():
    masks = [kernels.dropout(np.ones(100_000, np.float32), 0.5, seed) > 0 for seed in (0, 1, 2, 2**63, 2**64 - 1)]
    masks.append(np.roll(masks[0], 1))
    correlation = np.corrcoef(np.array(masks, float)) - np.eye(len(masks))
    assert np.abs(correlation).max() < 0.02


def test_dropout_does_not_depend_on_the_number_of_threads():
    x, many = draw(np.float32, 3 * CHUNK + 5), kernels.get_num_threads()
    expected = kernels.dropout(x, 0.3, 11)
    try:
        kernels.set_num_threads(1)
        np.testing.assert_array_equal(kernels.dropout(x, 0.3, 11), expected)
    finally:
        kernels.set_num_threads(many)
    np.testing.assert_array_equal(kernels.dropout(x[:10], 0.3, 11), expected[:10])
    np.testing.assert_array_equal(kernels.dropout(np.repeat(x, 2)[::2], 0.3, 11), expected)


def test_a_dropped_nan_stays_one():
    assert np.isnan(kernels.dropout(np.full(100, np.nan, np.float32), 0.5, 0)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["add", "sub", "mul"])
def test_sums_and_products_are_numpys_to_the_last_bit(name, threads, shape, dtype):
    ufunc = {"add": np.add, "sub": np.subtract, "mul": np.multiply}[name]
    x, y = np.asarray(draw(dtype, *shape)), np.asarray(draw(dtype, *shape, seed=1))
    many = kernels.get_num_threads()
    try:
        kernels.set_num_threads(threads)
        for other in (y, 3, -0.7, y.T.copy().T, y[..., :1] if y.ndim else y, y.astype(np.float64), 1e39, True):
            with np.errstate(over="ignore"):
                expected, found = ufunc(x, other), kernels.combine(name, x, other)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
        into = x.copy()
        assert kernels.combine(name, into, y, into) is into
        np.testing.assert_array_equal(into, ufunc(x, y))
    finally:
        kernels.set_num_threads(many)


@pytest.mark.parametrize("dtype", DTYPES)
def test_planes_times_a_number_each(dtype):
    x, y = draw(dtype, 6, 5, 300, 20), draw(dtype, 6, 5, 1, 1)
    many = kernels.get_num_threads()
    kernels.set_num_threads(max(many, 2))
    try:
        found = kernels.combine("mul", x, y)
    finally:
        kernels.set_num_threads(many)
    np.testing.assert_array_equal(found, x * y)
    assert kernels.is_owner(found)
    np.testing.assert_array_equal(kernels.combine("mul", x, y[:, :1]), x * y[:, :1])
    np.testing.assert_array_equal(kernels.combine("mul", x, y[:1]), x * y[:1])


def test_products_by_a_number_of_nan_infinities_and_zeros():
    x = np.tile(np.array([np.nan, np.inf, -np.inf, 0, -0.0], np.float32), CHUNK)
    for name, ufunc in (("mul", np.multiply), ("sub", np.subtract)):
        with np.errstate(invalid="ignore"):
            expected = ufunc(x, -1.0)
        found = kernels.combine(name, x, -1.0)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found[3:5]), np.signbit(expected[3:5]))
