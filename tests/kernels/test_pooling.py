import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels
from trainkit.kernels.pooling import Window


def window_of(size, kernel_size, stride, padding, dilation=None):
    dilation = dilation or (1,) * len(size)
    numbers = zip(size, kernel_size, stride, padding, dilation, strict=True)
    count = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in numbers)
    return Window(kernel_size, stride, padding, dilation, count)


def pool_twin(x, window):
    """Maximum and its place in the plane, by a loop over windows of any number of dimensions."""
    dims = len(window.counts)
    size, planes = x.shape[-dims:], x.reshape(-1, *x.shape[-dims:])
    out, place = np.empty((len(planes), *window.counts), x.dtype), np.empty((len(planes), *window.counts), np.int64)
    for plane, *at in np.ndindex(out.shape):
        best, where = -np.inf, -1
        for tap in np.ndindex(window.kernel_size):
            parts = zip(at, tap, window.stride, window.padding, window.dilation, strict=True)
            spot = tuple(a * s - p + t * d for a, t, s, p, d in parts)
            if all(0 <= i < n for i, n in zip(spot, size, strict=True)):
                value = planes[(plane, *spot)]
                if where < 0 or value > best or np.isnan(value):
                    best, where = value, np.ravel_multi_index(spot, size)
        out[(plane, *at)], place[(plane, *at)] = best, where
    shape = *x.shape[:-dims], *window.counts
    return out.reshape(shape), place.reshape(shape)


def check(x, *how):
    window = how[0] if isinstance(how[0], Window) else window_of(x.shape[-len(how[0]) :], *how)
    expected, place = pool_twin(x, window)
    out, index = kernels.max_pool(x, window)
    assert kernels.max_pool_values(x, window).tobytes() == out.tobytes()
    assert out.dtype == x.dtype
    assert index.dtype == (np.uint8 if math.prod(window.kernel_size) <= 256 else np.int32)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(kernels.max_pool_places(index, x.shape, window), place)
    np.testing.assert_array_equal(kernels.max_pool_gather(x, index, window), expected)

    grad = draw(x.dtype, *out.shape, seed=2)
    lead = math.prod(x.shape[: -len(window.counts)])
    planes = np.zeros((lead, x.size // lead))
    for plane, places, values in zip(planes, place.reshape(lead, -1), grad.reshape(lead, -1), strict=True):
        np.add.at(plane, places, values)
    assert_close(kernels.max_pool_grad(grad, index, x.shape, window), planes.reshape(x.shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "how",
    [
        ((2, 2), (2, 2), (0, 0)),
        ((3, 3), (2, 2), (1, 1)),
        ((3, 3), (1, 1), (1, 1)),
        ((3, 2), (1, 2), (1, 0)),
        ((2, 2), (3, 3), (0, 0)),
        ((1, 1), (1, 1), (0, 0)),
        ((2, 2), (1, 1), (1, 1)),
    ],
)
def test_windows_of_images(dtype, how):
    for height, width in ((8, 8), (9, 7), (2, 33), (3, 2)):
        check(draw(dtype, 2, 3, height, width), *how)


def test_a_window_of_more_than_256_elements():
    check(draw(np.float32, 1, 2, 40, 20), (20, 17), (5, 3), (3, 2))


def test_windows_that_reach_over_the_end():
    """As rounding up makes them."""
    check(draw(np.float32, 2, 7, 8), Window((3, 3), (2, 2), (0, 1), (1, 1), (3, 5)))
    check(draw(np.float32, 3, 7), Window((2,), (3,), (0,), (1,), (3,)))


def test_many_planes_on_many_threads():
    x = draw(np.float32, 8, 16, 32, 32)
    out, _ = kernels.max_pool(x, window_of((32, 32), (2, 2), (2, 2), (0, 0)))
    np.testing.assert_array_equal(out, x.reshape(8, 16, 16, 2, 16, 2).max((3, 5)))
    out, _ = kernels.max_pool(x, window_of((32, 32), (4, 4), (4, 4), (0, 0)))
    np.testing.assert_array_equal(out, x.reshape(8, 16, 8, 4, 8, 4).max((3, 5)))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_shape_in_one_to_three_dimensions(data):
    dims = data.draw(st.integers(1, 3))
    numbers = [st.integers(1, 4)] * dims
    kernel_size, stride, dilation = (data.draw(st.tuples(*numbers)) for _ in range(3))
    padding = tuple(data.draw(st.integers(0, size // 2)) for size in kernel_size)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel_size, dilation, strict=True)]
    size = tuple(
        data.draw(st.integers(max(1, r - 2 * p), 14 - 3 * dims + r)) for r, p in zip(reach, padding, strict=True)
    )
    assume(all(p < n for p, n in zip(padding, size, strict=True)))
    assume(all(d <= n for d, n in zip(dilation, size, strict=True)))  # each window meets something
    check(draw(np.float32, data.draw(st.integers(1, 3)), 2, *size), kernel_size, stride, padding, dilation)


@pytest.mark.parametrize("how", [((2, 2), (2, 2), (0, 0)), ((2, 2), (2, 2), (1, 1)), ((3, 3), (1, 1), (1, 1))])
def test_first_of_equal_maxima_nan_and_infinities(how):
    x = np.zeros((1, 4, 4, 4), np.float32)
    x[0, 1, 1, 1] = x[0, 1, 0, 2] = np.nan
    x[0, 2] = -np.inf
    x[0, 3, 3] = np.inf
    check(x, *how)


def test_integers():
    x = np.random.default_rng(0).integers(-5, 5, (2, 3, 7, 6))
    window = window_of((7, 6), (3, 3), (2, 2), (1, 1))
    np.testing.assert_array_equal(kernels.max_pool(x, window)[0], pool_twin(x, window)[0])


def test_no_image_and_an_array_that_is_not_contiguous():
    window = window_of((8, 8), (2, 2), (2, 2), (0, 0))
    out, index = kernels.max_pool(np.empty((0, 3, 8, 8), np.float32), window)
    assert out.shape == index.shape == (0, 3, 4, 4)
    assert kernels.max_pool_grad(out, index, (0, 3, 8, 8), window).shape == (0, 3, 8, 8)
    check(draw(np.float32, 2, 8, 6, 3).transpose(0, 3, 1, 2), (2, 2), (2, 2), (0, 0))
    check(draw(np.float32, 2, 8, 6, 3).transpose(0, 3, 1, 2), (3, 3), (2, 2), (0, 0))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_max_places(data):
    """Windows that differ from plane to plane, or are the same for all."""
    dims = data.draw(st.integers(1, 3))
    size = data.draw(st.tuples(*[st.integers(1, 7)] * dims))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = np.round(draw(np.float64, 2, 3, *size) * 2)
    x[rng.random(x.shape) < 0.05] = np.nan
    starts, ends = [], []
    for n in size:
        count, rows = int(rng.integers(1, 4)), int(rng.choice([1, 6]))
        begin = rng.integers(0, n, (rows, count))
        starts.append(begin)
        ends.append(rng.integers(begin + 1, n + 1))
    places = kernels.max_places(x, tuple(starts), tuple(ends))
    planes, found = x.reshape(6, *size), places.reshape(6, *places.shape[2:])
    for plane, *at in np.ndindex(found.shape):
        rows = [min(plane, len(start) - 1) for start in starts]
        spans = [range(start[row, i], end[row, i]) for start, end, row, i in zip(starts, ends, rows, at, strict=True)]
        best, where = -np.inf, -1
        for spot in np.ndindex(*map(len, spans)):
            spot = tuple(span[i] for span, i in zip(spans, spot, strict=True))
            value = planes[(plane, *spot)]
            if where < 0 or value > best or np.isnan(value):
                best, where = value, np.ravel_multi_index(spot, size)
        assert found[(plane, *at)] == where
