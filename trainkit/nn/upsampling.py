"""Layers that make images larger, by interpolation or out of channels."""

from collections.abc import Sequence
from typing import Any

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.functional.checks import Sizes
from trainkit.nn.module import Module

__all__ = [
    "ChannelShuffle",
    "PixelShuffle",
    "PixelUnshuffle",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
]


class Upsample(Module):
    """Resizes lines (N, C, L), images (N, C, H, W) or volumes (N, C, D, H, W); see `functional.interpolate`.

    Args:
        size: of the output: a number, or one for each dimension.
        scale_factor: in its place, what the sizes are multiplied by.
        mode: "nearest", "linear", "bilinear", "bicubic" or "trilinear", as all that `interpolate` takes.
        align_corners: whether the first and last elements, not their outer edges, lie upon each other.
        recompute_scale_factor: whether the places follow from the rounded size, and not from the factor.

    >>> import trainkit as tk
    >>> Upsample(scale_factor=2, mode="bilinear")(tk.ones(1, 3, 4, 5)).shape
    (1, 3, 8, 10)
    """

    def __init__(
        self,
        size: Sizes | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.mode = size, mode
        self.scale_factor: Any = scale_factor
        if isinstance(scale_factor, (tuple, list)):
            self.scale_factor = tuple([float(factor) for factor in scale_factor])
        elif scale_factor:
            self.scale_factor = float(scale_factor)  # type: ignore[arg-type]
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Resize a batch."""
        return functional.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        """Return the size and the mode."""
        size = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Resizes images (N, C, H, W) by the nearest pixel: `Upsample` by an older name.

    >>> import trainkit as tk
    >>> UpsamplingNearest2d(size=6)(tk.ones(1, 3, 4, 5)).shape
    (1, 3, 6, 6)
    """

    def __init__(self, size: Sizes | None = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Resizes images (N, C, H, W) linearly, corners upon corners: `Upsample` by an older name.

    >>> import trainkit as tk
    >>> UpsamplingBilinear2d(scale_factor=1.5)(tk.ones(1, 3, 4, 6)).shape
    (1, 3, 6, 9)
    """

    def __init__(self, size: Sizes | None = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor, "bilinear", align_corners=True)


class PixelShuffle(Module):
    """Turns channels into pixels: (*, C r^2, H, W) to (*, C, H r, W r), r being `upscale_factor`.

    Source: Shi et al., 2016, https://arxiv.org/abs/1609.05158.

    >>> import trainkit as tk
    >>> PixelShuffle(3)(tk.ones(1, 9, 4, 4)).shape
    (1, 1, 12, 12)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Rearrange (*, C r^2, H, W)."""
        return functional.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """Return the factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Turns pixels into channels: (*, C, H r, W r) to (*, C r^2, H, W), r being `downscale_factor`.

    >>> import trainkit as tk
    >>> PixelUnshuffle(3)(tk.ones(1, 1, 12, 12)).shape
    (1, 9, 4, 4)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Rearrange (*, C, H r, W r)."""
        return functional.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """Return the factor."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Deals the channels of (N, C, ...) out anew: the first of each group, then the second of each.

    Source: Zhang et al., 2017, https://arxiv.org/abs/1707.01083.

    >>> import trainkit as tk
    >>> ChannelShuffle(2)(tk.arange(4).reshape(1, 4, 1)).flatten().tolist()
    [0, 2, 1, 3]
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """Rearrange (N, C, ...)."""
        return functional.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """Return the number of groups."""
        return f"groups={self.groups}"
