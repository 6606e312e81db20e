"""Pooling layers."""

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.functional.checks import Pair, pair
from trainkit.nn.module import Module

__all__ = ["MaxPool2d"]


class MaxPool2d(Module):
    """The largest element of each window: (N, C, H, W) to (N, C, H', W'); `stride` defaults to `kernel_size`.

    >>> import trainkit as tk
    >>> MaxPool2d(2)(tk.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    def __init__(self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> None:
        self.kernel_size = pair(kernel_size, "kernel_size", 1)
        self.stride = self.kernel_size if stride is None else pair(stride, "stride", 1)
        self.padding = pair(padding, "padding", 0)

    def forward(self, x: Tensor) -> Tensor:
        """Pool x (N, C, H, W)."""
        return functional.max_pool2d(x, self.kernel_size, self.stride, self.padding)

    def extra_repr(self) -> str:
        """Return the window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
