"""Hooks around the call of a module, and around its backward."""

import copy
import pickle

import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import GradientError


def double(module, args):
    return args[0] * 2


class Two(nn.Module):
    def forward(self, x, y, scale=1.0):
        return x * y * scale, x + y


def test_order() -> None:
    net, seen = nn.ReLU(), []
    for name in "ab":
        net.register_forward_pre_hook(lambda m, args, name=name: seen.append(f"before {name}"))
        net.register_forward_hook(lambda m, args, out, name=name: seen.append(f"after {name}"))
    net.register_forward_pre_hook(lambda m, args: seen.append("first"), prepend=True)
    net.register_forward_hook(lambda m, args, out: seen.append("first after"), prepend=True)
    net(tk.ones(1))
    assert seen == ["first", "before a", "before b", "first after", "after a", "after b"]
    seen.clear()
    net.forward(tk.ones(1))
    assert not seen


def test_what_hooks_return_is_used() -> None:
    net = nn.Identity()
    handles = [net.register_forward_pre_hook(double), net.register_forward_pre_hook(lambda m, args: (args[0] + 1,))]
    handles.append(net.register_forward_hook(lambda m, args, out: out * 10 + args[0]))
    assert net(tk.tensor([1.0])).item() == 33.0
    for handle in handles:
        handle.remove()
    assert net(tk.tensor([1.0])).item() == 1.0
    with net.register_forward_pre_hook(double):
        assert net(tk.tensor([1.0])).item() == 2.0
    assert net(tk.tensor([1.0])).item() == 1.0


def test_arguments_by_name() -> None:
    net, seen = Two(), []
    net.register_forward_pre_hook(lambda m, args, kwargs: (args, {"scale": 3.0}), with_kwargs=True)
    net.register_forward_hook(lambda m, args, kwargs, out: seen.append((len(args), kwargs)), with_kwargs=True)
    assert net(tk.ones(1), tk.ones(1), scale=2.0)[0].item() == 3.0
    assert seen == [(2, {"scale": 3.0})]
    net.register_forward_pre_hook(lambda m, args, kwargs: args[:1], with_kwargs=True)
    with pytest.raises(RuntimeError, match="returns None or"):
        net(tk.ones(1), tk.ones(1))


def test_hooks_that_are_always_called() -> None:
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("broken")

    net, seen = Broken(), []
    net.register_forward_hook(lambda m, args, out: seen.append("plain"))
    net.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(ValueError, match="broken"):
        net(1)
    assert seen == [None]

    def fail(m, args, out):
        raise RuntimeError("a hook too")

    net.register_forward_hook(fail, always_call=True)
    with pytest.warns(UserWarning, match="a hook too"), pytest.raises(ValueError, match="broken"):
        net(1)
    other = nn.Identity()
    other.register_forward_hook(fail)
    other.register_forward_hook(lambda m, args, out: seen.append("once"), always_call=True)
    with pytest.raises(RuntimeError, match="a hook too"):
        other(1)
    assert seen[2:] == ["once"]


def test_backward_hooks_see_and_replace_gradients() -> None:
    net, seen = nn.Linear(2, 1, bias=False), []
    nn.init.ones_(net.weight)
    net.register_full_backward_pre_hook(lambda m, grads: (grads[0] * 2,))
    net.register_full_backward_hook(lambda m, before, after: seen.append((before[0].tolist(), after[0].tolist())))
    handle = net.register_full_backward_hook(lambda m, before, after: (before[0] * 10,), prepend=True)
    x = tk.tensor([[1.0, 3.0]], requires_grad=True)
    net(x).sum().backward()
    assert seen == [([[20.0, 20.0]], [[2.0]])]
    assert x.grad.tolist() == [[20.0, 20.0]]
    assert net.weight.grad.tolist() == [[2.0, 6.0]]
    handle.remove()
    net(x).sum().backward()
    assert seen[1] == ([[2.0, 2.0]], [[2.0]])


def test_several_inputs_and_outputs() -> None:
    net, seen = Two(), []
    net.register_full_backward_hook(lambda m, before, after: seen.append((before, after)))
    x, y = tk.tensor(2.0, requires_grad=True), tk.tensor(3.0)
    first, _ = net(x, y)
    first.backward()
    (before, after) = seen[0]
    assert (before[0].item(), before[1].item()) == (3.0, 0.0)
    assert (after[0].item(), after[1]) == (1.0, None)
    _, second = net(x, y)
    second.backward()
    assert seen[1][1][0] is None
    assert y.grad is None
    net.register_full_backward_pre_hook(lambda m, grads: grads[:1])
    with pytest.raises(GradientError, match="1 gradients for 2 outputs"):
        net(x, y)[0].backward()


def test_no_input_requires_grad() -> None:
    net, seen = nn.Linear(1, 1), []
    handle = net.register_full_backward_hook(lambda m, before, after: seen.append((before, after[0].item())))
    net(tk.ones(1, 1)).sum().backward()
    assert seen == [((None,), 1.0)]
    handle.remove()
    net.register_full_backward_hook(lambda m, before, after: after)
    with pytest.raises(GradientError, match="no gradient to replace"):
        net(tk.ones(1, 1)).sum().backward()
    with tk.no_grad():
        assert net(tk.ones(1, 1)).grad_fn is None


def test_hooks_and_gradients_of_gradients() -> None:
    class Cube(nn.Module):
        def forward(self, x):
            return x**3

    net, seen = Cube(), []
    net.register_full_backward_hook(lambda m, before, after: seen.append(before[0].requires_grad))
    x = tk.tensor(2.0, requires_grad=True)
    (slope,) = tk.autograd.grad(net(x), x, create_graph=True)
    slope.backward()
    assert x.grad.item() == 12.0
    assert seen[0] is True


def test_copies_keep_their_hooks() -> None:
    net = nn.Identity()
    handle = net.register_forward_pre_hook(double)
    twin, other = copy.deepcopy(net), pickle.loads(pickle.dumps(net))
    handle.remove()
    assert [each(tk.tensor([1.0])).item() for each in (net, twin, other)] == [1.0, 2.0, 2.0]
    for _ in range(3):  # the numbers of handles do not meet those that were copied
        other.register_forward_pre_hook(double)
    assert other(tk.tensor([1.0])).item() == 16.0
