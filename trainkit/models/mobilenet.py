"""MobileNetV2."""

from trainkit import nn
from trainkit.autograd import Tensor
from trainkit.errors import ArgumentError
from trainkit.models.start import draw_weights

__all__ = ["MobileNetV2", "mobilenet_v2"]

# Of each stage: by what a block widens its input inside, the channels of its output, the blocks, the first stride
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def _rounded(channels: float) -> int:
    """Round to a multiple of 8, by a tenth down at most."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def _conv(planes: int, out: int, size: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a convolution, its normalisation and a ReLU6."""
    conv = nn.Conv2d(planes, out, size, stride, padding=size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU6())


class _InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; and the way around, where input and output have one shape."""

    def __init__(self, planes: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = planes * expansion
        self.use_res_connect = stride == 1 and planes == out
        self.conv = nn.Sequential(
            *([_conv(planes, inside)] if expansion != 1 else []),
            _conv(inside, inside, 3, stride, groups=inside),
            nn.Conv2d(inside, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return x + y if self.use_res_connect else y


class MobileNetV2(nn.Module):
    """Inverted residuals: (N, 3, H, W) images to (N, num_classes) logits; parameters as torchvision names them.

    Source: Sandler et al., 2018, https://arxiv.org/abs/1801.04381.

    Args:
        num_classes: of the output.
        width_mult: the factor of all channels; they are rounded to multiples of 8.
        dropout: the probability, before the last layer.

    Raises:
        ArgumentError: the factor is not above 0.

    >>> import trainkit as tk
    >>> MobileNetV2(num_classes=10, width_mult=0.25)(tk.ones(2, 3, 32, 32)).shape
    (2, 10)
    """

    def __init__(self, num_classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.2) -> None:
        super().__init__()
        if not width_mult > 0:
            raise ArgumentError(f"width_mult must be above 0, got {width_mult}")
        planes = _rounded(32 * width_mult)
        layers: list[nn.Module] = [_conv(3, planes, 3, 2)]
        for expansion, channels, count, stride in _STAGES:
            out = _rounded(channels * width_mult)
            for i in range(count):
                layers.append(_InvertedResidual(planes, out, stride if i == 0 else 1, expansion))
                planes = out
        self.last_channel = _rounded(1280 * max(1.0, width_mult))
        layers.append(_conv(planes, self.last_channel))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes))
        draw_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map images to logits."""
        return self.classifier(nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1)).flatten(1))


def mobilenet_v2(num_classes: int = 1000, *, width_mult: float = 1.0, dropout: float = 0.2) -> MobileNetV2:
    """Build a `MobileNetV2`.

    >>> sum(p.numel() for p in mobilenet_v2().parameters())
    3504872
    """
    return MobileNetV2(num_classes, width_mult, dropout)
