"""Arithmetic, comparison, logic and choice where a row of the table cannot say it: errors, in place, odd values."""

import math
import operator
from typing import Any

import numpy as np
import pytest

import trainkit as tk
from trainkit.errors import ArgumentError, DTypeError, ShapeError

F = tk.tensor([-1.5, 0.0, 2.5])
I = tk.tensor([-3, 1, 5])
B = tk.tensor([True, False, True])
NAN, INF = math.nan, math.inf


def check(ours: Any, values: Any, dtype: Any) -> None:
    assert ours.dtype == dtype
    np.testing.assert_array_equal(ours.detach().numpy(), values)


def slopes(function: Any, *values: list[float]) -> list[list[float]]:
    """The gradients of the sum of a function at some values."""
    inputs = [tk.tensor(part, dtype=tk.float64, requires_grad=True) for part in values]
    function(*inputs).sum().backward()
    return [x.grad.tolist() for x in inputs]


# In place and operators


IN_PLACE: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(["neg", "negative", "abs", "absolute", "sign", "sgn", "square", "reciprocal", "floor", "ceil", "trunc", "fix", "round", "frac", "nan_to_num"], ()),
    **dict.fromkeys(["add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide", "floor_divide", "remainder", "fmod"], (2.0,)),
    **dict.fromkeys(["pow", "copysign", "clamp_min", "clamp_max", "eq", "ne", "lt", "le", "gt", "ge", "not_equal", "less", "less_equal"], (2.0,)),
    **dict.fromkeys(["greater", "greater_equal", "logical_and", "logical_or", "logical_xor"], (F + 1,)),
    **dict.fromkeys(("hypot", "heaviside"), (F + 1,)),
    **dict.fromkeys(("addcmul", "addcdiv"), (F + 1, F + 5)),
    **dict.fromkeys(("clamp", "clip"), (-1.0, 1.0)),
    "lerp": (F + 1, 0.25),
    "logical_not": (),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name: str) -> None:
    x = F.clone()
    expected = getattr(x, name)(*IN_PLACE[name])
    assert getattr(x, name + "_")(*IN_PLACE[name]) is x
    check(x, expected.float().numpy(), tk.float32)


@pytest.mark.parametrize(
    "name", ["bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "gcd", "lcm"]
)
def test_in_place_of_integers(name: str) -> None:
    x, y = I.clone(), tk.tensor([1, 2, 3])
    expected = getattr(x, name)(y)
    check(getattr(x, name + "_")(y), expected.numpy(), tk.int64)


def test_in_place_is_recorded() -> None:
    x = F.clone().requires_grad_()
    y = x * 1
    y.mul_(3).clamp_(min=0).add_(x, alpha=2)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 5.0, 5.0]


def test_in_place_of_bitwise_not_and_float_power() -> None:
    check(I.clone().bitwise_not_(), ~I.numpy(), tk.int64)
    check(F.double().float_power_(2), F.numpy() ** 2, tk.float64)
    with pytest.raises(DTypeError, match="float64"):
        F.clone().float_power_(2)


INTEGERS = ["add", "sub", "mul", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift", "rshift"]


@pytest.mark.parametrize("name", INTEGERS)
def test_operators_of_integers_beside_numbers_and_in_place(name: str) -> None:
    function, changes = getattr(operator, name), getattr(operator, "i" + name.rstrip("_"), None) or operator.iand
    x, y = np.array([7, 12, 5]), np.array([1, 2, 3])
    check(function(tk.tensor(x), tk.tensor(y)), function(x, y), tk.int64)
    check(function(tk.tensor(x), 2), function(x, 2), tk.int64)
    check(function(7, tk.tensor(y)), function(7, y), tk.int64)
    changes = {"and_": operator.iand, "or_": operator.ior, "xor": operator.ixor}.get(name, changes)
    z = before = tk.tensor(x)
    z = changes(z, tk.tensor(y))
    assert z is before
    check(z, function(x, y), tk.int64)


def test_signs_and_true_division_as_operators() -> None:
    x = F.clone()
    assert +x is x
    check(-x, -F.numpy(), tk.float32)
    check(abs(x), np.abs(F.numpy()), tk.float32)
    check(~B, [False, True, False], tk.bool)
    check(3 / tk.tensor([2, 4]), [1.5, 0.75], tk.float32)
    x /= 2
    check(x, F.numpy() / 2, tk.float32)


def test_comparison_with_what_is_no_number_is_left_to_python() -> None:
    assert (F == None) is False  # noqa: E711
    assert (F != "a") is True
    with pytest.raises(TypeError, match="not supported"):
        F < "a"  # noqa: B015
    check(F != np.float64(2.5), [True, True, False], tk.bool)  # noqa: SIM300


# Dtypes


def test_python_integers_wrap_around_in_small_dtypes() -> None:
    small = tk.tensor([1, 44, 100], dtype=tk.int8)
    check(small + 300, [45, 88, -112], tk.int8)
    check(small == 300, [False, True, False], tk.bool)
    check(small < 300, [True, False, False], tk.bool)
    check(small & 300, [0, 44, 36], tk.int8)
    check(small / 200, np.float32([1, 44, 100]) / np.float32(200), tk.float32)
    byte = tk.tensor([0, 1, 255], dtype=tk.uint8)
    check(byte + -1, [255, 0, 254], tk.uint8)
    check(byte - 2, [254, 255, 253], tk.uint8)
    check(byte == -1, [False, False, True], tk.bool)
    check(byte * -1, [0, 255, 1], tk.uint8)
    check(-byte, [0, 255, 1], tk.uint8)
    check(I + 2**63, (I.numpy().astype("uint64") + np.uint64(2**63)).view("int64"), tk.int64)
    check(I * 1000, I.numpy() * 1000, tk.int64)
    check(F * 10**20, F.numpy() * np.float32(1e20), tk.float32)
    with pytest.raises(ArgumentError, match="does not fit int64"):
        I + 2**64


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.clamp(-200, 100),
        lambda x: x.clamp(0, 300),
        lambda x: tk.where(x > 0, x, 300),
        lambda x: x**300,
    ],
)
def test_python_integers_that_must_fit(call: Any) -> None:
    with pytest.raises(ArgumentError, match="does not fit int8"):
        call(tk.tensor([1, 2], dtype=tk.int8))


def test_integers_beside_fractions() -> None:
    check(tk.tensor([2**24 + 1]) == float(2**24), [True], tk.bool)  # both meet in float32
    check(I * 0.5, I.numpy() * np.float32(0.5), tk.float32)
    check(I.clamp(0.5), [0.5, 1, 5], tk.float32)
    check(B + 1.5, [2.5, 1.5, 2.5], tk.float32)
    check(tk.where(B, 1.5, I), [1.5, 1, 1.5], tk.float32)
    check(B.double().div(B), [1, NAN, 1], tk.float64)
    check(tk.div(B, F.double()), [-1 / 1.5, NAN, 0.4], tk.float64)


def test_booleans() -> None:
    other = tk.tensor([True, True, False])
    check(B + other, [True, True, True], tk.bool)
    check(B * other, [True, False, False], tk.bool)
    check(B / other, [1, 0, INF], tk.float32)
    check(B + 1, [2, 1, 2], tk.int64)
    check(B**2, [1, 0, 1], tk.int64)
    check(B.square(), [1, 0, 1], tk.int64)
    check(B.sign(), [True, False, True], tk.bool)
    check(B << 1, [2, 0, 2], tk.int64)
    check(tk.add(B, other, alpha=2), [True, True, True], tk.bool)


@pytest.mark.parametrize(
    "call",
    [
        lambda: B - B,
        lambda: B - 1,
        lambda: 1 - B,
        lambda: B - 0.5,
        lambda: F - B,
        lambda: I - B,
        lambda: F - True,
        lambda: tk.rsub(B, F),
        lambda: tk.sub(B, B, alpha=2),
        lambda: -B,
        lambda: +B,
        lambda: abs(B),
        lambda: B // B,
        lambda: B % B,
        lambda: B.fmod(B),
        lambda: tk.div(B, B, rounding_mode="floor"),
        lambda: B**B,
        lambda: B << B,
        lambda: B.floor(),
        lambda: B.round(),
        lambda: tk.addcmul(B, B, B),
        lambda: tk.gcd(B, B),
        lambda: tk.gcd(F, F),
        lambda: I.frac(),
        lambda: I.round(decimals=1),
        lambda: tk.hypot(I, I),
        lambda: F & F,
        lambda: I | 1.5,
        lambda: ~F,
        lambda: F << 1,
        lambda: I**-1,
        lambda: tk.tensor([2], dtype=tk.uint8) ** -1,
        lambda: tk.lerp(I, I, 0.5),
        lambda: tk.lerp(F, F.double(), 0.5),
        lambda: tk.lerp(F, F, F.double()),
        lambda: tk.addcdiv(F, I, I),
        lambda: tk.add(I, I, alpha=0.5),
        lambda: tk.add(F, F, alpha=True),
        lambda: tk.heaviside(F, I),
        lambda: tk.isclose(F, F.double()),
        lambda: tk.isclose(F, 1.0),
        lambda: tk.allclose(F, F.double()),
        lambda: tk.equal(F, 1.0),
        lambda: tk.where(I, F, F),
        lambda: tk.where(True, F, F),
        lambda: F + "a",
        lambda: F + None,
    ],
)
def test_dtypes_that_do_not_fit(call: Any) -> None:
    with pytest.raises(DTypeError):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: I // 0,
        lambda: I % 0,
        lambda: I.fmod(0),
        lambda: 5 // tk.tensor([1, 0]),
        lambda: I // tk.tensor([1, 0, 1]),
        lambda: tk.div(I, 0, rounding_mode="trunc"),
        lambda: tk.div(I, 0, rounding_mode="floor"),
    ],
)
def test_integers_are_not_divided_by_0(call: Any) -> None:
    with pytest.raises(DTypeError, match="divided by 0"):
        call()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: F.clamp(), ArgumentError, "min, max or both"),
        (lambda: tk.div(F, F, rounding_mode="up"), ArgumentError, "'up'"),
        (lambda: tk.where(B, F), ArgumentError, "one value"),
        (lambda: tk.isclose(F, F, rtol=-1), ArgumentError, "negative"),
        (lambda: tk.add(F, F, alpha=F), ArgumentError, "alpha must be a number"),
        (lambda: tk.add(F, F, alpha="a"), DTypeError, "alpha must be a number"),
        (lambda: F.is_nonzero(), ShapeError, "one element"),
        (lambda: tk.maximum(F, F[:2]), ShapeError, "cannot broadcast"),
        (lambda: tk.clamp(F, F[:2], F), ShapeError, "cannot broadcast"),
        (lambda: tk.isclose(F, F[:2]), ShapeError, "cannot broadcast"),
        (lambda: tk.where(B, F, F[:2]), ShapeError, "cannot broadcast"),
    ],
)
def test_arguments_that_do_not_fit(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


# Values


def test_division_of_integers_rounds_as_it_says() -> None:
    x = tk.tensor([7, -7, 7, -7])
    y = tk.tensor([2, 2, -2, -2])
    check(x // y, [3, -4, -4, 3], tk.int64)
    check(x % y, [1, 1, -1, -1], tk.int64)
    check(tk.div(x, y, rounding_mode="trunc"), [3, -3, -3, 3], tk.int64)
    check(tk.fmod(x, y), [1, -1, 1, -1], tk.int64)
    lowest = tk.tensor([-128], dtype=tk.int8)
    for quotient in (lowest // -1, tk.div(lowest, -1, rounding_mode="trunc")):
        check(quotient, [-128], tk.int8)
    check(lowest % -1, [0], tk.int8)


def test_powers_of_integers() -> None:
    check(tk.tensor([1, -1, -1, 2, 0, 2]) ** tk.tensor([-1, -3, -2, -2, -1, 3]), [1, -1, 1, 0, 0, 8], tk.int64)
    check(2 ** tk.tensor([-3, 0, 5]), [0, 1, 32], tk.int64)
    check(tk.tensor([3], dtype=tk.int8) ** 5, [-13], tk.int8)
    check(tk.float_power(I, 2), [9.0, 1.0, 25.0], tk.float64)


def test_shifts_beyond_the_bits() -> None:
    x = tk.tensor([-3, 5, 5])
    check(x << tk.tensor([64, 64, -1]), [0, 0, 0], tk.int64)
    check(x >> tk.tensor([64, 64, -1]), [-1, 0, 0], tk.int64)


def test_halves_round_to_even() -> None:
    check(tk.tensor([0.5, 1.5, 2.5, -0.5]).round(), [0.0, 2.0, 2.0, -0.0], tk.float32)
    check(tk.tensor([1234.567, -0.5]).round(decimals=-2), [1200.0, -0.0], tk.float32)


def test_odd_values_of_sign_and_clamp() -> None:
    odd = tk.tensor([NAN, INF, -INF, -0.0])
    check(odd.sign(), [0, 1, -1, 0], tk.float32)
    check(odd.clamp(0, 1), [NAN, 1, 0, 0], tk.float32)
    check(F.clamp(1, 0), [0, 0, 0], tk.float32)
    check(F.clamp(NAN, 1), [NAN] * 3, tk.float32)
    check(F.clamp(max=NAN), [NAN] * 3, tk.float32)
    check(odd.nan_to_num(1.0, posinf=2.0), [1, 2, np.finfo("float32").min, 0], tk.float32)
    check(odd.half().nan_to_num(posinf=1e9), [0, INF, -65504, 0], tk.float16)


def test_large_tensors_are_masked_as_small_ones() -> None:
    """Beyond some size a kernel chooses."""
    x = tk.randn(300, 20)
    out = tk.where(x > 0, x, -x)
    check(out, np.abs(x.numpy()), tk.float32)
    y = x.clone().requires_grad_()
    (tk.where(y > 0, y * 3, y) + y.clamp(-1, 1) + y.maximum(-y)).sum().backward()
    slope = np.where(x.numpy() > 0, 3, 1) + (np.abs(x.numpy()) < 1) + np.sign(x.numpy())
    np.testing.assert_array_equal(y.grad.numpy(), slope)


# Gradients at odd places, as PyTorch has them


def test_gradients_of_extremes() -> None:
    x, y = [NAN, INF, -INF, 0.0, 1.0], [1.0, NAN, 1.0, 0.0, 0.0]
    assert slopes(tk.maximum, x, y) == [[1, 1, 0, 0.5, 1], [1, 1, 1, 0.5, 0]]
    assert slopes(tk.minimum, x, y) == [[1, 1, 1, 0.5, 0], [1, 1, 0, 0.5, 1]]
    assert slopes(tk.fmax, x, y) == [[0, 1, 0, 1, 1], [1, 0, 1, 0, 0]]
    assert slopes(tk.fmin, x, y) == [[0, 1, 1, 1, 0], [1, 0, 0, 0, 1]]


def test_gradients_at_the_bounds_of_clamp() -> None:
    x = [NAN, 0.0, 1.0, 2.0, -1.0]
    assert slopes(lambda x: tk.clamp(x, 0, 1), x) == [[0, 1, 1, 0, 0]]
    assert slopes(lambda x: tk.clamp(x, 1, 0), x) == [[0, 0, 0, 0, 0]]
    assert slopes(lambda x: tk.clamp(x, 1, NAN), x) == [[0, 0, 0, 0, 0]]
    assert slopes(tk.clamp, x, [0.0] * 5, [1.0] * 5) == [[0, 1, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0]]
    assert slopes(tk.clamp, x, [1.0] * 5, [0.0] * 5) == [[0] * 5, [0] * 5, [1] * 5]
    assert slopes(tk.clamp, x, [1.0] * 5, [1.0] * 5) == [[0, 0, 1, 0, 0], [0] * 5, [0, 0, 0, 1, 0]]
    assert slopes(tk.clamp_min, x, [1.0] * 5) == [[0, 0, 1, 1, 0], [0, 1, 0, 0, 1]]
    assert slopes(tk.clamp_max, x, [1.0] * 5) == [[0, 1, 1, 0, 1], [0, 0, 0, 1, 0]]


def test_gradients_of_powers_at_and_below_0() -> None:
    base, exponent = [0.0, 0.0, 0.0, -1.0, -1.0], [0.0, 1.0, -1.0, 2.0, 3.0]
    to_base, to_exponent = slopes(tk.pow, base, exponent)
    assert to_base == [0, 1, -INF, -2, 3]
    np.testing.assert_array_equal(to_exponent, [0, 0, -INF, NAN, NAN])
    assert slopes(lambda x: 0**x, [0.0, 1.0, -1.0]) == [[0, 0, -INF]]
    np.testing.assert_array_equal(slopes(lambda x: (-2) ** x, [0.0, 1.0]), [[NAN, NAN]])
    assert slopes(lambda x: x**0, [0.0, NAN, INF]) == [[0, 0, 0]]


def test_gradients_that_are_0_whatever_comes_back() -> None:
    x = tk.tensor([0.3, 1.7], requires_grad=True)
    for function in (tk.sign, tk.floor, tk.ceil, tk.trunc, tk.round, lambda x: tk.div(x, 2, rounding_mode="floor")):
        x.grad = None
        function(x).backward(tk.tensor([INF, NAN]))
        assert x.grad.tolist() == [0, 0]


def test_gradient_of_copysign_and_abs_at_0() -> None:
    assert slopes(lambda x: tk.copysign(x, -1.0), [0.0, -0.0, 3.0, -3.0, -INF]) == [[0, 0, -1, 1, 1]]
    assert slopes(tk.abs, [NAN, INF, -INF, 0.0, -0.0]) == [[0, 1, -1, 0, 0]]


def test_floor_divide_has_no_history() -> None:
    assert not (F.clone().requires_grad_() // 2).requires_grad


def test_a_saved_mask_that_was_changed_since_is_noticed() -> None:
    x, mask = F.clone().requires_grad_(), B.clone()
    out = tk.where(mask, x, 0.0)
    mask.logical_not_()
    with pytest.raises(tk.TrainkitError, match="version"):
        out.sum().backward()
