"""Exponentials, logarithms, roots, trigonometric and special functions, element by element."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trainkit.autograd.ops import activation
from trainkit.autograd.ops import special as ops
from trainkit.autograd.ops.activation import sigmoid
from trainkit.autograd.ops.arithmetic import mul
from trainkit.autograd.ops.exponential import (
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logaddexp2,
    rsqrt,
    sqrt,
    xlogy,
)
from trainkit.autograd.ops.special import digamma, erf, erfc, erfinv, i0, lgamma
from trainkit.autograd.ops.trigonometry import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    sin,
    sinc,
    sinh,
    tan,
    tanh,
)
from trainkit.autograd.size import integer
from trainkit.errors import ArgumentError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "deg2rad",
    "digamma",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "i0",
    "lgamma",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "logit",
    "mvlgamma",
    "polygamma",
    "rad2deg",
    "rsqrt",
    "sigmoid",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "xlogy",
]

arccos, arccosh, arcsin, arcsinh = acos, acosh, asin, asinh
arctan, arctan2, arctanh = atan, atan2, atanh


def deg2rad(input: Tensor) -> Tensor:
    """Turn degrees into radians."""
    return mul(input, math.pi / 180)


def rad2deg(input: Tensor) -> Tensor:
    """Turn radians into degrees."""
    return mul(input, 180 / math.pi)


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """The inverse of sigmoid, log(x / (1 - x)); with `eps` x is limited to [eps, 1 - eps] first."""
    return activation.logit(input, eps)


def polygamma(n: int, input: Tensor) -> Tensor:
    """The derivative of order `n` of digamma, which itself is that of order 0.

    Raises:
        ArgumentError: the order is negative.

    >>> import trainkit as tk
    >>> tk.polygamma(1, tk.tensor([1.0, 0.5]))  # pi**2 / 6 and pi**2 / 2
    tensor([1.6449, 4.9348])
    """
    order = integer(n, "n")
    if order < 0:
        raise ArgumentError(f"polygamma needs an order n of 0 or more, got {n}")
    return ops.digamma(input) if order == 0 else ops.polygamma(input, order)


def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `p`, for elements above (p - 1) / 2.

    Source: https://dlmf.nist.gov/35.3.

    Raises:
        ArgumentError: `p` is less than 1.
    """
    dimension = integer(p, "p")
    if dimension < 1:
        raise ArgumentError(f"mvlgamma needs a dimension p of 1 or more, got {p}")
    out = lgamma(input)
    for k in range(1, dimension):
        out = out + lgamma(input - 0.5 * k)
    return out + math.log(math.pi) * (dimension * (dimension - 1) / 4)
