"""Dropout: what is dropped together, what the others become, in place, seeds, modes, errors."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, DTypeError, GradientError, ShapeError
from trainkit.nn import functional as F

FEATURES = [
    ("dropout1d", (60, 40), 1),
    ("dropout1d", (30, 40, 5), 2),
    ("dropout2d", (30, 40, 2, 3), 2),
    ("dropout3d", (1200, 2, 3, 2), 1),
    ("dropout3d", (30, 40, 2, 3, 2), 2),
    ("feature_alpha_dropout", (30, 40, 5), 2),
]


@pytest.mark.parametrize(("name", "shape", "dims"), FEATURES)
def test_channels_fall_together(name: str, shape: tuple, dims: int) -> None:
    tk.manual_seed(0)
    x = tk.ones(shape, requires_grad=True)
    out = getattr(F, name)(x, 0.3, True)
    values = out.detach().numpy().reshape(np.prod(shape[:dims]), -1)
    assert (values == values[:, :1]).all()
    high, low = np.unique(values[:, 0])[::-1]
    share = (values[:, 0] == low).mean()
    assert abs(share - 0.3) < 5 * (0.21 / len(values)) ** 0.5
    if name != "feature_alpha_dropout":
        assert (low, high) == (0, np.float32(1 / 0.7))
    out.sum().backward()
    slopes = x.grad.numpy().reshape(values.shape)
    assert ((slopes == 0) == (values == low)).all()
    assert (slopes[values == high] == slopes.max()).all()


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    tk.manual_seed(0)
    x = tk.randn(400, 500)
    for p in (0.1, 0.5, 0.9):
        out = F.alpha_dropout(x, p, training=True).numpy()
        assert out.mean() == pytest.approx(0, abs=0.02)
        assert out.std() == pytest.approx(1, abs=0.02)
        lowest, count = max(zip(*np.unique(out, return_counts=True), strict=True), key=lambda pair: pair[1])
        assert abs(count / out.size - p) < 0.01
        scale = (1.7580993**2 * p + 1) ** -0.5 * (1 - p) ** -0.5
        assert lowest == pytest.approx(-1.7580993 * scale * (1 - p), rel=1e-5)


ALL = ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"]
SHAPES = {"dropout1d": (4, 5, 6), "dropout2d": (4, 5, 2, 3), "dropout3d": (4, 5, 2, 3, 2)}


@pytest.mark.parametrize("name", ALL)
def test_in_place_seeds_and_modes(name: str) -> None:
    function, x = getattr(F, name), tk.randn(SHAPES.get(name, (20, 30)))
    tk.manual_seed(1)
    expected = function(x, 0.5, True)
    assert not tk.equal(function(x, 0.5, True), expected)
    tk.manual_seed(1)
    twin = x.clone()
    assert function(twin, 0.5, True, inplace=True) is twin
    assert tk.equal(twin, expected)
    assert function(x, 0.5, False) is x
    assert function(x, 0.0, True) is x
    assert not function(x, 1.0, True).numpy().any()
    leaf = x.clone().requires_grad_()
    with pytest.raises(GradientError, match="leaf"):
        function(leaf, 0.5, True, True)
    tk.manual_seed(1)
    inner = leaf * 1
    function(inner, 0.5, True, True).sum().backward()
    tk.manual_seed(1)
    other = x.clone().requires_grad_()
    function(other, 0.5, True).sum().backward()
    assert tk.equal(leaf.grad, other.grad)
    assert function(tk.zeros(0, *x.shape[1:]), 0.5, True).shape == (0, *x.shape[1:])
    half = function(x.to("float16"), 0.5, True)
    assert half.dtype == "float16"


def test_defaults_are_pytorchs() -> None:
    x = tk.ones(1000, 2)
    assert F.alpha_dropout(x) is x
    assert F.feature_alpha_dropout(x) is x
    assert (F.dropout(x).numpy() == 0).any()
    assert "training=self.training" in F.dropout.__doc__


def test_layers_follow_their_mode() -> None:
    net = nn.Sequential(nn.Dropout(), nn.AlphaDropout(0.3), nn.FeatureAlphaDropout(inplace=True))
    x = tk.ones(50, 4)
    assert net.eval()(x) is x
    assert not tk.equal(net.train()(x), x)
    assert repr(net[2]) == "FeatureAlphaDropout(p=0.5, inplace=True)"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Dropout2d(-0.1), ArgumentError, "between 0 and 1, got -0.1"),
        (lambda: F.dropout1d(tk.ones(2, 3), 2.0), ArgumentError, "between 0 and 1, got 2.0"),
        (lambda: F.alpha_dropout(tk.ones(2), float("nan")), ArgumentError, "between 0 and 1"),
        (lambda: F.dropout(tk.ones(2).long()), DTypeError, "floating point"),
        (lambda: F.dropout1d(tk.ones(2, 3, 4, 5)), ShapeError, r"\(N, C, L\) or \(C, L\), got \(2, 3, 4, 5\)"),
        (lambda: F.feature_alpha_dropout(tk.ones(2), 0.5, True), ShapeError, "at least 2 dimensions"),
    ],
)
def test_bad_input(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_dimensions_that_are_not_those_of_images() -> None:
    with pytest.warns(UserWarning, match=r"dropout2d expected input of shape \(N, C, H, W\), got \(2, 3, 4\)"):
        F.dropout2d(tk.ones(2, 3, 4))
    with pytest.warns(UserWarning, match=r"dropout3d expected input of shape \(N, C, D, H, W\) or \(C, D, H, W\)"):
        F.dropout3d(tk.ones(2, 3, 4))
