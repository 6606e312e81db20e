"""Modules: what they find, their state, their modes."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, DTypeError


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


def test_casts() -> None:
    net = Net()
    net(tk.ones(1, 1, 5, 5)).sum().backward()
    weight = net.head.weight
    assert net.double() is net
    assert net.head.weight is weight
    assert {p.dtype.name for p in net.parameters()} == {"float64"} == {p.grad.dtype.name for p in net.parameters()}
    assert net.body[1].running_mean.dtype == tk.float64
    assert net.body[1].num_batches_tracked.dtype == tk.int64
    assert net.half().scale.dtype == tk.float16
    assert net.to(tk.ones(1)).scale.dtype == tk.float32
    assert net.to("cpu", tk.float64).scale.dtype == tk.float64
    assert net.to(dtype=tk.float32, non_blocking=True).cpu().float() is net
    assert net.to("cpu").scale.dtype == tk.float32
    assert net.type(tk.float64).body[1].num_batches_tracked.dtype == tk.float64
    with pytest.raises(TypeError, match="floating point"):
        net.to(tk.int64)
    with pytest.raises(DTypeError, match="floating point"):
        net.type(tk.int64)
    for move in (lambda: net.cuda(), lambda: net.to("cuda:0")):
        with pytest.raises(ArgumentError, match="is not available"):
            move()


def test_repr() -> None:
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.ReLU())) == (
        "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): ReLU()\n)"
    )


def test_missing_forward() -> None:
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)


def test_the_order_of_registration_is_that_of_names() -> None:
    net = nn.Module()
    net.register_buffer("b", tk.ones(1))
    net.part = nn.Linear(1, 1)
    net.p = nn.Parameter(tk.ones(1))
    net.register_buffer("c", tk.ones(1), persistent=False)
    assert list(net.state_dict()) == ["p", "b", "part.weight", "part.bias"]
    assert [name for name, _ in net.named_parameters("net")] == ["net.p", "net.part.weight", "net.part.bias"]
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["p"]
    assert [name for name, _ in net.named_buffers()] == ["b", "c"]
    assert [b.item() for b in net.buffers(recurse=False)] == [1.0, 1.0]
    assert [name for name, _ in net.named_modules(prefix="net")] == ["net", "net.part"]


def test_duplicates() -> None:
    net = Net()
    net.twin = net.head
    assert [name for name, _ in net.named_children()] == ["body", "head"]
    assert [name for name, _ in net.named_modules(remove_duplicate=False)][-2:] == ["head", "twin"]
    names = [name for name, _ in net.named_parameters(remove_duplicate=False)]
    assert names[-2:] == ["head.weight", "twin.weight"]
    assert list(net.state_dict())[-2:] == ["head.weight", "twin.weight"]
    memo = {net.head}
    assert "head" not in dict(net.named_modules(memo))
    assert net.body in memo


def test_what_an_assignment_does() -> None:
    net = nn.Module()
    net.plain = tk.ones(1)
    assert not list(net.parameters()) + list(net.buffers())
    net.weight = nn.Parameter(tk.ones(1))
    net.register_buffer("mean", tk.zeros(1))
    net.part = nn.ReLU()
    for name, value in [("weight", tk.ones(1)), ("weight", 3), ("mean", 3), ("part", 3), ("weight", nn.ReLU())]:
        with pytest.raises(TypeError, match=f"{name} is a"):
            setattr(net, name, value)
    net.mean = tk.ones(1)
    assert next(net.buffers()) is net.mean
    net.weight, net.part, net.mean = None, None, None
    assert not list(net.parameters()) + list(net.children()) + list(net.buffers())
    assert not net.state_dict()
    assert "(part): None" in repr(net)
    with pytest.raises(TypeError, match="weight is a parameter"):
        net.weight = tk.ones(1)
    net.weight, net.part = nn.Parameter(tk.ones(1)), nn.Tanh()
    del net.weight, net.part, net.mean
    net.weight = tk.ones(1)
    assert not net._modules
    assert not list(net.parameters())
    with pytest.raises(AttributeError):
        del net.weights
    net.plain = nn.Parameter(tk.ones(1))  # what was plain becomes a parameter
    net.plain = None
    net.register_buffer("again", tk.ones(1))
    net.again = nn.Parameter(tk.ones(1))  # a buffer becomes a parameter, and a parameter a module only when deleted
    assert [name for name, _ in net.named_parameters()] == ["again"]


@pytest.mark.parametrize("register", ["register_parameter", "register_buffer", "add_module", "register_module"])
def test_names_that_are_refused(register) -> None:
    net = nn.Linear(1, 1)
    net.taken = 3
    for name, error in [("", KeyError), ("a.b", KeyError), ("taken", KeyError), ("forward", KeyError), (3, TypeError)]:
        with pytest.raises(error, match="name"):
            getattr(net, register)(name, None)
    with pytest.raises(TypeError, match="takes"):
        getattr(net, register)("x", 3)
    getattr(net, register)("x", None)
    assert net.x is None
    with pytest.raises(TypeError, match="takes"):
        net.x = 3


def test_parameters_that_are_refused() -> None:
    net = nn.Module()
    with pytest.raises(KeyError, match="method"):
        net.train = nn.Parameter(tk.ones(1))
    weight = nn.Parameter(tk.ones(2), requires_grad=False)
    weight.mul_(tk.ones(2, requires_grad=True))
    with pytest.raises(ArgumentError, match="no leaf"):
        net.register_parameter("weight", weight)


def test_a_property_with_a_setter_keeps_its_right() -> None:
    class Wrapped(nn.Module):
        @property
        def core(self):
            return self.inner

        @core.setter
        def core(self, value) -> None:
            self.inner = value

    net = Wrapped()
    net.core = nn.ReLU()
    assert [name for name, _ in net.named_children()] == ["inner"]


def test_dotted_names() -> None:
    net = Net()
    assert net.get_submodule("") is net
    assert net.get_submodule("body.0") is net.body[0]
    assert net.get_parameter("body.0.bias") is net.body[0].bias
    assert net.get_buffer("body.1.running_var") is net.body[1].running_var
    for get, name in [
        (net.get_submodule, "body.7"), (net.get_submodule, "scale"), (net.get_parameter, "body.0.nothing"),
        (net.get_parameter, "body.1.running_mean"), (net.get_buffer, "scale"), (net.get_buffer, "training"),
    ]:  # fmt: skip
        with pytest.raises(AttributeError, match=name.rsplit(".", 1)[-1]):
            get(name)
    net.set_submodule("body.2", nn.Tanh())
    assert isinstance(net.body[2], nn.Tanh)
    net.set_submodule("body.9", nn.ReLU())
    with pytest.raises(AttributeError):
        net.set_submodule("body.10", nn.ReLU(), strict=True)
    with pytest.raises(AttributeError, match="no module"):
        net.set_submodule("scale", nn.ReLU())
    for name, module in [("", nn.ReLU()), ("body.0", 3)]:
        with pytest.raises(ValueError, match="name and a module"):
            net.set_submodule(name, module)


def test_the_dicts_of_pytorch() -> None:
    """Scripts replace modules by `_modules[name] = ...` and loop over `_modules.values()`."""
    net = Net()
    for name, module in net.body._modules.items():
        if isinstance(module, nn.ReLU):
            net.body._modules[name] = nn.Tanh()
    assert isinstance(net.body[2], nn.Tanh)
    assert list(net._parameters) == ["scale"]
    net.register_buffer("held", tk.ones(1), persistent=False)
    net._buffers["held"] = tk.zeros(1)
    assert net.held.item() == 0
    assert "held" not in net.state_dict()
    del net._modules["head"]
    assert not hasattr(net, "head")
    assert len(net._modules) == 1
    with pytest.raises(KeyError):
        net._parameters["body"]
    assert repr(net._modules).startswith("{'body': Sequential(")


def test_modes_reach_the_methods_of_the_parts() -> None:
    class Fixed(nn.Sequential):
        def train(self, mode=True):
            super().train(mode)
            return super().train(False)

    net = nn.Sequential(Fixed(nn.BatchNorm2d(1)), nn.BatchNorm2d(1)).train()
    assert [net[0][0].training, net[1].training] == [False, True]
    with pytest.raises(ValueError, match="True or False"):
        net.train(1)


def test_gradients_of_all() -> None:
    net = Net().requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    net.requires_grad_()
    net(tk.ones(1, 1, 5, 5)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all((p.grad == 0).all() for p in net.parameters())


def test_apply_goes_from_the_inside_out() -> None:
    seen = []
    net = Net()
    assert net.apply(seen.append) is net
    assert seen[-1] is net
    assert seen[:4] == [*net.body, net.body]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies(copied) -> None:
    net = Net().eval()
    net.twin = net.head
    net.register_buffer("held", tk.ones(1), persistent=False)
    other = copied(net)
    assert other.twin is other.head is not net.head
    assert list(other.state_dict()) == list(net.state_dict())
    assert not other.training
    x = tk.randn(2, 1, 5, 5)
    assert tk.equal(net(x), other(x))
    other.extra = nn.Parameter(tk.ones(1))
    assert "extra" not in net.state_dict()


def test_a_shallow_copy_shares_values_and_registers_for_itself() -> None:
    net = Net()
    other = copy.copy(net)
    assert other.head is net.head
    other.extra = nn.Parameter(tk.ones(1))
    assert len(list(net.parameters())) == len(NAMES)
    del other.scale
    assert "scale" in dict(net.named_parameters())


def test_dir_lists_no_numbers() -> None:
    assert "0" not in dir(nn.Sequential(nn.ReLU()))
    assert "weight" in dir(nn.Linear(1, 1))


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: [nn.ReLU()], "ModuleList"), (lambda: (nn.ReLU(),), "ModuleList"), (lambda: {"a": nn.ReLU()}, "ModuleDict"),
        (lambda: [nn.Parameter(tk.ones(1))], "ParameterList"), (lambda: {"a": nn.Parameter(tk.ones(1))}, "ParameterDict"),
    ],
)  # fmt: skip
def test_modules_in_a_plain_list_are_warned_of_once(make, wanted) -> None:
    class Hiding(nn.Module):
        def __init__(self) -> None:
            self.layers = make()

    Hiding.__qualname__ += f"[{wanted}, {type(make()).__name__}]"
    with pytest.warns(
        UserWarning, match=rf"Hiding.layers is a plain {type(make()).__name__} .*use nn.{wanted}"
    ) as seen:
        Hiding()
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Hiding()
        list(Hiding().parameters())


def test_a_list_that_is_filled_later_is_warned_of_when_parameters_are_asked_for() -> None:
    class Filled(nn.Module):
        def __init__(self) -> None:
            self.layers = []
            self.layers.append(nn.Linear(1, 1))

    net = Filled()
    with pytest.warns(UserWarning, match="Filled.layers"):
        assert not list(net.parameters())


def test_lists_that_hide_nothing() -> None:
    net = nn.Module()
    net.a, net.sizes = nn.Linear(1, 1), [1, 2]
    net.layers, net.shared = [net.a], {"w": net.a.weight}
    net.stages = []
    net.b = nn.ReLU()
    net.stages.append(net.b)
    assert len(list(net.parameters())) == 2


def test_repr_of_several_lines() -> None:
    class Lines(nn.Module):
        def extra_repr(self):
            return "a=1\nb=2"

    net = Lines()
    assert repr(net) == "Lines(\n  a=1\n  b=2\n)"
    net.part = nn.ReLU()
    assert repr(net) == "Lines(\n  a=1\n  b=2\n  (part): ReLU()\n)"


@pytest.mark.parametrize("given", [np.ones((2, 3), "f"), [[1.0, 2.0, 3.0]], None, 3.0])
@pytest.mark.parametrize(
    "layer", [nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2)), nn.BatchNorm1d(3), nn.Conv1d(3, 2, 1)]
)
def test_what_is_no_tensor_is_told(layer, given):
    with pytest.raises(TypeError, match=rf"was given a {type(given).__name__} where it needs a tensor.*as_tensor"):
        layer(given)


def test_an_error_in_a_forward_of_ones_own_stays():
    class Net(nn.Module):
        def forward(self, x):
            return x.no_such_method()

    with pytest.raises(AttributeError, match="no_such_method"):
        Net()(tk.ones(2))
