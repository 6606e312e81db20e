"""Operations that users write, and the derivatives of functions."""

import gc
import weakref

import numpy as np
import pytest

import trainkit as tk
from trainkit.autograd import Function, Variable, functional, gradcheck, gradgradcheck, once_differentiable
from trainkit.errors import ArgumentError, GradientError, InPlaceError, ShapeError


def leaf(*values: float) -> tk.Tensor:
    return tk.tensor(list(values), requires_grad=True)


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        out = x.exp()
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad):
        (out,) = ctx.saved_tensors
        return grad * out


class Scale(Function):
    @staticmethod
    def forward(x, factor, flag):
        return x * factor

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, factor, ctx.flag = inputs
        ctx.save_for_backward(x, factor)

    @staticmethod
    def backward(ctx, grad):
        x, factor = ctx.saved_tensors
        assert ctx.flag == "plain"
        return grad * factor if ctx.needs_input_grad[0] else None, (grad * x).sum(), None


class Split(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x, x.sum(), "no tensor"

    @staticmethod
    def backward(ctx, square, total, nothing):
        assert nothing is None
        (x,) = ctx.saved_tensors
        return square * 2 * x + total


def test_first_and_second_derivatives() -> None:
    x = tk.tensor([0.5, -1.0], dtype=tk.float64, requires_grad=True)
    assert gradcheck(Exp.apply, x)
    assert gradgradcheck(Exp.apply, x)
    factor = tk.tensor(3.0, dtype=tk.float64, requires_grad=True)
    assert gradcheck(lambda a, b: Scale.apply(a, b, "plain"), (x, factor))
    assert gradgradcheck(lambda a, b: Scale.apply(a, b, "plain"), (x, factor))
    assert repr(Exp.apply(x).grad_fn) == "<ExpBackward>"


def test_several_results() -> None:
    x = tk.tensor([0.5, -1.0], dtype=tk.float64, requires_grad=True)

    def both(x):
        square, total, text = Split.apply(x)
        assert text == "no tensor"
        return square.exp() * total

    assert gradcheck(both, x)
    assert gradgradcheck(both, x)
    Split.apply(x)[1].backward()
    assert x.grad.tolist() == [1.0, 1.0], "the result that took no part comes as zeros"


def test_gradients_that_are_not_materialized() -> None:
    class Loose(Split):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, first, second):
            assert second is None
            return first * 2

    x = leaf(1.0)
    Loose.apply(x)[0].sum().backward()
    assert x.grad.tolist() == [2.0]


def test_result_without_gradient_and_integer_results() -> None:
    class Places(Function):
        @staticmethod
        def forward(ctx, x):
            copy, places = x * 1.0, x.argmax(0)
            other = x * 2.0
            ctx.mark_non_differentiable(other)
            return copy, places, other

        @staticmethod
        def backward(ctx, grad, *_):
            return grad

    copy, places, other = Places.apply(leaf(1.0, 3.0))
    assert copy.requires_grad
    assert not places.requires_grad
    assert not other.requires_grad


def test_changed_in_place() -> None:
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2.0)

        @staticmethod
        def backward(ctx, grad):
            return grad * 2.0

    x = leaf(1.0, 2.0)
    y = x * 1.0
    view = y[0:1]
    assert Double.apply(y) is y
    (y.sum() + view.sum()).backward()
    assert x.grad.tolist() == [4.0, 2.0]
    with pytest.raises(GradientError, match="leaf"):
        Double.apply(x)
    part = (x * 1.0)[1:]
    base = part.view_of.base
    Double.apply(part)
    base.sum().backward()
    assert x.grad.tolist() == [5.0, 4.0]


def test_result_that_is_an_argument() -> None:
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 7

    x = leaf(1.0)
    y = Same.apply(x)
    assert y is not x
    y.sum().backward()
    assert x.grad.tolist() == [7.0]
    assert x.is_leaf


def test_once_differentiable() -> None:
    class Once(Exp):
        @staticmethod
        @once_differentiable
        def backward(ctx, grad):
            (out,) = ctx.saved_tensors
            return tk.from_numpy(grad.detach().numpy() * out.detach().numpy())

    x = leaf(0.0)
    Once.apply(x).sum().backward()
    assert x.grad.tolist() == [1.0]
    (slope,) = tk.grad(Once.apply(x).sum(), x, create_graph=True)
    with pytest.raises(GradientError, match="once_differentiable"):
        slope.sum().backward()


def test_saved_tensor_changed_in_place() -> None:
    factor = tk.tensor(2.0)
    y = Scale.apply(leaf(1.0), factor, "plain")
    factor.add_(1.0)
    with pytest.raises(InPlaceError, match="Scale saved its argument 1"):
        y.sum().backward()


def test_wrong_number_of_gradients_and_missing_methods() -> None:
    class Short(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, grad):
            return grad

    with pytest.raises(GradientError, match="1 gradients for the 2 arguments"):
        Short.apply(leaf(1.0), leaf(1.0)).sum().backward()


def test_only_tensors_are_saved() -> None:
    class Saves(Exp):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(3)

    with pytest.raises(ArgumentError, match="keeps tensors"):
        Saves.apply(leaf(1.0))


def test_gradient_of_a_wrong_shape() -> None:
    class Wrong(Exp):
        @staticmethod
        def backward(ctx, grad):
            return grad.sum()

    with pytest.raises(ShapeError, match=r"Wrong.backward .*\(\).*\(2,\)"):
        Wrong.apply(leaf(1.0, 2.0)).sum().backward()


def test_graph_of_a_function_is_freed_without_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        for function in (Exp, Split):
            out = function.apply(x)
            first = out[0] if isinstance(out, tuple) else out
            gone = weakref.ref(first)
            first.sum().backward()
            del out, first
            assert gone() is None
    finally:
        gc.enable()


def test_nothing_is_recorded_under_no_grad_or_for_plain_tensors() -> None:
    with tk.no_grad():
        assert not Exp.apply(leaf(1.0)).requires_grad
    assert not Exp.apply(tk.ones(1)).requires_grad


def test_variable_is_a_tensor() -> None:
    x = tk.ones(2)
    y = Variable(x, requires_grad=True)
    assert isinstance(x, Variable)
    assert isinstance(y, tk.Tensor)
    assert y.requires_grad
    assert np.shares_memory(x.array, y.array)


def test_jacobian_and_hessian() -> None:
    x, y = tk.tensor([1.0, 2.0]), tk.tensor([3.0])

    def f(x, y):
        return x**2 * y, (x * y).sum()

    (xx, xy), (sx, sy) = functional.jacobian(f, (x, y))
    assert xx.tolist() == [[6.0, 0.0], [0.0, 12.0]]
    assert xy.tolist() == [[1.0], [4.0]]
    assert sx.tolist() == [3.0, 3.0]
    assert sy.tolist() == [3.0]
    assert functional.hessian(lambda x: (x**3).sum(), x).tolist() == [[6.0, 0.0], [0.0, 12.0]]
    blocks = functional.hessian(lambda x, y: (x**2 * y).sum(), (x, y))
    assert blocks[0][0].tolist() == [[6.0, 0.0], [0.0, 6.0]]
    assert blocks[1][0].tolist() == [[2.0, 4.0]]
    assert blocks[1][1].tolist() == [[0.0]]
    assert functional.jacobian(lambda x: tk.ones(3), x).tolist() == [[0.0, 0.0]] * 3
    with pytest.raises(GradientError, match="strict"):
        functional.jacobian(lambda x: tk.ones(3), x, strict=True)
    with pytest.raises(ShapeError, match="one element"):
        functional.hessian(lambda x: x, x)


def test_products_with_vectors() -> None:
    x, v = tk.tensor([1.0, 2.0]), tk.tensor([1.0, -1.0])
    out, product = functional.vjp(lambda x: x**2, x, v)
    assert out.tolist() == [1.0, 4.0]
    assert product.tolist() == [2.0, -4.0]
    assert functional.jvp(lambda x: x**2, x, v)[1].tolist() == [2.0, -4.0]
    assert functional.hvp(lambda x: (x**3).sum(), x, v)[1].tolist() == [6.0, -12.0]
    assert functional.vhp(lambda x: (x**3).sum(), x, v)[1].tolist() == [6.0, -12.0]
    with pytest.raises(ShapeError, match="v must have shapes"):
        functional.vjp(lambda x: x**2, x, tk.ones(3))
    with pytest.raises(ArgumentError, match="left out"):
        functional.vjp(lambda x: x**2, x)


def test_differentiable_jacobian() -> None:
    x = leaf(1.0, 2.0)
    functional.jacobian(lambda x: x**3, x, create_graph=True).sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]
