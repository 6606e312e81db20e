"""The layers as functions: they check what came, say what was expected, and call the ops."""

from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.autograd.ops import elementwise as _elementwise
from trainkit.autograd.ops import linalg as _linalg
from trainkit.autograd.ops import loss as _loss
from trainkit.autograd.ops import norm as _norm
from trainkit.autograd.ops import pooling as _pooling
from trainkit.autograd.ops.lookup import embedding, one_hot
from trainkit.autograd.ops.pad import pad
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from trainkit.nn import conv_functions as _conv_functions
from trainkit.nn import nonlinear as _nonlinear
from trainkit.nn.conv_functions import *  # noqa: F403
from trainkit.nn.nonlinear import *  # noqa: F403
from trainkit.random import default_generator

__all__ = [
    *_conv_functions.__all__,
    *_nonlinear.__all__,
    "batch_norm",
    "cross_entropy",
    "dropout",
    "embedding",
    "linear",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "pad",
]

Pair = int | tuple[int, int]


def pair(value: Any, name: str, least: int) -> tuple[int, int]:
    """Return (height, width) of one number or two.

    Raises:
        ArgumentError: it is neither, or smaller than `least`.
    """
    sizes = (value, value) if isinstance(value, int) else tuple(value)
    if len(sizes) != 2 or not all(isinstance(size, (int, np.integer)) and size >= least for size in sizes):
        raise ArgumentError(f"{name} must be an integer of at least {least}, or two of them, got {value!r}")
    return int(sizes[0]), int(sizes[1])


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Map the last dimension: x (*, in), weight (out, in), bias (out,) to (*, out).

    Raises:
        ShapeError: the last size of `x` is not `in`.
    """
    features = weight.shape[1]
    if x.ndim == 0 or x.shape[-1] != features:
        flat = int(np.prod(x.shape[1:])) == features and x.ndim > 2
        raise ShapeError(
            f"Linear expected input of shape (*, {features}), got {x.shape}"
            + ("; flatten it first (nn.Flatten())" if flat else f"; its last size must be in_features={features}")
        )
    _same_dtype("Linear", x, weight)
    return _linalg.linear(x, weight, bias)


def max_pool2d(x: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Tensor:
    """Take the largest element of each window of (N, C, H, W); `stride` defaults to `kernel_size`.

    Raises:
        ShapeError: `x` is not (N, C, H, W), or the window is larger than the padded image.
        ArgumentError: the padding is more than half of the window.
    """
    kernel = pair(kernel_size, "kernel_size", 1)
    steps = kernel if stride is None else pair(stride, "stride", 1)
    padding = pair(padding, "padding", 0)
    if padding[0] * 2 > kernel[0] or padding[1] * 2 > kernel[1]:
        raise ArgumentError(f"max_pool2d: padding {padding} must be at most half of kernel_size {kernel}")
    _check_images("MaxPool2d", x)
    _output_size("MaxPool2d", x, kernel, steps, padding)
    return _pooling.max_pool2d(x, (kernel, steps, padding))


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of (N, C, *): in training by the batch's statistics, which update the running ones.

    Source: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167. The running variance is the unbiased one.

    Raises:
        ShapeError: there is but one value per channel to take statistics of.
    """
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError("batch_norm needs running_mean and running_var outside training")
        inv_std = 1.0 / np.sqrt(running_var.array + running_var.dtype.type(eps))
        return _norm.scale_shift(x, running_mean.array, inv_std, weight, bias)
    count = x.numel() // max(x.shape[1], 1)
    if count == 1:
        raise ShapeError(
            f"BatchNorm in training needs more than one value per channel, got shape {x.shape}; use a larger batch "
            "(drop_last=True drops a last batch of one) or eval()"
        )
    out, mean, var = _norm.batch_norm(x, weight, bias, eps)
    if running_mean is not None and running_var is not None and count:
        _decay(running_mean, mean.array, momentum)
        _decay(running_var, var.array * (count / (count - 1)), momentum)
    return out


def _decay(running: Tensor, value: Any, momentum: float) -> None:
    running.array *= 1 - momentum
    running.array += momentum * value
    running.version[0] += 1


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each element with probability `p` and scale the others by 1 / (1 - p); outside training do nothing.

    Source: Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html.
    """
    check_probability(p)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    return _elementwise.dropout(x, float(p), default_generator.draw_seed())


def check_probability(p: float) -> None:
    """Raise unless 0 <= p <= 1."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"the dropout probability must be between 0 and 1, got {p}")


def cross_entropy(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Softmax and negative log-likelihood in one pass: logits (N, C) against classes (N,), int64.

    Raises:
        ShapeError: the shapes are not (N, C) and (N,).
        DTypeError: the target does not hold integers.
        IndexRangeError: a label is outside [0, C - 1].

    >>> import trainkit as tk
    >>> cross_entropy(tk.zeros(2, 10), tk.tensor([3, 7]))
    tensor(2.3026)
    """
    _check_classes("cross_entropy", input, target)
    return _reduce(_loss.cross_entropy(input, target), reduction)


def nll_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Negative log-likelihood of classes (N,) under log-probabilities (N, C); errors as for `cross_entropy`."""
    _check_classes("nll_loss", input, target)
    picked = input.gather(1, target.to("int64").reshape(-1, 1))
    return _reduce(-picked.reshape(-1), reduction)


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Squared difference, of two tensors of one shape.

    Raises:
        ShapeError: the shapes differ; broadcasting here is nearly always a mistake.
    """
    if input.shape != target.shape:
        raise ShapeError(f"mse_loss needs one shape, got input {input.shape} and target {target.shape}; reshape one")
    difference = input - target
    return _reduce(difference * difference, reduction)


def _reduce(losses: Tensor, reduction: str) -> Tensor:
    """Average (over nothing: NaN), sum, or leave the losses of a batch."""
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses
    raise ArgumentError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def _check_classes(name: str, scores: Tensor, target: Tensor) -> None:
    if scores.ndim != 2 or target.shape != scores.shape[:1]:
        raise ShapeError(
            f"{name} expected scores of shape (N, C) and one class for each row, shape (N,), "
            f"got {scores.shape} and {target.shape}"
        )
    if target.dtype.kind not in "iu":
        raise DTypeError(f"{name} expected classes as integers, got {target.dtype}; cast them with .long()")
    labels, classes = target.array, scores.shape[1]
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = labels[(labels < 0) | (labels >= classes)]
        raise IndexRangeError(
            f"{name} got label {wrong[0]} ({wrong.size} of {labels.size} labels are outside), expected 0 to "
            f"{classes - 1} for scores of {classes} classes; does the last layer have an output for each class?"
        )


def _check_images(name: str, x: Tensor, channels: int | None = None) -> None:
    if x.ndim != 4 or (channels is not None and x.shape[1] != channels):
        expected = "C" if channels is None else channels
        hint = "; add the batch dimension with x.unsqueeze(0)" if x.ndim == 3 else ""
        if channels == 1 and x.ndim == 3:
            hint = "; add the channel dimension with x.unsqueeze(1)"
        raise ShapeError(f"{name} expected input of shape (N, {expected}, H, W), got {x.shape}{hint}")


def _output_size(name: str, x: Tensor, kernel: Any, stride: Any, padding: Any) -> None:
    for size, k, p in zip(x.shape[2:], kernel, padding, strict=True):
        if size + 2 * p < k:
            raise ShapeError(
                f"{name}: the window of {tuple(kernel)} is larger than the image, {tuple(x.shape[2:])} with padding "
                f"{tuple(padding)}; use a smaller kernel, more padding, or pool less before"
            )


def _same_dtype(name: str, x: Tensor, weight: Tensor) -> None:
    if x.array.dtype != weight.array.dtype:
        raise DTypeError(
            f"{name} expected input of dtype {weight.dtype}, that of its weight, got {x.dtype}; "
            f"cast the input with .to({str(weight.dtype)!r})"
        )
