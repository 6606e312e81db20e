"""How near vectors are to each other, as layers."""

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along `dim`, which is gone from the result.

    Args:
        dim: along which the vectors lie.
        eps: the least length that they are divided by.

    >>> import trainkit as tk
    >>> CosineSimilarity()(tk.tensor([[1.0, 0.0]]), tk.tensor([[2.0, 2.0]]))
    tensor([0.7071])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Compare two tensors that broadcast."""
        return functional.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of the difference of vectors, (N, D) and (N, D) to (N,).

    Args:
        p: order of the norm.
        eps: added to each difference, so that no distance is 0.
        keepdim: keep the last dimension, with size 1.

    >>> import trainkit as tk
    >>> PairwiseDistance()(tk.tensor([[1.0, 0.0]]), tk.tensor([[4.0, 4.0]]))
    tensor([5.0000])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Compare two tensors that broadcast."""
        return functional.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
