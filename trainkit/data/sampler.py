"""Samplers: which items come, in which order, in which batches."""

from collections.abc import Iterable, Iterator, Sized
from typing import Any

import numpy as np

from trainkit.errors import ArgumentError
from trainkit.random import Generator, default_generator

__all__ = ["BatchSampler", "RandomSampler", "Sampler", "SequentialSampler"]


class Sampler:
    """The base: an iterable of indices with a length."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} has no __iter__()")

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__} has no __len__()")


class SequentialSampler(Sampler):
    """Every item, in order."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def order(self) -> np.ndarray[Any, Any]:
        """Return the indices of one pass."""
        return np.arange(len(self.data_source))

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(SequentialSampler):
    """Every item once, in a new order at every pass.

    Args:
        data_source: what has a length.
        generator: draws the orders; the default one if None.
    """

    def __init__(self, data_source: Sized, generator: Generator | None = None) -> None:
        super().__init__(data_source)
        self.generator = generator

    def order(self) -> np.ndarray[Any, Any]:
        """Draw the indices of one pass."""
        return (self.generator or default_generator).numpy.permutation(len(self.data_source))


class BatchSampler(Sampler):
    """The indices of a sampler in batches, int64 ndarrays.

    >>> [batch.tolist() for batch in BatchSampler(SequentialSampler(range(5)), 2)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool = False) -> None:
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ArgumentError(f"batch_size must be an integer of at least 1, got {batch_size!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[np.ndarray[Any, Any]]:
        if isinstance(self.sampler, SequentialSampler):
            order = self.sampler.order()
            stop = len(order) - (len(order) % self.batch_size if self.drop_last else 0)
            for start in range(0, stop, self.batch_size):
                yield order[start : start + self.batch_size]
            return
        batch: list[int] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield np.asarray(batch)
                batch = []
        if batch and not self.drop_last:
            yield np.asarray(batch)

    def __len__(self) -> int:
        length = len(self.sampler)  # type: ignore[arg-type]
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)
