"""Initial values: what is filled exactly, and how what is drawn is distributed."""

import math

import numpy as np
import pytest

import trainkit as tk
from trainkit.errors import ArgumentError
from trainkit.nn import init


def quantiles_fit(values, cdf) -> bool:
    """Kolmogorov and Smirnov's test at a level that a right sample of any seed passes."""
    values = np.sort(values.ravel())
    wanted = np.array([cdf(value) for value in values])
    steps = np.arange(len(values) + 1) / len(values)
    gap = max(np.abs(wanted - steps[1:]).max(), np.abs(wanted - steps[:-1]).max())
    return gap * math.sqrt(len(values)) < 2.3


def uniform(a, b):
    return lambda x: min(max((x - a) / (b - a), 0), 1)


def normal(mean, std):
    return lambda x: 0.5 * (1 + math.erf((x - mean) / (std * math.sqrt(2))))


def cut(mean, std, a, b):
    whole, low = normal(mean, std), normal(mean, std)(a)
    return lambda x: (whole(x) - low) / (whole(b) - low)


LINEAR, CONV = (40, 50), (20, 10, 3, 3)  # fans 50, 40 and 90, 180


@pytest.mark.parametrize(
    ("draw", "shape", "cdf"),
    [
        (lambda t, g: init.uniform_(t, -1, 3, g), (2000,), uniform(-1, 3)),
        (lambda t, g: init.normal_(t, 2, 3, g), (2000,), normal(2, 3)),
        (lambda t, g: init.trunc_normal_(t, generator=g), (2000,), cut(0, 1, -2, 2)),
        (lambda t, g: init.trunc_normal_(t, 1, 2, -1, 1.5, generator=g), (2000,), cut(1, 2, -1, 1.5)),
        (lambda t, g: init.xavier_uniform_(t, generator=g), LINEAR, uniform(-math.sqrt(6 / 90), math.sqrt(6 / 90))),
        (lambda t, g: init.xavier_normal_(t, 2.0, generator=g), CONV, normal(0, 2 * math.sqrt(2 / 270))),
        (lambda t, g: init.kaiming_uniform_(t, generator=g), LINEAR, uniform(-math.sqrt(6 / 50), math.sqrt(6 / 50))),
        (lambda t, g: init.kaiming_normal_(t, 0, "fan_out", "relu", g), CONV, normal(0, math.sqrt(2 / 180))),
        (lambda t, g: init.kaiming_normal_(t, 0.5, generator=g), CONV, normal(0, math.sqrt(2 / 1.25 / 90))),
        (
            lambda t, g: init.kaiming_normal_(t, nonlinearity="tanh", generator=g),
            LINEAR,
            normal(0, 5 / 3 / math.sqrt(50)),
        ),
    ],
)
def test_distributions(draw, shape, cdf) -> None:
    weight = tk.empty(*shape, requires_grad=True)
    assert draw(weight, tk.Generator().manual_seed(3)) is weight
    first = weight.detach().numpy().copy()
    assert quantiles_fit(first, cdf)
    assert not quantiles_fit(first * 1.2 + 0.01, cdf)
    assert weight.is_leaf
    assert weight.requires_grad
    np.testing.assert_array_equal(draw(weight, tk.Generator().manual_seed(3)).numpy(force=True), first)
    assert not np.array_equal(draw(weight, None).numpy(force=True), first)


def test_exact_values() -> None:
    assert init.zeros_(tk.empty(2)).tolist() == [0.0, 0.0]
    assert init.ones_(tk.empty(2)).tolist() == [1.0, 1.0]
    assert init.constant_(tk.empty(2), 0.3).dtype == tk.float32
    assert init.eye_(tk.ones(3, 2)).tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize("shape", [(3, 3, 3), (2, 5, 3, 5), (5, 2, 3, 3, 1)])
def test_dirac_passes_on_what_comes(shape) -> None:
    weight = init.dirac_(tk.empty(*shape))
    x = tk.randn(2, shape[1], 6, *shape[3:])
    conv = getattr(tk.nn.functional, f"conv{len(shape) - 2}d")
    out = conv(x, weight, padding=[size // 2 for size in shape[2:]])
    same = min(shape[:2])
    assert tk.allclose(out[:, :same], x[:, :same])
    assert weight.sum().item() == same


def test_dirac_in_groups() -> None:
    weight = init.dirac_(tk.empty(6, 2, 3), groups=2)
    assert weight.nonzero().tolist() == [[0, 0, 1], [1, 1, 1], [3, 0, 1], [4, 1, 1]]


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 2, 3), (12, 2, 2, 2), (1, 4)])
def test_orthogonal(shape) -> None:
    weight = init.orthogonal_(tk.empty(*shape, dtype=tk.float64), gain=2.0).numpy().reshape(shape[0], -1)
    small = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)


def test_orthogonal_matrices_have_no_favourite_signs() -> None:
    generator = tk.Generator().manual_seed(0)
    corners = [init.orthogonal_(tk.empty(2, 2), generator=generator)[0, 0].item() for _ in range(300)]
    assert 100 < sum(corner > 0 for corner in corners) < 200


def test_sparse() -> None:
    weight = init.sparse_(tk.empty(30, 4), 0.3, std=2.0, generator=tk.Generator().manual_seed(0)).numpy()
    assert (weight == 0).sum(0).tolist() == [9, 9, 9, 9]
    assert len({tuple(column == 0) for column in weight.T}) > 1
    assert 1.2 < weight[weight != 0].std() < 2.8


def test_gains() -> None:
    names = ["linear", "conv1d", "conv_transpose3d", "sigmoid", "tanh", "relu", "selu", "leaky_relu"]
    gains = [1, 1, 1, 1, 5 / 3, math.sqrt(2), 0.75, math.sqrt(2 / 1.0001)]
    assert [init.calculate_gain(name) for name in names] == gains
    assert init.calculate_gain("leaky_relu", 1) == 1.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: init.calculate_gain("gelu"),
        lambda: init.calculate_gain("leaky_relu", "steep"),
        lambda: init.kaiming_uniform_(tk.empty(3)),
        lambda: init.xavier_normal_(tk.empty(())),
        lambda: init.kaiming_normal_(tk.empty(3, 3), mode="fan"),
        lambda: init.eye_(tk.empty(3)),
        lambda: init.dirac_(tk.empty(3, 3)),
        lambda: init.dirac_(tk.empty(3, 3, 3), groups=2),
        lambda: init.orthogonal_(tk.empty(3)),
        lambda: init.sparse_(tk.empty(3, 3, 3), 0.1),
        lambda: init.sparse_(tk.empty(3, 3), 1.1),
    ],
)
def test_what_cannot_be_filled(call) -> None:
    with pytest.raises(ArgumentError):
        call()


def test_ends() -> None:
    with pytest.warns(UserWarning, match="outside"):
        weight = init.trunc_normal_(tk.empty(100), mean=5.0)
    assert weight.min() >= -2
    assert weight.max() <= 2
    assert init.trunc_normal_(tk.empty(100), a=-50, b=50).abs().max() < 10
    for fill in (init.orthogonal_, init.xavier_uniform_, init.kaiming_normal_, init.trunc_normal_):
        assert fill(tk.empty(0, 3)).shape == (0, 3)
