"""What becomes an array, and of which dtype."""

from typing import Any

import numpy as np

from trainkit.autograd import dtypes
from trainkit.autograd.graph import Array, TensorBase
from trainkit.errors import DTypeError

__all__ = ["array_from"]


def array_from(data: Any, dtype: Any = None) -> Array:
    """Return a new array of numbers, sequences, arrays or tensors."""
    if isinstance(data, TensorBase):
        return np.array(data.array, dtype)
    if dtype is None and not isinstance(data, (np.ndarray, np.generic)):
        if isinstance(data, (list, tuple)) and any(isinstance(part, TensorBase) for part in data):
            data = [part.array if isinstance(part, TensorBase) else part for part in data]
        array = np.array(data)
        if array.dtype == np.float64:
            array = array.astype(dtypes.get_default_dtype())
    else:
        array = np.array(data, dtype)
    if array.dtype.kind not in "biuf":
        raise DTypeError(
            f"cannot make a tensor of {type(data).__name__} values of dtype {array.dtype}; "
            "expected numbers or booleans in rows of one length"
        )
    return array
