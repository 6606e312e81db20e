"""Figures in files: whole at every moment, gone on with by a resumed run, and no reason to stop for a full disk."""

import csv
import errno
import io
import json
import logging
import math

import numpy as np
import pytest
import safetensors.numpy

import trainkit as tk
from trainkit import nn
from trainkit.callbacks import (
    Callback,
    CSVLogger,
    JSONLinesLogger,
    ModelCheckpoint,
    ModelSummary,
    PredictionWriter,
    TensorBoardLogger,
    file_loggers,
    predictions,
)
from trainkit.engine import Events
from trainkit.errors import ArgumentError, DataError, OutputError


@pytest.fixture
def data() -> tuple[tk.Tensor, tk.Tensor]:
    x = tk.randn(8, 2)
    return x, (x[:, 0] > 0).long()


def make() -> tk.Trainer:
    return tk.Trainer(nn.Linear(2, 2), ("sgd", {"lr": 0.5}), "cross_entropy", ["accuracy"])


def table(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def lines(path) -> list[dict]:
    text = path.read_text()
    assert text.endswith("\n") or not text
    return [json.loads(line) for line in text.splitlines()]


class Stop(Callback):
    priority = 300  # behind all that writes

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def on_train_batch_end(self) -> None:
        if self.state.iteration == self.iteration:
            raise RuntimeError("power cut")


def no_space(*args, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


# ---- folders ----


@pytest.mark.parametrize(
    "made",
    [
        lambda path: CSVLogger(path / "log.csv"),
        lambda path: JSONLinesLogger(path / "log.jsonl"),
        lambda path: TensorBoardLogger(path),
        lambda path: PredictionWriter(path / "p.npz", "valid"),
    ],
)
def test_folder_that_cannot_be_written(data, tmp_path, made) -> None:
    (tmp_path / "file").write_text("in the way")
    trainer = make()
    with pytest.raises(OutputError, match=r"cannot write .* into .*choose another folder") as caught:
        trainer.fit(*data, validation_data=data, callbacks=[made(tmp_path / "file" / "logs")], verbose=0)
    assert isinstance(caught.value, OSError)
    assert trainer.engine.state.iteration == (1 if "PredictionWriter" in str(caught.value.__notes__) else 0)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda path: CSVLogger(path / "log.csv", append="no"), "append must be True, False or 'auto'"),
        (lambda path: JSONLinesLogger(path / "log.jsonl", every=-1), "every must be at least 0"),
        (lambda path: PredictionWriter(path / "p.txt"), "must end in .npz, .csv, .safetensors"),
        (
            lambda path: PredictionWriter(path / "p.npz", ["predict", "train"]),
            "stages are predict, valid, test, got 'train'",
        ),
    ],
)
def test_bad_options(tmp_path, made, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        made(tmp_path)


# ---- CSV ----


def test_a_table_of_epochs(data, tmp_path) -> None:
    path = tmp_path / "new" / "log.csv"
    history = make().fit(*data, epochs=3, validation_data=data, callbacks=[CSVLogger(path)], verbose=0)
    rows = table(path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["val_loss"]) for row in rows] == [row["val_loss"] for row in history]
    assert [file.name for file in path.parent.iterdir()] == ["log.csv"]


def test_a_table_is_whole_at_every_moment(data, tmp_path) -> None:
    path, seen = tmp_path / "log.csv", []

    class Look(Callback):
        priority = 150

        def on_epoch_end(self) -> None:
            seen.append(len(table(path)))

    with pytest.raises(RuntimeError, match="power cut"):
        make().fit(
            *data, batch_size=4, epochs=9, callbacks=[CSVLogger(path, separator=","), Look(), Stop(7)], verbose=0
        )
    assert seen == [1, 2, 3]
    assert len(table(path)) == 3


def test_a_column_that_comes_later(data, tmp_path) -> None:
    class Late(Callback):
        def on_epoch_end(self) -> None:
            if self.state.epoch == 2:
                self.state.metrics.update({"late": np.float32(0.5), "matrix": tk.eye(2), "per": {"a": 1}})

    path = tmp_path / "log.csv"
    make().fit(*data, epochs=2, callbacks=[CSVLogger(path, separator=";"), Late()], verbose=0)
    assert path.read_text().splitlines()[0] == "epoch;loss;accuracy;lr;seconds;late;matrix;per"
    assert path.read_text().splitlines()[1].endswith(";;;")
    assert path.read_text().splitlines()[2].endswith(';0.5;[[1.0, 0.0], [0.0, 1.0]];"{""a"": 1}"')


@pytest.mark.parametrize("kind", [CSVLogger, JSONLinesLogger])
def test_a_resumed_run_goes_on_with_the_file(data, tmp_path, kind) -> None:
    path, read = tmp_path / "log", table if kind is CSVLogger else lines

    def run(*others, epochs: int, **options):
        callbacks = [kind(path), ModelCheckpoint(tmp_path / "saved"), *others]
        make().fit(*data, batch_size=4, epochs=epochs, callbacks=callbacks, verbose=0, **options)

    run(epochs=2)
    before = path.read_text()
    (tmp_path / "copy").write_text(before)
    make().fit(*data, batch_size=4, epochs=5, callbacks=[kind(path, append=True)], verbose=0)  # of epochs not saved
    assert [int(row["epoch"]) for row in read(path)] == [1, 2, 1, 2, 3, 4, 5]
    with pytest.raises(RuntimeError):
        run(Stop(7), epochs=4, resume=True)
    assert [int(row["epoch"]) for row in read(path)] == [1, 2, 1, 2, 3]
    run(epochs=4, resume=True)
    assert [int(row["epoch"]) for row in read(path)] == [1, 2, 1, 2, 3, 4]
    run(epochs=1)
    assert [int(row["epoch"]) for row in read(path)] == [1], "a new run begins a new file"
    make().fit(*data, epochs=1, callbacks=[kind(path, append=True)], verbose=0)
    assert [int(row["epoch"]) for row in read(path)] == [1, 1]


def test_a_file_that_is_no_table_is_left_alone(data, tmp_path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no table of epochs to go on with"):
        make().fit(*data, callbacks=[CSVLogger(path, append=True)], verbose=0)
    assert path.read_text() == "a,b\n1,2\n"


def test_a_full_disk_does_not_stop_a_run(data, tmp_path, monkeypatch, caplog) -> None:
    path = tmp_path / "log.csv"
    write = file_loggers.write_atomically

    class Full(Callback):
        def on_epoch_begin(self) -> None:
            monkeypatch.setattr(file_loggers, "write_atomically", no_space if self.state.epoch == 2 else write)

        def on_epoch_end(self) -> None:
            counts.append(len(table(path)) if path.exists() else 0)

    counts: list[int] = []
    with caplog.at_level(logging.WARNING):
        make().fit(*data, epochs=3, callbacks=[CSVLogger(path), Full()], verbose=0)
    assert counts == [0, 1, 1], "the old table stays"
    assert len(table(path)) == 3, "and the next one has all rows"
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "No space left on device; trying again with the next figures"
    ]


# ---- JSON lines ----


def test_lines_of_epochs_and_of_steps(data, tmp_path) -> None:
    path = tmp_path / "log.jsonl"

    class Odd(Callback):
        def on_epoch_end(self) -> None:
            self.state.metrics.update({"bad": math.nan, "per": {"a": np.array([1.0, math.inf])}})

    history = make().fit(*data, batch_size=2, epochs=2, callbacks=[JSONLinesLogger(path, every=3), Odd()], verbose=0)
    found = lines(path)
    assert [(line["event"], line["epoch"], line["iteration"]) for line in found] == [
        ("step", 1, 3), ("epoch", 1, 4), ("step", 2, 6), ("epoch", 2, 8),
    ]  # fmt: skip
    assert found[1]["loss"] == history[0]["loss"]
    assert found[1]["bad"] is None
    assert found[1]["per"] == {"a": [1.0, None]}
    assert set(found[0]) == {"event", "time", "epoch", "iteration", "loss", "lr"}
    assert found[0]["time"] <= found[-1]["time"]


def test_a_line_is_on_the_disk_at_once(data, tmp_path) -> None:
    path, counts = tmp_path / "log.jsonl", []

    class Look(Callback):
        priority = 150

        def on_train_batch_end(self) -> None:
            counts.append(len(lines(path)))

    with pytest.raises(RuntimeError):
        make().fit(*data, batch_size=2, callbacks=[JSONLinesLogger(path, every=1), Look(), Stop(3)], verbose=0)
    assert counts == [1, 2, 3]
    assert len(lines(path)) == 3


def test_a_line_that_was_cut_short_goes(data, tmp_path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"event": "epoch", "epoch": 1}\n{"event": "ep')
    make().fit(*data, callbacks=[JSONLinesLogger(path, append=True)], verbose=0)
    assert [line["epoch"] for line in lines(path)] == [1, 1]


def test_a_full_disk_leaves_whole_lines(data, tmp_path, caplog) -> None:
    path = tmp_path / "log.jsonl"

    class Half:
        """A file on a disk that is full after a few bytes more."""

        def __init__(self, file) -> None:
            self.file = file

        def write(self, content: bytes) -> int:
            self.file.write(content[:9])
            return no_space()

        def __getattr__(self, name):
            return getattr(self.file, name)

    class Full(Callback):
        def on_epoch_begin(self) -> None:
            if self.state.epoch == 2:
                logger._file = Half(logger._file)
            elif self.state.epoch == 3:
                assert len(lines(path)) == 1
                logger._file = logger._file.file

    logger = JSONLinesLogger(path)
    make().fit(*data, epochs=3, callbacks=[logger, Full()], verbose=0)
    assert [line["epoch"] for line in lines(path)] == [1, 2, 3]
    assert "No space left" in caplog.text


def test_lines_of_a_run_that_goes_on_after_its_end(data, tmp_path) -> None:
    path = tmp_path / "log.jsonl"
    trainer = make()
    logger = JSONLinesLogger(path)
    trainer._attach(logger)
    trainer.engine.add_event_handler(Events.EPOCH_COMPLETED(once=1), trainer.engine.interrupt)
    trainer.fit(*data, epochs=2, verbose=0)
    assert logger._file is None
    trainer.engine.run()
    logger.on_train_end()
    assert [line["epoch"] for line in lines(path)] == [1, 2]


# ---- predictions ----


class Two(nn.Module):
    def __init__(self) -> None:
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        return {"a": self.fc(x), "b": (x[:, 0], x.reshape(-1, 1, 2))}


@pytest.mark.parametrize("kind", ["npz", "safetensors", "csv"])
def test_predictions_in_a_file(data, tmp_path, kind) -> None:
    path = tmp_path / f"{{stage}}-p.{kind}"
    trainer = tk.Trainer(Two())
    found = trainer.predict(data[0], batch_size=3, callbacks=[PredictionWriter(path)])
    trainer.evaluate(*data, callbacks=[PredictionWriter(path)])
    written = tmp_path / f"predict-p.{kind}"
    assert [file.name for file in tmp_path.iterdir()] == [written.name]
    if kind == "csv":
        rows = table(written)
        assert len(rows) == 8
        assert list(rows[0]) == [
            "prediction.a[0]",
            "prediction.a[1]",
            "prediction.a[2]",
            "prediction.b.0",
            "prediction.b.1[0]",
            "prediction.b.1[1]",
        ]
        np.testing.assert_allclose([float(row["prediction.a[1]"]) for row in rows], found["a"][:, 1].numpy(), rtol=1e-6)
        return
    arrays = np.load(written) if kind == "npz" else safetensors.numpy.load_file(written)
    assert set(arrays) == {"prediction.a", "prediction.b.0", "prediction.b.1"}
    np.testing.assert_array_equal(arrays["prediction.a"], found["a"].numpy())
    assert arrays["prediction.b.1"].shape == (8, 1, 2)


def test_predictions_of_each_validation_with_targets(data, tmp_path) -> None:
    writer = PredictionWriter(tmp_path / "{stage}-{epoch}.npz", ["valid", "test"])
    trainer = make()
    trainer.fit(*data, epochs=2, validation_data=data, callbacks=[writer], verbose=0)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["valid-1.npz", "valid-2.npz"]
    np.testing.assert_array_equal(np.load(tmp_path / "valid-2.npz")["target"], data[1].numpy())
    np.testing.assert_array_equal(np.load(tmp_path / "valid-2.npz")["prediction"], trainer.predict(data[0]).numpy())
    trainer.evaluate(*data, callbacks=[writer])
    assert (tmp_path / "test-2.npz").is_file()


def test_predictions_that_fail_leave_the_file_as_it_was(data, tmp_path, monkeypatch) -> None:
    path = tmp_path / "p.csv"
    trainer = make()
    trainer.predict(data[0], callbacks=[PredictionWriter(path)])
    before = path.read_bytes()
    trainer.evaluator.add_event_handler(Events.ITERATION_COMPLETED(once=2), lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer.predict(data[0], batch_size=2, callbacks=[PredictionWriter(path)])
    trainer.evaluator.state.iteration = 0
    monkeypatch.setattr(predictions, "write_atomically", no_space)
    with pytest.raises(OutputError, match="cannot write predictions to"):
        trainer.predict(data[0], callbacks=[PredictionWriter(path)])
    assert path.read_bytes() == before


# ---- the model's summary ----


def test_summary_takes_the_shape_of_the_first_batch(data, capsys, caplog) -> None:
    summary = ModelSummary()
    trainer = make()
    state = tk.get_rng_state()
    trainer.fit(*data, batch_size=4, epochs=2, callbacks=[summary], shuffle=False, verbose=0)
    assert tk.get_rng_state() == state
    out = capsys.readouterr().out
    assert out.count("Input shape: (4, 2)") == 1
    assert summary.summary.parameters == 6
    file = io.StringIO()
    tk.Trainer(Two(), "sgd", lambda y_pred, y: y_pred["a"].mean()).fit(*data, callbacks=[ModelSummary(file)], verbose=0)
    assert "Input shape: (8, 2)" in file.getvalue()


def test_no_summary_is_no_reason_to_stop(data, caplog, capsys) -> None:
    class Dict(nn.Module):
        def __init__(self) -> None:
            self.fc = nn.Linear(2, 2)

        def forward(self, x):
            return self.fc(x["x"])

    trainer = tk.Trainer(Dict(), "sgd", "cross_entropy")
    trainer.fit({"x": data[0]}, data[1], callbacks=[ModelSummary()], verbose=0)
    assert "no summary: the model is called with more than tensors" in caplog.text
    assert capsys.readouterr().out == ""


def test_a_run_that_fails_before_its_first_batch_leaves_no_hook(data, capsys) -> None:
    class Fail(Callback):
        def on_epoch_begin(self) -> None:
            raise RuntimeError("boom")

    trainer = make()
    with pytest.raises(RuntimeError):
        trainer.fit(*data, callbacks=[ModelSummary(), Fail()], verbose=0)
    trainer.fit(*data, verbose=0)
    assert capsys.readouterr().out == ""
