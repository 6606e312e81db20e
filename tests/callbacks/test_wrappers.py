"""Callbacks of functions and of other callbacks."""

import pytest

import trainkit as tk
from trainkit import nn
from trainkit.callbacks import Callback, Delay, EarlyStopping, Every, LambdaCallback
from trainkit.errors import ArgumentError


class Recorder(Callback):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_train_begin(self) -> None:
        self.calls.append("begin")

    def on_epoch_end(self) -> None:
        self.calls.append(f"epoch {self.state.epoch}")

    def on_train_batch_end(self) -> None:
        self.calls.append(f"batch {self.state.iteration}")

    def around_epoch(self):
        self.calls.append("open")
        yield
        self.calls.append("close")

    def on_train_end(self) -> None:
        self.calls.append("end")

    def state_dict(self):
        return {"calls": list(self.calls)}

    def load_state_dict(self, state_dict) -> None:
        self.calls = list(state_dict["calls"])


def run(callback: Callback, epochs: int = 3) -> tk.Trainer:
    trainer = tk.Trainer(nn.Linear(1, 1), "sgd", "mse")
    trainer.fit(tk.zeros(4, 1), tk.zeros(4, 1), batch_size=2, epochs=epochs, callbacks=[callback], verbose=0)
    return trainer


def test_delay() -> None:
    recorder = Recorder()
    run(Delay(recorder, epochs=2))
    assert recorder.calls == ["begin", "open", "batch 5", "batch 6", "close", "epoch 3", "end"]
    recorder = Recorder()
    run(Delay(recorder, steps=3))
    assert recorder.calls == ["begin", "batch 4", "epoch 2", "open", "batch 5", "batch 6", "close", "epoch 3", "end"]


def test_every() -> None:
    recorder = Recorder()
    run(Every(recorder, epochs=2))
    assert recorder.calls == ["begin", "open", "batch 3", "batch 4", "close", "epoch 2", "end"]
    recorder = Recorder()
    run(Every(recorder, steps=4))
    assert [call for call in recorder.calls if call.startswith("batch")] == ["batch 4"]
    assert recorder.calls.count("open") == 3


def test_a_wrapped_callback_keeps_its_state_and_place() -> None:
    stop = EarlyStopping("loss", patience=1, min_delta=1e3)
    wrapped = Delay(stop, epochs=2)
    trainer = run(wrapped, epochs=9)
    assert trainer.engine.state.epoch == 4
    assert wrapped.priority == stop.priority
    assert wrapped.state_dict() == stop.state_dict()
    nested = Every(Delay(Recorder(), epochs=1), epochs=2)
    run(nested)
    assert nested.state_dict()["calls"] == ["begin", "open", "batch 3", "batch 4", "close", "epoch 2", "end"]


def test_functions() -> None:
    seen: list = []
    callback = LambdaCallback(
        on_epoch_end=lambda callback: seen.append(callback.state.epoch), on_train_end=lambda: seen.append("end")
    )
    trainer = run(callback, 2)
    assert seen == [1, 2, "end"]
    before = trainer.engine.describe()
    with trainer._attach(LambdaCallback(on_epoch_end=print)):
        assert trainer.engine.describe().count("\n") <= before.count("\n") + 2

    def fail() -> None:
        raise KeyError("boom")

    for watch in (lambda callback, error: seen.append(type(error)), lambda: seen.append(KeyError)):
        seen.clear()
        with pytest.raises(KeyError):
            run(LambdaCallback(on_exception=watch, on_epoch_end=fail))
        assert seen == [KeyError]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LambdaCallback(on_epoch=print), "there is no hook 'on_epoch'"),
        (lambda: LambdaCallback(on_epoch_end=3), "must be a function"),
        (lambda: Delay(3), "wraps a Callback"),
        (lambda: Delay(Recorder(), epochs=-1), "epochs"),
        (lambda: Every(Recorder(), steps=0), "steps"),
    ],
)
def test_bad_options(make, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make()
