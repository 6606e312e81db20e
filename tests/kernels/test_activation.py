import math

import numpy as np
import pytest

from trainkit import kernels
from trainkit.kernels.elementwise import CHUNK

erfc = np.vectorize(math.erfc, otypes=[float])
ROOT = math.sqrt(2 / math.pi)


def sigmoid(x):
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


TWINS = {
    "sigmoid": (sigmoid, None),
    "logsigmoid": (lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))), None),
    "silu": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * sigmoid(-x))),
    "gelu": (
        lambda x: x * erfc(-x / math.sqrt(2)) / 2,
        lambda x: erfc(-x / math.sqrt(2)) / 2 + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    ),
    "gelu_tanh": (
        lambda x: x * sigmoid(2 * ROOT * (x + 0.044715 * x**3)),
        lambda x: (
            (s := sigmoid(2 * ROOT * (x + 0.044715 * x**3))) * (1 + x * (1 - s) * 2 * ROOT * (1 + 3 * 0.044715 * x * x))
        ),
    ),
}


@pytest.mark.parametrize("kind", TWINS)
def test_every_digit_of_a_float32_in_the_tails_too(kind):
    x = np.concatenate([np.linspace(-12, 12, 4001), np.linspace(-80, 80, 1001), [-1e-20, 1e-10, 0]]).astype(np.float32)
    forward, slope = TWINS[kind]
    expected = forward(x.astype(np.float64))
    np.testing.assert_allclose(kernels.activation(kind, x), expected, rtol=2e-7, atol=1e-37)
    if slope is not None:
        grad = np.linspace(0.5, 1.5, x.size, dtype=np.float32)
        # where the slope crosses 0 it is a difference of two numbers
        expected = slope(x.astype(np.float64)) * grad
        np.testing.assert_allclose(kernels.activation_grad(kind, grad, x), expected, rtol=3e-7, atol=2e-9)


@pytest.mark.parametrize("kind", TWINS)
@pytest.mark.parametrize("shape", [(), (0, 2), (5, 3), (CHUNK,), (2, CHUNK - 1)])
def test_any_shape_layout_and_number_of_threads(kind, shape):
    x = np.asarray(np.random.default_rng(0).normal(size=shape), np.float32)
    calls = [lambda: kernels.activation(kind, x), lambda: kernels.activation(kind, x.T).T]
    if TWINS[kind][1] is not None:
        calls += [lambda: kernels.activation_grad(kind, x, x), lambda: kernels.activation_grad(kind, x.T, x.T).T]
    many = kernels.get_num_threads()
    for call in calls:
        out = call()
        assert (out.dtype, out.shape) == (np.float32, shape)
        try:
            kernels.set_num_threads(1)
            np.testing.assert_array_equal(call(), out)
        finally:
            kernels.set_num_threads(many)
    np.testing.assert_array_equal(calls[1](), calls[0]())


def test_nan_infinities_and_what_is_beyond_an_exponential():
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 800, -800], np.float32)
    np.testing.assert_array_equal(kernels.activation("sigmoid", x), [np.nan, 1, 0, 1, 0, 1, 0])
    below = [np.nan, 0, -np.inf, 0, np.float32(-1e30), 0, -800]
    np.testing.assert_array_equal(kernels.activation("logsigmoid", x), below)
    for kind in ("silu", "gelu", "gelu_tanh"):
        out = kernels.activation(kind, x)
        np.testing.assert_array_equal(out, [np.nan, np.inf, np.nan, np.float32(1e30), 0, 800, 0])
        np.testing.assert_array_equal(
            kernels.activation_grad(kind, np.ones_like(x), x)[[0, 3, 4, 5, 6]], [np.nan, 1, 0, 1, 0]
        )
