"""What measures a run: time, throughput, gradients, activations."""

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.callbacks import (
    ActivationMonitor,
    Callback,
    ClipGradNorm,
    EarlyStopping,
    GradientMonitor,
    ModelSummary,
    ThroughputMonitor,
    TimeLimit,
    Timer,
    timing,
)
from trainkit.engine import Engine, Events
from trainkit.errors import ArgumentError


@pytest.fixture
def data() -> tuple[tk.Tensor, tk.Tensor]:
    x = tk.randn(8, 2)
    return x, (x[:, 0] > 0).long()


@pytest.fixture
def trainer() -> tk.Trainer:
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
    return tk.Trainer(net, ("sgd", {"lr": 0.5}), "cross_entropy", ["accuracy"])


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """A clock that stands still until it is told to go on."""
    now = [0.0]
    monkeypatch.setattr(timing, "perf_counter", lambda: now[0])
    return now


# ---- time ----


def test_where_the_time_goes(trainer, data, clock) -> None:
    def after(seconds: float):
        def tick() -> None:
            clock[0] += seconds

        return tick

    class Slow:
        def __len__(self) -> int:
            return 2

        def __iter__(self):
            for i in range(2):
                clock[0] += 1.0
                yield data[0][4 * i : 4 * i + 4], data[1][4 * i : 4 * i + 4]

    handle = trainer.model.register_forward_pre_hook(lambda module, args: after(2.0)())
    trainer.engine.add_event_handler(Events.ITERATION_COMPLETED, after(0.5))
    timer = Timer()
    trainer.fit(Slow(), epochs=2, validation_data=data, callbacks=[timer], verbose=0)
    handle.remove()
    expected = {
        "batches": 2,
        "seconds": 9.0,
        "fetching": 2.0,
        "computing": 4.0,
        "slowest_batch": 2.0,
        "validation": 2.0,
    }
    assert timer.epochs == [{"epoch": 1, **expected}, {"epoch": 2, **expected}]
    assert repr(timer) == "Timer(2 epochs of 18 s: 22 % fetching, 44 % computing, 22 % validation)"
    assert repr(Timer()) == "Timer(0 epochs of 0 s: 0 % fetching, 0 % computing, 0 % validation)"


@pytest.mark.parametrize(("per", "iterations", "epochs"), [("batch", 5, 1), ("epoch", 8, 2)])
@pytest.mark.parametrize("limit", [45, timedelta(seconds=45)])
def test_time_limit(trainer, data, clock, per, iterations, epochs, limit) -> None:
    ends = []

    class End(Callback):
        def on_train_end(self) -> None:
            ends.append(self.state.iteration)

    def tick() -> None:
        clock[0] += 10.0

    trainer.engine.add_event_handler(Events.ITERATION_STARTED, tick)
    stop = TimeLimit(limit, per)
    history = trainer.fit(*data, batch_size=2, epochs=9, callbacks=[stop, End()], verbose=0)
    assert trainer.engine.state.iteration == iterations
    assert len(history) == epochs
    assert ends == [iterations]
    assert stop.stopped
    clock[0] += 100
    assert len(trainer.fit(*data, callbacks=[stop], verbose=0)) == 1, "each run has its own time"
    assert not stop.stopped


@pytest.mark.parametrize(("limit", "per"), [(0, "batch"), (-1.0, "batch"), (timedelta(0), "epoch"), (1, "step")])
def test_bad_time_limits(limit, per) -> None:
    with pytest.raises(ArgumentError):
        TimeLimit(limit, per)


def test_throughput_counts_examples(trainer, data, clock) -> None:
    def tick() -> None:
        clock[0] += 0.5

    trainer.engine.add_event_handler(Events.ITERATION_STARTED, tick)
    trainer.evaluator.add_event_handler(Events.ITERATION_STARTED, tick)
    callbacks = [ThroughputMonitor(), EarlyStopping("examples_per_second", mode="max", patience=5)]
    history = trainer.fit(*data, batch_size=3, epochs=2, validation_data=data, callbacks=callbacks, verbose=0)
    assert [row["examples_per_second"] for row in history] == [8 / 1.5] * 2, "of the batches, not of the validation"


def test_throughput_of_a_bare_engine_and_of_a_step_of_ones_own(data, clock) -> None:
    engine = Engine(lambda engine, batch: clock.__setitem__(0, clock[0] + 1.0))
    engine.attach(ThroughputMonitor("speed"))
    assert engine.run([tk.zeros(4, 2), tk.zeros(2, 2)]).metrics == {"speed": 3.0}

    class Own(tk.Trainer):
        def training_step(self, batch):
            clock[0] += 1.0
            return tk.StepOutput(self.forward(batch["x"]).mean(), size=10)

    own = Own(nn.Linear(2, 2), "sgd", callbacks=[ThroughputMonitor()])
    assert own.fit([{"x": data[0]}], verbose=0)[0]["examples_per_second"] == 10.0


# ---- gradients ----


class Norms(Callback):
    """Takes down what the optimizer is about to step with."""

    priority = 300

    def __init__(self, norm_type: float = 2.0) -> None:
        self.norm_type = norm_type
        self.rows: list[dict[str, float]] = []

    def on_before_optimizer_step(self) -> None:
        layers: dict[str, list] = {}
        for name, parameter in self.trainer.model.named_parameters():
            layers.setdefault(name.rpartition(".")[0], []).append(parameter.grad.numpy().ravel())
        norms = {name: np.linalg.norm(np.concatenate(parts), self.norm_type) for name, parts in layers.items()}
        total = np.linalg.norm(np.concatenate([part for parts in layers.values() for part in parts]), self.norm_type)
        self.rows.append({"": total, **norms})


@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_gradient_norms(trainer, data, norm_type, accumulate) -> None:
    monitor, norms = GradientMonitor(per_layer=True, norm_type=norm_type), Norms(norm_type)
    row = trainer.fit(*data, batch_size=2, accumulate=accumulate, callbacks=[monitor, norms], verbose=0)[0]
    assert len(norms.rows) == (4 if accumulate == 1 else 2)
    assert row["grad_norm"] == pytest.approx(np.mean([found[""] for found in norms.rows]), rel=1e-5)
    assert row["grad_norms"] == pytest.approx(
        {name: np.mean([found[name] for found in norms.rows]) for name in ("0", "2")}, rel=1e-5
    )
    assert monitor.norm == pytest.approx(norms.rows[-1][""], rel=1e-5)
    assert trainer.engine.state.batch_values == {}


@pytest.mark.parametrize("clipped", [False, True])
def test_gradient_norms_before_and_after_clipping(trainer, data, clipped) -> None:
    clip, monitor = ClipGradNorm(1e-3), GradientMonitor(clipped=clipped)
    trainer.fit(*data, callbacks=[clip, monitor], verbose=0)
    assert monitor.norm == pytest.approx(1e-3 if clipped else clip.norm, rel=1e-3)


def test_gradients_of_some_steps_and_of_frozen_layers(trainer, data) -> None:
    trainer.freeze("0.*")
    monitor, norms = GradientMonitor(per_layer=True, every=3), []
    trainer.engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: norms.append(monitor.norm))
    row = trainer.fit(*data, batch_size=1, callbacks=[monitor], verbose=0)[0]
    assert [a == b for a, b in pairwise(norms)] == [True, True, False, True, True, False, True]
    assert list(row["grad_norms"]) == ["2"]
    assert row["grad_norm"] == pytest.approx(np.mean([norms[0], norms[3], norms[6]]))
    trainer.freeze()
    with pytest.raises(Exception, match="grad"):
        trainer.fit(*data, callbacks=[monitor], verbose=0)


def test_a_gradient_norm_may_be_monitored(trainer, data) -> None:
    stop = EarlyStopping("grad_norm", mode="min", min_delta=100.0, patience=2)
    history = trainer.fit(*data, epochs=9, callbacks=[stop, GradientMonitor()], verbose=0)
    assert len(history) == 3


# ---- activations ----


def test_activations(trainer, data) -> None:
    x, _ = data
    with tk.no_grad():
        expected = [trainer.model[0](x).numpy(), trainer.model[1](trainer.model[0](x)).numpy()]
    trainer.optimizer.param_groups[0]["lr"] = 0.0
    monitor = ActivationMonitor(["0", "1"], every=1)
    row = trainer.fit(*data, batch_size=8, epochs=2, validation_data=data, callbacks=[monitor], verbose=0)[-1]
    for name, array in zip("01", expected, strict=True):
        assert row["activations"][f"{name}/mean"] == pytest.approx(array.mean(), rel=1e-5)
        assert row["activations"][f"{name}/std"] == pytest.approx(array.std(), rel=1e-5)
        assert row["activations"][f"{name}/zeros"] == pytest.approx((array == 0).mean())
    assert row["activations"]["1/zeros"] > 0


def hooks(model) -> int:
    return sum(len(module._hooks.after) for module in model.modules() if module._hooks is not None)


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_hooks_are_there_in_measured_steps_alone(trainer, data, kind) -> None:
    counts = []

    class Look(Callback):
        def on_forward_end(self) -> None:
            counts.append(hooks(self.trainer.model))

        def on_backward_end(self) -> None:
            if self.state.iteration == 7:
                raise kind("boom")

    with pytest.raises(kind):
        trainer.fit(*data, batch_size=1, callbacks=[ActivationMonitor(every=3), Look()], verbose=0)
    assert counts == [2, 0, 0, 2, 0, 0, 2]
    assert hooks(trainer.model) == 0
    assert trainer.engine.state.batch_values == {}


def test_modules_by_name_and_outputs_of_several_parts(data) -> None:
    class Split(nn.Module):
        def forward(self, x):
            return x[:, :1], {"rest": x[:, 1:], "name": "no tensor"}

    class Net(nn.Module):
        def __init__(self) -> None:
            self.fc1, self.split, self.fc2 = nn.Linear(2, 4), Split(), nn.Linear(1, 2)

        def forward(self, x):
            first, _ = self.split(self.fc1(x))
            return self.fc2(first)

    trainer = tk.Trainer(Net(), "sgd", "cross_entropy")
    row = trainer.fit(*data, callbacks=[ActivationMonitor("split")], verbose=0)[0]
    assert list(row["activations"]) == [f"split/{i}/{figure}" for i in (0, 1) for figure in ("mean", "std", "zeros")]
    row = trainer.fit(*data, callbacks=[ActivationMonitor(["fc?"])], verbose=0)[0]
    assert {name.partition("/")[0] for name in row["activations"]} == {"fc1", "fc2"}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: ActivationMonitor("conv*"), r"'conv\*' fits no module; there are Sequential, 0, 1, 2"),
        (lambda: ActivationMonitor(every=0), "at least 1"),
        (lambda: GradientMonitor(every=0), "at least 1"),
    ],
)
def test_bad_options(trainer, data, made, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        trainer.fit(*data, callbacks=[made()], verbose=0)
    assert trainer.engine.state.iteration == 0


@pytest.mark.parametrize("made", [GradientMonitor, ActivationMonitor, ModelSummary])
def test_what_needs_a_trainer(made) -> None:
    def run() -> None:
        engine = Engine(lambda engine, batch: None)
        engine.attach(made())
        engine.run([1])

    with pytest.raises(ArgumentError, match=r"Trainer"):
        run()
