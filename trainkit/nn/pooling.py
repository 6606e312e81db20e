"""Pooling layers: windows that slide over lines, images and volumes."""

from collections.abc import Sequence
from typing import Any

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.functional.checks import Sizes, sizes_of, window_sizes
from trainkit.nn.functional.pooling import largest
from trainkit.nn.module import Module

__all__ = [
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]


class _MaxPool(Module):
    """What max pooling of all dimensions shares."""

    dims: int

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        window_sizes(self.dims, kernel_size, stride, padding)
        sizes_of(dilation, self.dims, "dilation", 1)
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        """Pool a batch, or a single input without the dimension of the batch."""
        numbers = self.kernel_size, self.stride, self.padding, self.dilation
        return largest(self.dims, input, *numbers, self.ceil_mode, self.return_indices)

    def extra_repr(self) -> str:
        """Return the window."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest element of each window: (N, C, L) to (N, C, L'), or both without N; see `MaxPool2d`.

    >>> import trainkit as tk
    >>> MaxPool1d(3, stride=2)(tk.ones(1, 3, 8)).shape
    (1, 3, 3)
    """

    dims = 1


class MaxPool2d(_MaxPool):
    """The largest element of each window: (N, C, H, W) to (N, C, H', W'), or both without N.

    H' = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1, and W' likewise.

    Args:
        kernel_size: a number, or one for each dimension, as all that follow.
        stride: the step between windows; `kernel_size` unless given.
        padding: what is put on both sides; it is never the largest.
        dilation: the step between the elements of a window.
        return_indices: whether the layer returns also where the elements lie, for `MaxUnpool2d`.
        ceil_mode: whether H' is rounded up.

    >>> import trainkit as tk
    >>> MaxPool2d(2)(tk.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    dims = 2


class MaxPool3d(_MaxPool):
    """The largest element of each window: (N, C, D, H, W) to (N, C, D', H', W'), or both without N; see `MaxPool2d`.

    >>> import trainkit as tk
    >>> MaxPool3d((1, 2, 2))(tk.ones(1, 3, 5, 8, 8)).shape
    (1, 3, 5, 4, 4)
    """

    dims = 3


class _AvgPool(Module):
    """What average pooling of all dimensions shares."""

    dims: int

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        window_sizes(self.dims, kernel_size, stride, padding)
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """Pool a batch, or a single input without the dimension of the batch."""
        call = getattr(functional, f"avg_pool{self.dims}d")
        last = () if self.dims == 1 else (self.divisor_override,)
        how = self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        return call(input, *how, *last)

    def extra_repr(self) -> str:
        """Return the window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The average of each window: (N, C, L) to (N, C, L'), or both without N; see `AvgPool2d`.

    >>> import trainkit as tk
    >>> AvgPool1d(3, stride=2)(tk.ones(1, 3, 8)).shape
    (1, 3, 3)
    """

    dims = 1

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        sizes = window_sizes(1, kernel_size, stride, padding)
        super().__init__(*sizes, ceil_mode, count_include_pad)


class AvgPool2d(_AvgPool):
    """The average of each window: (N, C, H, W) to (N, C, H', W'), or both without N.

    H' = floor((H + 2 padding - kernel_size) / stride) + 1, and W' likewise.

    Args:
        kernel_size: a number, or one for each dimension, as `stride` and `padding`.
        stride: the step between windows; `kernel_size` unless given.
        padding: zeros on both sides.
        ceil_mode: whether H' is rounded up.
        count_include_pad: whether the zeros of the padding are counted.
        divisor_override: what the sums are divided by in place of the count.

    >>> import trainkit as tk
    >>> AvgPool2d(3, stride=2, padding=1)(tk.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    dims = 2


class AvgPool3d(_AvgPool):
    """The average of each window: (N, C, D, H, W) to (N, C, D', H', W'), or both without N; see `AvgPool2d`.

    >>> import trainkit as tk
    >>> AvgPool3d(2)(tk.ones(1, 3, 4, 8, 8)).shape
    (1, 3, 2, 4, 4)
    """

    dims = 3


class _LPPool(Module):
    """What power-average pooling of all dimensions shares."""

    dims: int

    def __init__(
        self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        window_sizes(self.dims, kernel_size, stride, 0)
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """Pool a batch, or a single input without the dimension of the batch."""
        call = getattr(functional, f"lp_pool{self.dims}d")
        return call(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        """Return the norm and the window."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """The root of the sum of powers of each window: (N, C, L) to (N, C, L'), or both without N; see `LPPool2d`.

    >>> import trainkit as tk
    >>> LPPool1d(1, 4)(tk.ones(1, 1, 4))
    tensor([[[4.]]])
    """

    dims = 1


class LPPool2d(_LPPool):
    """The root of the sum of powers of each window, (sum of x^p)^(1/p): (N, C, H, W) to (N, C, H', W').

    Args:
        norm_type: the power p.
        kernel_size: a number, or one for each dimension, as `stride`.
        stride: the step between windows; `kernel_size` unless given.
        ceil_mode: whether H' and W' are rounded up.

    >>> import trainkit as tk
    >>> LPPool2d(2, 2)(tk.ones(1, 1, 2, 2))
    tensor([[[[2.]]]])
    """

    dims = 2


class LPPool3d(_LPPool):
    """The root of the sum of powers of each window: (N, C, D, H, W) to (N, C, D', H', W'); see `LPPool2d`.

    >>> import trainkit as tk
    >>> LPPool3d(1, 2)(tk.ones(1, 1, 2, 2, 2))
    tensor([[[[[8.]]]]])
    """

    dims = 3


class _MaxUnpool(Module):
    """What max unpooling of all dimensions shares."""

    dims: int

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = window_sizes(self.dims, kernel_size, stride, padding)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Put a batch back, or a single input without the dimension of the batch."""
        call = getattr(functional, f"max_unpool{self.dims}d")
        return call(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        """Return the window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Puts back what `MaxPool1d` picked: (N, C, L) to (N, C, L'), or both without N; see `MaxUnpool2d`.

    >>> import trainkit as tk
    >>> out, indices = tk.nn.MaxPool1d(2, return_indices=True)(tk.tensor([[1.0, 3.0, 2.0, 0.0]]))
    >>> MaxUnpool1d(2)(out, indices)
    tensor([[0., 3., 2., 0.]])
    """

    dims = 1


class MaxUnpool2d(_MaxUnpool):
    """Puts back, among zeros, what `MaxPool2d` picked: (N, C, H, W) to (N, C, H', W'), or both without N.

    H' = (H - 1) stride - 2 padding + kernel_size, and W' likewise, unless `forward` is given an `output_size`.

    Args:
        kernel_size: that of the pooling, as `stride` and `padding`: a number, or one for each dimension.
        stride: `kernel_size` unless given.
        padding: what was put on both sides.

    >>> import trainkit as tk
    >>> out, indices = tk.nn.MaxPool2d(2, return_indices=True)(tk.rand(1, 3, 4, 4))
    >>> MaxUnpool2d(2)(out, indices).shape
    (1, 3, 4, 4)
    """

    dims = 2


class MaxUnpool3d(_MaxUnpool):
    """Puts back what `MaxPool3d` picked: (N, C, D, H, W) to (N, C, D', H', W'), or both without N; see `MaxUnpool2d`.

    >>> import trainkit as tk
    >>> out, indices = tk.nn.MaxPool3d(2, return_indices=True)(tk.rand(1, 3, 4, 4, 4))
    >>> MaxUnpool3d(2)(out, indices).shape
    (1, 3, 4, 4, 4)
    """

    dims = 3
