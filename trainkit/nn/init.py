"""Initial values for parameters, written in place. Fans are counted as in PyTorch."""

import math
import warnings
from typing import Any

import numpy as np

from trainkit.autograd import Tensor, no_grad
from trainkit.autograd.ops.special import erfinv
from trainkit.errors import ArgumentError
from trainkit.random import Generator, default_generator

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_LINEAR = ("linear", *(f"conv{kind}{dims}d" for kind in ("", "_transpose") for dims in (1, 2, 3)), "sigmoid")
_GAINS = {**dict.fromkeys(_LINEAR, 1.0), "tanh": 5 / 3, "relu": math.sqrt(2.0), "selu": 3 / 4}


def _write(tensor: Tensor, values: Any) -> Tensor:
    with no_grad():
        return tensor.copy_(values)


def _numbers(generator: Generator | None) -> np.random.Generator:
    return (default_generator if generator is None else generator).numpy


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draw from the uniform distribution over [a, b)."""
    return _write(tensor, _numbers(generator).uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draw from the normal distribution."""
    return _write(tensor, _numbers(generator).normal(mean, std, tensor.shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value."""
    return _write(tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return _write(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return _write(tensor, 1)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Draw from the normal distribution cut off at `a` and `b`, which are values, not multiples of `std`.

    It warns where the bounds lie far from the mean: the distribution has little there that could be drawn.

    >>> import trainkit as tk
    >>> bool(trunc_normal_(tk.empty(100), std=5.0).abs().max() <= 2)
    True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            f"trunc_normal_: the mean {mean} lies more than two deviations of {std} outside [{a}, {b}], so the "
            "distribution may be off",
            stacklevel=2,
        )
    low, high = [math.erf((bound - mean) / (std * math.sqrt(2.0))) for bound in (a, b)]
    with np.errstate(divide="ignore"):  # the ends are infinite, and then cut off
        drawn = erfinv(_numbers(generator).uniform(low, high, tensor.shape))
        return _write(tensor, np.clip(mean + std * math.sqrt(2.0) * drawn, a, b))


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity: a linear layer that begins by passing on what comes.

    >>> import trainkit as tk
    >>> eye_(tk.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    _check_matrix("eye_", tensor)
    return _write(tensor, np.eye(*tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill the weight of a convolution so that it passes on as many channels as it can, in each group.

    >>> import trainkit as tk
    >>> dirac_(tk.empty(2, 1, 3), groups=2).tolist()
    [[[0.0, 1.0, 0.0]], [[0.0, 1.0, 0.0]]]
    """
    if not 3 <= tensor.ndim <= 5:
        raise ArgumentError(f"dirac_ fills weights of three to five dimensions, got shape {tuple(tensor.shape)}")
    if groups < 1 or tensor.shape[0] % groups:
        raise ArgumentError(f"dirac_: the {tensor.shape[0]} filters cannot be divided into {groups} groups")
    values = np.zeros(tensor.shape)
    each = tensor.shape[0] // groups
    middle = tuple([size // 2 for size in tensor.shape[2:]])
    for channel in range(min(each, tensor.shape[1])):
        place: Any = (slice(channel, None, each), channel, *middle)
        values[place] = 1
    return _write(tensor, values)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Draw a matrix with orthonormal rows or columns, whichever are fewer, times `gain`.

    What has more than two dimensions is seen as a matrix of its first dimension by all others.

    Source: Saxe et al., 2013, https://arxiv.org/abs/1312.6120.

    >>> import trainkit as tk
    >>> weight = orthogonal_(tk.empty(2, 3))
    >>> tk.allclose(weight @ weight.T, tk.eye(2), atol=1e-6)
    True
    """
    if tensor.ndim < 2:
        raise ArgumentError(f"orthogonal_ fills tensors of two dimensions or more, got shape {tuple(tensor.shape)}")
    if not tensor.numel():
        return tensor
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    drawn = _numbers(generator).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # without it, not every rotation is as likely as another
    return _write(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Draw a matrix normally and set a share of each column to zero.

    Source: Martens, 2010, https://www.cs.toronto.edu/~jmartens/docs/Deep_HessianFree.pdf.

    >>> import trainkit as tk
    >>> (sparse_(tk.empty(10, 3), sparsity=0.25) == 0).sum(0).tolist()
    [3, 3, 3]
    """
    _check_matrix("sparse_", tensor)
    if not 0 <= sparsity <= 1:
        raise ArgumentError(f"sparsity is a share between 0 and 1, got {sparsity}")
    rows, columns = tensor.shape
    values = _numbers(generator).normal(0.0, std, (rows, columns))
    ranks = _numbers(generator).random((rows, columns)).argsort(axis=0)
    values[ranks < math.ceil(sparsity * rows)] = 0
    return _write(tensor, values)


def _check_matrix(name: str, tensor: Tensor) -> None:
    if tensor.ndim != 2:
        raise ArgumentError(f"{name} fills tensors of two dimensions, got shape {tuple(tensor.shape)}")


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which a nonlinearity wants its input's weights larger; `param` is a leaky ReLU's slope.

    Raises:
        ArgumentError: nothing is known of it, or `param` is no number.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ArgumentError(f"the slope of leaky_relu is a number, got {slope!r}")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ArgumentError(f"no gain is known for {nonlinearity!r}; known: leaky_relu, {', '.join(_GAINS)}")
    return _GAINS[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """Return fan in and fan out of a weight (out, in, *kernel)."""
    if tensor.ndim < 2:
        raise ArgumentError(f"fans need a weight of at least two dimensions, got shape {tuple(tensor.shape)}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Draw uniformly so that the variance is kept through a rectifier of slope `a`.

    Source: He et al., 2015, https://arxiv.org/abs/1502.01852.
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Draw normally so that the variance is kept through a rectifier of slope `a`; see `kaiming_uniform_`."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draw uniformly so that the variance is kept both ways.

    Source: Glorot and Bengio, 2010, https://proceedings.mlr.press/v9/glorot10a.html.
    """
    bound = gain * math.sqrt(6.0 / max(sum(fans(tensor)), 1))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Draw normally so that the variance is kept both ways; see `xavier_uniform_`."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / max(sum(fans(tensor)), 1)), generator)
