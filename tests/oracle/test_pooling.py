"""Pooling layers against PyTorch's, over their arguments: values, indices, gradients and reprs."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import trainkit as tk

pytestmark = pytest.mark.oracle


def image(data, dims: int, size) -> np.ndarray:
    """Lines, images or volumes, with a batch of any size or none; some with many equal elements, some with NaN."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    x = rng.normal(size=(*data.draw(st.sampled_from([(), (1,), (3,), (0,)])), 2, *size)).astype("float32")
    kind = data.draw(st.sampled_from(["plain", "ties", "nan"]))
    if kind == "nan":
        x[rng.random(x.shape) < 0.1] = np.nan
    return np.round(x) if kind == "ties" else x


def compare(ours, theirs, x: np.ndarray, *args) -> None:
    """Compare reprs, results and gradients; the input lies in another order in memory."""
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    a = tk.tensor(np.ascontiguousarray(x.swapaxes(-1, -2))).transpose(-1, -2).detach().requires_grad_()
    b = torch.tensor(x, requires_grad=True)
    out, expected = ours(a, *map(tk.tensor, args)), theirs(b, *map(torch.tensor, args))
    if isinstance(expected, tuple):
        assert out[1].dtype == tk.int64
        np.testing.assert_array_equal(out[1].numpy(), expected[1].numpy())
        out, expected = out[0], expected[0]
    assert out.shape == tuple(expected.shape)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    upstream = np.random.default_rng(1).normal(size=out.shape).astype("float32")
    out.backward(tk.tensor(upstream))
    expected.backward(torch.tensor(upstream))
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-5, atol=1e-5)


def argument(data, sizes):
    """A number for all dimensions, or one for each."""
    return sizes[0] if len(set(sizes)) == 1 and data.draw(st.booleans()) else tuple(sizes)


def windows(data, dims: int, dilated: bool):
    kernel, stride = ([data.draw(st.integers(1, most)) for _ in range(dims)] for most in (4, 3))
    padding = [data.draw(st.integers(0, k // 2)) for k in kernel]
    dilation = [data.draw(st.integers(1, 2 if dilated else 1)) for _ in range(dims)]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = [data.draw(st.integers(r, r + (9 if dims < 3 else 4))) for r in reach]
    return size, *(argument(data, part) for part in (kernel, stride, padding, dilation))


@pytest.mark.parametrize("dims", [1, 2, 3])
@settings(deadline=None, max_examples=30)
@given(st.data())
def test_max_pooling(dims: int, data) -> None:
    size, *how = windows(data, dims, dilated=True)
    how[1] = data.draw(st.sampled_from([how[1], None]))
    x = image(data, dims, size)
    assume(x.size or dims == 2)  # elsewhere PyTorch takes no empty batch, or counts no indices
    how += [data.draw(st.booleans()), data.draw(st.booleans())]
    compare(*(getattr(lib.nn, f"MaxPool{dims}d")(*how) for lib in (tk, torch)), x)


@pytest.mark.parametrize("dims", [1, 2, 3])
@settings(deadline=None, max_examples=30)
@given(st.data())
def test_average_pooling(dims: int, data) -> None:
    size, kernel, stride, padding, _ = windows(data, dims, dilated=False)
    how = {"ceil_mode": data.draw(st.booleans()), "count_include_pad": data.draw(st.booleans())}
    if dims > 1:
        how["divisor_override"] = data.draw(st.sampled_from([None, None, 3]))
    x = image(data, dims, size)
    assume(x.size or dims == 2)
    compare(*(getattr(lib.nn, f"AvgPool{dims}d")(kernel, stride, padding, **how) for lib in (tk, torch)), x)


@pytest.mark.parametrize("dims", [1, 2, 3])
@settings(deadline=None, max_examples=20)
@given(st.data())
def test_norm_pooling(dims: int, data) -> None:
    size, kernel, stride, *_ = windows(data, dims, dilated=False)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    power = data.draw(st.sampled_from([1, 2, 3.0]))
    x = rng.uniform(0.2, 2, (2, 3, *size)).astype("float32")
    if dims == 1:
        kernel, stride = (size if isinstance(size, int) else size[0] for size in (kernel, stride))
    args = power, kernel, data.draw(st.sampled_from([stride, None])), data.draw(st.booleans())
    compare(*(getattr(lib.nn, f"LPPool{dims}d")(*args) for lib in (tk, torch)), x)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Avg", "Max"])
@settings(deadline=None, max_examples=30)
@given(st.data())
def test_adaptive_pooling(kind: str, dims: int, data) -> None:
    size = [data.draw(st.integers(1, 9 if dims < 3 else 5)) for _ in range(dims)]
    wanted = [data.draw(st.integers(1, 7)) for _ in range(dims)]
    given = argument(data, wanted)
    if isinstance(given, tuple) and dims > 1 and data.draw(st.booleans()):
        given = (None, *given[1:])
    if dims == 1:
        given = wanted[0]
    x = image(data, dims, size)
    args = (given, data.draw(st.booleans())) if kind == "Max" else (given,)
    compare(*(getattr(lib.nn, f"Adaptive{kind}Pool{dims}d")(*args) for lib in (tk, torch)), x)


@pytest.mark.parametrize("dims", [2, 3])
@settings(deadline=None, max_examples=30)
@given(st.data())
def test_fractional_pooling(dims: int, data) -> None:
    kernel, count = ([data.draw(st.integers(1, 3)) for _ in range(dims)] for _ in range(2))
    size = [k + n + data.draw(st.integers(0, 5)) for k, n in zip(kernel, count, strict=True)]
    x = image(data, dims, size)
    assume(x.size)
    samples = np.random.default_rng(5).random((*(x.shape[:2] if x.ndim == dims + 2 else (1, 2)), dims), "float32")
    how = {"return_indices": data.draw(st.booleans())}
    window = argument(data, kernel)
    layers = (
        getattr(lib.nn, f"FractionalMaxPool{dims}d")(window, tuple(count), _random_samples=lib.tensor(samples), **how)
        for lib in (tk, torch)
    )
    compare(*layers, x)


@pytest.mark.parametrize("dims", [1, 2, 3])
@settings(deadline=None, max_examples=30)
@given(st.data())
def test_unpooling(dims: int, data) -> None:
    kernel = [data.draw(st.integers(1, 3)) for _ in range(dims)]
    size = [k * data.draw(st.integers(1, 4)) for k in kernel]
    x = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=(2, 3, *size)).astype("float32")
    pool, _ = (getattr(lib.nn, f"MaxPool{dims}d")(tuple(kernel), return_indices=True) for lib in (tk, torch))
    values, indices = pool(tk.tensor(x))
    window = argument(data, kernel)
    layers = (getattr(lib.nn, f"MaxUnpool{dims}d")(window) for lib in (tk, torch))
    compare(*layers, values.numpy(), indices.numpy())
