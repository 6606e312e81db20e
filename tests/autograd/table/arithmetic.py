"""Arithmetic and rounding, element by element."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.autograd.table.elementwise import binary, unary
from tests.autograd.table.rows import Bool, Float, Int, Row

__all__ = ["ROWS"]

INTS = ("int64", "int32", "int8", "uint8")
BINARY: dict[str, Any] = {"dtypes": INTS, "scalar": True, "special": True, "broadcasts": True}


def divided(name: str, reference: Callable[..., Any], note: str = "", **options: Any) -> list[Row]:
    """Division: of any numbers by numbers above and below 0, and by a number, and of a number."""
    call = options.pop("call", None) or (lambda lib, x, y: getattr(lib, name)(x, y))
    args = (Float("nm", -9, 9), Float("nm", 1, 4))
    return [
        Row(name, args, call, reference, note=note, **{**BINARY, **options}),
        Row(
            name,
            (Float("nm", -9, 9), Float("nm", -4, -1)),
            call,
            reference,
            note=note + "-negative",
            **{**BINARY, "dtypes": INTS[:3], "special": True, **options},
        ),
        Row(
            name,
            args[:1],
            lambda lib, x: call(lib, x, 3),
            lambda x: reference(x, 3),
            note=note + "-number",
            **{**BINARY, "broadcasts": False, **options},
        ),
        Row(
            name,
            args[:1],
            lambda lib, x: call(lib, x, -2.5),
            lambda x: reference(x, -2.5),
            note=note + "-fraction",
            **{**BINARY, "broadcasts": False, **options},
        ),
    ]


def np_trunc_div(x: Any, y: Any) -> Any:
    return np.trunc(x / y)


def np_round(decimals: int) -> Callable[..., Any]:
    return lambda x: np.round(x * 10.0**decimals) / 10.0**decimals


def rounding(name: str, reference: Callable[..., Any]) -> list[Row]:
    return [
        unary(name, reference, -5, 5, dtypes=(*INTS, "float16")),
        Row(f"Tensor.{name}", ("nm",), lambda lib, x: getattr(10 * x, name)(), lambda x: reference(10 * x)),
    ]


OPERATORS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "add": (lambda x, y: x + y, np.add),
    "sub": (lambda x, y: x - y, np.subtract),
    "mul": (lambda x, y: x * y, np.multiply),
    "truediv": (lambda x, y: x / y, np.divide),
    "mod": (lambda x, y: x % y, np.remainder),
    "pow": (lambda x, y: x**y, np.power),
}

ROWS = [
    binary("add", np.add, dtypes=(*INTS, "bool", "float16")),
    Row("add", ("nm", "nm"), lambda lib, x, y: lib.add(x, y, alpha=3), lambda x, y: x + 3 * y, note="alpha", dtypes=(*INTS, "bool"), scalar=True, broadcasts=True),
    Row("add", ("nm", Int("m")), lambda lib, x, i: lib.add(x, i, alpha=-1.5), lambda x, i: x - 1.5 * i, note="alpha-dtypes"),
    Row("Tensor.add", ("nm",), lambda lib, x: x.add(2, alpha=3), lambda x: x + 6, dtypes=INTS),
    binary("sub", np.subtract, dtypes=(*INTS, "float16")),
    binary("subtract", np.subtract, special=False),
    Row("sub", ("nm", "nm"), lambda lib, x, y: lib.sub(x, y, alpha=2), lambda x, y: x - 2 * y, note="alpha", dtypes=INTS, broadcasts=True),
    binary("rsub", lambda x, y: y - x, special=False),
    Row("rsub", ("nm",), lambda lib, x: lib.rsub(x, 1.5, alpha=2), lambda x: 1.5 - 2 * x, note="number", dtypes=("int64",)),
    binary("mul", np.multiply, dtypes=(*INTS, "bool", "float16")),
    binary("multiply", np.multiply, special=False),
    binary("div", np.divide, low=0.5, dtypes=(*INTS, "bool", "float16")),
    binary("divide", np.divide, low=0.5),
    binary("true_divide", np.divide, low=0.5),
    *divided("div", np.floor_divide, "floor", call=lambda lib, x, y: lib.div(x, y, rounding_mode="floor")),
    *divided("div", np_trunc_div, "trunc", call=lambda lib, x, y: lib.div(x, y, rounding_mode="trunc")),
    *divided("floor_divide", np.floor_divide, differentiable=False),
    *divided("remainder", np.remainder),
    *divided("fmod", np.fmod),
    Row("remainder", (Float("nm", 1, 4),), lambda lib, x: lib.remainder(7.5, x.detach()), lambda x: np.remainder(7.5, x), note="of-number", dtypes=INTS, differentiable=False),
    Row("div", (Float("nm"), Bool("nm")), lambda lib, x, b: lib.div(b, x), lambda x, b: b / x, note="mask", dtypes=("float16",), ties=False),
    Row("pow", (Float("nm", 0.5, 2), "nm"), lambda lib, x, y: lib.pow(x, y), np.power, **{**BINARY, "dtypes": ("float16",)}),
    Row("pow", (Float("nm", -3, 3), Int("nm")), lambda lib, x, i: lib.pow(x, i), np.power, note="whole", dtypes=INTS, broadcasts=False, special=True),
    *[
        Row("pow", (Float("nm", 0.5, 2),), lambda lib, x, p=power: lib.pow(x, p), lambda x, p=power: np.power(x, p), note=f"{power}", dtypes=("int64", "float16"), scalar=True, special=True)
        for power in (2.0, 0.5, -0.5, -1.0, -2.0, 0.0, 1.0, 1.7, -1.3)
    ],
    *[
        Row("pow", (Float("nm", -3, 3),), lambda lib, x, p=power: lib.pow(x, p), lambda x, p=power: x**p, note=f"{power}", dtypes=(*INTS, "bool", "float16"), scalar=True, special=True)
        for power in (0, 1, 2, 3, 4)
    ],
    *[
        Row("pow", ("nm",), lambda lib, x, b=base: lib.pow(b, x), lambda x, b=base: np.power(float(b), x), note=f"of-{base}", dtypes=("int64", "uint8"), special=True)
        for base in (2.0, 3, 0.5)
    ],
    Row("pow", (Float("nm", 0, 3),), lambda lib, x: lib.pow(0, x), lambda x: np.power(0.0, x), note="of-0", special=True),
    Row("float_power", (Float("nm", 0.5, 2), "nm"), lambda lib, x, y: lib.float_power(x, y).to(lib.float64 if x.dtype == lib.float64 else lib.float32), np.power, scalar=True, broadcasts=True, dtypes=("int64", "float16")),
    Row("float_power", ("nm",), lambda lib, x: lib.float_power(2, x).double().sum().to(x.dtype if x.is_floating_point() else lib.float64), lambda x: np.sum(2**x), note="number", dtypes=("int64",)),
    *[unary(name, np.negative, dtypes=(*INTS, "float16")) for name in ("neg", "negative")],
    unary("positive", np.positive, dtypes=(*INTS, "float16")),
    *[unary(name, np.abs, dtypes=(*INTS, "float16")) for name in ("abs", "absolute")],
    *[unary(name, np.sign, dtypes=(*INTS, "bool", "float16")) for name in ("sign", "sgn")],
    unary("reciprocal", np.reciprocal, low=0.5, dtypes=(*INTS, "bool", "float16")),
    unary("square", np.square, dtypes=(*INTS, "bool", "float16")),
    Row("lerp", ("nm", "nm"), lambda lib, x, y: lib.lerp(x, y, 0.3), lambda x, y: x + 0.3 * (y - x), dtypes=("float16",), scalar=True, special=True, broadcasts=True),
    Row("lerp", ("nm", "nm"), lambda lib, x, y: lib.lerp(x, y, 0.75), lambda x, y: x + 0.75 * (y - x), note="far", special=True),
    Row("lerp", ("nm", "nm", "nm"), lambda lib, x, y, w: lib.lerp(x, y, w), lambda x, y, w: x + w * (y - x), note="tensor", scalar=True, special=True, broadcasts=True),
    Row("addcmul", ("nm", "nm", "nm"), lambda lib, x, a, b: lib.addcmul(x, a, b), lambda x, a, b: x + a * b, dtypes=INTS, scalar=True, special=True, broadcasts=True),
    Row("addcmul", ("nm", "nm", Int("nm")), lambda lib, x, a, b: lib.addcmul(x, a, b, value=-2.5), lambda x, a, b: x - 2.5 * a * b, note="value"),
    Row("addcdiv", ("nm", "nm", Float("nm", 0.5)), lambda lib, x, a, b: lib.addcdiv(x, a, b), lambda x, a, b: x + a / b, special=True, broadcasts=True, scalar=True),
    Row("addcdiv", ("nm", Float("nm", gradient=False), Int("nm", 1, 4)), lambda lib, x, a, b: lib.addcdiv(x, a, b, value=3), lambda x, a, b: x + 3 * a / b, note="value"),
    binary("hypot", np.hypot, dtypes=(), low=0.1),
    binary("copysign", np.copysign, dtypes=(*INTS, "bool", "float16")),
    Row("copysign", ("nm",), lambda lib, x: lib.copysign(x, -0.0), lambda x: -np.abs(x), note="number", dtypes=INTS, special=True),
    *[
        Row(name, (Int("nm", -12, 13), Int("m", -12, 13)), lambda lib, x, y, n=name: getattr(lib, n)(x, y), getattr(np, name), differentiable=False)
        for name in ("gcd", "lcm")
    ],
    *rounding("floor", np.floor),
    *rounding("ceil", np.ceil),
    *rounding("trunc", np.trunc),
    *rounding("fix", np.trunc),
    *rounding("round", np.round),
    unary("frac", lambda x: x - np.trunc(x), -5, 5, dtypes=("float16",)),
    *[
        unary("round", np_round(decimals), -9, 9, note=f"{decimals}", dtypes=("float16",), call=lambda lib, x, d=decimals: lib.round(x, decimals=d))
        for decimals in (1, 3, -1)
    ],
    *[
        Row(f"Tensor.__{name}__", (Float("nm", 0.5, 3), Float("nm", 1, 4)), lambda lib, x, y, f=f: f(x, y), reference, dtypes=INTS[:2])
        for name, (f, reference) in OPERATORS.items()
    ],
    *[
        Row(f"Tensor.__r{name}__", (Float("nm", 1, 4),), lambda lib, x, f=f: f(3, x), lambda x, f=reference: f(3, x), dtypes=INTS)
        for name, (f, reference) in OPERATORS.items()
        if name != "mod"
    ],
    # in PyTorch 3 % x has no gradient
    Row("Tensor.__rmod__", (Float("nm", 1, 4),), lambda lib, x: 3 % x.detach(), lambda x: np.remainder(3, x), dtypes=INTS, differentiable=False),
]  # fmt: skip
