"""The network of PyTorch's MNIST example."""

from trainkit import nn
from trainkit.autograd import Tensor

__all__ = ["MNISTNet"]


class MNISTNet(nn.Module):
    """The network of PyTorch's MNIST example: (N, 1, 28, 28) images to (N, 10) logits.

    It ends with the logits, where the original goes on to `log_softmax`: train it with `CrossEntropyLoss`.

    Source: https://github.com/pytorch/examples/tree/main/mnist.

    >>> import trainkit as tk
    >>> MNISTNet()(tk.ones(2, 1, 28, 28)).shape
    (2, 10)
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map images to logits."""
        x = self.conv1(x).relu()
        x = self.conv2(x).relu()
        x = self.dropout1(nn.functional.max_pool2d(x, 2))
        x = self.fc1(x.flatten(1)).relu()
        return self.fc2(self.dropout2(x))
