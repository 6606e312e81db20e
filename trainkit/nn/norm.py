"""Normalisation layers."""

from trainkit.autograd import Tensor, ones, tensor, zeros
from trainkit.errors import ArgumentError, ShapeError
from trainkit.nn import functional
from trainkit.nn.module import Module
from trainkit.nn.parameter import Parameter

__all__ = ["BatchNorm2d"]


class BatchNorm2d(Module):
    """Normalise each channel of images (N, C, H, W), then scale and shift it.

    In training by the batch's mean and variance, of which running averages are kept (the variance unbiased); in
    evaluation by those averages.

    Source: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167.

    >>> import trainkit as tk
    >>> BatchNorm2d(3)(tk.randn(4, 3, 2, 2)).shape
    (4, 3, 2, 2)
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        if num_features < 1:
            raise ArgumentError(f"BatchNorm2d needs at least one channel, got {num_features}")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(ones(num_features)) if affine else None
        self.bias = Parameter(zeros(num_features)) if affine else None
        self.register_buffer("running_mean", zeros(num_features) if track_running_stats else None)
        self.register_buffer("running_var", ones(num_features) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", tensor(0) if track_running_stats else None)

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (N, num_features, H, W)."""
        if x.ndim != 4 or x.shape[1] != self.num_features:
            raise ShapeError(f"BatchNorm2d expected input of shape (N, {self.num_features}, H, W), got {x.shape}")
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.array += 1
        return functional.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum,
            self.eps,
        )

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )
