"""Comparisons, logic and bits, element by element."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.autograd.table.rows import Arg, Bool, Float, Int, Row

__all__ = ["ROWS"]

ANY = ("int64", "int8", "uint8", "bool", "float16")


def row(name: str, args: tuple[Arg | str, ...], call: Callable[..., Any], reference: Any, **options: Any) -> Row:
    """A function without a gradient."""
    return Row(name, args, call, reference, **{"differentiable": False, **options})


def test(name: str, reference: Callable[..., Any]) -> Row:
    """A test of each element of a tensor."""
    return row(name, ("nm",), lambda lib, x: getattr(lib, name)(x), reference, dtypes=ANY, scalar=True, special=True)


def pair(name: str, reference: Callable[..., Any]) -> list[Row]:
    """A test of two elements, by the function and by the method, of tensors and of a number."""
    return [
        row(name, ("nm", "nm"), lambda lib, x, y: getattr(lib, name)(x, y), reference, dtypes=ANY, scalar=True, special=True, broadcasts=True),
        row(f"Tensor.{name}", (Float("nm", -2, 4), Int("nm", -2, 4)), lambda lib, x, i: getattr(x, name)(i), reference, dtypes=ANY[:2], special=True),
    ]  # fmt: skip


def bits(name: str, reference: Callable[..., Any], low: int = -9) -> list[Row]:
    def call(lib: Any, x: Any, y: Any) -> Any:
        return getattr(lib, name)(x, y)

    return [
        row(name, (Int("nm", -9, 99), Int("m", low, 9)), call, reference),
        row(name, (Int("nm", -9, 99),), lambda lib, x: call(lib, x, 3), lambda x: reference(x, 3), note="number"),
        row(name, (Int("nm", 0, 99),), lambda lib, x: call(lib, 3, x), lambda x: reference(3, x), note="of-number"),
        row(name, (Int("nm", -9, 99), Bool("nm")), call, reference, note="mask"),
    ]


COMPARISONS = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal,
}  # fmt: skip

ROWS = [
    *[row for name, reference in COMPARISONS.items() for row in pair(name, reference)],
    *[
        row(name, ("nm",), lambda lib, x, n=name: getattr(lib, n)(x, 0.5), lambda x, f=reference: f(x, 0.5), note="number", dtypes=ANY, special=True)
        for name, reference in COMPARISONS.items()
    ],
    *[row for name in ("logical_and", "logical_or", "logical_xor") for row in pair(name, getattr(np, name))],
    test("logical_not", np.logical_not),
    test("isnan", np.isnan),
    test("isinf", np.isinf),
    test("isposinf", np.isposinf),
    test("isneginf", np.isneginf),
    test("isfinite", np.isfinite),
    test("isreal", lambda x: np.isreal(x)),
    test("signbit", np.signbit),
    *bits("bitwise_and", np.bitwise_and),
    *bits("bitwise_or", np.bitwise_or),
    *bits("bitwise_xor", np.bitwise_xor),
    *bits("bitwise_left_shift", np.left_shift, 0),
    *bits("bitwise_right_shift", np.right_shift, 0),
    *[
        row(name, (Bool("nm"), Bool("nm")), lambda lib, x, y, n=name: getattr(lib, n)(x, y), getattr(np, name), note="booleans")
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    ],
    row("bitwise_not", (Int("nm", -9, 9),), lambda lib, x: lib.bitwise_not(x), np.invert),
    row("bitwise_not", (Bool("nm"),), lambda lib, x: lib.bitwise_not(x), np.invert, note="booleans"),
    row("Tensor.__xor__", (Int("nm"), Int("nm")), lambda lib, x, y: (x ^ y, 5 ^ x, x & y, 5 & x, x | y, 5 | x, ~x), lambda x, y: (x ^ y, 5 ^ x, x & y, 5 & x, x | y, 5 | x, ~x)),
    row("Tensor.__lshift__", (Int("nm"), Int("nm")), lambda lib, x, y: (x << y, x >> y, 5 << y, 500 >> y), lambda x, y: (x << y, x >> y, 5 << y, 500 >> y)),
    row("Tensor.__floordiv__", (Float("nm", 1, 9), Int("nm", 1, 4)), lambda lib, x, y: (x // y, x // 2, 7 // x), lambda x, y: (x // y, x // 2, 7 // x), dtypes=ANY[:3]),
    row("isclose", ("nm", "nm"), lambda lib, x, y: lib.isclose(x, y, 0.1, 0.2), lambda x, y: np.isclose(x, y, 0.1, 0.2), dtypes=ANY, scalar=True, special=True, broadcasts=True),
    row("isclose", ("nm",), lambda lib, x: lib.isclose(x, x.clone(), equal_nan=True), lambda x: np.full(x.shape, True), note="nan", dtypes=ANY, special=True),
    row("isclose", ("nm",), lambda lib, x: lib.isclose(x, x + 1e-7), None, note="near", special=True),
    row("allclose", ("nm", "m"), lambda lib, x, y: lib.allclose(x, y, 0.5, 0.5), lambda x, y: np.allclose(x, y, 0.5, 0.5), dtypes=ANY),
    row("allclose", ("nm",), lambda lib, x: (lib.allclose(x, x), lib.allclose(x, x, equal_nan=True), x.allclose(x + 1)), lambda x: (True, True, x.size == 0), note="nan", dtypes=ANY[:1], special=True),
    row("equal", ("nm",), lambda lib, x: (lib.equal(x, x.clone()), x.equal(x[:0]), lib.equal(x, x + 1)), lambda x: (True, x.size == 0, x.size == 0), dtypes=ANY[:1], special=True),
    row("is_nonzero", ("",), lambda lib, x: lib.is_nonzero(x), np.bool_, dtypes=ANY, special=True),
    row("Tensor.is_nonzero", (Int("", 0, 2),), lambda lib, x: x.reshape(1, 1).is_nonzero(), np.bool_),
    row("is_tensor", ("nm",), lambda lib, x: (lib.is_tensor(x), lib.is_tensor(1.0)), lambda x: (True, False)),
    row("is_floating_point", ("nm", Int("n")), lambda lib, x, i: (lib.is_floating_point(x), lib.is_floating_point(i), x.is_floating_point()), lambda x, i: (True, False, True), dtypes=ANY),
    row("numel", ("nm",), lambda lib, x: (lib.numel(x), x.numel()), lambda x: (x.size, x.size)),
]  # fmt: skip
