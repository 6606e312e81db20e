"""ModelCheckpoint and BestModelRestore: which files are there, which are the best, and what a fault leaves."""

import logging
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn, serialize
from trainkit.callbacks import BestModelRestore, Callback, EarlyStopping, Every, LambdaCallback, ModelCheckpoint
from trainkit.errors import ArgumentError, CheckpointError, OutputError

DATA = (tk.ones(8, 2), tk.tensor([0, 1] * 4))
ROOT = Path(__file__).parents[2]


class Script(Callback):
    """Writes values of a list into the metrics."""

    provides = ("score",)

    def __init__(self, *values: float) -> None:
        self.values = values

    def on_epoch_end(self) -> None:
        self.state.metrics["score"] = self.values[self.state.epoch - 1]


def make() -> tk.Trainer:
    tk.manual_seed(3)
    return tk.Trainer(nn.Linear(2, 2), ("sgd", {"lr": 0.1, "momentum": 0.9}), "cross_entropy")


def run(checkpoint: ModelCheckpoint, *values: float, trainer: tk.Trainer | None = None, **options) -> tk.Trainer:
    trainer = trainer or make()
    options = {"batch_size": 4, "epochs": len(values) or 1, "verbose": 0, **options}
    trainer.fit(*DATA, callbacks=[*options.pop("before", ()), Script(*values or (0.0,) * 9), checkpoint], **options)
    return trainer


def files(folder: Path) -> set[str]:
    return {path.name.removesuffix(".safetensors") for path in folder.iterdir()}


def values_of(checkpoint: ModelCheckpoint) -> list[float]:
    return [one["value"] for one in checkpoint.kept]


# ---- which files ----


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, {"last"}),
        ({"save_last": False, "monitor": "score"}, {"best"}),
        ({"monitor": "score"}, {"best", "last"}),
        ({"monitor": "score", "save_top_k": 0}, {"last"}),
        ({"monitor": "score", "save_top_k": 2}, {"epoch001-score=3", "epoch004-score=2", "last"}),
        (
            {"monitor": "score", "save_top_k": -1},
            {f"epoch00{i}-score={v}" for i, v in enumerate("31425", 1)} | {"last"},
        ),
        ({"save_top_k": 2}, {"epoch004", "epoch005", "last"}),
        ({"save_top_k": -1, "every_epochs": 2}, {"epoch002", "epoch004", "last"}),
        ({"save_top_k": -1, "every_epochs": None, "every_steps": 4}, {"step0000004", "step0000008", "last"}),
        ({"filename": "n{epoch}", "save_last": False}, {"n5"}),
        ({"filename": "n{epoch}-{iteration}.safetensors", "save_top_k": 2}, {"n4-8", "n5-10", "last"}),
        ({"filename": "{score:.1f} {epoch}", "monitor": "score"}, {"2.0_4", "last"}),
        ({"save_top_k": -1, "filename": "x{score:.0f}", "every_epochs": 2}, {"x1", "x2", "last"}),
    ],
)
def test_which_files_are_there(tmp_path, options, names) -> None:
    mode = "max" if options.get("save_top_k") == 2 else "min"
    script = (3.0, 1.0, 4.0, 2.0, 5.0)
    if options.get("save_top_k") == 2 and "monitor" in options:
        script = (3.0, 1.0, 0.5, 2.0, 0.7)
    elif options.get("filename", "").startswith("{score"):
        script = (3.0, 4.0, 5.0, 2.0, 5.0)
    checkpoint = ModelCheckpoint(tmp_path, mode=mode, **options)
    run(checkpoint, *script)
    assert files(tmp_path) == names
    if checkpoint.kept:
        assert checkpoint.best_path.is_file()


def test_the_best_few_in_their_order(tmp_path) -> None:
    for mode, expected in (("max", [9.0, 7.0, 7.0]), ("min", [1.0, 2.0, 5.0])):
        checkpoint = ModelCheckpoint(tmp_path / mode, "score", mode, save_top_k=3, filename="{epoch}")
        run(checkpoint, 5.0, 7.0, 2.0, 9.0, math.nan, 7.0, 1.0, 7.0)
        assert values_of(checkpoint) == expected
        assert checkpoint.best == expected[0]
        assert tk.load(checkpoint.best_path)["epoch"] == (4 if mode == "max" else 7)
        assert len(files(tmp_path / mode)) == 4
    assert [one["epoch"] for one in run_again(tmp_path).kept] == [4, 2, 6], "of equal ones the earlier stays"


def run_again(folder: Path) -> ModelCheckpoint:
    checkpoint = ModelCheckpoint(folder / "again", "score", "max", save_top_k=3, filename="{epoch}")
    run(checkpoint, 5.0, 7.0, 2.0, 9.0, math.nan, 7.0, 1.0, 7.0)
    return checkpoint


def test_names_that_do_not_differ_get_a_version(tmp_path) -> None:
    checkpoint = ModelCheckpoint(tmp_path, "score", "max", save_top_k=2, filename="{score:.0f}")
    run(checkpoint, 2.0, 2.1, 2.2)
    assert values_of(checkpoint) == [2.2, 2.1]
    assert {one["file"] for one in checkpoint.kept} == {"2.safetensors", "2-v2.safetensors"}
    assert [tk.load(tmp_path / one["file"])["epoch"] for one in checkpoint.kept] == [3, 2]


def test_the_last_epoch_is_saved_whatever_its_number(tmp_path) -> None:
    checkpoint = ModelCheckpoint(tmp_path, every_epochs=3)
    run(checkpoint, *range(5))
    assert tk.load(checkpoint.last_path)["epoch"] == 5
    run(checkpoint, 1.0, 2.0, 3.0, 4.0, 5.0, before=[EarlyStopping("score", patience=1, mode="min")])
    assert tk.load(checkpoint.last_path)["epoch"] == 2, "early stopping is known to come"


def test_steps_amid_an_epoch(tmp_path) -> None:
    checkpoint, seen = ModelCheckpoint(tmp_path, every_steps=3), []
    watch = LambdaCallback(
        on_train_batch_begin=lambda: seen.append(
            tk.load(checkpoint.last_path)["iteration"] if checkpoint.last_path.is_file() else 0
        )
    )
    run(checkpoint, *[0.0] * 4, before=[watch])
    assert seen == [0, 0, 2, 3, 4, 4, 6, 6]
    assert not ModelCheckpoint(tmp_path)._overrides("on_train_batch_end"), "others pay nothing for it"


def test_an_epoch_without_the_value_is_none_of_the_best(tmp_path) -> None:
    checkpoint = ModelCheckpoint(tmp_path, "score", "max", save_top_k=-1)
    run(checkpoint, math.nan, 1.0)
    assert [one["epoch"] for one in checkpoint.kept] == [2]


def test_only_the_weights(tmp_path) -> None:
    checkpoint = ModelCheckpoint(tmp_path, "score", "max", weights_only=True)
    trainer = run(checkpoint, 1.0, 2.0)
    saved = tk.load(checkpoint.best_path)
    assert set(saved) == {"model", "epoch", "iteration"}
    other = tk.Trainer(nn.Linear(2, 2))
    other.load(checkpoint.best_path)
    assert tk.equal(other.model.weight, trainer.model.weight)


def test_in_a_wrapper(tmp_path) -> None:
    checkpoint = ModelCheckpoint(tmp_path, save_top_k=-1, every_steps=1, filename="{iteration}")
    run(Every(checkpoint, epochs=2), *range(4))
    assert files(tmp_path) == {"3", "4", "7", "8", "last"}


# ---- going on ----


def test_the_list_goes_on(tmp_path, caplog) -> None:
    values = (5.0, 3.0, 4.0, 6.0, 1.0, 2.0)
    whole = ModelCheckpoint(tmp_path / "whole", "score", "max", save_top_k=3, filename="{epoch}")
    run(whole, *values)
    first = ModelCheckpoint(tmp_path / "part", "score", "max", save_top_k=3, filename="{epoch}")
    run(first, *values[:3])
    second = ModelCheckpoint(tmp_path / "part", "score", "max", save_top_k=3, filename="{epoch}")
    run(second, *values, resume=True)
    assert second.kept == whole.kept
    assert files(tmp_path / "part") == files(tmp_path / "whole")

    (tmp_path / "part" / "4.safetensors").unlink()
    (tmp_path / "part" / "1.safetensors").write_bytes(b"cut short")
    third = ModelCheckpoint(tmp_path / "part", "score", "max", save_top_k=3, filename="{epoch}")
    with caplog.at_level(logging.WARNING, "trainkit"):
        run(third, *values, 2.5, 0.5, resume=True)
    assert "there are no more: 4.safetensors, 1.safetensors" in caplog.text
    assert values_of(third) == [4.0, 2.5, 0.5]


def test_the_best_survives_wherever_the_run_goes_on_from(tmp_path) -> None:
    """The last file is written behind the best one: it knows it."""
    run(ModelCheckpoint(tmp_path, "score", "max"), 1.0, 3.0)
    for name in ("best", "last"):
        found = tk.load(tmp_path / f"{name}.safetensors")["callbacks"]["ModelCheckpoint"]["kept"]
        assert [one["value"] for one in found] == [3.0], name
    again = ModelCheckpoint(tmp_path, "score", "max")
    run(again, 1.0, 3.0, 2.0, resume=True)
    assert again.best == 3.0
    assert tk.load(again.best_path)["epoch"] == 2


def test_another_folder_begins_a_list_of_its_own(tmp_path) -> None:
    run(ModelCheckpoint(tmp_path / "a", "score", "max"), 9.0)
    other = ModelCheckpoint(tmp_path / "b", "score", "max")
    run(other, 9.0, 1.0, resume=tmp_path / "a")
    assert values_of(other) == [1.0]
    assert other.best_path.is_file()


# ---- faults ----


def whole(folder: Path) -> set[str]:
    """Return the files of a folder, each of which can be read; a hidden one is the rest of a killed process."""
    for path in folder.glob("*.safetensors"):
        assert "model" in serialize.load(path), path
    return {name for name in files(folder) if not name.startswith(".")}


def test_a_full_disk_leaves_the_files_that_were_there(tmp_path, monkeypatch) -> None:
    checkpoint = ModelCheckpoint(tmp_path, "score", "max", save_top_k=2, filename="{epoch}")
    trainer, real = make(), os.replace

    def full(source, target) -> None:
        if trainer.engine.state.epoch == 3:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match=r"3\.safetensors: No space left on device; the files that were there are"):
        run(checkpoint, 1.0, 2.0, 3.0, trainer=trainer)
    assert whole(tmp_path) == files(tmp_path) == {"1", "2", "last"}, "the worst goes only when the new one is whole"
    assert values_of(checkpoint) == [2.0, 1.0]
    monkeypatch.setattr(os, "replace", real)
    again = ModelCheckpoint(tmp_path, "score", "max", save_top_k=2, filename="{epoch}")
    run(again, 1.0, 2.0, 3.0, resume=True)
    assert whole(tmp_path) == {"2", "3", "last"}


def test_a_folder_that_goes_away(tmp_path) -> None:
    folder = tmp_path / "gone"
    away = LambdaCallback(on_epoch_end=lambda: [path.unlink() for path in folder.iterdir()] and folder.rmdir())
    with pytest.raises(OutputError, match="cannot write the checkpoint"):
        run(ModelCheckpoint(folder), 1.0, 2.0, before=[Every(away, epochs=2)])


def test_a_file_that_cannot_be_removed_is_told_of(tmp_path, monkeypatch, caplog) -> None:
    checkpoint, real = ModelCheckpoint(tmp_path, save_top_k=2), Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "epoch001.safetensors" and not checkpoint.kept[0]["epoch"] == 4:
            raise PermissionError(13, "Permission denied")
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    run(checkpoint, *range(4))
    assert "stays: " in caplog.text
    assert files(tmp_path) == {"epoch003", "epoch004", "last"}, "tried again with the next"


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.callbacks.test_checkpoint import ModelCheckpoint, make, run
folder, moment = Path(sys.argv[1]), sys.argv[2]
checkpoint, trainer = ModelCheckpoint(folder, "score", "max", save_top_k=2, filename="{epoch}"), make()
def kill(path, *_, **__):
    if trainer.engine.state.epoch == 3 and (moment != "last" or "last" in str(path)):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, *_, **__)
if moment == "unlink":
    real, Path.unlink = Path.unlink, kill
elif moment == "replace":
    real, os.replace = os.replace, kill
else:
    real, trainer.save = trainer.save, kill
run(checkpoint, 1.0, 2.0, 3.0, 4.0, trainer=trainer)
"""


@pytest.mark.parametrize(
    ("moment", "left"),
    [("replace", {"1", "2", "last"}), ("unlink", {"1", "2", "3", "last"}), ("last", {"2", "3", "last"})],
)
def test_killed_between_two_writes(tmp_path, moment: str, left: set[str]) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), moment]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert whole(tmp_path) == left
    again = ModelCheckpoint(tmp_path, "score", "max", save_top_k=2, filename="{epoch}")
    history = run(again, 1.0, 2.0, 3.0, 4.0, resume=True).history
    assert [row["score"] for row in history] == [1.0, 2.0, 3.0, 4.0]
    assert whole(tmp_path) == {"3", "4", "last"}, "what was about to go is gone"
    assert values_of(again) == [4.0, 3.0]


def test_an_exception_is_saved(tmp_path, monkeypatch) -> None:
    def fail() -> None:
        raise KeyError("boom")

    broken = Every(LambdaCallback(on_train_batch_end=fail), steps=3)
    with pytest.raises(KeyError):
        run(ModelCheckpoint(tmp_path, on_exception=True), 1.0, 2.0, before=[broken])
    assert whole(tmp_path) == {"exception", "last"}
    assert tk.load(tmp_path / "exception.safetensors")["iteration"] == 3
    assert tk.load(tmp_path / "last.safetensors")["iteration"] == 2
    assert len(run(ModelCheckpoint(tmp_path), 1.0, 2.0, resume=True).history) == 2
    with pytest.raises(KeyError):
        run(ModelCheckpoint(tmp_path / "without"), 1.0, 2.0, before=[broken])
    assert files(tmp_path / "without") == {"last"}

    trainer = make()
    monkeypatch.setattr(trainer, "save", lambda path: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(KeyError, match="boom") as caught:
        run(ModelCheckpoint(tmp_path, on_exception=True), 1.0, 2.0, before=[broken], trainer=trainer, batch_size=2)
    assert any("No space left" in note for note in caught.value.__notes__), "the error that matters is the first"


def test_ctrl_c_is_saved_once(tmp_path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    stopping = Every(LambdaCallback(on_train_batch_end=stop), steps=3)
    with pytest.raises(KeyboardInterrupt):
        run(ModelCheckpoint(tmp_path, on_exception=True), 1.0, 2.0, before=[stopping])
    assert whole(tmp_path) == {"last"}
    assert tk.load(tmp_path / "last.safetensors")["iteration"] == 3
    with pytest.raises(KeyboardInterrupt):
        run(ModelCheckpoint(tmp_path / "b", on_exception=True, save_last=False), 1.0, 2.0, before=[stopping])
    assert whole(tmp_path / "b") == {"exception"}


# ---- checks ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filename": "{epok}"}, r"filename names 'epok'.*there are epoch, iteration, loss, val_loss, score, lr"),
        ({"filename": "{epoch:.2f"}, "is no pattern"),
        ({"filename": "{score:d}x{score:%Y}"}, "a format that does not fit"),
        ({"filename": "{epoch:q}"}, "a format that does not fit"),
        ({"filename": "a/{epoch}"}, "a name in the folder"),
        ({"filename": "last"}, "other than last"),
        ({"filename": "same", "save_top_k": 3}, "needs names that differ"),
        ({"save_top_k": -2}, "save_top_k expected an integer of at least -1"),
        ({"every_epochs": 0}, "every_epochs"),
        ({"every_steps": 0}, "every_steps"),
        ({"every_epochs": None}, "give every_steps"),
        ({"every_epochs": None, "every_steps": 3, "monitor": "loss"}, "no monitor"),
        ({"monitor": "los"}, "no metric 'los' to monitor; there are loss, val_loss, score"),
        ({"monitor": "score"}, "cannot tell whether a higher 'score' is better"),
        ({"mode": "best"}, "'auto', 'min' or 'max'"),
    ],
)
def test_bad_options(tmp_path, options, message: str) -> None:
    trainer = make()
    with pytest.raises(ArgumentError, match=message):
        run(ModelCheckpoint(tmp_path, **options), trainer=trainer, validation_data=DATA)
    assert trainer.engine.state.iteration == 0


def test_two_that_would_overwrite_each_other(tmp_path) -> None:
    one, two = ModelCheckpoint(tmp_path, "loss"), ModelCheckpoint(tmp_path, "val_loss")
    with pytest.raises(ArgumentError, match=r"two ModelCheckpoints keep best\.safetensors in"):
        run(two, before=[one], validation_data=DATA)
    run(ModelCheckpoint(tmp_path, "val_loss", filename="valid"), before=[one], validation_data=DATA)
    assert files(tmp_path) == {"best", "valid", "last"}


def test_paths_before_there_is_a_file(tmp_path) -> None:
    assert ModelCheckpoint(tmp_path, "loss").best_path == tmp_path / "best.safetensors"
    assert ModelCheckpoint(tmp_path, "loss").best is None
    for checkpoint in (ModelCheckpoint(tmp_path), ModelCheckpoint(tmp_path, "loss", save_top_k=2)):
        with pytest.raises(CheckpointError, match="no file has been kept"):
            _ = checkpoint.best_path


def test_a_metric_that_is_no_number_names_no_file(tmp_path) -> None:
    class Matrix(Script):
        def on_epoch_end(self) -> None:
            self.state.metrics["score"] = np.eye(2)

    with pytest.raises(ArgumentError, match="filename cannot show 'score'"):
        make().fit(*DATA, callbacks=[Matrix(), ModelCheckpoint(tmp_path, filename="{score}")], verbose=0)


# ---- the best weights ----


def with_norm() -> tk.Trainer:
    tk.manual_seed(3)
    net = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    return tk.Trainer(net, ("sgd", {"lr": 0.1}), "cross_entropy")


def copies(trainer: tk.Trainer) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in trainer.model.state_dict().items()}


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "make_it", [lambda: BestModelRestore("score", "max"), lambda: EarlyStopping("score", 9, "max", restore_best=True)]
)
@pytest.mark.parametrize("how", ["whole", "failed", "resumed"])
def test_the_best_weights_come_back(tmp_path, make_it, how: str) -> None:
    data = (tk.randn(16, 2), tk.tensor([0, 1] * 8))
    trainer, seen = with_norm(), []

    def look(callback) -> None:
        seen.append(copies(callback.trainer))
        if how == "failed" and len(seen) == 4:
            raise KeyError("boom")

    watch, script = LambdaCallback(on_epoch_end=look), Script(0.1, 0.9, 0.9, math.nan)
    checkpoint = ModelCheckpoint(tmp_path)
    options = {"batch_size": 4, "verbose": 0}
    if how == "resumed":
        trainer.fit(*data, epochs=3, callbacks=[script, make_it(), watch, checkpoint], **options)
        assert same(copies(trainer), seen[1])
        trainer = with_norm()
        trainer.fit(*data, epochs=4, callbacks=[script, make_it(), checkpoint], resume=tmp_path, **options)
    elif how == "failed":
        with pytest.raises(KeyError):
            trainer.fit(*data, epochs=4, callbacks=[script, make_it(), watch], **options)
    else:
        trainer.fit(*data, epochs=4, callbacks=[script, make_it(), watch], **options)
    assert same(copies(trainer), seen[1])
    assert not same(seen[1], seen[2])


def test_the_best_epoch() -> None:
    restore = BestModelRestore("score", "min")
    make().fit(*DATA, epochs=3, callbacks=[Script(3.0, 1.0, 2.0), restore], verbose=0)
    assert restore.best_epoch == 2
    with pytest.raises(ArgumentError, match="to monitor"):
        make().fit(*DATA, callbacks=[BestModelRestore()], verbose=0)
