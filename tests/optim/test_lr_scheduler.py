"""Schedules against their closed forms; their states, the groups, the momenta."""

import math

import numpy as np
import pytest

import trainkit as tk
from trainkit import optim
from trainkit.errors import ArgumentError
from trainkit.optim import lr_scheduler as schedules


def make(lr=0.8, cls=optim.SGD, **options) -> optim.Optimizer:
    first, second = tk.ones(1, requires_grad=True), tk.ones(1, requires_grad=True)
    return cls([{"params": [first]}, {"params": [second], "lr": lr / 2}], lr=lr, **options)


def rates(optimizer, schedule, steps=30):
    """The rates of the first group, and that of the second, which is half of it."""
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        assert schedule.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
        assert optimizer.param_groups[1]["lr"] == pytest.approx(found[-1] / 2, abs=1e-12)
        optimizer.step()
        schedule.step()
    return found


def triangle(t, up, down):
    cycle, place = divmod(t, up + down)
    return cycle, place / up if place <= up else (up + down - place) / down


CASES = [
    (lambda o: schedules.StepLR(o, 4, 0.5), lambda t: 0.8 * 0.5 ** (t // 4)),
    (lambda o: schedules.MultiStepLR(o, [3, 7, 7], 0.5), lambda t: 0.8 * 0.5 ** ((t >= 3) + 2 * (t >= 7))),
    (lambda o: schedules.ExponentialLR(o, 0.9), lambda t: 0.8 * 0.9**t),
    (lambda o: schedules.ConstantLR(o, 0.25, 6), lambda t: 0.8 * (0.25 if t < 6 else 1)),
    (lambda o: schedules.LinearLR(o, 0.2, 0.9, 8), lambda t: 0.8 * (0.2 + 0.7 * min(t, 8) / 8)),
    (lambda o: schedules.PolynomialLR(o, 12, 2.0), lambda t: 0.8 * (1 - min(t, 12) / 12) ** 2),
    (lambda o: schedules.CosineAnnealingLR(o, 7), lambda t: 0.4 * (1 + math.cos(math.pi * t / 7))),
    (lambda o: schedules.CosineAnnealingWarmRestarts(o, 5), lambda t: 0.4 * (1 + math.cos(math.pi * (t % 5) / 5))),
    (
        lambda o: schedules.CosineAnnealingWarmRestarts(o, 4, 2),
        lambda t: (
            0.4
            * (
                1
                + math.cos(
                    math.pi
                    * (t / 4 if t < 4 else (t - 4) / 8 if t < 12 else (t - 12) / 16 if t < 28 else (t - 28) / 32)
                )
            )
        ),
    ),
    (lambda o: schedules.LambdaLR(o, lambda step: 1 / (1 + step)), lambda t: 0.8 / (1 + t)),
    (lambda o: schedules.MultiplicativeLR(o, lambda step: 0.9), lambda t: 0.8 * 0.9**t),
    (
        lambda o: schedules.CyclicLR(o, [0.2, 0.1], [0.8, 0.4], 4, 6, cycle_momentum=False),
        lambda t: 0.2 + 0.6 * triangle(t, 4, 6)[1],
    ),
    (
        lambda o: schedules.CyclicLR(o, [0.2, 0.1], [0.8, 0.4], 4, mode="triangular2", cycle_momentum=False),
        lambda t: 0.2 + 0.6 * triangle(t, 4, 4)[1] / 2 ** triangle(t, 4, 4)[0],
    ),
    (
        lambda o: schedules.CyclicLR(o, [0.2, 0.1], [0.8, 0.4], 4, mode="exp_range", gamma=0.9, cycle_momentum=False),
        lambda t: 0.2 + 0.6 * triangle(t, 4, 4)[1] * 0.9**t,
    ),
    (
        lambda o: schedules.CyclicLR(o, [0.2, 0.1], [0.8, 0.4], 4, scale_fn=lambda x: 1 / x, cycle_momentum=False),
        lambda t: 0.2 + 0.6 * triangle(t, 4, 4)[1] / (1 + triangle(t, 4, 4)[0]),
    ),
    (
        lambda o: schedules.OneCycleLR(
            o,
            [0.8, 0.4],
            31,
            pct_start=11 / 31,
            div_factor=4,
            final_div_factor=10,
            anneal_strategy="linear",
            cycle_momentum=False,
        ),
        lambda t: 0.2 + 0.6 * t / 10 if t <= 10 else 0.8 - 0.78 * (t - 10) / 20,
    ),
    (
        lambda o: schedules.OneCycleLR(
            o,
            [0.8, 0.4],
            epochs=31,
            steps_per_epoch=1,
            pct_start=11 / 31,
            div_factor=4,
            final_div_factor=10,
            three_phase=True,
            cycle_momentum=False,
        ),
        lambda t: (
            0.5 - 0.3 * math.cos(math.pi * t / 10) if t <= 20 else 0.02 + 0.09 * (1 + math.cos(math.pi * (t - 20) / 10))
        ),
    ),
    (
        lambda o: schedules.SequentialLR(o, [schedules.ConstantLR(o, 0.5, 9), schedules.StepLR(o, 2, 0.5)], [5]),
        lambda t: 0.4 if t < 5 else 0.8 * 0.5 ** ((t - 5) // 2),
    ),
    (
        lambda o: schedules.ChainedScheduler([schedules.ConstantLR(o, 0.5, 6), schedules.ExponentialLR(o, 0.9)]),
        lambda t: 0.8 * (0.5 if t < 6 else 1) * 0.9**t,
    ),
]


@pytest.mark.parametrize(("schedule", "expected"), CASES)
def test_closed_form(schedule, expected) -> None:
    optimizer = make()
    np.testing.assert_allclose(
        rates(optimizer, schedule(optimizer)), [expected(t) for t in range(30)], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("schedule", [case[0] for case in CASES])
@pytest.mark.parametrize("file", [False, True])
def test_a_state_goes_on_exactly(schedule, file, tmp_path) -> None:
    optimizer, other = make(), make()
    first, second = schedule(optimizer), schedule(other)
    rates(optimizer, first, 8)
    state = {"schedule": first.state_dict(), "optimizer": optimizer.state_dict()}
    if file:
        tk.save(state, tmp_path / "state.safetensors")
        state = tk.load(tmp_path / "state.safetensors")
    other.load_state_dict(state["optimizer"])
    second.load_state_dict(state["schedule"])
    assert rates(other, second, 20) == rates(optimizer, first, 20)


def test_a_rate_that_the_user_changes_is_gone_on_from() -> None:
    optimizer = make()
    schedule = schedules.StepLR(optimizer, 2, 0.5)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 10.0
    schedule.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 5.0


def test_momentum_cycles_against_the_rate() -> None:
    for cls in (optim.SGD, optim.Adam):
        optimizer = make(cls=cls, **({"momentum": 0.5} if cls is optim.SGD else {}))

        def momentum(group, cls=cls):
            return group["momentum"] if cls is optim.SGD else group["betas"][0]

        schedule = schedules.CyclicLR(optimizer, 0.1, 0.5, 4, base_momentum=0.6, max_momentum=0.8)
        found = []
        for _ in range(9):
            found.append(momentum(optimizer.param_groups[1]))
            optimizer.step()
            schedule.step()
        np.testing.assert_allclose(found, [0.8, 0.75, 0.7, 0.65, 0.6, 0.65, 0.7, 0.75, 0.8], rtol=1e-12)
        schedule = schedules.OneCycleLR(optimizer, 0.5, 9, pct_start=5 / 9, anneal_strategy="linear")
        found = []
        for _ in range(9):
            found.append(momentum(optimizer.param_groups[0]))
            optimizer.step()
            if len(found) < 9:
                schedule.step()
        np.testing.assert_allclose(found, [0.95, 0.925, 0.9, 0.875, 0.85, 0.875, 0.9, 0.925, 0.95], rtol=1e-12)
    assert optimizer.param_groups[0]["betas"][1] == 0.999


def test_one_cycle_is_over() -> None:
    optimizer = make(momentum=0.9)
    schedule = schedules.OneCycleLR(optimizer, 0.5, total_steps=3)
    for _ in range(3):
        optimizer.step()
        schedule.step()
    with pytest.raises(ArgumentError, match="of a schedule of 3 steps"):
        schedule.step()


@pytest.mark.parametrize(
    ("options", "metrics", "expected"),
    [
        ({"patience": 1, "factor": 0.5}, [3, 2, 2, 2, 2, 2, 1], [0.8, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2]),
        ({"patience": 0, "factor": 0.5, "mode": "max"}, [1, 2, 2, 3, 1], [0.8, 0.8, 0.4, 0.4, 0.2]),
        ({"patience": 0, "factor": 0.5, "cooldown": 2}, [1, 1, 1, 1, 1], [0.8, 0.4, 0.4, 0.4, 0.2]),
        ({"patience": 0, "factor": 0.5, "min_lr": [0.3, 0.0]}, [1, 1, 1, 1], [0.8, 0.4, 0.3, 0.3]),
        ({"patience": 0, "factor": 0.5, "eps": 0.3}, [1, 1, 1], [0.8, 0.4, 0.4]),
        ({"patience": 0, "factor": 0.5, "threshold": 0.5}, [4, 3, 1.9], [0.8, 0.4, 0.4]),
        ({"patience": 0, "factor": 0.5, "threshold": 2, "threshold_mode": "abs"}, [4, 2, 1.9], [0.8, 0.4, 0.4]),
        ({"patience": 0, "factor": 0.5, "threshold": 0.5, "mode": "max"}, [2, 3, 3.1], [0.8, 0.4, 0.4]),
    ],
)
def test_plateau(options, metrics, expected) -> None:
    optimizer = make()
    schedule = schedules.ReduceLROnPlateau(optimizer, **options)
    found = []
    for i, metric in enumerate(metrics):
        if i == 2:
            fresh = schedules.ReduceLROnPlateau(optimizer)
            fresh.load_state_dict(schedule.state_dict())
            schedule = fresh
        schedule.step(tk.tensor(float(metric)))
        found.append(optimizer.param_groups[0]["lr"])
        assert schedule.get_last_lr()[0] == found[-1]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    optimizer.add_param_group({"params": tk.ones(1, requires_grad=True)})
    if isinstance(options.get("min_lr"), list):
        with pytest.raises(ArgumentError, match="3 groups now"):
            schedule.step(9.0)


def test_lambdas_for_each_group_and_objects_among_them() -> None:
    class Falling:
        def __init__(self, by):
            self.by = by

        def __call__(self, step):
            return self.by**step

    optimizer = make()
    schedule = schedules.LambdaLR(optimizer, [lambda step: 1.0, Falling(0.5)])
    assert schedule.state_dict()["lr_lambdas"] == [None, {"by": 0.5}]
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr() == [0.8, 0.2]
    other = schedules.LambdaLR(make(), [lambda step: 1.0, Falling(0.9)])
    other.load_state_dict(schedule.state_dict())
    assert other.lr_lambdas[1].by == 0.5
    cyclic = schedules.CyclicLR(make(momentum=0.5), 0.1, 0.2, scale_fn=Falling(0.5))
    twin = schedules.CyclicLR(make(momentum=0.5), 0.1, 0.2, scale_fn=Falling(0.9))
    twin.load_state_dict(cyclic.state_dict())
    assert twin.scale_fn(1) == 0.5


def test_a_rate_that_is_a_tensor_is_filled() -> None:
    rate = tk.tensor(0.5)
    optimizer = optim.SGD([tk.ones(1, requires_grad=True)], lr=rate)
    schedule = schedules.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    schedule.step()
    assert rate.item() == 0.25
    assert optimizer.param_groups[0]["lr"] is rate
    assert optimizer.param_groups[0]["initial_lr"].item() == 0.5


def test_going_on_from_a_number_of_steps() -> None:
    optimizer = make()
    with pytest.raises(ArgumentError, match="group 0 has no 'initial_lr'"):
        schedules.StepLR(optimizer, 2, last_epoch=3)
    schedule = schedules.StepLR(optimizer, 2, 0.5)
    for _ in range(3):
        optimizer.step()
        schedule.step()
    again = schedules.StepLR(optimizer, 2, 0.5, last_epoch=schedule.last_epoch)
    assert again.last_epoch == 4
    assert again.get_last_lr()[0] == 0.2


def test_warnings() -> None:
    optimizer = make()
    schedule = schedules.ExponentialLR(optimizer, 0.5)
    with pytest.warns(UserWarning, match=r"before|came before the first optimizer\.step"):
        schedule.step()
    optimizer.step()
    with pytest.warns(UserWarning, match="get_last_lr"):
        schedule.get_lr()
    with pytest.warns(UserWarning, match="deprecated"):
        schedule.step(3)
    assert schedule.get_last_lr()[0] == 0.1
    warm = schedules.CosineAnnealingWarmRestarts(make(), 4)
    warm.step(4.5)
    assert warm.get_last_lr()[0] == pytest.approx(0.4 * (1 + math.cos(math.pi / 8)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda o: schedules.StepLR(o, 0), ArgumentError, "step_size"),
        (lambda o: schedules.StepLR(None, 1), TypeError, "for an Optimizer, got a NoneType"),
        (lambda o: schedules.ConstantLR(o, 2.0), ArgumentError, "factor"),
        (lambda o: schedules.LinearLR(o, 0.0), ArgumentError, "start_factor"),
        (lambda o: schedules.LinearLR(o, 0.1, 2.0), ArgumentError, "end_factor"),
        (lambda o: schedules.CosineAnnealingWarmRestarts(o, 0), ArgumentError, "T_0"),
        (lambda o: schedules.CosineAnnealingWarmRestarts(o, 1, 0.5), ArgumentError, "T_mult"),
        (lambda o: schedules.CosineAnnealingWarmRestarts(o, 1).step(-1), ArgumentError, "epoch must be at least 0"),
        (lambda o: schedules.LambdaLR(o, [abs]), ArgumentError, "1 lr_lambdas for 2 groups"),
        (lambda o: schedules.MultiplicativeLR(o, 0.5), TypeError, "function"),
        (lambda o: schedules.CyclicLR(o, 0.1, 0.2, mode="square"), ArgumentError, "'triangular'"),
        (lambda o: schedules.CyclicLR(o, [0.1], 0.2), ArgumentError, "base_lr has 1 values"),
        (lambda o: schedules.CyclicLR(make(cls=optim.Adagrad), 0.1, 0.2), ArgumentError, "cycle_momentum=False"),
        (lambda o: schedules.OneCycleLR(o, 0.1), ArgumentError, "total_steps, or epochs"),
        (lambda o: schedules.OneCycleLR(o, 0.1, 0), ArgumentError, "total_steps must be"),
        (lambda o: schedules.OneCycleLR(o, 0.1, epochs=2, steps_per_epoch=0.5), ArgumentError, "steps_per_epoch must"),
        (lambda o: schedules.OneCycleLR(o, 0.1, 5, pct_start=2.0), ArgumentError, "pct_start"),
        (lambda o: schedules.OneCycleLR(o, 0.1, 5, anneal_strategy="step"), ArgumentError, "anneal_strategy"),
        (lambda o: schedules.ReduceLROnPlateau(o, "less"), ArgumentError, "'min' or 'max'"),
        (lambda o: schedules.ReduceLROnPlateau(o, factor=1.0), ArgumentError, "factor"),
        (lambda o: schedules.ReduceLROnPlateau(o, threshold_mode="x"), ArgumentError, "'rel' or 'abs'"),
        (lambda o: schedules.ReduceLROnPlateau(o, min_lr=[0.1]), ArgumentError, "1 values"),
        (lambda o: schedules.SequentialLR(o, [], []), ArgumentError, "at least one"),
        (lambda o: schedules.ChainedScheduler([]), ArgumentError, "at least one"),
        (lambda o: schedules.SequentialLR(o, [schedules.StepLR(o, 1)], [3]), ArgumentError, "0 milestones"),
        (lambda o: schedules.SequentialLR(o, [schedules.StepLR(make(), 1)], []), ArgumentError, "one optimizer"),
        (
            lambda o: schedules.SequentialLR(
                o, [schedules.StepLR(o, 1), schedules.ChainedScheduler([schedules.StepLR(o, 1)])], [2]
            ),
            ArgumentError,
            "give its parts themselves",
        ),
        (lambda o: schedules.ChainedScheduler([schedules.ReduceLROnPlateau(o)]), ArgumentError, "no metric"),
        (lambda o: schedules.LRScheduler(o), NotImplementedError, "has no get_lr"),
    ],
)
def test_bad_input(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call(make(momentum=0.9))
