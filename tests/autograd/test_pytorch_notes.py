"""The examples of PyTorch's autograd notes and tutorials give the figures that are printed there."""

import pytest

import trainkit as tk
from trainkit.autograd import Function, functional, gradcheck


def test_a_gentle_introduction() -> None:
    a = tk.tensor([2.0, 3.0], requires_grad=True)
    b = tk.tensor([6.0, 4.0], requires_grad=True)
    q = 3 * a**3 - b**2
    assert repr(q) == "tensor([-12.,  65.], grad_fn=<SubBackward>)"
    q.backward(gradient=tk.tensor([1.0, 1.0]))
    assert (9 * a**2 == a.grad).tolist() == [True, True]
    assert a.grad.tolist() == [36.0, 81.0]
    assert (-2 * b == b.grad).tolist() == [True, True]
    assert b.grad.tolist() == [-12.0, -8.0]


def test_automatic_differentiation_tutorial() -> None:
    inp = tk.eye(4, 5, requires_grad=True)
    out = (inp + 1).pow(2).t()
    first = [[4.0 if i == j else 2.0 for j in range(5)] for i in range(4)]
    out.backward(tk.ones_like(out), retain_graph=True)
    assert inp.grad.tolist() == first
    out.backward(tk.ones_like(out), retain_graph=True)
    assert inp.grad.tolist() == [[2 * value for value in row] for row in first]
    inp.grad.zero_()
    out.backward(tk.ones_like(out), retain_graph=True)
    assert inp.grad.tolist() == first


def test_disabling_gradients() -> None:
    x = tk.ones(5)
    w, b = tk.randn(5, 3, requires_grad=True), tk.randn(3, requires_grad=True)
    z = tk.matmul(x, w) + b
    assert z.requires_grad
    with tk.no_grad():
        z = tk.matmul(x, w) + b
    assert not z.requires_grad
    assert not (tk.matmul(x, w) + b).detach().requires_grad


def test_locally_disabling_gradient_computation() -> None:
    x = tk.tensor([1.0], requires_grad=True)
    with tk.inference_mode():
        y = x * x
    assert not y.requires_grad

    @tk.no_grad()
    def doubler(x):
        return x * 2

    assert not doubler(x).requires_grad
    tk.set_grad_enabled(True)
    assert (x * 2).requires_grad


class LinearFunction(Function):
    """The example of the notes on extending PyTorch."""

    @staticmethod
    def forward(input, weight, bias):
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def setup_context(ctx, inputs, output):
        input, weight, bias = inputs
        ctx.save_for_backward(input, weight, bias)

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


def test_extending_with_a_linear_function() -> None:
    inputs = [
        tk.randn(20, 20, dtype=tk.double, requires_grad=True),
        tk.randn(30, 20, dtype=tk.double, requires_grad=True),
        tk.randn(30, dtype=tk.double, requires_grad=True),
    ]
    assert gradcheck(LinearFunction.apply, inputs, eps=1e-6, atol=1e-4)
    assert gradcheck(lambda x, w: LinearFunction.apply(x, w, None), inputs[:2])


class MulConstant(Function):
    @staticmethod
    def forward(tensor, constant):
        return tensor * constant

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, constant = inputs
        ctx.constant = constant

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ctx.constant, None


class MyCube(Function):
    @staticmethod
    def forward(x):
        return x**3, 3 * x**2

    @staticmethod
    def setup_context(ctx, inputs, output):
        (x,) = inputs
        _, dx = output
        ctx.save_for_backward(x, dx)

    @staticmethod
    def backward(ctx, grad_output, grad_dx):
        x, dx = ctx.saved_tensors
        return grad_output * dx + grad_dx * 6 * x


def test_extending_with_constants_and_with_several_outputs() -> None:
    x = tk.tensor([2.0], requires_grad=True)
    MulConstant.apply(x, 3.0).backward()
    assert x.grad.tolist() == [3.0]
    x = tk.randn(3, dtype=tk.double, requires_grad=True)
    assert gradcheck(lambda x: MyCube.apply(x)[0], x)
    assert tk.autograd.gradgradcheck(lambda x: MyCube.apply(x)[0], x)


def test_double_backward_tutorial() -> None:
    """Saving the input, saving the output: the custom functions of the double backward tutorial."""

    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, grad_out):
            (x,) = ctx.saved_tensors
            return grad_out * 2 * x

    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            result = tk.exp(x)
            ctx.save_for_backward(result)
            return result

        @staticmethod
        def backward(ctx, grad_out):
            (result,) = ctx.saved_tensors
            return result * grad_out

    for function in (Square, Exp):
        x = tk.rand(3, 3, requires_grad=True, dtype=tk.double)
        assert gradcheck(function.apply, x)
        assert tk.autograd.gradgradcheck(function.apply, x)


def test_documented_jacobians_and_hessians() -> None:
    inputs = tk.rand(2, 2)

    def exp_reducer(x):
        return x.exp().sum(dim=1)

    jacobian = functional.jacobian(exp_reducer, inputs)
    assert jacobian.shape == (2, 2, 2)
    assert tk.equal(jacobian[0, 0], inputs.exp()[0])
    assert jacobian[0, 1].tolist() == [0.0, 0.0]
    first, second = functional.jacobian(lambda x, y: 2 * x.exp() + 3 * y, (tk.rand(2), tk.rand(2)))
    assert first[0, 1].item() == 0.0
    assert second.tolist() == [[3.0, 0.0], [0.0, 3.0]]
    hessian = functional.hessian(lambda x: x.pow(3).sum(), tk.tensor([[0.5, 1.0], [1.5, 2.0]]))
    assert hessian[1, 0, 1, 0].item() == pytest.approx(9.0)
    (xx, xy), (yx, yy) = functional.hessian(lambda x, y: (2 * x.pow(2) + 3 * y.pow(2)).sum(), (tk.rand(2), tk.rand(2)))
    assert xx.tolist() == [[4.0, 0.0], [0.0, 4.0]]
    assert xy.tolist() == yx.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert yy.tolist() == [[6.0, 0.0], [0.0, 6.0]]


def test_documented_in_place_checks() -> None:
    """Autograd mechanics: in-place operations on leaves, and on what was saved, are refused."""
    leaf = tk.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        leaf.mul_(2)
    x = tk.ones(2, requires_grad=True)
    y = x.exp()
    y.add_(1)
    with pytest.raises(RuntimeError, match="version"):
        y.sum().backward()


def test_documented_hooks() -> None:
    v = tk.tensor([0.0, 0.0, 0.0], requires_grad=True)
    h = v.register_hook(lambda grad: grad * 2)
    v.backward(tk.tensor([1.0, 2.0, 3.0]))
    assert v.grad.tolist() == [2.0, 4.0, 6.0]
    h.remove()
    v = tk.tensor([0.0, 0.0, 0.0], requires_grad=True)
    lr = 0.01
    handle = v.register_post_accumulate_grad_hook(lambda p: p.data.add_(p.grad, alpha=-lr))
    v.backward(tk.tensor([1.0, 2.0, 3.0]))
    assert v.tolist() == pytest.approx([-0.01, -0.02, -0.03])
    handle.remove()
