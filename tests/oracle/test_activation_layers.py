"""Activation layers against PyTorch's, over their arguments, in place and not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk

pytestmark = pytest.mark.oracle

small, large = st.floats(0, 0.875, width=32), st.floats(1, 3, width=32)
positive = st.floats(0.125, 4, width=32)
ARGUMENTS = {
    "ReLU": (), "ReLU6": (), "LeakyReLU": (small,), "ELU": (positive,), "CELU": (positive,), "SELU": (),
    "RReLU": (small, large), "Threshold": (small, large), "Hardtanh": (small, large), "SiLU": (), "Mish": (),
    "Hardswish": (), "Hardsigmoid": (),
}  # fmt: skip
OTHERS = {
    "PReLU": (st.just(1), positive), "GELU": (st.sampled_from(["none", "tanh"]),), "Hardshrink": (positive,),
    "Softshrink": (positive,), "Tanhshrink": (), "Softplus": (positive, large), "Softsign": (), "Tanh": (),
    "Sigmoid": (), "LogSigmoid": (),
}  # fmt: skip
shapes = st.sampled_from([(), (5,), (0, 3), (1, 7), (3, 4, 5), (2, 3, 120, 11)])


def compare(name: str, args, x: np.ndarray, training: bool = False) -> None:
    results = []
    for lib in (tk, torch):
        layer = getattr(lib.nn, name)(*args).train(training)
        base = lib.tensor(x.T.copy(), requires_grad=True)
        out = layer(base.permute(tuple(range(x.ndim)[::-1])) * 1)  # not in order in memory, and no leaf
        out.backward(lib.tensor(np.random.default_rng(1).normal(size=out.shape).astype(x.dtype)))
        parts = [p.grad.numpy() for p in layer.parameters()]
        state = [(key, tuple(value.shape)) for key, value in layer.state_dict().items()]
        results.append((repr(layer), state, [out.detach().numpy(), base.grad.numpy(), *parts]))
    ours, theirs = results
    assert ours[:2] == theirs[:2]
    for mine, other in zip(ours[2], theirs[2], strict=True):
        assert mine.shape == other.shape
        assert mine.dtype == other.dtype
        np.testing.assert_allclose(mine, other, rtol=2e-5, atol=2e-6 * max(1.0, np.abs(other).max(initial=0)))


@pytest.mark.parametrize("name", ARGUMENTS)
@settings(deadline=None, max_examples=8)
@given(st.data(), shapes, st.booleans())
def test_layers_that_work_in_place_too(name: str, data, shape, inplace: bool) -> None:
    args = [data.draw(argument) for argument in ARGUMENTS[name]]
    x = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=shape) * 4
    compare(name, (*args, inplace), np.asarray(x, "float32"))


@pytest.mark.parametrize("name", OTHERS)
@settings(deadline=None, max_examples=8)
@given(st.data(), shapes)
def test_layers(name: str, data, shape) -> None:
    args = [data.draw(argument) for argument in OTHERS[name]]
    x = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=shape) * 4
    compare(name, args, np.asarray(x, "float32"))


@pytest.mark.parametrize("name", ["Softmax", "Softmin", "LogSoftmax", "GLU"])
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("shape", [(2, 4), (1, 2), (4, 6, 8), (2, 0, 2)])
def test_layers_along_a_dimension(name: str, dim: int, shape) -> None:
    if name == "GLU" and 1 in (shape[dim],):
        shape = (2, *shape[1:])
    compare(name, (dim,), np.random.default_rng(0).normal(size=shape).astype("float32"))


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 4, 5), (0, 3, 2, 2)])
def test_channels(shape) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    compare("Softmax2d", (), x)
    if len(shape) == 4:
        compare("PReLU", (3, 0.1), x)
        compare("PReLU", (3,), x[..., 0, 0])


def test_defaults() -> None:
    for name in {*ARGUMENTS, *OTHERS} - {"Threshold"}:
        compare(name, (), np.linspace(-25, 25, 300, dtype="float32"))


def test_random_slopes_lie_between_the_bounds() -> None:
    layer, x = tk.nn.RReLU(0.2, 0.6), tk.full((100, 100), -1.0)
    for lib_layer, lib_x in ((layer, x), (torch.nn.RReLU(0.2, 0.6), torch.full((100, 100), -1.0))):
        slopes = -lib_layer(lib_x).numpy()
        assert 0.2 <= slopes.min() < 0.21
        assert 0.59 < slopes.max() <= 0.6
        assert abs(slopes.mean() - 0.4) < 0.01
