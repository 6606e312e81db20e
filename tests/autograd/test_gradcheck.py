"""gradcheck itself: it must find a wrong rule."""

import pytest

import trainkit as tk
from trainkit.autograd import gradcheck, gradgradcheck
from trainkit.autograd.op import OPS, op
from trainkit.errors import DTypeError, GradientError


@pytest.fixture
def wrong_square():
    @op
    def wrong_square(ctx, x):
        ctx.save(x)
        return x * x

    @wrong_square.backward
    def _(ctx, grad):
        return grad * ctx.saved[0] * 2.1

    yield wrong_square
    del OPS["wrong_square"]


def test_a_wrong_rule_is_found(wrong_square) -> None:
    x = tk.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    with pytest.raises(GradientError, match="wrong"):
        gradcheck(wrong_square, [x])
    assert not gradcheck(wrong_square, [x], raise_exception=False)


def test_second_derivatives_are_checked(wrong_square) -> None:
    x = tk.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    assert gradgradcheck(lambda x: x**3, [x])
    assert gradgradcheck(wrong_square, [x]), "the derivative of the wrong slope is consistent with it"


def test_float32_is_refused() -> None:
    with pytest.raises(DTypeError, match="float64"):
        gradcheck(tk.exp, [tk.ones(2, requires_grad=True)])
    with pytest.raises(GradientError, match="nothing to check"):
        gradcheck(tk.exp, [tk.ones(2, dtype="float64")])
