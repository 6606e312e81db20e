"""Methods that change a tensor in place, and those that make new ones like it."""

from typing import Any

import numpy as np

from trainkit.autograd import inplace, likes, sampling
from trainkit.autograd.functions import (
    arithmetic,
    choose,
    compare,
    rounding,
)
from trainkit.autograd.graph import TensorBase
from trainkit.errors import DTypeError

__all__ = ["ChangingMethods"]


class ChangingMethods(TensorBase):
    """Methods that change a tensor in place, and those that make new ones like it."""

    __slots__ = ()

    # In place

    abs_ = inplace.in_place(arithmetic.abs)
    absolute_ = inplace.in_place(arithmetic.absolute)
    add_ = __iadd__ = inplace.in_place(arithmetic.add)
    addcdiv_ = inplace.in_place(arithmetic.addcdiv)
    addcmul_ = inplace.in_place(arithmetic.addcmul)
    copysign_ = inplace.in_place(arithmetic.copysign)
    div_ = __itruediv__ = __idiv__ = inplace.in_place(arithmetic.div)
    divide_ = inplace.in_place(arithmetic.divide)
    floor_divide_ = __ifloordiv__ = inplace.in_place(arithmetic.floor_divide)
    fmod_ = inplace.in_place(arithmetic.fmod)
    gcd_ = inplace.in_place(arithmetic.gcd)
    hypot_ = inplace.in_place(arithmetic.hypot)
    lcm_ = inplace.in_place(arithmetic.lcm)
    lerp_ = inplace.in_place(arithmetic.lerp)
    mul_ = __imul__ = inplace.in_place(arithmetic.mul)
    multiply_ = inplace.in_place(arithmetic.multiply)
    neg_ = inplace.in_place(arithmetic.neg)
    negative_ = inplace.in_place(arithmetic.negative)
    pow_ = __ipow__ = inplace.in_place(arithmetic.pow)
    reciprocal_ = inplace.in_place(arithmetic.reciprocal)
    remainder_ = __imod__ = inplace.in_place(arithmetic.remainder)
    sgn_ = inplace.in_place(arithmetic.sgn)
    sign_ = inplace.in_place(arithmetic.sign)
    square_ = inplace.in_place(arithmetic.square)
    sub_ = __isub__ = inplace.in_place(arithmetic.sub)
    subtract_ = inplace.in_place(arithmetic.subtract)
    true_divide_ = inplace.in_place(arithmetic.true_divide)
    ceil_ = inplace.in_place(rounding.ceil)
    fix_ = inplace.in_place(rounding.fix)
    floor_ = inplace.in_place(rounding.floor)
    frac_ = inplace.in_place(rounding.frac)
    round_ = inplace.in_place(rounding.round)
    trunc_ = inplace.in_place(rounding.trunc)
    bitwise_and_ = __iand__ = inplace.in_place(compare.bitwise_and)
    bitwise_left_shift_ = __ilshift__ = inplace.in_place(compare.bitwise_left_shift)
    bitwise_not_ = inplace.in_place(compare.bitwise_not)
    bitwise_or_ = __ior__ = inplace.in_place(compare.bitwise_or)
    bitwise_right_shift_ = __irshift__ = inplace.in_place(compare.bitwise_right_shift)
    bitwise_xor_ = __ixor__ = inplace.in_place(compare.bitwise_xor)
    eq_ = inplace.in_place(compare.eq)
    ge_ = inplace.in_place(compare.ge)
    greater_ = inplace.in_place(compare.greater)
    greater_equal_ = inplace.in_place(compare.greater_equal)
    gt_ = inplace.in_place(compare.gt)
    le_ = inplace.in_place(compare.le)
    less_ = inplace.in_place(compare.less)
    less_equal_ = inplace.in_place(compare.less_equal)
    logical_and_ = inplace.in_place(compare.logical_and)
    logical_not_ = inplace.in_place(compare.logical_not)
    logical_or_ = inplace.in_place(compare.logical_or)
    logical_xor_ = inplace.in_place(compare.logical_xor)
    lt_ = inplace.in_place(compare.lt)
    ne_ = inplace.in_place(compare.ne)
    not_equal_ = inplace.in_place(compare.not_equal)
    clamp_ = inplace.in_place(choose.clamp)
    clamp_max_ = inplace.in_place(choose.clamp_max)
    clamp_min_ = inplace.in_place(choose.clamp_min)
    clip_ = inplace.in_place(choose.clip)
    heaviside_ = inplace.in_place(choose.heaviside)
    nan_to_num_ = inplace.in_place(choose.nan_to_num)

    def float_power_(self, exponent: Any) -> Any:
        """Raise this tensor, which must be float64, to a power in place."""
        if self.array.dtype != np.float64:
            raise DTypeError(f"the result of float_power_ is float64, the tensor {self.array.dtype}; use float_power")
        return self.pow_(exponent)

    def copy_(self, other: Any) -> Any:
        """Take over the values of `other`, which broadcasts."""
        inplace.set_item(self, ..., other)
        return self

    def fill_(self, value: Any) -> Any:
        """Set every element to one number."""
        inplace.set_item(self, ..., value)
        return self

    def zero_(self) -> Any:
        """Set every element to 0."""
        return self.fill_(0)

    # New ones, and randomness

    new_zeros = likes.new_zeros
    new_ones = likes.new_ones
    new_empty = likes.new_empty
    new_full = likes.new_full
    new_tensor = likes.new_tensor
    bernoulli = sampling.bernoulli
    multinomial = sampling.multinomial
    uniform_ = sampling.uniform_
    normal_ = sampling.normal_
    bernoulli_ = sampling.bernoulli_
    exponential_ = sampling.exponential_
    random_ = sampling.random_
