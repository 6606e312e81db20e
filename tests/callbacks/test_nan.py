"""TerminateOnNaN: the batch at which it acts, what it leaves, and where it says that the values come from."""

import logging
import math
import re

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.callbacks import EMA, Callback, ClipGradNorm, LambdaCallback, MixUp, ModelCheckpoint, TerminateOnNaN
from trainkit.errors import ArgumentError

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


class Net(nn.Module):
    """Breaks where it is told to."""

    def __init__(self, breaks: str = "") -> None:
        self.first, self.norm, self.dropout, self.last = (
            nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)
        )  # fmt: skip
        self.root = Root()
        self.breaks = breaks

    def forward(self, x):
        big = bool((x.array[:, 0] > 50).any())
        x = self.norm(self.first(x))
        if self.breaks == "between" and big:
            x = x * math.inf
        x = self.dropout(x)
        if self.breaks == "module":
            x = self.root(x) if big else x
        elif self.breaks == "gradient":
            x = x + 0 * self.root((self.last.weight * 0).sum()) if big else x
        x = self.last(x)
        return x * math.nan if self.breaks == "end" and big else x


class Root(nn.Module):
    def forward(self, x):
        return x.sqrt()


def data(at: int = 21) -> tuple[tk.Tensor, tk.Tensor]:
    """24 examples; the first number of one of them is large: that of batch 6 of batches of 4."""
    x = tk.randn(24, 3)
    x[at, 0] = 100.0
    return x, tk.tensor([0, 1] * 12)


def copies(trainer: tk.Trainer) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in trainer.model.state_dict().items()}


def fit(net: nn.Module, x, y, stop: TerminateOnNaN, *callbacks: Callback, **options):
    """Train; return the trainer, and its weights as they were before each batch."""
    optimizer = options.pop("optimizer", ("sgd", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}))
    trainer = tk.Trainer(net, optimizer, options.pop("loss", "cross_entropy"), options.pop("metrics", ["accuracy"]))
    seen: list[dict[str, np.ndarray]] = []
    watch = LambdaCallback(on_train_batch_begin=lambda: seen.append(copies(trainer)))
    options = {"batch_size": 4, "shuffle": False, "epochs": 3, "verbose": 0, **options}
    trainer.fit(x, y, callbacks=[stop, *callbacks, watch], **options)
    return trainer, seen


def assert_as_before(trainer: tk.Trainer, before: dict[str, np.ndarray]) -> None:
    for name, value in copies(trainer).items():
        assert np.isfinite(value).all(), name
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def spoiled(what: str, value: float):
    x, y = data()
    weight = tk.ones(24)
    {"x": x, "weight": weight}[what][21] = value
    return x, y, weight


def on_weight():
    """Make a parameter break, as a step before might have."""

    def act(callback) -> None:
        if callback.state.iteration == 5:
            callback.trainer.model.last.weight.data[0, 1] = math.nan

    return LambdaCallback(on_after_optimizer_step=act)


CASES = {
    "inputs": (lambda: (Net(), *spoiled("x", math.nan)[:2]), {}, r"the inputs have 3 NaN"),
    "infinite": (lambda: (Net(), *spoiled("x", math.inf)[:2]), {}, r"the inputs have 3 infinite"),
    "between": (
        lambda: (Net("between"), *data()),
        {},
        r"what goes into the module dropout, a Dropout, has \d+ infinite",
    ),
    "module": (lambda: (Net("module"), *data()), {}, r"what comes out of the module root, a Root, has \d+ NaN"),
    "end": (lambda: (Net("end"), *data()), {}, r"what comes out of the model itself has 8 NaN"),
    "gradient": (lambda: (Net("gradient"), *data()), {}, r"the gradient of last.weight has 8 NaN$"),
}


@pytest.mark.parametrize("case", CASES)
def test_where_it_arose(case, caplog) -> None:
    build, options, message = CASES[case]
    stop = TerminateOnNaN()
    with caplog.at_level(logging.ERROR, "trainkit"):
        trainer, seen = fit(*build(), stop, **options)
    assert trainer.engine.state.iteration == 6 == len(seen), "it acts at the batch"
    assert_as_before(trainer, seen[-1])
    assert stop.reason is not None
    assert stop.reason.startswith("in epoch 1 at iteration 6 the loss is ")
    assert re.search(message, stop.reason), stop.reason
    assert stop.reason in caplog.text
    assert trainer.engine.status == "done"
    assert len(trainer.history) == 0, "the epoch was not finished"


def test_targets_and_weights() -> None:
    x, _ = data()
    y = tk.randn(24, 2)
    y[22, 1] = math.nan
    stop = TerminateOnNaN()
    trainer, seen = fit(Net(), x, y, stop, loss="mse", metrics=[])
    assert stop.reason.endswith("the loss is nan: the targets have 1 NaN")
    assert_as_before(trainer, seen[-1])
    x, y, weight = spoiled("weight", math.inf)
    fit(Net(), x, y, stop, sample_weight=weight)
    assert stop.reason.endswith("the loss is inf: the sample weights have 1 infinite")


def test_a_dict_of_inputs_and_a_batch_of_its_own_form() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(2, 1)

        def forward(self, x):
            return self.layer(x["a"] + x["b"][0])

    inputs = {"a": tk.ones(4, 2), "b": (tk.ones(4, 2), tk.ones(4, 2))}
    inputs["b"][0][1, 1] = math.nan
    stop = TerminateOnNaN()
    trainer = tk.Trainer(Two(), "sgd", "mse", callbacks=[stop])
    trainer.fit(inputs, tk.zeros(4, 1), verbose=0)
    assert stop.reason.endswith("the inputs['b'][0] have 1 NaN")


def test_a_parameter_and_since_when() -> None:
    stop = TerminateOnNaN()
    trainer, _ = fit(Net(), *data(), stop, on_weight())
    assert stop.reason.endswith("the parameter last.weight has 1 NaN, since the step of iteration 5")
    assert trainer.engine.state.iteration == 6
    net = Net()
    net.first.bias.data[0] = math.inf
    trainer, _ = fit(net, *data(), stop)
    assert stop.reason.endswith("the parameter first.bias has 1 infinite, from the beginning")
    assert trainer.engine.state.iteration == 1
    net = Net()
    net.norm.running_mean[1] = math.nan
    net.norm.eval()
    nn.freeze(net, net.norm)
    fit(net, *data(), stop)
    assert stop.reason.endswith("the buffer norm.running_mean has 1 NaN")


def test_the_loss_function() -> None:
    stop = TerminateOnNaN()
    fit(Net(), *data(), stop, loss=lambda y_pred, y: (y_pred.sum() * 0 - 1).sqrt(), metrics=[])
    assert stop.reason.endswith("so it is the loss function that makes it")


@pytest.mark.parametrize(
    ("fails", "text"), [(False, "it did not come again"), (True, "a second pass failed: KeyError('boom')")]
)
def test_what_does_not_come_again(fails: bool, text: str) -> None:
    calls = []

    def loss(y_pred, y):
        calls.append(y)
        if len(calls) == 3 and fails:
            raise KeyError("boom")
        return y_pred.sum() * (math.nan if len(calls) == 2 else 1.0)

    stop = TerminateOnNaN()
    trainer, seen = fit(Net(), *data(), stop, loss=loss, metrics=[])
    assert text in stop.reason
    assert_as_before(trainer, seen[-1])


def test_statistics_are_not_blamed_for_what_came_into_them() -> None:
    x, y = data()
    x[21, 0] = 3e38
    net, stop = Net(), TerminateOnNaN()
    net.first.weight.data.fill_(10.0)
    trainer, seen = fit(net, x, y, stop)
    assert stop.reason.endswith("what comes out of the module first, a Linear, has 4 infinite")
    assert_as_before(trainer, seen[-1])


def test_a_gradient_of_what_is_not_in_the_model() -> None:
    net, other = Net(), nn.Parameter(tk.zeros(2))
    optimizer = tk.optim.SGD([*net.parameters(), other], lr=0.1)
    stop = TerminateOnNaN()
    loss = lambda y_pred, y: y_pred.sum() + (other.sqrt() * 0).sum()  # noqa: E731
    trainer, seen = fit(net, *data(), stop, optimizer=optimizer, loss=loss, metrics=[])
    assert stop.reason.endswith("the gradient of a parameter that the model has not has 2 NaN")
    assert other.tolist() == [0.0, 0.0]
    assert_as_before(trainer, seen[-1])


def test_gradients_may_be_left_aside() -> None:
    stop = TerminateOnNaN(gradients=False)
    trainer, _ = fit(Net("gradient"), *data(), stop)
    assert stop.reason.startswith("in epoch 2 at iteration 7"), "the step was taken, and the next loss shows it"
    assert stop.reason.endswith("has 8 NaN, since the step of iteration 6")
    assert trainer.engine.state.iteration == 7


@pytest.mark.parametrize("accumulate", [2, 4])
def test_the_group_of_batches_is_dropped(accumulate: int) -> None:
    x, y, _ = spoiled("x", math.nan)
    stop, steps = TerminateOnNaN(), []
    count = LambdaCallback(on_after_optimizer_step=lambda callback: steps.append(callback.state.iteration))
    trainer, seen = fit(Net(), x, y, stop, ClipGradNorm(1.0), count, accumulate=accumulate)
    assert_as_before(trainer, seen[-1])
    assert steps[:-1] == list(range(accumulate, 6, accumulate)), "the last one is the step without gradients"
    assert all(parameter.grad is None for parameter in trainer.model.parameters())


def test_the_diagnosis_leaves_no_trace() -> None:
    """The same random numbers drop the same units, nobody is told of a second pass, and nothing is drawn."""
    calls, states, masks = [], [], []

    class Seen(Net):
        def forward(self, x):
            y = super().forward(x)
            masks.append((self.dropout(tk.ones(1, 64)).numpy(force=True) != 0).copy())
            return y

    stop = TerminateOnNaN()
    watch = LambdaCallback(
        on_forward_end=lambda: calls.append("forward"),
        on_backward_end=lambda: tk.rand(3) is None or states.append(tk.get_rng_state()),
        on_train_batch_end=lambda: states.append(tk.get_rng_state()),
    )
    net = Seen("module")
    fit(net, *data(), stop, watch)
    assert calls == ["forward"] * 6
    assert len(masks) == 7, "one pass more"
    np.testing.assert_array_equal(masks[-1], masks[-2])
    assert states[-1] == states[-2]
    assert net.training
    assert all(module._hooks is None or not module._hooks.after for module in net.modules())


def test_a_run_without_nan_is_the_run_without_it() -> None:
    runs = []
    for callbacks in ([], [TerminateOnNaN()]):
        tk.manual_seed(1)
        trainer = tk.Trainer(Net(), "adam", "cross_entropy")
        history = trainer.fit(*data(), epochs=3, seed=4, callbacks=callbacks, verbose=0)
        runs.append([row["loss"] for row in history])
    assert runs[0] == runs[1]
    assert callbacks[0].reason is None


def test_with_mixed_targets_and_averages() -> None:
    x, y, _ = spoiled("x", math.nan)
    stop, ema = TerminateOnNaN(), EMA()
    trainer, seen = fit(Net(), x, y, stop, MixUp(), ema)
    assert "the inputs have" in stop.reason
    assert_as_before(trainer, seen[-1])
    assert all(np.isfinite(value).all() for value in ema.average.values())
    y = tk.randn(24, 2)
    y[21] = math.nan
    fit(Net(), data()[0], y, stop, MixUp(), loss="mse", metrics=[])
    assert "the targets have" in stop.reason


def test_no_checkpoint_of_the_batch(tmp_path) -> None:
    x, y, _ = spoiled("x", math.nan)
    stop = TerminateOnNaN()
    checkpoint = ModelCheckpoint(tmp_path, every_steps=1)
    _, seen = fit(Net(), x, y, stop, checkpoint)
    saved = tk.load(checkpoint.last_path)["model"]
    assert all(np.array_equal(saved[name], value) for name, value in seen[-1].items())


def test_it_begins_anew() -> None:
    x, y, _ = spoiled("x", math.nan)
    stop = TerminateOnNaN()
    trainer = tk.Trainer(Net(), "sgd", "cross_entropy", callbacks=[stop])
    trainer.fit(x, y, verbose=0)
    assert stop.reason
    trainer.fit(*data(), epochs=2, verbose=0)
    assert stop.reason is None
    assert len(trainer.history) == 2


def test_it_needs_a_trainer() -> None:
    trainer = tk.engine.create_supervised_trainer(Net(), tk.optim.SGD(Net().parameters(), lr=0.1), nn.MSELoss())
    trainer.attach(TerminateOnNaN())
    with pytest.raises(ArgumentError, match="needs the model of a Trainer"):
        trainer.run([(tk.ones(1, 3), tk.ones(1, 2))])
