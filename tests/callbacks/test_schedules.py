"""What sets the learning rate and the number of batches of a step: before the step, and the same after a resume."""

import logging
import math
import warnings

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn, optim
from trainkit.callbacks import (
    Callback,
    DiscriminativeLR,
    GradientAccumulation,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    WarmUp,
)
from trainkit.engine import Engine
from trainkit.errors import ArgumentError
from trainkit.optim import lr_scheduler

DATA = (tk.ones(8, 2), tk.tensor([0, 1] * 4))


class Rates(Callback):
    """Notes the rates of every step, and what it stepped with."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.steps: list[int] = []

    def on_before_optimizer_step(self) -> None:
        self.rates.append(float(self.trainer.optimizer.param_groups[0]["lr"]))
        self.steps.append(self.state.iteration)


class Script(Callback):
    provides = ("score",)

    def __init__(self, *values: float) -> None:
        self.values = values

    def on_epoch_end(self) -> None:
        self.state.metrics["score"] = self.values[self.state.epoch - 1]


def make(lr: float = 1.0, kind=optim.SGD, **options) -> tk.Trainer:
    net = nn.Linear(2, 2)
    return tk.Trainer(net, kind(net.parameters(), lr=lr, **options), "cross_entropy")


def rates(*callbacks: Callback, epochs: int = 3, trainer: tk.Trainer | None = None, **options) -> list[float]:
    seen = Rates()
    options = {"batch_size": 4, "verbose": 0, **options}
    trainer = trainer or make()
    trainer.fit(*DATA, epochs=epochs, callbacks=[*callbacks, seen], **options)
    return seen.rates


# ---- LearningRateScheduler ----

FORMS = {
    "object": lambda trainer: lr_scheduler.StepLR(trainer.optimizer, 1, 0.5),
    "function": lambda trainer: lambda optimizer: lr_scheduler.StepLR(optimizer, 1, 0.5),
    "name": lambda trainer: ("StepLR", {"step_size": 1, "gamma": 0.5}),
    "small": lambda trainer: ("steplr", {"step_size": 1, "gamma": 0.5}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("per", "expected"), [("epoch", [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]), ("step", [2.0**-i for i in range(6)])]
)
def test_every_form_sets_the_rate_before_the_step(form, per, expected) -> None:
    trainer = make()
    schedule = LearningRateScheduler(FORMS[form](trainer), per)
    assert rates(schedule, trainer=trainer) == expected
    assert [row["lr"] for row in trainer.history] == expected[1::2], "what is logged is what was trained with"


def test_a_step_is_one_of_the_optimizer() -> None:
    trainer, seen = make(), Rates()
    schedule = LearningRateScheduler(("ExponentialLR", {"gamma": 0.5}), "step")
    trainer.fit(*DATA, batch_size=2, epochs=2, accumulate=3, callbacks=[schedule, seen], verbose=0)
    assert seen.steps == [3, 4, 7, 8], "an epoch's last step takes what is left"
    assert seen.rates == [1.0, 0.5, 0.25, 0.125]


EVERY = {
    "ConstantLR": {"total_iters": 3},
    "CosineAnnealingLR": {"T_max": 7, "eta_min": 0.01},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "CyclicLR": {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 3},
    "ExponentialLR": {"gamma": 0.9},
    "LambdaLR": {"lr_lambda": lambda step: 1 / (1 + step)},
    "LinearLR": {},
    "MultiStepLR": {"milestones": [2, 3, 9]},
    "MultiplicativeLR": {"lr_lambda": lambda step: 0.9},
    "OneCycleLR": {"max_lr": 1.0, "total_steps": 12},
    "PolynomialLR": {"total_iters": 9},
    "StepLR": {"step_size": 2},
}


@pytest.mark.parametrize("per", ["epoch", "step"])
@pytest.mark.parametrize("name", EVERY)
def test_every_schedule_survives_a_resume(tmp_path, name: str, per: str) -> None:
    """By name: making it anew sets the rate of a beginning, which must not stay."""

    def parts():
        tk.manual_seed(2)
        return make(0.5, momentum=0.9), LearningRateScheduler((name, EVERY[name]), per)

    trainer, schedule = parts()
    expected = rates(schedule, trainer=trainer, epochs=6, seed=1)
    weight = trainer.model.weight.tolist()
    assert len(set(expected)) > 2 or name == "ConstantLR" or per == "epoch"
    trainer, schedule = parts()
    first = rates(schedule, ModelCheckpoint(tmp_path), trainer=trainer, epochs=1, seed=1)
    trainer, schedule = parts()
    trainer.optimizer.param_groups[0]["lr"] = 123.0  # the checkpoint brings it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = rates(schedule, trainer=trainer, epochs=6, resume=tmp_path)
    assert first + second == expected
    assert trainer.model.weight.tolist() == weight


def test_all_that_need_no_others_have_names() -> None:
    assert set(EVERY) == set(lr_scheduler.__all__) - {
        "ChainedScheduler", "LRScheduler", "ReduceLROnPlateau", "SequentialLR"
    }  # fmt: skip


def test_an_epoch_that_is_done_again_has_the_rate_that_it_had(tmp_path) -> None:
    trainer = make()

    def stop(callback) -> None:
        if callback.state.iteration == 5:
            raise KeyboardInterrupt

    schedule = ("ExponentialLR", {"gamma": 0.5})
    watch = LambdaCallback(on_train_batch_end=stop)
    with pytest.raises(KeyboardInterrupt):
        rates(LearningRateScheduler(schedule, "step"), watch, ModelCheckpoint(tmp_path), trainer=trainer)
    again = rates(LearningRateScheduler(schedule, "step"), trainer=make(), resume=tmp_path)
    assert again == [2.0**-4, 2.0**-5], "no step is set twice"


def test_a_new_run_makes_a_new_schedule() -> None:
    trainer, schedule = (
        make(),
        LearningRateScheduler(lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda i: 0.5**i)),
    )
    assert rates(schedule, trainer=trainer, batch_size=8) == [1.0, 0.5, 0.25]
    assert rates(schedule, trainer=trainer, batch_size=8) == [1.0, 0.5, 0.25]


def test_on_a_bare_engine() -> None:
    optimizer = optim.SGD([tk.zeros(1, requires_grad=True)], lr=1.0)
    engine, seen = Engine(lambda engine, batch: seen.append(optimizer.param_groups[0]["lr"]) or optimizer.step()), []
    engine.attach(LearningRateScheduler(lr_scheduler.ExponentialLR(optimizer, 0.5), "step"))
    engine.run([1, 2, 3])
    assert seen == [1.0, 0.5, 0.25]
    engine.attach(LearningRateScheduler("LinearLR"))
    with pytest.raises(ArgumentError, match="give a bare engine the scheduler"):
        engine.run([1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("StepRL", "there is no scheduler named 'StepRL'; there are ConstantLR, .*StepLR"),
        (("StepLR", {"steps": 3}), "StepLR does not take the options"),
        ("ReduceLROnPlateau", "there is no scheduler named"),
        (lr_scheduler.StepLR, "make one, or give its name"),
        (3, "expected a scheduler, a function"),
        (lambda optimizer: None, "must return a scheduler, got None"),
        (
            lr_scheduler.ReduceLROnPlateau(optim.SGD([tk.zeros(1, requires_grad=True)], 1)),
            "use the callback ReduceLROn",
        ),
    ],
)
def test_what_is_no_schedule(given, message: str) -> None:
    trainer = make()
    with pytest.raises(ArgumentError, match=message):
        rates(LearningRateScheduler(given), trainer=trainer)
    assert trainer.engine.state.iteration == 0


def test_a_schedule_that_was_made_before_the_groups_were_split() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = optim.SGD(net.parameters(), lr=1.0)
    schedule = LearningRateScheduler(lr_scheduler.StepLR(optimizer, 1))
    trainer = tk.Trainer(net, optimizer, "cross_entropy", callbacks=[DiscriminativeLR(0.5), schedule])
    with pytest.raises(
        ArgumentError, match=r"made for 1 groups of parameters, and the optimizer has 2 now; give a func"
    ):
        trainer.fit(*DATA, verbose=0)
    schedule = LearningRateScheduler(("StepLR", {"step_size": 1, "gamma": 0.5}))
    trainer = tk.Trainer(net, optimizer, "cross_entropy", callbacks=[DiscriminativeLR(0.5), schedule])
    trainer.fit(*DATA, epochs=2, verbose=0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.25]


# ---- ReduceLROnPlateau ----


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(
    "options",
    [
        {"patience": 0},
        {"patience": 1, "cooldown": 2},
        {"patience": 1, "threshold": 0.5, "threshold_mode": "abs"},
        {"patience": 0, "min_lr": 0.2},
    ],
)
def test_plateau_is_the_schedule_of_optim(mode, options) -> None:
    values = [5.0, 4.0, 4.2, 3.9, math.nan, 3.9, 1.0, 1.2, 1.3, 1.4, 9.0, 9.0, 9.0]
    trainer = make()
    plateau = ReduceLROnPlateau("score", 0.5, mode=mode, **options)
    got = rates(plateau, Script(*values), epochs=len(values), trainer=trainer, batch_size=8)
    other = optim.SGD([tk.zeros(1, requires_grad=True)], lr=1.0)
    schedule, expected = lr_scheduler.ReduceLROnPlateau(other, mode, 0.5, **options), []
    for value in values:
        expected.append(other.param_groups[0]["lr"])
        schedule.step(value)
    assert got == expected
    assert [row["lr"] for row in trainer.history] == expected


def test_plateau_sees_what_is_computed_at_the_same_event_and_logs(caplog) -> None:
    with caplog.at_level(logging.INFO, "trainkit"):
        got = rates(ReduceLROnPlateau("score", patience=0, mode="min"), Script(1.0, 2.0, 3.0), batch_size=8)
    assert got == pytest.approx([1.0, 1.0, 0.1])
    assert "score has not got better than 1.0 for 1 epochs: the learning rate falls to 0.1" in caplog.text


def test_plateau_survives_a_resume(tmp_path) -> None:
    values = [1.0, 2.0, 2.0, 2.0, 2.0, 2.0]

    def parts():
        return ReduceLROnPlateau("score", 0.5, patience=2, mode="min"), Script(*values)

    expected = rates(*parts(), epochs=6, batch_size=8)
    first = rates(*parts(), ModelCheckpoint(tmp_path), epochs=3, batch_size=8)
    assert first + rates(*parts(), epochs=6, batch_size=8, resume=tmp_path) == expected == [1.0] * 4 + [0.5] * 2


def test_plateau_asks_the_metric() -> None:
    trainer = tk.Trainer(nn.Linear(2, 2), "sgd", "cross_entropy", ["accuracy"])
    plateau = ReduceLROnPlateau("accuracy")
    trainer.fit(*DATA, callbacks=[plateau], verbose=0)
    assert plateau.scheduler.mode == "max"
    for make_it, message in (
        (lambda: ReduceLROnPlateau("acc"), "no metric 'acc' to monitor"),
        (lambda: ReduceLROnPlateau("loss", factor=1.0), "less than 1"),
        (lambda: ReduceLROnPlateau("loss", patience=-1), "patience"),
        (lambda: ReduceLROnPlateau("loss", threshold_mode="x"), "'rel' or 'abs'"),
    ):
        with pytest.raises(ArgumentError, match=message):
            trainer.fit(*DATA, callbacks=[make_it()], verbose=0)


# ---- WarmUp ----


def test_warm_up_alone() -> None:
    trainer = make()
    assert rates(WarmUp(4, start_factor=0.2), trainer=trainer) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert [row["lr"] for row in trainer.history] == pytest.approx([0.4, 0.8, 1.0]), "it is logged"
    assert trainer.optimizer.param_groups[0]["lr"] == 1.0
    assert rates(WarmUp(epochs=1.5, start_factor=0.1)) == pytest.approx([0.1, 0.4, 0.7, 1.0, 1.0, 1.0])
    assert rates(WarmUp(100, start_factor=0.5), trainer=trainer, epochs=1) == pytest.approx([0.5, 0.505])
    assert trainer.optimizer.param_groups[0]["lr"] == 1.0, "also where the run ends first"


def test_warm_up_over_data_without_a_length() -> None:
    seen = Rates()
    trainer = make()
    batches = [(DATA[0][:4], DATA[1][:4])] * 2

    class Unknown:
        def __iter__(self):
            return iter(batches)

    trainer.fit(Unknown(), epochs=3, callbacks=[WarmUp(epochs=2, start_factor=0.5), seen], verbose=0)
    assert seen.rates == pytest.approx([0.5, 0.5, 0.75, 0.875, 1.0, 1.0])


ANY = [
    ("StepLR", {"step_size": 1, "gamma": 0.7}),
    ("LambdaLR", {"lr_lambda": lambda i: 1 / (1 + i)}),
    ("CosineAnnealingLR", {"T_max": 9, "eta_min": 0.3}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 10}),
]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("per", ["epoch", "step"])
@pytest.mark.parametrize("given", ANY, ids=lambda given: given[0])
def test_the_schedule_has_its_own_rate_before_and_after_the_warm_up(given, per, order) -> None:
    plain = rates(LearningRateScheduler(given, per), epochs=5, trainer=make(momentum=0.9))
    both = [LearningRateScheduler(given, per), WarmUp(4, start_factor=0.2)][::order]
    warmed = rates(*both, epochs=5, trainer=make(momentum=0.9))
    assert warmed[4:] == plain[4:], "bit for bit"
    factors = [0.2, 0.4, 0.6, 0.8]
    assert warmed[:4] == pytest.approx([rate * factor for rate, factor in zip(plain, factors, strict=False)])


def test_a_plateau_amid_the_warm_up() -> None:
    got = rates(
        WarmUp(6, start_factor=0.4),
        ReduceLROnPlateau("score", 0.5, patience=0, mode="min"),
        Script(1, 2, 3),
        batch_size=4,
    )
    assert got == pytest.approx([0.4, 0.5, 0.6, 0.7, 0.4, 0.45])


def test_warm_up_survives_a_resume(tmp_path) -> None:
    def parts():
        return LearningRateScheduler(("ExponentialLR", {"gamma": 0.9}), "step"), WarmUp(7, start_factor=0.3)

    expected = rates(*parts(), epochs=5)
    first = rates(*parts(), ModelCheckpoint(tmp_path), epochs=2)
    assert first + rates(*parts(), epochs=5, resume=tmp_path) == expected


def test_bad_warm_ups() -> None:
    for options in ({}, {"steps": 2, "epochs": 2}, {"steps": 0}, {"epochs": 0}, {"steps": 2, "start_factor": 0}):
        with pytest.raises(ArgumentError):
            WarmUp(**options)


# ---- GradientAccumulation ----


def test_another_number_of_batches_from_an_epoch_on() -> None:
    seen = Rates()
    trainer = make(0.1)
    schedule = GradientAccumulation({2: 2, 3: 3})
    trainer.fit(*DATA, batch_size=2, epochs=4, callbacks=[schedule, seen], verbose=0)
    assert seen.steps == [1, 2, 3, 4, 6, 8, 11, 12, 15, 16]
    assert trainer.accumulate == 1
    trainer.fit(*DATA, batch_size=2, epochs=2, accumulate=4, callbacks=[GradientAccumulation({2: 1}), seen], verbose=0)
    assert seen.steps[10:] == [4, 5, 6, 7, 8]


def test_its_gradients_are_those_of_large_batches(tmp_path) -> None:
    """A short last group too, and after a resume."""
    x, y = tk.randn(10, 2), tk.randn(10, 1)

    def trained(*fits):
        tk.manual_seed(0)
        net = nn.Linear(2, 1)
        trainer = tk.Trainer(net, optim.SGD(net.parameters(), lr=0.1, momentum=0.9), "mse")
        for options in fits:
            trainer.fit(x, y, shuffle=False, verbose=0, **options)
        return trainer.model.weight.tolist()[0]

    schedule = GradientAccumulation({2: 2, 3: 4})
    expected = trained({"batch_size": 2}, {"batch_size": 4}, {"batch_size": 8, "epochs": 2})
    assert trained({"batch_size": 2, "epochs": 4, "callbacks": [schedule]}) == pytest.approx(expected, rel=1e-5)
    checkpoint = ModelCheckpoint(tmp_path)
    trained({"batch_size": 2, "epochs": 2, "callbacks": [schedule, checkpoint]})
    resumed = trained({"batch_size": 2, "epochs": 4, "callbacks": [schedule, checkpoint], "resume": True})
    np.testing.assert_allclose(resumed, expected, rtol=1e-5)


def test_bad_schedules_of_accumulation() -> None:
    for given in ({}, 3, {0: 2}, {1: 0}, {"1": 2}):
        with pytest.raises(ArgumentError):
            GradientAccumulation(given)
    engine = Engine(lambda engine, batch: None)
    engine.attach(GradientAccumulation({1: 2}))
    with pytest.raises(ArgumentError, match="Trainer"):
        engine.run([1])
