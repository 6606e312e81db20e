"""Modules: what they find, their state, their modes."""

import copy

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, CheckpointError


class Net(nn.Module):
    def __init__(self) -> None:
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
        self.head = nn.Linear(2, 3, bias=False)
        self.scale = nn.Parameter(tk.ones(1))

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3))) * self.scale


NAMES = ["body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias", "head.weight", "scale"]
BUFFERS = ["body.1.running_mean", "body.1.running_var", "body.1.num_batches_tracked"]


def test_names() -> None:
    net = Net()
    assert sorted(name for name, _ in net.named_parameters()) == sorted(NAMES)
    assert [name for name, _ in net.named_buffers()] == BUFFERS
    assert sorted(net.state_dict()) == sorted(NAMES + BUFFERS)
    assert [name for name, _ in net.named_modules()] == ["", "body", "body.0", "body.1", "body.2", "head"]


def test_shared_parameters_come_once() -> None:
    net = Net()
    net.twin = net.head
    net.again = net.head.weight
    assert len(list(net.parameters())) == len(NAMES)


def test_state_dict_round_trip_and_forward() -> None:
    net, other = Net(), Net()
    x = tk.randn(4, 1, 5, 5)
    net(x)
    other.load_state_dict(net.state_dict())
    net.eval(), other.eval()
    assert tk.equal(net(x), other(x))
    assert not np.shares_memory(net.scale.array, other.scale.array)


def test_loading_bumps_versions() -> None:
    net = Net()
    y = net(tk.randn(2, 1, 5, 5)).sum()
    net.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="version"):
        y.backward()


def test_state_dict_that_does_not_fit() -> None:
    net = Net()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    before = {name: value.clone() for name, value in state.items()}
    del state["scale"]
    state["surplus"] = tk.ones(1)
    state["head.weight"] = tk.ones(4, 4)
    with pytest.raises(CheckpointError, match=r"head.weight has shape \(4, 4\).*missing: scale.*not part.*surplus"):
        net.load_state_dict(state)
    assert all(tk.equal(value, before[name]) for name, value in net.state_dict().items())
    del state["head.weight"]
    keys = net.load_state_dict(state, strict=False)
    assert keys.missing_keys == ["scale", "head.weight"]
    assert keys.unexpected_keys == ["surplus"]


def test_modes_and_freezing() -> None:
    net = Net()
    assert not any(module.training for module in net.eval().modules())
    assert all(module.training for module in net.train().modules())
    net.body.requires_grad_(False)
    net(tk.randn(2, 1, 5, 5)).sum().backward()
    assert net.body[0].weight.grad is None
    assert net.head.weight.grad is not None
    net.zero_grad()
    assert net.head.weight.grad is None


def test_deepcopy_is_independent() -> None:
    net = Net()
    twin = copy.deepcopy(net)
    twin.scale.array[0] = 5.0
    assert net.scale.item() == 1.0
    assert [name for name, _ in twin.named_buffers()] == BUFFERS


def test_double() -> None:
    net = Net().double()
    assert {p.dtype.name for p in net.parameters()} == {"float64"}
    assert net.body[1].num_batches_tracked.dtype == tk.int64


def test_repr() -> None:
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.ReLU())) == (
        "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): ReLU()\n)"
    )


def test_containers() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert isinstance(net[1], nn.ReLU)
    assert isinstance(net[:2], nn.Sequential)
    net[1] = nn.Tanh()
    assert isinstance(list(net)[1], nn.Tanh)
    assert len(nn.ModuleList([net, net[0]])) == 2
    with pytest.raises(ArgumentError, match="modules"):
        nn.Sequential(tk.relu)


def test_missing_forward() -> None:
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)
