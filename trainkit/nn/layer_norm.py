"""Normalisation of each sample by itself: layer, root-mean-square, group and local response norm."""

from collections.abc import Sequence
from typing import Any

from trainkit.autograd import Tensor
from trainkit.errors import ArgumentError, ShapeError
from trainkit.nn import functional
from trainkit.nn.module import Module
from trainkit.nn.norm import AffineNorm

__all__ = ["GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


class LayerNorm(AffineNorm):
    """Normalise over the last dimensions by mean and variance, then scale and shift each element there.

    Source: Ba, Kiros and Hinton, 2016, https://arxiv.org/abs/1607.06450.

    Args:
        normalized_shape: the sizes of these dimensions; a number for the last one alone.
        eps: added to the variance.
        elementwise_affine: whether there are a learned scale and shift.
        bias: whether there is a shift, if `elementwise_affine`.
        device: "cpu".
        dtype: of the parameters.

    >>> import trainkit as tk
    >>> LayerNorm(8)(tk.randn(2, 5, 8)).shape
    (2, 5, 8)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.set_parameters(self.normalized_shape, elementwise_affine, bias, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (*, normalized_shape)."""
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(AffineNorm):
    """Divide by the root of the mean of squares over the last dimensions, then scale each element there.

    Source: Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467.

    Args:
        normalized_shape: the sizes of these dimensions; a number for the last one alone.
        eps: added to the mean of squares; None for the distance from 1 to the next number of the dtype.
        elementwise_affine: whether there is a learned scale.
        device: "cpu".
        dtype: of the scale.

    >>> import trainkit as tk
    >>> RMSNorm(2, eps=0.0)(tk.tensor([[1.0, 7.0]]))
    tensor([[0.2000, 1.4000]], grad_fn=<RowNormBackward>)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.set_parameters(self.normalized_shape, elementwise_affine, False, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (*, normalized_shape)."""
        return functional.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(AffineNorm):
    """Normalise each sample of (N, C, *) over groups of neighbouring channels, then scale and shift each channel.

    Source: Wu and He, 2018, https://arxiv.org/abs/1803.08494.

    Args:
        num_groups: of channels; one is all of them together, C each by itself.
        num_channels: C.
        eps: added to the variance.
        affine: whether there are a learned scale and shift.
        device: "cpu".
        dtype: of the parameters.
        bias: whether there is a shift, if `affine`.

    >>> import trainkit as tk
    >>> GroupNorm(2, 6)(tk.randn(4, 6, 5, 5)).shape
    (4, 6, 5, 5)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels < 1 or num_channels % num_groups:
            raise ArgumentError(
                f"GroupNorm: num_channels must be divisible by num_groups, both at least 1, got {num_channels}, "
                f"{num_groups}"
            )
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.set_parameters((num_channels,), affine, bias, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, num_channels, *)."""
        if input.ndim < 2 or input.shape[1] != self.num_channels:
            raise ShapeError(f"GroupNorm expected input of shape (N, {self.num_channels}, *), got {input.shape}")
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """Divide each element of (N, C, *) by what its neighbours in other channels have: see `local_response_norm`.

    Source: Krizhevsky, Sutskever and Hinton, 2012, section 3.3.

    >>> import trainkit as tk
    >>> LocalResponseNorm(3)(tk.ones(1, 5, 2)).shape
    (1, 5, 2)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, *)."""
        return functional.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _sizes(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)
