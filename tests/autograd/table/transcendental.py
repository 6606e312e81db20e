"""Exponentials, logarithms, roots, trigonometric and special functions."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np

from tests.autograd.table.elementwise import binary, unary
from tests.autograd.table.rows import Float, Row

__all__ = ["ROWS"]

erf, erfc, lgamma = (np.vectorize(function, otypes=[float]) for function in (math.erf, math.erfc, math.lgamma))
quantile = np.vectorize(NormalDist().inv_cdf, otypes=[float])


def np_digamma(x: Any) -> Any:
    """A thousand steps of the recurrence, and the first terms of the asymptotic series."""
    y = x + 1000.0
    return np.log(y) - 1 / (2 * y) - 1 / (12 * y * y) - (1 / (x[..., None] + np.arange(1000.0))).sum(-1)


def np_polygamma(n: int, x: Any) -> Any:
    """A thousand terms of the series, and the integral of the others with two corrections."""
    y = x + 1000.0
    rest = y**-n / n + y ** -(n + 1) / 2 + (n + 1) * y ** -(n + 2) / 12
    return (-1) ** (n + 1) * math.factorial(n) * (((x[..., None] + np.arange(1000.0)) ** -(n + 1)).sum(-1) + rest)


def np_i1(x: Any) -> Any:
    return sum((x / 2) ** (2 * k + 1) / (math.factorial(k) * math.factorial(k + 1)) for k in range(40))


def np_logit(x: Any, eps: float = 0.0) -> Any:
    x = np.clip(x, eps, 1 - eps)
    return np.log(x / (1 - x))


def special(name: str, reference: Callable[..., Any], low: float = -2.0, high: float = 2.0, **options: Any) -> Row:
    """A function of one argument in the namespace `special`."""
    call = options.pop("call", lambda lib, x: getattr(lib.special, name)(x))
    row = {"dtypes": ("int64", "bool", "float16"), "scalar": True, "special": True, "call": call, **options}
    return Row(f"special.{name}", (Float("nm", low, high),), reference=reference, **row)


def changed(name: str, reference: Callable[..., Any], low: float, high: float) -> list[Row]:
    """The method of one argument, and the one in place."""
    options: dict[str, Any] = {"scalar": True, "special": True, "dtypes": () if name in COARSE else ("float16",)}

    def in_place(lib: Any, x: Any) -> Any:
        if name in WITHOUT_GRADIENT and lib.__name__ == "torch":
            return getattr(x, name)()
        return getattr(x.clone(), name + "_")()

    return [
        Row(f"Tensor.{name}", (Float("nm", low, high),), lambda lib, x: getattr(x, name)(), reference, **options),
        Row(f"Tensor.{name}_", (Float("nm", low, high),), in_place, reference, **options),
    ]


COARSE = {"sinc"}
"""The gradient near 0 is a difference, in float16 wrong by percents in PyTorch; here it is a series."""
WITHOUT_GRADIENT = {"asinh", "acosh", "atanh"}
"""PyTorch has no gradient of them in place."""

ELEMENTARY: list[tuple[str, Callable[..., Any], float, float]] = [
    ("exp", np.exp, -2, 2),
    ("exp2", np.exp2, -2, 2),
    ("expm1", np.expm1, -2, 2),
    ("log", np.log, 0.2, 3),
    ("log2", np.log2, 0.2, 3),
    ("log10", np.log10, 0.2, 3),
    ("log1p", np.log1p, -0.8, 3),
    ("sqrt", np.sqrt, 0.2, 3),
    ("rsqrt", lambda x: 1 / np.sqrt(x), 0.2, 3),
    ("sin", np.sin, -4, 4),
    ("cos", np.cos, -4, 4),
    ("tan", np.tan, -1.2, 1.2),
    ("asin", np.arcsin, -0.9, 0.9),
    ("acos", np.arccos, -0.9, 0.9),
    ("atan", np.arctan, -2, 2),
    ("sinh", np.sinh, -2, 2),
    ("cosh", np.cosh, -2, 2),
    ("tanh", np.tanh, -2, 2),
    ("asinh", np.arcsinh, -2, 2),
    ("acosh", np.arccosh, 1.2, 4),
    ("atanh", np.arctanh, -0.9, 0.9),
    ("sinc", np.sinc, -2, 2),
    ("deg2rad", np.deg2rad, -200, 200),
    ("rad2deg", np.rad2deg, -2, 2),
    ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), -4, 4),
    ("logit", np_logit, 0.05, 0.95),
    ("erf", erf, -2, 2),
    ("erfc", erfc, -2, 2),
    ("erfinv", lambda x: quantile((x + 1) / 2) / math.sqrt(2), -0.9, 0.9),
    ("lgamma", lgamma, 0.2, 4),
    ("digamma", np_digamma, 0.2, 4),
    ("i0", np.i0, -4, 4),
]

ROWS = [unary(*row, **({"dtypes": ("int64", "bool")} if row[0] == "sinc" else {})) for row in ELEMENTARY]
ROWS += [row for each in ELEMENTARY for row in changed(*each)]
ROWS += [
    *[unary(name, reference, low, high) for name, reference, low, high in [
        ("arcsin", np.arcsin, -0.9, 0.9), ("arccos", np.arccos, -0.9, 0.9), ("arctan", np.arctan, -2, 2),
        ("arcsinh", np.arcsinh, -2, 2), ("arccosh", np.arccosh, 1.2, 4), ("arctanh", np.arctanh, -0.9, 0.9),
    ]],
    unary("sinc", np.sinc, -0.4, 0.4, note="near-0", dtypes=(), tolerance=1e-3),
    unary("lgamma", lgamma, -2.9, -2.1, note="below-0", dtypes=("float16",), ties=False),
    unary("digamma", np_digamma, -2.8, -2.2, note="below-0", dtypes=("float16",), ties=False),
    Row("logit", (Float("nm", -0.2, 1.2),), lambda lib, x: lib.logit(x, eps=0.1), lambda x: np_logit(x, 0.1), ("int64", "float16"), special=True, note="eps"),
    *[
        Row(name, (Float("nm", 0.3, 4),), lambda lib, x, n=n, f=name: lib.polygamma(n, x) if f == "polygamma" else x.polygamma(n),
            lambda x, n=n: np_polygamma(n, x), ("int64",), scalar=True, note=str(n), tolerance=1e-4)
        for name in ("polygamma", "Tensor.polygamma") for n in (1, 2, 3)
    ],
    Row("polygamma", (Float("nm", -2.7, -2.3),), lambda lib, x: lib.polygamma(2, x), lambda x: np_polygamma(2, x), note="below-0", ties=False, tolerance=1e-4),
    Row("polygamma", (Float("nm", 0.3, 4),), lambda lib, x: lib.polygamma(0, x), np_digamma, note="0"),
    Row("Tensor.polygamma_", (Float("nm", 0.3, 4),), lambda lib, x: x.clone().polygamma_(1), lambda x: np_polygamma(1, x), tolerance=1e-4),
    Row("mvlgamma", (Float("nm", 1.2, 4),), lambda lib, x: lib.mvlgamma(x, 3),
        lambda x: lgamma(x) + lgamma(x - 0.5) + lgamma(x - 1) + 1.5 * math.log(math.pi), ("int64",), scalar=True),
    Row("Tensor.mvlgamma", (Float("nm", 0.2, 4),), lambda lib, x: x.mvlgamma(1), lgamma, note="1"),
    Row("Tensor.mvlgamma_", (Float("nm", 1.2, 4),), lambda lib, x: x.clone().mvlgamma_(2), lambda x: lgamma(x) + lgamma(x - 0.5) + 0.5 * math.log(math.pi)),
    binary("logaddexp", np.logaddexp, dtypes=("float16",)),
    binary("logaddexp2", np.logaddexp2, dtypes=("float16",)),
    binary("atan2", np.arctan2, 0.1, 2.0, dtypes=("int64", "bool", "float16")),
    binary("arctan2", np.arctan2, -2.0, -0.1, note="third-quadrant"),
    binary("xlogy", lambda x, y: x * np.log(y), 0.2, 2.0, dtypes=("int64", "bool", "float16")),
    Row("xlogy", (Float("nm", 0.2, 2.0),), lambda lib, x: lib.xlogy(x, 3), lambda x: x * np.log(3), ("int64", "float16"), scalar=True, special=True, note="number"),
    Row("xlogy", (Float("nm", 0.2, 2.0),), lambda lib, x: lib.xlogy(2.5, x), lambda x: 2.5 * np.log(x), ("int64", "float16"), scalar=True, special=True, note="of-number"),
    Row("xlogy", (Float("nm", 0.2, 2.0),), lambda lib, x: lib.xlogy(x * 0, x), lambda x: 0 * x, note="zero"),
    *[
        Row(name, (Float("nm", 0.2, 2.0), Float("m", 0.2, 2.0)), call, reference, ("float16",))
        for name, call, reference in [
            ("Tensor.xlogy_", lambda lib, x, y: x.clone().xlogy_(y), lambda x, y: x * np.log(y)),
            ("Tensor.atan2_", lambda lib, x, y: x.clone().atan2_(y), np.arctan2),
            ("Tensor.logaddexp", lambda lib, x, y: x.logaddexp(y), np.logaddexp),
            ("Tensor.logaddexp2", lambda lib, x, y: x.logaddexp2(y), np.logaddexp2),
        ]
    ],
    special("entr", lambda x: -x * np.log(x), 0.2, 2.0),
    special("erfcx", lambda x: np.exp(x * x) * erfc(x), dtypes=("int64", "bool")),
    special("ndtr", lambda x: erfc(-x / math.sqrt(2)) / 2),
    special("log_ndtr", lambda x: np.log(erfc(-x / math.sqrt(2)) / 2), -4, 2, dtypes=("int64", "bool")),
    special("ndtri", quantile, 0.05, 0.95, dtypes=("int64", "bool")),
    special("i0e", lambda x: np.i0(x) * np.exp(-np.abs(x)), -4, 4),
    special("i1", np_i1, -4, 4, dtypes=("int64", "bool")),
    special("i1e", lambda x: np_i1(x) * np.exp(-np.abs(x)), -4, 4, dtypes=("int64", "bool")),
    special("expit", lambda x: 1 / (1 + np.exp(-x))),
    special("gammaln", lgamma, 0.2, 4),
    special("psi", np_digamma, 0.2, 4),
    special("multigammaln", lambda x: lgamma(x) + lgamma(x - 0.5) + 0.5 * math.log(math.pi), 1.2, 4, dtypes=(), special=False, call=lambda lib, x: lib.special.multigammaln(x, 2)),
    special("round", np.round, dtypes=("float16",), ties=False),
    special("logsumexp", lambda x: np.log(np.exp(x).sum(1)), call=lambda lib, x: lib.special.logsumexp(x, 1), dtypes=(), scalar=False),
    Row("special.xlog1py", (Float("nm", 0.2, 2.0), Float("nm", -0.8, 2.0)), lambda lib, x, y: lib.special.xlog1py(x, y), lambda x, y: x * np.log1p(y),
        ("int64", "float16"), scalar=True, special=True, broadcasts=True),
]  # fmt: skip
