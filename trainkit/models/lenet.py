"""LeNet-5."""

from trainkit import nn
from trainkit.autograd import Tensor

__all__ = ["LeNet5"]


class LeNet5(nn.Module):
    """Two convolutions and three linear layers: (N, 1, 28, 28) images to (N, num_classes) logits.

    tanh and averages as in the paper; its partly connected second convolution is a whole one here, and its radial
    output a linear layer.

    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.

    Args:
        num_classes: of the output.

    >>> import trainkit as tk
    >>> LeNet5()(tk.ones(2, 1, 28, 28)).shape
    (2, 10)
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images to logits."""
        x = nn.functional.avg_pool2d(self.conv1(x).tanh(), 2)
        x = nn.functional.avg_pool2d(self.conv2(x).tanh(), 2)
        x = self.fc1(x.flatten(1)).tanh()
        x = self.fc2(x).tanh()
        return self.fc3(x)
