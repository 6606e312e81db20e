"""Layers that only change the shape."""

from collections.abc import Sequence

from trainkit.autograd import Tensor
from trainkit.errors import ArgumentError
from trainkit.nn import functional
from trainkit.nn.functional.checks import Sizes
from trainkit.nn.module import Module

__all__ = ["Flatten", "Fold", "Unflatten", "Unfold"]


class Flatten(Module):
    """Join dimensions, by default all but the first.

    >>> import trainkit as tk
    >>> Flatten()(tk.ones(2, 3, 4)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """Return a view of `input` with fewer dimensions."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Return the dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Take one dimension apart into several, of which one may be -1: what is left.

    Differs from PyTorch: dimensions have no names.

    >>> import trainkit as tk
    >>> Unflatten(1, (3, -1))(tk.ones(2, 12)).shape
    (2, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(dim, int) or not isinstance(unflattened_size, (tuple, list)):
            raise ArgumentError(f"Unflatten takes a dimension and a tuple of sizes, got {dim!r}, {unflattened_size!r}")
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """Return a view of `input` with more dimensions."""
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """Return the dimension and the sizes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Unfold(Module):
    """Lays the windows of images out as columns: (N, C, H, W) to (N, C kh kw, L), or both without N.

    Args:
        kernel_size: a number, or one for each dimension, as all that follow.
        dilation: the step between the elements of a window.
        padding: zeros on both sides.
        stride: the step between windows.

    >>> import trainkit as tk
    >>> Unfold(3)(tk.ones(2, 4, 5, 6)).shape
    (2, 36, 12)
    """

    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """Lay a batch out, or a single image."""
        return functional.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Return the window."""
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Adds columns up to images, the gradient of `Unfold`: (N, C kh kw, L) to (N, C, H, W), or both without N.

    Args:
        output_size: (H, W).
        kernel_size: a number, or one for each dimension, as all that follow.
        dilation: the step between the elements of a window.
        padding: what is cut off on both sides.
        stride: the step between windows.

    >>> import trainkit as tk
    >>> Fold((5, 6), 3)(tk.ones(2, 36, 12)).shape
    (2, 4, 5, 6)
    """

    def __init__(
        self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size, self.dilation = output_size, kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """Add a batch up, or the columns of a single image."""
        return functional.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Return the size and the window."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
