"""Trainer: fit, evaluate, predict, on every kind of data; modes, exceptions, figures."""

import gc
import weakref

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.callbacks import Callback
from trainkit.data import DataLoader, TensorDataset
from trainkit.engine import Events
from trainkit.errors import ArgumentError, CheckpointError, DataError, DTypeError, ShapeError
from trainkit.metrics import Accuracy


def blobs(count: int = 60) -> tuple[tk.Tensor, tk.Tensor]:
    """Two classes on either side of a line."""
    x = tk.randn(count, 2)
    return x, (x[:, 0] + x[:, 1] > 0).long()


def make(metrics=("accuracy",), **options) -> tk.Trainer:
    return tk.Trainer(nn.Linear(2, 2), ("sgd", {"lr": 0.5}), "cross_entropy", metrics, **options)


def test_fit_learns_and_returns_a_row_an_epoch() -> None:
    trainer, (x, y) = make(), blobs()
    history = trainer.fit(x, y, epochs=15, validation_data=(x, y), verbose=0)
    assert len(history) == 15
    assert list(history[0]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
    assert [row["epoch"] for row in history] == list(range(1, 16))
    assert history[-1]["val_accuracy"] > 0.95
    assert history.best("val_loss")["val_loss"] == min(row["val_loss"] for row in history)
    assert history.best("val_accuracy")["val_accuracy"] == max(row["val_accuracy"] for row in history)
    assert history.to_dict()["lr"] == [0.5] * 15
    assert repr(history).startswith("History(15 epochs")


@pytest.mark.parametrize(
    "pack",
    [
        lambda x, y: (x, y),
        lambda x, y: ((x, y),),
        lambda x, y: (x.numpy(), y.numpy()),
        lambda x, y: (x.numpy().astype("float64"), y.numpy()),
        lambda x, y: (TensorDataset(x, y),),
        lambda x, y: (DataLoader(TensorDataset(x, y), 32, shuffle=True),),
        lambda x, y: ([(x[:30], y[:30]), (x[30:], y[30:])],),
        lambda x, y: ([(x[:30].numpy(), y[:30].numpy()), (x[30:].numpy(), y[30:].numpy())],),
    ],
)
def test_every_kind_of_data(pack) -> None:
    trainer, data = make(), pack(*blobs())
    assert trainer.fit(*data, epochs=8, verbose=0)[-1]["accuracy"] > 0.9
    assert trainer.evaluate(*data)["accuracy"] > 0.9
    assert trainer.predict(data[0][0] if isinstance(data[0], tuple) else data[0]).shape == (60, 2)
    validation = data if len(data) == 2 else data[0]
    assert "val_loss" in trainer.fit(*data, validation_data=validation, verbose=0)[-1]


def test_a_generator_without_length() -> None:
    trainer, (x, y) = make(), blobs()
    history = trainer.fit(((x[i : i + 20], y[i : i + 20]) for i in range(0, 60, 20)), verbose=0)
    assert trainer.engine.state.iteration == 3
    assert len(history) == 1


def test_means_are_weighed_by_examples() -> None:
    trainer, (x, y) = make(), blobs(50)
    found = trainer.evaluate(x, y, batch_size=32)
    logits = trainer.model(x)
    assert found["loss"] == pytest.approx(nn.functional.cross_entropy(logits, y).item(), rel=1e-5)
    assert found["accuracy"] == pytest.approx((logits.argmax(1) == y).float().mean().item())
    frozen = tk.Trainer(trainer.model, ("sgd", {"lr": 0.0}), "cross_entropy", ["accuracy"])
    assert frozen.fit(x, y, batch_size=32, verbose=0)[0]["loss"] == pytest.approx(found["loss"], rel=1e-5)


def test_predict_is_in_order_and_without_gradients() -> None:
    trainer, (x, _) = make(), blobs(50)
    out = trainer.predict(x, batch_size=7)
    assert not out.requires_grad
    np.testing.assert_allclose(out.numpy(), trainer.model(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_evaluating_one_set_never_leaks_into_the_next() -> None:
    trainer, (x, y) = make(), blobs()
    whole = trainer.evaluate(x, y)
    trainer.evaluate(x[:1], y[:1])
    trainer.predict(x)
    assert trainer.evaluate(x, y) == whole


def test_modes_are_switched_and_restored() -> None:
    net = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.BatchNorm2d(1), nn.Linear(4, 2))
    seen = []

    class Probe(nn.Module):
        def __init__(self) -> None:
            self.net = nn.Sequential(net[0], net[1], net[3])

        def forward(self, x):
            seen.append((self.training, tk.is_grad_enabled()))
            return self.net(x)

    model = Probe()
    model.net[0].eval()
    trainer = tk.Trainer(model, "sgd", "cross_entropy")
    x, y = blobs(4)
    with tk.no_grad():
        trainer.fit(x, y, validation_data=(x, y), verbose=0)
    assert seen == [(True, True), (False, False)]
    assert model.training
    assert not model.net[0].training, "every module gets back its own mode"
    assert tk.is_grad_enabled()
    trainer.evaluate(x, y)
    assert model.training


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt])
def test_after_an_exception_everything_is_as_before(kind: type[BaseException]) -> None:
    ends = []

    class Ends(Callback):
        def on_train_end(self) -> None:
            ends.append("end")

        def on_exception(self, error: BaseException) -> None:
            ends.append(type(error).__name__)

    trainer, (x, y) = make(), blobs()
    before = trainer.engine.describe()

    @trainer.engine.on(Events.ITERATION_COMPLETED(once=1))
    def fail() -> None:
        raise kind("boom")

    trainer.model.eval()
    with pytest.raises(kind, match="boom") as caught:
        trainer.fit(x, y, callbacks=[Ends()], validation_data=(x, y), verbose=0)
    assert any("fail" in note and "iteration 1" in note for note in caught.value.__notes__)
    assert ends == [kind.__name__, "end"]
    assert not trainer.model.training
    trainer.engine.remove_event_handler(fail, Events.ITERATION_COMPLETED)
    assert trainer.engine.describe() == before
    assert len(trainer.fit(x, y, epochs=2, verbose=0)) == 2, "the next run begins anew"


def test_the_same_seed_gives_the_same_figures() -> None:
    x, y = blobs()
    runs = []
    for _ in range(2):
        tk.manual_seed(7)
        model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))
        trainer = tk.Trainer(model, "adam", "cross_entropy", ["accuracy"])
        history = trainer.fit(x, y, epochs=3, seed=11, verbose=0)
        runs.append(([row["loss"] for row in history], model[0].weight.tolist()))
    assert runs[0] == runs[1]


def test_save_and_load(tmp_path) -> None:
    x, y = blobs()
    trainer = tk.Trainer(nn.Linear(2, 2), "adam", "cross_entropy")
    trainer.fit(x, y, epochs=2, verbose=0)
    trainer.save(tmp_path / "state.safetensors")
    other = tk.Trainer(nn.Linear(2, 2), "adam", "cross_entropy")
    other.load(tmp_path / "state.safetensors")
    assert other.evaluate(x, y) == trainer.evaluate(x, y)
    assert [row["loss"] for row in other.history] == [row["loss"] for row in trainer.history]
    for one in (trainer, other):
        tk.manual_seed(3)
        one.fit(x, y, verbose=0)
    assert tk.equal(other.model.weight, trainer.model.weight), "the optimizer's state came along"
    with pytest.raises(CheckpointError, match=r"shape \(2, 2\) in the state dict, \(2, 3\)"):
        tk.Trainer(nn.Linear(3, 2)).load(tmp_path / "state.safetensors")


def test_metrics_of_ones_own() -> None:
    class Zeros(tk.metrics.Metric):
        higher_is_better = False

        def reset(self) -> None:
            self.count = 0

        def update(self, output) -> None:
            _, y = output
            self.count += int((y.array == 0).sum())

        def compute(self) -> int:
            return self.count

    x, y = blobs()
    own = Zeros()
    trainer = make({"top": "accuracy", "zeros": own})
    row = trainer.fit(x, y, validation_data=(x[:10], y[:10]), verbose=0)[0]
    assert row["zeros"] == int((y.array == 0).sum())
    assert row["val_zeros"] == int((y.array[:10] == 0).sum())
    assert own.count == 0, "the trainer works on copies"
    assert "top" in row
    assert not trainer.higher_is_better("val_zeros")


def test_a_metric_with_a_transform_of_its_own() -> None:
    x, y = blobs()
    inverted = Accuracy(lambda output: (output.y_pred, 1 - output.y))
    trainer = make({"right": "accuracy", "wrong": inverted})
    found = trainer.evaluate(x, y)
    assert found["right"] + found["wrong"] == pytest.approx(1.0)


def test_engines_are_open() -> None:
    trainer, (x, y) = make(), blobs(10)
    seen = []

    @trainer.engine.on(Events.ITERATION_COMPLETED(every=2))
    def log(engine) -> None:
        seen.append((engine.state.iteration, repr(engine.state.output)))

    trainer.fit(x, y, batch_size=2, verbose=0)
    assert [i for i, _ in seen] == [2, 4]
    assert seen[0][1].startswith("StepOutput(loss=")


def test_engine_of_a_trainer_is_freed() -> None:
    x, y = blobs(8)
    trainer = make()
    trainer.fit(x, y, verbose=0, validation_data=(x, y))
    engine = weakref.ref(trainer.engine)
    trainer.history = None
    gc.collect()
    gc.disable()
    try:
        del trainer
        assert engine() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda x, y: tk.Trainer(nn.Linear(2, 2), "adan", "mse"),
            ArgumentError,
            "no optimizer named 'adan'; there are .*adamw",
        ),
        (lambda x, y: tk.Trainer(nn.Linear(2, 2), "adam", "entropy"), ArgumentError, "no loss named"),
        (lambda x, y: tk.Trainer(nn.Linear(2, 2), metrics=["acc"]), ArgumentError, "no metric named"),
        (lambda x, y: tk.Trainer(nn.Linear(2, 2), metrics=[3]), ArgumentError, "Metric objects"),
        (lambda x, y: tk.Trainer(nn.Linear(2, 2), metrics=[Accuracy]), ArgumentError, "brackets"),
        (lambda x, y: tk.Trainer(nn.Linear(2, 2), metrics=[Accuracy(), "accuracy"]), ArgumentError, "two metrics"),
        (lambda x, y: tk.Trainer(nn.Linear(2, 2), loss="mse").fit(x, y), ArgumentError, "needs an optimizer"),
        (lambda x, y: tk.Trainer(nn.Linear(2, 2), "sgd").fit(x, y), ArgumentError, "needs a loss"),
        (lambda x, y: make().fit(x, y[:5]), ShapeError, r"lengths \[60, 5\]"),
        (lambda x, y: make().fit(TensorDataset(x, y), y), ArgumentError, "own targets"),
        (lambda x, y: make().fit(3), ArgumentError, "got int"),
        (lambda x, y: make().fit(x, y, verbose=7), ArgumentError, "verbose"),
        (lambda x, y: make().fit(x, y, epochs=0), ArgumentError, "max_epochs"),
        (lambda x, y: make().fit(x, y, callbacks=[Callback]), ArgumentError, "brackets"),
        (lambda x, y: make().fit([(x, y, x, x)], verbose=0), ArgumentError, "4 parts"),
        (lambda x, y: make().fit(x.long(), y, verbose=0), DTypeError, "float32"),
        (lambda x, y: make().fit([]), (ArgumentError, DataError), "at least one batch"),
    ],
)
def test_bad_input(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call(*blobs())
