"""Resizing, padding and shape layers against PyTorch's, over their arguments: values, gradients and reprs."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import trainkit as tk

pytestmark = pytest.mark.oracle

FACTORS = (0.3, 0.5, 0.7, 1.0, 1.1, 1.5, 2.0, 2.7, 3.0, 1 / 3)


def compare(ours, theirs, x: np.ndarray, tolerance: float = 1e-5) -> None:
    """Compare results and gradients; the input lies in another order in memory."""
    a = tk.tensor(np.ascontiguousarray(x.swapaxes(-1, -2))).transpose(-1, -2).detach().requires_grad_()
    b = torch.tensor(x, requires_grad=True)
    out, expected = ours(a), theirs(b)
    assert out.shape == tuple(expected.shape)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance)
    upstream = np.random.default_rng(1).normal(size=out.shape).astype(x.dtype)
    out.backward(tk.tensor(upstream))
    expected.backward(torch.tensor(upstream))
    scale = max(1.0, float(b.grad.abs().max()) if b.grad.numel() else 1.0)
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=tolerance, atol=10 * tolerance * scale)


def drawn(data, *shape: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(data.draw(st.integers(0, 2**16))).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "area", "linear", "bilinear", "bicubic", "trilinear"])
@settings(deadline=None, max_examples=30)
@given(st.data())
def test_interpolate(mode: str, data) -> None:
    dims = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}.get(mode) or data.draw(st.integers(1, 3))
    nearest = mode.startswith("nearest")
    size = [data.draw(st.integers(1, 24 if dims < 3 else 6)) for _ in range(dims)]
    how = {"mode": mode}
    if data.draw(st.booleans()):
        how["size"] = wanted = tuple(data.draw(st.integers(1, 40 if dims < 3 else 8)) for _ in range(dims))
    else:
        factors = tuple(data.draw(st.sampled_from(FACTORS)) for _ in range(dims))
        wanted = [math.floor(n * factor) for n, factor in zip(size, factors, strict=True)]
        assume(min(wanted) > 0)
        how["scale_factor"] = factors
        how["recompute_scale_factor"] = data.draw(st.sampled_from([None, False, True]))
        # where the size stays or doubles, PyTorch takes the factor on one way and not on the other
        assume(not nearest or not any(out in (n, 2 * n) for out, n in zip(wanted, size, strict=True)))
    if not nearest and mode != "area":
        how["align_corners"] = data.draw(st.sampled_from([None, False, True]))
    if mode in ("bilinear", "bicubic"):
        how["antialias"] = data.draw(st.booleans())
        # PyTorch repeats the first row where one column is left, and see above
        assume(not how["antialias"] or (min(wanted) > 1 and not any(a == b for a, b in zip(wanted, size, strict=True))))
    dtype = "float32" if nearest else data.draw(st.sampled_from(["float32", "float64"]))
    x = drawn(data, data.draw(st.sampled_from([0, 1, 2])), 2, *size, dtype=dtype)
    tolerance = 2e-5 if dtype == "float32" else 1e-9
    compare(*(lambda x, lib=lib: lib.nn.functional.interpolate(x, **how) for lib in (tk, torch)), x, tolerance)


@pytest.mark.parametrize("kind", ["Constant", "Zero", "Reflection", "Replication", "Circular"])
@pytest.mark.parametrize("dims", [1, 2, 3])
@settings(deadline=None, max_examples=20)
@given(st.data())
def test_padding(kind: str, dims: int, data) -> None:
    size = [data.draw(st.integers(2, 6)) for _ in range(dims)]
    least = -1 if kind in ("Constant", "Zero") else 0
    most = {"Reflection": lambda n: n - 1, "Circular": lambda n: n}.get(kind, lambda n: 4)
    padding = [data.draw(st.integers(least, most(n))) for n in reversed(size) for _ in range(2)]
    given = padding[0] if data.draw(st.booleans()) and padding[0] <= min(map(most, size)) else tuple(padding)
    args = (given, 1.5) if kind == "Constant" else (given,)
    pads = [given] * (2 * dims) if isinstance(given, int) else padding
    assume(all(n + pads[2 * i] + pads[2 * i + 1] > 0 for i, n in enumerate(reversed(size))))
    batch = data.draw(st.sampled_from([(), (1,), (3,)]))
    ours, theirs = (getattr(lib.nn, f"{kind}Pad{dims}d")(*args) for lib in (tk, torch))
    assert repr(ours) == repr(theirs)
    compare(ours, theirs, drawn(data, *batch, 2, *size))


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_unfold_and_fold(data) -> None:
    kernel, dilation, stride = (tuple(data.draw(st.integers(1, most)) for _ in range(2)) for most in (3, 2, 3))
    padding = tuple(data.draw(st.integers(0, 2)) for _ in range(2))
    size = tuple(data.draw(st.integers(1, 8)) for _ in range(2))
    numbers = list(zip(size, kernel, dilation, stride, padding, strict=True))
    counts = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, s, p in numbers]
    assume(min(counts) > 0)
    how = kernel, dilation, padding, stride
    batch = data.draw(st.sampled_from([(), (1,), (3,)]))
    ours, theirs = (lib.nn.Unfold(*how) for lib in (tk, torch))
    assert repr(ours) == repr(theirs)
    compare(ours, theirs, drawn(data, *batch, 3, *size))
    ours, theirs = (lib.nn.Fold(size, *how) for lib in (tk, torch))
    assert repr(ours) == repr(theirs)
    compare(ours, theirs, drawn(data, *batch, 3 * math.prod(kernel), math.prod(counts)))


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda nn: nn.Upsample(scale_factor=2), (2, 3, 5)),
        (lambda nn: nn.Upsample((7, 3), mode="bilinear", align_corners=True), (1, 3, 5, 4)),
        (lambda nn: nn.Upsample(scale_factor=(1.5, 3), mode="bicubic"), (1, 3, 5, 4)),
        (lambda nn: nn.UpsamplingNearest2d(scale_factor=3), (2, 1, 5, 4)),
        (lambda nn: nn.UpsamplingBilinear2d(size=9), (2, 1, 5, 4)),
        (lambda nn: nn.PixelShuffle(2), (2, 8, 3, 5)),
        (lambda nn: nn.PixelShuffle(3), (9, 3, 5)),
        (lambda nn: nn.PixelUnshuffle(2), (2, 2, 2, 4, 6)),
        (lambda nn: nn.ChannelShuffle(3), (2, 6, 4)),
        (lambda nn: nn.Flatten(), (2, 3, 4)),
        (lambda nn: nn.Flatten(0, -2), (2, 3, 4)),
        (lambda nn: nn.Unflatten(1, (2, 3)), (4, 6, 2)),
    ],
)
def test_layers(make, shape) -> None:
    ours, theirs = make(tk.nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    compare(ours, theirs, x)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_second_derivatives(mode: str) -> None:
    x = np.random.default_rng(0).normal(size=(2, 2, 4, 5))
    results = []
    for lib in (tk, torch):
        a = lib.tensor(x, requires_grad=True)
        f = lib.nn.functional
        out = f.max_pool2d(f.avg_pool2d(f.interpolate(a, scale_factor=1.7, mode=mode), 2, 1) ** 2, 2, 1)
        grad = tk.grad if lib is tk else torch.autograd.grad
        (slope,) = grad((out**2).sum(), [a], create_graph=True)
        results.append(grad((slope**2).sum(), [a])[0].numpy())
    np.testing.assert_allclose(*results, rtol=1e-8, atol=1e-10)
