"""Convolution layers."""

from collections.abc import Sequence
from typing import Any

from trainkit.autograd import Tensor, empty
from trainkit.autograd.ops.pad import pad
from trainkit.errors import ArgumentError
from trainkit.nn import functional
from trainkit.nn.functional.checks import Sizes, sizes_of
from trainkit.nn.functional.conv import check_same, convolve, same_padding, transposed_size
from trainkit.nn.fusion import WITH_NORM, WITH_RELU
from trainkit.nn.linear import reset_affine
from trainkit.nn.module import Module
from trainkit.nn.norm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from trainkit.nn.parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d"]

_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What convolutions of all dimensions share: the arguments, the parameters and the repr."""

    dims: int
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: Sizes | str,
        dilation: Sizes,
        output_padding: Sizes,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        name, dims = type(self).__name__, self.dims
        if in_channels < 1 or out_channels < 1:
            raise ArgumentError(f"{name} needs at least one channel on each side, got {in_channels}, {out_channels}")
        if groups < 1:
            raise ArgumentError(f"groups must be at least 1, got {groups}")
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(
                f"{name}: in_channels and out_channels must be divisible by groups={groups}, got {in_channels}, "
                f"{out_channels}"
            )
        modes = _MODES[:1] if self.transposed else _MODES
        if padding_mode not in modes:
            raise ArgumentError(f"the padding_mode of {name} is one of {', '.join(modes)}, got {padding_mode!r}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = sizes_of(kernel_size, dims, "kernel_size", 1)
        self.stride, self.dilation = sizes_of(stride, dims, "stride", 1), sizes_of(dilation, dims, "dilation", 1)
        self.padding: tuple[int, ...] | str
        if isinstance(padding, str) and not self.transposed:
            check_same(padding, self.stride)
            self.padding = padding
        else:
            self.padding = sizes_of(padding, dims, "padding", 0)
        self.output_padding = sizes_of(output_padding, dims, "output_padding", 0)
        self.groups, self.padding_mode = groups, padding_mode
        sides = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (sides[0], sides[1] // groups, *self.kernel_size)
        self.weight = Parameter(empty(*shape, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform within 1 / sqrt(fan in)."""
        reset_affine(self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        if self.padding != (0,) * self.dims:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * self.dims:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * self.dims:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Conv(_ConvNd):
    """A convolution: the constructor and the call."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        """Filter a batch, or a single input without the dimension of the batch."""
        return self._filtered(input)

    def _filtered(self, input: Tensor, relu: bool = False, norm: Any = None) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = pad(input, self._edges(), self.padding_mode), 0
        return convolve(
            self.dims, input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups, relu, norm
        )

    def _rectified(self, input: Tensor) -> Tensor:
        return self._filtered(input, True)

    def _edges(self) -> list[int]:
        """Return what is put before and after each dimension, the last one first."""
        if isinstance(self.padding, str):
            same = same_padding(self.kernel_size, self.dilation)
            pairs = same if self.padding == "same" else [(0, 0)] * self.dims
        else:
            pairs = [(size, size) for size in self.padding]
        return [size for pair in reversed(pairs) for size in pair]


class Conv1d(_Conv):
    """Filters over lines: (N, in_channels, L) to (N, out_channels, L'), or both without N; see `Conv2d`.

    >>> import trainkit as tk
    >>> Conv1d(4, 8, kernel_size=3, padding="same")(tk.ones(2, 4, 10)).shape
    (2, 8, 10)
    """

    dims = 1


class Conv2d(_Conv):
    """Filters over images: (N, in_channels, H, W) to (N, out_channels, H', W'), or both without N.

    H' = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1, and W' likewise.

    Args:
        in_channels: of the input.
        out_channels: the number of filters.
        kernel_size: a number, or one for each dimension, as all that follow.
        stride: the step between the windows.
        padding: what is put on both sides; 'valid' is nothing, 'same' what keeps the size at a stride of 1.
        dilation: the step between the taps of a filter.
        groups: channels and filters fall into so many groups; with `in_channels` of them every channel has filters of
            its own (a depthwise convolution).
        bias: whether a learned number is added to each filter's output.
        padding_mode: "zeros", "reflect", "replicate" or "circular", as of `functional.pad`.
        device: "cpu".
        dtype: of the parameters.

    >>> import trainkit as tk
    >>> Conv2d(1, 8, kernel_size=3, padding=1)(tk.ones(2, 1, 5, 5)).shape
    (2, 8, 5, 5)
    """

    dims = 2


class Conv3d(_Conv):
    """Filters over volumes: (N, in_channels, D, H, W) to (N, out_channels, D', H', W'), or both without N.

    See `Conv2d`.

    >>> import trainkit as tk
    >>> Conv3d(1, 2, kernel_size=3, stride=2)(tk.ones(1, 1, 7, 7, 9)).shape
    (1, 2, 3, 3, 4)
    """

    dims = 3


WITH_RELU.update({layer: layer._rectified for layer in (Conv1d, Conv2d, Conv3d)})
WITH_NORM.update({Conv1d: BatchNorm1d, Conv2d: BatchNorm2d, Conv3d: BatchNorm3d})


class _ConvTranspose(_ConvNd):
    """A transposed convolution: the constructor and the call."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Spread a batch, or a single input; `output_size` says which of the possible sizes, in place of padding it."""
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        call = getattr(functional, f"conv_transpose{self.dims}d")
        return call(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)

    def _extra(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """Return the output padding that gives a size."""
        dims, wanted = self.dims, tuple(output_size)
        if len(wanted) == input.ndim:
            wanted = wanted[-dims:]
        if len(wanted) != dims:
            raise ArgumentError(
                f"output_size has {dims} or {input.ndim} elements for input of shape {input.shape}, got {output_size}"
            )
        padding = sizes_of(self.padding, dims, "padding", 0)
        least = transposed_size(input.shape[-dims:], self.kernel_size, self.stride, padding, self.dilation)
        most = [size + step - 1 for size, step in zip(least, self.stride, strict=True)]
        if any(not low <= size <= high for size, low, high in zip(wanted, least, most, strict=True)):
            raise ArgumentError(
                f"output_size must lie between {tuple(least)} and {tuple(most)} for input of shape {input.shape}, "
                f"got {wanted}"
            )
        return tuple([size - low for size, low in zip(wanted, least, strict=True)])


class ConvTranspose1d(_ConvTranspose):
    """The transpose of `Conv1d`: (N, in_channels, L) to (N, out_channels, L'), or both without N.

    See `ConvTranspose2d`.

    >>> import trainkit as tk
    >>> ConvTranspose1d(4, 2, kernel_size=3, stride=2)(tk.ones(1, 4, 5)).shape
    (1, 2, 11)
    """

    dims = 1


class ConvTranspose2d(_ConvTranspose):
    """The transpose of `Conv2d`, its gradient: (N, in_channels, H, W) to (N, out_channels, H', W'), or both without N.

    H' = (H - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1, and W' likewise.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel_size: a number, or one for each dimension, as all that follow.
        stride: by which the input is spread.
        padding: what is cut off on both sides.
        output_padding: rows and columns more at the end.
        groups: channels on both sides fall into so many groups.
        bias: whether a learned number is added to each channel of the output.
        dilation: the step between the taps of a filter.
        padding_mode: "zeros".
        device: "cpu".
        dtype: of the parameters.

    >>> import trainkit as tk
    >>> up = ConvTranspose2d(8, 4, kernel_size=4, stride=2, padding=1)
    >>> up(tk.ones(2, 8, 5, 5)).shape
    (2, 4, 10, 10)
    >>> ConvTranspose2d(1, 1, 3, stride=2)(tk.ones(1, 1, 5, 5), output_size=(12, 12)).shape
    (1, 1, 12, 12)
    """

    dims = 2
