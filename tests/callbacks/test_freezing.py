"""Freeze, Unfreeze, GradualUnfreezing, DiscriminativeLR; and what a frozen trunk costs: no graph, no change."""

import math

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn, optim
from trainkit.callbacks import (
    Callback,
    Delay,
    DiscriminativeLR,
    Freeze,
    GradualUnfreezing,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    Unfreeze,
    WarmUp,
)
from trainkit.engine import Engine
from trainkit.errors import ArgumentError
from trainkit.models import resnet18


class Net(nn.Module):
    def __init__(self) -> None:
        self.stem, self.norm, self.body, self.head = (
            nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.Linear(4, 2)
        )  # fmt: skip

    def forward(self, x):
        return self.head(self.body(self.norm(self.stem(x)).relu()).relu())


PARTS = ["stem", "norm", "body", "head"]


@pytest.fixture
def data() -> tuple[tk.Tensor, tk.Tensor]:
    return tk.randn(24, 3), tk.tensor([0, 1] * 12)


def make(**options) -> tk.Trainer:
    tk.manual_seed(8)
    return tk.Trainer(Net(), ("sgd", {"lr": 0.5, "momentum": 0.9, "weight_decay": 0.01}), "cross_entropy", **options)


def values(trainer: tk.Trainer) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in trainer.model.state_dict().items()}


class Moves(Callback):
    """Notes for each epoch which parts have moved in it."""

    provides = ("score",)

    def __init__(self, *scores: float) -> None:
        self.scores = scores
        self.moved: list[str] = []
        self.modes: list[bool] = []

    def on_epoch_begin(self) -> None:
        self.before = values(self.trainer)

    def on_epoch_end(self) -> None:
        after = values(self.trainer)
        moved = {name.split(".")[0] for name, value in after.items() if not np.array_equal(value, self.before[name])}
        self.moved.append(" ".join(part for part in PARTS if part in moved))
        self.modes.append(self.trainer.model.norm.training)
        if self.scores:
            self.state.metrics["score"] = self.scores[self.state.epoch - 1]


def fit(data, *callbacks: Callback, epochs: int = 3, trainer: tk.Trainer | None = None, scores=(), **options) -> Moves:
    moves = Moves(*scores)
    options = {"batch_size": 8, "verbose": 0, "seed": 1, **options}
    (trainer or make()).fit(*data, epochs=epochs, callbacks=[*callbacks, moves], **options)
    return moves


# ---- Freeze and Unfreeze ----


def test_by_epoch(data) -> None:
    trainer = make()
    moves = fit(data, Freeze("stem.*", "norm.*"), Unfreeze("norm.*", epoch=2), Unfreeze(epoch=3), trainer=trainer)
    assert moves.moved == ["body head", "norm body head", "stem norm body head"]
    assert moves.modes == [False, True, True]
    assert trainer.frozen == []


def test_freezing_outlasts_the_run(data) -> None:
    trainer = make()
    moves = fit(data, Freeze(trainer.model.stem, lambda name, tensor: name == "norm.weight"), trainer=trainer, epochs=1)
    assert moves.moved == ["norm body head"]
    assert trainer.frozen == ["stem.weight", "stem.bias", "norm.weight"]
    assert fit(data, trainer=trainer, epochs=1).moved == ["norm body head"]


@pytest.mark.parametrize(
    ("scores", "first"),
    [((1.0, 2.0, 2.0, 9.0, 9.0, 9.0), 4), ((3.0, 2.0, 1.0, 1.5, math.nan, 9.0), 6), (range(6, 0, -1), 7)],
)
def test_when_a_value_stalls(data, scores, first: int) -> None:
    trainer = make()
    unfreeze = Unfreeze("stem.*", monitor="score", mode="min", patience=2, lr_factor=0.5)
    moves = fit(data, unfreeze, Freeze("stem.*"), trainer=trainer, scores=scores, epochs=6)
    assert moves.moved == ["norm body head"] * (first - 1) + ["stem norm body head"] * (7 - first)
    assert [row["lr"] for row in trainer.history] == [0.5] * (first - 1) + [0.25] * (7 - first)


def test_what_is_not_frozen_changes_no_rate(data) -> None:
    trainer = make()
    fit(data, Unfreeze("stem.*", epoch=2, lr_factor=0.1), trainer=trainer)
    assert trainer.optimizer.param_groups[0]["lr"] == 0.5


def test_the_lower_rate_is_the_whole_one_of_a_warm_up(data) -> None:
    trainer = make()
    fit(data, Freeze("stem.*"), Unfreeze(epoch=2, lr_factor=0.1), WarmUp(100, start_factor=0.5), trainer=trainer)
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.05)


def resumed(data, tmp_path, build, at: int, epochs: int = 6, **options) -> None:
    """Check that a run that is left after an epoch and resumed is the run that was not."""
    whole = make()
    expected = fit(data, *build(), trainer=whole, epochs=epochs, **options)
    first = fit(data, *build(), ModelCheckpoint(tmp_path), epochs=at, **options)
    other = make()
    second = fit(data, *build(), trainer=other, epochs=epochs, resume=tmp_path, **options)
    assert first.moved + second.moved == expected.moved
    assert other.frozen == whole.frozen
    for name, value in values(whole).items():
        np.testing.assert_array_equal(values(other)[name], value, err_msg=name)
    groups = [[group["lr"] for group in one.optimizer.param_groups] for one in (whole, other)]
    assert groups[0] == groups[1]
    assert [row["lr"] for row in other.history] == [row["lr"] for row in whole.history]


BUILDS = {
    "epoch": lambda: (Freeze("stem.*", "norm.*"), Unfreeze("norm.*", epoch=3, lr_factor=0.1)),
    "freeze_last": lambda: (Unfreeze("norm.*", epoch=3), Freeze("stem.*", "norm.*")),
    "monitor": lambda: (Freeze("stem.*"), Unfreeze(monitor="score", mode="min", patience=2, lr_factor=0.5)),
    "gradual": lambda: (GradualUnfreezing(["body.*", ["norm.*", "stem.*"]], every=2, lr_factor=0.5),),
    "layers": lambda: (DiscriminativeLR(0.5), Freeze("stem.*"), Unfreeze(epoch=4)),
    "scheduled": lambda: (
        LearningRateScheduler(("OneCycleLR", {"max_lr": [0.5, 0.1], "total_steps": 18}), "step"),
        DiscriminativeLR({"head.*": 1.0, "*": 0.2}), GradualUnfreezing(["body.*", "stem.*"]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("build", BUILDS)
def test_all_state_survives_a_resume(data, tmp_path, build, at: int) -> None:
    resumed(data, tmp_path, BUILDS[build], at, scores=(3.0, 1.0, 2.0, 2.0, 2.0, 2.0))


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: Freeze("steam.*"), r"freeze found nothing for 'steam\.\*'; the names are stem.weight"),
        (lambda: Unfreeze("steam.*", epoch=9), "Unfreeze found nothing for"),
        (lambda: Unfreeze("stem.*"), "takes an epoch or a monitor"),
        (lambda: Unfreeze(epoch=2, monitor="loss"), "takes an epoch or a monitor"),
        (lambda: Unfreeze(epoch=0), "epoch"),
        (lambda: Unfreeze(monitor="los"), "no metric 'los' to monitor; there are loss"),
        (lambda: Unfreeze(monitor="loss", patience=0), "patience"),
        (lambda: Unfreeze(epoch=2, lr_factor=0.0), "a factor of more than 0"),
        (lambda: GradualUnfreezing([]), "groups must be a list"),
        (lambda: GradualUnfreezing("stem.*"), "groups must be a list"),
        (lambda: GradualUnfreezing(["steam.*"]), "freeze found nothing"),
        (lambda: GradualUnfreezing(["steam.*"], lr_factor=0.5), "GradualUnfreezing found nothing"),
        (lambda: GradualUnfreezing(["stem.*"], every=0), "every"),
        (lambda: DiscriminativeLR(0), "a factor of more than 0"),
        (lambda: DiscriminativeLR({"steam.*": 0.5}), r"no parameter for 'steam\.\*'; there are stem.weight"),
    ],
)
def test_bad_options(data, make_it, message: str) -> None:
    trainer = make()
    with pytest.raises(ArgumentError, match=message):
        fit(data, make_it(), trainer=trainer)
    assert trainer.engine.state.iteration == 0


@pytest.mark.parametrize("callback", [Freeze(), Unfreeze(epoch=1), GradualUnfreezing(["a"])])
def test_they_need_a_trainer(callback) -> None:
    engine = Engine(lambda engine, batch: None)
    engine.attach(callback)
    with pytest.raises(ArgumentError, match="needs the model of a Trainer"):
        engine.run([1])
    with pytest.raises(ArgumentError, match="needs the model of a Trainer"):
        engine.attach(DiscriminativeLR(0.5))


def test_in_a_wrapper(data) -> None:
    assert fit(data, Delay(Freeze("stem.*"), epochs=1)).moved[0] == "norm body head"


# ---- GradualUnfreezing ----


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["head", "body head", "stem norm body head", "stem norm body head"]),
        ({"every": 2}, ["head", "head", "body head", "body head"]),
        ({"start": 1}, ["body head", "stem norm body head", "stem norm body head", "stem norm body head"]),
        ({"start": 3}, ["head", "head", "body head", "stem norm body head"]),
    ],
)
def test_one_group_after_the_other(data, options, expected) -> None:
    trainer = make()
    callback = GradualUnfreezing([trainer.model.body, ["stem.*", trainer.model.norm]], **options)
    assert fit(data, callback, trainer=trainer, epochs=4).moved == expected


def test_their_rates(data) -> None:
    trainer = make()
    fit(data, GradualUnfreezing(["body.*", ["stem.*", "norm.*"]], lr_factor=0.1), trainer=trainer, epochs=1)
    sizes = [(pytest.approx(group["lr"]), len(group["params"])) for group in trainer.optimizer.param_groups]
    assert sizes == [(0.5, 2), (0.05, 2), (0.005, 4)]


# ---- DiscriminativeLR ----


def named_rates(trainer: tk.Trainer) -> dict[str, float]:
    by_id = {id(p): group["lr"] for group in trainer.optimizer.param_groups for p in group["params"]}
    return {name: by_id[id(p)] for name, p in trainer.model.named_parameters()}


def test_layers_and_patterns() -> None:
    trainer = make(callbacks=[DiscriminativeLR(0.5)])
    assert [named_rates(trainer)[f"{part}.weight"] for part in PARTS] == [0.0625, 0.125, 0.25, 0.5]
    assert trainer.optimizer.param_groups[0]["lr"] == 0.5, "the rate that is logged is that of the last layer"
    trainer = make(callbacks=[DiscriminativeLR({"*.bias": 2.0, "stem.*": 0.1})])
    assert named_rates(trainer)["stem.bias"] == 1.0
    assert named_rates(trainer)["stem.weight"] == pytest.approx(0.05)
    assert named_rates(trainer)["body.weight"] == 0.5


def test_what_only_wraps_is_no_layer_and_own_parameters_are_the_first() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            self.scale, self.layers = nn.Parameter(tk.ones(1)), nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])
            self.relu, self.last = nn.ReLU(), nn.Linear(1, 1)

    trainer = tk.Trainer(nn.Sequential(nn.Sequential(Own())), ("sgd", {"lr": 1.0}), callbacks=[DiscriminativeLR(0.5)])
    rates = named_rates(trainer)
    assert rates["0.0.scale"] == rates["0.0.layers.0.weight"] == rates["0.0.layers.1.bias"] == 0.5
    assert rates["0.0.last.weight"] == 1.0
    trainer = tk.Trainer(nn.Linear(1, 1), ("sgd", {"lr": 1.0}), callbacks=[DiscriminativeLR(0.5)])
    assert set(named_rates(trainer).values()) == {1.0}


@pytest.mark.parametrize("kind", [optim.Adam, optim.SGD])
def test_groups_keep_their_options_and_the_optimizer_its_state(data, kind) -> None:
    net = Net()
    options = {"betas": (0.8, 0.9)} if kind is optim.Adam else {"momentum": 0.9}
    groups = [
        {"params": [*net.stem.named_parameters("stem"), *net.norm.named_parameters("norm")], "weight_decay": 0.1},
        {"params": [*net.body.named_parameters("body"), *net.head.named_parameters("head")], "lr": 0.02},
    ]
    optimizer = kind(groups, lr=0.01, **options)
    trainer = tk.Trainer(net, optimizer, "cross_entropy")
    trainer.fit(*data, verbose=0)
    before = {id(p): {k: id(v) if hasattr(v, "array") else v for k, v in s.items()} for p, s in optimizer.state.items()}
    with trainer._attach(DiscriminativeLR(0.5)):
        pass
    after = {id(p): {k: id(v) if hasattr(v, "array") else v for k, v in s.items()} for p, s in optimizer.state.items()}
    assert after == before
    found = {tuple(g["param_names"]): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups}
    assert found == {
        ("head.weight", "head.bias"): (0.02, 0.0),
        ("body.weight", "body.bias"): (0.01, 0.0),
        ("norm.weight", "norm.bias"): (0.0025, 0.1),
        ("stem.weight", "stem.bias"): (0.00125, 0.1),
    }
    trainer.fit(*data, epochs=2, callbacks=[DiscriminativeLR(0.5)], verbose=0)
    assert {tuple(g["param_names"]): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups} == found, "once"
    trainer.fit(*data, callbacks=[DiscriminativeLR(1.0)], verbose=0)
    assert sorted(g["lr"] for g in optimizer.param_groups) == pytest.approx([0.01, 0.01, 0.02, 0.02])


def test_a_factor_of_one_is_the_run_without_it(data) -> None:
    one, two = make(), make()
    (group,) = two.optimizer.param_groups
    two._attach(DiscriminativeLR({"stem.*": 1.0, "*": 1.0}))
    assert two.optimizer.param_groups[0] is group
    for trainer in (one, two):
        fit(data, trainer=trainer)
    for name, value in values(one).items():
        np.testing.assert_array_equal(values(two)[name], value)


def test_another_optimizer_is_split_too(data) -> None:
    trainer = make(callbacks=[DiscriminativeLR(0.5)])
    trainer.optimizer = optim.SGD(trainer.model.parameters(), lr=0.1)
    fit(data, trainer=trainer, epochs=1)
    assert len(trainer.optimizer.param_groups) == 4


# ---- the frozen trunk ----


def test_a_frozen_trunk_of_a_resnet_costs_its_forward_pass_and_stays_bit_for_bit() -> None:
    net = resnet18(5, stem="cifar")
    trainer = tk.Trainer(net, ("adam", {"lr": 0.01, "weight_decay": 0.1}), "cross_entropy")
    x, y = tk.randn(6, 3, 8, 8), tk.tensor([0, 1, 2, 3, 4, 0])
    trainer.fit(x, y, batch_size=6, verbose=0)  # there are statistics and momenta now
    trunk = lambda name, tensor: not name.startswith("fc.")  # noqa: E731
    before, graphs, gradients = values(trainer), [], []
    handles = [
        module.register_forward_hook(lambda module, args, output: graphs.append((output.requires_grad, output.node)))
        for name, module in net.named_modules()
        if name and name != "fc"
    ]
    look = LambdaCallback(
        on_backward_end=lambda: gradients.append([name for name, p in net.named_parameters() if p.grad is not None])
    )
    trainer.fit(x, y, batch_size=4, epochs=2, callbacks=[Freeze(trunk), look], verbose=0)
    assert len(graphs) > 200
    assert set(graphs) == {(False, None)}, "no graph is built for it"
    assert gradients == [["fc.weight", "fc.bias"]] * 4
    moved = {name for name, value in values(trainer).items() if value.tobytes() != before[name].tobytes()}
    assert moved == {"fc.weight", "fc.bias"}
    for handle in handles:
        handle.remove()
    trainer.unfreeze()
    trainer.fit(x, y, batch_size=6, verbose=0)
    assert {name for name, value in values(trainer).items() if value.tobytes() != before[name].tobytes()} == set(before)
