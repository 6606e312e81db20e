"""Convolution layers."""

from trainkit.autograd import Tensor, empty
from trainkit.errors import ArgumentError
from trainkit.nn import functional
from trainkit.nn.functional import Pair, pair
from trainkit.nn.linear import reset_affine
from trainkit.nn.module import Module
from trainkit.nn.parameter import Parameter

__all__ = ["Conv2d"]


class Conv2d(Module):
    """Filters over images: (N, in_channels, H, W) to (N, out_channels, H', W').

    H' = floor((H + 2 padding - kernel_size) / stride) + 1, and W' likewise.

    >>> import trainkit as tk
    >>> Conv2d(1, 8, kernel_size=3, padding=1)(tk.ones(2, 1, 5, 5)).shape
    (2, 8, 5, 5)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        bias: bool = True,
    ) -> None:
        if in_channels < 1 or out_channels < 1:
            raise ArgumentError(f"Conv2d needs at least one channel on each side, got {in_channels}, {out_channels}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = pair(kernel_size, "kernel_size", 1)
        self.stride, self.padding = pair(stride, "stride", 1), pair(padding, "padding", 0)
        self.weight = Parameter(empty(out_channels, in_channels, *self.kernel_size))
        self.bias = Parameter(empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        reset_affine(self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Filter x (N, in_channels, H, W)."""
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def extra_repr(self) -> str:
        """Return the sizes."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        if self.padding != (0, 0):
            parts.append(f"padding={self.padding}")
        if self.bias is None:
            parts.append("bias=False")
        return ", ".join(parts)
