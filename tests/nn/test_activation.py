"""Activation layers: what PyTorch is not needed for."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.nn import functional as F

IN_PLACE = [
    nn.ReLU(True), nn.ReLU6(True), nn.LeakyReLU(0.1, True), nn.RReLU(inplace=True), nn.ELU(inplace=True),
    nn.CELU(inplace=True), nn.SELU(True), nn.SiLU(True), nn.Mish(True), nn.Hardswish(True), nn.Hardsigmoid(True),
    nn.Hardtanh(inplace=True), nn.Threshold(0.1, 2.0, True),
]  # fmt: skip


@pytest.mark.parametrize("layer", IN_PLACE, ids=lambda layer: type(layer).__name__)
def test_in_place_writes_into_the_input_and_keeps_the_gradient(layer) -> None:
    layer.eval()
    x = tk.linspace(-4, 4, 33).requires_grad_()
    before = x * 1.5
    out = layer(before)
    assert out is before
    out.sum().backward()
    other = x.detach().clone().requires_grad_()
    layer.inplace = False
    expected = layer(other * 1.5)
    assert "inplace" not in repr(layer)
    expected.sum().backward()
    np.testing.assert_array_equal(out.detach().numpy(), expected.detach().numpy())
    np.testing.assert_allclose(x.grad.numpy(), other.grad.numpy(), rtol=1e-6)


def test_a_leaky_relu_that_needs_its_input_again_says_so() -> None:
    x = tk.linspace(-1, 1, 5).requires_grad_()
    between = x * 2
    kept = between.sigmoid()
    square = between * between
    F.leaky_relu(between, 0.1, inplace=True)
    kept.sum().backward()
    with pytest.raises(RuntimeError, match="version"):
        square.sum().backward()


def test_prelu_learns_its_slopes() -> None:
    layer = nn.PReLU(3, 0.5)
    assert [(name, p.shape) for name, p in layer.named_parameters()] == [("weight", (3,))]
    x = -tk.ones(2, 3, 4)
    layer(x).sum().backward()
    np.testing.assert_allclose(layer.weight.grad.numpy(), [-8, -8, -8])
    with tk.no_grad():
        layer.weight.fill_(2.0)
    layer.reset_parameters()
    np.testing.assert_allclose(layer.weight.detach().numpy(), 0.5)
    assert nn.PReLU(dtype=tk.float64).weight.dtype == tk.float64


def test_random_slopes_are_drawn_anew_and_repeat_with_the_seed() -> None:
    layer, x = nn.RReLU(), tk.randn(50, 50)
    tk.manual_seed(3)
    first, second = layer(x), layer(x)
    assert not tk.equal(first, second)
    tk.manual_seed(3)
    assert tk.equal(layer(x), first)
    assert tk.equal(layer.eval()(x), F.leaky_relu(x, (1 / 8 + 1 / 3) / 2))
    leaf = x.requires_grad_()
    layer.train()(leaf).sum().backward()
    assert ((leaf.grad.numpy() == 1) == (x.detach().numpy() > 0)).all()


def test_gumbel_softmax() -> None:
    logits = tk.tensor([0.0, 1.0, 2.0]).expand(20_000, 3)
    hard = F.gumbel_softmax(logits, hard=True).numpy()
    assert set(np.unique(hard)) == {0.0, 1.0}
    share = np.exp([0.0, 1, 2]) / np.exp([0.0, 1, 2]).sum()
    np.testing.assert_allclose(hard.mean(0), share, atol=0.015)
    x = tk.zeros(4, 3, requires_grad=True)
    tk.manual_seed(1)
    (F.gumbel_softmax(x, 0.5, hard=True, dim=0) * tk.arange(12).reshape(4, 3)).sum().backward()
    slopes, x.grad = x.grad.numpy().copy(), None
    tk.manual_seed(1)
    (F.gumbel_softmax(x, 0.5, dim=0) * tk.arange(12).reshape(4, 3)).sum().backward()
    np.testing.assert_allclose(slopes, x.grad.numpy(), rtol=1e-6)
    assert slopes.any()


def test_softmax_without_dim_warns_where_it_is_called() -> None:
    for layer in (nn.Softmax(), nn.Softmin(), nn.LogSoftmax()):
        with pytest.warns(UserWarning, match="dim") as caught:
            layer(tk.ones(2, 3))
        assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Hardtanh(2, 1), ArgumentError, "less than"),
        (lambda: nn.PReLU(0), ArgumentError, "at least one"),
        (lambda: nn.PReLU(3)(tk.ones(2, 4)), ShapeError, r"\(4,\)"),
        (lambda: nn.RReLU(0.5, 0.1)(tk.ones(2)), ArgumentError, "at most upper"),
        (lambda: nn.GELU("sigmoid")(tk.ones(2)), ArgumentError, "tanh"),
        (lambda: nn.Softmax2d()(tk.ones(2, 3)), ShapeError, r"\(C, H, W\), got \(2, 3\)"),
        (lambda: nn.GLU()(tk.ones(3)), ShapeError, "even"),
        (lambda: nn.LeakyReLU()(tk.ones(3).long()), DTypeError, "leaky_relu"),
        (lambda: nn.RReLU()(tk.ones(3).long()), DTypeError, "rrelu"),
        (lambda: F.gumbel_softmax(tk.ones(3), 0), ArgumentError, "tau"),
        (lambda: nn.Softshrink(-1)(tk.ones(3)), ArgumentError, "lambd"),
    ],
)  # fmt: skip
def test_bad_arguments(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
