"""Rows of a table by their number: `nn.functional`'s embedding and one_hot."""

from typing import Any

import numpy as np

from trainkit.autograd.dtypes import int32, int64
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops.index import index_select
from trainkit.autograd.size import integer
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

__all__ = ["embedding", "one_hot"]


def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """Pick the rows of `weight` that `input` names: (*) and (rows, features) to (*, features).

    Differs from PyTorch: there is no `max_norm`, `scale_grad_by_freq` or `sparse`.

    Args:
        input: int64 or int32, none negative.
        weight: the table.
        padding_idx: the row that has no gradient; a negative one counts from the end.

    Raises:
        IndexRangeError: `input` or `padding_idx` names a row that is not there.

    >>> import trainkit as tk
    >>> embedding(tk.tensor([1, 0, 1]), tk.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.],
            [3., 4.]])
    """
    for argument, name in ((input, "input"), (weight, "weight")):
        if not isinstance(argument, TensorBase):
            raise DTypeError(f"embedding takes a tensor as {name}, got {type(argument).__name__}")
    if input.array.dtype not in (int64, int32):
        raise DTypeError(f"embedding takes indices of int64 or int32, got {input.array.dtype}; cast with .long()")
    if weight.array.ndim != 2:
        raise ShapeError(f"embedding takes a weight of shape (rows, features), got {weight.array.shape}")
    if padding_idx is not None:
        rows, skip = weight.array.shape[0], integer(padding_idx, "padding_idx")
        if not -rows <= skip < rows:
            raise IndexRangeError(f"padding_idx {skip} is out of range for a weight of {rows} rows")
        padding_idx = skip % rows
    return index_select(weight, 0, input, padding_idx)


def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """A row for each class: 1 in the column that it names, 0 elsewhere; (*) to (*, num_classes), int64.

    Args:
        tensor: the classes, int64, none negative.
        num_classes: how many columns; -1: as many as the largest class needs.

    Raises:
        IndexRangeError: a class is negative or has no column.

    >>> import trainkit as tk
    >>> one_hot(tk.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if not isinstance(tensor, TensorBase) or tensor.array.dtype != int64:
        kind = tensor.array.dtype if isinstance(tensor, TensorBase) else type(tensor).__name__
        raise DTypeError(f"one_hot takes classes as an int64 tensor, got {kind}; cast it with .long()")
    classes = tensor.array
    count = integer(num_classes, "num_classes")
    if count == -1:
        if not classes.size:
            raise ArgumentError("one_hot of no classes cannot tell how many there are; pass num_classes")
        count = max(int(classes.max()) + 1, 1)
    if count < 0 or (count == 0 and not classes.size):
        raise ArgumentError(f"num_classes must be positive, or -1 to be inferred, got {num_classes}")
    if classes.size and (classes.min() < 0 or classes.max() >= count):
        wrong = classes[(classes < 0) | (classes >= count)]
        raise IndexRangeError(f"one_hot got class {wrong[0]}, expected 0 to {count - 1} for {count} classes")
    return wrap((classes[..., None] == np.arange(count)).astype(np.int64))
