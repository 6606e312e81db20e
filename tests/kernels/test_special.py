import math
from statistics import NormalDist

import numpy as np
import pytest
from kernel_twins import DTYPES

from trainkit import kernels
from trainkit.kernels.special import CHUNK

# Computed with 50 digits; to both sides of every change of method, and far into the tails.
VALUES = {
    "erf": {1e-10: 1.1283791670955126e-10, 0.5: 0.5204998778130465, -2.0: -0.9953222650189527},
    "erfc": {10.0: 2.088487583762545e-45, 26.0: 5.663192408856143e-296, -3.0: 1.9999779095030015},
    "erfcx": {0.5: 0.6156903441929259, 3.99: 0.1373240409142297, 4.01: 0.13667636742994915, 50.0: 0.011281536265323773, -3.0: 16205.988853999586},
    "erfinv": {0.5: 0.4769362762044699, -0.84: -0.9935356283473041, 1e-12: 8.86226925452758e-13, 1 - 2**-50: 5.686128441310391},
    "ndtr": {-10.0: 7.619853024160525e-24, 1.0: 0.8413447460685429},
    "log_ndtr": {-100.0: -5005.524208694205, -1.01: -1.8563130623431785, -0.99: -1.8258103178428124, 9.0: -1.1285884059538405e-19},
    "ndtri": {1e-300: -37.0470962993612, 1e-10: -6.361340902404057, 0.3: -0.5244005127080408, 0.99: 2.3263478740408408},
    "lgamma": {0.5: 0.5723649429247001, 10.0: 12.801827480081469, -0.5: 1.2655121234846454, 1e-05: 11.512919692895826},
    "digamma": {1.0: -0.5772156649015329, 0.1: -10.423754940411076, 9.99: 2.250700372831201, -0.5: 0.03648997397857652, 1000000.0: 13.815510057964191},
    "i0": {0.5: 1.0634833707413236, 19.9: 39513376.52006682, 20.1: 48017874.1071365, 700.0: 1.5295933476718737e+302},
    "i0e": {0.5: 0.6450352704491501, 100.0: 0.03994437929909668, -3.0: 0.2430003541618254},
    "i1": {0.5: 0.2578943053908963, -2.0: -1.590636854637329, 21.0: 112729199.13777553},
    "i1e": {100.0: 0.03974415302513025, -3.0: -0.19682671329730086},
}  # fmt: skip
"""By mpmath."""


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    out = kernels.special(name, np.array(list(VALUES[name])))
    np.testing.assert_allclose(out, list(VALUES[name].values()), rtol=1e-13)


@pytest.mark.parametrize("name", VALUES)
def test_float32_is_float64_rounded(name):
    x = np.array(list(VALUES[name]), np.float32)
    with np.errstate(all="ignore"):
        expected = kernels.special(name, x.astype(np.float64)).astype(np.float32)
    out = kernels.special(name, x)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("order", [1, 2, 3, 7])
def test_polygamma_by_its_series(order):
    x = np.array([0.01, 0.7, 3.0, 11.99, 12.01, 40.0, -0.3, -5.6, -30.25])
    k = np.arange(200_000.0)
    terms = (x[:, None] + k) ** -(order + 1)
    end = x + len(k)
    rest = end**-order / order + end ** -(order + 1) / 2
    expected = (-1) ** (order + 1) * math.factorial(order) * (terms[:, ::-1].sum(1) + rest)
    np.testing.assert_allclose(kernels.special("polygamma", x, order), expected, rtol=1e-11)


def test_the_quantile_is_the_inverse_of_the_distribution():
    p = np.concatenate([np.logspace(-15, -1, 40), np.linspace(0.1, 0.9, 41), 1 - np.logspace(-9, -1, 40)])
    expected = [NormalDist().inv_cdf(each) for each in p]
    np.testing.assert_allclose(kernels.special("ndtri", p), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(kernels.special("ndtr", kernels.special("ndtri", p)), p, rtol=1e-12)
    np.testing.assert_allclose(kernels.special("erf", kernels.special("erfinv", 2 * p - 1)), 2 * p - 1, rtol=1e-13)


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("erfinv", [1, -1, 2, -2], [np.inf, -np.inf, np.nan, np.nan]),
        ("ndtri", [0, 1, -1, 2], [-np.inf, np.inf, np.nan, np.nan]),
        ("lgamma", [0, -1, -7, np.inf], [np.inf] * 4),
        ("digamma", [0.0, -0.0, -1, np.inf], [-np.inf, np.inf, np.nan, np.inf]),
        ("erfcx", [np.inf, -np.inf], [0, np.inf]),
        ("i0e", [np.inf, -np.inf], [0, 0]),
        ("log_ndtr", [np.inf, -np.inf], [0, -np.inf]),
    ],
)
def test_poles_and_infinities(name, x, expected):
    np.testing.assert_array_equal(kernels.special(name, np.array([*x, np.nan])), [*expected, np.nan])


@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (CHUNK,), (3, CHUNK - 5)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_shape_layout_and_number_of_threads(shape, dtype):
    x = np.asarray(np.random.default_rng(0).normal(size=shape), dtype)
    out = kernels.special("erf", x)
    assert (out.dtype, out.shape) == (dtype, shape)
    np.testing.assert_allclose(out, np.vectorize(math.erf, otypes=[float])(x), rtol=1e-6)
    np.testing.assert_array_equal(kernels.special("erf", x.T), out.T)
    many = kernels.get_num_threads()
    try:
        kernels.set_num_threads(1)
        np.testing.assert_array_equal(kernels.special("erf", x), out)
    finally:
        kernels.set_num_threads(many)
