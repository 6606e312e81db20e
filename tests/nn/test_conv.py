"""Convolution layers: shapes, gradients, initial values, and what they say to wrong arguments."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.autograd import gradcheck, gradgradcheck
from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.nn import functional as F


def numbers(*shape: int, seed: int = 0, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def leaf(*shape: int, seed: int = 0) -> tk.Tensor:
    return tk.tensor(numbers(*shape, seed=seed), requires_grad=True)


def by_definition(x, weight, bias, stride, padding, dilation, groups):
    """Every output element as the sum that it is; x (N, C, *size)."""
    dims = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]])
    filters, channels, *kernel = weight.shape
    size = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(x.shape[2:], kernel, dilation, stride, strict=True)]
    out = np.zeros((len(x), filters, *size))
    for f in range(filters):
        first = f // (filters // groups) * channels
        for place in np.ndindex(*size):
            window = tuple(
                slice(p * s, p * s + (k - 1) * d + 1, d)
                for p, s, k, d in zip(place, stride, kernel, dilation, strict=True)
            )
            seen = x[(slice(None), slice(first, first + channels), *window)]
            out[(slice(None), f, *place)] = (seen * weight[f]).sum(tuple(range(1, dims + 2)))
    return out if bias is None else out + bias.reshape(-1, *[1] * dims)


CASES = [
    # dims, in, out, kernel, stride, padding, dilation, groups
    (1, 3, 4, 3, 1, 0, 1, 1),
    (1, 4, 6, 2, 3, 2, 2, 2),
    (1, 3, 3, 3, 1, 1, 1, 3),
    (2, 3, 4, 3, 1, 1, 1, 1),
    (2, 4, 2, (2, 3), (3, 1), (2, 0), (1, 2), 2),
    (2, 3, 6, (3, 1), 2, 1, 2, 3),
    (2, 2, 2, 1, 3, 0, 1, 1),  # a stride larger than the kernel
    (3, 2, 3, 2, 1, 0, 1, 1),
    (3, 2, 4, (2, 1, 3), (2, 1, 3), (1, 0, 2), (2, 1, 1), 2),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("biased", [True, False])
def test_values_against_the_definition(case, biased: bool) -> None:
    dims, channels, filters, kernel, stride, padding, dilation, groups = case
    layer = getattr(nn, f"Conv{dims}d")(channels, filters, kernel, stride, padding, dilation, groups, biased).double()
    x = numbers(2, channels, *(7, 6, 5)[-dims:])
    bias = layer.bias.detach().numpy() if biased else None
    args = layer.stride, layer.padding, layer.dilation, groups
    expected = by_definition(x, layer.weight.detach().numpy(), bias, *args)
    out = layer(tk.tensor(x))
    assert out.shape == expected.shape
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-10, atol=1e-12)
    # one input without the dimension of the batch, an empty batch, memory in another order
    np.testing.assert_allclose(layer(tk.tensor(x[1])).detach().numpy(), expected[1], rtol=1e-10, atol=1e-12)
    assert layer(tk.tensor(x[:0])).shape == (0, *expected.shape[1:])
    turned = tk.tensor(np.ascontiguousarray(x.T)).permute(*reversed(range(x.ndim)))
    np.testing.assert_allclose(layer(turned).detach().numpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients(case) -> None:
    dims, channels, filters, kernel, stride, padding, dilation, groups = case
    layer = getattr(nn, f"Conv{dims}d")(channels, filters, kernel, stride, padding, dilation, groups).double()
    inputs = [leaf(2, channels, *(4, 5, 5)[-dims:]), leaf(*layer.weight.shape, seed=1), leaf(filters)]
    call = getattr(F, f"conv{dims}d")
    args = stride, padding, dilation, groups
    assert gradcheck(lambda x, w, b: call(x, w, b, *args), inputs)
    assert gradgradcheck(lambda x, w, b: call(x, w, b, *args), inputs)


TRANSPOSED = [
    # dims, in, out, kernel, stride, padding, output_padding, groups, dilation
    (1, 2, 3, 3, 1, 0, 0, 1, 1),
    (1, 4, 2, 3, 3, 1, 2, 2, 2),
    (2, 3, 2, 3, 1, 1, 0, 1, 1),
    (2, 3, 4, 4, 2, 1, 0, 1, 1),
    (2, 2, 4, (2, 3), (3, 1), (0, 1), (2, 1), 2, (1, 2)),
    (2, 3, 3, 2, 1, 0, 1, 3, 2),  # more rows than the convolution would see
    (2, 2, 2, 1, 3, 0, 1, 1, 1),
]


@pytest.mark.parametrize("case", TRANSPOSED, ids=str)
def test_transposed_convolution_is_the_transpose(case) -> None:
    """<conv_transpose(x), y> = <x, conv(y)> for all x and y, and the bias is added."""
    dims, channels, filters, kernel, stride, padding, extra, groups, dilation = case
    layer = getattr(nn, f"ConvTranspose{dims}d")(
        channels, filters, kernel, stride, padding, extra, groups, True, dilation
    )
    layer.double()
    x = numbers(2, channels, *(4, 3)[-dims:])
    out = layer(tk.tensor(x)).detach().numpy() - layer.bias.detach().numpy().reshape(-1, *[1] * dims)
    size = [
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(
            x.shape[2:],
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.kernel_size,
            layer.output_padding,
            strict=True,
        )
    ]
    assert out.shape == (2, filters, *size)
    y = numbers(*out.shape, seed=1)
    seen = by_definition(y, layer.weight.detach().numpy(), None, layer.stride, layer.padding, layer.dilation, groups)
    seen = seen[(slice(None), slice(None), *[slice(n) for n in x.shape[2:]])]
    np.testing.assert_allclose((out * y).sum(), (x * seen).sum(), rtol=1e-9)
    np.testing.assert_allclose(layer(tk.tensor(x[1])).detach().numpy(), layer(tk.tensor(x))[1].detach().numpy())
    assert layer(tk.tensor(x[:0])).shape == (0, *out.shape[1:])


@pytest.mark.parametrize("case", TRANSPOSED, ids=str)
def test_gradients_of_the_transpose(case) -> None:
    dims, channels, filters, kernel, stride, padding, extra, groups, dilation = case
    layer = getattr(nn, f"ConvTranspose{dims}d")(
        channels, filters, kernel, stride, padding, extra, groups, True, dilation
    )
    inputs = [leaf(2, channels, *(3, 3)[-dims:]), leaf(*layer.weight.shape, seed=1), leaf(filters)]
    call = getattr(F, f"conv_transpose{dims}d")
    args = stride, padding, extra, groups, dilation
    assert gradcheck(lambda x, w, b: call(x, w, b, *args), inputs)
    assert gradgradcheck(lambda x, w, b: call(x, w, b, *args), inputs)


def test_output_size() -> None:
    down, up = nn.Conv2d(1, 1, 3, stride=3), nn.ConvTranspose2d(1, 1, 3, stride=3)
    for size in (12, 13, 14):
        x = tk.ones(1, 1, size, size)
        assert up(down(x), output_size=x.shape).shape == x.shape
        assert up(down(x), output_size=[size, size]).shape == x.shape
    with pytest.raises(ArgumentError, match=r"between \(12, 12\) and \(14, 14\).*\(15, 12\)"):
        up(tk.ones(1, 1, 4, 4), output_size=(15, 12))
    with pytest.raises(ArgumentError, match="2 or 4 elements"):
        up(tk.ones(1, 1, 4, 4), output_size=(12,))


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_and_valid(kernel: int, dilation: int) -> None:
    x, weight = numbers(2, 2, 9, 8), numbers(3, 2, kernel, 2)
    out = F.conv2d(tk.tensor(x), tk.tensor(weight), padding="same", dilation=(dilation, 1))
    total = (kernel - 1) * dilation
    padded = np.pad(x, [(0, 0), (0, 0), (total // 2, total - total // 2), (0, 1)])
    args = (1, 1), (0, 0), (dilation, 1), 1
    np.testing.assert_allclose(out.numpy(), by_definition(padded, weight, None, *args), rtol=1e-10, atol=1e-12)
    if total < 9:
        out = F.conv2d(tk.tensor(x), tk.tensor(weight), padding="valid", dilation=(dilation, 1))
        np.testing.assert_allclose(out.numpy(), by_definition(x, weight, None, *args), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("mode", "name"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")])
@pytest.mark.parametrize("padding", [(2, 1), "same", "valid"])
def test_padding_modes(mode: str, name: str, padding) -> None:
    layer = nn.Conv2d(2, 3, (4, 3), padding=padding, padding_mode=mode).double()
    x = numbers(2, 2, 6, 5)
    widths = {"same": [(1, 2), (1, 1)], "valid": [(0, 0), (0, 0)]}.get(padding, [(2, 2), (1, 1)])
    padded = np.pad(x, [(0, 0), (0, 0), *widths], mode=name)
    parameters = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    expected = by_definition(padded, *parameters, (1, 1), (0, 0), (1, 1), 1)
    np.testing.assert_allclose(layer(tk.tensor(x)).detach().numpy(), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer(tk.tensor(x[0])).detach().numpy(), expected[0], rtol=1e-10, atol=1e-12)
    assert gradcheck(lambda x: layer(x), [leaf(1, 2, 5, 5)])


def test_half_precision_is_computed_in_single() -> None:
    x, weight, bias = numbers(2, 3, 6, 6), numbers(4, 3, 3, 3), numbers(4)
    half = [tk.tensor(a.astype("float16"), requires_grad=True) for a in (x, weight, bias)]
    single = [tk.tensor(a.astype("float16").astype("float32")) for a in (x, weight, bias)]
    out = F.conv2d(*half)
    assert out.dtype == "float16"
    np.testing.assert_array_equal(out.detach().numpy(), F.conv2d(*single).numpy().astype("float16"))
    out.sum().backward()
    assert half[1].grad.dtype == "float16"
    up = F.conv_transpose2d(
        half[0].detach(), tk.tensor(weight.transpose(1, 0, 2, 3).astype("float16")), half[2].detach()
    )
    assert up.dtype == "float16"


def test_initial_values_are_pytorchs() -> None:
    """Uniform within 1 / sqrt(fan in); a transposed convolution counts the fan of its own weight, as PyTorch does."""
    tk.manual_seed(0)
    for layer, fan in (
        (nn.Conv1d(8, 64, 5), 40),
        (nn.Conv2d(16, 64, 3, groups=2), 72),
        (nn.Conv3d(4, 64, 2), 32),
        (nn.ConvTranspose1d(64, 8, 5), 40),
        (nn.ConvTranspose2d(32, 16, 3, groups=2), 72),
    ):
        bound = 1 / np.sqrt(fan)
        for parameter in (layer.weight, layer.bias):
            values = parameter.detach().numpy()
            assert np.abs(values).max() <= bound
            assert np.abs(values).max() > 0.8 * bound
        assert abs(layer.weight.detach().numpy().std() / (bound / np.sqrt(3)) - 1) < 0.1


def test_repr_and_state() -> None:
    layer = nn.Conv2d(4, 8, (3, 5), stride=2, padding=(1, 0), dilation=2, groups=4, bias=False, padding_mode="circular")
    assert repr(layer) == (
        "Conv2d(4, 8, kernel_size=(3, 5), stride=(2, 2), padding=(1, 0), dilation=(2, 2), groups=4, bias=False, "
        "padding_mode=circular)"
    )
    assert repr(nn.Conv1d(1, 2, 3, padding="same")) == "Conv1d(1, 2, kernel_size=(3,), stride=(1,), padding=same)"
    assert repr(nn.ConvTranspose2d(1, 2, 3, 2, output_padding=1)) == (
        "ConvTranspose2d(1, 2, kernel_size=(3, 3), stride=(2, 2), output_padding=(1, 1))"
    )
    assert list(layer.state_dict()) == ["weight"]
    assert {name: value.shape for name, value in nn.ConvTranspose2d(4, 6, 3, groups=2).state_dict().items()} == {
        "weight": (4, 3, 3, 3),
        "bias": (6,),
    }
    assert nn.Conv3d(1, 1, 1, dtype="float64").weight.dtype == "float64"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Conv1d(3, 2, 3)(tk.ones(2, 5, 8)), ShapeError, r"\(N, 3, L\) or \(3, L\), got \(2, 5, 8\)"),
        (lambda: nn.Conv3d(1, 2, 3)(tk.ones(1, 1, 8, 8, 2)), ShapeError, "larger than the image"),
        (lambda: nn.Conv2d(1, 2, 3, dilation=4)(tk.ones(1, 1, 8, 8)), ShapeError, r"with dilation \(4, 4\) is larger"),
        (lambda: nn.Conv2d(3, 2, 3)(tk.ones(1, 8, 8, 3)), ShapeError, "movedim"),
        (lambda: nn.Conv2d(3, 2, 3)(tk.ones(8, 8)), ShapeError, r"got \(8, 8\)"),
        (lambda: nn.Conv2d(3, 2, 3)(tk.ones(1, 3, 8, 8).double()), DTypeError, "float32.*float64.*cast"),
        (lambda: nn.Conv2d(3, 2, 3)(tk.ones(1, 3, 8, 8).long()), DTypeError, "floating point.*int64.*float"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ArgumentError, "divisible by groups=2"),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), ArgumentError, "divisible by groups=2"),
        (lambda: nn.Conv2d(4, 4, 3, groups=0), ArgumentError, "groups"),
        (lambda: nn.Conv2d(0, 4, 3), ArgumentError, "at least one channel"),
        (lambda: nn.Conv2d(1, 4, (3, 3, 3)), ArgumentError, r"kernel_size.*2 of them, got \(3, 3, 3\)"),
        (lambda: nn.Conv2d(1, 4, 3, stride=1.5), ArgumentError, "stride.*1.5"),
        (lambda: nn.Conv2d(1, 4, 3, dilation=0), ArgumentError, "dilation"),
        (lambda: nn.Conv2d(1, 4, 3, padding=-1), ArgumentError, "padding"),
        (lambda: nn.Conv2d(1, 4, 3, padding="full"), ArgumentError, "'same' or 'valid', got 'full'"),
        (lambda: nn.Conv2d(1, 4, 3, stride=2, padding="same"), ArgumentError, "not supported for strided"),
        (lambda: nn.Conv2d(1, 4, 3, padding_mode="mirror"), ArgumentError, "reflect.*'mirror'"),
        (lambda: nn.ConvTranspose2d(1, 4, 3, padding_mode="reflect"), ArgumentError, "zeros, got 'reflect'"),
        (lambda: nn.ConvTranspose2d(1, 4, 3, padding="same"), ArgumentError, "padding"),
        (lambda: nn.ConvTranspose2d(1, 4, 3, output_padding=1)(tk.ones(1, 1, 4, 4)), ShapeError, "smaller than either"),
        (lambda: nn.ConvTranspose2d(1, 4, 2, padding=1)(tk.ones(1, 1, 1, 1)), ShapeError, "nothing is left"),
        (lambda: nn.ConvTranspose1d(3, 4, 2)(tk.ones(1, 2, 4)), ShapeError, r"\(N, 3, L\)"),
        (lambda: F.conv2d(tk.ones(1, 4, 5, 5), tk.ones(3, 2, 3, 3), groups=2), ShapeError, "3 filters.*groups=2"),
        (lambda: F.conv2d(tk.ones(1, 4, 5, 5), tk.ones(3, 4, 3)), ShapeError, "weight of 4 dimensions"),
        (lambda: F.conv2d(tk.ones(1, 4, 5, 5), tk.ones(3, 4, 0, 3)), ShapeError, "at least one element"),
        (lambda: F.conv2d(tk.ones(1, 4, 5, 5), tk.ones(3, 4, 3, 3), tk.ones(4)), ShapeError, r"bias of shape \(3,\)"),
        (lambda: F.conv_transpose2d(tk.ones(1, 3, 5, 5), tk.ones(3, 2, 3, 3), groups=2), ShapeError, "3 channels"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
