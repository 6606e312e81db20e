"""An exponential and a logarithm that LLVM vectorises, for float32: the C library's are called for each element."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from trainkit.kernels.jit import kernel

__all__ = ["quick_exp", "quick_log_plus_one"]

LOG2_E, LOG_2 = np.log2(np.e), np.log(2)
MAGIC = 1.5 * 2.0**52  # a whole number added to it stands in the low bits of the sum

in_kernels: Any = intrinsic


@in_kernels
def _bits(context, value):
    """The bits of a float64 as an int64."""
    return types.int64(types.float64), lambda _, builder, __, args: builder.bitcast(args[0], ir.IntType(64))


@in_kernels
def _from_bits(context, value):
    """The float64 of an int64's bits."""
    return types.float64(types.int64), lambda _, builder, __, args: builder.bitcast(args[0], ir.DoubleType())


@kernel
def quick_exp(x):
    """e**x = 2**n e**r, |r| <= log(2) / 2, the latter by its Taylor series: 6e-9 of relative error, in float64."""
    x = -700.0 if x < -700.0 else x  # written so that NaN stays
    x = 710.0 if x > 710.0 else x  # whose 2**n is infinite
    n = np.floor(x * LOG2_E + 0.5)
    r = x - n * LOG_2
    power = 1 / 5040.0
    power = power * r + 1 / 720.0
    power = power * r + 1 / 120.0
    power = power * r + 1 / 24.0
    power = power * r + 1 / 6.0
    power = power * r + 0.5
    power = (power * r + 1.0) * r + 1.0
    return power * _from_bits((_bits(n + MAGIC) + np.int64(1023)) << np.int64(52))


@kernel
def quick_log_plus_one(x):
    """log(1 + x) for x from 0 to 1, the series of 2 artanh(x / (2 + x)): 3e-10 of relative error, in float64."""
    ratio = x / (2.0 + x)
    square = ratio * ratio
    series = 1 / 17.0
    series = series * square + 1 / 15.0
    series = series * square + 1 / 13.0
    series = series * square + 1 / 11.0
    series = series * square + 1 / 9.0
    series = series * square + 1 / 7.0
    series = series * square + 1 / 5.0
    series = series * square + 1 / 3.0
    return 2.0 * ratio * (series * square + 1.0)
