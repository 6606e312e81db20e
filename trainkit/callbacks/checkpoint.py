"""Keep what was learned."""

import logging
import math
import os
import re
from pathlib import Path
from string import Formatter
from typing import Any

from trainkit import serialize
from trainkit.callbacks.monitor import MODES, MonitorCallback
from trainkit.callbacks.values import number
from trainkit.engine import Priority
from trainkit.engine.events import checked_integer
from trainkit.errors import ArgumentError, CheckpointError, OutputError, TrainkitError
from trainkit.serialize import check_folder

__all__ = ["ModelCheckpoint"]

_log = logging.getLogger("trainkit.callbacks")
_SUFFIX = ".safetensors"
_COUNTS = ("epoch", "iteration")


class ModelCheckpoint(MonitorCallback):
    """Save all that a run goes on with: the last epoch, the best, the best few, or every so many epochs or steps.

    `last.safetensors` is the newest, also after Ctrl-C; `best.safetensors` that of the best epoch, where there is a
    monitor. A file is there whole or not at all, and an older one goes only when the new one is whole.
    `trainer.load(path)` reads one, `trainer.fit(resume=folder)` goes on from the newest.

    Args:
        folder: of the files; made if it is not there.
        monitor: the metric whose best epochs are kept, such as "val_loss".
        mode: "max" if higher is better, "min" if lower is, "auto" asks the metric.
        save_top_k: how many files are kept beside the last one: the best, or without a monitor the newest; -1 keeps
            all, 0 none.
        save_last: keep the last one.
        every_epochs: save after epochs whose number this divides, and the last one after the last epoch too; None saves
            after steps alone.
        every_steps: save after steps whose number this divides; the best are looked for among epochs.
        filename: a pattern for the files that are kept, of "epoch", "iteration" and the metrics, as in
            "epoch{epoch:03d}-{val_loss:.4f}"; by default "best", or epoch and value where there are several.
        on_exception: save `exception.safetensors` when the run ends with an error.
        weights_only: save the model alone: smaller files, which no run goes on from.

    Attributes:
        kept: the files besides the last one, the best or newest first: dicts with "file", "value", "epoch" and
            "iteration".

    Raises:
        ArgumentError: an option does not fit; or, when training begins, nothing is called as `monitor` or `filename`
            say, or nothing tells which way is better.
        OutputError: the folder cannot be written; when training begins, or when a file is written.

    >>> import tempfile
    >>> import trainkit as tk
    >>> checkpoint = ModelCheckpoint(tempfile.mkdtemp(), "loss", save_top_k=2, filename="{epoch}")
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse")
    >>> history = trainer.fit(tk.ones(4, 1), tk.zeros(4, 1), epochs=3, callbacks=[checkpoint], verbose=0)
    >>> checkpoint.best_path.name, checkpoint.last_path.name, len(checkpoint.kept)
    ('3.safetensors', 'last.safetensors', 2)
    """

    priority = Priority.CHECKPOINTS

    def __init__(
        self,
        folder: str | os.PathLike[str],
        monitor: str | None = None,
        mode: str = "auto",
        *,
        save_top_k: int = 1,
        save_last: bool = True,
        every_epochs: int | None = 1,
        every_steps: int | None = None,
        filename: str | None = None,
        on_exception: bool = False,
        weights_only: bool = False,
    ) -> None:
        super().__init__(monitor, mode)
        if mode not in MODES:
            raise ArgumentError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")
        self.folder = Path(folder)
        self.save_top_k = checked_integer("save_top_k", save_top_k, -1)
        self.every_epochs = None if every_epochs is None else checked_integer("every_epochs", every_epochs, 1)
        self.every_steps = None if every_steps is None else checked_integer("every_steps", every_steps, 1)
        self.save_last, self.weights_only = save_last, weights_only
        if every_epochs is None and (monitor is not None or every_steps is None):
            raise ArgumentError("every_epochs=None saves after steps alone: give every_steps, and no monitor")
        self.pattern = self._pattern(monitor, filename)
        if self.every_steps is not None:  # others pay nothing for a hook of every step
            self.on_train_batch_end = self._save_step  # type: ignore[method-assign]
        if on_exception:
            self.on_exception = self._save_failed  # type: ignore[method-assign]
        self.kept: list[dict[str, Any]] = []
        self._surplus: list[dict[str, Any]] = []  # to be removed when the file that is being written is whole

    @property
    def best(self) -> float | None:
        """The best value whose file is there; None if there is none yet."""
        return self.kept[0]["value"] if self.kept else None

    @property
    def best_path(self) -> Path:
        """The file of the best epoch, or, without a monitor, the newest that is kept.

        Raises:
            CheckpointError: the file names tell of values, and nothing has been kept yet.
        """
        if self.kept:
            return self.folder / str(self.kept[0]["file"])
        if self.pattern is None or _fields(self.pattern):
            raise CheckpointError(f"no file has been kept in {self.folder} yet; last_path is the last one")
        return self.folder / f"{self.pattern}{_SUFFIX}"

    @property
    def last_path(self) -> Path:
        """The file of the last epoch."""
        return self.folder / f"last{_SUFFIX}"

    def on_train_begin(self) -> None:
        """Check the folder and all names before anything is computed."""
        if self.trainer is None:
            raise ArgumentError(
                "ModelCheckpoint saves a Trainer; attach it to one, or call trainkit.save() in a handler"
            )
        super().on_train_begin()
        self.kept, self._surplus = [], []
        check_folder(self.folder, "checkpoints")
        if self.pattern is None:
            return
        names = [*_COUNTS, *self.trainer.metric_names()]
        for field, spec in _fields(self.pattern):
            if field not in names:
                raise ArgumentError(f"filename names {field!r}, which there is not; there are {', '.join(names)}")
            if not any(_formats(one, spec) for one in ((1,) if field in _COUNTS else (1.0, 1))):
                raise ArgumentError(f"filename has {{{field}:{spec}}}, a format that does not fit the number")
        others = [other for other in getattr(self.trainer, "_active", ()) if isinstance(other, ModelCheckpoint)]
        if any((one.folder, one.pattern) == (self.folder, self.pattern) for one in others if one is not self):
            raise ArgumentError(
                f"two ModelCheckpoints keep {self.pattern}{_SUFFIX} in {self.folder}; give one of them another folder "
                "or filename"
            )

    def on_epoch_end(self) -> None:
        """Save the epoch, if it is one of the best, and as the last."""
        due = self.every_epochs is not None and self.state.epoch % self.every_epochs == 0
        if due:
            self._keep(None if self.monitor is None else self.monitor.value(self))
        ends = self.state.epoch == self.state.max_epochs or bool(self.engine.should_terminate)
        # The last file comes after the best, so that what it says of them is true.
        if self.save_last and (due or (ends and self.every_epochs is not None)):
            self._write(self.last_path)

    def on_interrupt(self) -> None:
        """Save what there is."""
        if self.save_last:
            self._write(self.last_path)

    def _save_step(self) -> None:
        assert self.every_steps is not None
        if self.state.iteration % self.every_steps:
            return
        if self.monitor is None:
            self._keep(None)
        if self.save_last:
            self._write(self.last_path)

    def _save_failed(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt) and self.save_last:
            return  # on_interrupt has seen to it
        try:
            self._write(self.folder / f"exception{_SUFFIX}")
        except (OSError, TrainkitError) as failure:
            _log.error("no checkpoint could be saved after an error: %s", failure)
            error.add_note(f"ModelCheckpoint could not save: {failure}")

    # ---- the files that are kept ----

    def _keep(self, value: float | None) -> None:
        """Write a file for the present state, if it is to be kept, and then remove those that are not any more."""
        if self.pattern is None or not self._enters(value):
            return
        entry: dict[str, Any] = {
            "file": "",
            "value": value,
            "epoch": self.state.epoch,
            "iteration": self.state.iteration,
        }
        again = [one for one in self.kept if one["iteration"] == entry["iteration"]]  # an epoch's last step
        ranked = self._ranked([entry, *(one for one in self.kept if one not in again)])
        count = len(ranked) if self.save_top_k < 0 else self.save_top_k
        stay, go = ranked[:count], ranked[count:] + again
        entry["file"] = self._free_name({one["file"] for one in stay if one is not entry})
        former = self.kept, self._surplus
        self.kept = stay
        self._surplus = [one for one in (*self._surplus, *go) if one["file"] != entry["file"]]
        try:
            self._write(self.folder / entry["file"])
        except BaseException:
            self.kept, self._surplus = former
            raise
        self._remove_surplus()

    def _enters(self, value: float | None) -> bool:
        if self.monitor is None or value is None:
            return True
        if math.isnan(value):  # there is none if a validation was cut short
            return False
        if self.save_top_k < 0 or len(self.kept) < self.save_top_k:
            return True
        worst: float = self.kept[-1]["value"]
        return value > worst if self.monitor.higher else value < worst

    def _ranked(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Sort the best, or the newest, to the front; of two that are equally good the earlier."""
        if self.monitor is None:
            return sorted(entries, key=lambda one: -one["iteration"])
        sign = -1 if self.monitor.higher else 1
        return sorted(entries, key=lambda one: (sign * one["value"], one["iteration"]))

    def _free_name(self, taken: set[str]) -> str:
        assert self.pattern is not None
        values = {**self.state.metrics, "epoch": self.state.epoch, "iteration": self.state.iteration}
        text = ""
        for literal, field, spec, _ in Formatter().parse(self.pattern):
            text += literal
            if field is not None:
                found = number(values.get(field, math.nan))  # not there in the first epoch
                if found is None or not _formats(found, spec or ""):
                    raise ArgumentError(f"filename cannot show {field!r}, which is {values[field]!r}")
                text += format(found, spec or "")
        text = re.sub(r'[\\/:*?"<>|\s]+', "_", text)
        name, version = f"{text}{_SUFFIX}", 1
        while name in taken:
            version += 1
            name = f"{text}-v{version}{_SUFFIX}"
        return name

    def _write(self, path: Path) -> None:
        try:
            if self.weights_only:
                counts = {"epoch": self.state.epoch, "iteration": self.state.iteration}
                serialize.save({"model": self.trainer.model.state_dict(), **counts}, path)
            else:
                self.trainer.save(path)
        except OSError as error:
            raise OutputError(
                f"cannot write the checkpoint {path}: {error.strerror or error}; the files that were there are whole"
            ) from error

    def _remove_surplus(self) -> None:
        left = []
        for one in self._surplus:
            try:
                (self.folder / one["file"]).unlink(missing_ok=True)
            except OSError as error:
                _log.warning("a checkpoint that is not needed any more stays: %s", error)
                left.append(one)
        self._surplus = left

    def _is_there(self, entry: dict[str, Any]) -> bool:
        """Tell whether a file is still the one that was written."""
        try:
            outline = serialize.outline(self.folder / entry["file"])
        except CheckpointError:
            return False
        return isinstance(outline, dict) and outline.get("iteration") == entry["iteration"]

    def state_dict(self) -> dict[str, Any]:
        """Return the files that are kept, and those that are about to go."""
        return {"kept": [dict(one) for one in self.kept], "surplus": [dict(one) for one in self._surplus]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the files that are still there."""
        self.kept = [one for one in state_dict["kept"] if self._is_there(one)]
        if gone := [one["file"] for one in state_dict["kept"] if one not in self.kept]:
            _log.warning("of the checkpoints in %s there are no more: %s", self.folder, ", ".join(gone))
        self._surplus = [one for one in state_dict["surplus"] if self._is_there(one)]
        self._remove_surplus()

    def _pattern(self, monitor: str | None, filename: str | None) -> str | None:
        """Return how the files that are kept are named; None if there are none."""
        several = self.save_top_k not in (0, 1)
        if filename is None:
            if monitor is not None:
                filename = f"epoch{{epoch:03d}}-{monitor}={{{monitor}:.4g}}" if several else "best"
            elif several:
                filename = "epoch{epoch:03d}" if self.every_steps is None else "step{iteration:07d}"
        if filename is None or self.save_top_k == 0:
            return None
        pattern = filename.removesuffix(_SUFFIX)
        try:
            fields = _fields(pattern)
            literals = "".join(literal for literal, *_ in Formatter().parse(pattern))
        except ValueError as error:
            raise ArgumentError(f"filename {filename!r} is no pattern: {error}") from error
        if pattern in ("", "last", "exception") or {"/", "\\"} & set(literals):
            raise ArgumentError(
                f"filename must be a name in the folder, other than last and exception; got {filename!r}"
            )
        if several and not fields:
            raise ArgumentError(f"save_top_k={self.save_top_k} needs names that differ, as in '{{epoch}}-{pattern}'")
        return pattern


def _fields(pattern: str) -> list[tuple[str, str]]:
    """Return the names in a pattern, each with its format."""
    return [(field, spec or "") for _, field, spec, _ in Formatter().parse(pattern) if field is not None]


def _formats(value: float, spec: str) -> bool:
    try:
        format(value, spec)
    except ValueError:
        return False
    return True
