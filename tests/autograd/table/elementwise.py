"""The rows of functions that work element by element."""

from collections.abc import Callable
from typing import Any

from tests.autograd.table.rows import Float, Row

__all__ = ["binary", "unary"]


def unary(name: str, reference: Callable[..., Any], low: float = -2.0, high: float = 2.0, **options: Any) -> Row:
    """A function of one argument: any shape, integers too, NaN and infinities."""
    row = {"dtypes": ("int64", "bool", "float16"), "scalar": True, "special": True, **options}
    call = row.pop("call", lambda lib, x: getattr(lib, name)(x))
    return Row(name, (Float("nm", low, high),), call, reference, **row)


def binary(name: str, reference: Callable[..., Any], low: float = -2.0, high: float = 2.0, **options: Any) -> Row:
    """A function of two arguments that broadcast."""
    row = {"dtypes": ("int64",), "scalar": True, "special": True, "broadcasts": True, **options}
    args = (Float("nm", low, high), Float("nm", low, high))
    return Row(name, args, lambda lib, x, y: getattr(lib, name)(x, y), reference, **row)
