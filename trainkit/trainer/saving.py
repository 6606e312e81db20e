"""A Trainer's state: what is saved, loaded, found again, and frozen."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainkit import nn, serialize
from trainkit.callbacks import Callback, History, ModelCheckpoint
from trainkit.errors import ArgumentError, CheckpointError
from trainkit.random import get_rng_state, set_rng_state
from trainkit.trainer.base import TrainerBase

__all__ = ["SavedTrainer"]

_log = logging.getLogger("trainkit.trainer")


class SavedTrainer(TrainerBase):
    """A Trainer that can be saved, and parts of whose model can be frozen."""

    history: History
    _active: list[Callback]
    _epochs_done: int

    # ---- parts that stay as they are ----

    def freeze(self, *targets: Any) -> list[str]:
        """Let parts of the model stay as they are; `nn.freeze` tells how, and what a target may be.

        They stay in the optimizer, which leaves them alone, so that its state fits later too.

        >>> import trainkit as tk
        >>> trainer = tk.Trainer(tk.nn.Sequential(tk.nn.Linear(2, 3), tk.nn.Linear(3, 1)))
        >>> trainer.freeze("0.*")
        ['0.weight', '0.bias']
        >>> trainer.unfreeze("0.bias")
        ['0.bias']
        >>> trainer.frozen
        ['0.weight']
        """
        return nn.freeze(self.model, *targets)

    def unfreeze(self, *targets: Any) -> list[str]:
        """Take back what `freeze` did, all of it or parts."""
        return nn.unfreeze(self.model, *targets)

    @property
    def frozen(self) -> list[str]:
        """The names of the parameters and buffers that are frozen."""
        return nn.frozen_names(self.model)

    # ---- states ----

    def state_dict(self) -> dict[str, Any]:
        """Return all that a later run goes on with.

        That is the model, what of it is frozen, the optimizer, the history, the callbacks of the present or last run,
        the random numbers, and where the run stands: `position` counts epochs done, and epoch, batch and iteration.
        """
        state = self.engine.state
        return {
            "model": self.model.state_dict(),
            "frozen": self.frozen,
            "optimizer": None if self.optimizer is None else self.optimizer.state_dict(),
            "epoch": state.epoch,
            "iteration": state.iteration,
            "position": {
                "epochs_done": self._epochs_done,
                "batch": self.engine.position.batch,
                "epoch_length": state.epoch_length,
            },
            "history": self.history.state_dict(),
            "callbacks": {key: callback.state_dict() for key, callback in self._keyed().items()},
            "random": get_rng_state(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over model, what of it is frozen, optimizer and history; `fit(resume=...)` takes the rest over too.

        Raises:
            CheckpointError: they do not fit this trainer's.
        """
        if "model" not in state_dict:
            raise CheckpointError(f"this is no trainer's state: it has no 'model', but {', '.join(state_dict)}")
        self.model.load_state_dict(state_dict["model"])
        if "frozen" in state_dict:  # files of former versions tell nothing
            nn.load_frozen_names(self.model, state_dict["frozen"])
        if self.optimizer is not None and state_dict.get("optimizer") is not None:
            self.optimizer.load_state_dict(state_dict["optimizer"])
        self.history.load_state_dict(state_dict.get("history", {"epochs": []}))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `state_dict()` to a safetensors file, whole or not at all."""
        serialize.save(self.state_dict(), path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read what `save` wrote."""
        self.load_state_dict(serialize.load(path))

    # ---- going on with a run ----

    def _find(self, resume: Any) -> dict[str, Any] | None:
        """Read the state to resume from: that of a file, the newest of a folder, or of a ModelCheckpoint's folder."""
        if resume is True:
            folders = [callback.folder for callback in self._active if isinstance(callback, ModelCheckpoint)]
            if len(folders) != 1:
                raise ArgumentError(
                    f"resume=True takes the folder of the one ModelCheckpoint among the callbacks, but there are "
                    f"{len(folders)}; give the folder: resume='checkpoints'"
                )
            resume = folders[0]
        if not isinstance(resume, (str, os.PathLike)):
            raise ArgumentError(f"resume must be a folder, a file, True or None, got {resume!r}")
        path = Path(resume)
        if path.suffix == ".safetensors" or path.is_file():
            return dict(serialize.load(path))
        newest = _newest(path)
        if newest is None:
            _log.info("there is no checkpoint in %s: the run begins anew", path)
            return None
        _log.info("the run goes on from %s", newest)
        return dict(serialize.load(newest))

    def _go_on(self, state_dict: Mapping[str, Any], epochs: int) -> bool:
        """Take over a state, and let the engine stand at the end of its last epoch; False if nothing is left to do."""
        position = state_dict.get("position")
        if position is None:
            raise CheckpointError("this checkpoint does not tell where its run stood; load it with trainer.load()")
        self.load_state_dict(state_dict)
        done, length = position["epochs_done"], position["epoch_length"]
        if done >= epochs:
            _log.info("nothing is left to do: %d of %d epochs are done", done, epochs)
            return False
        self.history.epochs = [row for row in self.history.epochs if row["epoch"] <= done]
        self.engine.load_state_dict({"epoch": done, "epoch_length": length, "max_epochs": epochs})
        return True

    def _restore_callbacks(self, state_dict: Mapping[str, Any], epochs: list[dict[str, Any]]) -> None:
        """Give the callbacks, once they have begun, the state that they had, and the random numbers theirs."""
        self.history.epochs = epochs
        saved = dict(state_dict["callbacks"])
        for key, callback in self._keyed().items():
            if key in saved:
                callback.load_state_dict(saved.pop(key))
            elif type(callback).state_dict is not Callback.state_dict:
                _log.warning("the checkpoint has no state for the callback %s, which begins anew", key)
        if left := [key for key, state in saved.items() if state]:
            _log.warning("the checkpoint has states for callbacks that are not there: %s", ", ".join(left))
        set_rng_state(state_dict["random"])

    def _keyed(self) -> dict[str, Callback]:
        """Return the callbacks of the present or last run under names that the next run gives them too."""
        keyed: dict[str, Callback] = {}
        for callback in self._active:
            kind = type(callback).__name__
            count = sum(type(other) is type(callback) for other in keyed.values())
            keyed[f"{kind}.{count + 1}" if count else kind] = callback
        return keyed


def _newest(folder: Path) -> Path | None:
    """Return the checkpoint of a folder that stands furthest, by what it says of itself; of two, the younger."""
    found = []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            outline = serialize.outline(path)
        except CheckpointError as error:
            _log.warning("left aside: %s", error)
            continue
        if isinstance(outline, Mapping) and "position" in outline:
            found.append((outline["iteration"], path.stat().st_mtime_ns, path))
    return max(found)[2] if found else None
