"""Data sets: a length, and an item for each number below it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainkit.autograd import Tensor, TensorBase, as_tensor
from trainkit.errors import ArgumentError, ShapeError
from trainkit.random import Generator, default_generator

__all__ = ["Dataset", "Subset", "TensorDataset", "random_split"]


class Dataset:
    """The base of data sets with a known length: subclass it, write `__len__` and `__getitem__`.

    A set that can fetch many items at once has `batch(indices)` too, indices an int64 ndarray: it returns what
    collating these items would, and the loader calls it once a batch instead of `__getitem__` for each item.
    """

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__()")

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__} has no __len__()")


class TensorDataset(Dataset):
    """Tensors or arrays of one length: item `i` is row `i` of each. Memory is shared.

    Raises:
        ShapeError: the lengths differ.

    >>> import trainkit as tk
    >>> TensorDataset(tk.zeros(3, 2), tk.arange(3))[1]
    (tensor([0., 0.]), tensor(1))
    """

    def __init__(self, *tensors: Any) -> None:
        if not tensors:
            raise ArgumentError("TensorDataset needs at least one tensor, got none")
        self.tensors: tuple[Tensor, ...] = tuple(as_tensor(tensor) for tensor in tensors)
        lengths = [len(tensor) if tensor.ndim else 0 for tensor in self.tensors]
        if len(set(lengths)) > 1:
            raise ShapeError(f"TensorDataset needs tensors of one length, got lengths {lengths}")

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple([tensor[index] for tensor in self.tensors])

    def batch(self, indices: Any) -> tuple[Tensor, ...]:
        """Return rows of each tensor, in one indexing call for each."""
        return tuple([as_tensor(tensor.array.take(indices, axis=0)) for tensor in self.tensors])

    def __repr__(self) -> str:
        return f"TensorDataset({', '.join(str(tensor.shape) for tensor in self.tensors)})"


class Subset(Dataset):
    """Some items of another set, by their numbers."""

    def __init__(self, dataset: Any, indices: Any) -> None:
        self.dataset = dataset
        self.indices = np.asarray(indices.array if isinstance(indices, TensorBase) else indices, np.int64)
        if hasattr(dataset, "batch"):
            self.batch = self._batch

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[int(self.indices[index])]

    def _batch(self, indices: Any) -> Any:
        return self.dataset.batch(self.indices[indices])


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Generator | None = None) -> list[Subset]:
    """Split a set at random into parts of the given lengths, or fractions that sum to 1.

    Raises:
        ArgumentError: the lengths do not sum to the length of the set.

    >>> import trainkit as tk
    >>> [len(part) for part in random_split(TensorDataset(tk.zeros(10)), [0.7, 0.3])]
    [7, 3]
    """
    total = len(dataset)
    sizes = [int(length) for length in lengths]
    if math.isclose(math.fsum(lengths), 1.0) and any(isinstance(length, float) for length in lengths):
        sizes = [math.floor(total * length) for length in lengths]
        for i in range(total - sum(sizes)):  # what rounding left over goes round
            sizes[i % len(sizes)] += 1
    if sum(sizes) != total:
        raise ArgumentError(f"the parts {list(lengths)} must sum to the length of the set, {total}, or to 1")
    order = (generator or default_generator).numpy.permutation(total)
    bounds = np.cumsum(sizes)[:-1]
    return [Subset(dataset, part) for part in np.split(order, bounds)]
