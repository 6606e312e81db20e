"""Normalisation by the statistics of channels: batch norm and instance norm."""

import warnings
from typing import Any

from trainkit.autograd import Tensor, empty, no_grad, tensor
from trainkit.errors import ArgumentError, ShapeError
from trainkit.nn import functional
from trainkit.nn.functional.norm import batch_normalised, running
from trainkit.nn.fusion import WITH_RELU
from trainkit.nn.module import Module
from trainkit.nn.parameter import Parameter

__all__ = [
    "AffineNorm",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
]

_LETTERS = {1: "L", 2: "H, W", 3: "D, H, W"}


class AffineNorm(Module):
    """What has a scale and a shift, or one of them, or neither."""

    weight: Parameter | None
    bias: Parameter | None

    def set_parameters(self, shape: tuple[int, ...], affine: bool, bias: bool, device: Any, dtype: Any) -> None:
        """Make the parameters that are wanted; the others are None."""
        self.weight = Parameter(empty(shape, device=device, dtype=dtype)) if affine else None
        self.bias = Parameter(empty(shape, device=device, dtype=dtype)) if affine and bias else None

    def reset_parameters(self) -> None:
        """Set the scale to 1 and the shift to 0."""
        with no_grad():
            if self.weight is not None:
                self.weight.fill_(1.0)
            if self.bias is not None:
                self.bias.fill_(0.0)


class _RunningNorm(AffineNorm):
    """What batch norm and instance norm share: parameters and running statistics of channels."""

    dims: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_features < 1:
            raise ArgumentError(f"{type(self).__name__} needs at least one channel, got {num_features}")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.set_parameters((num_features,), affine, bias, device, dtype)
        for name in ("running_mean", "running_var"):
            running = empty(num_features, device=device, dtype=dtype) if track_running_stats else None
            self.register_buffer(name, running)
        self.register_buffer("num_batches_tracked", tensor(0) if track_running_stats else None)
        self.reset_parameters()

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    _version = 2  # from which on the batches are counted

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: dict[str, Any], *rest: Any) -> None:
        if (local_metadata.get("version") or 0) < 2 and self.num_batches_tracked is not None:
            state_dict.setdefault(f"{prefix}num_batches_tracked", self.num_batches_tracked.clone())
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def reset_running_stats(self) -> None:
        """Forget all batches: mean 0, variance 1."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                buffer.fill_(value)

    def reset_parameters(self) -> None:
        """Set the scale to 1 and the shift to 0, and forget all batches."""
        self.reset_running_stats()
        super().reset_parameters()

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_RunningNorm):
    """Batch norm of any number of dimensions."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise a batch."""
        return self._normalised(input)

    def _rectified(self, input: Tensor) -> Tensor:
        return self._normalised(input, True)

    def _normalised(self, input: Tensor, relu: bool = False) -> Tensor:
        self._check(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.array += 1
            self.num_batches_tracked.version[0] += 1
            if self.momentum is None:
                momentum = 1 / int(self.num_batches_tracked.array)
        kept = not self.training or self.track_running_stats
        return batch_normalised(
            input,
            self.running_mean if kept else None,
            self.running_var if kept else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            momentum,
            self.eps,
            relu,
        )

    def _given(self) -> tuple[Any, ...]:
        """Return what evaluation normalises by: the running mean, 1 / the running deviation, weight and bias."""
        return *running(self.running_mean, self.running_var, self.eps), self.weight, self.bias

    def _check(self, x: Tensor) -> None:
        fits = x.ndim == self.dims + 2 or (self.dims == 1 and x.ndim == 2)
        if fits and x.shape[1] == self.num_features:
            return
        shape = f"(N, {self.num_features}, {_LETTERS[self.dims]})"
        shape = f"(N, {self.num_features}) or {shape}" if self.dims == 1 else shape
        hint = "; add the dimension of the batch with x.unsqueeze(0)" if x.ndim == self.dims + 1 and not fits else ""
        error = ShapeError if fits else ArgumentError  # as in PyTorch
        raise error(f"{type(self).__name__} expected input of shape {shape}, got {x.shape}{hint}")


class BatchNorm1d(_BatchNorm):
    """Normalise each channel of (N, C) or (N, C, L), then scale and shift it; see `BatchNorm2d`.

    >>> import trainkit as tk
    >>> BatchNorm1d(3)(tk.randn(4, 3)).shape
    (4, 3)
    """

    dims = 1


class BatchNorm2d(_BatchNorm):
    """Normalise each channel of images (N, C, H, W), then scale and shift it.

    In training by the batch's mean and variance, of which running averages are kept (the variance unbiased); in
    evaluation by those averages. A batch with one value per channel raises ArgumentError in training.

    Source: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: the share of the newest batch in the averages; None for the plain average over all batches.
        affine: whether there are a learned scale and shift.
        track_running_stats: whether averages are kept; without them evaluation too takes the batch's statistics.
        device: "cpu".
        dtype: of parameters and averages.
        bias: whether there is a shift, if `affine`.

    >>> import trainkit as tk
    >>> BatchNorm2d(3)(tk.randn(4, 3, 2, 2)).shape
    (4, 3, 2, 2)
    """

    dims = 2


class BatchNorm3d(_BatchNorm):
    """Normalise each channel of volumes (N, C, D, H, W), then scale and shift it; see `BatchNorm2d`.

    >>> import trainkit as tk
    >>> BatchNorm3d(3)(tk.randn(4, 3, 2, 2, 2)).shape
    (4, 3, 2, 2, 2)
    """

    dims = 3


WITH_RELU.update({layer: layer._rectified for layer in (BatchNorm1d, BatchNorm2d, BatchNorm3d)})


class _InstanceNorm(_RunningNorm):
    """Instance norm of any number of dimensions."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise a batch, or a single input without the dimension of the batch."""
        name, letters, batched = type(self).__name__, _LETTERS[self.dims], input.ndim == self.dims + 2
        shape = f"(N, {self.num_features}, {letters}) or ({self.num_features}, {letters})"
        if not batched and input.ndim != self.dims + 1:
            raise ArgumentError(f"{name} expected input of shape {shape}, got {input.shape}")
        if input.shape[-1 - self.dims] != self.num_features:
            text = f"{name} expected input of shape {shape}, got {input.shape}"
            if self.affine or self.track_running_stats:
                raise ArgumentError(text)
            warnings.warn(f"{text}; without parameters any number of channels works", stacklevel=2)
        out = functional.instance_norm(
            input if batched else input.unsqueeze(0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return out if batched else out.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Normalise each channel of each line, (N, C, L) or (C, L), by itself; see `InstanceNorm2d`.

    >>> import trainkit as tk
    >>> InstanceNorm1d(3)(tk.randn(4, 3, 5)).shape
    (4, 3, 5)
    """

    dims = 1


class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each image, (N, C, H, W) or (C, H, W), by its own mean and variance.

    With `track_running_stats` averages of these over all images are kept, and are what evaluation normalises by.

    Source: Ulyanov, Vedaldi and Lempitsky, 2016, https://arxiv.org/abs/1607.08022.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: the share of the newest batch in the averages.
        affine: whether there are a learned scale and shift of each channel.
        track_running_stats: whether averages are kept.
        device: "cpu".
        dtype: of parameters and averages.
        bias: whether there is a shift, if `affine`.

    >>> import trainkit as tk
    >>> InstanceNorm2d(3, affine=True)(tk.randn(4, 3, 5, 5)).shape
    (4, 3, 5, 5)
    """

    dims = 2


class InstanceNorm3d(_InstanceNorm):
    """Normalise each channel of each volume, (N, C, D, H, W) or (C, D, H, W), by itself; see `InstanceNorm2d`.

    >>> import trainkit as tk
    >>> InstanceNorm3d(3)(tk.randn(4, 3, 2, 2, 2)).shape
    (4, 3, 2, 2, 2)
    """

    dims = 3
