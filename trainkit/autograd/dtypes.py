"""The dtypes by PyTorch's names, the default dtype, and which dtype two operands meet in."""

from typing import Any

import numpy as np

from trainkit.errors import DTypeError

__all__ = [
    "bool_",
    "double",
    "float",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "half",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "long",
    "promote_types",
    "result_type",
    "set_default_dtype",
    "uint8",
]

float16 = half = np.dtype("float16")
float32 = float = np.dtype("float32")
float64 = double = np.dtype("float64")
uint8 = np.dtype("uint8")
int8 = np.dtype("int8")
int16 = np.dtype("int16")
int32 = int = np.dtype("int32")
int64 = long = np.dtype("int64")
bool_ = np.dtype("bool")

_default = [float32]
_CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2}


def set_default_dtype(dtype: Any) -> None:
    """Set the dtype that Python floats become: float32 or float64.

    Raises:
        DTypeError: `dtype` is not a floating point dtype.
    """
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise DTypeError(f"the default dtype must be a floating point dtype, got {dtype}")
    _default[0] = dtype


def get_default_dtype() -> np.dtype[Any]:
    """Return the dtype that Python floats become; float32 unless it was set."""
    return _default[0]


def promote_types(a: Any, b: Any) -> np.dtype[Any]:
    """Return the dtype in which two dtypes meet, by PyTorch's rule: int64 with float32 gives float32.

    >>> promote_types("int64", "float32")
    dtype('float32')
    """
    a, b = np.dtype(a), np.dtype(b)
    if a.kind == "f" and b.kind != "f":
        return a
    if b.kind == "f" and a.kind != "f":
        return b
    return np.promote_types(a, b)


def result_type(*operands: Any) -> np.dtype[Any]:
    """Return the dtype in which operands meet: arrays with dimensions decide before 0-d ones, these before scalars.

    A weaker operand changes the dtype only if it is of a higher category (bool < integer < float);
    a Python scalar then brings int64 or the default dtype.

    Source: https://pytorch.org/docs/stable/tensor_attributes.html (type promotion).

    >>> result_type(np.zeros(2, "int64"), 1.5)
    dtype('float32')
    """
    ranks: list[np.dtype[Any] | None] = [None, None, None]
    for operand in operands:
        dtype: np.dtype[Any]
        if isinstance(operand, bool):
            rank, dtype = 2, bool_
        elif isinstance(operand, (np.ndarray, np.generic)):
            rank, dtype = (0 if operand.ndim else 1), operand.dtype
        else:
            rank, dtype = 2, _default[0] if _is_fraction(operand) else int64
        known = ranks[rank]
        ranks[rank] = dtype if known is None else promote_types(known, dtype)
    result: np.dtype[Any] | None = None
    for candidate in ranks:
        if candidate is not None and (
            result is None or _CATEGORY.get(candidate.kind, 3) > _CATEGORY.get(result.kind, 3)
        ):
            result = candidate
    if result is None:
        raise DTypeError("result_type needs at least one operand, got none")
    return result


def _is_fraction(operand: Any) -> bool:
    return not hasattr(operand, "__index__")
