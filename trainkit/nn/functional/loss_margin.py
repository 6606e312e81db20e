"""Losses of margins: they are 0 where scores or distances differ by enough."""

from collections.abc import Callable

import numpy as np

from trainkit.autograd import Tensor, from_numpy
from trainkit.autograd import functions as _functions
from trainkit.autograd.ops.choose import masked as _masked
from trainkit.autograd.ops.choose import where as _where
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from trainkit.nn.functional.reduction import check_classes, check_weight, reduced
from trainkit.nn.functional.similarity import pairwise_distance

__all__ = [
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, *, reduction: str = "mean") -> Tensor:
    """The distance `input` itself where the target is 1, how far it is below `margin` where the target is -1.

    Differs from PyTorch: `size_average` and `reduce` are gone, `reduction` is given by name.
    """
    apart = _where(target != 1, _functions.clamp(margin - input, 0), 0.0)
    return reduced(_where(target != -1, input, 0.0) + apart, reduction)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, *, reduction: str = "mean"
) -> Tensor:
    """max(0, margin - target (input1 - input2)): the first should rank higher where the target is 1, lower where -1.

    Differs from PyTorch: `size_average` and `reduce` are gone, `reduction` is given by name.

    Raises:
        ShapeError: the tensors have different numbers of dimensions.
    """
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(
            "margin_ranking_loss needs as many dimensions in all, got input1 "
            f"{input1.shape}, input2 {input2.shape} and target {target.shape}"
        )
    return reduced(_functions.clamp(margin - target * (input1 - input2), 0), reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: str = "mean",
) -> Tensor:
    """How much less than `margin` the negative is farther from the anchor than the positive: (N, D) or (D,) each.

    Source: Balntas et al., 2016, https://www.bmva-archive.org.uk/bmvc/2016/papers/paper119/paper119.pdf.

    Differs from PyTorch: `size_average` and `reduce` are gone, `reduction` is given by name.

    Args:
        anchor: points.
        positive: points that should be near.
        negative: points that should be far.
        margin: by how much, more than 0.
        p: order of the norm of a distance.
        eps: added to each difference.
        swap: take the distance of the positive from the negative where that is less.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the tensors have different numbers of dimensions.
        ArgumentError: `margin` is not positive.
    """

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return pairwise_distance(x, y, p, eps)

    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=distance, margin=margin, swap=swap, reduction=reduction
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """As `triplet_margin_loss`, with a distance of one's own; without one it is `pairwise_distance`."""
    name = "triplet_margin_loss"
    if margin <= 0:
        raise ArgumentError(f"{name} needs a margin of more than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            f"{name} needs as many dimensions in all, got anchor {anchor.shape}, positive {positive.shape} and "
            f"negative {negative.shape}"
        )
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = _functions.minimum(far, distance(positive, negative))
    return reduced(_functions.clamp(margin + near - far, 0), reduction)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, *, reduction: str = "mean"
) -> Tensor:
    """1 less the cosine of two vectors where the target is 1, how far it is above `margin` where the target is -1.

    Differs from PyTorch: `size_average` and `reduce` are gone, `reduction` is given by name.

    Args:
        input1: vectors (N, D), or one, (D,).
        input2: likewise.
        target: (N,), or (): 1 and -1.
        margin: from -1 to 1.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes do not fit.
    """
    if target.ndim > 1 or not input1.ndim == input2.ndim == target.ndim + 1:
        raise ShapeError(
            "cosine_embedding_loss expected two tensors (N, D) and a target (N,), or (D,) and (), got "
            f"{input1.shape}, {input2.shape} and {target.shape}"
        )
    product = (input1 * input2).sum(-1)
    squares = [(vectors * vectors).sum(-1) + 1e-12 for vectors in (input1, input2)]
    cosine = product / _functions.sqrt(squares[0] * squares[1])
    apart = _where(target == -1, _functions.clamp(cosine - margin, 0), 0.0)
    return reduced(_where(target == 1, 1 - cosine, 0.0) + apart, reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
) -> Tensor:
    """The mean over the classes of max(0, margin - score of the right class + score of another) ** p.

    Differs from PyTorch: `size_average` and `reduce` are gone, `reduction` is given by name.

    Args:
        input: scores (N, C), or (C,).
        target: classes (N,), or ().
        p: 1 or 2.
        margin: by how much the right class should lead.
        weight: (C,), a factor for each right class.
        reduction: "mean" (over the examples), "sum" or "none".

    Raises:
        ShapeError: the shapes do not fit.
        ArgumentError: `p` is neither 1 nor 2.
        IndexRangeError: a label is outside [0, C - 1].
    """
    if p not in (1, 2):
        raise ArgumentError(f"multi_margin_loss needs a p of 1 or 2, got {p}")
    if input.ndim not in (1, 2):
        raise ShapeError(f"multi_margin_loss expected scores of shape (N, C) or (C,), got {input.shape}")
    check_classes("multi_margin_loss", input, target, None)
    labels = np.expand_dims(target.array.astype(np.int64), -1)
    classes = input.array.shape[-1]
    others = np.arange(classes) != labels
    places = labels[..., 0]
    right = input[places] if input.ndim == 1 else input[np.arange(len(places)), places]
    short = _masked(_functions.relu(margin - right.unsqueeze(-1) + input), others)
    losses = (short if p == 1 else short * short).sum(-1) / max(classes, 1)
    if weight is not None:
        check_weight("multi_margin_loss", weight, classes)
        losses = losses * weight.array[places].astype(losses.array.dtype)
    if reduction == "mean" and not losses.array.size:
        return losses.sum()  # PyTorch's mean over no example is 0 here
    return reduced(losses, reduction)


def multilabel_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The sum over right and wrong classes of max(0, 1 - right score + wrong score), divided by their number.

    Differs from PyTorch: `size_average` and `reduce` are gone.

    Args:
        input: scores (N, C), or (C,).
        target: of that shape, int64: the right classes of each row, then -1; what follows does not count.
        reduction: "mean" (over the examples), "sum" or "none".

    Raises:
        ShapeError: the shapes differ.
        DTypeError: the target holds no integers.
        IndexRangeError: a label is outside [-1, C - 1].
    """
    name = "multilabel_margin_loss"
    if input.shape != target.shape or input.ndim not in (1, 2):
        raise ShapeError(f"{name} expected two tensors of one shape, (N, C) or (C,), got {input.shape}, {target.shape}")
    if target.array.dtype.kind != "i":
        raise DTypeError(f"{name} expected classes as integers, got {target.dtype}; cast them with .long()")
    classes = input.array.shape[-1]
    labels = target.array.reshape(-1, classes).astype(np.int64)
    if labels.size and (labels.min() < -1 or labels.max() >= classes):
        raise IndexRangeError(f"{name} expected labels from -1 to {classes - 1}, got {labels.min()} to {labels.max()}")
    counts = np.logical_and.accumulate(labels >= 0, axis=1)
    rows, places = np.nonzero(counts)
    right = np.zeros(labels.shape, bool)
    right[rows, labels[rows, places]] = True
    scores = input.reshape(-1, classes)
    # a label that is named twice counts twice, as in PyTorch
    short = _functions.relu(1 - scores[rows, labels[rows, places]].unsqueeze(-1) + scores[rows])
    by_label = _masked(short, ~right[rows]).sum(-1) / max(classes, 1)
    losses = _functions.index_add(scores[:, :0].sum(-1), 0, from_numpy(rows), by_label)
    return reduced(losses.reshape(input.array.shape[:-1]), reduction)
