"""What a run shows: bars on a terminal, lines in a file, the table of epochs, the history."""

import csv
import io
import math
import sys

import numpy as np
import pytest

import trainkit as tk
from tests.callbacks.terminals import Terminal
from trainkit import nn
from trainkit.callbacks import Callback, EpochTable, History, ProgressBar, progress
from trainkit.callbacks.table import Layout
from trainkit.callbacks.terminal import bar_class
from trainkit.callbacks.values import flat_numbers, short
from trainkit.engine import Engine, Events
from trainkit.errors import ArgumentError, MissingExtraError, OutputError


@pytest.fixture
def data() -> tuple[tk.Tensor, tk.Tensor]:
    x = tk.randn(8, 2)
    return x, (x[:, 0] > 0).long()


@pytest.fixture
def trainer() -> tk.Trainer:
    return tk.Trainer(nn.Linear(2, 2), ("sgd", {"lr": 0.5}), "cross_entropy", ["accuracy"])


@pytest.fixture(autouse=True)
def no_environment(monkeypatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


# ---- the bar ----


def test_bar_on_a_terminal(trainer, data) -> None:
    file = Terminal()
    seen = []

    class Look(Callback):
        priority = 150  # behind the bar

        def on_train_batch_end(self) -> None:
            seen.append(file.screen)

        def on_valid_batch_end(self) -> None:
            seen.append(file.screen)

        def on_epoch_end(self) -> None:
            seen.append(file.screen)

    bar = ProgressBar(file, interval=0)
    trainer.fit(*data, batch_size=1, epochs=2, validation_data=data, callbacks=[bar, Look()], verbose=0)
    assert seen[3][0].startswith("Epoch 1/2  50%|")
    assert "| 4/8 [00:0" in seen[3][0]
    assert "loss=" in seen[3][0]
    assert "accuracy=" in seen[3][0]
    assert {len(lines[0]) for lines in seen[:8]} == {80}
    nested = seen[8]
    assert len(nested) == 2
    assert nested[0].startswith("Epoch 1/2 100%|")
    assert nested[1].startswith("    valid 12%|") or nested[1].startswith("    valid  12%|")
    assert nested[1].index("|") == nested[0].index("|")
    assert "".join(seen[16]) == "", "at the end of an epoch it is away before others write"
    assert "".join(file.screen) == ""


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("moment", ["on_train_batch_end", "on_valid_batch_end", "on_epoch_end", "on_epoch_begin"])
def test_nothing_is_left_on_the_line_after_an_exception(trainer, data, kind, moment) -> None:
    def fail() -> None:
        raise kind("boom")

    file, failing = Terminal(), Callback()
    failing.priority = 150  # behind the bar
    setattr(failing, moment, fail)
    with pytest.raises(kind):
        trainer.fit(*data, validation_data=data, callbacks=[ProgressBar(file, 0), failing], verbose=0)
    assert file.getvalue()
    assert "".join(file.screen) == ""
    assert not bar_class()._instances


@pytest.mark.parametrize("stage", ["test", "predict"])
def test_bar_of_evaluate_and_predict(trainer, data, stage) -> None:
    file = Terminal()
    trainer._attach(ProgressBar(file, interval=0))
    if stage == "test":
        trainer.evaluate(*data, batch_size=2)
        assert "accuracy=" in file.getvalue()
    else:
        trainer.predict(data[0], batch_size=2)
    assert ("evaluate  75%|" if stage == "test" else "predict  75%|") in file.getvalue()
    assert "".join(file.screen) == ""
    trainer.evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer.predict(data[0])
    assert "".join(file.screen) == ""


def test_bar_of_a_bare_engine_and_of_data_without_length() -> None:
    file = Terminal()
    engine = Engine(lambda engine, batch: engine.state.metrics.update(level=batch / 8))
    engine.attach(ProgressBar(file, interval=0))
    engine.run(iter(range(4)), max_epochs=1)
    assert "Epoch 1/1 3 batches [00:0" in file.getvalue()
    assert "level=0.2500" in file.getvalue()
    assert "".join(file.screen) == ""


def test_bar_goes_on_amid_an_epoch(trainer, data) -> None:
    file = Terminal()
    trainer._attach(ProgressBar(file, interval=0))
    trainer.engine.add_event_handler(Events.ITERATION_COMPLETED(once=3), trainer.engine.interrupt)
    trainer.fit(*data, batch_size=1, verbose=0)
    assert "".join(file.screen) == ""
    before = len(file.getvalue())
    trainer.engine.run()
    assert "Epoch 1/1  50%|" in file.getvalue()[before:]
    assert "".join(file.screen) == ""


def test_metrics_that_are_no_numbers_or_cannot_be_computed_yet(trainer, data) -> None:
    class Late(tk.metrics.Metric):
        def reset(self) -> None:
            self.count = 0

        def update(self, output) -> None:
            self.count += 1

        def compute(self):
            if self.count < 4:
                raise ArgumentError("too few")
            return {"matrix": np.eye(2), "count": self.count}

    file, table = Terminal(), io.StringIO()
    trainer = tk.Trainer(nn.Linear(2, 2), "sgd", "cross_entropy", {"late": Late(metrics_result_mode="named")})
    callbacks = [ProgressBar(file, 0), EpochTable(table)]
    history = trainer.fit(*data, batch_size=2, validation_data=data, callbacks=callbacks, verbose=0)
    assert history[0]["late"]["count"] == 4
    assert table.getvalue().split()[:4] == ["epoch", "loss", "val_loss", "lr"]
    assert repr(history).split()[2:6] == ["epoch", "loss", "val_loss", "lr"]


def test_nothing_is_formatted_before_it_is_time(trainer, data, monkeypatch) -> None:
    monkeypatch.setattr(progress, "_figures", lambda loop: pytest.fail("formatted"))
    trainer.fit(*data, batch_size=1, callbacks=[ProgressBar(Terminal(), interval=60)], verbose=0)
    trainer.fit(*data, batch_size=1, callbacks=[ProgressBar(io.StringIO())], verbose=0)


def test_drawing_takes_a_twentieth_of_the_time_at_most(trainer, data, monkeypatch) -> None:
    now = [0.0]
    drawn = []
    monkeypatch.setattr(progress, "perf_counter", lambda: now[0])

    def figures(loop) -> dict:
        drawn.append(trainer.engine.state.iteration)
        now[0] += 1.0  # a metric that takes long
        return {}

    def tick() -> None:
        now[0] += 5.0

    monkeypatch.setattr(progress, "_figures", figures)
    trainer.engine.add_event_handler(Events.ITERATION_COMPLETED, tick)
    trainer.fit(*data, batch_size=1, callbacks=[ProgressBar(Terminal())], verbose=0)
    assert drawn == [1, 5]


# ---- a file or a pipe ----


def test_output_into_a_pipe_is_one_clean_line_an_epoch(trainer, data, capfd) -> None:
    trainer.fit(*data, epochs=2, validation_data=data)
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 3
    assert err == ""
    assert "\r" not in out
    assert "\x1b" not in out


def test_a_long_epoch_writes_a_line_every_thirty_seconds(trainer, data, monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress, "perf_counter", lambda: now[0])

    def tick() -> None:
        now[0] += 10.0

    trainer.engine.add_event_handler(Events.ITERATION_STARTED, tick)
    trainer.evaluator.add_event_handler(Events.ITERATION_STARTED, tick)
    file = io.StringIO()
    valid = [data] * 2
    trainer.fit(*data, batch_size=1, epochs=2, validation_data=valid, callbacks=[ProgressBar(file)], verbose=0)
    lines = file.getvalue().splitlines()
    assert [line.partition(", loss")[0] for line in lines] == [
        "Epoch 1/2: 3 of 8 batches (37 %), 00:30 gone, 00:50 to go",
        "Epoch 1/2: 6 of 8 batches (75 %), 01:00 gone, 00:20 to go",
        "valid: 1 of 2 batches (50 %), 00:10 gone, 00:10 to go",
        "Epoch 2/2: 3 of 8 batches (37 %), 00:30 gone, 00:50 to go",
        "Epoch 2/2: 6 of 8 batches (75 %), 01:00 gone, 00:20 to go",
        "valid: 1 of 2 batches (50 %), 00:10 gone, 00:10 to go",
    ]
    assert "accuracy 0." in lines[0] or "accuracy 1.0" in lines[0]
    assert "\r" not in file.getvalue()
    assert "\x1b" not in file.getvalue()


def test_nothing_to_write_to(trainer, data, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)  # as under pythonw
    monkeypatch.setattr(sys, "stdout", None)
    trainer.fit(*data, batch_size=2, callbacks=[ProgressBar(line_interval=0), EpochTable()], verbose=0)


@pytest.mark.parametrize("options", [{"interval": -1}, {"line_interval": math.nan}])
def test_bad_intervals(options) -> None:
    with pytest.raises(ArgumentError, match="at least 0 seconds"):
        ProgressBar(**options)


# ---- the table ----


def test_table_lines_up_and_is_clean(trainer, data) -> None:
    file = io.StringIO()
    trainer.fit(*data, epochs=3, validation_data=data, callbacks=[EpochTable(file)], verbose=0)
    lines = file.getvalue().splitlines()
    assert len(lines) == 4
    assert {len(line) for line in lines} == {len(lines[0])}
    assert len(lines[0]) < 80
    assert lines[0].split() == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]


NAMES = ["accuracy", "precision", "recall", "f1", "auc", "kappa", "specificity"]


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 6, 7])
def test_table_of_many_metrics(trainer, data, count: int, terminal: bool) -> None:
    metrics = {name: (lambda y_pred, y: tk.tensor(0.5)) for name in NAMES[:count]}
    trainer = tk.Trainer(nn.Linear(2, 2), "sgd", "cross_entropy", metrics)
    file = Terminal() if terminal else io.StringIO()
    trainer.fit(*data, epochs=3, validation_data=data, callbacks=[EpochTable(file)], verbose=0)
    lines = [line for line in (file.screen if terminal else file.getvalue().splitlines()) if line]
    notes = [lines.pop(0)] if lines[0].startswith("(") else []
    if not terminal:
        assert len(lines) == 4
        assert not notes
        assert len(lines[0].split()) == 2 * count + 5
        return
    assert max(map(len, lines)) <= 80
    assert len(lines) == (4 if count < 2 else 7)
    shown = set(lines[0].split())
    assert {"epoch", "loss", "accuracy", "precision"}.difference(NAMES[count:]) <= shown
    left_out = {"epoch", "loss", "lr", "seconds", *NAMES[:count]} - {name.removeprefix("val_") for name in shown}
    assert notes == (
        []
        if not left_out
        else [f"(no room for {', '.join(sorted(left_out, key=[*NAMES, 'lr'].index))}: see the history)"]
    )
    assert len(left_out) == {6: 1, 7: 2}.get(count, 0)
    if count > 1:
        assert [line.split()[0] for line in lines[1:]] == ["1", "val", "2", "val", "3", "val"]
        assert {len(line) for line in lines[1::2]} == {len(lines[1])}


def test_columns_that_come_later_and_values_that_are_missing() -> None:
    engine, file = Engine(lambda engine, batch: None), io.StringIO()
    rows = iter([{"a": 0.5}, {"a": 0.25, "b": 1.0}, {"a": 3.0}])

    @engine.on(Events.EPOCH_COMPLETED)
    def write() -> None:
        engine.state.metrics = next(rows)

    engine.attach(EpochTable(file))
    engine.run([1], max_epochs=3)
    assert [line.split() for line in file.getvalue().splitlines()] == [
        ["epoch", "a"],
        ["1", "0.5000"],
        ["epoch", "a", "b"],
        ["2", "0.2500", "1.0000"],
        ["3", "3.0000"],
    ]


def test_a_validation_every_second_epoch_leaves_its_line_out() -> None:
    layout = Layout(["epoch", "loss", "val_loss"], 20)
    assert layout.two_lines
    assert len(layout.lines({"epoch": 1, "loss": 0.5})) == 1
    assert len(layout.lines({"epoch": 2, "loss": 0.5, "val_loss": 0.5})) == 2


def test_the_best_is_green_on_a_terminal_alone(trainer, data, monkeypatch) -> None:
    values = iter([0.5, 0.75, 0.75, 0.7, math.nan, 0.9] * 3)

    class Script(Callback):
        def on_epoch_end(self) -> None:
            self.state.metrics["val_accuracy"] = next(values)

    def run(file) -> str:
        trainer.fit(*data, epochs=6, validation_data=data, callbacks=[Script(), EpochTable(file)], verbose=0)
        return file.getvalue()

    green = [
        line
        for line in run(Terminal()).splitlines()
        if "\x1b[32m" in line and ("0.5" in line or "0.7" in line or "0.9" in line)
    ]
    marked = [line.split("\x1b[32m")[-1].split("\x1b[0m")[0].strip() for line in green]
    assert [text for text in marked if text in ("0.5000", "0.7500", "0.7000", "nan", "0.9000")] == [
        "0.5000",
        "0.7500",
        "0.9000",
    ]
    assert "\x1b" not in run(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run(Terminal())


def test_short_numbers() -> None:
    values = [0, 0.0, 1, 0.98765, 12.34567, 123.4567, 98765.4, 1e9, 0.0001234, -0.5, math.nan, math.inf]
    texts = [short(value) for value in values]
    assert texts == [
        "0",
        "0.0000",
        "1",
        "0.9877",
        "12.346",
        "123.46",
        "98765.4",
        "1.0e+09",
        "1.2e-04",
        "-0.5000",
        "nan",
        "inf",
    ]


def test_all_the_numbers_there_are() -> None:
    metrics = {
        "loss": tk.tensor(0.5),
        "count": np.int64(3),
        "recall": np.array([1.0, 0.5]),
        "report": {"a": {"f1": 0.1}, "b": np.float32(0.5)},
        "flat": {"x": 1.0},
        "x": 1.0,
        "val_flat": {"y": 2.0},
        "val_y": 2.0,
        "matrix": np.eye(3),
        "text": "best",
        "long": np.zeros(1000),
    }
    found = flat_numbers(metrics)
    assert found == {
        "loss": 0.5, "count": 3, "recall/0": 1.0, "recall/1": 0.5, "report/a/f1": 0.1, "report/b": 0.5, "x": 1.0, "val_y": 2.0,
    }  # fmt: skip


# ---- the history ----


def history_of(count: int) -> History:
    history = History()
    history.epochs = [
        {"epoch": i, "loss": 1 / i, "val_loss": abs(i - 5) + 0.5, "matrix": np.eye(2), "lr": 0.1, "seconds": 1.0}
        for i in range(1, count + 1)
    ]
    return history


def test_history_reads_well() -> None:
    assert repr(History()) == "History(no epochs)"
    lines = repr(history_of(3)).splitlines()
    assert lines[0] == "History(3 epochs)"
    assert lines[1].split() == ["epoch", "loss", "val_loss", "lr", "seconds"]
    assert lines[2] == "    1   1.0000    4.5000      0.1      1.0"
    lines = repr(history_of(40)).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["1", "2", "3", "...", *map(str, range(32, 41))]
    assert repr(history_of(1)).startswith("History(1 epoch)\n")


def test_history_is_a_list() -> None:
    history = history_of(6)
    assert history[-1]["epoch"] == 6
    assert [row["epoch"] for row in history[1:3]] == [2, 3]
    assert history.best("val_loss")["epoch"] == 5
    assert history.best("val_loss", higher_is_better=True)["epoch"] == 1
    history.epochs[4]["val_loss"] = math.nan
    history.epochs[3]["val_loss"] = None
    assert history.best("val_loss")["epoch"] == 6
    with pytest.raises(ArgumentError, match="no values of 'matrix'; it has epoch, loss, val_loss"):
        history.best("matrix")
    assert history.to_dict()["loss"][0] == 1.0


def test_history_as_a_table(tmp_path) -> None:
    history = history_of(2)
    history.epochs[1]["late"] = tk.tensor([1.0, 2.0])
    history.to_csv(tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) == 0.5
    assert rows[0]["matrix"] == "[[1.0, 0.0], [0.0, 1.0]]"
    assert [row["late"] for row in rows] == ["", "[1.0, 2.0]"]
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]
    with pytest.raises(OutputError, match="cannot write the history to"):
        history.to_csv(tmp_path / "nowhere" / "history.csv")


def test_history_says_what_plotting_needs(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        MissingExtraError, match=r"matplotlib, which is not installed: pip install 'trainkit\[plot\]'"
    ) as caught:
        history_of(2).plot()
    assert isinstance(caught.value, ImportError)


def test_history_draws_itself(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    matplotlib = pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    figure = history_of(5).plot()
    charts = {axis.get_title(): [line.get_label() for line in axis.lines] for axis in figure.axes if axis.get_visible()}
    assert charts == {"loss": ["training", "validation"], "lr": ["training"]}
    assert list(figure.axes[0].lines[1].get_ydata()) == [4.5, 3.5, 2.5, 1.5, 0.5]
    assert len(history_of(5).plot("val_loss").axes) == 1
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize(
    ("count", "names", "message"),
    [(2, ["accuracy"], "no numbers of accuracy; it has loss, val_loss, lr"), (0, None, "no epochs")],
)
def test_nothing_to_draw(count: int, names, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        history_of(count).plot(names)


def test_history_goes_on_in_a_resumed_run(data, tmp_path) -> None:
    from trainkit.callbacks import ModelCheckpoint

    def run(epochs: int) -> History:
        trainer = tk.Trainer(nn.Linear(2, 2), "sgd", "cross_entropy")
        checkpoint = ModelCheckpoint(tmp_path)
        return trainer.fit(*data, epochs=epochs, callbacks=[checkpoint], resume=True, verbose=0)

    first = run(2)
    whole = run(4)
    assert [row["epoch"] for row in whole] == [1, 2, 3, 4]
    assert whole[:2] == list(first)
