"""Modules and parameters in lists and dicts."""

from collections import OrderedDict

import pytest

import trainkit as tk
from trainkit import nn


def layers(count):
    return [nn.Linear(1, 1) for _ in range(count)]


def names(module):
    return [name for name, _ in module.named_children()]


def test_sequential_of_names() -> None:
    net = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), act=nn.ReLU(), last=nn.Linear(3, 1)))
    assert net.first is net[0]
    assert names(net[1:]) == ["act", "last"]
    assert net(tk.ones(4, 2)).shape == (4, 1)
    net[-1] = nn.Tanh()
    assert isinstance(net.last, nn.Tanh)
    del net[0]
    assert names(net) == ["0", "1"]  # as PyTorch does


@pytest.mark.parametrize("given", [layers(2), tuple(layers(2)), iter(layers(2))])
def test_a_list_is_to_be_unpacked(given) -> None:
    with pytest.raises(TypeError, match=r"one by one, got a .*unpack it: Sequential\(\*layers\)"):
        nn.Sequential(given)


def test_what_sequential_refuses() -> None:
    with pytest.raises(TypeError, match="takes modules, got function"):
        nn.Sequential(tk.relu)
    with pytest.raises(TypeError, match="OrderedDict"):
        nn.Sequential({"a": nn.ReLU()})
    net = nn.Sequential(*layers(2))
    for use in (
        lambda: net[2],
        lambda: net.pop(-3),
        lambda: net.insert(4, nn.ReLU()),
        lambda: net.insert(-4, nn.ReLU()),
    ):
        with pytest.raises(IndexError, match="out of range"):
            use()
    for use in (lambda: net.append(3), lambda: net.insert(0, 3), lambda: net.extend(3), lambda: net.extend([3])):
        with pytest.raises(TypeError, match="takes"):
            use()
    for use in (lambda: net + 1, lambda: net * 0):
        with pytest.raises(ValueError, match="Sequential"):
            use()
    assert len(net) == 2


@pytest.mark.parametrize("make", [lambda parts: nn.Sequential(*parts), nn.ModuleList])
def test_lists(make) -> None:
    a, b, c, d = parts = layers(4)
    net = make(parts[:2])
    assert net.append(c) is net
    net += [d]
    assert list(net) == parts
    assert (net[-1], len(net), c in net) == (d, 4, True)
    assert list(net[::2]) == [a, c]
    assert type(net[:1]) is type(net)
    net.insert(1, d)
    assert list(net) == [a, d, b, c, d]
    assert list(net._modules) == ["0", "1", "2", "3", "4"]  # the one that is there twice, too
    assert net.pop(0) is a
    del net[1:3]
    assert list(net) == [d, d]
    assert list(net._modules) == ["0", "1"]
    net[0] = a
    assert list(net + make([b])) == [a, d, b]
    assert list(net.extend(net)) == [a, d, a, d]
    assert next(net.named_parameters())[1] is a.weight


def test_a_module_that_comes_twice_runs_twice() -> None:
    class Double(nn.Module):
        def forward(self, x):
            return x * 2

    part = Double()
    net = nn.Sequential(part, part)
    assert net(tk.ones(1)).item() == 4.0
    assert (net * 2)(tk.ones(1)).item() == 16.0
    net *= 3
    assert net(tk.ones(1)).item() == 64.0
    assert len(list(net.modules())) == 2


def test_repr_of_a_list_tells_repeats_once() -> None:
    net = nn.ModuleList([*layers(2), nn.ReLU(), nn.Sequential(nn.ReLU())])
    line = "Linear(in_features=1, out_features=1, bias=True)"
    assert repr(net) == f"ModuleList(\n  (0-1): 2 x {line}\n  (2): ReLU()\n  (3): Sequential(\n    (0): ReLU()\n  )\n)"
    assert repr(nn.ModuleList()) == "ModuleList()"
    with pytest.raises(NotImplementedError):
        net(1)


def test_module_dict() -> None:
    a, b = layers(2)
    net = nn.ModuleDict({"a": a})
    net["b"] = b
    net.update([("c", nn.ReLU())])
    net.update(nn.ModuleDict({"a": b}))
    assert list(net) == list(net.keys()) == ["a", "b", "c"]
    assert net["a"] is b
    assert dict(net.items())["b"] is next(iter(net.values()))
    assert "c" in net
    assert len(net) == 3
    assert net.pop("c").__class__ is nn.ReLU
    del net["a"]
    assert [name for name, _ in net.named_parameters()] == ["b.weight", "b.bias"]
    net.clear()
    assert not len(net)
    for use, error in [
        (lambda: net["x"], KeyError), (lambda: net.__setitem__("keys", a), KeyError),
        (lambda: net.__setitem__("a.b", a), KeyError), (lambda: net.__setitem__(1, a), TypeError),
        (lambda: net.__setitem__("x", 1), TypeError), (lambda: net.update(3), TypeError),
        (lambda: net.update([1, 2]), TypeError), (lambda: nn.ModuleDict([("a", a, b)]), ValueError),
    ]:  # fmt: skip
        with pytest.raises(error):
            use()


def test_parameter_list() -> None:
    own = nn.Parameter(tk.zeros(2, 3))
    net = nn.ParameterList([tk.ones(2), own, 3])
    assert [name for name, _ in net.named_parameters()] == ["0", "1"]
    assert net[1] is own
    assert net[-1] == 3
    net += [tk.ones(())]
    net[0] = tk.zeros(4)
    assert isinstance(net[0], nn.Parameter)
    assert len(net[1:]) == 3
    assert [getattr(value, "shape", value) for value in net] == [(4,), (2, 3), 3, ()]
    text = "ParameterList(\n    (0): Parameter containing: [float32 of size 4]\n    (1): Parameter containing: [float32 of size 2x3]\n"
    assert repr(net) == text + "    (2): Object of type: int\n    (3): Parameter containing: [float32 of size ]\n)"
    for use, error in [
        (lambda: net[9], IndexError), (lambda: net.extend(tk.ones(2)), TypeError),
        (lambda: net.extend(3), TypeError), (lambda: net(1), RuntimeError),
    ]:  # fmt: skip
        with pytest.raises(error):
            use()
    other = nn.ParameterList([tk.zeros(4), tk.zeros(2, 3), 3, tk.zeros(())])
    other.load_state_dict(net.state_dict())
    assert other[3].item() == 1


def test_parameter_dict() -> None:
    net = nn.ParameterDict({"a": tk.ones(2), "b": 3})
    assert isinstance(net["a"], nn.Parameter)
    assert list(net.state_dict()) == ["a"]
    net |= nn.ParameterDict({"c": tk.zeros(1)})
    assert list(net) == ["a", "b", "c"]
    assert list(reversed(net)) == ["c", "b", "a"]
    assert (net.get("x", 5), net.get("b"), net.setdefault("b", 7), net.setdefault("d", 8)) == (5, 3, 3, 8)
    assert net.popitem() == ("d", 8)
    assert (net | nn.ParameterDict({"e": 1}))["e"] == 1
    twin = net.copy()
    assert twin["a"] is net["a"]
    assert net.pop("b") == 3
    assert list(net.keys()) == ["a", "c"]
    assert [value.shape for value in net.values()] == [(2,), (1,)]
    assert net.fromkeys(["p", "q"], 0).items() == [("p", 0), ("q", 0)]
    assert "(a): Parameter containing: [trainkit.FloatTensor of size 2]" in repr(net)
    del net["a"]
    assert "a" not in net
    assert len(net) == 1
    net.clear()
    assert not list(net.parameters())
    for use, error in [
        (lambda: net["x"], KeyError), (lambda: net.__setitem__("keys", tk.ones(1)), KeyError),
        (lambda: net.__setitem__("training", tk.ones(1)), KeyError), (lambda: net.__setitem__(1, tk.ones(1)), TypeError),
        (lambda: net.update(3), TypeError), (lambda: net.update([1]), TypeError),
    ]:  # fmt: skip
        with pytest.raises(error):
            use()
