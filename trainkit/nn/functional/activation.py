"""Activation functions: the part of `functional` that works element by element, or along one dimension."""

import warnings
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.autograd import from_numpy as _from_numpy
from trainkit.autograd import functions as _functions
from trainkit.autograd.inplace import assign as _assign
from trainkit.autograd.ops import activation as _activation
from trainkit.autograd.ops.choose import where as _where
from trainkit.autograd.ops.reduce import check_floating as _check_floating
from trainkit.autograd.ops.shape import normalize_dim as _normalize_dim
from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.random import default_generator as _default_generator

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
]

hardshrink, prelu, sigmoid, tanh = _functions.hardshrink, _functions.prelu, _functions.sigmoid, _functions.tanh


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Replace what is negative by 0."""
    return _result(input, _activation.relu(input), inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Limit each element to [0, 6].

    Source: Howard et al., 2017, https://arxiv.org/abs/1704.04861.
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Limit each element to [min_val, max_val]; at the limits the gradient is 0.

    Raises:
        ArgumentError: the least is more than the most.
    """
    if min_val > max_val:
        raise ArgumentError(f"hardtanh needs min_val of at most max_val, got {min_val} and {max_val}")
    kind = input.dtype.kind
    if kind == "b":
        raise DTypeError("hardtanh does not take booleans; cast the mask with .float()")
    low, high = (min_val, max_val) if kind == "f" else (int(min_val), int(max_val))
    return _result(input, _where(input <= low, low, _where(input >= high, high, input)), inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Multiply what is negative with `negative_slope`."""
    _check_floating("leaky_relu", input)
    return _result(input, _activation.leaky_relu(input, float(negative_slope)), inplace)


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Multiply what is not positive with slopes drawn between `lower` and `upper`, outside training with their mean.

    Source: Xu et al., 2015, https://arxiv.org/abs/1505.00853.

    Raises:
        ArgumentError: `lower` is more than `upper`.
    """
    if lower > upper:
        raise ArgumentError(f"rrelu needs lower of at most upper, got {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    _check_floating("rrelu", input)
    slopes = _default_generator.numpy.uniform(lower, upper, input.shape).astype(input.dtype)
    return _result(input, input * _from_numpy(np.where(input.array > 0, slopes.dtype.type(1), slopes)), inplace)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Replace what is negative by alpha (exp(x) - 1).

    Source: Clevert, Unterthiner and Hochreiter, 2015, https://arxiv.org/abs/1511.07289.
    """
    _check_floating("elu", input)
    return _result(input, _activation.elu(input, float(alpha), 1.0, 1.0), inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Scaled exponential units, which keep mean 0 and variance 1 through layers.

    Source: Klambauer et al., 2017, https://arxiv.org/abs/1706.02515.
    """
    return _result(input, _functions.selu(input), inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Continuously differentiable exponential units: max(0, x) + min(0, alpha (exp(x / alpha) - 1)).

    Source: Barron, 2017, https://arxiv.org/abs/1704.07483.
    """
    return _result(input, _functions.celu(input, alpha), inplace)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Multiply each element with the normal distribution of it, or with what `approximate="tanh"` makes of that.

    Source: Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415.

    Raises:
        ArgumentError: `approximate` is neither "none" nor "tanh".

    >>> import trainkit as tk
    >>> gelu(tk.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    _check_floating("gelu", input)
    return _activation.gelu(input, approximate == "tanh")


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Multiply each element with its sigmoid; also called swish.

    Source: Elfwing, Uchibe and Doya, 2017, https://arxiv.org/abs/1702.03118.
    """
    _check_floating("silu", input)
    return _result(input, _activation.silu(input), inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Multiply each element with the tanh of its softplus.

    Source: Misra, 2019, https://arxiv.org/abs/1908.08681.
    """
    _check_floating("mish", input)
    return _result(input, _activation.mish(input), inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, a smooth relu; where beta x is more than `threshold`, x itself."""
    _check_floating("softplus", input)
    return _activation.softplus(input, float(beta), float(threshold))


def logsigmoid(input: Tensor) -> Tensor:
    """The logarithm of the sigmoid of each element, where that itself underflows too."""
    _check_floating("logsigmoid", input)
    return _activation.logsigmoid(input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """A sigmoid of straight lines: 0 up to -3, 1 from 3 on."""
    _check_floating("hardsigmoid", input)
    out = _where(input <= -3.0, 0.0, _where(input >= 3.0, 1.0, (input + 3.0) / 6.0))
    return _result(input, out, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Multiply each element with its hardsigmoid.

    Source: Howard et al., 2019, https://arxiv.org/abs/1905.02244.
    """
    _check_floating("hardswish", input)
    return _result(input, _activation.hardswish(input), inplace)


def softsign(input: Tensor) -> Tensor:
    """Divide each element by 1 + |x|."""
    return input / (1 + abs(input))


def tanhshrink(input: Tensor) -> Tensor:
    """Take the tanh of each element from it."""
    return input - _functions.tanh(input)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Move each element towards 0 by `lambd`, at most to 0.

    Raises:
        ArgumentError: `lambd` is negative.
    """
    if lambd < 0:
        raise ArgumentError(f"softshrink needs a lambd of 0 or more, got {lambd}")
    _check_floating("softshrink", input)
    inner = _where((input <= lambd) & (input >= -lambd), 0.0, input)  # NaN stays NaN
    return _where(input > lambd, input - lambd, _where(input < -lambd, input + lambd, inner))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Keep what is more than `threshold`, replace the rest by `value`."""
    return _result(input, _functions.threshold(input, threshold, value), inplace)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Multiply the first half along `dim` with the sigmoid of the second.

    Source: Dauphin et al., 2016, https://arxiv.org/abs/1612.08083.

    Raises:
        ShapeError: the size along `dim` is odd.
    """
    _check_floating("glu", input)
    at = _normalize_dim(dim, input.ndim)
    if input.ndim == 0 or input.shape[at] % 2:
        raise ShapeError(f"glu halves dimension {dim}, whose size must be even; got shape {tuple(input.shape)}")
    half = input.shape[at] // 2
    return _functions.narrow(input, at, 0, half) * _functions.sigmoid(_functions.narrow(input, at, half, half))


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Exponentials along `dim`, divided by their sum; computed as `dtype` if one is given."""
    return _functions.softmax(input, _implied("softmax", input, dim, _stacklevel), dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """The softmax of what is turned in sign: the smallest elements get the largest share."""
    return _functions.softmax(-input, _implied("softmin", input, dim, _stacklevel), dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """The logarithm of softmax along `dim`, precise where that underflows; computed as `dtype` if one is given."""
    return _functions.log_softmax(input, _implied("log_softmax", input, dim, _stacklevel), dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Draw from the distribution that `logits` describe along `dim`, in a way that has a gradient.

    Source: Jang, Gu and Poole, 2016, https://arxiv.org/abs/1611.01144; Maddison, Mnih and Teh, 2016,
    https://arxiv.org/abs/1611.00712.

    Args:
        logits: log-probabilities, which need not be normalised.
        tau: the temperature: the smaller, the nearer to one-hot.
        hard: return one-hot rows, with the gradient of the soft ones.
        eps: not used, as in PyTorch.
        dim: along which one is drawn.

    Raises:
        ArgumentError: `tau` is not positive.
    """
    if tau <= 0:
        raise ArgumentError(f"gumbel_softmax needs a tau of more than 0, got {tau}")
    _check_floating("gumbel_softmax", logits)
    noise = _default_generator.numpy.gumbel(size=logits.shape).astype(logits.dtype)
    soft = _functions.softmax((logits + _from_numpy(noise)) / tau, dim)
    if not hard:
        return soft
    at = _normalize_dim(dim, soft.ndim)
    best = np.zeros(soft.shape, soft.dtype)
    np.put_along_axis(best, soft.array.argmax(at, keepdims=True), 1, at)
    plain = soft.detach()
    return _from_numpy(best) + (soft - plain)


def _implied(name: str, input: Tensor, dim: int | None, stacklevel: int) -> int:
    """Return `dim`, or which one PyTorch takes where none is given: that of classes in a batch."""
    if dim is not None:
        return dim
    warnings.warn(f"{name} without dim guesses which one is meant; pass it, as in dim=1", stacklevel=stacklevel)
    return 0 if input.ndim in (0, 1, 3) else 1


def _result(input: Tensor, out: Tensor, inplace: bool) -> Tensor:
    return _assign(input, out) if inplace else out
