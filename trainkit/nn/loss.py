"""Losses of classification as modules; those of regression and of margins have modules of their own."""

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.loss_base import Loss, last_op, log_probabilities_expected, logits_expected

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "KLDivLoss",
    "MultiLabelSoftMarginLoss",
    "NLLLoss",
    "SoftMarginLoss",
]


class _WeightedLoss(Loss):
    """A loss with factors, which are a buffer."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)


class CrossEntropyLoss(_WeightedLoss):
    """Softmax and negative log-likelihood of logits (N, C, *), or (C,), against classes (N, *) or probabilities.

    It takes logits, not probabilities; a first input that is certainly a softmax's result is warned about.

    Args:
        weight: (C,), a factor for each class. With classes the mean divides by the sum of the factors.
        ignore_index: a class that counts for nothing.
        reduction: "mean" (of nothing: NaN), "sum" or "none".
        label_smoothing: how much of each target is spread evenly over all classes.

    Raises as `functional.cross_entropy`.

    >>> import trainkit as tk
    >>> CrossEntropyLoss()(tk.zeros(2, 4), tk.tensor([0, 3]))
    tensor(1.3863)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare logits with classes, integers, or with probabilities of the shape of `input`."""
        if not self._looked:
            self._looked = True
            self.complain(logits_expected(input))
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """Negative log-likelihood of classes (N, *) under log-probabilities (N, C, *), or of one class under (C,).

    It takes log-probabilities, not logits nor probabilities; a first input with values above 0 is warned about.
    The arguments are those of CrossEntropyLoss.

    >>> import trainkit as tk
    >>> NLLLoss()(tk.zeros(2, 4).log_softmax(1), tk.tensor([0, 3]))
    tensor(1.3863)
    """

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare log-probabilities with classes."""
        if not self._looked:
            self._looked = True
            self.complain(log_probabilities_expected(input))
        return functional.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class BCELoss(_WeightedLoss):
    """Cross-entropy of probabilities against probabilities, or 0 and 1, of one shape.

    It takes probabilities, not logits; values outside [0, 1] raise ArgumentError. Logarithms count as -100 at the
    least, so that no loss is infinite.

    Args:
        weight: factors, which broadcast to the shape of the others.
        reduction: "mean", "sum" or "none".

    >>> import trainkit as tk
    >>> BCELoss()(tk.tensor([0.5, 0.5]), tk.tensor([1.0, 0.0]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare probabilities."""
        return functional.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """Sigmoid and cross-entropy of logits against probabilities, or 0 and 1, of one shape.

    It takes logits, not probabilities; a first input that is a sigmoid's result, as the graph shows, is warned about.

    Args:
        weight: factors, which broadcast to the shape of the others.
        reduction: "mean", "sum" or "none".
        pos_weight: factors of what is positive in the target, which broadcast likewise.

    >>> import trainkit as tk
    >>> BCEWithLogitsLoss()(tk.tensor([0.0, 0.0]), tk.tensor([1.0, 0.0]))
    tensor(0.6931)
    """

    pos_weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare logits with probabilities."""
        if not self._looked:
            self._looked = True
            if last_op(input) == "sigmoid":
                self.complain("takes logits, but its input is a sigmoid's result; leave that out, or use BCELoss")
        return functional.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(Loss):
    """The Kullback-Leibler divergence of `target`, probabilities, from `input`, log-probabilities.

    It takes log-probabilities as input, and probabilities as target, or log-probabilities with `log_target`; a first
    input of another kind is warned about. Only "batchmean" gives the divergence as it is defined: "mean" divides by
    all elements.

    Args:
        reduction: "batchmean", "mean", "sum" or "none".
        log_target: whether the target is given by its logarithm.

    Source: Kullback and Leibler, 1951, https://doi.org/10.1214/aoms/1177729694.

    >>> import trainkit as tk
    >>> KLDivLoss(reduction="batchmean")(tk.zeros(1, 2).log_softmax(1), tk.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__("mean" if reduction == "batchmean" else reduction)
        self.reduction, self.log_target = reduction, log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare two distributions, whose shapes broadcast."""
        if not self._looked:
            self._looked = True
            complaint = log_probabilities_expected(input)
            if self.log_target and not complaint:
                complaint = log_probabilities_expected(target, "with log_target=True its target is")
            elif not complaint and target.array.size and target.array.min() < 0:
                complaint = "takes probabilities as target, but some are negative; logarithms need log_target=True"
            self.complain(complaint)
        return functional.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class SoftMarginLoss(Loss):
    """log(1 + exp(-target input)) of scores, which are logits, against -1 and 1 of one shape.

    >>> import trainkit as tk
    >>> SoftMarginLoss()(tk.tensor([0.0, 0.0]), tk.tensor([1.0, -1.0]))
    tensor(0.6931)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare scores with signs."""
        return functional.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """Binary cross-entropy of logits (*, C) against 0 and 1, averaged over the classes.

    It takes logits, not probabilities.

    Args:
        weight: (C,), a factor for each class.
        reduction: "mean", "sum" or "none".

    >>> import trainkit as tk
    >>> MultiLabelSoftMarginLoss()(tk.zeros(2, 3), tk.ones(2, 3))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare logits with 0 and 1."""
        return functional.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)
