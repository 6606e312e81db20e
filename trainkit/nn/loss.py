"""Losses as modules."""

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.module import Module

__all__ = ["CrossEntropyLoss", "MSELoss", "NLLLoss"]


class _Loss(Module):
    """A loss with a reduction: "mean", "sum" or "none"."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def extra_repr(self) -> str:
        """Return the reduction where it is not the mean."""
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class CrossEntropyLoss(_Loss):
    """Softmax and negative log-likelihood of logits (N, C) against classes (N,), int64.

    >>> import trainkit as tk
    >>> CrossEntropyLoss()(tk.zeros(2, 4), tk.tensor([0, 3]))
    tensor(1.3863)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare logits with classes."""
        return functional.cross_entropy(input, target, self.reduction)


class NLLLoss(_Loss):
    """Negative log-likelihood of classes (N,) under log-probabilities (N, C)."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare log-probabilities with classes."""
        return functional.nll_loss(input, target, self.reduction)


class MSELoss(_Loss):
    """Squared difference of two tensors of one shape."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare `input` with `target`."""
        return functional.mse_loss(input, target, self.reduction)
