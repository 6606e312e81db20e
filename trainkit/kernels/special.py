"""Special functions, element by element; each is computed in float64, to within a few of its roundings.

One kernel holds them all and is told which by a number: they are too slow for the choice to be felt, and so there is
one machine code, not a dozen.
"""

import math

import numpy as np

from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel

__all__ = ["special"]

CHUNK = 1 << 11  # elements a task: of these functions, that is longer than a launch

KINDS = {
    "erf": 0, "erfc": 1, "erfcx": 2, "erfinv": 3, "ndtr": 4, "log_ndtr": 5, "ndtri": 6, "lgamma": 7, "digamma": 8,
    "polygamma": 9, "i0": 10, "i0e": 11, "i1": 12, "i1e": 13,
}  # fmt: skip
ERF, ERFC, ERFCX, ERFINV, NDTR, LOG_NDTR, NDTRI, LGAMMA, DIGAMMA, POLYGAMMA, I0, I0E, I1, I1E = KINDS.values()

ROOT_2 = math.sqrt(2)
ROOT_PI = math.sqrt(math.pi)
BERNOULLI = tuple(
    top / bottom / math.factorial(2 * k + 2)
    for k, (top, bottom) in enumerate(
        [(1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510), (43867, 798), (-174611, 330)]
    )
)


def special(name: str, x: Array, order: int = 0) -> Array:
    """The function `name`, a key of KINDS, of float32 or float64 elements in any shape; `order` is polygamma's."""
    x = np.ascontiguousarray(x).reshape(x.shape)
    out = empty(x.shape, x.dtype)
    _special_all(-(-x.size // CHUNK), KINDS[name], order, x.reshape(-1), out.reshape(-1))
    return out


@inner_kernel
def _special(chunk, kind, order, x, out):
    for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, x.size)):
        value = np.float64(x[i])
        if value != value:
            out[i] = x[i]
        elif kind == ERF:
            out[i] = math.erf(value)
        elif kind == ERFC:
            out[i] = math.erfc(value)
        elif kind == ERFCX:
            out[i] = _erfcx(value)
        elif kind == ERFINV:
            out[i] = _normal_quantile(value / 2, (1 - abs(value)) / 2) / ROOT_2
        elif kind == NDTR:
            out[i] = math.erfc(-value / ROOT_2) / 2
        elif kind == LOG_NDTR:
            out[i] = _log_normal(value)
        elif kind == NDTRI:
            out[i] = _normal_quantile(value - 0.5, min(value, 1 - value))
        elif kind == LGAMMA:
            out[i] = math.lgamma(value)
        elif kind == DIGAMMA:
            out[i] = _digamma(value)
        elif kind == POLYGAMMA:
            out[i] = _polygamma(order, value)
        elif kind in (I0, I0E):
            out[i] = _bessel(0, abs(value), kind == I0E)
        else:
            out[i] = math.copysign(_bessel(1, abs(value), kind == I1E), value)


_special_all = parallel_kernel(_special)


@inner_kernel
def _erfcx(x):
    """exp(x * x) * erfc(x); for large x by its continued fraction (Abramowitz and Stegun, 7.1.14)."""
    if x < 4:
        return 2 * math.exp(x * x) if x < -26 else math.exp(x * x) * math.erfc(x)
    fraction = x
    for k in range(50, 0, -1):
        fraction = x + 0.5 * k / fraction
    return 1 / (fraction * ROOT_PI)


@inner_kernel
def _log_normal(x):
    """The logarithm of the normal distribution, which underflows itself long before."""
    if x < -1:
        return math.log(_erfcx(-x / ROOT_2) / 2) - x * x / 2
    return math.log1p(-math.erfc(x / ROOT_2) / 2)


@inner_kernel
def _normal_quantile(q, tail):
    """Where the normal distribution reaches 0.5 + q; `tail` is what is left on that side, 0.5 - |q| without rounding.

    Source: M. J. Wichura, Algorithm AS 241, Applied Statistics 37 (1988), https://doi.org/10.2307/2347330.
    """
    if tail <= 0:
        return math.copysign(np.inf, q) if tail == 0 else np.nan
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        above = 2509.0809287301226727 * r + 33430.575583588128105
        above = (above * r + 67265.770927008700853) * r + 45921.953931549871457
        above = (above * r + 13731.693765509461125) * r + 1971.5909503065514427
        above = (above * r + 133.14166789178437745) * r + 3.387132872796366608
        below = 5226.495278852545925 * r + 28729.085735721942674
        below = (below * r + 39307.89580009271061) * r + 21213.794301586595867
        below = (below * r + 5394.1960214247511077) * r + 687.1870074920579083
        below = (below * r + 42.313330701600911252) * r + 1.0
        return q * above / below
    r = math.sqrt(-math.log(tail))
    if r <= 5:
        r -= 1.6
        above = 7.7454501427834140764e-4 * r + 0.0227238449892691845833
        above = (above * r + 0.24178072517745061177) * r + 1.27045825245236838258
        above = (above * r + 3.64784832476320460504) * r + 5.7694972214606914055
        above = (above * r + 4.6303378461565452959) * r + 1.42343711074968357734
        below = 1.05075007164441684324e-9 * r + 5.475938084995344946e-4
        below = (below * r + 0.0151986665636164571966) * r + 0.14810397642748007459
        below = (below * r + 0.68976733498510000455) * r + 1.6763848301838038494
        below = (below * r + 2.05319162663775882187) * r + 1.0
    else:
        r -= 5
        above = 2.01033439929228813265e-7 * r + 2.71155556874348757815e-5
        above = (above * r + 0.0012426609473880784386) * r + 0.026532189526576123093
        above = (above * r + 0.29656057182850489123) * r + 1.7848265399172913358
        above = (above * r + 5.4637849111641143699) * r + 6.6579046435011037772
        below = 2.04426310338993978564e-15 * r + 1.4215117583164458887e-7
        below = (below * r + 1.8463183175100546818e-5) * r + 7.868691311456132591e-4
        below = (below * r + 0.0148753612908506148525) * r + 0.13692988092273580531
        below = (below * r + 0.59983220655588793769) * r + 1.0
    return math.copysign(above / below, q)


@inner_kernel
def _digamma(x):
    """The derivative of log gamma (Abramowitz and Stegun, 6.3.5, 6.3.7, 6.3.18); a pole is infinite at 0, else NaN."""
    if x == 0:
        return math.copysign(np.inf, -x)
    out = 0.0
    if x < 0:
        if x == np.floor(x):
            return np.nan
        # the period taken out first, where subtracting is exact: pi * x would lose the fraction of a large x
        out = -math.pi / math.tan(math.pi * (x - np.floor(x)))
        x = 1 - x
    while x < 10:
        out -= 1 / x
        x += 1
    y = 1 / (x * x)
    series = 1 / 132 - y * (691 / 32760 - y / 12)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * series))))
    return out + math.log(x) - 0.5 / x - series


@inner_kernel
def _polygamma(order, x):
    if order == 0:
        return _digamma(x)
    sign = 1.0 if order % 2 else -1.0
    return sign * math.gamma(order + 1.0) * _hurwitz(order + 1.0, x)


@inner_kernel
def _hurwitz(s, q):
    """The zeta function sum of (q + k) ** -s over k >= 0, for whole s > 1; infinite at a pole."""
    floor = np.floor(q)
    if q > 0:
        return _hurwitz_positive(s, q)
    if q == floor:
        return np.nan if q == -np.inf else np.inf
    # the terms below 0 are a sum that begins at 1 - fraction, without what comes after 1 - q
    fraction = q - floor
    below = _hurwitz_positive(s, 1 - fraction) - _hurwitz_positive(s, 1 - q)
    return _hurwitz_positive(s, fraction) + (-below if s % 2 else below)


@inner_kernel
def _hurwitz_positive(s, q):
    """By Euler and Maclaurin's formula (Abramowitz and Stegun, 23.1.30), from 10 terms or more on."""
    total = 0.0
    while q < 12:
        total += q**-s
        q += 1
    if q == np.inf:
        return total
    power = q**-s
    total += q * power / (s - 1) + 0.5 * power
    # Bernoulli's numbers over factorials, times s (s + 1) ... (s + 2 k - 2) / q ** (s + 2 k - 1)
    term = s * power / q
    for k in range(len(BERNOULLI)):
        total += BERNOULLI[k] * term
        term *= (s + 2 * k + 1) * (s + 2 * k + 2) / (q * q)
    return total


@inner_kernel
def _bessel(order, x, scaled):
    """I0 or I1 of x >= 0, `scaled` by exp(-x): the power series (Abramowitz and Stegun, 9.6.10), far out 9.7.1."""
    if x > 20:
        total = term = 1.0
        if x < np.inf:
            for k in range(1, 40):
                term *= ((2 * k - 1) ** 2 - 4 * order) / (8 * k * x)
                total += term
        total /= math.sqrt(2 * math.pi * x)
        # in two factors: exp(x) alone overflows before the product does
        return total if scaled else math.exp(x / 2) * total * math.exp(x / 2)
    square = x * x / 4
    total = term = 0.5 * x if order else 1.0
    for k in range(1, 80):
        term *= square / (k * (k + order))
        total += term
        if term < total * 1e-18:
            break
    return total * math.exp(-x) if scaled else total
