"""Activation functions and softmax, as far as they are more than layers; the others are in `nn.functional`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd import inplace
from trainkit.autograd.dtypes import as_dtype
from trainkit.autograd.ops import activation as ops
from trainkit.autograd.ops import loss
from trainkit.autograd.ops.activation import relu
from trainkit.autograd.ops.broadcast import cast
from trainkit.autograd.ops.choose import where
from trainkit.autograd.ops.reduce import check_floating
from trainkit.autograd.ops.shape import normalize_dim, reshape
from trainkit.errors import ArgumentError, DTypeError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "celu",
    "celu_",
    "hardshrink",
    "log_softmax",
    "prelu",
    "relu",
    "relu_",
    "selu",
    "selu_",
    "softmax",
    "threshold",
    "threshold_",
]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def selu(input: Tensor) -> Tensor:
    """Scaled exponential units, which keep mean 0 and variance 1 through layers.

    Source: Klambauer et al., 2017, https://arxiv.org/abs/1706.02515.
    """
    check_floating("selu", input)
    return ops.elu(input, SELU_ALPHA, SELU_SCALE, 1.0)


def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Continuously differentiable exponential units: max(0, x) + min(0, alpha (exp(x / alpha) - 1)).

    Source: Barron, 2017, https://arxiv.org/abs/1704.07483.

    Raises:
        ArgumentError: `alpha` is 0.
    """
    check_floating("celu", input)
    if alpha == 0:
        raise ArgumentError("celu divides by alpha, which must not be 0")
    return ops.elu(input, float(alpha), 1.0, 1.0 / alpha)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Multiply what is negative with `weight`: one number, or one for each channel, dimension 1.

    Source: He et al., 2015, https://arxiv.org/abs/1502.01852.

    Raises:
        ShapeError: the weight has neither one element nor one for each channel.
    """
    shape, of_weight = input.array.shape, weight.array.shape
    channels = shape[1] if len(shape) > 1 else 1
    if weight.array.size not in (1, channels) or len(of_weight) > 1:
        raise ShapeError(f"prelu needs a weight of shape (1,) or ({channels},), one for each channel, got {of_weight}")
    if weight.array.dtype != input.array.dtype:
        raise DTypeError(f"prelu needs one dtype, got input {input.array.dtype} and weight {weight.array.dtype}")
    weight = reshape(weight, () if weight.array.size == 1 else (channels,) + (1,) * (len(shape) - 2))
    with np.errstate(all="ignore"):  # of a product that is not taken
        return where(input > 0, input, weight * input)


def threshold(input: Tensor, threshold: float, value: float) -> Tensor:
    """Keep what is more than `threshold`, replace the rest by `value`."""
    if input.array.dtype.kind != "f":
        threshold, value = int(threshold), int(value)
    return where(input <= threshold, value, input)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Replace what lies in [-lambd, lambd] by 0."""
    check_floating("hardshrink", input)
    return where((input >= -lambd) & (input <= lambd), 0.0, input)


celu_ = inplace.in_place(celu)
relu_ = inplace.in_place(relu)
selu_ = inplace.in_place(selu)
threshold_ = inplace.in_place(threshold)


def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """Exponentials along `dim`, divided by their sum; computed as `dtype` if one is given.

    Raises:
        DTypeError: the tensor holds integers and no `dtype` is given.

    >>> import trainkit as tk
    >>> tk.softmax(tk.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
    """
    return loss.softmax(_cast("softmax", input, dtype), normalize_dim(dim, input.array.ndim))


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """The logarithm of softmax along `dim`, precise where that underflows; computed as `dtype` if one is given.

    Raises:
        DTypeError: the tensor holds integers and no `dtype` is given.
    """
    return loss.log_softmax(_cast("log_softmax", input, dtype), normalize_dim(dim, input.array.ndim))


def _cast(name: str, input: Tensor, dtype: Any) -> Tensor:
    if dtype is not None:
        wanted = as_dtype(dtype)
        input = input if input.array.dtype == wanted else cast(input, wanted)
    check_floating(name, input)
    return input
