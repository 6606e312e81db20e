"""The operators: `x + y` and its kin."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.autograd.functions import (
    arithmetic,
    linalg,
)
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops import arithmetic as arithmetic_ops
from trainkit.autograd.ops import compare as compare_ops
from trainkit.autograd.ops import power as power_ops
from trainkit.autograd.ops import rounding as rounding_ops

__all__ = ["OperatorsMethods"]


def _comparison(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make the operator of a comparison: it leaves what is no number to Python, for which `x == None` is False."""

    def compare(self: TensorBase, other: Any) -> Any:
        if not isinstance(other, (TensorBase, float, int, np.ndarray, np.generic)):
            return NotImplemented
        return function(self, other)

    return compare


class OperatorsMethods(TensorBase):
    """The operators: `x + y` and its kin."""

    __slots__ = ()

    __add__ = __radd__ = arithmetic_ops.add
    __sub__ = arithmetic_ops.sub
    __mul__ = __rmul__ = arithmetic_ops.mul
    __truediv__ = __div__ = arithmetic_ops.div
    __floordiv__ = rounding_ops.floor_divide
    __mod__ = rounding_ops.remainder
    __pow__ = power_ops.pow
    __neg__ = arithmetic_ops.neg
    __pos__ = arithmetic.positive
    __abs__ = arithmetic_ops.abs
    __matmul__ = linalg.matmul
    __eq__ = _comparison(compare_ops.eq)
    __ne__ = _comparison(compare_ops.ne)
    __lt__ = _comparison(compare_ops.lt)
    __le__ = _comparison(compare_ops.le)
    __gt__ = _comparison(compare_ops.gt)
    __ge__ = _comparison(compare_ops.ge)
    __and__ = __rand__ = compare_ops.bitwise_and
    __or__ = __ror__ = compare_ops.bitwise_or
    __xor__ = __rxor__ = compare_ops.bitwise_xor
    __lshift__ = compare_ops.bitwise_left_shift
    __rshift__ = compare_ops.bitwise_right_shift
    __invert__ = compare_ops.bitwise_not
    __hash__ = object.__hash__

    def __rsub__(self, other: Any) -> Any:
        return arithmetic_ops.sub(other, self)

    def __rtruediv__(self, other: Any) -> Any:
        return arithmetic_ops.div(other, self)

    def __rfloordiv__(self, other: Any) -> Any:
        return rounding_ops.floor_divide(other, self)

    def __rmod__(self, other: Any) -> Any:
        return rounding_ops.remainder(other, self)

    def __rpow__(self, other: Any) -> Any:
        return power_ops.pow(other, self)

    def __rlshift__(self, other: Any) -> Any:
        return compare_ops.bitwise_left_shift(other, self)

    def __rrshift__(self, other: Any) -> Any:
        return compare_ops.bitwise_right_shift(other, self)

    def __rmatmul__(self, other: Any) -> Any:
        return linalg.matmul(wrap(np.asarray(other)), self)
