"""Convolution layers against PyTorch's, over their arguments: values, all gradients, state dicts and reprs."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import trainkit as tk

# PyTorch warns that it copies where 'same' has an odd number of zeros to put.
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore:Using padding='same'")]


def rng(data) -> np.random.Generator:
    return np.random.default_rng(data.draw(st.integers(0, 2**16)))


def compare(ours, theirs, x: np.ndarray, *args) -> None:
    """Copy the parameters over, then compare results and gradients."""
    assert repr(ours) == repr(theirs)
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict({name: value.numpy() for name, value in state.items()})
    # in other memory order, so that nothing depends on it
    a = tk.tensor(np.ascontiguousarray(x.swapaxes(-1, -2))).transpose(-1, -2).detach().requires_grad_()
    b = torch.tensor(x, requires_grad=True)
    out, expected = ours(a, *args), theirs(b, *args)
    assert out.shape == tuple(expected.shape)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-4, atol=1e-4)
    upstream = np.random.default_rng(1).normal(size=out.shape).astype("float32")
    out.backward(tk.tensor(upstream))
    expected.backward(torch.tensor(upstream))
    pairs = [(a, b), *zip(ours.parameters(), theirs.parameters(), strict=True)]
    for mine, other in pairs:
        scale = max(1.0, float(other.grad.abs().max()) if other.grad.numel() else 1.0)
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-3, atol=1e-4 * scale)


def channels_of(data) -> tuple[int, int, int]:
    groups = data.draw(st.sampled_from([1, 1, 1, 2, 3]))
    sizes = st.sampled_from([1, 2, 5, 16, 33])
    return groups, groups * data.draw(sizes), groups * data.draw(sizes)


@pytest.mark.parametrize("dims", [1, 2, 3])
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_convolution(dims: int, data) -> None:
    groups, channels, filters = channels_of(data)
    if data.draw(st.integers(0, 3)) == 0:
        groups, filters = channels, channels * data.draw(st.integers(1, 3))  # depthwise
    kernel, stride, dilation = (tuple(data.draw(st.integers(1, most)) for _ in range(dims)) for most in (4, 3, 3))
    mode = data.draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]))
    padding = data.draw(st.sampled_from(["numbers", "numbers", "same", "valid"]))
    most = 10 if dims < 3 else 7
    size = tuple(data.draw(st.integers(1, most)) for _ in range(dims))
    if padding == "numbers":
        padding = tuple(data.draw(st.integers(0, 3)) for _ in range(dims))
        pads = padding
    else:
        stride = (1,) * dims if padding == "same" else stride
        totals = [(k - 1) * d if padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
        pads = [total - total // 2 for total in totals]
        assume(mode == "zeros" or all(n + t >= t + 1 for n, t in zip(size, totals, strict=True)))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding != "same":
        assume(all(n + 2 * p >= r for n, p, r in zip(size, pads, reach, strict=True)))
    if mode in ("reflect", "circular"):
        assume(all(p < n + (mode == "circular") for n, p in zip(size, pads, strict=True)))
    args = channels, filters, kernel, stride, padding, dilation, groups, data.draw(st.booleans()), mode
    batch = data.draw(st.sampled_from([(), (1,), (3,)]))
    x = rng(data).normal(size=(*batch, channels, *size)).astype("float32")
    ours, theirs = (getattr(lib.nn, f"Conv{dims}d")(*args) for lib in (tk, torch))
    compare(ours, theirs, x)


@pytest.mark.parametrize("dims", [1, 2])
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_transposed_convolution(dims: int, data) -> None:
    groups, channels, filters = channels_of(data)
    kernel, stride, dilation = (tuple(data.draw(st.integers(1, most)) for _ in range(dims)) for most in (5, 3, 3))
    padding = tuple(data.draw(st.integers(0, 2)) for _ in range(dims))
    extra = tuple(data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    size = tuple(data.draw(st.integers(1, 9)) for _ in range(dims))
    numbers = zip(size, kernel, stride, padding, dilation, extra, strict=True)
    assume(all((n - 1) * s - 2 * p + d * (k - 1) + e + 1 > 0 for n, k, s, p, d, e in numbers))
    batch = data.draw(st.sampled_from([(), (1,), (3,)]))
    x = rng(data).normal(size=(*batch, channels, *size)).astype("float32")
    args = channels, filters, kernel, stride, padding, extra, groups, data.draw(st.booleans()), dilation
    ours, theirs = (getattr(lib.nn, f"ConvTranspose{dims}d")(*args) for lib in (tk, torch))
    compare(ours, theirs, x)


@settings(deadline=None, max_examples=20)
@given(st.data())
def test_output_size(data) -> None:
    stride, padding = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 1))
    n = data.draw(st.integers(2, 6))
    least = (n - 1) * stride - 2 * padding + 3
    size = [least + data.draw(st.integers(0, stride - 1)) for _ in range(2)]
    ours, theirs = (lib.nn.ConvTranspose2d(2, 3, 3, stride, padding) for lib in (tk, torch))
    compare(ours, theirs, rng(data).normal(size=(2, 2, n, n)).astype("float32"), size)


@pytest.mark.parametrize("name", ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d"])
def test_empty_batch_and_expanded_input(name: str) -> None:
    dims = int(name[-2])
    ours, theirs = (getattr(lib.nn, name)(2, 4, 3, stride=2, groups=2) for lib in (tk, torch))
    compare(ours, theirs, np.zeros((0, 2, *(5, 6, 7)[:dims]), "float32"))
    ours.zero_grad()
    line = np.arange(2, dtype="float32").reshape(1, 2, *[1] * dims)
    out = ours(tk.tensor(line).expand(3, 2, *[6] * dims))
    expected = theirs(torch.tensor(line).expand(3, 2, *[6] * dims))
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-5)


def test_second_derivatives() -> None:
    x, w, up = (
        np.random.default_rng(i).normal(size=s) for i, s in enumerate([(2, 4, 6, 6), (4, 2, 3, 3), (4, 2, 2, 2)])
    )
    results = []
    for lib, f in ((tk, tk.nn.functional), (torch, torch.nn.functional)):
        a, b, c = (lib.tensor(v, requires_grad=True) for v in (x, w, up))
        out = f.conv2d(a, b, stride=2, padding=1, groups=2)
        out = f.conv_transpose2d(out.tanh(), c, stride=2, output_padding=1, groups=2)
        grad = tk.grad if lib is tk else torch.autograd.grad
        slopes = grad((out**3).sum(), [a, b, c], create_graph=True)
        total = sum((slope**2).sum() for slope in slopes)
        results.append([g.numpy() for g in grad(total, [a, b, c])])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)
