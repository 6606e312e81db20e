"""Normalisation by mean and variance, of batches and of rows, and by the length of vectors."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.autograd import functions as _functions
from trainkit.autograd.ops import norm as _norm
from trainkit.autograd.ops.broadcast import cast as _cast
from trainkit.autograd.ops.layer_norm import row_norm as _row_norm
from trainkit.autograd.ops.reduce import check_floating as _check_floating
from trainkit.errors import ArgumentError, DTypeError, ShapeError

__all__ = [
    "batch_norm",
    "batch_normalised",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
    "running",
]


def batch_norm(
    input: Tensor,
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
        ArgumentError: there is but one value per channel to take statistics of, or `eps` is not positive there; running
            statistics are missing.
        DTypeError: dtypes differ.
        ShapeError: a parameter or a statistic has not C elements.
    """
    return batch_normalised(input, running_mean, running_var, weight, bias, training, momentum, eps)


def batch_normalised(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    relu: bool = False,
) -> Tensor:
    """Normalise as `batch_norm`, and replace what is negative by 0 if asked to."""
    channels = _channels_of("batch_norm", input)
    if (running_mean is None) != (running_var is None) or (running_mean is None and not training):
        raise ArgumentError(
            "batch_norm needs running_mean and running_var, both of them, outside training; in training both or neither"
        )
    parts = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    _check_parts("batch_norm", input, (channels,), **parts)
    x, weight, bias = _wide(input, weight, bias)
    if running_mean is not None and running_var is not None and not training:
        applied = _norm.scale_shift_relu if relu else _norm.scale_shift
        return _like(input, applied(x, *running(running_mean, running_var, eps), weight, bias))
    count = input.numel() // max(channels, 1)
    _check_count("batch_norm", count, input)
    if eps <= 0:
        raise ArgumentError(f"batch_norm needs a positive eps in training, got {eps}")
    out, mean, var = (_norm.batch_norm_relu if relu else _norm.batch_norm)(x, weight, bias, eps)
    if count:
        _update(running_mean, running_var, mean.array, var.array, count, momentum)
    return _like(input, out)


def running(mean: Any, var: Any, eps: float) -> tuple[Any, Any]:
    """Return the running mean and 1 / the running deviation in float64: copies, for later batches change them."""
    return mean.array.astype(np.float64), 1.0 / np.sqrt(var.array.astype(np.float64) + eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of each sample of (N, C, *) by its own statistics, or by the running ones.

    Running statistics, where they are given, take the average of those of the samples.
    Source: Ulyanov, Vedaldi and Lempitsky, 2016, https://arxiv.org/abs/1607.08022.

    Raises:
        ArgumentError: a channel has but one value to take statistics of; running statistics are missing.
        DTypeError: dtypes differ.
        ShapeError: a parameter or a statistic has not C elements.
    """
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ArgumentError("instance_norm without use_input_stats needs running_mean and running_var; pass them")
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    channels = _channels_of("instance_norm", input)
    parts = {"weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var}
    _check_parts("instance_norm", input, (channels,), **parts)
    length = math.prod(input.shape[2:])
    _check_count("instance_norm", length, input)
    out, mean, var = _rows(input, weight, bias, (input.shape[0], channels, 1, length), eps)
    if input.numel():
        means, variances = (s.array.reshape(-1, channels).mean(0) for s in (mean, var))
        _update(running_mean, running_var, means, variances, length, momentum)
    return out


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise over the last dimensions, those of `normalized_shape`, by mean and variance.

    Source: Ba, Kiros and Hinton, 2016, https://arxiv.org/abs/1607.06450.

    Raises:
        DTypeError: dtypes differ.
        ShapeError: `input` does not end in `normalized_shape`, or weight and bias have another shape than it.
    """
    form = _row_form("layer_norm", input, normalized_shape, weight, bias)
    return _rows(input, weight, bias, form, eps)[0]


def rms_norm(
    input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Divide by the root of the mean of squares over the last dimensions, those of `normalized_shape`.

    `eps`, which is added to the mean, is by default the distance from 1 to the next number of the dtype.
    Source: Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467.

    Raises:
        DTypeError: dtypes differ.
        ShapeError: `input` does not end in `normalized_shape`, or the weight has another shape than it.
    """
    form = _row_form("rms_norm", input, normalized_shape, weight, None)
    small = float(np.finfo(input.array.dtype).eps) if eps is None else eps
    return _rows(input, weight, None, form, small, False)[0]


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalise each sample of (N, C, *) over groups of neighbouring channels; weight and bias are (C,).

    Source: Wu and He, 2018, https://arxiv.org/abs/1803.08494.

    Raises:
        ArgumentError: there is but one value per group; `num_groups` is less than 1.
        DTypeError: dtypes differ.
        ShapeError: the channels do not fall into `num_groups` groups, or a parameter has not C elements.
    """
    channels = _channels_of("group_norm", input)
    if num_groups < 1:
        raise ArgumentError(f"group_norm needs at least one group, got {num_groups}")
    if channels % num_groups:
        raise ShapeError(
            f"group_norm cannot split the {channels} channels of shape {input.shape} into {num_groups} groups of one "
            "size; the number of groups must divide that of the channels"
        )
    _check_parts("group_norm", input, (channels,), weight=weight, bias=bias)
    per, length = channels // num_groups, math.prod(input.shape[2:])
    _check_count("group_norm", input.shape[0] * per * length, input)
    return _rows(input, weight, bias, (input.shape[0], num_groups, per, length), eps)[0]


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divide each element of (N, C, *) by (k + alpha * mean of squares in `size` neighbouring channels) ** beta.

    Source: Krizhevsky, Sutskever and Hinton, 2012, section 3.3.

    Raises:
        ArgumentError: the input has less than three dimensions, or `size` is less than 1.
    """
    _check_floating("local_response_norm", input)
    if input.ndim < 3:
        raise ArgumentError(f"local_response_norm expected input of shape (N, C, *), 3-D or more, got {input.shape}")
    if size < 1:
        raise ArgumentError(f"local_response_norm needs a size of at least 1, got {size}")
    if not input.numel():
        return input
    squares, shape = input * input, list(input.shape)
    before, after = (squares.new_zeros(shape[0], width, *shape[2:]) for width in (size // 2, (size - 1) // 2))
    windows = _functions.cat([before, squares, after], 1).unfold(1, size, 1)
    return input / (windows.mean(-1) * alpha + k) ** beta


def normalize(input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12) -> Tensor:
    """Divide vectors along `dim` by their p-norm, or by `eps` if that is larger.

    Raises:
        DTypeError: the input holds no floating point numbers.
        IndexRangeError: the input has no such dimension.
    """
    _check_floating("normalize", input)
    return input / _functions.norm(input, p, dim, True).clamp_min(eps)


# What they share


def _channels_of(name: str, x: Tensor) -> int:
    """Return C of (N, C, *)."""
    _check_floating(name, x)
    if x.ndim < 2:
        raise ShapeError(f"{name} expected input of shape (N, C) or (N, C, *), got {x.shape}")
    return x.shape[1]


def _check_count(name: str, count: int, x: Tensor) -> None:
    """Raise where the only value would be its own mean."""
    if count == 1:
        hint = (
            "a larger batch (drop_last=True drops a last batch of one) or eval()"
            if name == "batch_norm"
            else "larger inputs"
        )
        what = {"batch_norm": "channel in training", "group_norm": "group"}.get(name, "channel of a sample")
        raise ArgumentError(f"{name} needs more than one value per {what}, got shape {x.shape}; use {hint}")


def _check_parts(name: str, x: Tensor, shape: tuple[int, ...], **parts: Tensor | None) -> None:
    """Raise unless parameters and statistics have the shape and the dtype for `x`."""
    for part, value in parts.items():
        if value is None:
            continue
        if value.shape != shape:
            raise ShapeError(f"{name}: for input of shape {x.shape}, {part} must have shape {shape}, got {value.shape}")
        ours, its = x.array.dtype, value.array.dtype
        if its != ours and ours.char + its.char != "ef":
            raise DTypeError(
                f"{name} expected input of dtype {its}, that of its {part}, got {ours}; cast the input with "
                f".to({str(its)!r})"
            )


def _row_form(
    name: str, x: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None, bias: Tensor | None
) -> tuple[int, int, int, int]:
    """Return the sizes of `x` as the op of rows takes them: (rows, 1, elements, 1)."""
    _check_floating(name, x)
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape:
        raise ShapeError(f"{name} needs a normalized_shape of at least one dimension, got {normalized_shape!r}")
    if x.shape[-len(shape) :] != shape:
        sizes = ", ".join(map(str, shape))
        raise ShapeError(f"{name} expected input of shape (*, {sizes}), got {x.shape}")
    _check_parts(name, x, shape, weight=weight, bias=bias)
    return math.prod(x.shape[: -len(shape)]), 1, math.prod(shape), 1


def _rows(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    form: tuple[int, int, int, int],
    eps: float,
    centred: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the normalised rows, their means and their variances."""
    out, mean, var = _row_norm(*_wide(x, weight, bias), form, eps, centred)
    return _like(x, out), mean, var


def _wide(*tensors: Any) -> Any:
    """Return in float32 what comes in float16, which the kernels do not take."""
    if tensors[0].array.dtype != np.float16:
        return tensors
    return [None if x is None else _cast(x, np.dtype("f")) for x in tensors]


def _like(x: Tensor, out: Any) -> Any:
    return _cast(out, x.array.dtype) if out.array.dtype != x.array.dtype else out


def _update(running_mean: Any, running_var: Any, mean: Any, var: Any, count: int, momentum: float) -> None:
    """Move the running statistics, where there are some, towards those of a batch, whose variance is biased."""
    with np.errstate(all="ignore"):
        for running, value in ((running_mean, mean), (running_var, var * (count / (count - 1)))):
            if running is not None:
                running.array *= 1 - momentum
                running.array += momentum * value
                running.version[0] += 1
