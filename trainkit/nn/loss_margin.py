"""Losses of margins as modules: of scores or vectors, neither logits nor probabilities."""

from collections.abc import Callable

from trainkit.autograd import Tensor
from trainkit.errors import ArgumentError
from trainkit.nn import functional
from trainkit.nn.loss_base import Loss
from trainkit.nn.similarity import PairwiseDistance

__all__ = [
    "CosineEmbeddingLoss",
    "HingeEmbeddingLoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]


class _MarginLoss(Loss):
    """A loss with a margin."""

    def __init__(self, margin: float, reduction: str) -> None:
        super().__init__(reduction)
        self.margin = margin


class HingeEmbeddingLoss(_MarginLoss):
    """The input, a distance, where the target is 1; how far it is below `margin` where the target is -1.

    >>> import trainkit as tk
    >>> HingeEmbeddingLoss()(tk.tensor([0.5, 0.5]), tk.tensor([1.0, -1.0]))
    tensor(0.5000)
    """

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare distances with 1 (near) and -1 (far)."""
        return functional.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class MarginRankingLoss(_MarginLoss):
    """How far two scores are from the order that the target says: 1 if the first should be higher, -1 if lower.

    Raises ShapeError where the three tensors have different numbers of dimensions.

    >>> import trainkit as tk
    >>> MarginRankingLoss()(tk.tensor([1.0]), tk.tensor([3.0]), tk.tensor([1.0]))
    tensor(2.)
    """

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Compare scores with their order."""
        return functional.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_MarginLoss):
    """1 less the cosine of two vectors where the target is 1, how far it is above `margin` where the target is -1.

    The vectors are (N, D) and the target (N,), or (D,) and (); others raise ShapeError.

    >>> import trainkit as tk
    >>> CosineEmbeddingLoss()(tk.tensor([[1.0, 0.0]]), tk.tensor([[0.0, 1.0]]), tk.tensor([1]))
    tensor(1.)
    """

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Compare vectors."""
        return functional.cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class TripletMarginLoss(_MarginLoss):
    """How much less than `margin` the negative is farther from the anchor than the positive: vectors (N, D) or (D,).

    Args:
        margin: by how much it should be, more than 0.
        p: order of the norm of a distance.
        eps: added to each difference.
        swap: take the distance of the positive from the negative where that is less.
        reduction: "mean", "sum" or "none".

    Source: Balntas et al., 2016, https://www.bmva-archive.org.uk/bmvc/2016/papers/paper119/paper119.pdf.

    >>> import trainkit as tk
    >>> TripletMarginLoss()(tk.zeros(1, 2), tk.zeros(1, 2), tk.tensor([[0.0, 0.5]]))
    tensor(0.5000)
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        *,
        reduction: str = "mean",
    ) -> None:
        super().__init__(_positive(margin), reduction)
        self.p, self.eps, self.swap = p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Compare distances from the anchor."""
        return functional.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, reduction=self.reduction
        )


class TripletMarginWithDistanceLoss(_MarginLoss):
    """TripletMarginLoss with a distance of one's own.

    Args:
        distance_function: of two tensors (N, D), returns (N,); None is PairwiseDistance.
        margin: by how much the negative should be farther, more than 0.
        swap: take the distance of the positive from the negative where that is less.
        reduction: "mean", "sum" or "none".

    >>> import trainkit as tk
    >>> loss = TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(-1))
    >>> loss(tk.zeros(1, 2), tk.zeros(1, 2), tk.tensor([[0.0, 0.5]]))
    tensor(0.5000)
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(_positive(margin), reduction)
        self.distance_function = distance_function or PairwiseDistance()
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Compare distances from the anchor."""
        return functional.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


def _positive(margin: float) -> float:
    if margin <= 0:
        raise ArgumentError(f"a triplet's margin must be more than 0, got {margin}")
    return margin


class MultiMarginLoss(_MarginLoss):
    """The mean over the classes of how much the right class's score leads by less than `margin`, to the power `p`.

    It takes scores (N, C) or (C,), of any size, and classes (N,) or ().

    Args:
        p: 1 or 2.
        margin: by how much the right class should lead.
        weight: (C,), a factor for each right class.
        reduction: "mean", "sum" or "none".

    Source: Crammer and Singer, 2001, https://www.jmlr.org/papers/v2/crammer01a.html.

    >>> import trainkit as tk
    >>> MultiMarginLoss()(tk.tensor([[0.1, 0.2, 0.4, 0.8]]), tk.tensor([3]))
    tensor(0.3250)
    """

    weight: Tensor | None

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, *, reduction: str = "mean"
    ) -> None:
        super().__init__(margin, reduction)
        if p not in (1, 2):
            raise ArgumentError(f"MultiMarginLoss needs a p of 1 or 2, got {p}")
        self.p = p
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare scores with classes."""
        return functional.multi_margin_loss(input, target, self.p, self.margin, self.weight, reduction=self.reduction)


class MultiLabelMarginLoss(Loss):
    """The sum over right and wrong classes of max(0, 1 - right score + wrong score), divided by their number.

    It takes scores (N, C) or (C,), of any size, and of the same shape the right classes of each row, then -1.

    >>> import trainkit as tk
    >>> MultiLabelMarginLoss()(tk.tensor([[0.1, 0.2, 0.4, 0.8]]), tk.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare scores with classes."""
        return functional.multilabel_margin_loss(input, target, reduction=self.reduction)
