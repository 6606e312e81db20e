"""Functions that work element by element."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.autograd.table.rows import Float, Row

__all__ = ["ROWS"]


def unary(name: str, reference: Callable[..., Any], low: float = -2.0, high: float = 2.0, **options: Any) -> Row:
    """A function of one argument: any shape, integers too, NaN and infinities."""
    row = {"dtypes": ("int64", "bool", "float16"), "scalar": True, "special": True, **options}
    return Row(name, (Float("nm", low, high),), lambda lib, x: getattr(lib, name)(x), reference, **row)


def binary(name: str, reference: Callable[..., Any], low: float = -2.0, high: float = 2.0, **options: Any) -> Row:
    """A function of two arguments that broadcast."""
    row = {"dtypes": ("int64",), "scalar": True, "special": True, "broadcasts": True, **options}
    args = (Float("nm", low, high), Float("nm", low, high))
    return Row(name, args, lambda lib, x, y: getattr(lib, name)(x, y), reference, **row)


ROWS = [
    binary("add", np.add),
    binary("div", np.divide, low=0.5),
    unary("exp", np.exp),
    unary("abs", np.abs, dtypes=("int64", "float16")),
]
