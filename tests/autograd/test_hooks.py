"""Hooks on gradients, retained gradients, anomaly detection."""

import gc
import weakref

import pytest

import trainkit as tk
from trainkit.errors import GradientError, ShapeError


def leaf(*values: float) -> tk.Tensor:
    return tk.tensor(list(values), requires_grad=True)


def test_hooks_run_in_order_and_replace() -> None:
    x, seen = leaf(1.0, 2.0), []
    y = x * 2.0
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: g + 1)
    y.sum().backward()
    assert seen == [[10.0, 10.0]]
    assert x.grad.tolist() == [21.0, 21.0]


def test_removed_hooks_rest() -> None:
    x = leaf(1.0)
    with x.register_hook(lambda g: g * 5):
        (x * 1.0).sum().backward()
    handle = x.register_hook(lambda g: g * 5)
    handle.remove()
    handle.remove()
    (x * 1.0).sum().backward()
    assert x.grad.tolist() == [6.0]


def test_hook_runs_once_for_the_whole_gradient() -> None:
    x, calls = leaf(3.0), []
    y = x * 1.0
    y.register_hook(lambda g: calls.append(g.item()))
    (y * y + y).sum().backward()
    assert calls == [7.0]


def test_changing_the_gradient_in_a_hook_changes_no_other() -> None:
    a, b = leaf(1.0), leaf(1.0)
    a.register_hook(lambda g: g.mul_(100))
    (a + b).sum().backward()
    assert a.grad.tolist() == [100.0]
    assert b.grad.tolist() == [1.0]


def test_hooks_under_create_graph_are_recorded() -> None:
    x = leaf(2.0)
    x.register_hook(lambda g: g * 3)
    (slope,) = tk.grad((x**3).sum(), x, create_graph=True)
    assert slope.tolist() == [36.0]
    slope.sum().backward()
    assert x.grad.tolist() == [3 * 3 * 6 * 2.0]


def test_bad_hooks() -> None:
    with pytest.raises(GradientError, match="does not require grad"):
        tk.ones(1).register_hook(print)
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: 5)
    with pytest.raises(GradientError, match="int"):
        (x * 1.0).sum().backward()
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(ShapeError, match=r"\(\)"):
        (x * 1.0).sum().backward()


def test_hook_stays_with_the_values_that_it_was_set_on() -> None:
    x, seen = leaf(1.0), []
    y = x * 2.0
    y.register_hook(lambda g: seen.append(g.item()))
    y.mul_(10.0)
    y.sum().backward()
    assert seen == [10.0]


def test_retained_gradient() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2.0
    assert not y.retains_grad
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad
    y.register_hook(lambda g: g * 2)
    for times in (1, 2):
        (y * 3.0).sum().backward(retain_graph=True)
        assert y.grad.tolist() == [6.0 * times] * 2, "after the hooks, and accumulated"
    x.retain_grad()
    assert not x.retains_grad
    with pytest.raises(GradientError, match="require grad"):
        tk.ones(1).retain_grad()


def test_retained_gradient_follows_a_change_in_place_and_holds_no_tensor() -> None:
    x = leaf(1.0)
    y = x * 2.0
    y.retain_grad()
    y.mul_(10.0)
    (y * 3.0).sum().backward()
    assert y.grad.tolist() == [3.0]
    gc.disable()
    try:
        z = x * 2.0
        z.retain_grad()
        out, gone = z * 1.0, weakref.ref(z)
        del z
        assert gone() is None
        out.sum().backward()
    finally:
        gc.enable()


def test_hook_after_accumulation() -> None:
    x, seen = leaf(1.0), []
    handle = x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.item()))
    (x * 2.0).sum().backward()
    (x * 2.0).sum().backward()
    handle.remove()
    (x * 2.0).sum().backward()
    assert seen == [2.0, 4.0]
    with pytest.raises(GradientError, match="leaf"):
        (x * 1.0).register_post_accumulate_grad_hook(print)


def test_anomaly_names_the_line() -> None:
    x = leaf(0.0)
    with tk.autograd.detect_anomaly():
        assert tk.autograd.is_anomaly_enabled()
        y = x.sqrt()  # the line to be named
        with pytest.raises(GradientError, match=r"(?s)sqrt returned NaN .*test_hooks.py.*the line to be named"):
            (y * 0.0).sum().backward()
    assert not tk.autograd.is_anomaly_enabled()
    with tk.autograd.set_detect_anomaly(True, check_nan=False):
        (x.sqrt() * 0.0).sum().backward()
    assert x.grad.isnan().tolist() == [True]


def test_anomaly_of_a_graph_recorded_before() -> None:
    y = (leaf(0.0).sqrt() * 0.0).sum()
    with tk.autograd.detect_anomaly(), pytest.raises(GradientError, match="before anomaly detection"):
        y.backward()
