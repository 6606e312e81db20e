import itertools

import numpy as np
import pytest
from kernel_twins import DTYPES, draw

from trainkit import kernels
from trainkit.kernels.reduce import CHUNK, FEW, NARROW, SERIAL, WIDTH

SHAPES = [
    (),
    (7,),
    (0, 4),
    (FEW + 1,),
    (3 * CHUNK + 5,),
    (SERIAL + 1, 1),
    (CHUNK + 3, 8),
    (5, 2 * CHUNK + 3),
    (2 * NARROW + 1, NARROW - 1, 17),
    (3, 40, WIDTH + 9),
    (2, 3, 4, 5, 60),
]


def all_axes(ndim):
    return [None, *(axes for count in range(1, ndim + 1) for axes in itertools.combinations(range(ndim), count))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_over_all_axes(dtype, shape):
    x = draw(dtype, *shape) + dtype(0.5)
    wide = np.asarray(x, np.longdouble)
    size = np.abs(wide)
    for axes in all_axes(len(shape)):
        for keepdims in (False, True):
            out = kernels.total(x, axes, keepdims)
            expected = wide.sum(axes, keepdims=keepdims)
            assert (out.dtype, out.shape) == (dtype, expected.shape)
            # relative to the sum of absolute values, so that it may cancel
            bound = 4e-7 if dtype == np.float32 else 1e-14
            assert (np.abs(out - expected) <= bound * size.sum(axes, keepdims=keepdims)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts(dtype):
    x = draw(dtype, 30, 40, 50) + dtype(1)
    layouts = [
        x.transpose(2, 0, 1),
        x[::-1],
        x[:, 3:],
        x[..., ::2],
        np.broadcast_to(x[:, :1], x.shape),
        x[None, :, None],
    ]
    for y in layouts:
        for axes in all_axes(y.ndim):
            out = kernels.total(y, axes)
            np.testing.assert_allclose(out, y.sum(axes, dtype=np.float64), rtol=1e-6)
            assert out.flags.c_contiguous


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_float32_keeps_its_digits_over_many_elements(offset):
    values = np.random.default_rng(0).random(2_000_000, dtype=np.float32) + np.float32(offset)
    for x, axes in [
        (values, None),
        (values[::2], None),
        (values.reshape(-1, 8), (0,)),
        (values.reshape(4, -1, 5), (1,)),
        (values.reshape(2000, 1000), (0,)),
        (values.reshape(1000, 2000).T, (0,)),
        (values.reshape(1000, 20, 100).transpose(1, 2, 0), (0, 2)),
        (values.reshape(-1, 8)[:, 1:5], (0,)),
    ]:
        expected = x.sum(axes, dtype=np.float64)
        np.testing.assert_allclose(kernels.total(x, axes), expected, rtol=2e-7)


def test_integers_booleans_and_halves():
    assert kernels.total(np.array([200, 100], np.uint8)) == 300
    assert kernels.total(np.ones(5, bool)).dtype == np.int64
    np.testing.assert_array_equal(kernels.total(np.ones((3, 4), np.int8), (0,), True), [[3, 3, 3, 3]])
    half = np.full((4000, 2), 0.1, np.float16)
    np.testing.assert_allclose(kernels.total(half, (0,)), half.astype(float).sum(0), rtol=1e-3)
    assert kernels.total(np.array([60000, 60000, -60000], np.float16)) == 60000
    assert kernels.total(np.array([60000, 60000], np.float16)) == np.inf


def test_nan_and_infinities_pass():
    x = np.ones((3, 4 * FEW), np.float32)
    x[0, 5], x[1, 7], x[2, :2] = np.nan, np.inf, (np.inf, -np.inf)
    np.testing.assert_array_equal(kernels.total(x, (1,)), [np.nan, np.inf, np.nan])
    np.testing.assert_array_equal(kernels.total(x.T, (0,)), [np.nan, np.inf, np.nan])
    assert kernels.total(np.full(4 * SERIAL, 3e38, np.float32)) == np.inf


@pytest.mark.parametrize(
    "shape", [(5 * SERIAL + 3,), (SERIAL, 5), (3, SERIAL, 2), (6 * NARROW, 3 * WIDTH), (SERIAL, 7)]
)
def test_sums_do_not_depend_on_the_number_of_threads(shape):
    x, many = draw(np.float32, *shape), kernels.get_num_threads()
    expected = [kernels.total(x, axes) for axes in all_axes(len(shape))]
    try:
        for threads in (1, 2, 3):
            kernels.set_num_threads(threads)
            for axes, sums in zip(all_axes(len(shape)), expected, strict=True):
                np.testing.assert_array_equal(kernels.total(x, axes), sums)
    finally:
        kernels.set_num_threads(many)
