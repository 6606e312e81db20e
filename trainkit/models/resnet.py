"""Residual networks."""

from collections.abc import Sequence
from typing import TypeAlias

from trainkit import nn
from trainkit.autograd import Tensor
from trainkit.errors import ArgumentError
from trainkit.models.start import draw_weights
from trainkit.nn import init
from trainkit.nn.fusion import together

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "resnet18", "resnet34", "resnet50"]


def _conv(planes: int, out_planes: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(planes, out_planes, size, stride, padding=size // 2, bias=False)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and the way around them: (N, in_planes, H, W) to (N, planes, H', W').

    Args:
        in_planes: channels of the input.
        planes: channels of the output.
        stride: of the first convolution.
        downsample: what brings the input to the shape of the output, where they differ.

    >>> import trainkit as tk
    >>> BasicBlock(4, 4)(tk.ones(1, 4, 5, 5)).shape
    (1, 4, 5, 5)
    """

    expansion = 1

    def __init__(self, in_planes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None) -> None:
        super().__init__()
        self.conv1 = _conv(in_planes, planes, 3, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU()
        self.conv2 = _conv(planes, planes, 3)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolutions to what came."""
        y = together(x, self.conv1, self.bn1, self.relu)
        y = together(y, self.conv2, self.bn2)
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """Convolutions of 1 x 1, 3 x 3 and 1 x 1, and the way around them: (N, in_planes, H, W) to (N, 4 planes, H', W').

    The stride is that of the 3 x 3 convolution, which is more accurate than the paper's place for it, the first.

    Args:
        in_planes: channels of the input.
        planes: channels of the first two convolutions.
        stride: of the second convolution.
        downsample: what brings the input to the shape of the output, where they differ.

    >>> import trainkit as tk
    >>> Bottleneck(8, 2)(tk.ones(1, 8, 5, 5)).shape
    (1, 8, 5, 5)
    """

    expansion = 4

    def __init__(self, in_planes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None) -> None:
        super().__init__()
        self.conv1 = _conv(in_planes, planes, 1)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv(planes, planes, 3, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = _conv(planes, planes * self.expansion, 1)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU()
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolutions to what came."""
        y = together(x, self.conv1, self.bn1, self.relu)
        y = together(y, self.conv2, self.bn2, self.relu)
        y = together(y, self.conv3, self.bn3)
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


Block: TypeAlias = type[BasicBlock] | type[Bottleneck]


class ResNet(nn.Module):
    """A residual network: (N, 3, H, W) images to (N, num_classes) logits; parameters as torchvision names them.

    Source: He et al., 2016, https://arxiv.org/abs/1512.03385; `zero_init_residual`: Goyal et al., 2017,
    https://arxiv.org/abs/1706.02677.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: how many blocks each of the four stages has.
        num_classes: of the output.
        zero_init_residual: begin with every block as the identity: the last normalisation's weight is 0.
        stem: "imagenet", a 7 x 7 convolution of stride 2 and a pooling; or "cifar", for images of 32 x 32, a 3 x 3
            convolution of stride 1 and no pooling.

    Raises:
        ArgumentError: the stem is neither, or there are not four stages.

    >>> import trainkit as tk
    >>> ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10, stem="cifar")(tk.ones(1, 3, 32, 32)).shape
    (1, 10)
    """

    def __init__(
        self,
        block: Block,
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        stem: str = "imagenet",
    ) -> None:
        super().__init__()
        if stem not in ("imagenet", "cifar"):
            raise ArgumentError(f"stem must be 'imagenet' or 'cifar', got {stem!r}")
        if len(layers) != 4:
            raise ArgumentError(f"a ResNet has four stages, got layers={layers!r}")
        large = stem == "imagenet"
        self.conv1 = _conv(3, 64, 7, 2) if large else _conv(3, 64, 3)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()
        self.layer1 = _stage(block, 64, 64, layers[0], 1)
        self.layer2 = _stage(block, 64 * block.expansion, 128, layers[1], 2)
        self.layer3 = _stage(block, 128 * block.expansion, 256, layers[2], 2)
        self.layer4 = _stage(block, 256 * block.expansion, 512, layers[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        fc = nn.Linear(512 * block.expansion, num_classes)
        draw_weights(self)
        self.fc = fc  # keeps the values that a Linear draws for itself
        if zero_init_residual:
            for part in self.modules():
                if isinstance(part, (BasicBlock, Bottleneck)):
                    last = part.bn2 if isinstance(part, BasicBlock) else part.bn3
                    assert last.weight is not None
                    init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map images to logits."""
        x = self.maxpool(together(x, self.conv1, self.bn1, self.relu))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def _stage(block: Block, in_planes: int, planes: int, count: int, stride: int) -> nn.Sequential:
    """Return `count` blocks, the first with the stride and, where the shape changes, a convolution around it."""
    out = planes * block.expansion
    downsample = None
    if stride != 1 or in_planes != out:
        downsample = nn.Sequential(_conv(in_planes, out, 1, stride), nn.BatchNorm2d(out))
    first = block(in_planes, planes, stride, downsample)
    return nn.Sequential(first, *[block(out, planes) for _ in range(count - 1)])


def resnet18(num_classes: int = 1000, *, zero_init_residual: bool = False, stem: str = "imagenet") -> ResNet:
    """Build a `ResNet` of 18 layers.

    >>> sum(p.numel() for p in resnet18().parameters())
    11689512
    """
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, zero_init_residual, stem)


def resnet34(num_classes: int = 1000, *, zero_init_residual: bool = False, stem: str = "imagenet") -> ResNet:
    """Build a `ResNet` of 34 layers."""
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes, zero_init_residual, stem)


def resnet50(num_classes: int = 1000, *, zero_init_residual: bool = False, stem: str = "imagenet") -> ResNet:
    """Build a `ResNet` of 50 layers, in blocks of three."""
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes, zero_init_residual, stem)
