"""Nonlinearities as layers."""

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.module import Module

__all__ = ["LogSoftmax", "ReLU", "Sigmoid", "Softmax", "Tanh"]


class ReLU(Module):
    """Replace what is negative by 0.

    >>> import trainkit as tk
    >>> ReLU()(tk.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Rectify `x`, of any shape."""
        return functional.relu(x)


class Sigmoid(Module):
    """The logistic function of each element."""

    def forward(self, x: Tensor) -> Tensor:
        """Map `x`, of any shape, into (0, 1)."""
        return x.sigmoid()


class Tanh(Module):
    """The hyperbolic tangent of each element."""

    def forward(self, x: Tensor) -> Tensor:
        """Map `x`, of any shape, into (-1, 1)."""
        return x.tanh()


class Softmax(Module):
    """Exponentials along `dim`, divided by their sum."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Make probabilities of `x`."""
        return functional.softmax(x, self.dim)


class LogSoftmax(Softmax):
    """The logarithm of softmax along `dim`."""

    def forward(self, x: Tensor) -> Tensor:
        """Make log-probabilities of `x`."""
        return functional.log_softmax(x, self.dim)
