import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels


def windows(x, kernel_size, stride, padding):
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    view = np.lib.stride_tricks.sliding_window_view(padded, kernel_size, axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1]]


def conv2d_twin(x, weight, bias, stride, padding):
    out = np.einsum("nchwij,fcij->nfhw", windows(x, weight.shape[2:], stride, padding), weight)
    return out if bias is None else out + bias[:, None, None]


def grad_input_twin(grad, weight, shape, stride, padding):
    N, C, H, W = shape
    padded = np.zeros((N, C, H + 2 * padding[0], W + 2 * padding[1]))
    rows, columns = grad.shape[2] * stride[0], grad.shape[3] * stride[1]
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            part = padded[:, :, i : i + rows : stride[0], j : j + columns : stride[1]]
            part += np.einsum("nfhw,fc->nchw", grad, weight[:, :, i, j])
    return padded[:, :, padding[0] : padding[0] + H, padding[1] : padding[1] + W]


def check(dtype, N, C, H, W, F, kernel_size, stride, padding):
    x, weight, bias = draw(dtype, N, C, H, W), draw(dtype, F, C, *kernel_size), draw(dtype, F)
    wide = [array.astype(np.float64) for array in (x, weight, bias)]
    scale = (C * kernel_size[0] * kernel_size[1]) ** 0.5
    out = kernels.conv2d(x, weight, bias, stride, padding)
    assert out.dtype == dtype
    assert_close(out, conv2d_twin(*wide, stride, padding), scale)
    assert_close(kernels.conv2d(x, weight, None, stride, padding), conv2d_twin(*wide[:2], None, stride, padding), scale)

    grad = draw(dtype, *out.shape)
    found = kernels.conv2d_grad_input(grad, weight, x.shape, stride, padding)
    assert found.dtype == dtype
    assert_close(found, grad_input_twin(grad.astype(np.float64), wide[1], x.shape, stride, padding), F * scale)

    found = kernels.conv2d_grad_weight(grad, x, weight.shape, stride, padding)
    assert found.dtype == dtype
    expected = np.einsum("nchwij,nfhw->fcij", windows(wide[0], kernel_size, stride, padding), grad)
    assert_close(found, expected, max(1, grad.size // F) ** 0.5)
    assert_close(kernels.channel_sum(grad), grad.astype(np.float64).sum((0, 2, 3)), max(1, grad.size // F) ** 0.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("N", "C", "H", "W", "F", "kernel_size", "stride", "padding"),
    [
        (2, 3, 9, 9, 5, (3, 3), (1, 1), (0, 0)),
        (2, 3, 11, 12, 9, (3, 2), (2, 1), (1, 3)),  # padding beyond the kernel
        (3, 1, 28, 28, 32, (3, 3), (1, 1), (1, 1)),
        (1, 2, 7, 8, 3, (1, 1), (2, 3), (0, 0)),  # pixels that no tap reaches
        (2, 2, 8, 8, 4, (3, 3), (4, 4), (1, 0)),
        (2, 2, 9, 8, 4, (2, 5), (3, 2), (0, 2)),
        (17, 4, 10, 10, 17, (5, 5), (1, 1), (2, 2)),
        (33, 2, 5, 4, 3, (3, 3), (1, 1), (1, 1)),  # more images than chunks
        (1, 1, 1, 1, 1, (1, 1), (1, 1), (0, 0)),
        (1, 5, 3, 3, 16, (3, 3), (1, 1), (0, 0)),  # one pixel
        (2, 3, 4, 31, 7, (4, 4), (1, 1), (0, 0)),  # one row
        (2, 3, 31, 4, 8, (4, 4), (1, 1), (0, 0)),  # one column
        (0, 3, 8, 8, 4, (3, 3), (1, 1), (1, 1)),  # no image
    ],
)
def test_conv2d_and_both_gradients(dtype, N, C, H, W, F, kernel_size, stride, padding):
    check(dtype, N, C, H, W, F, kernel_size, stride, padding)


@pytest.mark.parametrize("width", [7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 50, 97])
def test_widths_around_every_tile(width):
    for dtype in DTYPES:
        check(dtype, 1, 2, 3, width, 3, (3, 3), (1, 1), (1, 1))


@pytest.mark.parametrize("filters", [1, 3, 4, 5, 7, 8, 9, 16, 17])
def test_filters_around_every_tile(filters):
    for dtype in DTYPES:
        check(dtype, 2, filters, 6, 6, filters, (2, 2), (1, 1), (0, 0))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_shape(data):
    kernel_size, stride, padding = (
        data.draw(st.tuples(st.integers(a, b), st.integers(a, b))) for a, b in ((1, 4), (1, 4), (0, 4))
    )
    H, W = (data.draw(st.integers(max(1, k - 2 * p), 14)) for k, p in zip(kernel_size, padding, strict=True))
    N, C, F = (data.draw(st.integers(1, 5)) for _ in range(3))
    check(np.float32, N, C, H, W, F, kernel_size, stride, padding)


def test_arrays_that_are_not_contiguous():
    x, weight = (
        draw(np.float32, 2, 9, 9, 6).transpose(0, 3, 1, 2),
        draw(np.float32, 3, 3, 6, 5).transpose(3, 2, 0, 1),
    )
    bias = draw(np.float32, 10)[::2]
    out = kernels.conv2d(x, weight, bias, (1, 1), (0, 0))
    np.testing.assert_array_equal(out, kernels.conv2d(x.copy("C"), weight.copy("C"), bias.copy(), (1, 1), (0, 0)))
    grad = np.broadcast_to(np.float32(1), out.shape)
    for gradient, args in (
        (kernels.conv2d_grad_input, (weight, x.shape)),
        (kernels.conv2d_grad_weight, (x, weight.shape)),
    ):
        copies = [np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in args]
        np.testing.assert_array_equal(
            gradient(grad, *args, (1, 1), (0, 0)), gradient(grad.copy(), *copies, (1, 1), (0, 0))
        )


def test_the_same_bits_on_any_number_of_threads():
    x, weight, bias = draw(np.float32, 19, 5, 13, 11), draw(np.float32, 10, 5, 3, 3), draw(np.float32, 10)
    grad = draw(np.float32, 19, 10, 13, 11)

    def run():
        return (
            kernels.conv2d(x, weight, bias, (1, 1), (1, 1)),
            kernels.conv2d_grad_input(grad, weight, x.shape, (1, 1), (1, 1)),
            kernels.conv2d_grad_weight(grad, x, weight.shape, (1, 1), (1, 1)),
            kernels.channel_sum(grad),
        )

    many = kernels.get_num_threads()
    try:
        first, second = run(), run()
        kernels.set_num_threads(1)
        alone = run()
    finally:
        kernels.set_num_threads(many)
    for a, b, c in zip(first, second, alone, strict=True):
        assert a.tobytes() == b.tobytes() == c.tobytes()


def test_nan_reaches_exactly_the_pixels_whose_window_holds_it():
    x, weight = np.zeros((1, 1, 6, 6), np.float32), np.ones((1, 1, 3, 3), np.float32)
    x[0, 0, 2, 5] = np.nan
    expected = np.isnan(conv2d_twin(x, weight, None, (1, 1), (1, 1)))
    np.testing.assert_array_equal(np.isnan(kernels.conv2d(x, weight, None, (1, 1), (1, 1))), expected)
    expected = np.isnan(grad_input_twin(x, weight, x.shape, (1, 1), (1, 1)))
    np.testing.assert_array_equal(np.isnan(kernels.conv2d_grad_input(x, weight, x.shape, (1, 1), (1, 1))), expected)
    assert np.isnan(kernels.conv2d_grad_weight(np.ones_like(x), x, weight.shape, (1, 1), (1, 1))).any()
    assert np.isnan(kernels.channel_sum(x)).all()


def test_channel_sum_of_a_matrix():
    grad = draw(np.float32, 7, 3)
    assert_close(kernels.channel_sum(grad), grad.astype(np.float64).sum(0))
