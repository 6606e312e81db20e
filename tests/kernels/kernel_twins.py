"""What the tests of kernels share: drawing arrays and comparing with a twin computed in float64."""

import numpy as np

DTYPES = [np.float32, np.float64]


def draw(dtype, *shape, seed=0):
    """Normal numbers that depend on the shape, so that no two arguments of a kernel hold the same."""
    return np.random.default_rng([seed, len(shape), *shape]).standard_normal(shape).astype(dtype)


def assert_close(found, expected, scale=1.0):
    """Within a few roundings of the dtype, times what the number of terms in a sum multiplies them by."""
    tolerance = (1e-5 if found.dtype == np.float32 else 1e-12) * max(1.0, scale)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
