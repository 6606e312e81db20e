"""Weights made of others: by hooks, by parametrizations, and layers with a norm in them."""

import copy
import pickle

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, ShapeError
from trainkit.nn import utils
from trainkit.nn.utils import parametrizations, parametrize


def array(tensor):
    return tensor.numpy(force=True)


def stretch(weight, dim=0):
    matrix = np.moveaxis(array(weight), dim, 0)
    return np.linalg.svd(matrix.reshape(len(matrix), -1), compute_uv=False)[0]


@pytest.mark.parametrize("norm", [utils.weight_norm, parametrizations.weight_norm])
@pytest.mark.parametrize(("dim", "shape"), [(0, (4, 1, 1, 1)), (1, (1, 2, 1, 1)), (-2, (1, 1, 3, 1)), (None, ())])
def test_weight_norm(norm, dim, shape) -> None:
    layer = nn.Conv2d(2, 4, 3)
    before, x = copy.deepcopy(layer), tk.randn(1, 2, 4, 4)
    assert norm(layer, dim=dim) is layer
    state = layer.state_dict()
    g, v = list(state)[1:]
    assert state[g].shape == shape
    np.testing.assert_allclose(array(layer(x)), array(before(x)), rtol=1e-4, atol=1e-5)
    with tk.no_grad():
        state[v].mul_(7)
    np.testing.assert_allclose(array(layer(x)), array(before(x)), rtol=1e-4, atol=1e-5)
    with tk.no_grad():
        state[g].mul_(2)
    layer(x).sum().backward()
    np.testing.assert_allclose(array(layer.weight), 2 * array(before.weight), rtol=1e-4)
    assert all(p.grad is not None for p in layer.parameters())


@pytest.mark.parametrize("norm", [utils.weight_norm, utils.spectral_norm])
def test_norms_by_hooks_are_set_up_once_and_removed(norm) -> None:
    layer = norm(nn.Linear(3, 2))
    with pytest.raises(RuntimeError, match="already"):
        norm(layer)
    with pytest.raises((AttributeError, KeyError), match="no parameter 'weights'"):
        norm(layer, "weights")
    layer(tk.ones(1, 3))
    remove = utils.remove_weight_norm if norm is utils.weight_norm else utils.remove_spectral_norm
    value = layer.eval()(tk.ones(1, 3))
    assert remove(layer) is layer
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert isinstance(layer.weight, nn.Parameter)
    np.testing.assert_allclose(array(layer(tk.ones(1, 3))), array(value), rtol=1e-5)
    with pytest.raises(ValueError, match="not set up"):
        remove(layer)


@pytest.mark.parametrize(
    ("make", "dim"),
    [(lambda: nn.Linear(5, 3), 0), (lambda: nn.Conv2d(2, 3, 3), 0), (lambda: nn.ConvTranspose2d(2, 3, 3), 1)],
)
@pytest.mark.parametrize("norm", [utils.spectral_norm, parametrizations.spectral_norm])
def test_spectral_norm(norm, make, dim) -> None:
    layer = norm(make())
    x = tk.randn(2, 5) if isinstance(layer, nn.Linear) else tk.randn(1, 2, 4, 4)
    for _ in range(100):
        layer(x)
    layer.eval()
    layer(x).sum().backward()
    assert stretch(layer.weight, dim) == pytest.approx(1, abs=5e-3)
    buffers = [buffer.numpy().copy() for buffer in layer.buffers()]
    layer(x)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(buffers, layer.buffers(), strict=True))
    assert len(buffers) == 2
    assert all(p.grad is not None for p in layer.parameters())


@pytest.mark.parametrize("norm", [utils.spectral_norm, parametrizations.spectral_norm])
def test_two_calls_and_one_backward(norm) -> None:
    """A discriminator sees the real and the fake before its step: the vectors turn in between."""
    layer = norm(nn.Linear(3, 2))
    (layer(tk.ones(1, 3)) + layer(tk.zeros(1, 3))).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


@pytest.mark.parametrize("norm", [utils.spectral_norm, parametrizations.spectral_norm])
def test_spectral_norm_refuses(norm) -> None:
    with pytest.raises(ArgumentError, match="at least 1"):
        norm(nn.Linear(2, 2), n_power_iterations=0)
    with pytest.raises((KeyError, ValueError), match="no parameter"):
        norm(nn.ReLU())


def test_spectral_norm_of_vectors() -> None:
    layer = nn.LayerNorm(3)
    with pytest.raises(ShapeError, match="two dimensions"):
        utils.spectral_norm(layer)
    assert isinstance(layer.weight, nn.Parameter)
    parametrizations.spectral_norm(layer)
    assert layer.weight.norm().item() == pytest.approx(1)


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize("module", [utils, parametrizations])
def test_gradients(module, norm) -> None:
    layer = getattr(module, norm)(nn.Linear(3, 2).double()).eval()
    x = tk.randn(2, 3, dtype=tk.float64)
    owned = [
        (layer.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]) for name, _ in layer.named_parameters()
    ]
    values = [p.detach().clone().requires_grad_() for p in layer.parameters()]
    for owner, name in owned:
        delattr(owner, name)

    def run(*values):
        for (owner, name), value in zip(owned, values, strict=True):
            setattr(owner, name, value)
        return layer(x)

    assert tk.gradcheck(run, values)


def test_states_of_the_older_weight_norm_fit_the_newer() -> None:
    old, new = utils.weight_norm(nn.Linear(3, 2)), parametrizations.weight_norm(nn.Linear(3, 2))
    nn.Sequential(new).load_state_dict(nn.Sequential(old).state_dict())
    np.testing.assert_allclose(array(new.weight), array(old.weight), rtol=1e-6)


class Exp(nn.Module):
    def forward(self, x):
        return x.exp()

    def right_inverse(self, x):
        return x.log()


class Half(nn.Module):
    def forward(self, x):
        return x[: len(x) // 2]


def test_parametrizations() -> None:
    layer = nn.Linear(2, 2)
    with tk.no_grad():
        layer.weight.abs_().add_(1.1)
    own, before = layer.weight, array(layer.weight).copy()
    assert parametrize.register_parametrization(layer, "weight", Exp()) is layer
    assert layer.parametrizations.weight.original is own
    assert (type(layer).__name__, parametrize.type_before_parametrizations(layer)) == ("ParametrizedLinear", nn.Linear)
    np.testing.assert_allclose(array(layer.weight), before, rtol=1e-6)
    parametrize.register_parametrization(layer, "weight", Exp())
    np.testing.assert_allclose(array(layer.weight), before, rtol=1e-5)
    layer.weight = tk.full((2, 2), 5.0)
    np.testing.assert_allclose(array(own), np.log(np.log(5.0)), rtol=1e-5)
    parametrize.register_parametrization(layer, "bias", nn.Identity())
    assert list(layer.state_dict()) == ["parametrizations.weight.original", "parametrizations.bias.original"]
    twin = copy.deepcopy(layer)
    assert parametrize.is_parametrized(layer)
    assert not parametrize.is_parametrized(layer, "other")
    parametrize.remove_parametrizations(layer, "weight")
    assert layer.weight is own
    assert layer.weight.tolist()[0][0] == pytest.approx(5)
    assert parametrize.is_parametrized(layer, "bias")
    parametrize.remove_parametrizations(layer, "bias", leave_parametrized=False)
    assert type(layer) is nn.Linear
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert twin.weight.tolist()[0][0] == pytest.approx(5)
    with pytest.raises(RuntimeError, match="state_dict"):
        pickle.dumps(twin)
    pickle.dumps(layer)


def test_parametrizations_that_do_not_fit() -> None:
    layer = nn.Linear(2, 4)
    before = layer.weight
    with pytest.raises(ArgumentError, match=r"shape \(2, 2\)"):
        parametrize.register_parametrization(layer, "weight", Half())
    assert layer.weight is before
    assert type(layer) is nn.Linear
    parametrize.register_parametrization(layer, "weight", Half(), unsafe=True)
    assert layer.weight.shape == (2, 2)
    with pytest.raises(ArgumentError, match="makes"):
        parametrize.register_parametrization(layer, "weight", Half())
    with pytest.raises(ArgumentError, match="right inverse"):
        layer.weight = tk.ones(2, 2)
    for name in ("nothing", "training"):
        with pytest.raises(ArgumentError, match="no parameter or buffer"):
            parametrize.register_parametrization(layer, name, Exp())
    with pytest.raises(ArgumentError, match="no parametrization"):
        parametrize.remove_parametrizations(layer, "bias")
    parametrizations.weight_norm(layer, "bias")
    with pytest.raises(ArgumentError, match="made of 2"):
        parametrize.remove_parametrizations(layer, "bias", leave_parametrized=False)
    parametrize.remove_parametrizations(layer, "bias")
    assert isinstance(layer.bias, nn.Parameter)


def test_buffers_are_parametrized_too() -> None:
    norm = nn.BatchNorm2d(2)
    parametrize.register_parametrization(norm, "running_var", Exp())
    assert norm.running_var.tolist() == [1.0, 1.0]
    assert "parametrizations.running_var.original" in dict(norm.named_buffers())
    parametrize.remove_parametrizations(norm, "running_var")
    assert "running_var" in norm.state_dict()


def test_cached() -> None:
    layer = parametrizations.weight_norm(nn.Linear(2, 2))
    first, second = layer.weight, layer.weight
    assert first is not second
    with parametrize.cached():
        kept = layer.weight
        with parametrize.cached():
            assert layer.weight is kept
        assert layer.weight is kept
        layer.weight = tk.ones(2, 2)
        assert layer.weight is not kept
        kept = layer.weight
    assert layer.weight is not kept


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(
    ("make", "channels"),
    [
        (lambda bias: nn.Conv2d(2, 4, 3, bias=bias), 2),
        (lambda bias: nn.Conv2d(2, 4, 3, groups=2, bias=bias), 2),
        (lambda bias: nn.ConvTranspose2d(2, 4, 3, bias=bias), 2),
        (lambda bias: nn.ConvTranspose2d(4, 4, 3, groups=2, bias=bias), 4),
        (lambda bias: nn.ConvTranspose2d(4, 4, 3, groups=4, bias=bias), 4),
    ],
)
def test_fused_convolutions(make, channels, affine, bias) -> None:
    net = nn.Sequential(make(bias), nn.BatchNorm2d(4, affine=affine)).double()
    for tensor in (net[1].running_mean, net[1].running_var, *net[1].parameters()):
        nn.init.uniform_(tensor, 0.5, 1.5)
    net.eval()
    state = copy.deepcopy(net.state_dict())
    fused = utils.fuse_conv_bn_eval(*net)
    x = tk.randn(2, channels, 5, 5, dtype=tk.float64)
    np.testing.assert_allclose(array(fused(x)), array(net(x)), rtol=1e-10, atol=1e-12)
    assert type(fused) is type(net[0])
    assert all(tk.equal(value, state[name]) for name, value in net.state_dict().items())


def test_what_cannot_be_fused() -> None:
    conv, norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
    with pytest.raises(ArgumentError, match="evaluation"):
        utils.fuse_conv_bn_eval(conv, norm)
    with pytest.raises(ArgumentError, match="statistics"):
        utils.fuse_conv_bn_eval(conv.eval(), nn.BatchNorm2d(2, track_running_stats=False).eval())
    with pytest.raises(ShapeError, match="3 channels"):
        utils.fuse_conv_bn_eval(conv, nn.BatchNorm2d(3).eval())


def test_fused_linear_layers() -> None:
    linear, norm = nn.Linear(3, 2).eval(), nn.BatchNorm2d(2).eval()
    norm.running_mean.fill_(2.0)
    x = tk.randn(4, 3)
    wanted = norm(linear(x)[:, :, None, None])[:, :, 0, 0]
    np.testing.assert_allclose(array(utils.fuse_linear_bn_eval(linear, norm)(x)), array(wanted), rtol=1e-5, atol=1e-6)
