"""Predictions in a file."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from trainkit.autograd import Tensor
from trainkit.callbacks.callback import Callback
from trainkit.callbacks.values import csv_text
from trainkit.data.nested import concatenate
from trainkit.errors import ArgumentError, OutputError
from trainkit.serialize import check_folder, write_atomically

__all__ = ["PredictionWriter"]

_KINDS = (".npz", ".csv", ".safetensors")
_STAGES = ("predict", "valid", "test")


class PredictionWriter(Callback):
    """Write what the model predicts in `predict`, and if wanted in validations and in `evaluate`, into a file.

    The file is there whole or not at all. The array of a model with one output is called "prediction", those of
    several "prediction.0" or "prediction.name"; targets, where there are any, are "target" in the same manner. In a
    table each example is a row, and what an example has more numbers of than one has a column for each:
    "prediction[0]".

    Args:
        path: of the file, whose ending says its kind: .npz, .csv or .safetensors. "{epoch}" and "{stage}" in it stand
            for the epoch and for what is done; without them the next writing takes the place of the last.
        stages: when to write: "predict", "valid" (each validation of `fit`), "test" (`evaluate`).

    Raises:
        ArgumentError: an option is none of these.
        OutputError: the folder or the file cannot be written; of the folder before anything is computed.

    >>> import tempfile, numpy as np, trainkit as tk
    >>> path = tempfile.mkdtemp() + "/predictions.npz"
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 2))
    >>> prediction = trainer.predict(tk.ones(3, 1), callbacks=[PredictionWriter(path)])
    >>> bool((np.load(path)["prediction"] == prediction.numpy()).all())
    True
    """

    def __init__(self, path: str | os.PathLike[str], stages: str | Sequence[str] = "predict") -> None:
        self.path = Path(path)
        self.stages = (stages,) if isinstance(stages, str) else tuple(stages)
        if self.path.suffix not in _KINDS:
            raise ArgumentError(f"the path must end in {', '.join(_KINDS)}, got {str(path)!r}")
        if unknown := [stage for stage in self.stages if stage not in _STAGES]:
            raise ArgumentError(f"stages are {', '.join(_STAGES)}, got {', '.join(map(repr, unknown))}")
        self._predictions: list[Any] = []
        self._targets: list[Any] = []

    def on_predict_begin(self) -> None:
        """Begin to gather."""
        self._begin("predict")

    def on_predict_batch_end(self) -> None:
        """Gather a batch."""
        self._gather("predict")

    def on_predict_end(self) -> None:
        """Write."""
        self._write("predict")

    def on_valid_begin(self) -> None:
        """Begin to gather."""
        self._begin("valid")

    def on_valid_batch_end(self) -> None:
        """Gather a batch."""
        self._gather("valid")

    def on_valid_end(self) -> None:
        """Write."""
        self._write("valid")

    def on_test_begin(self) -> None:
        """Begin to gather."""
        self._begin("test")

    def on_test_batch_end(self) -> None:
        """Gather a batch."""
        self._gather("test")

    def on_test_end(self) -> None:
        """Write."""
        self._write("test")

    def _begin(self, stage: str) -> None:
        self._predictions, self._targets = [], []
        if stage in self.stages:
            check_folder(self._place(stage).parent, "predictions")

    def _gather(self, stage: str) -> None:
        if stage in self.stages and self.evaluator is not None:
            output: Any = self.evaluator.state.output
            self._predictions.append(output.y_pred)
            if output.y is not None:
                self._targets.append(output.y)

    def _place(self, stage: str) -> Path:
        return Path(str(self.path).replace("{epoch}", str(self.state.epoch)).replace("{stage}", stage))

    def _write(self, stage: str) -> None:
        if stage not in self.stages or not self._predictions:
            return
        arrays = _named("prediction", concatenate(self._predictions))
        if len(self._targets) == len(self._predictions):
            arrays |= _named("target", concatenate(self._targets))
        self._predictions, self._targets = [], []
        path = self._place(stage)
        try:
            write_atomically(path, _content(arrays, path.suffix))
        except OSError as error:
            raise OutputError(f"cannot write predictions to {path}: {error.strerror}; choose another place") from error


def _named(name: str, tree: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of a tree, each under its path."""
    if isinstance(tree, Tensor):
        return {name: tree.array}
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return {path: array for key, part in parts for path, array in _named(f"{name}.{key}", part).items()}


def _content(arrays: dict[str, np.ndarray[Any, Any]], kind: str) -> bytes:
    if kind == ".npz":
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        return file.getvalue()
    if kind == ".safetensors":
        return bytes(safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in arrays.items()}))
    columns: dict[str, list[Any]] = {}
    for name, array in arrays.items():
        if array.ndim == 1:
            columns[name] = array.tolist()
            continue
        flat = array.reshape(len(array), -1)
        single = flat.shape[1] == 1
        columns |= {name if single else f"{name}[{i}]": column.tolist() for i, column in enumerate(flat.T)}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return csv_text(rows).encode()
