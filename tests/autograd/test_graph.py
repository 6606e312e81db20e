"""The graph: accumulation, modes, versions, views, memory."""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import trainkit as tk
from trainkit.autograd.graph import Node
from trainkit.errors import GradientError, InPlaceError, ShapeError


def leaf(*values: float) -> tk.Tensor:
    return tk.tensor(list(values), requires_grad=True)


def test_gradients_accumulate_and_double_exactly() -> None:
    x = tk.randn(5, requires_grad=True)
    for _ in range(2):
        (x.exp() * x).sum().backward()
    once = tk.grad((x.exp() * x).sum(), x)[0]
    assert tk.equal(x.grad, once * 2)


def test_one_tensor_on_several_paths() -> None:
    x = leaf(3.0)
    y = x * x
    (y + y * x + x).sum().backward()
    assert x.grad.tolist() == [2 * 3 + 3 * 9 + 1]


def test_leaves_never_share_a_gradient_array() -> None:
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (a + b).sum().backward()
    a.grad.mul_(10.0)
    assert b.grad.tolist() == [1.0, 1.0]


def test_given_gradient_is_not_changed() -> None:
    a = leaf(1.0, 2.0)
    given = tk.ones(2)
    (a + 0.0).backward(given)
    (a + 0.0).backward(given)
    assert given.tolist() == [1.0, 1.0]
    assert a.grad.tolist() == [2.0, 2.0]


def test_backward_begins_at_one_element() -> None:
    with pytest.raises(GradientError, match="one element"):
        (leaf(1.0, 2.0) * 2).backward()
    with pytest.raises(ShapeError, match=r"\(3,\)"):
        (leaf(1.0, 2.0) * 2).backward(tk.ones(3))


def test_backward_without_a_graph() -> None:
    with pytest.raises(GradientError, match="no graph"):
        tk.ones(1).backward()


def test_second_walk_names_retain_graph() -> None:
    y = (leaf(1.0) * leaf(2.0)).sum()
    y.backward()
    with pytest.raises(GradientError, match="retain_graph=True"):
        y.backward()


def test_retain_graph() -> None:
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [8.0]


def test_grad_leaves_no_trace_and_reports_unused() -> None:
    x, z = leaf(2.0), leaf(1.0)
    y = (x * x).sum()
    with pytest.raises(GradientError, match="allow_unused"):
        tk.grad(y, [x, z], retain_graph=True)
    gradient, unused = tk.grad(y, [x, z], allow_unused=True)
    assert gradient.tolist() == [4.0]
    assert unused is None
    assert x.grad is None


def test_grad_of_an_inner_tensor() -> None:
    x = leaf(2.0)
    y = x * 3.0
    (gradient,) = tk.grad((y * y).sum(), y)
    assert gradient.tolist() == [12.0]


def test_backward_for_chosen_inputs() -> None:
    a, b = leaf(2.0), leaf(3.0)
    (a * b).sum().backward(inputs=[b])
    assert a.grad is None
    assert b.grad.tolist() == [2.0]


def test_third_derivative() -> None:
    x = leaf(2.0)
    y = x**4
    for expected in (32.0, 48.0, 48.0):
        (y,) = tk.grad(y.sum(), x, create_graph=True)
        assert y.tolist() == [expected]


def test_modes_nest_and_survive_exceptions() -> None:
    with tk.no_grad():
        assert not tk.is_grad_enabled()
        with tk.enable_grad():
            assert tk.is_grad_enabled()
        assert not tk.is_grad_enabled()
    with pytest.raises(RuntimeError, match="boom"), tk.no_grad():
        raise RuntimeError("boom")
    assert tk.is_grad_enabled()


def test_mode_as_decorator_and_at_once() -> None:
    @tk.no_grad()
    def plain() -> bool:
        return tk.is_grad_enabled()

    @tk.set_grad_enabled(False)
    def decorated() -> bool:
        return tk.is_grad_enabled()

    @tk.no_grad()
    def steps():
        yield tk.is_grad_enabled()
        yield tk.is_grad_enabled()

    assert not plain()
    assert not decorated()
    assert tk.is_grad_enabled()
    for enabled in steps():
        assert not enabled
        assert tk.is_grad_enabled(), "the mode of a generator must not leak into its consumer"
    tk.set_grad_enabled(False)
    assert not tk.is_grad_enabled()
    tk.set_grad_enabled(True)


def test_modes_are_per_thread() -> None:
    seen = []
    with tk.no_grad():
        thread = threading.Thread(target=lambda: seen.append(tk.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_two_threads_walk_their_own_graphs() -> None:
    def work(results: list, seed: int) -> None:
        x = tk.full((50,), float(seed), requires_grad=True)
        for _ in range(50):
            x.grad = None
            y = x
            for _ in range(20):
                y = y * 1.0 + x
            y.sum().backward()
        results.append(x.grad.tolist() == [21.0] * 50)

    results: list = []
    threads = [threading.Thread(target=work, args=(results, i)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True, True]


def test_saved_tensor_changed_in_place() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x * w
    z = (y * y).sum()
    y.mul_(2.0)
    with pytest.raises(InPlaceError, match=r"mul saved its argument 0 of shape \(2,\) at version 0.*version 1.*clone"):
        z.backward()


def test_saved_output_changed_in_place() -> None:
    y = leaf(1.0).exp()
    z = y.sum()
    y.add_(1.0)
    with pytest.raises(InPlaceError, match="exp saved its output"):
        z.backward()


def test_change_that_nothing_saved_is_fine() -> None:
    x = leaf(1.0, 2.0)
    y = x + 1.0
    z = y + 1.0
    y.mul_(5.0)
    z.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_change_through_a_view_or_detach_is_seen() -> None:
    for alias in (lambda t: t.detach(), lambda t: t.detach()[0:1]):
        y = leaf(1.0, 2.0) * 1.0
        z = (y * y).sum()
        alias(y).fill_(7.0)
        with pytest.raises(InPlaceError):
            z.backward()


def test_leaf_cannot_be_changed_in_place_but_under_no_grad() -> None:
    x = leaf(1.0)
    with pytest.raises(GradientError, match="leaf"):
        x.add_(1.0)
    with pytest.raises(GradientError, match="leaf"):
        x[0] = 1.0
    with pytest.raises(GradientError, match="leaf"):
        x[:].fill_(2.0)
    with tk.no_grad():
        x.add_(1.0)
    assert x.tolist() == [2.0]


def test_recorded_change_in_place_has_the_gradient() -> None:
    x, identity = leaf(1.0, 2.0), leaf(5.0, 6.0)
    out = x * 2.0
    out += identity
    out[0] = identity[1] * 3.0
    (out * tk.tensor([10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [0.0, 200.0]
    assert identity.grad.tolist() == [0.0, 130.0]


def test_setting_items_of_a_plain_tensor_records_the_value() -> None:
    w = leaf(2.0)
    x = tk.zeros(3)
    x[1] = w[0] * w[0]
    x.sum().backward()
    assert w.grad.tolist() == [4.0]


def test_graph_is_freed_without_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        x = tk.randn(3, 3, requires_grad=True)
        y = (x.exp() @ x).relu().sum()
        nodes = weakref.WeakSet()
        array = weakref.ref(y)
        y.backward()
        del y
        assert array() is None
        for _ in range(200):
            z = x
            for _ in range(5):
                z = z * x
            z.sum().backward()
        del z
        alive = [o for o in gc.get_objects() if isinstance(o, Node)]
        assert not alive
        assert not nodes
    finally:
        gc.enable()


def test_memory_is_flat_over_many_steps() -> None:
    """Ten thousand steps of everything that records, with the collector off, leave no block of memory behind."""
    w, b = tk.randn(3, 3, requires_grad=True), tk.zeros(3, requires_grad=True)
    x, kept = tk.randn(4, 3), []

    def step() -> None:
        w.grad = b.grad = None
        hidden = (x @ w + b).relu() * 1.0
        hidden.retain_grad()
        hidden[0].mul_(2.0)
        hidden.register_hook(kept.append)
        (slope,) = tk.grad((hidden * hidden).sum(), w, create_graph=True)
        (slope.sum() + hidden.mean()).backward()
        kept.clear()

    gc.collect()
    gc.disable()
    try:
        for _ in range(2_000):  # numpy and Python fill their free lists
            step()
        before = sys.getallocatedblocks()
        for _ in range(10_000):
            step()
        assert sys.getallocatedblocks() - before < 100
        assert not [o for o in gc.get_objects() if isinstance(o, Node)]
    finally:
        gc.enable()


def test_inner_values_die_with_the_op_that_needs_them_not() -> None:
    x = tk.ones(3, requires_grad=True)
    inner = x + 1.0
    array = weakref.ref(inner)
    outer = inner + 1.0
    del inner
    assert array() is None, "edges must not run to tensors"
    outer.sum().backward()


def test_deep_chain_runs_and_dies_without_recursion() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(50_000):
        y = y + 1.0
    y.sum().backward()
    assert x.grad.tolist() == [1.0]
    y = x
    for _ in range(50_000):
        y = y + 1.0
    del y  # freed without having been walked


def test_what_saved_no_array_is_walked_again_as_in_pytorch() -> None:
    x = leaf(1.0, 2.0)
    y = (x + 1.0).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_inference_mode_nests_and_decorates() -> None:
    @tk.inference_mode
    def plain() -> bool:
        return tk.is_grad_enabled()

    @tk.no_grad
    def also_plain() -> bool:
        return tk.is_grad_enabled()

    assert not plain()
    assert not also_plain()
    with tk.inference_mode():
        assert tk.is_inference_mode_enabled()
        with tk.inference_mode(False):
            assert tk.is_grad_enabled()
            assert not tk.is_inference_mode_enabled()
        assert not tk.is_grad_enabled()
        x = tk.ones(2)
    assert not tk.is_inference_mode_enabled()
    (x * leaf(1.0, 2.0)).sum().backward()


def test_no_grad_records_nothing() -> None:
    with tk.no_grad():
        assert (leaf(1.0) * 2).grad_fn is None


def test_repr_of_nodes() -> None:
    assert repr((leaf(1.0) * 2).grad_fn) == "<MulBackward>"
    assert (leaf(1.0) * 2).grad_fn.next_functions[1] == (None, 0)


def test_infinite_and_nan_gradients_come_without_warnings() -> None:
    for function in (tk.log, tk.sqrt, lambda x: 1.0 / x, lambda x: x**-2):
        x = leaf(0.0)
        function(x).sum().backward()
        assert np.isinf(x.grad.item())
