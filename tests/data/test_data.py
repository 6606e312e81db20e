"""Data sets, samplers, loaders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk
from trainkit.data import BatchSampler, DataLoader, Dataset, Subset, TensorDataset, default_collate, random_split
from trainkit.errors import ArgumentError, DataError, ShapeError


class Squares(Dataset):
    """A data set of items, without `batch`."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index):
        return {"x": np.full(2, index, "float32"), "y": index * index}


def pairs(length: int) -> TensorDataset:
    return TensorDataset(tk.arange(length).float().reshape(-1, 1), tk.arange(length))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 40), st.integers(1, 12), st.booleans(), st.booleans())
def test_every_item_comes_once(length: int, batch_size: int, shuffle: bool, drop_last: bool) -> None:
    loader = DataLoader(pairs(length), batch_size, shuffle, drop_last=drop_last)
    batches = [y.tolist() for _, y in loader]
    assert len(batches) == len(loader)
    seen = [i for batch in batches for i in batch]
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(range(length))
    expected = length - length % batch_size if drop_last else length
    assert len(seen) == expected
    if not shuffle:
        assert seen == list(range(expected))


def test_batches_are_copies() -> None:
    data = pairs(4)
    for x, _ in DataLoader(data, 2):
        x.fill_(-1)
    assert data.tensors[0].tolist() == [[0.0], [1.0], [2.0], [3.0]]


def test_shuffle_has_its_own_generator_and_changes_every_pass() -> None:
    def orders(seed: int) -> list:
        loader = DataLoader(pairs(30), 30, shuffle=True, generator=tk.Generator().manual_seed(seed))
        return [y.tolist() for _ in range(2) for _, y in loader]

    first, again, other = orders(1), orders(1), orders(2)
    assert first == again
    assert first[0] != first[1]
    assert first != other


def test_items_are_collated_and_batches_are_fetched_at_once() -> None:
    batch = next(iter(DataLoader(Squares(5), 3)))
    assert batch["x"].tolist() == [[0, 0], [1, 1], [2, 2]]
    assert batch["y"].tolist() == [0, 1, 4]

    class Counting(TensorDataset):
        calls = 0

        def batch(self, indices):
            self.calls += 1
            return super().batch(indices)

        def __getitem__(self, index):
            raise AssertionError("a set that fetches batches is never asked for items")

    data = Counting(tk.zeros(10, 2))
    assert [x.shape for (x,) in DataLoader(data, 4)] == [(4, 2), (4, 2), (2, 2)]
    assert data.calls == 3


def test_custom_collate_and_samplers() -> None:
    assert list(DataLoader(range(4), 2, collate_fn=list)) == [[0, 1], [2, 3]]
    assert [b.tolist() for b in DataLoader(range(4), batch_sampler=[[3, 0], [1]])] == [[3, 0], [1]]
    assert [b.tolist() for b in DataLoader(range(9), 2, sampler=[5, 6, 7])] == [[5, 6], [7]]
    assert len(BatchSampler([1, 2, 3], 2, drop_last=True)) == 1


def test_subset_and_split() -> None:
    part = Subset(pairs(10), [7, 3])
    assert [y.tolist() for _, y in DataLoader(part, 2)] == [[7, 3]]
    assert part[1][1].item() == 3
    plain = Subset(Squares(5), [4])
    assert not hasattr(plain, "batch")
    assert plain[0]["y"] == 16
    parts = random_split(pairs(10), [0.75, 0.25], tk.Generator().manual_seed(0))
    assert [len(p) for p in parts] == [8, 2]
    assert sorted(i for p in parts for i in p.indices.tolist()) == list(range(10))


def test_collate() -> None:
    assert default_collate([(1, "a"), (2, "b")])[1] == ["a", "b"]
    assert default_collate([tk.ones(2), tk.zeros(2)]).shape == (2, 2)
    assert default_collate([1.5, 2.5]).dtype == tk.float32


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: TensorDataset(tk.zeros(2), tk.zeros(3)), ShapeError, r"\[2, 3\]"),
        (lambda: TensorDataset(), ArgumentError, "at least one"),
        (lambda: DataLoader(pairs(3), 0), ArgumentError, "batch_size"),
        (lambda: DataLoader(iter([1]), 2), ArgumentError, "length and items"),
        (lambda: DataLoader(pairs(3), 1, shuffle=True, sampler=[0]), ArgumentError, "excludes shuffle"),
        (lambda: DataLoader(pairs(3), 2, batch_sampler=[[0]]), ArgumentError, "excludes batch_size"),
        (lambda: default_collate([np.zeros(2), np.zeros(3)]), DataError, "do not fit"),
        (lambda: default_collate([object()]), DataError, "object"),
        (lambda: random_split(pairs(10), [5, 6]), ArgumentError, "sum to the length"),
    ],
)
def test_bad_input(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
