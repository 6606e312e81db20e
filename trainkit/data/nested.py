"""Trees of arrays: tuples, lists and dicts whose leaves are rows of one data set."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from trainkit.autograd import Tensor, as_tensor, get_default_dtype
from trainkit.autograd.functions.join import cat
from trainkit.data.dataset import Dataset
from trainkit.errors import ArgumentError, ShapeError

__all__ = ["NestedDataset", "concatenate", "is_array", "leaves", "map_tree", "to_tensor"]


def is_array(value: Any) -> bool:
    """Tell whether a value is a leaf: a tensor or an ndarray."""
    return isinstance(value, (Tensor, np.ndarray))


def map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return the tree with `function` of each leaf in the leaf's place; a leaf is what is no tuple, list or dict.

    >>> map_tree(len, {"a": "xy", "b": ("", "z")})
    {'a': 2, 'b': (0, 1)}
    """
    if isinstance(tree, Mapping):
        return {key: map_tree(function, part) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        parts = [map_tree(function, part) for part in tree]
        if hasattr(tree, "_fields"):
            return type(tree)(*parts)
        return parts if isinstance(tree, list) else tuple(parts)
    return function(tree)


def leaves(tree: Any) -> Iterator[Any]:
    """Yield the leaves of a tree in their order."""
    if isinstance(tree, Mapping):
        tree = list(tree.values())
    if isinstance(tree, (tuple, list)):
        for part in tree:
            yield from leaves(part)
    else:
        yield tree


def to_tensor(leaf: Any) -> Any:
    """Make a tensor of an ndarray, of float64, which numpy makes unasked, one of the default dtype."""
    if not isinstance(leaf, np.ndarray):
        return leaf
    return as_tensor(leaf.astype(get_default_dtype()) if leaf.dtype == np.float64 else leaf)


def concatenate(parts: list[Any]) -> Any:
    """Join trees of one form along the first dimension, leaf by leaf.

    >>> import trainkit as tk
    >>> concatenate([{"a": tk.zeros(1)}, {"a": tk.ones(2)}])
    {'a': tensor([0., 1., 1.])}
    """
    first = parts[0]
    if isinstance(first, Mapping):
        return {key: concatenate([part[key] for part in parts]) for key in first}
    if isinstance(first, (tuple, list)):
        joined = [concatenate(list(column)) for column in zip(*parts, strict=True)]
        return type(first)(*joined) if hasattr(first, "_fields") else type(first)(joined)
    if not isinstance(first, Tensor) or not first.ndim:
        raise ArgumentError(f"cannot join outputs of type {type(first).__name__}; return tensors with a row an example")
    return first if len(parts) == 1 else cat(parts)


class NestedDataset(Dataset):
    """A tree of tensors or arrays of one length: item `i` is the tree of their rows `i`. Memory is shared.

    Raises:
        ShapeError: the lengths differ, or a leaf has no rows.

    >>> import trainkit as tk
    >>> NestedDataset(({"image": tk.zeros(3, 2), "age": tk.ones(3)}, tk.arange(3)))[1]
    ({'image': tensor([0., 0.]), 'age': tensor(1.)}, tensor(1))
    """

    def __init__(self, tree: Any) -> None:
        self.tree = map_tree(to_tensor, tree)
        found = list(leaves(self.tree))
        lengths = [len(leaf) if leaf.ndim else 0 for leaf in found]
        if len(set(lengths)) != 1:
            raise ShapeError(f"inputs and targets need one length, a row an example, got lengths {lengths}")
        self._length = lengths[0]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        return map_tree(lambda leaf: leaf[index], self.tree)

    def batch(self, indices: Any) -> Any:
        """Return rows of each leaf, in one indexing call for each."""
        return map_tree(lambda leaf: as_tensor(leaf.array.take(indices, axis=0)), self.tree)

    def __repr__(self) -> str:
        return f"NestedDataset({map_tree(lambda leaf: leaf.shape, self.tree)})"
