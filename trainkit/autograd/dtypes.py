"""The dtypes by PyTorch's names, the default dtype, and which dtype two operands meet in."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from trainkit.errors import DTypeError

__all__ = [
    "TENSOR_TYPES",
    "as_dtype",
    "bool_",
    "can_cast",
    "double",
    "finfo",
    "float",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "half",
    "iinfo",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "is_complex",
    "is_floating_point",
    "known_dtype",
    "long",
    "promote_types",
    "result_type",
    "set_default_dtype",
    "short",
    "uint8",
]

float16 = half = np.dtype("float16")
float32 = float = np.dtype("float32")
float64 = double = np.dtype("float64")
uint8 = np.dtype("uint8")
int8 = np.dtype("int8")
int16 = short = np.dtype("int16")
int32 = int = np.dtype("int32")
int64 = long = np.dtype("int64")
bool_ = np.dtype("bool")

TENSOR_TYPES: Mapping[str, np.dtype[Any]] = {
    "HalfTensor": float16,
    "FloatTensor": float32,
    "DoubleTensor": float64,
    "ByteTensor": uint8,
    "CharTensor": int8,
    "ShortTensor": int16,
    "IntTensor": int32,
    "LongTensor": int64,
    "BoolTensor": bool_,
}
"""The dtypes by the names of PyTorch's older tensor types."""

_KNOWN = {dtype: dtype for dtype in TENSOR_TYPES.values()}
_NAMES = {
    **TENSOR_TYPES,
    "half": half,
    "float": float,
    "double": double,
    "short": short,
    "int": int,
    "long": long,
}
_ROOMS = ("torch", "trainkit", "tk")
_CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2}

_default = [float32]


def known_dtype(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Return trainkit's own object for a dtype of numpy, or None if tensors have no such dtype."""
    return _KNOWN.get(dtype)


def as_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the dtype that is meant: a numpy dtype or type, Python's float, int or bool, or a name.

    A bare name is numpy's ("float" is float64), one after "torch." or "trainkit." PyTorch's ("torch.float" is float32).

    Raises:
        DTypeError: tensors have no such dtype.
    """
    if isinstance(dtype, np.dtype):
        found = _KNOWN.get(dtype)
    else:
        found = None
        if isinstance(dtype, str):
            room, _, name = dtype.rpartition(".")
            found = _NAMES.get(name) if room in _ROOMS else None
            meant: Any = name if room in _ROOMS else dtype
        else:
            meant = dtype
            own = getattr(dtype, "dtype", None)
            if isinstance(own, np.dtype):
                meant = own
        if found is None and meant is not None:
            try:
                found = _KNOWN.get(np.dtype(meant))
            except TypeError:
                found = None
    if found is None:
        raise DTypeError(
            f"{dtype!r} is no dtype of tensors; there are float16, float32, float64, int8, int16, int32, int64, uint8 "
            "and bool (no complex numbers, no bfloat16)"
        )
    return found


def set_default_dtype(d: Any) -> None:
    """Set the dtype that Python floats become: float32, float64 or float16.

    Raises:
        DTypeError: `d` is not a floating point dtype.
    """
    dtype = as_dtype(d)
    if dtype.kind != "f":
        raise DTypeError(f"the default dtype must be a floating point dtype, got {dtype}")
    _default[0] = dtype


def get_default_dtype() -> np.dtype[Any]:
    """Return the dtype that Python floats become; float32 unless it was set."""
    return _default[0]


def is_floating_point(input: Any) -> bool:
    """Tell whether the dtype of a tensor is float16, float32 or float64."""
    return _of_tensor(input, "is_floating_point").kind == "f"


def is_complex(input: Any) -> bool:
    """Tell whether the dtype of a tensor is complex, which it never is."""
    return _of_tensor(input, "is_complex").kind == "c"


def _of_tensor(input: Any, name: str) -> np.dtype[Any]:
    dtype = getattr(input, "dtype", None)
    if not isinstance(dtype, np.dtype):
        raise DTypeError(f"{name} needs a tensor, got {type(input).__name__}")
    return dtype


def can_cast(from_: Any, to: Any) -> bool:
    """Tell whether PyTorch's rules allow a result of dtype `from_` to be written into `to`: never to a lower category.

    >>> can_cast("float64", "float32"), can_cast("float32", "int64")
    (True, False)
    """
    return _CATEGORY[as_dtype(from_).kind] <= _CATEGORY[as_dtype(to).kind]


def promote_types(type1: Any, type2: Any) -> np.dtype[Any]:
    """Return the dtype in which two dtypes meet, by PyTorch's rule: int64 with float32 gives float32.

    >>> promote_types("int64", "float32")
    dtype('float32')
    """
    return _promoted(as_dtype(type1), as_dtype(type2))


def _promoted(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    if a.kind == "f" and b.kind != "f":
        return a
    if b.kind == "f" and a.kind != "f":
        return b
    return np.promote_types(a, b)


def result_type(*operands: Any) -> np.dtype[Any]:
    """Return the dtype in which tensors and numbers meet: those with dimensions decide before 0-d ones, these before
    Python scalars.

    A weaker operand changes the dtype only if it is of a higher category (bool < integer < float);
    a Python scalar then brings int64 or the default dtype.

    Source: https://pytorch.org/docs/stable/tensor_attributes.html (type promotion).

    Raises:
        DTypeError: an operand is neither a tensor nor a number.

    >>> result_type(np.zeros(2, "int64"), 1.5)
    dtype('float32')
    """  # noqa: D205 -- one sentence
    ranks: list[np.dtype[Any] | None] = [None, None, None]
    for operand in operands:
        operand = getattr(operand, "array", operand)
        dtype: np.dtype[Any]
        if isinstance(operand, (np.ndarray, np.generic)):
            rank, dtype = (0 if operand.ndim else 1), operand.dtype
        elif isinstance(operand, bool):
            rank, dtype = 2, bool_
        elif hasattr(operand, "__index__"):
            rank, dtype = 2, int64
        elif hasattr(operand, "__float__"):
            rank, dtype = 2, _default[0]
        else:
            raise DTypeError(f"result_type needs tensors and numbers, got {type(operand).__name__}")
        known = ranks[rank]
        ranks[rank] = dtype if known is None else _promoted(known, dtype)
    result: np.dtype[Any] | None = None
    for candidate in ranks:
        if candidate is not None and (
            result is None or _CATEGORY.get(candidate.kind, 3) > _CATEGORY.get(result.kind, 3)
        ):
            result = candidate
    if result is None:
        raise DTypeError("result_type needs at least one operand, got none")
    return result


class _FloatInfo(NamedTuple):
    """What a floating point dtype can hold."""

    resolution: Any
    min: Any
    max: Any
    eps: Any
    smallest_normal: Any
    tiny: Any
    dtype: str
    bits: Any

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={value:g}" for name, value in zip(self._fields[:6], self[:6], strict=True))
        return f"finfo({numbers}, dtype={self.dtype})"


class _IntegerInfo(NamedTuple):
    """What an integer dtype can hold."""

    min: Any
    max: Any
    dtype: str
    bits: Any

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


def finfo(type: Any = None) -> _FloatInfo:
    """Return what a floating point dtype can hold: min, max, eps, tiny, smallest_normal, resolution and bits.

    Raises:
        DTypeError: the dtype is not a floating point dtype.

    >>> finfo(float32).eps
    1.1920928955078125e-07
    """
    dtype = _default[0] if type is None else as_dtype(type)
    if dtype.kind != "f":
        raise DTypeError(f"finfo needs a floating point dtype, got {dtype}; iinfo knows the integers")
    info = np.finfo(dtype)
    low, high, eps, tiny = (value.item() for value in (info.min, info.max, info.eps, info.tiny))
    return _FloatInfo(10.0**-info.precision, low, high, eps, tiny, tiny, dtype.name, info.bits)


def iinfo(type: Any) -> _IntegerInfo:
    """Return what an integer dtype can hold: min, max and bits.

    Raises:
        DTypeError: the dtype is not an integer dtype.

    >>> iinfo(int8)
    iinfo(min=-128, max=127, dtype=int8)
    """
    dtype = as_dtype(type)
    if dtype.kind not in "iu":
        raise DTypeError(f"iinfo needs an integer dtype, got {dtype}; finfo knows the floating point dtypes")
    info = np.iinfo(dtype)
    return _IntegerInfo(info.min, info.max, dtype.name, info.bits)
