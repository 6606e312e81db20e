"""What becomes an array, and of which dtype and shape."""

from functools import reduce
from itertools import chain
from typing import Any

import numpy as np

from trainkit.autograd.device import check_device
from trainkit.autograd.dtypes import as_dtype, get_default_dtype, int64, known_dtype, promote_types
from trainkit.autograd.graph import Array, TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.size import Size, sizes_of
from trainkit.errors import ArgumentError, DTypeError, GradientError

__all__ = ["array_from", "cast_array", "constructor_array", "default_or", "dtype_of", "finish", "shape_from"]


def finish(array: Any, device: Any = None, requires_grad: bool = False) -> Any:
    """Make a new tensor of an array that is its own."""
    if device is not None:
        check_device(device)
    result = wrap(array)
    return result.requires_grad_() if requires_grad else result


def default_or(dtype: Any) -> np.dtype[Any]:
    """Return the dtype that is meant; None means the default dtype."""
    return get_default_dtype() if dtype is None else as_dtype(dtype)


def shape_from(sizes: tuple[Any, ...], size: Any = None) -> tuple[int, ...]:
    """Return the shape of sizes that came one by one or as one sequence, or by the keyword `size`.

    Raises:
        ArgumentError: no size came, or one that is negative or no integer.
    """
    if not sizes and size is None:
        raise ArgumentError("a size is missing; expected integers, as in (2, 3), or () for no dimensions")
    return sizes_of(sizes if size is None else (size,))


def cast_array(array: Array, dtype: np.dtype[Any]) -> Array:
    """Copy an array as `dtype`; what does not fit becomes what the processor makes of it, in silence as in PyTorch."""
    if array.dtype.kind == "f" and (dtype.kind != "f" or dtype.itemsize < array.dtype.itemsize):
        with np.errstate(all="ignore"):
            return array.astype(dtype)
    return array.astype(dtype)


def dtype_of(array: Array) -> np.dtype[Any]:
    """Return the dtype that a tensor of `array` has, whatever the order of its bytes.

    Raises:
        DTypeError: tensors have no such dtype.
    """
    known = known_dtype(array.dtype.newbyteorder("="))
    if known is None:
        hint = "complex numbers are not supported" if array.dtype.kind == "c" else "cast it first"
        raise DTypeError(f"cannot make a tensor of an array of dtype {array.dtype}; {hint}")
    return known


def array_from(data: Any, dtype: Any = None) -> Array:
    """Return a new array of numbers, nested sequences, arrays or tensors.

    Python floats become the default dtype; arrays, tensors and numpy's scalars, also inside a sequence, keep theirs.

    Raises:
        ArgumentError: rows differ in length, or a number does not fit the dtype.
        DTypeError: the values are no numbers or of a dtype that tensors do not have.
    """
    if dtype is None and type(data) is float:
        return np.array(data, get_default_dtype())
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(data, TensorBase):
        data = data.array
    if isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        return cast_array(array, dtype_of(array) if wanted is None or array.dtype.kind not in "biuf" else wanted)
    array = _parsed(data)
    if wanted is None:
        wanted = _inferred(data, array)
    elif wanted.kind in "iu":
        _check_fits(array, wanted)
    return array if array.dtype is wanted else cast_array(array, wanted)


def constructor_array(data: tuple[Any, ...], dtype: Any = None) -> Array:
    """Return what `Tensor(*data)` holds: memory of the given sizes, or the data as the default dtype.

    Raises:
        ArgumentError: several values came that are no sizes.
    """
    if len(data) == 1 and isinstance(data[0], Size):
        data = data[0]
    if all(isinstance(size, int) and not isinstance(size, bool) for size in data):
        return np.empty(shape_from(data or (0,)), default_or(dtype))
    if len(data) > 1:
        raise ArgumentError(f"expected sizes or one sequence of values, got {data}; use trainkit.tensor([...])")
    if dtype is None and not isinstance(data[0], TensorBase):
        dtype = get_default_dtype()
    return array_from(data[0], dtype)


def _parsed(data: Any) -> Array:
    """Return Python data as numpy reads it, if these are numbers."""
    try:
        array = np.array(data)
    except GradientError:
        array = np.array(_without_history(data))
    except (ValueError, TypeError) as error:
        raise ArgumentError(
            f"cannot make a tensor of a {type(data).__name__} whose rows differ in length or depth: {error}"
        ) from None
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "c":
        raise DTypeError("cannot make a tensor of complex numbers: they are not supported; use two tensors")
    if any(isinstance(leaf, int) and abs(leaf) >= 2**63 for leaf in _leaves(data)[0]):
        raise ArgumentError("an integer is beyond the range of int64; make it a float first")
    raise DTypeError(
        f"cannot make a tensor of {type(data).__name__} values of dtype {array.dtype}; "
        "expected numbers or booleans in rows of one length"
    )


def _inferred(data: Any, array: Array) -> np.dtype[Any]:
    """Return the dtype of a tensor of `data`, which numpy read as `array`."""
    if not isinstance(data, (list, tuple, int, float)):
        return dtype_of(array)
    leaves, kinds = _leaves(data)
    if kinds <= {bool, int, float}:
        if kinds and float not in kinds and array.dtype.kind in "fu":
            raise ArgumentError("an integer is beyond the range of int64; make it a float first")
        return get_default_dtype() if array.dtype.kind == "f" else array.dtype
    plain = get_default_dtype() if float in kinds else int64 if int in kinds else None
    found = {leaf.dtype for leaf in leaves if isinstance(leaf, (np.generic, np.ndarray)) or hasattr(leaf, "dtype")}
    dtypes = [dtype_of(np.empty(0, dtype)) for dtype in found] + ([] if plain is None else [plain])
    return reduce(promote_types, dtypes) if dtypes else dtype_of(array)


def _leaves(data: Any) -> tuple[list[Any], set[type]]:
    """Return what lies at the bottom of nested sequences, and of which types it is."""
    level = [data]
    while True:
        kinds = set(map(type, level))
        deeper = [issubclass(kind, (list, tuple)) for kind in kinds]
        if not any(deeper):
            return level, kinds
        level = list(chain.from_iterable(level if all(deeper) else map(_listed, level)))


def _listed(part: Any) -> Any:
    return part if isinstance(part, (list, tuple)) else (part,)


def _without_history(data: Any) -> Any:
    if isinstance(data, TensorBase):
        return data.array
    return [_without_history(part) for part in data] if isinstance(data, (list, tuple)) else data


def _check_fits(array: Array, dtype: np.dtype[Any]) -> None:
    """Raise if a number lies outside an integer dtype; a negative one may wrap around in uint8, as in PyTorch."""
    info = np.iinfo(dtype)
    low = -info.max if dtype.kind == "u" else info.min
    if not ((array >= low) & (array <= info.max)).all():
        raise ArgumentError(f"a number does not fit {dtype}, which holds {info.min} to {info.max}; choose a wider one")
