"""Functions that choose between elements: by a condition, by their order, by bounds."""

from typing import Any

import numpy as np

from tests.autograd.table.elementwise import binary, unary
from tests.autograd.table.rows import Bool, Float, Int, Row

__all__ = ["ROWS"]

ANY = ("int64", "int8", "uint8", "bool", "float16")
ELEMENTS: dict[str, Any] = {"scalar": True, "special": True}


def clamp(name: str, low: float | None, high: float | None, **options: Any) -> Row:
    """Bounds that are numbers."""
    return Row(
        name,
        ("nm",),
        lambda lib, x: getattr(lib, name)(x, low, high),
        lambda x: np.clip(x, low, high),
        note=f"{low}-{high}",
        **{**ELEMENTS, "dtypes": ANY, **options},
    )


ROWS = [
    *[binary(name, getattr(np, name), dtypes=ANY) for name in ("maximum", "minimum", "fmax", "fmin")],
    Row("maximum", ("nm", Int("m", -2, 3)), lambda lib, x, i: lib.maximum(x, i), np.maximum, note="dtypes", dtypes=ANY[:1]),
    clamp("clamp", -0.5, 0.7),
    clamp("clamp", None, 0.7),
    clamp("clamp", 0, None),
    clamp("clamp", 0, 1, dtypes=(*ANY[:3], "float16")),
    clamp("clamp", 1, -1, dtypes=("int64",)),
    clamp("clip", -1, 1, dtypes=("int64", "int8")),
    clamp("clamp", float("-inf"), 0.5, dtypes=("float16",)),
    Row("Tensor.clamp", ("nm",), lambda lib, x: x.clamp(max=0.5), lambda x: np.minimum(x, 0.5), dtypes=ANY, **ELEMENTS),
    Row("clamp", ("nm", "nm", "nm"), lambda lib, x, low, high: lib.clamp(x, low, high), np.clip, note="tensors", dtypes=(*ANY[:3], "float16"), broadcasts=True, **ELEMENTS),
    Row("clamp", ("nm", Float("m", -1, 0), Float("n", 0, 1)), lambda lib, x, low, high: lib.clamp(x, low, high[:, None]), lambda x, low, high: np.clip(x, low, high[:, None]), note="rows", special=True),
    Row("clamp", ("nm", "nm"), lambda lib, x, low: lib.clamp(x, min=low), np.maximum, note="tensor-min", dtypes=ANY, broadcasts=True, **ELEMENTS),
    Row("clamp", ("nm", Int("m", -1, 2)), lambda lib, x, high: lib.clamp(x, max=high), np.minimum, note="tensor-max", dtypes=ANY[:1], special=True),
    Row("clamp_min", ("nm", "nm"), lambda lib, x, low: lib.clamp_min(x, low), np.maximum, dtypes=ANY, broadcasts=True, **ELEMENTS),
    Row("clamp_max", ("nm", "nm"), lambda lib, x, high: lib.clamp_max(x, high), np.minimum, dtypes=ANY, broadcasts=True, **ELEMENTS),
    Row("clamp_min", ("nm",), lambda lib, x: lib.clamp_min(x, 0.5), lambda x: np.maximum(x, 0.5), note="number", dtypes=ANY, **ELEMENTS),
    Row("clamp_max", ("nm",), lambda lib, x: lib.clamp_max(x, 1), lambda x: np.minimum(x, 1), note="number", dtypes=ANY, **ELEMENTS),
    Row("where", (Bool("nm"), "nm", "nm"), lambda lib, c, x, y: lib.where(c, x, y), np.where, dtypes=ANY, **ELEMENTS),
    Row("where", (Bool("nm"), "m", Float("n")), lambda lib, c, x, y: lib.where(c, x, y[:, None]), lambda c, x, y: np.where(c, x, y[:, None]), note="rows", dtypes=ANY, special=True),
    Row("where", ("nm",), lambda lib, x: lib.where(x > 0, x, -1.5), lambda x: np.where(x > 0, x, -1.5), note="number", dtypes=ANY[:1] + ANY[4:], **ELEMENTS),
    Row("where", ("nm",), lambda lib, x: lib.where(x > 0, 2, x), lambda x: np.where(x > 0, 2, x), note="of-number", dtypes=ANY, **ELEMENTS),
    Row("where", (Bool("nm"), "nm", Int("m")), lambda lib, c, x, i: lib.where(c, x, i), np.where, note="dtypes", dtypes=ANY[:1] + ANY[4:]),
    Row("where", (Bool("nm"),), lambda lib, c: (lib.where(c, 1, 2), lib.where(c, True, 2.5)), lambda c: (np.where(c, 1, 2), np.where(c, 1, 2.5)), note="numbers", differentiable=False),
    Row("where", (Bool("nm"),), lambda lib, c: lib.where(c), np.where, note="places", differentiable=False),
    Row("where", ("",), lambda lib, x: lib.where(x), lambda x: (np.array([0]),), note="scalar", differentiable=False, ties=False),
    Row("Tensor.where", ("nm", "nm"), lambda lib, x, y: x.where(y > 0, y), lambda x, y: np.where(y > 0, x, y), special=True),
    Row("Tensor.where", ("nm",), lambda lib, x: x.where(x > 0, 0), lambda x: np.where(x > 0, x, 0), note="number", dtypes=ANY[:3]),
    unary("nan_to_num", np.nan_to_num, dtypes=ANY),
    Row("nan_to_num", ("nm",), lambda lib, x: lib.nan_to_num(x, 1.5, posinf=7.0, neginf=float("inf")), lambda x: x, note="numbers", dtypes=ANY, **ELEMENTS),
    Row("heaviside", ("nm", "nm"), lambda lib, x, y: lib.heaviside(x, y), np.heaviside, differentiable=False, dtypes=ANY, broadcasts=True, **ELEMENTS),
]  # fmt: skip
