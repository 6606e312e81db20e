"""What fit, evaluate and predict take: trees of arrays, weights, splits; steps of one's own; single batches."""

import itertools

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.data import DataLoader, TensorDataset
from trainkit.data.nested import NestedDataset, concatenate
from trainkit.engine import EngineError, Events
from trainkit.errors import ArgumentError, ShapeError


class TwoInTwoOut(nn.Module):
    """Takes {"a", "b"} or a pair; gives {"sum", "class"}."""

    def __init__(self) -> None:
        self.a, self.b, self.head = nn.Linear(2, 3), nn.Linear(1, 3), nn.Linear(3, 2)

    def forward(self, x):
        a, b = (x["a"], x["b"]) if isinstance(x, dict) else x
        hidden = tk.tanh(self.a(a) + self.b(b))
        return {"sum": hidden.sum(1), "class": self.head(hidden)}


def linear(lr: float = 0.1, loss="mse", **options) -> tk.Trainer:
    net = nn.Linear(2, 1)
    with tk.no_grad():
        net.weight.fill_(0.5)
        net.bias.fill_(0.0)
    return tk.Trainer(net, ("sgd", {"lr": lr}), loss, **options)


@pytest.mark.parametrize("form", ["dict", "tuple", "numpy", "loader"])
def test_several_inputs_and_outputs(form: str) -> None:
    a, b = tk.randn(20, 2), tk.randn(20, 1)
    y = {"sum": a.sum(1), "class": (b[:, 0] > 0).long()}
    x = {"a": a, "b": b} if form in ("dict", "loader") else (a, b)
    if form == "numpy":
        x, y = (a.numpy().astype(np.float64), b.numpy()), {name: part.numpy() for name, part in y.items()}
    trainer = tk.Trainer(
        TwoInTwoOut(),
        "adam",
        {"sum": "mse", "class": "cross_entropy"},
        {"accuracy": tk.metrics.Accuracy(lambda output: (output.y_pred["class"], output.y["class"]))},
    )
    data = (DataLoader(NestedDataset((x, y)), 8),) if form == "loader" else (x, y)
    history = trainer.fit(*data, batch_size=8, epochs=3, validation_data=data if len(data) > 1 else data[0], verbose=0)
    assert {"accuracy", "val_accuracy", "val_loss"} <= set(history[-1])
    assert history[-1]["loss"] < history[0]["loss"]
    out = trainer.predict(x if len(data) > 1 else data[0], batch_size=6)
    assert out["sum"].shape == (20,)
    assert out["class"].shape == (20, 2)
    pair = (tk.as_tensor(part).float() for part in (x if form in ("tuple", "numpy") else (a, b)))
    np.testing.assert_allclose(out["sum"].numpy(), trainer.model(tuple(pair))["sum"].detach().numpy(), rtol=1e-5)


def test_a_loss_for_an_output_that_is_not_there() -> None:
    trainer = tk.Trainer(TwoInTwoOut(), "sgd", {"total": "mse"})
    with pytest.raises(ArgumentError, match=r"'total' found none.*'sum', 'class'"):
        trainer.fit((tk.zeros(4, 2), tk.zeros(4, 1)), {"total": tk.zeros(4)}, verbose=0)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_sample_weights_are_factors_of_the_examples(reduction: str) -> None:
    """Weights that are whole numbers count as many examples; the mean is over those there are."""
    x, y, weight = tk.randn(7, 2), tk.randn(7, 1), tk.tensor([2.0, 0.0, 1.0, 3.0, 1.0, 0.0, 2.0])
    trainer = linear(loss=nn.MSELoss(reduction=reduction))
    expected = ((trainer.model(x) - y).square()[:, 0] * weight).sum().item() / 7
    found = trainer.evaluate(x, y, sample_weight=weight, batch_size=4)["loss"]
    assert found == pytest.approx(expected, rel=1e-5)
    repeated = [i for i, times in enumerate(weight.tolist()) for _ in range(int(times))]
    one, other = linear(1.0, nn.MSELoss(reduction=reduction)), linear(1.0, nn.MSELoss(reduction=reduction))
    one.fit(x, y, sample_weight=weight, batch_size=7, verbose=0)
    scale = 1.0 if reduction == "sum" else 9 / 7
    ((other.model(x[repeated]) - y[repeated]).square().sum() * (scale if reduction == "sum" else scale / 9)).backward()
    other.optimizer.step()
    np.testing.assert_allclose(one.model.weight.tolist(), other.model.weight.tolist(), rtol=1e-5)


def test_weights_in_batches_and_wrong_ones() -> None:
    x, y = tk.randn(6, 2), tk.randn(6, 1)
    trainer = linear()
    assert trainer.evaluate([(x, y, tk.zeros(6))])["loss"] == 0.0
    with pytest.raises(ShapeError, match=r"6 examples, got shape \(5,\)"):
        trainer.evaluate([(x, y, tk.zeros(5))])
    with pytest.raises(ArgumentError, match="a loss for each example"):
        linear(loss=lambda y_pred, y: (y_pred - y).abs().mean()).evaluate(x, y, sample_weight=tk.ones(6))
    with pytest.raises(ArgumentError, match="goes with y"):
        linear().evaluate(x, sample_weight=tk.ones(6))


def test_summed_losses_are_shown_as_means() -> None:
    x, y = tk.randn(10, 2), tk.randn(10, 1)
    mean, total = (
        linear().evaluate(x, y)["loss"],
        linear(loss=nn.MSELoss(reduction="sum")).evaluate(x, y, batch_size=4)["loss"],
    )
    assert total == pytest.approx(mean, rel=1e-5)


def test_validation_split_takes_the_last_part() -> None:
    x = tk.arange(10).float().reshape(10, 1).repeat(1, 2)
    seen, valid = [], []
    trainer = linear(0.0)
    trainer.engine.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: seen.extend(engine.state.batch[0][:, 0].tolist())
    )
    trainer.evaluator.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: valid.extend(engine.state.batch[0][:, 0].tolist())
    )
    for data in ((x, x[:, :1]), (TensorDataset(x, x[:, :1]),)):
        seen.clear()
        valid.clear()
        assert "val_loss" in trainer.fit(*data, validation_split=0.3, batch_size=3, verbose=0)[0]
        assert sorted(seen) == list(range(7))
        assert valid == [7, 8, 9]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation_split": 1.0}, "less than 1"),
        ({"validation_split": -0.1}, "at least 0"),
        ({"validation_split": 0.5, "validation_data": 3}, "not both"),
        ({"accumulate": 0}, "accumulate must be an integer of at least 1"),
        ({"clip_grad_norm": -1.0}, "max_norm must be more than 0"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1"),
        ({"steps_per_epoch": 0}, "epoch_length"),
        ({"resume": 3}, "resume must be a folder"),
        ({"resume": True}, "the one ModelCheckpoint"),
    ],
)
def test_bad_options(options, message: str) -> None:
    trainer = linear()
    before = trainer.engine.describe(), trainer.accumulate
    with pytest.raises(ArgumentError, match=message):
        trainer.fit(tk.zeros(10, 2), tk.zeros(10, 1), verbose=0, **options)
    assert (trainer.engine.describe(), trainer.accumulate) == before


def test_split_needs_examples() -> None:
    with pytest.raises(ArgumentError, match="needs arrays or a data set, got a list"):
        linear().fit([(tk.zeros(1, 2), tk.zeros(1, 1))], validation_split=0.5)
    with pytest.raises(ArgumentError, match="leaves one part empty"):
        linear().fit(tk.zeros(1, 2), tk.zeros(1, 1), validation_split=0.5)


def test_steps_limit_epochs_and_validations() -> None:
    def endless():
        while True:
            yield tk.ones(2, 2), tk.zeros(2, 1)

    counted = [0]
    trainer = linear()
    trainer.evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda: counted.__setitem__(0, counted[0] + 1))
    history = trainer.fit(
        endless(), steps_per_epoch=3, epochs=2, validation_data=[(tk.ones(1, 2), tk.zeros(1, 1))] * 9,
        validation_steps=4, verbose=0,
    )  # fmt: skip
    assert trainer.engine.state.iteration == 6
    assert len(history) == 2
    assert counted[0] == 8
    assert trainer.predict([tk.ones(2, 2)] * 5, steps=2).shape == (4, 1)
    assert "loss" in trainer.evaluate(endless(), steps=2)


@pytest.mark.parametrize("sizes", [(4, 4, 4), (4, 4, 1), (5, 2)])
def test_accumulated_steps_are_those_of_one_batch(sizes) -> None:
    x, y = tk.randn(sum(sizes), 2), tk.randn(sum(sizes), 1)
    bounds = np.cumsum((0, *sizes))
    parts = [(x[i:j], y[i:j]) for i, j in itertools.pairwise(bounds)]
    one, other = linear(), linear()
    one.fit(parts, accumulate=3, verbose=0)
    other.fit(x, y, batch_size=len(x), shuffle=False, verbose=0)
    np.testing.assert_allclose(one.model.weight.tolist(), other.model.weight.tolist(), rtol=1e-5)
    assert one.accumulate == 1


def test_clipping_sees_the_gradient_of_the_whole_group() -> None:
    """Two batches whose gradients cancel: clipped each for itself, they would not move differently."""
    x = tk.tensor([[1.0, 0.0], [-1.0, 0.0]])
    y = tk.tensor([[100.5], [-100.4]])
    norms = []
    trainer = linear()
    clip = tk.callbacks.ClipGradNorm(1e9)
    seen = tk.callbacks.LambdaCallback(on_after_optimizer_step=lambda: norms.append(clip.norm))
    trainer.fit(x, y, batch_size=1, shuffle=False, accumulate=2, callbacks=[clip, seen], verbose=0)
    both = linear()
    (both.model(x) - y).square().mean().backward()
    expected = np.sqrt(sum((p.grad.numpy() ** 2).sum() for p in both.model.parameters()))
    assert norms == [pytest.approx(expected, rel=1e-4)]


def test_clip_grad_norm_bounds_the_step() -> None:
    trainer = linear(1.0)
    before = trainer.model.weight.detach().clone(), trainer.model.bias.detach().clone()
    trainer.fit(tk.ones(4, 2), 100 * tk.ones(4, 1), clip_grad_norm=0.5, verbose=0)
    moved = np.sqrt(
        ((trainer.model.weight - before[0]).detach().numpy() ** 2).sum() + (trainer.model.bias - before[1]).item() ** 2
    )
    assert moved == pytest.approx(0.5, rel=1e-4)


def test_single_batches() -> None:
    x, y = tk.randn(6, 2), tk.randn(6, 1)
    trainer, other = linear(metrics=["mse"]), linear()
    before = trainer.evaluate(x, y)
    assert trainer.evaluate_on_batch(x, y) == pytest.approx(before)
    assert trainer.train_on_batch(x, y)["loss"] == pytest.approx(before["loss"], rel=1e-6)
    other.fit(x, y, batch_size=6, shuffle=False, verbose=0)
    assert tk.equal(trainer.model.weight, other.model.weight)
    np.testing.assert_allclose(trainer.predict_on_batch(x).numpy(), trainer.model(x).detach().numpy())
    assert trainer.predict_on_batch(x.numpy()).shape == (6, 1)
    with pytest.raises(ArgumentError, match=r"train_on_batch\(\) needs a loss"):
        tk.Trainer(nn.Linear(2, 1), "sgd").train_on_batch(x, y)


def test_modes_around_single_batches() -> None:
    modes = []

    class Probe(nn.Linear):
        def forward(self, x):
            modes.append((self.training, tk.is_grad_enabled()))
            return super().forward(x)

    trainer = tk.Trainer(Probe(2, 1).eval(), "sgd", "mse")
    x, y = tk.zeros(2, 2), tk.zeros(2, 1)
    trainer.train_on_batch(x, y)
    assert not trainer.model.training
    trainer.model.train()
    trainer.evaluate_on_batch(x, y)
    trainer.predict_on_batch(x)
    assert trainer.model.training
    assert modes == [(True, True), (False, False), (False, False)]


class Autoencoder(tk.Trainer):
    """Its own steps, of inputs without targets."""

    def training_step(self, batch):
        x = batch[0] if isinstance(batch, tuple) else batch
        y_pred = self.forward(x)
        return tk.StepOutput((y_pred - x).square().mean(), y_pred, x, len(x))

    evaluation_step = training_step


def test_steps_of_ones_own() -> None:
    events = []
    trainer = Autoencoder(nn.Linear(2, 2), "adam", metrics=["mse"])
    forward = tk.callbacks.LambdaCallback(on_forward_end=lambda: events.append("forward"))
    x = tk.randn(8, 2)
    history = trainer.fit(x, batch_size=4, epochs=2, validation_data=x, callbacks=[forward], verbose=0)
    assert history[-1]["val_mse"] == pytest.approx(history[-1]["val_loss"], rel=1e-5)
    assert events == ["forward"] * 4
    assert trainer.evaluate(x)["loss"] > 0


@pytest.mark.parametrize(
    ("returned", "message"),
    [(lambda loss: loss.item(), "must return a StepOutput"), (lambda loss: loss.reshape(1).repeat(2), "one element")],
)
def test_what_a_step_returns(returned, message: str) -> None:
    class Own(tk.Trainer):
        def training_step(self, batch):
            return returned(self.forward(batch[0]).mean())

    with pytest.raises(ArgumentError, match=message):
        Own(nn.Linear(2, 1), "sgd").fit(tk.zeros(4, 2), verbose=0)


@pytest.mark.parametrize("pack", [lambda loss: loss, lambda loss: {"loss": loss}])
def test_a_step_may_return_the_loss_alone(pack) -> None:
    class Own(tk.Trainer):
        def training_step(self, batch):
            return pack(self.forward(batch[0]).mean())

    trainer = Own(nn.Linear(2, 1), "sgd")
    x = tk.randn(5, 2)
    out = trainer.model(x).mean().item()
    assert trainer.fit(x, batch_size=5, verbose=0)[0]["loss"] == pytest.approx(out, rel=1e-5)


def test_another_optimizer_and_loss_may_take_their_places() -> None:
    trainer = linear(0.0)
    x, y = tk.ones(4, 2), tk.zeros(4, 1)
    trainer.fit(x, y, verbose=0)
    trainer.optimizer = tk.optim.SGD(trainer.model.parameters(), lr=0.1)
    trainer.loss = nn.MSELoss(reduction="sum")
    before = trainer.model.weight.tolist()
    trainer.fit(x, y, accumulate=2, verbose=0)
    assert trainer.model.weight.tolist() != before


def test_fit_within_fit_and_a_lost_trainer() -> None:
    trainer = linear()
    x, y = tk.ones(4, 2), tk.zeros(4, 1)
    again = tk.callbacks.LambdaCallback(on_epoch_end=lambda callback: callback.trainer.fit(x, y, verbose=0))
    with pytest.raises(EngineError, match="within fit"):
        trainer.fit(x, y, callbacks=[again], verbose=0)
    evaluates = tk.callbacks.LambdaCallback(on_valid_batch_end=lambda callback: callback.trainer.evaluate(x, y))
    with pytest.raises(EngineError, match="evaluates already"):
        trainer.fit(x, y, validation_data=(x, y), callbacks=[evaluates], verbose=0)
    engine = linear().engine
    with pytest.raises(EngineError, match="the Trainer of this engine is gone"):
        engine.run([(x, y)])


def test_metrics_that_are_functions() -> None:
    def mean_error(y_pred, y):
        return (y_pred - y).abs().mean()

    x, y = tk.randn(7, 2), tk.randn(7, 1)
    trainer = linear(metrics=[mean_error])
    assert trainer.evaluate(x, y, batch_size=3)["mean_error"] == pytest.approx(
        mean_error(trainer.model(x), y).item(), rel=1e-5
    )
    with pytest.raises(ArgumentError, match="name it in a dict"):
        linear(metrics=[lambda y_pred, y: y_pred.mean()])


def test_concatenate_keeps_the_form() -> None:
    parts = [{"a": (tk.zeros(1), tk.ones(1))}, {"a": (tk.zeros(2), tk.ones(2))}]
    assert concatenate(parts)["a"][1].tolist() == [1, 1, 1]
    with pytest.raises(ArgumentError, match="a row an example"):
        concatenate([tk.tensor(1.0)])


def test_an_engine_without_data_says_so():
    trainer = tk.Trainer(nn.Linear(4, 2), "sgd", "mse")
    trainer.fit(tk.zeros(4, 4), tk.zeros(4, 2), verbose=0)
    with pytest.raises(ArgumentError, match=r"without data; call fit\(\), or trainer.engine.run\(data\)"):
        trainer.engine.run(max_epochs=3)
