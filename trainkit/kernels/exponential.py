"""Exponential, logarithm, hyperbolic tangent and normal distribution that LLVM vectorises.

The C library's are called for each element. These compute in the dtype of their argument, to within two of its
roundings; `_Floats` writes them in LLVM where a reordered sum would cost digits. Their polynomials are fits at
Chebyshev's nodes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from trainkit.kernels.jit import exact_inner_kernel

__all__ = ["exp", "exp_as", "exp_minus_one", "largest", "like", "log_plus_one", "normal_tail", "tanh"]

in_kernels: Any = intrinsic
BITS = {types.float32: 32, types.float64: 64}
FRACTION = {types.float32: 23, types.float64: 52}
# beyond these an exponential is 0 or infinite
RANGE = {types.float32: (-104.0, 89.0), types.float64: (-746.0, 710.0)}
# log(2) in two parts, the first with so few digits that its product with an exponent is exact
LOG_2 = {types.float32: (0.693359375, -2.12194440e-4), types.float64: (0.693145751953125, 1.42860682030941723212e-6)}
# from here on exp(-x * x / 2) is taken for 0: its power of two would have no exponent left
FAR = {types.float32: 13.2698, types.float64: 37.659}

# of (e ** r - 1) / r, |r| <= log(2) / 2
EXP_SERIES = {
    types.float32: (0.00139262508315, 0.00836323288368, 0.041666554212984, 0.166665766661199, 0.5, 1.0),
    types.float64: (
        2.5100472505694996e-08, 2.7620201591031547e-07, 2.7557268276905696e-06, 2.4801521057868204e-05,
        0.00019841269863171557, 0.0013888888917367081, 0.008333333333330039, 0.041666666666623824,
        0.16666666666666669, 0.5, 1.0,
    ),
}  # fmt: skip


class _Floats:
    """What the functions below say in LLVM, in one dtype."""

    def __init__(self, builder: Any, type: Any) -> None:
        self.builder, self.numba = builder, type
        self.type = ir.FloatType() if type == types.float32 else ir.DoubleType()
        self.bits = ir.IntType(BITS[type])

    def number(self, value: float) -> Any:
        return ir.Constant(self.type, float(np.float32(value)) if self.numba == types.float32 else value)

    def mul_add(self, a: Any, b: Any, c: Any) -> Any:
        """The sum a * b + c, in one rounding where the machine can."""
        signature = ir.FunctionType(self.type, [self.type] * 3)
        name = f"llvm.fmuladd.f{BITS[self.numba]}"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, signature, name), [a, b, c])

    def polynomial(self, coefficients: Sequence[float], x: Any) -> Any:
        """The highest power's coefficient comes first."""
        total = self.number(coefficients[0])
        for coefficient in coefficients[1:]:
            total = self.mul_add(total, x, self.number(coefficient))
        return total

    def limited(self, x: Any, low: float | None, high: float) -> Any:
        """Bring x into [low, high]; NaN stays."""
        for sign, bound in (("<", low), (">", high)):
            if bound is not None:
                x = self.builder.select(self.builder.fcmp_ordered(sign, x, self.number(bound)), self.number(bound), x)
        return x

    def power_of_two(self, exponent: Any) -> Any:
        bias = ir.Constant(self.bits, (1 << BITS[self.numba] - FRACTION[self.numba] - 2) - 1)
        shifted = self.builder.shl(self.builder.add(exponent, bias), ir.Constant(self.bits, FRACTION[self.numba]))
        return self.builder.bitcast(shifted, self.type)


def _polynomial(single: Sequence[float], double: Sequence[float]) -> Any:
    """Make the function of a polynomial, whose coefficients for each dtype begin with the highest power's."""

    @in_kernels
    def value(context, x):
        def generate(context, builder, signature, args):
            return _Floats(builder, x).polynomial(single if x == types.float32 else double, args[0])

        return x(x), generate

    return value


def _whole(floats: _Floats, x: Any) -> tuple[Any, Any]:
    """The whole number next to x / log(2), as an integer and as a float."""
    # A whole number added to this one stands in the low bits of the sum.
    builder, magic = floats.builder, floats.number(1.5 * 2.0 ** FRACTION[floats.numba])
    shifted = floats.mul_add(x, floats.number(np.log2(np.e)), magic)
    whole = builder.sub(builder.bitcast(shifted, floats.bits), builder.bitcast(magic, floats.bits))
    return whole, builder.fsub(shifted, magic)


def _rest(floats: _Floats, x: Any, n: Any) -> Any:
    """What n log(2) leaves of x."""
    for part in LOG_2[floats.numba]:
        x = floats.mul_add(n, floats.number(-part), x)
    return x


def _exp(floats: _Floats, whole: Any, r: Any) -> Any:
    """2 ** n * e ** r, in two steps: 2 ** n itself may be too large, or too small to have all its digits."""
    builder = floats.builder
    half = builder.ashr(whole, ir.Constant(floats.bits, 1))
    first, second = floats.power_of_two(half), floats.power_of_two(builder.sub(whole, half))
    power = floats.mul_add(floats.polynomial(EXP_SERIES[floats.numba], r), r, floats.number(1))
    return builder.fmul(builder.fmul(power, first), second)


@in_kernels
def exp(context, x):
    """Raise e to x."""

    def generate(context, builder, signature, args):
        floats = _Floats(builder, x)
        value = floats.limited(args[0], *RANGE[x])
        whole, n = _whole(floats, value)
        return _exp(floats, whole, _rest(floats, value, n))

    return x(x), generate


@in_kernels
def exp_as(context, x, power):
    """Raise e to a power, in the dtype of x: a float32 of the power would have too few digits, so it is a float64."""

    def generate(context, builder, signature, args):
        floats, wide = _Floats(builder, x), _Floats(builder, types.float64)
        value = wide.limited(args[1], *RANGE[x])
        if x == types.float64:
            whole, n = _whole(wide, value)
            return _exp(wide, whole, _rest(wide, value, n))
        whole, n = _whole(floats, builder.fptrunc(value, floats.type))
        r = wide.mul_add(builder.fpext(n, wide.type), wide.number(-np.log(2)), value)
        return _exp(floats, whole, builder.fptrunc(r, floats.type))

    return x(x, types.float64), generate


@in_kernels
def exp_minus_one(context, x):
    """The difference e ** x - 1 for x up to 0; precise where that is small."""

    def generate(context, builder, signature, args):
        floats = _Floats(builder, x)
        value = floats.limited(args[0], -FAR[x] * FAR[x] / 2, 0.0)
        whole, n = _whole(floats, value)
        r, scale = _rest(floats, value, n), floats.power_of_two(whole)
        series = builder.fmul(floats.polynomial(EXP_SERIES[x], r), r)
        return floats.mul_add(scale, series, builder.fsub(scale, floats.number(1)))

    return x(x), generate


@in_kernels
def _bell(context, z):
    """The bell curve e ** (-z * z / 2) for z from 0 to FAR, where it is 0."""

    def generate(context, builder, signature, args):
        floats = _Floats(builder, z)
        # z in two parts, of which the first has so few digits that its square is exact
        mask = ir.Constant(floats.bits, -1 << FRACTION[z] // 2 + 1)
        head = builder.bitcast(builder.and_(builder.bitcast(args[0], floats.bits), mask), floats.type)
        tail = builder.fsub(args[0], head)
        half = floats.number(-0.5)
        value = builder.fmul(builder.fmul(head, head), half)
        whole, n = _whole(floats, value)
        more = builder.fmul(builder.fadd(args[0], head), half)
        r = floats.mul_add(more, tail, _rest(floats, value, n))
        power = floats.mul_add(floats.polynomial(EXP_SERIES[z], r), r, floats.number(1))
        return builder.fmul(power, floats.power_of_two(whole))

    return z(z), generate


@in_kernels
def _near(context, x):
    """|x| up to FAR."""

    def generate(context, builder, signature, args):
        floats = _Floats(builder, x)
        mask = ir.Constant(floats.bits, (1 << BITS[x] - 1) - 1)
        size = builder.bitcast(builder.and_(builder.bitcast(args[0], floats.bits), mask), floats.type)
        return floats.limited(size, None, FAR[x])

    return x(x), generate


@in_kernels
def like(context, x, number):
    """A number in the dtype of x."""
    return x(x, number), lambda context, builder, signature, args: context.cast(builder, args[1], number, x)


def _order(builder, floats, bits):
    """Turn the bits of a float to an integer that is as large among integers, and back."""
    sign = builder.ashr(bits, ir.Constant(floats.bits, floats.bits.width - 1))
    return builder.xor(bits, builder.and_(sign, ir.Constant(floats.bits, (1 << floats.bits.width - 1) - 1)))


@in_kernels
def _place(context, x):
    """An integer as large among integers as x among floats; LLVM finds the largest of those in vectors."""

    def generate(context, builder, signature, args):
        floats = _Floats(builder, x)
        return _order(builder, floats, builder.bitcast(args[0], floats.bits))

    return (types.int32 if x == types.float32 else types.int64)(x), generate


@in_kernels
def _at_place(context, place, x):
    """The float, of the dtype of x, that has a place."""

    def generate(context, builder, signature, args):
        floats = _Floats(builder, x)
        return builder.bitcast(_order(builder, floats, args[0]), floats.type)

    return x(place, x), generate


@exact_inner_kernel
def largest(row):
    """The largest of a row, in its dtype; minus infinity of an empty one. A NaN in it may come out, and may not."""
    none = row.dtype.type(-np.inf)
    most = _place(none)
    for c in range(row.size):
        place = _place(row[c])
        most = place if place > most else most
    return _at_place(most, none)


# of artanh(x) / x, in x * x from 0 to 1 / 9
_artanh = _polynomial(
    (0.1407888918155454, 0.13982578872598633, 0.20012297615351873, 0.33333160820688884, 1.0000000038408794),
    (
        0.08890381913056651, 0.04940394524382393, 0.06795652742789947, 0.07681838124445817, 0.09091429900236955,
        0.11111095430673142, 0.1428571455582858, 0.199999999976438, 0.33333333333341286, 1.0,
    ),
)  # fmt: skip


@exact_inner_kernel
def log_plus_one(x):
    """log(1 + x) for x from 0 to 1, as 2 artanh(x / (2 + x))."""
    ratio = x / (like(x, 2.0) + x)
    return (ratio + ratio) * _artanh(ratio * ratio)


# of the normal distribution of -z over exp(-z * z / 2): no coefficient is negative, so no digits are lost
_mills_above = _polynomial(
    (0.004124014602447267, 0.04068491698751942, 0.18338805082405696, 0.4385006646509164, 0.5000000029973412),
    (
        1.3897114762754671e-06, 3.7342493355837936e-05, 0.0004913752674537865, 0.004095851571476836, 0.0236528509983891,
        0.09779787595726457, 0.28954992146425895, 0.594347404131878, 0.7750794257251202, 0.5,
    ),
)  # fmt: skip
_mills_below = _polynomial(
    (
        0.010337253533064006, 0.10198834215786043, 0.46987440772185274, 1.2031371949671803, 1.6748863148841813, 1.0,
    ),
    (
        3.4834900800214407e-06, 9.360374968885677e-05, 0.0012351786291309272, 0.010360381096382638,
        0.060513633668091704, 0.25522247931862646, 0.7826546119480273, 1.7153494743022215, 2.562162394995711,
        2.3480434122530953, 1.0,
    ),
)  # fmt: skip


@exact_inner_kernel
def normal_tail(x):
    """The normal distribution of -|x|, and exp(-x * x / 2)."""
    z = _near(x)
    bell = _bell(z)
    return bell * (_mills_above(z) / _mills_below(z)), bell


# of (tanh(x) / x - 1) / (x * x), in x * x from 0 to 0.4
_tanh_series = _polynomial(
    (
        0.002269501684162354, -0.008323187058278775, 0.021762502907359264, -0.0539584616274522, 0.13333300146188914,
        -0.33333333149374506,
    ),
    (
        6.354340814859719e-06, -3.092912547386467e-05, 9.23274970808537e-05, -0.0002374675659822325,
        0.000589622148687206, -0.0014557676940659455, 0.003592120760870841, -0.008863235024306106,
        0.021869488515352347, -0.05396825396781054, 0.1333333333333296, -0.3333333333333333,
    ),
)  # fmt: skip


@exact_inner_kernel
def tanh(x):
    """By its series where it is small, else 1 - 2 / (exp(2 |x|) + 1), in (-1, 1)."""
    one, two, square = like(x, 1.0), like(x, 2.0), x * x
    small = x + x * square * _tanh_series(square)
    size = one - two / (exp(two * abs(x)) + one)
    return small if square < like(x, 0.4) else (size if x > like(x, 0.0) else -size)
