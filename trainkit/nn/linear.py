"""Layers that map vectors."""

import math

from trainkit.autograd import Tensor, empty
from trainkit.errors import ArgumentError
from trainkit.nn import functional, init
from trainkit.nn.module import Module
from trainkit.nn.parameter import Parameter

__all__ = ["Flatten", "Identity", "Linear"]


class Linear(Module):
    """An affine map of the last dimension: (*, in_features) to (*, out_features).

    Weight (out_features, in_features) and bias (out_features,) begin uniform within 1 / sqrt(in_features).

    >>> import trainkit as tk
    >>> Linear(3, 2)(tk.ones(5, 3)).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        if in_features < 1 or out_features < 1:
            raise ArgumentError(f"Linear needs at least one feature on each side, got {in_features}, {out_features}")
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features))
        self.bias = Parameter(empty(out_features)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        reset_affine(self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (*, in_features)."""
        return functional.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        bias = self.bias is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={bias}"


def reset_affine(weight: Tensor, bias: Tensor | None) -> None:
    """Draw weight and bias as PyTorch does for linear and convolution layers: within 1 / sqrt(fan in)."""
    init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(init.fans(weight)[0])
        init.uniform_(bias, -bound, bound)


class Flatten(Module):
    """Join dimensions, by default all but the first.

    >>> import trainkit as tk
    >>> Flatten()(tk.ones(2, 3, 4)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        """Return a view of `x` with fewer dimensions."""
        return x.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Return the dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """Return what comes: a placeholder."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`."""
        return x
