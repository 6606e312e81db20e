"""What stands in `state.metrics` and in a history: as numbers, as plain values, as text."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.engine import Engine, State
from trainkit.engine.step import count_examples
from trainkit.errors import ArgumentError

__all__ = [
    "batch_values",
    "csv_text",
    "example_count",
    "flat_numbers",
    "loss_of",
    "model_of",
    "number",
    "plain",
    "short",
]

_LONGEST = 32  # the numbers of an array that each get a name of their own


def number(value: Any) -> float | None:
    """Return the number that a value is, of an array or a tensor without dimensions too; None if it is none."""
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        if value.ndim:
            return None
        value = value.item()
    return value if isinstance(value, (int, float)) else None


def plain(value: Any) -> Any:
    """Return a value as numbers, strings, lists and dicts, whatever arrays are in it."""
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(part) for part in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def flat_numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return all the numbers there are, those in dicts and short arrays under names such as "recall/0".

    >>> flat_numbers({"loss": 0.5, "recall": np.array([1.0, 0.0]), "matrix": np.eye(2)})
    {'loss': 0.5, 'recall/0': 1.0, 'recall/1': 0.0}
    """
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping) and any(_stands_alone(name, key, metrics) for key in value):
            continue  # a metric that is a dict has put its items beside itself
        found.update(_numbers(name, value))
    return found


def _stands_alone(name: str, key: Any, metrics: Mapping[str, Any]) -> bool:
    return key in metrics or (name.startswith("val_") and f"val_{key}" in metrics)


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    found = number(value)
    if found is not None:
        yield name, found
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _numbers(f"{name}/{key}", part)
    elif isinstance(value, (Tensor, np.ndarray)) and value.ndim == 1 and len(value) <= _LONGEST:
        for place, part in enumerate(value.tolist()):
            yield from _numbers(f"{name}/{place}", part)


def short(value: float) -> str:
    """Return a number in about seven characters.

    >>> [short(value) for value in (0.98765, 123.456, 0.0000123, 7)]
    ['0.9877', '123.46', '1.2e-05', '7']
    """
    if isinstance(value, int):
        return str(value)
    size = abs(value)
    if not math.isfinite(value) or (size and not 1e-3 <= size < 1e5):
        return f"{value:.1e}" if math.isfinite(value) else str(value)
    return f"{value:.{4 if size < 10 else 3 if size < 100 else 2 if size < 1000 else 1}f}"


def csv_text(rows: Sequence[Mapping[str, Any]], separator: str = ",") -> str:
    """Return rows as a table with a column for each name that any row has; a list or dict is JSON in its cell."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, lineterminator="\n")
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer.writerow(names)
    writer.writerows([[_cell(row.get(name)) for name in names] for row in rows])
    return file.getvalue()


def _cell(value: Any) -> Any:
    value = plain(value)
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def example_count(engine: Engine) -> int:
    """Return how many examples the batch of the step that is done had."""
    output = engine.state.output
    size = getattr(output, "size", None) if isinstance(output, tuple) else None
    return size if isinstance(size, int) else count_examples(engine.state.batch)


def loss_of(state: State) -> float | None:
    """Return the loss of the step that is done, if there is one number."""
    return number(getattr(state.output, "loss", state.output))


def batch_values(state: State) -> dict[str, float]:
    """Return what callbacks have measured last of a step, for loggers that write steps."""
    values: Any = state
    if not hasattr(values, "batch_values"):
        values.batch_values = {}
    found: dict[str, float] = values.batch_values
    return found


def model_of(callback: Any) -> Any:
    """Return the model of a callback's trainer.

    Raises:
        ArgumentError: it is on a bare engine.
    """
    if callback.trainer is None:
        raise ArgumentError(f"{type(callback).__name__} needs the model of a Trainer; attach it to one")
    return callback.trainer.model
