"""Functions that go along a dimension."""

import numpy as np

from tests.autograd.table.rows import Float, Int, Row

__all__ = ["ROWS"]

ROWS = [
    Row(
        "cumsum",
        ("nm",),
        lambda lib, x: lib.cumsum(x, 1),
        lambda x: x.cumsum(1),
        dtypes=("int64", "bool", "float16"),
        special=True,
    ),
    Row("cumsum", ("nm",), lambda lib, x: x.cumsum(-2), lambda x: x.cumsum(0), note="first"),
    Row("cumprod", ("nm",), lambda lib, x: lib.cumprod(x, 1), lambda x: x.cumprod(1), dtypes=("int64",)),
    Row(
        "cumprod",
        ("nm",),
        lambda lib, x: (x * (x.abs() > 0.7)).cumprod(0),
        lambda x: (x * (abs(x) > 0.7)).cumprod(0),
        note="zeros",
    ),
    Row("logcumsumexp", ("nm",), lambda lib, x: lib.logcumsumexp(x, 1), lambda x: np.log(np.exp(x).cumsum(1))),
    Row(
        "cummax",
        ("nm",),
        lambda lib, x: lib.cummax(x, 1),
        lambda x: (
            np.maximum.accumulate(x, 1),
            np.maximum.accumulate(np.where(x == np.maximum.accumulate(x, 1), np.arange(x.shape[1]), 0), 1),
        ),
        special=True,
    ),
    Row("cummin", ("nm",), lambda lib, x: lib.cummin(x, 0)[0], lambda x: np.minimum.accumulate(x, 0), special=True),
    Row("diff", ("nm",), lambda lib, x: lib.diff(x), np.diff, dtypes=("int64",)),
    Row(
        "diff",
        ("nm", "km"),
        lambda lib, x, y: lib.diff(x, 2, 0, prepend=y),
        lambda x, y: np.diff(np.concatenate([y, x]), 2, 0),
        note="twice",
        least={"k": 2},
    ),
    Row("trapezoid", ("nm",), lambda lib, x: lib.trapezoid(x, dx=0.5), lambda x: np.trapezoid(x, dx=0.5)),
    Row(
        "trapezoid",
        ("nm", Float("m")),
        lambda lib, y, x: lib.trapezoid(y, x),
        lambda y, x: np.trapezoid(y, x),
        note="places",
    ),
    Row("trapz", ("nm",), lambda lib, x: lib.trapz(x, dim=0), lambda x: np.trapezoid(x, axis=0), empty=False),
    Row(
        "cumulative_trapezoid",
        ("nm", "m"),
        lambda lib, y, x: (lib.cumulative_trapezoid(y, x), lib.cumulative_trapezoid(y, dx=2, dim=0)),
        lambda y, x: (
            ((y[:, 1:] + y[:, :-1]) * np.diff(x) / 2).cumsum(1),
            (y[1:] + y[:-1]).cumsum(0),
        ),
        empty=False,
    ),
    Row(
        "cumsum",
        (Int("nm"),),
        lambda lib, x: lib.cumsum(x, 0, dtype=lib.float64),
        lambda x: x.cumsum(0),
        note="dtype",
        differentiable=False,
    ),
    Row(
        "cumprod",
        (Float("nm", 0.3, 2.0),),
        lambda lib, x: lib.cumprod(x, 1),
        lambda x: x.cumprod(1),
        note="positive",
        scalar=False,
    ),
    Row("cumprod", ("nm",), lambda lib, x: lib.cumprod(x, 1), lambda x: x.cumprod(1), note="special", special=True),
    Row("Tensor.cumsum_", ("nm",), lambda lib, x: (x * 1).cumsum_(1), lambda x: x.cumsum(1)),
    Row("Tensor.cumprod_", ("nm",), lambda lib, x: (x * 1).cumprod_(1), lambda x: x.cumprod(1)),
    Row(
        "logcumsumexp",
        ("nm",),
        lambda lib, x: x.logcumsumexp(0),
        lambda x: np.log(np.exp(x).cumsum(0)),
        note="first",
        special=True,
    ),
]
