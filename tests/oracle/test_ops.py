"""Every op of the table that PyTorch has: values, gradients and dtypes, on drawn shapes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk
from trainkit.nn import functional as F

pytestmark = pytest.mark.oracle


def both(call, *arrays: np.ndarray, tolerance: float = 1e-5) -> None:
    """Compare result and gradients of `call(library, functional, *tensors)`."""
    ours = [tk.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    theirs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    out, expected = call(tk, F, *ours), call(torch, TF, *theirs)
    assert out.shape == tuple(expected.shape)
    assert str(expected.dtype) == f"torch.{out.dtype.name}"
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance)
    assert out.requires_grad == expected.requires_grad
    if not out.requires_grad:
        return
    weights = np.random.default_rng(1).normal(size=out.shape).astype(out.dtype)
    out.backward(tk.tensor(weights))
    expected.backward(torch.tensor(weights))
    for a, b in zip(ours, theirs, strict=True):
        if b.grad is None:
            assert a.grad is None
            continue
        assert a.grad.dtype.name == str(b.grad.dtype).split(".")[1]
        scale = max(1.0, float(b.grad.abs().max()) if b.grad.numel() else 1.0)
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=tolerance * 10, atol=tolerance * scale)


def draw(data, *shape: int, dtype: str = "float32", positive: bool = False) -> np.ndarray:
    values = np.random.default_rng(data.draw(st.integers(0, 2**16))).normal(size=shape).astype(dtype)
    return np.abs(values) + np.asarray(0.5, dtype) if positive else values


sizes = st.integers(1, 9)
UNARY = ["exp", "tanh", "sigmoid", "relu", "sin", "cos", "abs", "neg", "sign"]
BINARY = ["add", "sub", "mul", "div", "maximum", "minimum"]


@pytest.mark.parametrize("name", [*UNARY, "log", "sqrt"])
@settings(deadline=None, max_examples=10)
@given(st.data(), sizes, sizes)
def test_unary(name: str, data, n: int, m: int) -> None:
    both(lambda lib, f, x: getattr(lib, name)(x), draw(data, n, m, positive=name in ("log", "sqrt")))


@pytest.mark.parametrize("name", BINARY)
@settings(deadline=None, max_examples=10)
@given(st.data(), sizes, sizes, st.sampled_from(["float32", "float64", "int64"]))
def test_binary_with_broadcasting_and_promotion(name: str, data, n: int, m: int, dtype: str) -> None:
    other = draw(data, m, positive=True) if dtype.startswith("f") else np.arange(1, m + 1)
    both(lambda lib, f, x, y: getattr(lib, name)(x, y), draw(data, n, 1, m), other.astype(dtype))
    both(lambda lib, f, x, y: getattr(lib, name)(x, y), draw(data, n), np.asarray(2.5, dtype))


@settings(deadline=None, max_examples=20)
@given(st.data(), sizes, sizes)
def test_scalars_powers_and_choices(data, n: int, m: int) -> None:
    x = draw(data, n, m, positive=True)
    both(lambda lib, f, x: (2 * x - 1) / 3 + x**2.5 - 2**x, x)
    both(lambda lib, f, x: lib.clamp(x, 0.7, 1.2) + lib.where(x > 1, x, -x), x)
    both(lambda lib, f, x: lib.tensor([1, 2, 3]) * 2.5 + x.sum() * 0, x)


@settings(deadline=None, max_examples=20)
@given(st.data(), sizes, sizes, sizes)
def test_reductions_and_shapes(data, a: int, b: int, c: int) -> None:
    x = draw(data, a, b, c)
    both(lambda lib, f, x: x.sum((0, 2)) + x.mean(dim=(0, 2)), x)
    both(lambda lib, f, x: x.amax(1) + x.max(1)[0] + x.min(1)[0] + x.logsumexp(1), x)
    both(lambda lib, f, x: x.permute(2, 0, 1).reshape(c, -1).T.flatten()[::2], x)
    both(lambda lib, f, x: lib.cat([x, x * 2], 1).unsqueeze(0).squeeze(), x)
    both(lambda lib, f, x: lib.stack([x, x], 1)[..., None, 0], x)
    both(lambda lib, f, x: x.argmax(2), x)
    if a * b * c > 1:
        both(lambda lib, f, x: x.var() + x.std(), x)


@settings(deadline=None, max_examples=20)
@given(st.data(), sizes, sizes, sizes)
def test_products(data, n: int, k: int, m: int) -> None:
    both(lambda lib, f, a, b: a @ b, draw(data, n, k), draw(data, k, m))
    both(lambda lib, f, a, b: lib.matmul(a, b), draw(data, 3, 1, n, k), draw(data, 2, k, m))
    both(lambda lib, f, a, b: a @ b, draw(data, k), draw(data, 2, k, m))
    both(lambda lib, f, x, w, b: f.linear(x, w, b), draw(data, 2, n, k), draw(data, m, k), draw(data, m))


@settings(deadline=None, max_examples=40)
@given(st.data(), sizes, st.integers(1, 5), st.integers(1, 13), st.integers(1, 4), st.integers(1, 2), st.integers(0, 2))
def test_convolution(data, n: int, c: int, filters: int, kernel: int, stride: int, padding: int) -> None:
    h = data.draw(st.integers(max(kernel - 2 * padding, 1), 12))
    x, w, b = draw(data, n, c, h, 11), draw(data, filters, c, kernel, min(kernel, 3)), draw(data, filters)
    both(lambda lib, f, x, w, b: f.conv2d(x, w, b, stride=stride, padding=padding), x, w, b, tolerance=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.data(), sizes, st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_pooling(data, n: int, kernel: int, stride: int, padded: bool) -> None:
    padding = kernel // 2 if padded else 0
    both(lambda lib, f, x: f.max_pool2d(x, kernel, stride, padding), draw(data, n, 2, 7, 6))


@settings(deadline=None, max_examples=20)
@given(st.data(), st.integers(2, 9), st.integers(1, 6))
def test_batch_norm(data, n: int, c: int) -> None:
    arrays = draw(data, n, c, 3, 2) * 3 + 7, draw(data, c), draw(data, c)
    both(lambda lib, f, x, w, b: f.batch_norm(x, None, None, w, b, True), *arrays, tolerance=1e-4)
    both(lambda lib, f, x, w, b: f.batch_norm(x, lib.ones(c), lib.ones(c) * 2, w, b), *arrays, tolerance=1e-4)


@settings(deadline=None, max_examples=20)
@given(st.data(), sizes, st.integers(2, 12))
def test_losses(data, n: int, classes: int) -> None:
    x, y = draw(data, n, classes) * 5, np.arange(n) % classes
    for reduction in ("mean", "sum", "none"):
        both(lambda lib, f, x, y, r=reduction: f.cross_entropy(x, y, reduction=r), x, y)
    both(lambda lib, f, x, y: f.nll_loss(f.log_softmax(x, dim=1), y), x, y)
    both(lambda lib, f, x: f.softmax(x, dim=0), x)
    both(lambda lib, f, x, y: f.mse_loss(x, y), x, draw(data, n, classes))


@settings(deadline=None, max_examples=20)
@given(st.data(), st.integers(2, 6))
def test_changes_in_place(data, n: int) -> None:
    def script(lib, f, x, identity):
        out = x * 2
        out += identity
        out[:, 0] = identity[:, 1] * 3
        out.mul_(1.5)
        return out.exp()

    both(script, draw(data, n, n), draw(data, n, n))


def test_second_derivatives() -> None:
    x, w = np.random.default_rng(0).normal(size=(2, 2, 6, 6)), np.random.default_rng(1).normal(size=(3, 2, 3, 3))
    results = []
    for lib, f in ((tk, F), (torch, TF)):
        a, b = (lib.tensor(v, requires_grad=True) for v in (x, w))
        out = f.max_pool2d(f.batch_norm(f.conv2d(a, b, padding=1), None, None, training=True), 2)
        loss = f.cross_entropy(out.reshape(2, -1), lib.tensor([1, 2]))
        grad = tk.grad if lib is tk else torch.autograd.grad
        slopes = grad(loss, [a, b], create_graph=True)
        total = (slopes[0] ** 2).sum() + (slopes[1] ** 2).sum()
        results.append([g.numpy() for g in grad(total, [a, b])])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
