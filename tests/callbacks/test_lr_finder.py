"""LRFinder: the curve, what it suggests, and that all is afterwards as it was."""

import copy
import random
import sys

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn, optim
from trainkit.callbacks import Callback, LRFinder, lr_finder
from trainkit.errors import ArgumentError, MissingExtraError, NotComputableError


class Net(nn.Module):
    def __init__(self) -> None:
        self.first, self.norm, self.dropout, self.last = (
            nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1)
        )  # fmt: skip
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls == getattr(self, "fails", None):
            raise KeyError("boom")
        return self.last(self.dropout(self.norm(self.first(x)).relu()))


@pytest.fixture
def data() -> tuple[tk.Tensor, tk.Tensor]:
    x = tk.randn(100, 3)
    return x, x.sum(1, keepdim=True)


def make(**options) -> tk.Trainer:
    net = Net()
    net.dropout.eval()
    groups = [{"params": net.first.parameters(), "lr": 0.001}, {"params": net.norm.parameters()}]
    optimizer = optim.Adam([*groups, {"params": net.last.parameters(), "lr": 0.02}], lr=0.01)
    return tk.Trainer(net, optimizer, "mse", ["mae"], **options)


def everything(trainer: tk.Trainer) -> dict:
    """All of a trainer that a test could change, by value."""
    optimizer = trainer.optimizer
    return {
        "weights": {name: value.numpy().tobytes() for name, value in trainer.model.state_dict().items()},
        "gradients": [None if p.grad is None else p.grad.numpy().tobytes() for p in trainer.model.parameters()],
        "groups": [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups],
        "state": {
            i: {k: v if isinstance(v, int) else v.numpy().tobytes() for k, v in state.items()}
            for i, state in enumerate(optimizer.state[p] for group in optimizer.param_groups for p in group["params"])
        },
        "modes": [module.training for module in trainer.model.modules()],
        "hooks": [module._hooks for module in trainer.model.modules()],
        "random": (tk.get_rng_state(), random.getstate(), np.random.get_state()[1].tobytes()),  # noqa: NPY002
        "history": copy.deepcopy(trainer.history.epochs),
        "metrics": (dict(trainer.engine.state.metrics), {k: m.state_dict() for k, m in trainer.metrics.items()}),
        "engine": (trainer.engine.describe(), trainer.evaluator.describe(), trainer.engine.state.iteration),
        "trainer": (trainer.accumulate, trainer.stage, trainer._keyed().keys(), tk.is_grad_enabled()),
    }


class Loud(Callback):
    """Must not be told of a test."""

    def __init__(self) -> None:
        self.calls = 0

    def on_train_batch_end(self) -> None:
        self.calls += 1


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("how", ["whole", "fails", "diverges", "few", "accumulates"])
def test_everything_is_as_it_was(data, before: int, how: str) -> None:
    loud = Loud()
    trainer = make(callbacks=[loud])
    if before:
        trainer.fit(*data, epochs=before, verbose=0)
    calls, trainer.model.calls = loud.calls, 0
    expected, objects = everything(trainer), [id(p) for p in trainer.model.parameters()]
    finder = LRFinder(num_iter=30, max_lr=1e6 if how == "diverges" else 0.1)
    if how == "fails":
        trainer.model.fails = 5
        with pytest.raises(KeyError, match="boom"):
            finder.find(trainer, *data)
        assert len(finder.losses) == 4
    elif how == "few":
        finder.find(trainer, data[0][:8], data[1][:8], batch_size=8)
        assert trainer.model.calls == 30, "the data are gone through as often as it takes"
    else:
        options = {"accumulate": 2, "clip_grad_norm": 1.0} if how == "accumulates" else {}
        finder.find(trainer, *data, **options)
        assert (len(finder.lrs) == 30) == (how != "diverges")
    after = everything(trainer)
    for name, value in expected.items():
        assert after[name] == value, name
    assert [id(p) for p in trainer.model.parameters()] == objects
    assert loud.calls == calls
    assert loud.trainer is trainer
    assert finder.trainer is None


def test_training_goes_on_as_if_there_had_been_no_test(data) -> None:
    runs = []
    for test in (False, True):
        tk.manual_seed(4)
        trainer = make()
        trainer.fit(*data, epochs=2, verbose=0)
        if test:
            LRFinder(num_iter=20).find(trainer, *data)
        runs.append([row["loss"] for row in trainer.fit(*data, epochs=2, verbose=0)])
    assert runs[0] == runs[1]


def test_rates_and_means(data) -> None:
    trainer, seen = make(), []
    trainer.model.register_forward_pre_hook(
        lambda module, args: seen.append([group["lr"] for group in trainer.optimizer.param_groups])
    )
    finder = LRFinder(1e-4, 1e-2, num_iter=5, smoothing=0.5).find(trainer, *data, batch_size=10)
    np.testing.assert_allclose(finder.lrs, 1e-4 * 10 ** (np.arange(5) / 2))
    np.testing.assert_allclose([rates[0] for rates in seen], finder.lrs)
    np.testing.assert_allclose([rates[2] / rates[0] for rates in seen], 20.0, err_msg="groups keep their ratio")
    mean = 0.0
    for i, loss in enumerate(finder.losses, 1):
        mean = 0.5 * mean + 0.5 * loss
        assert finder.smoothed[i - 1] == pytest.approx(mean / (1 - 0.5**i))


def test_a_rate_of_zero_has_no_ratio(data) -> None:
    net = Net()
    trainer = tk.Trainer(net, optim.SGD(net.parameters(), lr=0.0), "mse")
    finder = LRFinder(num_iter=5).find(trainer, *data)
    assert finder.lrs[-1] == pytest.approx(1.0)
    assert trainer.optimizer.param_groups[0]["lr"] == 0.0


def test_it_suggests_a_rate_that_learns_well(data) -> None:
    """On a quadratic bowl rates above 2 / curvature diverge, and those far below do not move."""
    x = tk.randn(512, 4)
    y = x @ tk.tensor([[1.0], [-2.0], [3.0], [0.5]])
    trainer = tk.Trainer(nn.Linear(4, 1), ("sgd", {"lr": 1e-9}), "mse")
    finder = LRFinder(1e-5, 10.0, num_iter=120).find(trainer, x, y)
    rate = finder.suggestion()
    assert 5e-3 < rate < 0.6
    assert finder.lrs[-1] < 10.0, "it stopped where the loss diverged"
    trainer.optimizer.param_groups[0]["lr"] = rate
    assert trainer.fit(x, y, epochs=10, verbose=0)[-1]["loss"] < 0.1


def test_the_steepest_place() -> None:
    finder = LRFinder()
    finder.lrs = list(10.0 ** np.arange(-5, 1))
    finder.losses = finder.smoothed = [3.0, 2.9, 2.0, 1.0, 0.9, 30.0]
    assert finder.suggestion() == pytest.approx(1e-3)
    finder.losses = finder.smoothed = [1.0, 2.0, 3.0, 3.0, 3.0, 3.0]
    with pytest.raises(NotComputableError, match="has not fallen"):
        finder.suggestion()
    with pytest.raises(NotComputableError, match="call find"):
        LRFinder().suggestion()


def test_as_a_callback(data) -> None:
    trainer, finder = make(), LRFinder(num_iter=12)
    before = everything(trainer)
    trainer.fit(*data, epochs=20, callbacks=[finder], verbose=0)
    assert len(finder.losses) == 12
    assert trainer.engine.state.iteration == 12
    after = everything(trainer)
    for name in ("weights", "gradients", "groups", "state", "modes", "random"):
        assert after[name] == before[name], name


def test_a_loader_with_a_generator_of_its_own(data) -> None:
    generator = tk.Generator().manual_seed(3)
    loader = tk.data.DataLoader(tk.data.TensorDataset(*data), 10, shuffle=True, generator=generator)
    before = generator.get_state()
    LRFinder(num_iter=5).find(make(), loader)
    assert generator.get_state() == before


def test_data_that_draw_from_other_generators(data) -> None:
    class Noisy:
        def __len__(self) -> int:
            return 20

        def __getitem__(self, i: int):
            return data[0][i] + random.random() + float(np.random.rand()), data[1][i]  # noqa: NPY002

    trainer = make()
    before = everything(trainer)["random"]
    LRFinder(num_iter=5).find(trainer, Noisy(), batch_size=5)
    assert everything(trainer)["random"] == before


def test_a_trainer_with_a_step_and_an_init_of_its_own(data) -> None:
    class Own(tk.Trainer):
        def __init__(self, factor: float) -> None:
            super().__init__(nn.Linear(3, 1), "sgd", "mse")
            self.factor = factor

        def training_step(self, batch):
            assert self.stage == "train"
            output = super().training_step(batch)
            return output._replace(loss=output.loss * self.factor)

    one, two = [LRFinder(num_iter=3).find(trainer, *data) for trainer in (Own(1.0), Own(1.0))]
    assert one.losses[0] != two.losses[0]
    tk.manual_seed(0)
    trainer = Own(1.0)
    first = LRFinder(num_iter=3).find(trainer, *data).losses[0]
    trainer.factor = 10.0
    assert LRFinder(num_iter=3).find(trainer, *data).losses[0] == pytest.approx(10 * first)


def test_the_plot(data, monkeypatch) -> None:
    drawn: list = []

    class Axis:
        def __getattr__(self, name):
            return lambda *args, **options: drawn.append((name, options))

    class Pyplot:
        def subplots(self, **options):
            return "figure", Axis()

    monkeypatch.setattr(lr_finder, "pyplot", lambda what: Pyplot())
    finder = LRFinder(num_iter=20)
    with pytest.raises(NotComputableError, match="nothing to draw"):
        finder.plot()
    assert finder.find(make(), *data).plot() == "figure"
    assert [name for name, _ in drawn] == ["plot", "plot", "axvline", "set", "legend"]
    assert drawn[3][1]["xscale"] == "log"
    finder.losses = finder.smoothed = list(range(len(finder.lrs)))
    drawn.clear()
    finder.plot()
    assert "axvline" not in [name for name, _ in drawn], "a curve without a suggestion is drawn too"
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"LRFinder.plot needs matplotlib.*trainkit\[plot\]"):
        finder.plot()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_lr": 0.0}, "0 < min_lr < max_lr"),
        ({"min_lr": 2.0}, "0 < min_lr < max_lr"),
        ({"num_iter": 1}, "num_iter"),
        ({"smoothing": 1.0}, "smoothing"),
        ({"diverge": 1.0}, "diverge"),
    ],
)
def test_bad_options(options, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        LRFinder(**options)


def test_what_is_no_trainer(data) -> None:
    with pytest.raises(ArgumentError, match="takes a Trainer, got a Net"):
        LRFinder().find(Net(), *data)
    with pytest.raises(ArgumentError, match="needs an optimizer"):
        LRFinder().find(tk.Trainer(Net(), loss="mse"), *data)
