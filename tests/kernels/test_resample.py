import math

import numpy as np
import pytest
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels
from trainkit.kernels.resample import Axis


def axis_of(size, out, taps, seed, divided):
    """An axis of random taps, of which a third is none."""
    rng = np.random.default_rng(seed)
    places = rng.integers(0, size, (taps, out))
    places[rng.random(places.shape) < 0.3] = size
    weights = np.where(places < size, rng.normal(size=places.shape), 0.0)
    return Axis(size, places, weights, rng.uniform(1, 3, out) if divided else None)


def matrix_of(axis):
    matrix = np.zeros((axis.out, axis.size))
    for tap, column in np.ndindex(axis.places.shape):
        if axis.places[tap, column] < axis.size:
            matrix[column, axis.places[tap, column]] += axis.weights[tap, column]
    return matrix if axis.divisors is None else matrix / axis.divisors[:, None]


def resample_twin(x, axes):
    """A product with a matrix along each axis, in float64."""
    out = x.astype(np.float64)
    for dim, axis in enumerate(axes, x.ndim - len(axes)):
        out = np.moveaxis(np.tensordot(matrix_of(axis), out, (1, dim)), 0, dim)
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("size", [(9,), (33,), (5, 7), (17, 40), (3, 4, 5)])
def test_resample_and_its_transpose(dtype, divided, size):
    for taps in (0, 1, 2, 5):
        axes = [axis_of(n, n + 2 - 3 * i, taps, 7 * taps + i, divided) for i, n in enumerate(size)]
        x = draw(dtype, 2, 3, *size)
        out = kernels.resample(x, axes)
        assert out.dtype == dtype
        assert_close(out, resample_twin(x, axes), 20)
        grad = draw(dtype, *out.shape)
        transposed = [axis.transposed() for axis in axes]
        back = kernels.resample(grad, transposed)
        assert back.shape == x.shape
        assert_close(back, resample_twin(grad, transposed), 20)
        # what defines a transpose: <A x, g> = <x, A' g>
        left, right = (out.astype(float) * grad).sum(), (x.astype(float) * back).sum()
        assert left == pytest.approx(right, rel=1e-4 if dtype == np.float32 else 1e-10, abs=1e-3)
        assert all(axis.transposed() is other for axis, other in zip(transposed, axes, strict=True))


def test_an_average_of_equal_numbers_is_that_number():
    for count in range(1, 60):
        axis = Axis(count, np.arange(count)[:, None], divisors=np.array([float(count)]))
        for value in (1.0, 0.1, 3.7):
            x = np.full((1, 1, count), value, np.float32)
            assert abs(kernels.resample(x, [axis])[0, 0, 0] / np.float32(value) - 1) <= (0 if value == 1 else 1e-6)


def test_what_is_not_drawn_from_does_not_matter():
    axis = Axis(3, [[0, 3], [2, 2]])
    x = np.array([[1.0, np.nan, 2.0]])
    np.testing.assert_array_equal(kernels.resample(x, [axis]), [[3.0, 2.0]])
    np.testing.assert_array_equal(
        kernels.resample(np.array([[np.inf, 1.0]]), [axis.transposed()]), [[np.inf, 0, np.inf]]
    )


def test_no_image_strided_images_and_the_same_bits_on_any_number_of_threads():
    axes = [axis_of(20, 30, 3, 1, True), axis_of(30, 20, 2, 2, False)]
    assert kernels.resample(np.empty((0, 3, 20, 30)), axes).shape == (0, 3, 30, 20)
    x = draw(np.float32, 30, 20, 16, 9).transpose(2, 3, 1, 0)
    assert_close(kernels.resample(x, axes), resample_twin(x, axes), 10)
    threads = kernels.get_num_threads()
    found = []
    try:
        for count in (1, 2, 4):
            kernels.set_num_threads(count)
            found.append((kernels.resample(x, axes), kernels.plane_mean(x, 2)))
    finally:
        kernels.set_num_threads(threads)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(1,), (7, 7), (3, 5, 2), (40, 51)])
def test_plane_mean(dtype, size):
    x = draw(dtype, 4, 3, *size) + 100
    out = kernels.plane_mean(x, len(size))
    assert out.shape == (4, 3, *(1,) * len(size))
    assert_close(out / 100, x.astype(float).mean(tuple(range(2, x.ndim)), keepdims=True) / 100)
    assert math.isnan(kernels.plane_mean(np.full((1, *size), np.nan, dtype), len(size)).item())
    assert kernels.plane_mean(x[:0], len(size)).shape == (0, 3, *(1,) * len(size))
