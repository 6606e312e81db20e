import numpy as np
import pytest
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels


def twin(x, factor, axis, backwards):
    x, factor = (np.moveaxis(part.astype(np.float64), axis, 0) for part in (x, factor))
    out, carry = np.empty(x.shape), 0.0
    for i in range(len(x))[:: -1 if backwards else 1]:
        carry = out[i] = x[i] + factor[i] * carry
    return np.moveaxis(out, 0, axis)


@pytest.mark.parametrize("dtype", [*DTYPES, np.float16])
@pytest.mark.parametrize("shape", [(7,), (1,), (0,), (3, 0), (5, 1000), (4, 9, 3)])
def test_recurrence(dtype, shape):
    x, factor = draw(dtype, *shape), draw(dtype, *shape, seed=1) / dtype(3)
    for axis in range(len(shape)):
        for backwards in (False, True):
            out = kernels.recurrence(x, factor, axis, backwards)
            assert (out.dtype, out.shape) == (dtype, shape)
            if dtype == np.float16:
                np.testing.assert_allclose(out, twin(x, factor, axis, backwards), rtol=2e-3, atol=2e-3)
            else:
                assert_close(out, twin(x, factor, axis, backwards))


def test_the_first_factor_is_not_looked_at():
    x, factor = np.array([1.0, 2.0, 3.0]), np.array([np.nan, 10.0, np.inf])
    np.testing.assert_array_equal(kernels.recurrence(x, factor[[0, 1, 1]], 0, False), [1, 12, 123])
    np.testing.assert_array_equal(kernels.recurrence(x, factor[[1, 1, 2]], 0, True), [321, 32, 3])


def test_layouts():
    x, factor = draw(np.float32, 6, 8), draw(np.float32, 8, 6, seed=1)
    assert_close(kernels.recurrence(x[:, ::2], factor.T[:, ::2], 0, False), twin(x[:, ::2], factor.T[:, ::2], 0, False))
