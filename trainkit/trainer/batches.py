"""Whatever `fit` takes, as batches; and a batch as input, target and weight."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.data import DataLoader, Subset
from trainkit.data.nested import NestedDataset, is_array, leaves, map_tree, to_tensor
from trainkit.errors import ArgumentError

__all__ = ["as_batches", "split_off", "unpack"]


def unpack(batch: Any) -> tuple[Any, Any, Any]:
    """Take a batch apart: an input, (input, target), or (input, target, weight); arrays become tensors.

    Raises:
        ArgumentError: it has more parts, or is None.
    """
    if batch is None:
        raise ArgumentError("a batch is None: the engine runs without data; call fit(), or trainer.engine.run(data)")
    if not isinstance(batch, (tuple, list)):
        return _tensors(batch), None, None
    if len(batch) == 2:
        return _tensors(batch[0]), _tensors(batch[1]), None
    if len(batch) == 1:
        return _tensors(batch[0]), None, None
    if len(batch) == 3:
        return _tensors(batch[0]), _tensors(batch[1]), _tensors(batch[2])
    raise ArgumentError(
        f"expected batches of (input, target) or (input, target, weight), got {len(batch)} parts; several inputs go "
        "into a tuple of their own: ((input, input), target)"
    )


def _tensors(part: Any) -> Any:
    return part if isinstance(part, Tensor) else map_tree(to_tensor, part)


def as_batches(
    x: Any, y: Any = None, weight: Any = None, *, batch_size: int, shuffle: bool = False, only_inputs: bool = False
) -> Iterable[Any]:
    """Make batches of arrays, trees of them, data sets, loaders and iterables of batches.

    Args:
        x: the inputs; or, with `y` left out, what has its targets with it, such as the tuple (x, y).
        y: the targets of arrays.
        weight: a number for each example of arrays.
        batch_size: of arrays and data sets.
        shuffle: arrays and data sets.
        only_inputs: a tuple of arrays is the inputs of a model that takes several.

    Raises:
        ArgumentError: the arguments do not fit each other.
    """
    dataset = _as_dataset(x, y, weight, only_inputs)
    if dataset is not None:
        if not isinstance(batch_size, (int, np.integer)) or isinstance(batch_size, bool) or batch_size < 1:
            raise ArgumentError(f"batch_size must be an integer of at least 1, got {batch_size!r}")
        return DataLoader(dataset, int(batch_size), shuffle)
    if isinstance(x, Iterable) and not isinstance(x, (Mapping, str)):
        return x
    raise ArgumentError(f"expected arrays, tensors, a data set, a DataLoader or an iterable, got {type(x).__name__}")


def split_off(x: Any, y: Any, weight: Any, fraction: float) -> tuple[Any, Any]:
    """Return two data sets: what comes first, and the last `fraction` of the examples.

    Raises:
        ArgumentError: the fraction is not between 0 and 1, leaves nothing to either, or the data cannot be split.
    """
    dataset = _as_dataset(x, y, weight, False)
    if not 0 < fraction < 1:
        raise ArgumentError(f"validation_split must be at least 0 and less than 1, got {fraction!r}")
    if dataset is None:
        raise ArgumentError(
            f"validation_split needs arrays or a data set, got a {type(x).__name__}; split it yourself, and give the "
            "one part as validation_data"
        )
    total = len(dataset)
    first = int(total * (1 - fraction))
    if first in (0, total):
        raise ArgumentError(f"validation_split={fraction} of {total} examples leaves one part empty")
    return Subset(dataset, range(first)), Subset(dataset, range(first, total))


def _as_dataset(x: Any, y: Any, weight: Any, only_inputs: bool) -> Any:
    """Return arrays as a data set, a data set as it is; None for what comes in batches."""
    if y is None and not only_inputs and isinstance(x, tuple) and len(x) in (2, 3) and all(map(_is_tree, x)):
        x, y, weight = (*x, weight) if len(x) == 2 else x
    batches = isinstance(x, list) and y is None  # of which there may be many
    if not batches and _is_tree(x):
        if weight is not None and y is None:
            raise ArgumentError("sample_weight goes with y")
        return NestedDataset(tuple(part for part in (x, y, weight) if part is not None))
    if y is not None or weight is not None:
        raise ArgumentError(f"y goes with x as arrays or tensors; a {type(x).__name__} has its own targets")
    if isinstance(x, (DataLoader, list, tuple, dict, str)):
        return None
    return x if hasattr(x, "__getitem__") and hasattr(x, "__len__") else None


def _is_tree(value: Any) -> bool:
    """Tell whether a value is an array, or a tuple, list or dict of arrays."""
    found = list(leaves(value)) if isinstance(value, (tuple, list, Mapping)) else [value]
    return bool(found) and all(map(is_array, found))
