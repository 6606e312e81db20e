"""Methods that work element by element."""

from typing import Any

from trainkit.autograd import inplace
from trainkit.autograd.functions import (
    activation,
    arithmetic,
    choose,
    compare,
    rounding,
    transcendental,
)
from trainkit.autograd.graph import TensorBase

__all__ = ["ElementwiseMethods"]


class ElementwiseMethods(TensorBase):
    """Methods that work element by element."""

    __slots__ = ()

    abs = arithmetic.abs
    absolute = arithmetic.absolute
    add = arithmetic.add
    addcdiv = arithmetic.addcdiv
    addcmul = arithmetic.addcmul
    copysign = arithmetic.copysign
    div = arithmetic.div
    divide = arithmetic.divide
    float_power = arithmetic.float_power
    floor_divide = arithmetic.floor_divide
    fmod = arithmetic.fmod
    gcd = arithmetic.gcd
    hypot = arithmetic.hypot
    lcm = arithmetic.lcm
    lerp = arithmetic.lerp
    mul = arithmetic.mul
    multiply = arithmetic.multiply
    neg = arithmetic.neg
    negative = arithmetic.negative
    positive = arithmetic.positive
    pow = arithmetic.pow
    reciprocal = arithmetic.reciprocal
    remainder = arithmetic.remainder
    sgn = arithmetic.sgn
    sign = arithmetic.sign
    square = arithmetic.square
    sub = arithmetic.sub
    subtract = arithmetic.subtract
    true_divide = arithmetic.true_divide
    ceil = rounding.ceil
    fix = rounding.fix
    floor = rounding.floor
    frac = rounding.frac
    round = rounding.round
    trunc = rounding.trunc
    allclose = compare.allclose
    bitwise_and = compare.bitwise_and
    bitwise_left_shift = compare.bitwise_left_shift
    bitwise_not = compare.bitwise_not
    bitwise_or = compare.bitwise_or
    bitwise_right_shift = compare.bitwise_right_shift
    bitwise_xor = compare.bitwise_xor
    eq = compare.eq
    equal = compare.equal
    ge = compare.ge
    greater = compare.greater
    greater_equal = compare.greater_equal
    gt = compare.gt
    is_nonzero = compare.is_nonzero
    isclose = compare.isclose
    isfinite = compare.isfinite
    isinf = compare.isinf
    isnan = compare.isnan
    isneginf = compare.isneginf
    isposinf = compare.isposinf
    isreal = compare.isreal
    le = compare.le
    less = compare.less
    less_equal = compare.less_equal
    logical_and = compare.logical_and
    logical_not = compare.logical_not
    logical_or = compare.logical_or
    logical_xor = compare.logical_xor
    lt = compare.lt
    ne = compare.ne
    not_equal = compare.not_equal
    signbit = compare.signbit
    clamp = choose.clamp
    clamp_max = choose.clamp_max
    clamp_min = choose.clamp_min
    clip = choose.clip
    fmax = choose.fmax
    fmin = choose.fmin
    heaviside = choose.heaviside
    maximum = choose.maximum
    minimum = choose.minimum
    nan_to_num = choose.nan_to_num

    def where(self, condition: Any, other: Any) -> Any:
        """Keep the elements where the condition holds, take those of `other` elsewhere."""
        return choose.where(condition, self, other)

    acos = transcendental.acos
    acosh = transcendental.acosh
    arccos = transcendental.arccos
    arccosh = transcendental.arccosh
    arcsin = transcendental.arcsin
    arcsinh = transcendental.arcsinh
    arctan = transcendental.arctan
    arctan2 = transcendental.arctan2
    arctanh = transcendental.arctanh
    asin = transcendental.asin
    asinh = transcendental.asinh
    atan = transcendental.atan
    atan2 = transcendental.atan2
    atanh = transcendental.atanh
    cos = transcendental.cos
    cosh = transcendental.cosh
    deg2rad = transcendental.deg2rad
    digamma = transcendental.digamma
    erf = transcendental.erf
    erfc = transcendental.erfc
    erfinv = transcendental.erfinv
    exp = transcendental.exp
    exp2 = transcendental.exp2
    expm1 = transcendental.expm1
    i0 = transcendental.i0
    lgamma = transcendental.lgamma
    log = transcendental.log
    log10 = transcendental.log10
    log1p = transcendental.log1p
    log2 = transcendental.log2
    logaddexp = transcendental.logaddexp
    logaddexp2 = transcendental.logaddexp2
    logit = transcendental.logit
    mvlgamma = transcendental.mvlgamma
    rad2deg = transcendental.rad2deg
    rsqrt = transcendental.rsqrt
    sigmoid = transcendental.sigmoid
    sin = transcendental.sin
    sinc = transcendental.sinc
    sinh = transcendental.sinh
    sqrt = transcendental.sqrt
    tan = transcendental.tan
    tanh = transcendental.tanh
    xlogy = transcendental.xlogy
    hardshrink = activation.hardshrink
    log_softmax = activation.log_softmax
    prelu = activation.prelu
    relu = activation.relu
    softmax = activation.softmax
    acos_ = inplace.in_place(transcendental.acos)
    acosh_ = inplace.in_place(transcendental.acosh)
    arccos_ = inplace.in_place(transcendental.arccos)
    arccosh_ = inplace.in_place(transcendental.arccosh)
    arcsin_ = inplace.in_place(transcendental.arcsin)
    arcsinh_ = inplace.in_place(transcendental.arcsinh)
    arctan_ = inplace.in_place(transcendental.arctan)
    arctan2_ = inplace.in_place(transcendental.arctan2)
    arctanh_ = inplace.in_place(transcendental.arctanh)
    asin_ = inplace.in_place(transcendental.asin)
    asinh_ = inplace.in_place(transcendental.asinh)
    atan_ = inplace.in_place(transcendental.atan)
    atan2_ = inplace.in_place(transcendental.atan2)
    atanh_ = inplace.in_place(transcendental.atanh)
    cos_ = inplace.in_place(transcendental.cos)
    cosh_ = inplace.in_place(transcendental.cosh)
    deg2rad_ = inplace.in_place(transcendental.deg2rad)
    digamma_ = inplace.in_place(transcendental.digamma)
    erf_ = inplace.in_place(transcendental.erf)
    erfc_ = inplace.in_place(transcendental.erfc)
    erfinv_ = inplace.in_place(transcendental.erfinv)
    exp_ = inplace.in_place(transcendental.exp)
    exp2_ = inplace.in_place(transcendental.exp2)
    expm1_ = inplace.in_place(transcendental.expm1)
    i0_ = inplace.in_place(transcendental.i0)
    lgamma_ = inplace.in_place(transcendental.lgamma)
    log_ = inplace.in_place(transcendental.log)
    log10_ = inplace.in_place(transcendental.log10)
    log1p_ = inplace.in_place(transcendental.log1p)
    log2_ = inplace.in_place(transcendental.log2)
    logit_ = inplace.in_place(transcendental.logit)
    rad2deg_ = inplace.in_place(transcendental.rad2deg)
    rsqrt_ = inplace.in_place(transcendental.rsqrt)
    sigmoid_ = inplace.in_place(transcendental.sigmoid)
    sin_ = inplace.in_place(transcendental.sin)
    sinc_ = inplace.in_place(transcendental.sinc)
    sinh_ = inplace.in_place(transcendental.sinh)
    sqrt_ = inplace.in_place(transcendental.sqrt)
    tan_ = inplace.in_place(transcendental.tan)
    tanh_ = inplace.in_place(transcendental.tanh)
    xlogy_ = inplace.in_place(transcendental.xlogy)
    relu_ = activation.relu_

    def polygamma(self: Any, n: int) -> Any:
        """The derivative of order `n` of digamma."""
        return transcendental.polygamma(n, self)

    def polygamma_(self: Any, n: int) -> Any:
        """`polygamma` in place."""
        return inplace.assign(self, transcendental.polygamma(n, self))

    def mvlgamma_(self: Any, p: int) -> Any:
        """`mvlgamma` in place."""
        return inplace.assign(self, transcendental.mvlgamma(self.clone(), p))
