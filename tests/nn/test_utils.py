"""Clipping gradients, and parameters as one vector."""

import math

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, ShapeError
from trainkit.nn import utils


def leaves(*gradients):
    """Parameters with these gradients, and one without."""
    made = [tk.zeros(*np.shape(g), requires_grad=True) for g in gradients]
    for leaf, gradient in zip(made, gradients, strict=True):
        leaf.grad = tk.tensor(gradient)
    return [*made, tk.zeros(2, requires_grad=True)]


@pytest.mark.parametrize(
    ("order", "norm"), [(2.0, 13.0), (1.0, 19.0), (math.inf, 12.0), (3, (27 + 64 + 1728) ** (1 / 3)), ("inf", 12.0)]
)
def test_clip_grad_norm(order, norm: float) -> None:
    params = leaves([[3.0], [-4.0]], [12.0])
    assert utils.clip_grad_norm_(iter(params), 6.0, order).item() == pytest.approx(norm, rel=1e-5)
    np.testing.assert_allclose(params[0].grad.tolist(), [[18.0 / norm], [-24.0 / norm]], rtol=1e-5)
    np.testing.assert_allclose(params[1].grad.tolist(), [72.0 / norm], rtol=1e-5)
    assert params[2].grad is None


def test_small_gradients_stay_and_versions_count() -> None:
    params = leaves([0.3, 0.4])
    gradient = params[0].grad
    assert utils.clip_grad_norm_(params[0], 1.0).item() == pytest.approx(0.5)
    assert params[0].grad is gradient
    np.testing.assert_array_equal(gradient.numpy(), np.array([0.3, 0.4], np.float32))
    assert gradient._version == 1


def test_norms_that_are_not_finite() -> None:
    params = leaves([1.0, math.nan], [1.0])
    with pytest.raises(RuntimeError, match="nan, so they cannot be clipped"):
        utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert params[1].grad.tolist() == [1.0]
    assert math.isnan(utils.clip_grad_norm_(params, 1.0).item())
    assert math.isnan(params[1].grad.item())
    params = leaves([math.inf], [1.0])
    assert utils.clip_grad_norm_(params, 1.0).item() == math.inf
    assert params[1].grad.item() == 0.0


def test_nothing_to_clip() -> None:
    assert utils.clip_grad_norm_([tk.zeros(2, requires_grad=True)], 1.0).item() == 0.0
    with pytest.warns(UserWarning, match="used up"):
        utils.clip_grad_norm_(iter([]), 1.0)


def test_clip_grad_value() -> None:
    params = leaves([[3.0, -0.5], [-4.0, math.nan]], [2.0])
    utils.clip_grad_value_(params, 1)
    np.testing.assert_array_equal(params[0].grad.numpy(), np.array([[1.0, -0.5], [-1.0, np.nan]], np.float32))
    assert params[1].grad.tolist() == [1.0]
    utils.clip_grad_value_(params[1], 0.5)
    assert params[1].grad.tolist() == [0.5]


def test_parameters_as_a_vector_and_back() -> None:
    net = nn.Linear(3, 2)
    vector = utils.parameters_to_vector(net.parameters())
    assert vector.shape == (8,)
    (vector * tk.arange(8)).sum().backward()
    assert net.bias.grad.tolist() == [6.0, 7.0]
    weight, version = net.weight, net.weight._version
    utils.vector_to_parameters(tk.arange(8.0), net.parameters())
    assert net.weight is weight
    assert weight.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert net.bias.tolist() == [6.0, 7.0]
    assert weight._version == version + 1
    assert weight.is_leaf
    with pytest.raises(ShapeError, match=r"8 elements, got a vector of shape \(7,\)"):
        utils.vector_to_parameters(tk.ones(7), net.parameters())
    with pytest.raises(TypeError, match="takes a tensor"):
        utils.vector_to_parameters([1.0], net.parameters())
    with pytest.raises(ArgumentError, match="no parameters"):
        utils.parameters_to_vector([])
