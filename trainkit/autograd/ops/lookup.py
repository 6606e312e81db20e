"""Classes as rows of zeros and a one: `nn.functional`'s one_hot."""

from typing import Any

import numpy as np

from trainkit.autograd.dtypes import int64
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.size import integer
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError

__all__ = ["one_hot"]


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
