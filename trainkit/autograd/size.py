"""What a shape is to users, and what is accepted as one."""

import math
from operator import index
from typing import Any

from trainkit.errors import ArgumentError, ShapeError

__all__ = ["Size", "integer", "sizes_of"]


class Size(tuple[int, ...]):
    """The shape of a tensor: a tuple that can count the elements.

    Differs from PyTorch: a slice or a sum of sizes is a plain tuple.

    >>> Size((2, 3)).numel()
    6
    """

    __slots__ = ()

    def numel(self) -> int:
        """Return the number of elements of a tensor of this shape."""
        return math.prod(self)


def sizes_of(args: Any, least: int = 0) -> tuple[int, ...]:
    """Return sizes or dimensions that came one by one, `(2, 3)`, or as one sequence, `((2, 3),)`.

    Numpy integers and integer tensors of no dimensions count as integers.

    Args:
        args: what came.
        least: the smallest size allowed: 0, or -1 where that has a meaning.

    Raises:
        ArgumentError: one is no integer.
        ShapeError: one is smaller than `least`.
    """
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = args[0]
    try:
        sizes = tuple(map(index, args))
    except TypeError:
        raise ArgumentError(f"expected integers, or one tuple of them, got {tuple(args)}") from None
    if sizes and min(sizes) < least:
        raise ShapeError(f"sizes must be at least {least}, got {sizes}")
    return sizes


def integer(value: Any, name: str) -> int:
    """Return `value`, an integer, a numpy integer or an integer tensor of no dimensions, as an integer.

    Raises:
        ArgumentError: it is something else.
    """
    try:
        return index(value)
    except TypeError:
        raise ArgumentError(f"{name} must be an integer, got {value!r}") from None
