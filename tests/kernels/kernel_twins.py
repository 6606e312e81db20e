"""What the tests of kernels share: drawing arrays and comparing with a twin computed in float64."""

import numpy as np

from trainkit import kernels

DTYPES = [np.float32, np.float64]


def draw(dtype, *shape, seed=0):
    """Normal numbers that depend on the shape, so that no two arguments of a kernel hold the same."""
    return np.random.default_rng([seed, len(shape), *shape]).standard_normal(shape).astype(dtype)


def assert_close(found, expected, scale=1.0):
    """Within a few roundings of the dtype, times what the number of terms in a sum multiplies them by."""
    tolerance = (1e-5 if found.dtype == np.float32 else 1e-12) * max(1.0, scale)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def windows(x, kernel_size, stride, padding, dilation=(1, 1)):
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel_size, dilation, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def grouped(x, groups):
    return x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])


def conv2d_twin(x, weight, bias, stride, padding, dilation=(1, 1), groups=1):
    views = grouped(windows(x, weight.shape[2:], stride, padding, dilation), groups)
    filters = weight.reshape(groups, -1, *weight.shape[1:])
    out = np.einsum("ngchwij,gfcij->ngfhw", views, filters).reshape(len(x), len(weight), *views.shape[3:5])
    return out if bias is None else out + bias[:, None, None]


def grad_input_twin(grad, weight, shape, stride, padding, dilation=(1, 1), groups=1):
    N, C, H, W = shape
    padded = np.zeros((N, C, H + 2 * padding[0], W + 2 * padding[1]))
    rows, columns = grad.shape[2] * stride[0], grad.shape[3] * stride[1]
    filters = weight.reshape(groups, -1, *weight.shape[1:])
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            y, x = i * dilation[0], j * dilation[1]
            part = padded[:, :, y : y + rows : stride[0], x : x + columns : stride[1]]
            part += np.einsum("ngfhw,gfc->ngchw", grouped(grad, groups), filters[..., i, j]).reshape(part.shape)
    return padded[:, :, padding[0] : padding[0] + H, padding[1] : padding[1] + W]


def grad_weight_twin(grad, x, shape, stride, padding, dilation=(1, 1), groups=1):
    views = grouped(windows(x, shape[2:], stride, padding, dilation), groups)[
        ..., : grad.shape[2], : grad.shape[3], :, :
    ]
    return np.einsum("ngchwij,ngfhw->gfcij", views, grouped(grad, groups)).reshape(shape)


def check_convolution(dtype, N, C, H, W, F, kernel_size, stride, padding, dilation=(1, 1), groups=1, roundings=(1, 1)):
    """Compare a convolution and its gradients with their twins; C and F are those of one group.

    `roundings` says how many there are for one of a plain sum: of pixels, and of the gradient of the weight.
    """
    x, weight = draw(dtype, N, C * groups, H, W), draw(dtype, F * groups, C, *kernel_size)
    bias = draw(dtype, F * groups)
    wide = [array.astype(np.float64) for array in (x, weight, bias)]
    how = stride, padding, dilation, groups
    area = kernel_size[0] * kernel_size[1]
    scale = roundings[0] * (C * area) ** 0.5
    out = kernels.conv2d(x, weight, bias, *how)
    assert out.dtype == dtype
    assert_close(out, conv2d_twin(*wide, *how), scale)
    assert_close(kernels.conv2d(x, weight, None, *how), conv2d_twin(*wide[:2], None, *how), scale)

    grad = draw(dtype, *out.shape)
    found = kernels.conv2d_grad_input(grad, weight, x.shape, *how)
    assert found.dtype == dtype
    assert_close(
        found, grad_input_twin(grad.astype(np.float64), wide[1], x.shape, *how), roundings[0] * (F * area) ** 0.5
    )

    found = kernels.conv2d_grad_weight(grad, x, weight.shape, *how)
    assert found.dtype == dtype
    expected = grad_weight_twin(grad.astype(np.float64), wide[0], weight.shape, *how)
    terms = max(1, grad.size // weight.shape[0]) ** 0.5
    assert_close(found, expected, roundings[1] * terms)
    assert_close(kernels.channel_sum(grad), grad.astype(np.float64).sum((0, 2, 3)), terms)
