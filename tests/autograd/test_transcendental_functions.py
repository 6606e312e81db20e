"""Transcendental functions, activations and softmax: tails, errors, dtypes, and what a row of the table cannot say."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import trainkit as tk
from trainkit.autograd import gradcheck, gradgradcheck
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, InPlaceError, ShapeError
from trainkit.nn import functional as F


@pytest.mark.parametrize("dtype", [tk.float32, tk.float64])
@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (tk.sigmoid, -80.0, 1.8048513878454153e-35),
        (tk.sigmoid, 80.0, 1.0),
        (tk.expm1, 1e-10, 1.00000000005e-10),
        (tk.log1p, 1e-10, 9.9999999995e-11),
        (tk.tanh, 1e-6, 9.999999999996667e-07),
        (tk.erfc, 5.0, 1.5374597944280349e-12),
        (tk.asinh, 1e-8, 1e-8),
        (tk.atanh, 1e-8, 1e-8),
        (F.logsigmoid, -100.0, -100.0),
        (F.logsigmoid, 60.0, -8.75651076269652e-27),
        (F.softplus, -60.0, 8.75651076269652e-27),
        (F.softplus, 100.0, 100.0),
        (F.gelu, -6.0, -5.919523869907172e-09),
        (F.gelu, -12.0, -2.1317785365379437e-32),
        (F.silu, -80.0, -1.4438811102763322e-33),
        (F.mish, -50.0, -9.643749239819589e-21),
        (tk.special.log_ndtr, -100.0, -5005.524208694205),
        (tk.special.ndtr, -10.0, 7.619853024160525e-24),
    ],
)
def test_tails(function: Callable[..., Any], x: float, expected: float, dtype: Any) -> None:
    given = np.asarray(x, dtype)
    # a float32 is not quite the number meant
    expected *= float(given) / x if abs(x) < 1e-5 else 1
    assert function(tk.tensor(given)).item() == pytest.approx(expected, rel=1e-6 if dtype == tk.float32 else 1e-13)


def test_what_underflows_in_float32_does_so_in_silence_and_not_in_float64() -> None:
    assert tk.erfc(tk.tensor(10.0)).item() == pytest.approx(2.088487583762545e-45, rel=0.5)
    assert tk.erfc(tk.tensor(10.0, dtype=tk.float64)).item() == pytest.approx(2.088487583762545e-45, rel=1e-13)
    assert F.softplus(tk.tensor(-100.0, dtype=tk.float64)).item() == pytest.approx(math.exp(-100), rel=1e-13)


@pytest.mark.parametrize("name", ["sigmoid", "logsigmoid", "silu", "mish", "softplus", "gelu", "elu", "tanh"])
@pytest.mark.parametrize("dtype", [tk.float16, tk.float32, tk.float64])
def test_gradients_far_out_are_finite_and_silent(name: str, dtype: Any) -> None:
    x = tk.tensor([-200.0, -20.0, 0.0, 20.0, 200.0], dtype=dtype, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(F, name)(x).sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == dtype
    assert np.isfinite(x.grad.numpy()).all()


def test_sinc_and_its_derivatives_at_0_and_where_its_series_ends() -> None:
    x = tk.tensor([0.0, 1e-4, 0.31, 1 / math.pi - 1e-9, 1 / math.pi + 1e-9, 0.33], dtype=tk.float64, requires_grad=True)
    (slope,) = tk.autograd.grad(tk.sinc(x).sum(), x, create_graph=True)
    (bend,) = tk.autograd.grad(slope.sum(), x)
    assert slope[0].item() == 0
    assert bend[0].item() == pytest.approx(-(math.pi**2) / 3)
    assert slope[1].item() == pytest.approx(-(math.pi**2) / 3 * 1e-4, rel=1e-6)
    assert slope[3].item() == pytest.approx(slope[4].item(), rel=1e-7)
    assert bend[3].item() == pytest.approx(bend[4].item(), rel=1e-6)


def test_special_names_are_one_function() -> None:
    assert tk.special.expit is tk.sigmoid
    assert tk.special.gammaln is tk.lgamma
    assert tk.special.psi is tk.digamma
    assert tk.arctan2 is tk.atan2
    assert tk.arcsinh is tk.asinh


def test_third_derivatives_of_gamma_and_bessel_functions() -> None:
    x = tk.tensor([0.7, 2.5], dtype=tk.float64, requires_grad=True)
    for function in (tk.digamma, lambda x: tk.polygamma(2, x), tk.special.i1e, tk.special.log_ndtr):
        assert gradgradcheck(function, [x])


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_second_derivatives_of_softmax_along_any_dimension(name: str, dim: int) -> None:
    x = tk.tensor(np.random.default_rng(0).normal(size=(3, 2, 4)), requires_grad=True)
    assert gradcheck(lambda x: getattr(tk, name)(x, dim), [x])
    assert gradgradcheck(lambda x: getattr(tk, name)(x, dim), [x])


def test_softmax_in_another_dtype_and_of_integers() -> None:
    whole = tk.tensor([[0, 0], [1, 1]])
    out = tk.softmax(whole, 1, dtype=tk.float64)
    assert out.dtype == tk.float64
    assert out.tolist() == [[0.5, 0.5]] * 2
    assert F.log_softmax(tk.zeros(2).half(), 0, dtype=tk.float32).dtype == tk.float32
    assert tk.zeros(2).half().softmax(0).dtype == tk.float16
    for function in (tk.softmax, tk.log_softmax):
        with pytest.raises(DTypeError, match="int64"):
            function(whole, 1)
        with pytest.raises(IndexRangeError):
            function(tk.zeros(2), 1)


def test_softmax_of_infinities_is_silent() -> None:
    x = tk.tensor([[-math.inf, -math.inf], [-math.inf, 0.0], [math.inf, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(tk.softmax(x, 1).numpy(), [[np.nan] * 2, [0, 1], [np.nan] * 2])
        np.testing.assert_array_equal(tk.log_softmax(x, 1).numpy(), [[np.nan] * 2, [-np.inf, 0], [np.nan] * 2])


def test_softmax_of_nothing_and_of_one_number() -> None:
    for shape in ((0, 3), (3, 0), (2, 0, 3)):
        x = tk.zeros(*shape, requires_grad=True)
        for dim in range(len(shape)):
            out = tk.softmax(x, dim)
            assert out.shape == shape
            out.sum().backward()
    assert tk.softmax(tk.tensor(3.0), -1).item() == 1
    assert tk.log_softmax(tk.tensor(3.0), 0).item() == 0


def test_softmax_without_a_dimension_guesses_as_pytorch_does_and_says_so() -> None:
    for shape, dim in (((2,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1)):
        x = tk.randn(*shape)
        with pytest.warns(UserWarning, match="dim"):
            out = F.softmax(x)
        np.testing.assert_array_equal(out.numpy(), F.softmax(x, dim).numpy())


@pytest.mark.parametrize(
    "name",
    ["relu", "relu6", "leaky_relu", "elu", "selu", "celu", "hardtanh", "hardswish", "hardsigmoid", "silu", "mish"],
)
def test_inplace_changes_the_tensor_and_refuses_a_leaf(name: str) -> None:
    x = tk.tensor([-1.0, 0.5])
    expected = getattr(F, name)(x).tolist()
    assert getattr(F, name)(x, inplace=True) is x
    assert x.tolist() == expected
    with pytest.raises(RuntimeError):
        getattr(F, name)(tk.ones(2, requires_grad=True), inplace=True)


def test_in_place_forms_refuse_what_the_dtype_cannot_hold() -> None:
    for name in ("exp_", "sigmoid_", "erf_", "deg2rad_"):
        with pytest.raises(DTypeError):
            getattr(tk.tensor([1, 2]), name)()
    x = tk.ones(2, requires_grad=True)
    y = x * 2
    z = y.log()
    y.exp_()
    with pytest.raises(InPlaceError):
        z.sum().backward()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: tk.polygamma(-1, tk.ones(2)), ArgumentError),
        (lambda: tk.mvlgamma(tk.ones(2), 0), ArgumentError),
        (lambda: tk.celu(tk.ones(2), 0.0), ArgumentError),
        (lambda: F.gelu(tk.ones(2), approximate="sigmoid"), ArgumentError),
        (lambda: F.softshrink(tk.ones(2), -1.0), ArgumentError),
        (lambda: F.hardtanh(tk.ones(2), 1.0, -1.0), ArgumentError),
        (lambda: F.glu(tk.ones(3)), ShapeError),
        (lambda: F.glu(tk.tensor(1.0)), ShapeError),
        (lambda: tk.prelu(tk.ones(2, 3), tk.ones(2)), ShapeError),
        (lambda: tk.prelu(tk.ones(2), tk.ones(1, dtype=tk.float64)), DTypeError),
        (lambda: tk.atan2(tk.ones(2), tk.ones(3)), ShapeError),
        (lambda: tk.relu(tk.tensor([True])), DTypeError),
        (lambda: F.relu6(tk.tensor([True])), DTypeError),
        *[
            (lambda name=name: getattr(F, name)(tk.tensor([1, 2])), DTypeError)
            for name in ("gelu", "silu", "elu", "selu", "celu", "mish", "softplus", "logsigmoid", "hardswish", "leaky_relu")
        ],
    ],
)  # fmt: skip
def test_errors(call: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


def test_mixed_dtypes_meet_as_in_pytorch() -> None:
    single, double, whole = tk.ones(2), tk.ones(2, dtype=tk.float64), tk.tensor([1, 2])
    assert tk.atan2(single, double).dtype == tk.float64
    assert tk.atan2(whole, double).dtype == tk.float64
    assert tk.atan2(whole, whole).dtype == tk.float32
    assert tk.atan2(tk.tensor([True, False]), double).dtype == tk.float64
    assert tk.xlogy(whole, 2).dtype == tk.float32
    assert tk.xlogy(0, single).tolist() == [0, 0]
    assert tk.xlogy(tk.tensor([True, True]), single.half()).dtype == tk.float16
    assert tk.logaddexp(single, tk.tensor(1.0, dtype=tk.float64)).dtype == tk.float32
    x = tk.tensor([2.0], requires_grad=True)
    tk.xlogy(tk.tensor([3], dtype=tk.int64), x).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.5]
