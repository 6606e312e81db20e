"""Callbacks: hooks and their order, what is shown, written and saved."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn, optim
from trainkit.callbacks import (
    Callback,
    LearningRateScheduler,
    ModelCheckpoint,
    TensorBoardLogger,
)
from trainkit.engine import Engine, Events
from trainkit.errors import ArgumentError, OutputError


@pytest.fixture
def data() -> tuple[tk.Tensor, tk.Tensor]:
    x = tk.randn(8, 2)
    return x, (x[:, 0] > 0).long()


@pytest.fixture
def trainer() -> tk.Trainer:
    return tk.Trainer(nn.Linear(2, 2), ("sgd", {"lr": 0.5}), "cross_entropy", ["accuracy"])


class Recorder(Callback):
    """Overrides every hook and writes its name down."""

    def __init__(self) -> None:
        self.calls: list[str] = []


def _record(name: str):
    return lambda self, *args: self.calls.append(name)


for _name in [name for name in dir(Callback) if name.startswith("on_")]:
    setattr(Recorder, _name, _record(_name))

BATCH = ["on_train_batch_begin", "on_forward_end", "on_backward_end", "on_before_optimizer_step",
    "on_after_optimizer_step", "on_train_batch_end"]  # fmt: skip
VALID = ["on_valid_begin", *["on_valid_batch_begin", "on_valid_batch_end"] * 2, "on_valid_end"]


def test_order_of_all_hooks(trainer, data) -> None:
    recorder = Recorder()
    trainer.fit(*data, batch_size=4, epochs=2, validation_data=data, callbacks=[recorder], verbose=0)
    epoch = ["on_epoch_begin", *BATCH, *BATCH, *VALID, "on_epoch_end"]
    assert recorder.calls == ["on_train_begin", *epoch, *epoch, "on_train_end"]


def test_hooks_of_evaluate_and_predict(data) -> None:
    recorder = Recorder()
    trainer = tk.Trainer(nn.Linear(2, 2), "sgd", "cross_entropy", callbacks=[recorder])
    trainer.evaluate(*data)
    assert recorder.calls == ["on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end"]
    recorder.calls.clear()
    trainer.predict(data[0])
    assert recorder.calls == ["on_predict_begin", "on_predict_batch_begin", "on_predict_batch_end", "on_predict_end"]


def test_only_overridden_hooks_are_registered(trainer) -> None:
    before = trainer.engine.describe()
    with trainer._attach(Callback()):
        assert trainer.engine.describe() == before


def test_for_one_run_or_for_all(trainer, data) -> None:
    once = Recorder()
    trainer.fit(*data, callbacks=[once], verbose=0)
    calls = list(once.calls)
    trainer.fit(*data, verbose=0)
    assert once.calls == calls
    stays = Recorder()
    other = tk.Trainer(nn.Linear(2, 2), "sgd", "cross_entropy", callbacks=[stays])
    other.fit(*data, verbose=0)
    other.fit(*data, verbose=0)
    assert stays.calls == calls * 2


def test_on_a_bare_engine() -> None:
    recorder = Recorder()
    engine = Engine(lambda engine, batch: batch)
    from trainkit.engine.supervised import StepEvents

    engine.register_events(*StepEvents)
    handle = engine.attach(recorder)
    engine.run([1])
    assert recorder.calls == ["on_train_begin", "on_epoch_begin", BATCH[0], BATCH[-1], "on_epoch_end", "on_train_end"]
    assert recorder.state is engine.state
    handle.remove()
    assert engine.describe() == "no handlers"


def test_a_misspelt_hook_is_no_hook(trainer, data) -> None:
    class Misspelt(Callback):
        def on_epoch_ended(self) -> None:
            raise AssertionError

    with pytest.raises(ArgumentError, match=r"on_epoch_ended.*on_epoch_end"):
        trainer.fit(*data, callbacks=[Misspelt()])


def test_after_a_run_its_callbacks_are_on_neither_engine(trainer, data) -> None:
    before = trainer.engine.describe(), trainer.evaluator.describe()
    trainer.fit(*data, validation_data=data, callbacks=[Recorder()], verbose=0)
    assert (trainer.engine.describe(), trainer.evaluator.describe()) == before


def test_several_of_one_type(trainer, data, tmp_path) -> None:
    one, two = ModelCheckpoint(tmp_path / "a"), ModelCheckpoint(tmp_path / "b", "loss")
    trainer.fit(*data, callbacks=[one, two], verbose=0)
    assert one.last_path.is_file()
    assert two.best_path.is_file()


@pytest.mark.parametrize("make", [TensorBoardLogger, ModelCheckpoint])
def test_folder_that_cannot_be_written(trainer, data, tmp_path, make) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write .* into .*choose another folder") as caught:
        trainer.fit(*data, callbacks=[make(tmp_path / "file" / "logs")], verbose=0)
    assert isinstance(caught.value, OSError)
    assert trainer.engine.state.iteration == 0


def test_checkpoint_keeps_the_best(trainer, data, tmp_path) -> None:
    values = iter([0.5, 0.9, 0.7, float("nan")])
    checkpoint = ModelCheckpoint(tmp_path, monitor="val_accuracy")

    class Script(Callback):
        def on_epoch_end(self) -> None:
            self.state.metrics["val_accuracy"] = next(values)

    trainer.fit(*data, epochs=4, validation_data=data, callbacks=[checkpoint, Script()], verbose=0)
    assert checkpoint.best == 0.9, "checkpoints come after what others compute at the same event"
    assert tk.load(checkpoint.best_path)["epoch"] == 2
    assert tk.load(checkpoint.last_path)["epoch"] == 4
    trainer.load(checkpoint.best_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: ModelCheckpoint(path, monitor="val_acc"),
            "no metric 'val_acc' to monitor; there are loss, accuracy, val_loss, val_accuracy",
        ),
        (lambda path: ModelCheckpoint(path, mode="best"), "'auto', 'min' or 'max'"),
        (lambda path: LearningRateScheduler(None, per="batch"), "'epoch' or 'step'"),
    ],
)
def test_bad_options(trainer, data, tmp_path, make, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        trainer.fit(*data, validation_data=data, callbacks=[make(tmp_path)], verbose=0)
    assert trainer.engine.state.iteration == 0


@pytest.mark.parametrize(
    ("per", "rates"), [("epoch", [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]), ("step", [2.0**-i for i in range(6)])]
)
def test_schedule_is_set_before_the_step(data, per: str, rates: list) -> None:
    net = nn.Linear(2, 2)
    optimizer = optim.SGD(net.parameters(), lr=1.0)
    trainer = tk.Trainer(net, optimizer, "cross_entropy")
    seen = []
    trainer.engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: seen.append(optimizer.param_groups[0]["lr"]))
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    trainer.fit(*data, batch_size=4, epochs=3, callbacks=[LearningRateScheduler(schedule, per)], verbose=0)
    assert seen == rates


def test_ctrl_c_saves_a_checkpoint_and_the_trainer_goes_on(trainer, data, tmp_path) -> None:
    calls = []

    class Stop(Callback):
        def on_train_batch_end(self) -> None:
            if self.state.iteration == 3:
                raise KeyboardInterrupt

        def on_interrupt(self) -> None:
            calls.append("interrupt")

        def on_exception(self, error) -> None:
            calls.append(type(error).__name__)

        def on_train_end(self) -> None:
            calls.append("end")

    checkpoint = ModelCheckpoint(tmp_path)
    with pytest.raises(KeyboardInterrupt) as caught:
        trainer.fit(*data, batch_size=4, epochs=3, callbacks=[Stop(), checkpoint], verbose=0)
    assert calls == ["interrupt", "KeyboardInterrupt", "end"]
    assert caught.value.__notes__[-2].startswith("stopped in epoch 2 at iteration 3, batch 1 of 2")
    assert caught.value.__notes__[-1].startswith("fit() begins a new run, from the weights as they are now")
    saved = tk.load(checkpoint.last_path)
    assert (saved["epoch"], saved["iteration"]) == (2, 3)
    np.testing.assert_array_equal(saved["model"]["weight"], trainer.model.weight.detach().numpy())
    assert trainer.engine.status == "interrupted"

    assert trainer.engine.run().iteration == 6, "the rest of the run"
    assert trainer.engine.status == "done"
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(*data, batch_size=4, epochs=3, callbacks=[Stop()], verbose=0)
    assert len(trainer.fit(*data, epochs=2, verbose=0)) == 2, "fit begins anew"


def test_ctrl_c_in_the_validation(trainer, data, tmp_path) -> None:
    class Stop(Callback):
        def on_valid_batch_end(self) -> None:
            raise KeyboardInterrupt

    checkpoint = ModelCheckpoint(tmp_path, "val_loss")
    with pytest.raises(KeyboardInterrupt) as caught:
        trainer.fit(*data, validation_data=data, callbacks=[Stop(), checkpoint], verbose=0)
    assert checkpoint.last_path.is_file()
    assert not checkpoint.best_path.is_file()
    assert sum(note.startswith("stopped in epoch 1") for note in caught.value.__notes__) == 1
    assert "val_loss" in trainer.fit(*data, validation_data=data, verbose=0)[0]


def test_an_interrupt_ends_fit_quietly_and_is_told(trainer, data) -> None:
    class Pause(Callback):
        told = 0

        def on_train_batch_end(self) -> None:
            self.engine.interrupt()

        def on_interrupt(self) -> None:
            self.told += 1

    pause = Pause()
    assert len(trainer.fit(*data, batch_size=4, callbacks=[pause], verbose=0)) == 0
    assert pause.told == 1
    assert trainer.engine.status == "interrupted"


def test_a_validation_that_is_cut_short_is_no_best(trainer, data, tmp_path) -> None:
    checkpoint = ModelCheckpoint(tmp_path, "val_loss")
    trainer.evaluator.add_event_handler(Events.ITERATION_COMPLETED, trainer.evaluator.terminate)
    row = trainer.fit(*data, batch_size=4, validation_data=data, callbacks=[checkpoint], verbose=0)[0]
    assert "val_loss" not in row
    assert checkpoint.best is None


def test_a_callback_of_the_evaluator_finds_the_step_of_the_trainer(trainer, data) -> None:
    steps = []

    @trainer.evaluator.on(Events.COMPLETED)
    def log(engine) -> None:
        steps.append((engine.state.root.epoch, engine.state.root.iteration))

    trainer.fit(*data, batch_size=4, epochs=2, validation_data=data, verbose=0)
    assert steps == [(1, 2), (2, 4)]
