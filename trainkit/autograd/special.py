"""Special functions, under the names of `torch.special`."""

from __future__ import annotations

from trainkit.autograd.functions.activation import log_softmax, softmax
from trainkit.autograd.functions.reduce import logsumexp
from trainkit.autograd.functions.rounding import round
from trainkit.autograd.functions.transcendental import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    i0,
    log1p,
    logit,
    mvlgamma,
    polygamma,
    sigmoid,
    sinc,
    xlogy,
)
from trainkit.autograd.functions.transcendental import lgamma as gammaln
from trainkit.autograd.ops.exponential import entr, xlog1py
from trainkit.autograd.ops.special import erfcx, i0e, i1, i1e, log_ndtr, ndtr, ndtri

__all__ = [
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "log1p",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "round",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
]

expit, psi, multigammaln = sigmoid, digamma, mvlgamma
