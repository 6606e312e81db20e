"""Changes in place, of tensors and through views: PyTorch's gradients, or an error, never a wrong gradient."""

import gc
import weakref

import numpy as np
import pytest

import trainkit as tk
from trainkit.autograd.inplace import put_view
from trainkit.errors import DTypeError, GradientError, InPlaceError, ShapeError


def leaf(*values: float) -> tk.Tensor:
    return tk.tensor(list(values), requires_grad=True)


def test_change_through_a_view_reaches_the_base() -> None:
    x, w = leaf(1.0, 2.0, 3.0), leaf(10.0)
    y = x * 2.0
    y[1:].mul_(w)
    (y * tk.tensor([1.0, 2.0, 4.0])).sum().backward()
    assert y.tolist() == [2.0, 40.0, 60.0]
    assert x.grad.tolist() == [2.0, 40.0, 80.0]
    assert w.grad.tolist() == [2.0 * 4.0 + 4.0 * 6.0]


def test_view_takes_its_history_anew_when_its_base_changed() -> None:
    x = leaf(1.0, 2.0)
    y = x * 1.0
    view = y[0:1]
    y.mul_(3.0)
    assert view.tolist() == [3.0]
    (view * 5.0).sum().backward()
    assert x.grad.tolist() == [15.0, 0.0]


def test_views_of_views_and_siblings() -> None:
    x = tk.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    y = x + 0.0
    sibling = y[1]
    y.T[1:].reshape(4)[:2].mul_(10.0)  # the reshape of this layout is a copy: y stays
    assert y.tolist() == x.tolist()
    y.T[1:][0].mul_(10.0)
    assert y[:, 1].tolist() == [10.0, 40.0]
    sibling.sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0, 0.0], [1.0, 10.0, 1.0]]


def test_recorded_value_written_through_a_view_of_a_plain_tensor() -> None:
    w = leaf(2.0, 3.0)
    x = tk.zeros(2, 2)
    x[0].copy_(w)
    x.view(4)[3] = w[0] * w[1]
    assert x.requires_grad
    x.sum().backward()
    assert w.grad.tolist() == [1.0 + 3.0, 1.0 + 2.0]


def test_old_values_that_the_op_itself_needs_are_kept() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x * 1.0
    y *= w
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]
    assert w.grad.tolist() == [1.0, 2.0]


def test_old_values_that_an_earlier_op_needs_are_missed() -> None:
    y = leaf(1.0, 2.0) * 1.0
    z = (y * y).sum()
    y[0:1].add_(1.0)
    with pytest.raises(InPlaceError, match="version 1"):
        z.backward()


def test_filling_cuts_the_history_to_zeros() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2.0
    y.zero_()
    assert y.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_second_derivative_through_a_changed_view() -> None:
    x = leaf(1.0, 2.0)
    y = x * x
    y[0:1].mul_(x[1:2])
    (slope,) = tk.grad((y * y).sum(), x, create_graph=True)
    # y = (x0^2 x1, x1^2): the sum of squares is x0^4 x1^2 + x1^4
    assert slope.tolist() == [4 * 1 * 4, 2 * 1 * 2 + 4 * 8]
    assert tk.grad(slope.sum(), x)[0].tolist() == [12 * 4 + 8 * 2, 8 * 2 + 2 + 12 * 4]


def test_view_of_another_layout_is_found_by_its_places() -> None:
    base = tk.from_numpy(np.arange(6.0).reshape(3, 2).T)
    w = leaf(1.0).double().detach().requires_grad_()
    flat = base.T.view(6)
    flat[1:3].mul_(w)
    base[1].sum().backward()
    assert w.grad.tolist() == [1.0]
    out = put_view(np.zeros((2, 3)), 7.0, ((lambda a: a.T.reshape(6), ()),))
    assert (out == 7.0).all()


def test_leaves_and_views_of_leaves_raise_outside_no_grad() -> None:
    x = leaf(1.0, 2.0)
    for change in (
        lambda: x.add_(1.0),
        lambda: x[0:1].mul_(2.0),
        lambda: x.__setitem__(0, 1.0),
        lambda: x.view(2).zero_(),
        lambda: x.copy_(x + 1),
    ):
        with pytest.raises(GradientError, match="leaf"):
            change()
    assert x.tolist() == [1.0, 2.0]
    with tk.no_grad():
        x[0:1].mul_(5.0)
    assert x.tolist() == [5.0, 2.0]
    assert x.is_leaf


def test_view_made_under_no_grad_and_changed_where_gradients_are_recorded() -> None:
    y = leaf(1.0, 2.0) * 1.0
    with tk.no_grad():
        view = y[0:1]
    with pytest.raises(InPlaceError, match="under no_grad"):
        view.mul_(2.0)
    assert not view.requires_grad
    y.mul_(2.0)
    assert not view.requires_grad, "a view made under no_grad has no history to take"


def test_what_cannot_be_written() -> None:
    with pytest.raises(InPlaceError, match="one place in memory"):
        tk.zeros(1, 3).expand(2, 3).add_(1.0)
    array = np.zeros(3)
    array.flags.writeable = False
    with pytest.raises(InPlaceError, match="read-only"):
        tk.Tensor.add_(tk.autograd.wrap(array), 1.0)
    with pytest.raises(ShapeError, match="out-of-place"):
        tk.zeros(3).add_(tk.zeros(2, 3))
    with pytest.raises(DTypeError, match="cannot hold"):
        tk.tensor([1, 2]).add_(0.5)


def test_integers_stay_integers() -> None:
    x = tk.tensor([1, 2])
    x += 1
    x *= tk.tensor([2, 2], dtype="int8")
    assert x.tolist() == [4, 6]
    assert x.dtype == tk.int64


def test_index_arrays_are_kept_as_they_were() -> None:
    x, index = leaf(1.0, 2.0, 3.0), tk.tensor([0, 1])
    y = x[index]
    z = x * 1.0
    z[index] = 5.0
    index.add_(1)
    (y.sum() + z.sum()).backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_values_of_another_dtype() -> None:
    w = tk.tensor([1.5], dtype="float64", requires_grad=True)
    x = tk.zeros(2)
    x[1:] = w * 2
    x.sum().backward()
    assert x.dtype == tk.float32
    assert w.grad.dtype == tk.float64


def test_detach_in_place() -> None:
    y = leaf(1.0) * 2.0
    assert y.detach_() is y
    assert y.is_leaf
    with pytest.raises(GradientError, match="base"):
        (leaf(1.0, 2.0) * 1.0)[0:1].detach_()


def test_many_changes_leave_nothing_behind() -> None:
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = x * 1.0
        view = y[0:1]
        for _ in range(50):
            y += 1.0
            view.mul_(1.5)
            y[1] = x[0]
        y.sum().backward()
        node = weakref.ref(y)
        del y, view
        assert node() is None
    finally:
        gc.enable()
