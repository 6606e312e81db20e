"""Nonlinearities along a dimension as layers."""

from trainkit.autograd import Tensor
from trainkit.errors import ShapeError
from trainkit.nn import functional
from trainkit.nn.module import Module

__all__ = ["GLU", "LogSoftmax", "Softmax", "Softmax2d", "Softmin"]


class Softmax(Module):
    """Exponentials along `dim`, divided by their sum: they add up to 1; any shape.

    Without `dim` it is guessed, as in PyTorch, with a warning.

    >>> import trainkit as tk
    >>> Softmax(0)(tk.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Make probabilities of `input`."""
        return functional.softmax(input, self.dim, _stacklevel=5)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"dim={self.dim}"


class Softmin(Softmax):
    """The softmax of what is turned in sign: the smallest elements get the largest share.

    >>> import trainkit as tk
    >>> Softmin(0)(tk.tensor([0.0, 1.0]))
    tensor([0.7311, 0.2689])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Make probabilities of `input`."""
        return functional.softmin(input, self.dim, _stacklevel=5)


class LogSoftmax(Softmax):
    """The logarithm of softmax along `dim`, precise where that underflows.

    >>> import trainkit as tk
    >>> LogSoftmax(0)(tk.tensor([0.0, 0.0]))
    tensor([-0.6931, -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Make log-probabilities of `input`."""
        return functional.log_softmax(input, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W).

    Raises:
        ShapeError: the input has neither three nor four dimensions.

    >>> import trainkit as tk
    >>> Softmax2d()(tk.zeros(1, 2, 1, 1)).flatten()
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Make probabilities of `input`."""
        if input.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d expected input of shape (N, C, H, W) or (C, H, W), got {input.shape}")
        return functional.softmax(input, -3)


class GLU(Module):
    """Multiply the first half along `dim` with the sigmoid of the second: the size there halves.

    Source: Dauphin et al., 2016, https://arxiv.org/abs/1612.08083.

    Raises:
        ShapeError: the size along `dim` is odd.

    >>> import trainkit as tk
    >>> GLU()(tk.tensor([2.0, 0.0]))
    tensor([1.])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Gate `input`."""
        return functional.glu(input, self.dim)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"dim={self.dim}"
