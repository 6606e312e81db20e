"""`DataLoader`: batches of a data set, as tensors."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from trainkit.autograd import Tensor, as_tensor, from_numpy, tensor
from trainkit.autograd.functions.join import stack
from trainkit.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from trainkit.errors import ArgumentError, DataError
from trainkit.random import Generator

__all__ = ["DataLoader", "default_collate"]


class DataLoader:
    """Iterate over a data set in batches, a new pass at every `iter()`.

    Args:
        dataset: what has a length and items.
        batch_size: of every batch but the last, which may be smaller.
        shuffle: draw a new order at every pass.
        sampler: the order, instead of `shuffle`.
        batch_sampler: the batches, instead of all of these.
        drop_last: leave out a last batch that is smaller.
        collate_fn: makes a batch of a list of items; by default tensors are stacked, within tuples and dicts.
        generator: draws the orders; the default one if None.

    Raises:
        ArgumentError: options that exclude each other.

    >>> import trainkit as tk
    >>> loader = DataLoader(tk.data.TensorDataset(tk.zeros(5, 2), tk.arange(5)), batch_size=2)
    >>> [y.tolist() for x, y in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        sampler: Any = None,
        batch_sampler: Any = None,
        drop_last: bool = False,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
            raise ArgumentError(f"DataLoader needs a data set with a length and items, got {type(dataset).__name__}")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ArgumentError("batch_sampler excludes batch_size, shuffle, sampler and drop_last")
        if sampler is not None and shuffle:
            raise ArgumentError("sampler excludes shuffle: the sampler gives the order")
        if sampler is None:
            sampler = RandomSampler(dataset, generator) if shuffle else SequentialSampler(dataset)
        self.dataset, self.sampler, self.generator = dataset, sampler, generator
        self.batch_sampler = batch_sampler or BatchSampler(sampler, batch_size, drop_last)
        self.batch_size: int | None = None if batch_sampler is not None else batch_size
        self.drop_last = drop_last
        self.collate_fn = collate_fn

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        fetch = getattr(self.dataset, "batch", None)
        if fetch is not None and self.collate_fn is None:
            for indices in self.batch_sampler:
                yield _as_tensors(fetch(np.asarray(indices)))
            return
        collate = self.collate_fn or default_collate
        for indices in self.batch_sampler:
            yield collate([self.dataset[int(index)] for index in indices])

    def __repr__(self) -> str:
        return f"DataLoader({self.dataset!r}, {len(self)} batches)"


def default_collate(items: list[Any]) -> Any:
    """Make one batch of a list of items: tensors, arrays and numbers are stacked, within tuples, lists and dicts.

    Raises:
        DataError: the items differ in shape or kind.
    """
    first = items[0]
    try:
        if isinstance(first, Tensor):
            return stack(items)
        if isinstance(first, (np.ndarray, np.generic)):
            return from_numpy(np.stack(items))
        if isinstance(first, (bool, int, float)):
            return tensor(items)
        if isinstance(first, str):
            return items
        if isinstance(first, Mapping):
            return {key: default_collate([item[key] for item in items]) for key in first}
        if isinstance(first, (tuple, list)):
            parts = [default_collate(list(part)) for part in zip(*items, strict=True)]
            return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    except (ValueError, RuntimeError, KeyError) as error:
        raise DataError(f"the items of a batch do not fit each other: {error}; pass a collate_fn") from error
    raise DataError(
        f"cannot make a batch of items of type {type(first).__name__}; "
        "return tensors, arrays, numbers, strings, or tuples and dicts of them, or pass a collate_fn"
    )


def _as_tensors(batch: Any) -> Any:
    """Give the arrays of a batch as tensors."""
    if isinstance(batch, np.ndarray):
        return as_tensor(batch)
    if isinstance(batch, (tuple, list)):
        return tuple([_as_tensors(part) for part in batch])
    if isinstance(batch, dict):
        return {key: _as_tensors(part) for key, part in batch.items()}
    return batch
