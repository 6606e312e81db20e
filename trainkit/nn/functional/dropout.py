"""Random zeros against overfitting.

The functions follow their argument `training` and nothing else: `eval()` of the module that calls one does not reach
it. `dropout` drops if it is not told otherwise, and then goes on dropping in evaluation. The modules know their mode,
so they are the safer habit; who calls a function in `forward` passes `training=self.training`.
"""

import warnings
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.autograd.inplace import assign as _assign
from trainkit.autograd.ops import elementwise as _elementwise
from trainkit.autograd.ops.reduce import check_floating as _check_floating
from trainkit.errors import ArgumentError, ShapeError
from trainkit.random import default_generator

__all__ = [
    "alpha_dropout",
    "check_probability",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]

LOWEST = -1.7580993408473766  # what selu gives for minus infinity: minus its scale times its alpha


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability `p` and scale the others by 1 / (1 - p); outside training do nothing.

    It follows `training`, which is True if it is left out, and knows nothing of `eval()`: `dropout(x)` in a `forward`
    drops in evaluation too. `nn.Dropout` follows its module's mode and is the safer habit; with the function, pass
    `training=self.training`.

    Source: Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html.

    Raises:
        ArgumentError: `p` is not between 0 and 1.
        DTypeError: the input holds no floating point numbers.
    """
    if _does_nothing("dropout", input, p, training):
        return input
    return _result(input, input * 0.0 if p == 1 else _dropped(input, p), inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero whole channels of (N, C, L), or of (C, L), with probability `p`; scale the others by 1 / (1 - p).

    It follows `training`, see `dropout`.

    Source: Tompson et al., 2014, https://arxiv.org/abs/1411.4280.

    Raises:
        ArgumentError: `p` is not between 0 and 1.
        ShapeError: the input has neither two nor three dimensions.
    """
    check_probability(p)
    if input.ndim not in (2, 3):
        raise ShapeError(f"dropout1d expected input of shape (N, C, L) or (C, L), got {input.shape}")
    return _channels("dropout1d", input, p, training, inplace, 1 if input.ndim == 2 else 2)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero whole channels of (N, C, H, W) with probability `p`; scale the others by 1 / (1 - p).

    It follows `training`, see `dropout`. Three dimensions are taken as (N, C, L), with a warning, as PyTorch does.

    Source: Tompson et al., 2014, https://arxiv.org/abs/1411.4280.

    Raises:
        ArgumentError: `p` is not between 0 and 1.
        ShapeError: the input has less than two dimensions.
    """
    check_probability(p)
    if input.ndim != 4:
        warnings.warn(
            f"dropout2d expected input of shape (N, C, H, W), got {input.shape}, and drops what lies along the "
            "dimensions after the second; use dropout1d for (N, C, L), dropout for (N, C), and add the dimension of "
            "the batch to (C, H, W) with unsqueeze(0)",
            stacklevel=2,
        )
    return _channels("dropout2d", input, p, training, inplace, 2)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero whole channels of (N, C, D, H, W), or of (C, D, H, W), with probability `p`; scale the others.

    It follows `training`, see `dropout`.

    Source: Tompson et al., 2014, https://arxiv.org/abs/1411.4280.

    Raises:
        ArgumentError: `p` is not between 0 and 1.
        ShapeError: the input has less than one dimension.
    """
    check_probability(p)
    if input.ndim not in (4, 5):
        warnings.warn(
            f"dropout3d expected input of shape (N, C, D, H, W) or (C, D, H, W), got {input.shape}, and drops what "
            "lies along the dimensions after the first; use dropout for other inputs",
            stacklevel=2,
        )
    return _channels("dropout3d", input, p, training, inplace, 2 if input.ndim == 5 else 1)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Set each element with probability `p` to selu's lowest value, then scale and shift all: mean and variance stay.

    It follows `training`, which is False if it is left out; see `dropout`.

    Source: Klambauer et al., 2017, https://arxiv.org/abs/1706.02515.

    Raises:
        ArgumentError: `p` is not between 0 and 1.
        DTypeError: the input holds no floating point numbers.
    """
    if _does_nothing("alpha_dropout", input, p, training):
        return input
    return _result(input, _lowered(input, p, input.shape), inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Do as `alpha_dropout` with whole channels of (N, C, *).

    It follows `training`, which is False if it is left out; see `dropout`.

    Source: Klambauer et al., 2017, https://arxiv.org/abs/1706.02515.

    Raises:
        ArgumentError: `p` is not between 0 and 1.
        DTypeError: the input holds no floating point numbers.
        ShapeError: the input has less than two dimensions.
    """
    if _does_nothing("feature_alpha_dropout", input, p, training):
        return input
    return _result(input, _lowered(input, p, _feature_shape("feature_alpha_dropout", input, 2)), inplace)


def check_probability(p: float) -> None:
    """Raise unless 0 <= p <= 1."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"the dropout probability must be between 0 and 1, got {p}")


def _does_nothing(name: str, x: Tensor, p: float, training: bool) -> bool:
    check_probability(p)
    if not training or p == 0:
        return True
    _check_floating(name, x)
    return not x.numel()


def _dropped(x: Any, p: float) -> Any:
    return _elementwise.dropout(x, float(p), default_generator.draw_seed())


def _channels(name: str, x: Tensor, p: float, training: bool, inplace: bool, dims: int) -> Tensor:
    """Drop what lies along the dimensions after the first `dims`."""
    if _does_nothing(name, x, p, training):
        return x
    mask = _dropped(np.ones(_feature_shape(name, x, dims), x.array.dtype), p)
    return _result(x, x * mask, inplace)


def _feature_shape(name: str, x: Tensor, dims: int) -> tuple[int, ...]:
    """Return the shape of a mask with one element for each channel."""
    if x.ndim < dims:
        raise ShapeError(f"{name} needs at least {dims} dimensions, of which it drops channels, got shape {x.shape}")
    return (*x.shape[:dims], *[1] * (x.ndim - dims))


def _lowered(x: Tensor, p: float, shape: tuple[int, ...]) -> Any:
    if p == 1:
        return x * 0.0
    dtype = x.array.dtype
    kept = _dropped(np.ones(shape, dtype), p) != 0
    scale = ((LOWEST**2 * p + 1) * (1 - p)) ** -0.5
    shift = -LOWEST * scale * p
    return x * (kept * dtype.type(scale)) + np.where(kept, shift, LOWEST * scale + shift).astype(dtype)


def _result(x: Tensor, out: Any, inplace: bool) -> Tensor:
    return _assign(x, out) if inplace else out
