"""Optimizers against their formulas in float64, their groups, their state; schedules."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn, optim
from trainkit.errors import ArgumentError, CheckpointError
from trainkit.optim.lr_scheduler import LambdaLR, StepLR


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


CASES = [
    (optim.SGD, sgd, {"lr": 0.1}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    (optim.Adam, adam, {"lr": 0.01}),
    (optim.Adam, adam, {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True}),
    (optim.AdamW, lambda *a, **k: adam(*a, **k, decoupled=True), {"lr": 0.01, "weight_decay": 0.1}),
    (optim.AdamW, lambda *a, **k: adam(*a, **k, decoupled=True), {"lr": 0.01, "weight_decay": 0.1, "maximize": True}),
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
        np.testing.assert_allclose(
            param.detach().numpy(), expected, rtol=2e-4 if dtype == "float32" else 1e-10, atol=1e-6
        )


def test_params_without_gradient_are_left_alone_and_catch_up() -> None:
    for cls in (lambda p: optim.SGD(p, lr=0.1, momentum=0.9), lambda p: optim.Adam(p, lr=0.1)):
        a, b, alone = (tk.ones(2, requires_grad=True) for _ in range(3))
        together, single = cls([a, b]), cls([alone])
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
    optimizer.add_param_group({"params": extra})
    assert len(optimizer.param_groups) == 3
    assert "group 2: 1 parameters" in repr(optimizer)


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


def test_state_dict_goes_on_exactly() -> None:
    def train(w: tk.Tensor, optimizer: optim.Optimizer, steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            (w * w * w).sum().backward()
            optimizer.step()

    w = tk.tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.Adam([w], lr=0.1)
    train(w, optimizer, 3)
    twin = w.detach().clone().requires_grad_()
    other = optim.Adam([twin], lr=0.9)
    other.load_state_dict(optimizer.state_dict())
    train(w, optimizer, 3)
    train(twin, other, 3)
    assert tk.equal(w, twin)
    assert other.param_groups[0]["lr"] == 0.1


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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: optim.SGD([], lr=0.1), "no parameters"),
        (lambda w: optim.SGD(w, lr=0.1), "one tensor"),
        (lambda w: optim.SGD([w * 2], lr=0.1), "leaf tensors only.*MulBackward"),
        (lambda w: optim.SGD([w, w], lr=0.1), "twice"),
        (lambda w: optim.SGD([w], lr=-1), "lr must be at least 0"),
        (lambda w: optim.SGD([w], lr=0.1, nesterov=True), "nesterov needs momentum"),
        (lambda w: optim.SGD([{"params": [w], "speed": 1}], lr=0.1), "no option speed"),
        (lambda w: optim.Adam([w], betas=(1.0, 0.9)), "betas"),
        (lambda w: optim.Adam([tk.ones(2, 3, requires_grad=True).detach().T.requires_grad_()]), "contiguous"),
        (lambda w: StepLR(optim.SGD([w], lr=0.1), 0), "step_size"),
    ],
)
def test_bad_input(call, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call(tk.ones(2, requires_grad=True))


def test_schedules() -> None:
    optimizer = optim.SGD([tk.ones(1, requires_grad=True)], lr=0.8)
    schedule = StepLR(optimizer, step_size=2, gamma=0.5)
    rates = []
    for _ in range(5):
        rates += schedule.get_last_lr()
        schedule.step()
    assert rates == [0.8, 0.8, 0.4, 0.4, 0.2]
    twin = LambdaLR(optim.SGD([tk.ones(1, requires_grad=True)], lr=0.8), lambda step: 1 / (1 + step))
    twin.load_state_dict({"last_epoch": 3, "base_lrs": [0.8]})
    assert twin.get_last_lr() == [0.2]
