import numpy as np
import pytest
from kernel_twins import DTYPES, draw

from trainkit import kernels
from trainkit.kernels.select import CHUNK, FEW

SHAPES = [(), (1,), (3, 5, 2), (0, 4), (FEW,), (FEW + 1,), (7, FEW), (CHUNK,), (CHUNK + 1,), (5, CHUNK // 2 + 3)]


def odd(dtype, *shape):
    """Numbers with NaN and infinities among them."""
    x = np.asarray(draw(dtype, *shape))
    values = np.array([np.nan, np.inf, -np.inf, -0.0], dtype)
    return np.where(draw(dtype, *shape, seed=5) > 1, values[np.arange(x.size).reshape(shape) % 4], x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_select_and_masked(dtype, shape):
    x, y, keep = (
        odd(dtype, *shape),
        np.asarray(draw(dtype, *shape, seed=1)),
        np.asarray(draw(dtype, *shape, seed=2)) > 0,
    )
    for out, expected in (
        (kernels.select(keep, x, y), np.where(keep, x, y)),
        (kernels.masked(x, keep), np.where(keep, x, dtype(0))),
    ):
        assert (out.dtype, out.shape) == (dtype, shape)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", [*DTYPES, np.float16, np.int64, np.bool_])
def test_arrays_that_broadcast_or_do_not_lie_in_order(dtype):
    x, keep = (draw(np.float32, 60, 80) * 3).astype(dtype), draw(np.float32, 80, 60, seed=2) > 0
    for mask in (keep.T, keep.T[:1], keep[:1, :1], np.True_):
        np.testing.assert_array_equal(kernels.masked(x, mask), np.where(mask, x, dtype(0)))
        np.testing.assert_array_equal(kernels.select(mask, x, x[::-1]), np.where(mask, x, x[::-1]))
    assert kernels.masked(x, keep.T).dtype == dtype
    for number in (1, 2.5, True, np.float64(0.5), np.zeros((), dtype)):
        for args in ((x, number), (number, x), (number, number)):
            out, expected = kernels.select(keep.T, *args), np.where(keep.T, *args)
            assert out.dtype == expected.dtype
            np.testing.assert_array_equal(out, expected)


def test_they_do_not_depend_on_the_number_of_threads():
    x, keep, many = (
        draw(np.float32, 3 * CHUNK + 5),
        draw(np.float32, 3 * CHUNK + 5, seed=1) > 0,
        kernels.get_num_threads(),
    )
    expected = kernels.select(keep, x, -x)
    try:
        kernels.set_num_threads(1)
        np.testing.assert_array_equal(kernels.select(keep, x, -x), expected)
    finally:
        kernels.set_num_threads(many)
