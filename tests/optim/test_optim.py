"""Optimizers against their formulas in float64, their groups, their state."""

import copy
import pickle

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn, optim
from trainkit.errors import ArgumentError, CheckpointError, ShapeError
from trainkit.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook


def sgd(w, g, s, t, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False):
    g = (-g if maximize else g) + weight_decay * w
    if momentum:
        s["v"] = g if t == 1 else momentum * s["v"] + (1 - dampening) * g
        g = g + momentum * s["v"] if nesterov else s["v"]
    return w - lr * g


def adam(
    w, g, s, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False, decoupled=False
):
    g = -g if maximize else g
    if decoupled:
        w = w * (1 - lr * weight_decay)
    else:
        g = g + weight_decay * w
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g * g
    s["x"] = np.maximum(s.get("x", 0), s["v"])
    second = s["x"] if amsgrad else s["v"]
    return w - lr * (s["m"] / (1 - betas[0] ** t)) / (np.sqrt(second / (1 - betas[1] ** t)) + eps)


def adamax(w, g, s, t, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, maximize=False):
    g = (-g if maximize else g) + weight_decay * w
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["u"] = np.maximum(betas[1] * s.get("u", 0), abs(g) + eps)
    return w - lr / (1 - betas[0] ** t) * s["m"] / s["u"]


def nadam(w, g, s, t, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, momentum_decay=4e-3, maximize=False):
    g = (-g if maximize else g) + weight_decay * w
    now, after = (betas[0] * (1 - 0.5 * 0.96 ** (step * momentum_decay)) for step in (t, t + 1))
    s["p"] = float(np.float32(s.get("p", 1.0)) * np.float32(now))  # in single precision, as in PyTorch
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g * g
    mean = after * s["m"] / (1 - s["p"] * after) + (1 - now) * g / (1 - s["p"])
    return w - lr * mean / (np.sqrt(s["v"] / (1 - betas[1] ** t)) + eps)


def radam(w, g, s, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, maximize=False):
    g = (-g if maximize else g) + weight_decay * w
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g * g
    longest = 2 / (1 - betas[1]) - 1
    length = longest - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
    move = s["m"] / (1 - betas[0] ** t)
    if length > 5:
        ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        move = move * np.sqrt(ratio * (1 - betas[1] ** t)) / (np.sqrt(s["v"]) + eps)
    return w - lr * move


def rmsprop(w, g, s, t, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False, maximize=False):
    g = (-g if maximize else g) + weight_decay * w
    s["v"] = alpha * s.get("v", 0) + (1 - alpha) * g * g
    s["m"] = alpha * s.get("m", 0) + (1 - alpha) * g
    variance = s["v"] - s["m"] ** 2 if centered else s["v"]
    s["b"] = momentum * s.get("b", 0) + g / (np.sqrt(variance) + eps)
    return w - lr * s["b"]


def adagrad(w, g, s, t, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10):
    g = g + weight_decay * w
    s["v"] = s.get("v", initial_accumulator_value) + g * g
    return w - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(s["v"]) + eps)


def adadelta(w, g, s, t, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0.0, maximize=False):
    g = (-g if maximize else g) + weight_decay * w
    s["v"] = rho * s.get("v", 0) + (1 - rho) * g * g
    delta = np.sqrt((s.get("d", 0) + eps) / (s["v"] + eps)) * g
    s["d"] = rho * s.get("d", 0) + (1 - rho) * delta * delta
    return w - lr * delta


def lion(w, g, s, t, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, maximize=False):
    g = -g if maximize else g
    mix = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["m"] = betas[1] * s.get("m", 0) + (1 - betas[1]) * g
    return w * (1 - lr * weight_decay) - lr * np.sign(mix)


CASES = [
    (optim.SGD, sgd, {"lr": 0.1}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    (optim.Adam, adam, {"lr": 0.01}),
    (optim.Adam, adam, {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True}),
    (optim.AdamW, lambda *a, **k: adam(*a, **k, decoupled=True), {"lr": 0.01, "weight_decay": 0.1}),
    (optim.AdamW, lambda *a, **k: adam(*a, **k, decoupled=True), {"lr": 0.01, "weight_decay": 0.1, "maximize": True}),
    (optim.Adamax, adamax, {"lr": 0.01, "weight_decay": 0.1}),
    (optim.Adamax, adamax, {"betas": (0.5, 0.9), "eps": 1e-2, "maximize": True}),
    (optim.NAdam, nadam, {"lr": 0.01, "weight_decay": 0.1}),
    (optim.NAdam, nadam, {"momentum_decay": 0.5, "betas": (0.8, 0.9), "maximize": True}),
    (optim.RAdam, radam, {"lr": 0.01, "weight_decay": 0.1}),
    (optim.RAdam, radam, {"betas": (0.8, 0.6), "eps": 1e-2, "maximize": True}),
    (optim.RMSprop, rmsprop, {}),
    (optim.RMSprop, rmsprop, {"lr": 0.1, "alpha": 0.8, "eps": 1e-2, "momentum": 0.5, "weight_decay": 0.1}),
    (optim.RMSprop, rmsprop, {"centered": True, "eps": 1e-2, "maximize": True}),
    (optim.Adagrad, adagrad, {}),
    (optim.Adagrad, adagrad, {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-2}),
    (optim.Adadelta, adadelta, {}),
    (optim.Adadelta, adadelta, {"lr": 0.5, "rho": 0.5, "eps": 1e-2, "weight_decay": 0.1, "maximize": True}),
    (optim.Lion, lion, {"lr": 0.01}),
    (optim.Lion, lion, {"lr": 0.01, "betas": (0.5, 0.7), "weight_decay": 0.1, "maximize": True}),
]


@pytest.mark.parametrize(("cls", "formula", "options"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_formula(cls, formula, options, dtype: str) -> None:
    rng = np.random.default_rng(0)
    starts = [rng.normal(size=shape) for shape in [(3, 5), (), (40_001,)]]
    params = [tk.tensor(start, dtype=dtype, requires_grad=True) for start in starts]
    optimizer = cls(params, **options)
    states: list[dict] = [{} for _ in starts]
    for t in range(1, 6):
        gradients = [rng.normal(size=start.shape) for start in starts]
        for i, (param, gradient) in enumerate(zip(params, gradients, strict=True)):
            param.grad = tk.tensor(gradient, dtype=dtype)
            starts[i] = formula(starts[i], gradient, states[i], t, **options)
        optimizer.step()
    for param, expected in zip(params, starts, strict=True):
        close = {"rtol": 2e-4, "atol": 2e-5} if dtype == "float32" else {"rtol": 1e-10, "atol": 1e-12}
        np.testing.assert_allclose(param.detach().numpy(), expected, **close)


MAKERS = [
    *((cls, options) for cls, _, options in CASES),
    (optim.Adam, {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    (optim.NAdam, {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    (optim.RAdam, {"decoupled_weight_decay": True, "weight_decay": 0.1}),
]


def train(params, optimizer: optim.Optimizer, steps: int, first: int = 0) -> None:
    """Steps with gradients that depend on the number of the step; a parameter of each group has none at times."""
    for step in range(first, first + steps):
        rng = np.random.default_rng(step)
        for i, param in enumerate(params):
            gradient = tk.tensor(rng.normal(size=param.shape), dtype=param.dtype)
            param.grad = None if (step + i) % 5 == 0 else gradient
        optimizer.step()


def make(cls, options):
    rng = np.random.default_rng(1)
    params = [tk.tensor(rng.normal(size=shape), requires_grad=True) for shape in [(3, 5), (), (7,), (2, 2), (4,)]]
    return params, cls([{"params": params[:2]}, {"params": params[2:], "lr": 0.02}], **options)


@pytest.mark.parametrize(("cls", "options"), MAKERS)
@pytest.mark.parametrize("way", ["state_dict", "file", "pickle", "deepcopy"])
def test_a_state_goes_on_bit_for_bit(cls, options, way, tmp_path) -> None:
    params, optimizer = make(cls, options)
    train(params, optimizer, 7)
    if way in ("state_dict", "file"):
        twins, other = make(cls, {**options, "lr": 0.9})
        state = optimizer.state_dict()
        if way == "file":
            tk.save(state, tmp_path / "state.safetensors")
            state = tk.load(tmp_path / "state.safetensors")
        for twin, param in zip(twins, params, strict=True):
            twin.data = param.detach().clone()
        other.load_state_dict(state)
    else:
        other = copy.deepcopy(optimizer) if way == "deepcopy" else pickle.loads(pickle.dumps(optimizer))
        twins = [param for group in other.param_groups for param in group["params"]]
    train(params, optimizer, 7, first=7)
    train(twins, other, 7, first=7)
    for a, b in zip(params, twins, strict=True):
        assert a is not b
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert [group["lr"] for group in other.param_groups] == [group["lr"] for group in optimizer.param_groups]
    assert repr(other) == repr(optimizer)


@pytest.mark.parametrize(("cls", "options"), MAKERS)
def test_a_step_without_gradients_and_of_empty_parameters(cls, options) -> None:
    empty, full = tk.zeros(0, 3, requires_grad=True), tk.ones(2, requires_grad=True)
    optimizer = cls([empty, full], **options)
    optimizer.step()
    assert full.tolist() == [1.0, 1.0]
    assert full._version == 0
    empty.grad, full.grad = tk.zeros(0, 3), tk.ones(2)
    optimizer.step()
    assert full.tolist() != [1.0, 1.0]
    assert empty.shape == (0, 3)


def test_params_without_gradient_are_left_alone_and_catch_up() -> None:
    for cls, options in MAKERS:
        a, b, alone = (tk.ones(2, requires_grad=True) for _ in range(3))
        together, single = cls([a, b], **options), cls([alone], **options)
        a.grad = tk.ones(2)
        together.step()
        assert b.tolist() == [1.0, 1.0]
        b.grad, alone.grad = tk.ones(2), tk.ones(2)
        together.step()
        single.step()
        np.testing.assert_array_equal(b.detach().numpy(), alone.detach().numpy())


def test_step_bumps_versions() -> None:
    w = tk.ones(2, requires_grad=True)
    y = (w * w).sum()
    w.grad = tk.ones(2)
    optim.SGD([w], lr=0.1).step()
    with pytest.raises(RuntimeError, match="version 1"):
        y.backward()


def test_groups() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = optim.SGD([{"params": net[0].parameters()}, {"params": net[1].parameters(), "lr": 0.5}], lr=0.1)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]
    extra = tk.zeros(1, requires_grad=True)
    optimizer.add_param_group({"params": extra, "name": "extra", "lr": 0.0})
    assert len(optimizer.param_groups) == 3
    assert "Parameter Group 2\n    dampening: 0\n" in repr(optimizer)
    assert optimizer.param_groups[2]["name"] == "extra"
    for param in [*net.parameters(), extra]:
        param.grad = tk.ones_like(param)
    before = [param.detach().clone() for param in net.parameters()]
    optimizer.param_groups[0]["lr"] = 1.0
    optimizer.step()
    moved = [float((a - b).max()) for a, b in zip(before, net.parameters(), strict=True)]
    np.testing.assert_allclose(moved, [1.0, 1.0, 0.5, 0.5], rtol=1e-5)
    assert extra.item() == 0.0


def test_groups_with_names() -> None:
    net = nn.Linear(2, 1)
    optimizer = optim.Adam(net.named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    with pytest.raises(ArgumentError, match="names"):
        optimizer.add_param_group({"params": [tk.zeros(1, requires_grad=True)]})
    with pytest.raises(ArgumentError, match="names for all parameters or for none"):
        optim.Adam([("w", tk.zeros(1)), tk.zeros(1)])


def test_closure_and_zero_grad() -> None:
    w = tk.ones(2, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)

    def closure() -> tk.Tensor:
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with tk.no_grad():
        assert optimizer.step(closure).item() == 2.0
    np.testing.assert_allclose(w.tolist(), [0.8, 0.8], rtol=1e-6)
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert w.grad is None


def test_the_state_has_pytorchs_layout() -> None:
    a, b = tk.ones(2, requires_grad=True), tk.ones(3, requires_grad=True)
    optimizer = optim.Adam([{"params": [a]}, {"params": [b], "lr": 0.5}])
    b.grad = tk.ones(3)
    optimizer.step()
    state = optimizer.state_dict()
    assert list(state) == ["state", "param_groups"]
    assert list(state["state"]) == [1]
    assert list(state["state"][1]) == ["step", "exp_avg", "exp_avg_sq"]
    assert state["state"][1]["step"].dtype == tk.float32
    assert state["state"][1]["step"].item() == 1.0
    assert [group["params"] for group in state["param_groups"]] == [[0], [1]]
    assert state["param_groups"][1]["lr"] == 0.5
    assert optimizer.state[b]["exp_avg"] is state["state"][1]["exp_avg"]
    loaded = optim.Adam([a, b])
    with pytest.raises(CheckpointError, match=r"\[1, 1\].*\[2\]"):
        loaded.load_state_dict(state)


def test_what_is_loaded_is_a_copy_of_the_parameters_dtype() -> None:
    w = tk.ones(2, requires_grad=True)
    source, target = optim.SGD([w], momentum=0.9), optim.SGD([w], momentum=0.9)
    w.grad = tk.ones(2)
    source.step()
    state = source.state_dict()
    state["state"][0]["momentum_buffer"] = np.array([1.0, 2.0])
    target.load_state_dict(state)
    buffer = target.state[w]["momentum_buffer"]
    assert buffer.dtype == tk.float32
    state["state"][0]["momentum_buffer"][:] = 7
    assert buffer.tolist() == [1.0, 2.0]
    state["param_groups"][0]["params"] = [5]
    state["state"] = {5: {"momentum_buffer": None}}
    target.load_state_dict(state)
    target.step()
    assert target.state[w]["momentum_buffer"].tolist() == [1.0, 1.0]


def test_state_that_does_not_fit() -> None:
    one, two = ([tk.ones(n, requires_grad=True) for n in sizes] for sizes in ((1,), (1, 2)))
    state = optim.Adam(two).state_dict()
    with pytest.raises(CheckpointError, match=r"groups of \[2\].*\[1\]"):
        optim.Adam(one).load_state_dict(state)
    source = optim.Adam([tk.ones(3, requires_grad=True)])
    source.param_groups[0]["params"][0].grad = tk.ones(3)
    source.step()
    with pytest.raises(CheckpointError, match="shape"):
        optim.Adam(one).load_state_dict(source.state_dict())
    with pytest.raises(CheckpointError, match="parameter 3"):
        optim.Adam(one).load_state_dict({**optim.Adam(one).state_dict(), "state": {3: {}}})


def test_hooks_of_steps() -> None:
    w = tk.ones(1, requires_grad=True)
    optimizer, calls = optim.SGD([w], lr=0.1), []
    everywhere = [
        register_optimizer_step_pre_hook(lambda o, args, kwargs: calls.append("all before")),
        register_optimizer_step_post_hook(lambda o, args, kwargs: calls.append("all after")),
    ]
    optimizer.register_step_pre_hook(lambda o, args, kwargs: calls.append(("before", o is args[0], kwargs)))
    handle = optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append("after"))
    assert optimizer.step(closure=lambda: 5) == 5
    assert [c if isinstance(c, str) else c[0] for c in calls] == ["all before", "before", "after", "all after"]
    assert calls[1][1:] == (True, {"closure": calls[1][2]["closure"]})
    for each in (handle, *everywhere):
        each.remove()
    calls.clear()
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 6), {}))
    assert optimizer.step() == 6
    assert len(calls) == 1
    optimizer.register_step_pre_hook(lambda o, args, kwargs: "nonsense")
    with pytest.raises(RuntimeError, match="nonsense"):
        optimizer.step()


def test_an_optimizer_with_its_own_step() -> None:
    class Halving(optim.Optimizer):
        def __init__(self, params, lr=1.0):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            for group in self.param_groups:
                for param in group["params"]:
                    self.state[param]["count"] = self.state[param].get("count", 0) + 1
                    param.data.mul_(0.5)

    class Twice(optim.SGD):
        def step(self, closure=None):
            super().step()
            return super().step(closure)

    w = tk.ones(1, requires_grad=True)
    halving, calls = Halving([w]), []
    halving.register_step_post_hook(lambda *_: calls.append("post"))
    halving.step()
    assert (w.item(), halving.state[w], calls) == (0.5, {"count": 1}, ["post"])
    w.grad = tk.ones(1)
    twice = Twice([w], lr=0.125)
    twice.register_step_post_hook(lambda *_: calls.append("twice"))
    twice.step()
    assert (w.item(), calls) == (0.25, ["post", "twice"])
    with pytest.raises(NotImplementedError, match="Optimizer has no update"):
        optim.Optimizer([w], {}).step()


def test_hooks_of_states() -> None:
    w = tk.ones(1, requires_grad=True)
    optimizer, calls = optim.SGD([w], lr=0.1), []
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("second"))
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: calls.append(state.pop("more")))
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))
    state = optimizer.state_dict()
    assert state["more"] == 1
    optimizer.load_state_dict(state)
    assert calls == ["first", "second", 1, "loaded"]
    assert state["more"] == 1, "the hook has a dict of its own"


def test_rates_that_are_tensors() -> None:
    w, twin = tk.ones(2, requires_grad=True), tk.ones(2, requires_grad=True)
    rate = tk.tensor(0.5)
    for lr, param in ((rate, w), (0.5, twin)):
        param.grad = tk.ones(2)
        for cls in (optim.SGD, optim.Adam, optim.NAdam, optim.Lion, optim.Adagrad, optim.RMSprop, optim.Adadelta):
            cls([param], lr=lr).step()
    assert w.tolist() == twin.tolist()
    with pytest.raises(ArgumentError, match="one number"):
        optim.SGD([w], lr=tk.ones(2))


def test_parameters_of_any_layout_and_precision() -> None:
    base = np.arange(6.0).reshape(2, 3)
    for param in (
        tk.tensor(base, dtype="float32").T.detach().requires_grad_(),
        tk.tensor(base, dtype="float64")[:, ::2].detach().requires_grad_(),
        tk.tensor(base, dtype="float16").requires_grad_(),
    ):
        before, dtype = param.detach().numpy().copy(), param.dtype
        optimizer = optim.Adam([param], lr=0.5)
        param.grad = tk.ones(*param.shape, dtype=param.dtype)
        optimizer.step()
        np.testing.assert_allclose(param.detach().numpy(), before - 0.5, rtol=1e-3)
        assert param.dtype == optimizer.state[param]["exp_avg"].dtype == dtype


def test_gradients_of_another_shape() -> None:
    w = tk.ones(2, 3, requires_grad=True)
    w.grad = tk.ones(3, 2)
    with pytest.raises(ShapeError, match=r"shape \(2, 3\) has a gradient of shape \(3, 2\)"):
        optim.SGD([w]).step()
    assert bool((w == 1).all())


def test_options_can_be_turned_on_later() -> None:
    w = tk.ones(2, requires_grad=True)
    for optimizer, change in (
        (optim.SGD([w]), {"momentum": 0.9}),
        (optim.Adam([w]), {"amsgrad": True}),
        (optim.RMSprop([w]), {"momentum": 0.9, "centered": True}),
    ):
        w.grad = tk.ones(2)
        optimizer.step()
        optimizer.param_groups[0].update(change)
        optimizer.step()


@pytest.mark.parametrize(
    "cls",
    [
        optim.SGD,
        optim.Adam,
        optim.AdamW,
        optim.Adagrad,
        optim.Adamax,
        optim.NAdam,
        optim.RAdam,
        optim.RMSprop,
        optim.Adadelta,
        optim.Lion,
    ],
)
def test_options_that_choose_an_implementation(cls) -> None:
    w = tk.ones(2, requires_grad=True)
    assert cls([w], foreach=True, differentiable=False).param_groups[0]["foreach"] is True
    with pytest.raises(ArgumentError, match="differentiable=True is not supported"):
        cls([w], differentiable=True)
    if cls in (optim.SGD, optim.Adam, optim.AdamW, optim.Adagrad):
        assert cls([w], fused=True).param_groups[0]["fused"] is True
        with pytest.raises(ArgumentError, match="foreach and fused"):
            cls([w], foreach=True, fused=True)
    if cls not in (optim.SGD, optim.Adagrad):
        with pytest.raises(ArgumentError, match="CUDA graphs"):
            cls([w], capturable=True)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: optim.SGD([], lr=0.1), ArgumentError, "no parameters"),
        (lambda w: optim.SGD(w, lr=0.1), TypeError, "one tensor"),
        (lambda w: optim.SGD([w * 2], lr=0.1), ArgumentError, "leaf tensors only.*MulBackward"),
        (lambda w: optim.SGD([w, w], lr=0.1), ArgumentError, "twice"),
        (lambda w: optim.SGD([3.0], lr=0.1), TypeError, "tensors only, got a float"),
        (lambda w: optim.SGD([{"params": {w}}], lr=0.1), TypeError, "a set has none"),
        (lambda w: optim.SGD([{"params": [w]}, [w]], lr=0.1), TypeError, "a dict with"),
        (lambda w: optim.SGD([w], lr=-1), ArgumentError, "lr must be at least 0"),
        (lambda w: optim.SGD([w], lr=float("nan")), ArgumentError, "lr must be at least 0"),
        (lambda w: optim.SGD([w], lr=0.1, nesterov=True), ArgumentError, "nesterov needs momentum"),
        (lambda w: optim.SGD([{"params": [w], "weight_deacy": 1}]), ArgumentError, "mean weight_decay"),
        (lambda w: optim.Adam([w], betas=(1.0, 0.9)), ArgumentError, "betas"),
        (lambda w: optim.Adamax([w], betas=(0.9,)), ArgumentError, "betas"),
        (lambda w: optim.NAdam([w], momentum_decay=-1), ArgumentError, "momentum_decay"),
        (lambda w: optim.RMSprop([w], alpha=1.5), ArgumentError, "alpha must be at most 1"),
        (lambda w: optim.Adagrad([w], lr_decay=-1), ArgumentError, "lr_decay"),
        (lambda w: optim.Adadelta([w], rho=2), ArgumentError, "rho must be at most 1"),
        (lambda w: optim.Lion([w], weight_decay=-1), ArgumentError, "weight_decay"),
    ],
)
def test_bad_input(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call(tk.ones(2, requires_grad=True))
