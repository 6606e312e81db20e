"""VGG's network of 11 layers."""

from trainkit import nn
from trainkit.autograd import Tensor
from trainkit.models.start import draw_weights

__all__ = ["VGG", "vgg11", "vgg11_bn"]

_STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))  # a pooling after each


class VGG(nn.Module):
    """VGG's configuration A: (N, 3, H, W) images to (N, num_classes) logits; parameters as torchvision names them.

    Source: Simonyan and Zisserman, 2015, https://arxiv.org/abs/1409.1556.

    Args:
        num_classes: of the output.
        batch_norm: normalise after each convolution.
        dropout: the probability, in the classifier.

    >>> import trainkit as tk
    >>> VGG(num_classes=10).features(tk.ones(1, 3, 64, 32)).shape
    (1, 512, 2, 1)
    """

    def __init__(self, num_classes: int = 1000, batch_norm: bool = False, dropout: float = 0.5) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        planes = 3
        for stage in _STAGES:
            for out in stage:
                layers.append(nn.Conv2d(planes, out, 3, padding=1))
                layers += [nn.BatchNorm2d(out), nn.ReLU()] if batch_norm else [nn.ReLU()]
                planes = out
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            *(nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(dropout)),
            nn.Linear(4096, num_classes),
        )
        draw_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map images, of at least 32 x 32, to logits."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def vgg11(num_classes: int = 1000, *, dropout: float = 0.5) -> VGG:
    """Build a `VGG` without normalisation: 132,863,336 parameters with 1000 classes, half a gigabyte."""
    return VGG(num_classes, False, dropout)


def vgg11_bn(num_classes: int = 1000, *, dropout: float = 0.5) -> VGG:
    """Build a `VGG` with normalisation after each convolution."""
    return VGG(num_classes, True, dropout)
