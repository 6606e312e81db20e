"""Optimizers, schedules and the utilities of gradients against PyTorch's: the same numbers, states and texts."""

import copy
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk

pytestmark = pytest.mark.oracle

SHAPES = [(3, 5), (), (7,), (2, 2, 2), (1,)]


def pair(name: str, options: dict, groups: dict, names: bool = False):
    """An optimizer of both libraries, on the same float64 parameters in two groups."""
    rng = np.random.default_rng(0)
    starts = [rng.normal(size=shape) for shape in SHAPES]
    made = []
    for lib in (tk, torch):
        params = [lib.tensor(start, dtype=lib.float64, requires_grad=True) for start in starts]
        listed = [(f"p{i}", p) for i, p in enumerate(params)] if names else params
        optimizer = getattr(lib.optim, name)([{"params": listed[:2]}, {"params": listed[2:], **groups}], **options)
        made.append((params, optimizer))
    return made


def give_gradients(lib, params, step: int) -> None:
    """Gradients that depend on the step alone; each parameter misses some steps."""
    rng = np.random.default_rng(step)
    for i, param in enumerate(params):
        gradient = rng.normal(size=param.shape)
        param.grad = None if (step + 2 * i) % 7 == 0 else lib.tensor(gradient, dtype=lib.float64)


def assert_same(ours, theirs, tolerance: float = 1e-10) -> None:
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=tolerance, atol=tolerance)


def converted(value):
    """What PyTorch has saved, tensor by tensor as ours."""
    if isinstance(value, torch.Tensor):
        return tk.tensor(value.numpy(), dtype=str(value.dtype).removeprefix("torch."))
    if isinstance(value, dict):
        return {key: converted(item) for key, item in value.items()}
    return [converted(item) for item in value] if isinstance(value, list) else value


def reverted(value):
    """What we have saved, tensor by tensor as PyTorch's."""
    if isinstance(value, tk.Tensor):
        return torch.tensor(value.detach().numpy())
    if isinstance(value, dict):
        return {key: reverted(item) for key, item in value.items()}
    return [reverted(item) for item in value] if isinstance(value, list) else value


unit, small = st.floats(0, 0.95), st.floats(0, 0.2)
decay = st.one_of(st.just(0), small)
eps = st.sampled_from([1e-8, 1e-3])
betas = st.tuples(unit, unit)
OPTIONS = {
    "SGD": {"momentum": st.one_of(st.just(0), unit), "dampening": small, "weight_decay": decay},
    "Adam": {"betas": betas, "eps": eps, "weight_decay": decay, "amsgrad": st.booleans()},
    "AdamW": {"betas": betas, "eps": eps, "weight_decay": decay, "amsgrad": st.booleans()},
    "Adamax": {"betas": betas, "eps": eps, "weight_decay": decay},
    "NAdam": {"betas": betas, "eps": eps, "weight_decay": decay, "momentum_decay": small},
    "RAdam": {"betas": st.tuples(unit, st.floats(0.1, 0.999)), "eps": eps, "weight_decay": decay},
    "RMSprop": {"alpha": unit, "eps": st.sampled_from([1e-3, 1e-1]), "weight_decay": decay, "momentum": decay},
    "Adagrad": {"lr_decay": small, "weight_decay": decay, "initial_accumulator_value": small, "eps": eps},
    "Adadelta": {"rho": unit, "eps": eps, "weight_decay": decay},
}
for name in ("Adam", "NAdam", "RAdam"):
    OPTIONS[name]["decoupled_weight_decay"] = st.booleans()
OPTIONS["RMSprop"]["centered"] = st.booleans()


@st.composite
def runs(draw):
    """A name, options, those of the second group."""
    name = draw(st.sampled_from(sorted(OPTIONS)))
    options = draw(st.fixed_dictionaries({}, optional={**OPTIONS[name], "maximize": st.booleans()}))
    options["lr"] = draw(st.floats(1e-4, 0.1))
    if options.get("momentum") and not options.get("dampening") and name == "SGD":
        options["nesterov"] = draw(st.booleans())
    return name, options, draw(st.fixed_dictionaries({}, optional={"lr": st.floats(1e-4, 0.1), "weight_decay": decay}))


@settings(max_examples=150, deadline=None)
@given(run=runs(), change=st.integers(0, 49))
def test_trajectories(run, change: int) -> None:
    """50 steps of two groups; the rate of one is changed by hand in between."""
    (ours, first), (theirs, second) = pair(*run)
    for step in range(50):
        for lib, params, optimizer in ((tk, ours, first), (torch, theirs, second)):
            give_gradients(lib, params, step)
            if step == change:
                optimizer.param_groups[1]["lr"] = 0.03
            optimizer.step()
    assert_same(ours, theirs)
    assert repr(first) == repr(second)


DEFAULTS = [(name, {}) for name in OPTIONS] + [
    ("SGD", {"momentum": 0.9}),
    ("Adam", {"amsgrad": True}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "eps": 1e-3}),
]


@pytest.mark.parametrize(("name", "options"), DEFAULTS)
def test_defaults_and_groups(name: str, options: dict) -> None:
    (_, first), (_, second) = pair(name, options, {"lr": 0.5})
    assert first.defaults == second.defaults
    strip = [{k: v for k, v in group.items() if k != "params"} for group in second.param_groups]
    assert [{k: v for k, v in group.items() if k != "params"} for group in first.param_groups] == strip
    assert repr(first) == repr(second)


@pytest.mark.parametrize(("name", "options"), DEFAULTS)
@pytest.mark.parametrize("named", [False, True])
def test_states_go_from_one_to_the_other(name: str, options: dict, named: bool) -> None:
    (ours, first), (theirs, second) = pair(name, options, {"lr": 0.05}, named)
    for step in range(10):
        give_gradients(torch, theirs, step)
        second.step()
    saved = copy.deepcopy(second.state_dict())
    first.load_state_dict(converted(saved))
    for a, b in zip(ours, theirs, strict=True):
        a.data = tk.tensor(b.detach().numpy(), dtype=tk.float64)
    for step in range(10, 30):
        for lib, params, optimizer in ((tk, ours, first), (torch, theirs, second)):
            give_gradients(lib, params, step)
            optimizer.step()
    assert_same(ours, theirs)

    mine, its = first.state_dict(), second.state_dict()
    assert mine["param_groups"] == its["param_groups"]
    assert sorted(mine["state"]) == sorted(its["state"])
    for number, values in its["state"].items():
        assert list(mine["state"][number]) == list(values)
        for key, value in values.items():
            found = mine["state"][number][key]
            assert (str(found.dtype), tuple(found.shape)) == (str(value.dtype).removeprefix("torch."), value.shape)
            np.testing.assert_allclose(found.numpy(), value.numpy(), rtol=1e-10, atol=1e-12)

    (others, third), _ = pair(name, options, {"lr": 0.05}, named)
    del others, third
    (_, _), (fresh, fourth) = pair(name, options, {"lr": 0.05}, named)
    fourth.load_state_dict(reverted(mine))
    for a, b in zip(fresh, theirs, strict=True):
        a.data = b.detach().clone()
    for step in range(30, 40):
        for lib, params, optimizer in ((tk, ours, first), (torch, fresh, fourth)):
            give_gradients(lib, params, step)
            optimizer.step()
    assert_same(ours, fresh)


STEPS = 60


def seq(m, o, last=-1):
    parts = [m.LinearLR(o, 0.1, 1.0, 6), m.CosineAnnealingLR(o, 20, 0.01), m.StepLR(o, 3, 0.5)]
    return m.SequentialLR(o, parts, [8, 30])


SCHEDULES = {
    "step": lambda m, o: m.StepLR(o, 7, 0.3),
    "milestones": lambda m, o: m.MultiStepLR(o, [5, 20, 20, 50], 0.4),
    "exponential": lambda m, o: m.ExponentialLR(o, 0.93),
    "constant": lambda m, o: m.ConstantLR(o),
    "constant_long": lambda m, o: m.ConstantLR(o, 0.4, 25),
    "linear": lambda m, o: m.LinearLR(o),
    "linear_down": lambda m, o: m.LinearLR(o, 0.9, 0.1, 33),
    "polynomial": lambda m, o: m.PolynomialLR(o),
    "polynomial_long": lambda m, o: m.PolynomialLR(o, 41, 1.7),
    "cosine": lambda m, o: m.CosineAnnealingLR(o, 13, 0.001),
    "cosine_once": lambda m, o: m.CosineAnnealingLR(o, 60),
    "restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 7),
    "restarts_longer": lambda m, o: m.CosineAnnealingWarmRestarts(o, 5, 2, 0.002),
    "lambda": lambda m, o: m.LambdaLR(o, lambda t: 0.95**t),
    "lambdas": lambda m, o: m.LambdaLR(o, [lambda t: 0.95**t, lambda t: 1 / (1 + t)]),
    "multiplicative": lambda m, o: m.MultiplicativeLR(o, [lambda t: 0.95, lambda t: 1 - 1 / (t + 5)]),
    "cyclic": lambda m, o: m.CyclicLR(o, 0.01, 0.3, 7),
    "cyclic_half": lambda m, o: m.CyclicLR(o, [0.01, 0.02], [0.3, 0.5], 7, 4, "triangular2", base_momentum=[0.5, 0.6]),
    "cyclic_exp": lambda m, o: m.CyclicLR(o, 0.01, 0.3, 7, 9, "exp_range", 0.97),
    "cyclic_own": lambda m, o: m.CyclicLR(o, 0.01, 0.3, 7, scale_fn=lambda x: 1 / (1 + x), scale_mode="iterations"),
    "cyclic_rate": lambda m, o: m.CyclicLR(o, 0.01, 0.3, 7, cycle_momentum=False),
    "one_cycle": lambda m, o: m.OneCycleLR(o, 0.4, STEPS),
    "one_cycle_linear": lambda m, o: m.OneCycleLR(
        o, [0.4, 0.1], epochs=7, steps_per_epoch=10, pct_start=0.4, anneal_strategy="linear"
    ),
    "one_cycle_three": lambda m, o: m.OneCycleLR(o, 0.4, 66, three_phase=True, div_factor=10, final_div_factor=100.0),
    "one_cycle_rate": lambda m, o: m.OneCycleLR(o, 0.4, STEPS, cycle_momentum=False),
    "sequential": seq,
    "sequential_at_once": lambda m, o: m.SequentialLR(o, [m.StepLR(o, 3, 0.5), m.ExponentialLR(o, 0.9)], [0]),
    "sequential_of_sequential": lambda m, o: m.SequentialLR(
        o, [m.SequentialLR(o, [m.ConstantLR(o, 0.1, 4), m.StepLR(o, 4)], [9]), m.ExponentialLR(o, 0.9)], [20]
    ),
    "sequential_of_chained": lambda m, o: m.SequentialLR(
        o, [m.ChainedScheduler([m.ConstantLR(o, 0.1, 4), m.StepLR(o, 4)]), m.ExponentialLR(o, 0.9)], [20]
    ),
    "chained": lambda m, o: m.ChainedScheduler(
        [m.ConstantLR(o, 0.1, 12), m.ExponentialLR(o, 0.97), m.CosineAnnealingLR(o, 25)]
    ),
    "chained_with": lambda m, o: m.ChainedScheduler([m.LinearLR(o, 0.3, 0.8, 20)], o),
}


def scheduled(lib, kind: str, cls: str = "SGD"):
    params = [lib.tensor([float(i)], dtype=lib.float64, requires_grad=True) for i in range(2)]
    options = {"momentum": 0.9} if cls == "SGD" else {}
    optimizer = getattr(lib.optim, cls)([{"params": params[:1]}, {"params": params[1:], "lr": 0.05}], lr=0.2, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one that is made of others and is part of another steps before the optimizer
        return optimizer, SCHEDULES[kind](lib.optim.lr_scheduler, optimizer)


def plain(value):
    """A state with what is a tensor, a counter or a function made comparable."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return pytest.approx(value, rel=1e-12, abs=1e-15) if isinstance(value, float) else value


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("cls", ["SGD", "Adam"])
@pytest.mark.parametrize("changes", [(), (4, 17, 40)])
def test_schedules(kind: str, cls: str, changes: tuple) -> None:
    """60 steps, with rates that the user changes in between; rates, momenta and states."""
    if kind == "polynomial_long" and changes:
        changes = (4, 17)
    (first, ours), (second, theirs) = scheduled(tk, kind, cls), scheduled(torch, kind, cls)
    for step in range(STEPS):
        for group, other in zip(first.param_groups, second.param_groups, strict=True):
            a, b = ({k: v for k, v in each.items() if k not in ("params", "betas")} for each in (group, other))
            assert a == plain(b), step
            assert list(group.get("betas", ())) == plain(other.get("betas", ())), step
        assert ours.get_last_lr() == plain(theirs.get_last_lr())
        assert ours.state_dict() == plain(theirs.state_dict())
        if step in changes:
            for optimizer in (first, second):
                optimizer.param_groups[0]["lr"] *= 3.0
                optimizer.param_groups[1]["lr"] += 0.25
        for optimizer, schedule in ((first, ours), (second, theirs)):
            optimizer.step()
            schedule.step()


@pytest.mark.parametrize("kind", SCHEDULES)
def test_states_of_schedules_go_from_one_to_the_other(kind: str) -> None:
    (first, ours), (second, theirs) = scheduled(tk, kind), scheduled(torch, kind)
    for _ in range(11):
        second.step()
        theirs.step()
    first.load_state_dict(converted(second.state_dict()))
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    for _ in range(30):
        for optimizer, schedule in ((first, ours), (second, theirs)):
            optimizer.step()
            schedule.step()
        assert ours.get_last_lr() == plain(theirs.get_last_lr())


CLOSED = ["step", "milestones", "exponential", "constant_long", "linear_down", "polynomial_long", "cosine"]


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from([*CLOSED, "restarts", "restarts_longer"]), places=st.lists(st.integers(0, 59), max_size=5))
def test_schedules_that_jump(kind: str, places: list) -> None:
    (first, ours), (second, theirs) = scheduled(tk, kind), scheduled(torch, kind)
    first.step(), second.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for place in places:
            ours.step(place)
            theirs.step(place)
            assert ours.get_last_lr() == plain(theirs.get_last_lr())
            ours.step()
            theirs.step()
            assert ours.get_last_lr() == plain(theirs.get_last_lr())


@settings(max_examples=60, deadline=None)
@given(epochs=st.lists(st.floats(0, 100), max_size=8), longer=st.integers(1, 3))
def test_restarts_between_epochs(epochs: list, longer: int) -> None:
    found = []
    for lib in (tk, torch):
        optimizer = lib.optim.SGD([lib.tensor([0.0], requires_grad=True)], lr=0.2)
        schedule = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 7, longer)
        rates = []
        for epoch in sorted(epochs):
            schedule.step(epoch)
            rates += schedule.get_last_lr()
        found.append(rates)
    assert found[0] == plain(found[1])


@settings(max_examples=100, deadline=None)
@given(
    metrics=st.lists(st.sampled_from([1.0, 0.999999, 0.99, 0.5, 1.5, -1.0, math.inf, math.nan]), max_size=60),
    mode=st.sampled_from(["min", "max"]),
    threshold_mode=st.sampled_from(["rel", "abs"]),
    threshold=st.sampled_from([1e-4, 0.2]),
    patience=st.integers(0, 3),
    cooldown=st.integers(0, 3),
    min_lr=st.sampled_from([0, 0.01, [0.01, 0.02]]),
    factor=st.sampled_from([0.1, 0.5]),
)
def test_plateau(metrics: list, **options) -> None:
    found = []
    for lib in (tk, torch):
        params = [lib.tensor([0.0], requires_grad=True) for _ in range(2)]
        optimizer = lib.optim.SGD([{"params": params[0]}, {"params": params[1], "lr": 0.05}], lr=0.2)
        schedule = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        states = []
        for metric in metrics:
            schedule.step(metric)
            states.append(schedule.state_dict())
        found.append(states)
    for ours, theirs in zip(*found, strict=True):
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            expected = pytest.approx(value, nan_ok=True) if isinstance(value, float) else plain(value)
            assert ours[key] == expected, key


def test_a_run_that_goes_on_from_a_number() -> None:
    for kind in ("step", "exponential", "cosine", "lambda", "restarts"):
        found = []
        for lib in (tk, torch):
            optimizer, schedule = scheduled(lib, kind)
            for _ in range(9):
                optimizer.step()
                schedule.step()
            make = {
                "step": lambda m, o: m.StepLR(o, 7, 0.3, last_epoch=9),
                "exponential": lambda m, o: m.ExponentialLR(o, 0.93, last_epoch=9),
                "cosine": lambda m, o: m.CosineAnnealingLR(o, 13, 0.001, last_epoch=9),
                "lambda": lambda m, o: m.LambdaLR(o, lambda t: 0.95**t, last_epoch=9),
                "restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 7, last_epoch=9),
            }[kind]
            again, rates = make(lib.optim.lr_scheduler, optimizer), []
            for _ in range(5):
                rates += again.get_last_lr()
                optimizer.step()
                again.step()
            found.append(rates)
        assert found[0] == plain(found[1]), kind


@settings(max_examples=60, deadline=None)
@given(
    order=st.sampled_from([1.0, 2.0, 3.0, 0.5, math.inf]),
    bound=st.sampled_from([0.0, 0.3, 2.0, 1e6]),
    special=st.sampled_from([None, math.nan, math.inf]),
    seed=st.integers(0, 99),
)
def test_clipping(order: float, bound: float, special, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gradients = [rng.normal(size=shape) for shape in SHAPES]
    if special is not None:
        gradients[0][1, 2] = special
    found = []
    for lib in (tk, torch):
        params = [lib.tensor(np.zeros(shape), dtype=lib.float64, requires_grad=True) for shape in [*SHAPES, (2,)]]
        for param, gradient in zip(params, gradients, strict=False):
            param.grad = lib.tensor(gradient, dtype=lib.float64)
        norm = lib.nn.utils.clip_grad_norm_(params, bound, order)
        clipped = [param.grad.numpy().copy() for param in params[:-1]]
        lib.nn.utils.clip_grad_value_(params, bound)
        found.append([norm.numpy(), *clipped, *(param.grad.numpy() for param in params[:-1])])
        assert params[-1].grad is None
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_vectors_of_parameters() -> None:
    found = []
    for lib in (tk, torch):
        net = lib.nn.Linear(3, 2)
        lib.nn.utils.vector_to_parameters(lib.arange(8.0), net.parameters())
        found.append([lib.nn.utils.parameters_to_vector(net.parameters()).tolist(), net.weight.tolist()])
    assert found[0] == found[1]
