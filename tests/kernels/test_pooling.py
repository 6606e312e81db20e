import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels


def pool_twin(x, kernel_size, stride, padding):
    """Maximum and its place in the plane, -1 where there is none, by a loop over windows."""
    N, C, H, W = x.shape
    rows = (H + 2 * padding[0] - kernel_size[0]) // stride[0] + 1
    columns = (W + 2 * padding[1] - kernel_size[1]) // stride[1] + 1
    out, place = np.empty((N, C, rows, columns), x.dtype), np.empty((N, C, rows, columns), np.int64)
    for n, c, row, column in np.ndindex(out.shape):
        best, at = -np.inf, -1
        for i in range(kernel_size[0]):
            for j in range(kernel_size[1]):
                y, z = row * stride[0] - padding[0] + i, column * stride[1] - padding[1] + j
                if 0 <= y < H and 0 <= z < W:
                    value = x[n, c, y, z]
                    if at < 0 or value > best or np.isnan(value):
                        best, at = value, y * W + z
        out[n, c, row, column], place[n, c, row, column] = best, at
    return out, place


def check(x, kernel_size, stride, padding):
    window = kernel_size, stride, padding
    expected, place = pool_twin(x, *window)
    out, index = kernels.max_pool2d(x, *window)
    assert out.dtype == x.dtype
    assert index.dtype == (np.uint8 if kernel_size[0] * kernel_size[1] <= 256 else np.int32)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(kernels.max_pool2d_gather(x, index, *window), expected)

    # Positions as values: the gather tells where each index points.
    positions = np.broadcast_to(np.arange(x.shape[2] * x.shape[3], dtype=x.dtype).reshape(x.shape[2:]), x.shape)
    np.testing.assert_array_equal(kernels.max_pool2d_gather(positions, index, *window), place)

    grad = draw(x.dtype, *out.shape, seed=2)
    planes = np.zeros((x.shape[0] * x.shape[1], x.shape[2] * x.shape[3]))
    for plane, places, values in zip(
        planes, place.reshape(len(planes), -1), grad.reshape(len(planes), -1), strict=True
    ):
        np.add.at(plane, places, values)
    assert_close(kernels.max_pool2d_grad(grad, index, x.shape, *window), planes.reshape(x.shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "window",
    [
        ((2, 2), (2, 2), (0, 0)),
        ((3, 3), (2, 2), (1, 1)),
        ((3, 2), (1, 2), (1, 0)),
        ((2, 2), (3, 3), (0, 0)),
        ((1, 1), (1, 1), (0, 0)),
        ((2, 2), (1, 1), (1, 1)),
    ],
)
def test_max_pool2d(dtype, window):
    for height, width in ((8, 8), (9, 7), (2, 33), (3, 2)):
        check(draw(dtype, 2, 3, height, width), *window)


def test_a_window_of_more_than_256_elements():
    check(draw(np.float32, 1, 2, 40, 20), (20, 17), (5, 3), (3, 2))


def test_many_planes_on_many_threads():
    x = draw(np.float32, 8, 16, 32, 32)
    out, _ = kernels.max_pool2d(x, (2, 2), (2, 2), (0, 0))
    np.testing.assert_array_equal(out, x.reshape(8, 16, 16, 2, 16, 2).max((3, 5)))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_shape(data):
    kernel_size, stride = (data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4))) for _ in range(2))
    padding = tuple(data.draw(st.integers(0, size // 2)) for size in kernel_size)
    H, W = (data.draw(st.integers(max(1, k - 2 * p), 12)) for k, p in zip(kernel_size, padding, strict=True))
    check(draw(np.float32, data.draw(st.integers(1, 3)), 2, H, W), kernel_size, stride, padding)


@pytest.mark.parametrize("window", [((2, 2), (2, 2), (0, 0)), ((2, 2), (2, 2), (1, 1))])
def test_first_of_equal_maxima_nan_and_infinities(window):
    x = np.zeros((1, 4, 4, 4), np.float32)
    x[0, 1, 1, 1] = x[0, 1, 0, 2] = np.nan
    x[0, 2] = -np.inf
    x[0, 3, 3] = np.inf
    check(x, *window)


def test_no_image_and_an_array_that_is_not_contiguous():
    out, index = kernels.max_pool2d(np.empty((0, 3, 8, 8), np.float32), (2, 2), (2, 2), (0, 0))
    assert out.shape == index.shape == (0, 3, 4, 4)
    assert kernels.max_pool2d_grad(out, index, (0, 3, 8, 8), (2, 2), (2, 2), (0, 0)).shape == (0, 3, 8, 8)
    check(draw(np.float32, 2, 8, 6, 3).transpose(0, 3, 1, 2), (2, 2), (2, 2), (0, 0))
