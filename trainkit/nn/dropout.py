"""Layers that forget at random."""

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.functional.dropout import check_probability
from trainkit.nn.module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """In training zero each element with probability `p` and scale the others by 1 / (1 - p).

    Source: Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html.

    >>> import trainkit as tk
    >>> Dropout(0.5).eval()(tk.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, p: float = 0.5) -> None:
        check_probability(p)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of `x`, of any shape."""
        return functional.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        """Return the probability."""
        return f"p={self.p}"
