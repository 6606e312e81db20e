"""Going on with a run: what comes back, and that the figures are those of a run that was never stopped."""

import logging

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn, optim
from trainkit.callbacks import Callback, EarlyStopping, LearningRateScheduler, ModelCheckpoint
from trainkit.errors import ArgumentError, CheckpointError


def make() -> tuple[tk.Trainer, list[Callback]]:
    tk.manual_seed(5)
    net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    schedule = LearningRateScheduler(optim.lr_scheduler.StepLR(optimizer, 2, 0.5))
    return tk.Trainer(net, optimizer, "cross_entropy", ["accuracy"]), [schedule, EarlyStopping("val_loss", patience=4)]


@pytest.fixture
def data() -> tuple[tk.Tensor, tk.Tensor]:
    x = tk.randn(40, 2)
    return x, (x[:, 0] > 0).long()


class Stop(Callback):
    """Ends a run in some way at the end of an epoch, or amid it."""

    def __init__(self, how, epoch: int = 0, iteration: int = 0) -> None:
        self.how, self.epoch, self.iteration = how, epoch, iteration

    def on_epoch_begin(self) -> None:
        if self.state.epoch == self.epoch:
            self.how()

    def on_train_batch_end(self) -> None:
        if self.state.iteration == self.iteration:
            self.how()


def ctrl_c() -> None:
    raise KeyboardInterrupt


def figures(history) -> list[tuple[float, ...]]:
    return [(row["epoch"], row["loss"], row["val_loss"], row["lr"]) for row in history]


@pytest.mark.parametrize("how", ["limit", "ctrl_c"])
def test_a_resumed_run_is_the_run_that_was_never_stopped(data, tmp_path, how: str) -> None:
    options = {"batch_size": 8, "validation_data": data, "verbose": 0}
    whole, callbacks = make()
    expected = whole.fit(*data, epochs=6, callbacks=callbacks, **options)
    first, callbacks = make()
    checkpoint = ModelCheckpoint(tmp_path)
    if how == "limit":
        first.fit(*data, epochs=3, callbacks=[*callbacks, checkpoint], **options)
    else:
        with pytest.raises(KeyboardInterrupt):
            first.fit(*data, epochs=6, callbacks=[*callbacks, Stop(ctrl_c, epoch=4), checkpoint], **options)
    second, callbacks = make()
    tk.manual_seed(99)  # the checkpoint brings the random numbers
    found = second.fit(*data, epochs=6, callbacks=[*callbacks, ModelCheckpoint(tmp_path)], resume=True, **options)
    assert figures(found) == figures(expected)
    for name, value in whole.model.state_dict().items():
        assert tk.equal(second.model.state_dict()[name], value)
    assert second.engine.state.iteration == whole.engine.state.iteration


def test_patience_survives(data, tmp_path) -> None:
    values = [0.9, 0.5, 0.6, 0.7, 0.8]

    class Script(Callback):
        provides = ("scripted",)

        def on_epoch_end(self) -> None:
            self.state.metrics["scripted"] = values[self.state.epoch - 1]

    def run(epochs: int, **options):
        trainer = tk.Trainer(nn.Linear(2, 2), "sgd", "cross_entropy")
        stop = EarlyStopping("scripted", patience=3, mode="min")
        callbacks = [stop, Script(), ModelCheckpoint(tmp_path)]
        return trainer.fit(*data, epochs=epochs, callbacks=callbacks, verbose=0, **options), stop

    run(4)
    history, stop = run(9, resume=tmp_path)
    assert len(history) == 5, "it waited for two epochs before, and for the third now"
    assert stop.stopped_epoch == 5


def test_an_epoch_that_was_not_finished_is_done_again(data, tmp_path) -> None:
    trainer, callbacks = make()
    options = {"batch_size": 8, "validation_data": data, "verbose": 0}
    checkpoint = ModelCheckpoint(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(*data, epochs=4, callbacks=[*callbacks, checkpoint, Stop(ctrl_c, iteration=12)], **options)
    saved = tk.load(checkpoint.last_path)
    assert saved["position"] == {"epochs_done": 2, "batch": 2, "epoch_length": 5}
    second, callbacks = make()
    history = second.fit(*data, epochs=4, callbacks=callbacks, resume=tmp_path, **options)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]


def test_nothing_left_to_do(data, tmp_path, caplog) -> None:
    trainer, _ = make()
    trainer.fit(*data, epochs=2, callbacks=[ModelCheckpoint(tmp_path)], verbose=0)
    before = {name: value.numpy().copy() for name, value in trainer.model.state_dict().items()}
    other, _ = make()
    with caplog.at_level(logging.INFO, "trainkit"):
        history = other.fit(*data, epochs=2, resume=tmp_path, verbose=0)
    assert len(history) == 2
    assert "2 of 2 epochs are done" in caplog.text
    for name, value in other.model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])


def test_a_folder_without_a_checkpoint_begins_anew(data, tmp_path, caplog) -> None:
    trainer, _ = make()
    with caplog.at_level(logging.INFO, "trainkit"):
        assert len(trainer.fit(*data, resume=tmp_path / "new", verbose=0)) == 1
    assert "begins anew" in caplog.text
    with pytest.raises(CheckpointError, match="there is no file"):
        trainer.fit(*data, resume=tmp_path / "last.safetensors", verbose=0)
    (tmp_path / "short.safetensors").write_bytes(b"\x08")
    tk.save({"weights": np.ones(2)}, tmp_path / "other.safetensors")
    assert len(trainer.fit(*data, resume=tmp_path, verbose=0)) == 1, "what is no checkpoint of a run is left aside"
    with pytest.raises(CheckpointError, match="cut short"):
        trainer.fit(*data, resume=tmp_path / "short.safetensors", verbose=0)


def test_the_newest_is_the_one_that_stands_furthest(data, tmp_path) -> None:
    trainer, _ = make()
    trainer.fit(*data, epochs=1, verbose=0)
    trainer.save(tmp_path / "z.safetensors")
    trainer.fit(*data, epochs=3, verbose=0)
    trainer.save(tmp_path / "a.safetensors")
    trainer.fit(*data, epochs=2, verbose=0)
    trainer.save(tmp_path / "y.safetensors")
    other, _ = make()
    assert len(other.fit(*data, epochs=3, resume=tmp_path, verbose=0)) == 3
    assert tk.equal(other.model[0].weight, tk.as_tensor(tk.load(tmp_path / "a.safetensors")["model"]["0.weight"]))


def test_callbacks_that_came_and_went_are_told_of(data, tmp_path, caplog) -> None:
    trainer, _ = make()
    one, two = EarlyStopping("loss", 5), EarlyStopping("accuracy", 7)
    trainer.fit(*data, epochs=2, callbacks=[one, two, ModelCheckpoint(tmp_path)], verbose=0)
    other, _ = make()
    again = EarlyStopping("loss", 5)
    with caplog.at_level(logging.WARNING, "trainkit"):
        other.fit(*data, epochs=3, callbacks=[again, tk.callbacks.EMA()], resume=tmp_path, verbose=0)
    assert "no state for the callback EMA" in caplog.text
    assert "EarlyStopping.2" in caplog.text


def test_a_wrong_resume_changes_nothing(data, tmp_path) -> None:
    trainer, _ = make()
    trainer.fit(*data, callbacks=[ModelCheckpoint(tmp_path)], verbose=0)
    other = tk.Trainer(nn.Linear(3, 3), "sgd", "cross_entropy")
    weight = other.model.weight.tolist()
    before = other.engine.describe()
    with pytest.raises(CheckpointError):
        other.fit(tk.zeros(4, 3), tk.zeros(4).long(), resume=tmp_path, epochs=9, verbose=0)
    assert other.model.weight.tolist() == weight
    assert other.engine.describe() == before
    with pytest.raises(ArgumentError, match="ModelCheckpoint"):
        other.fit(tk.zeros(4, 3), tk.zeros(4).long(), resume=True, verbose=0)


def test_what_is_frozen_stays_frozen(data, tmp_path) -> None:
    trainer, _ = make()
    trainer.freeze("0.*")
    trainer.fit(*data, epochs=1, callbacks=[ModelCheckpoint(tmp_path)], verbose=0)
    other, _ = make()
    other.fit(*data, epochs=2, resume=tmp_path, verbose=0)
    assert other.frozen == ["0.weight", "0.bias"]
    assert tk.equal(other.model[0].weight, trainer.model[0].weight)
