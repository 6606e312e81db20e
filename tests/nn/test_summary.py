"""The table of layers: right numbers, and a network that is left as it was."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, ShapeError


class Net(nn.Module):
    def __init__(self) -> None:
        self.body = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2, bias=False), nn.BatchNorm2d(4), nn.Dropout(), nn.ReLU())
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)
        self.head = nn.Linear(3, 5)
        self.scale = nn.Parameter(tk.ones(7))
        self.unused = nn.Linear(1, 1)

    def forward(self, x):
        return self.head(self.head.weight.sum() * self.up(self.body(x)).mean((2, 3))) + self.scale.sum()


def test_numbers() -> None:
    net = Net()
    net.unused.requires_grad_(False)
    result = nn.summary(net, (6, 2, 5, 7), verbose=False)
    rows = {row.name: row[2:] for row in result.rows}
    assert rows[""] == ((6, 5), 7, 7, 0)
    assert rows["body"] == ((6, 4, 3, 5), 0, 0, 0)
    assert rows["body.0"] == ((6, 4, 3, 5), 36, 36, 6 * 4 * 15 * 9)
    assert rows["body.1"] == ((6, 4, 3, 5), 8, 8, 0)
    assert rows["up"] == ((6, 3, 6, 10), 51, 51, 6 * 4 * 15 * 12)
    assert rows["head"] == ((6, 5), 20, 20, 90)
    assert rows["unused"] == (None, 2, 0, 0)
    assert result.parameters == sum(p.numel() for p in net.parameters()) == result.trainable + 2
    assert result.multiply_adds == 3240 + 4320 + 90
    assert "7,650" in repr(result)
    assert [row.kind for row in result.rows][:2] == ["Net", "Sequential"]


def test_text(capsys) -> None:
    result = nn.summary(Net(), (1, 2, 5, 7))
    text = capsys.readouterr().out
    assert text == f"{result}\n"
    lines = text.splitlines()
    assert lines[0].split() == ["Layer", "Type", "Output", "shape", "Parameters", "Multiply-adds"]
    assert lines[2].split() == ["(the", "network)", "Net", "(1,", "5)", "7"]
    assert lines[4].startswith("    0   ")
    assert lines[-3:] == ["Input shape: (1, 2, 5, 7)", "Parameters: 124 (124 trainable)", "Multiply-adds: 1,275"]
    nn.summary(Net(), (1, 2, 5, 7), verbose=False)
    assert not capsys.readouterr().out


def test_the_network_stays_as_it_was() -> None:
    class Restless(nn.Module):
        def __init__(self) -> None:
            self.net = Net()
            self.register_buffer("calls", tk.tensor(0))
            self.last = None

        def forward(self, x):
            self.calls += 1
            self.calls = self.calls + 1
            self.last = x + tk.randn(1)
            return self.net(x)

    net = Restless()
    net.net.body.eval()
    nn.freeze(net, net.net.body[1])
    net(tk.randn(3, 2, 5, 5)).sum().backward()
    modes = [module.training for module in net.modules()]
    state = {name: value.numpy().copy() for name, value in net.state_dict().items()}
    grads = [None if p.grad is None else p.grad.numpy().copy() for p in net.parameters()]
    last, calls, seed = net.last, net.calls, tk.get_rng_state()
    nn.summary(net, (3, 2, 5, 5), verbose=False)
    assert tk.get_rng_state() == seed
    assert [module.training for module in net.modules()] == modes
    assert net.last is last
    assert net.calls is calls
    assert all(np.array_equal(value.numpy(), state[name]) for name, value in net.state_dict().items())
    for parameter, grad in zip(net.parameters(), grads, strict=True):
        assert (parameter.grad is None) if grad is None else np.array_equal(parameter.grad.numpy(), grad)
    with pytest.raises(ShapeError):
        nn.summary(net, (3, 4, 5, 5))
    assert [module.training for module in net.modules()] == modes
    assert all(module._hooks is None for module in net.modules())


def test_a_shape_without_the_batch() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(36, 2))
    result = nn.summary(net, (3, 5, 5), verbose=False)
    assert result.input_shapes == [(1, 3, 5, 5)]
    assert result.rows[-1].output_shape == (1, 2)
    with pytest.raises(ShapeError, match=r"takes no input of shape \(7, 5\): .*; nor with a batch"):
        nn.summary(net, (7, 5))
    with pytest.raises(ArgumentError, match="expected a shape"):
        nn.summary(net, "abc")


def test_several_inputs_and_outputs() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            self.table = nn.Embedding(10, 4)
            self.mix = nn.Bilinear(4, 3, 2)

        def forward(self, indices, x):
            mixed = self.mix(self.table(indices), x)
            return {"mixed": mixed, "parts": (x, 3)}

    result = nn.summary(Pair(), ((5,), (5, 3)), dtype=[tk.int64, None], verbose=False)
    assert result.rows[0].output_shape == [(5, 2), [(5, 3)]]
    assert result.multiply_adds == 5 * 2 * 12
    assert "Input shape: (5,), (5, 3)" in str(result)
    with pytest.raises(ArgumentError, match="1 dtypes for 2"):
        nn.summary(Pair(), ((5,), (5, 3)), dtype=[tk.int64])


def test_shared_layers() -> None:
    layer = nn.Linear(3, 3)
    twin = nn.Linear(3, 3)
    twin.weight = layer.weight
    result = nn.summary(nn.Sequential(layer, layer, twin).double(), (2, 3), verbose=False)
    assert [row.parameters for row in result.rows] == [0, 12, 3]
    assert [row.multiply_adds for row in result.rows] == [0, 36, 18]
