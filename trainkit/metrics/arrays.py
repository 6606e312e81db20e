"""What metrics take and give: tensors and arrays in, numbers and arrays out."""

from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.errors import ArgumentError, DTypeError

__all__ = ["Array", "array_of", "pair_of", "plain"]

Array = np.ndarray[Any, Any]


def array_of(value: Any, what: str) -> Array:
    """Return the values of a tensor, an array, a number or a list of numbers; `what` names it in the error.

    Raises:
        DTypeError: it holds no numbers.
    """
    if isinstance(value, Tensor):
        array: Array = value.array
        return array
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise DTypeError(f"{what} expected a tensor or an array, got {type(value).__name__}: {error}") from error
    if array.dtype.kind in "OSUMm":
        raise DTypeError(
            f"{what} expected a tensor or an array of numbers, got {type(value).__name__} of {array.dtype}"
        )
    return array


def pair_of(output: Any, metric: object) -> tuple[Array, Array]:
    """Return the arrays of `(y_pred, y)`, the argument of most metrics' update().

    Raises:
        ArgumentError: it is no pair.
        DTypeError: a part holds no numbers.
    """
    name = type(metric).__name__
    if not isinstance(output, (tuple, list)) or len(output) != 2:
        got = f"{len(output)} parts" if isinstance(output, (tuple, list)) else f"a {type(output).__name__}"
        raise ArgumentError(f"{name} expected (y_pred, y), got {got}; make the pair with output_transform")
    return array_of(output[0], f"{name}: y_pred"), array_of(output[1], f"{name}: y")


def plain(result: Any) -> Any:
    """Return a tensor or an array without dimensions as the number that it holds, anything else as it is."""
    if isinstance(result, (Tensor, np.ndarray, np.generic)) and not result.ndim:
        return result.item()
    return result
