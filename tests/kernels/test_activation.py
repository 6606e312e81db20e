import math

import numpy as np
import pytest
from kernel_twins import DTYPES

from trainkit import kernels
from trainkit.kernels.elementwise import CHUNK

erfc = np.vectorize(math.erfc, otypes=[float])
ROOT = math.sqrt(2 / math.pi)


def sigmoid(x):
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def softplus(x, beta=1.0, most=np.inf, _=0):
    with np.errstate(over="ignore"):
        return np.where(beta * x > most, x, (np.maximum(beta * x, 0) + np.log1p(np.exp(-np.abs(beta * x)))) / beta)


def mish_slope(x):
    gate = np.tanh(softplus(x))
    return gate + x * (1 - gate * gate) * sigmoid(x)


OF_OUTPUT = ("sigmoid", "tanh")  # whose gradient is a function of the output
TWINS = {
    "exp": (np.exp, None),
    "tanh": (np.tanh, lambda out: 1 - out * out),
    "sigmoid": (sigmoid, lambda out: out * (1 - out)),
    "logsigmoid": (lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))), lambda x: sigmoid(-x)),
    "softplus": (softplus, lambda x, beta, most, _: np.where(beta * x > most, 1, sigmoid(beta * x)), 2.0, 20, 0),
    "elu": (
        lambda x, a, b, c: np.where(x > 0, a * x, b * np.expm1(c * np.minimum(x, 0))),
        lambda x, a, b, c: np.where(x > 0, a, b * c * np.exp(c * np.minimum(x, 0))),
        *(1.25, 1.5, 0.5),
    ),
    "mish": (lambda x: x * np.tanh(softplus(x)), mish_slope),
    "hardswish": (
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        lambda x: np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5)),
    ),
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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", TWINS)
def test_every_digit_in_the_tails_too(kind, dtype):
    x = np.concatenate([np.linspace(-12, 12, 4001), np.linspace(-80, 80, 1001), [-1e-20, 1e-10, 0]]).astype(dtype)
    forward, slope, *numbers = TWINS[kind]
    eps, least = np.finfo(dtype).eps, 1e-37 if dtype == np.float32 else 1e-300
    # the twins of float64 have roundings of their own: those of gelu, before they raise e to the result
    digits = 3 * eps if dtype == np.float32 else (1000 if "gelu" in kind else 10) * eps
    expected = forward(x.astype(np.float64), *numbers)
    np.testing.assert_allclose(kernels.activation(kind, x, *numbers), expected, rtol=digits, atol=least)
    if slope is not None:
        grad = np.linspace(0.5, 1.5, x.size, dtype=dtype)
        wide = x.astype(np.float64)
        at = forward(wide) if kind in OF_OUTPUT else wide
        expected = slope(at.astype(dtype).astype(np.float64), *numbers) * grad
        # where the slope crosses 0 it is a difference of two numbers
        found = kernels.activation_grad(kind, grad, at.astype(dtype), *numbers)
        np.testing.assert_allclose(
            found, expected, rtol=1.3 * digits, atol=0.5 * eps if dtype == np.float32 else 8 * eps
        )


@pytest.mark.parametrize("kind", TWINS)
@pytest.mark.parametrize("shape", [(), (0, 2), (5, 3), (CHUNK,), (2, CHUNK - 1)])
def test_any_shape_layout_and_number_of_threads(kind, shape):
    x = np.asarray(np.random.default_rng(0).normal(size=shape), np.float32)
    _, slope, *numbers = TWINS[kind]
    calls = [lambda x: kernels.activation(kind, x, *numbers)]
    if slope is not None:
        calls.append(lambda x: kernels.activation_grad(kind, x, x, *numbers))
    many = kernels.get_num_threads()
    for call in calls:
        out = call(x)
        assert (out.dtype, out.shape) == (np.float32, shape)
        np.testing.assert_array_equal(call(x.T).T, out)
        try:
            kernels.set_num_threads(1)
            np.testing.assert_array_equal(call(x), out)
        finally:
            kernels.set_num_threads(many)


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
