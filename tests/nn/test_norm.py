"""Normalisation layers: figures, modes, running statistics, frozen layers, second derivatives, errors."""

import copy

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.autograd import gradcheck, gradgradcheck
from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.nn import functional as F


def test_momentum_none_is_the_average_over_all_batches() -> None:
    norm, batches = nn.BatchNorm1d(2, momentum=None), [tk.randn(n, 2) * n + n for n in (4, 9, 3, 7)]
    for batch in batches:
        norm(batch)
    arrays = [batch.numpy() for batch in batches]
    np.testing.assert_allclose(norm.running_mean.numpy(), np.mean([a.mean(0) for a in arrays], 0), rtol=1e-5)
    np.testing.assert_allclose(norm.running_var.numpy(), np.mean([a.var(0, ddof=1) for a in arrays], 0), rtol=1e-5)
    assert norm.num_batches_tracked.item() == 4
    norm.reset_running_stats()
    assert norm.running_mean.tolist() == [0, 0]
    assert norm.running_var.tolist() == [1, 1]
    assert norm.num_batches_tracked.item() == 0


def test_without_running_statistics_evaluation_takes_those_of_the_batch() -> None:
    x = tk.randn(5, 3)
    norm = nn.BatchNorm1d(3, track_running_stats=False)
    assert list(norm.state_dict()) == ["weight", "bias"]
    np.testing.assert_array_equal(norm(x).detach().numpy(), norm.eval()(x).detach().numpy())


def test_statistics_that_are_switched_off_rest() -> None:
    norm = nn.BatchNorm1d(3)
    norm.track_running_stats = False
    norm(tk.randn(4, 3))
    assert norm.running_var.tolist() == [1, 1, 1]
    assert norm.num_batches_tracked.item() == 0


def test_a_frozen_norm_learns_its_scale_by_given_statistics() -> None:
    norm, x = nn.BatchNorm2d(2), tk.randn(3, 2, 4, 4)
    norm(x * 3 + 1)
    nn.freeze(norm, "running_*")
    before = norm.running_mean.clone()
    out = norm.train()(x)
    assert tk.equal(before, norm.running_mean)
    expected = (x.numpy() - before.numpy()[:, None, None]) / np.sqrt(norm.running_var.numpy() + 1e-5)[:, None, None]
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    out.sum().backward()
    np.testing.assert_allclose(norm.weight.grad.numpy(), expected.sum((0, 2, 3)), rtol=1e-3)
    np.testing.assert_allclose(norm.bias.grad.numpy(), 48)


def test_the_gradient_is_that_of_the_statistics_of_the_forward_pass() -> None:
    norm, x = nn.BatchNorm1d(2).eval(), tk.randn(4, 2)
    norm(x).sum().backward()
    expected, norm.weight.grad = norm.weight.grad, None
    out = norm(x)
    norm.train()(x * 5 + 7)
    out.sum().backward()
    np.testing.assert_array_equal(norm.weight.grad.numpy(), expected.numpy())


@pytest.mark.parametrize("training", [True, False])
def test_double_precision_and_second_derivatives(training: bool) -> None:
    for layer, shape in (
        (nn.BatchNorm1d(3), (4, 3)),
        (nn.BatchNorm2d(2), (3, 2, 2, 3)),
        (nn.InstanceNorm1d(2, affine=True, track_running_stats=True), (2, 2, 3)),
        (nn.LayerNorm((2, 3)), (4, 2, 3)),
        (nn.GroupNorm(2, 4), (2, 4, 3)),
        (nn.RMSNorm(3), (4, 3)),
    ):
        layer.double().train(training)
        parameters = [p.detach().clone().requires_grad_() for p in layer.parameters()]
        x = tk.randn(*shape, dtype="float64", requires_grad=True)

        def call(x, *values, layer=layer):
            twin = copy.copy(layer)  # its buffers stay
            for name, value in zip(("weight", "bias"), values, strict=False):
                twin.__dict__[name] = value
            return twin(x)

        assert call(x, *parameters).requires_grad
        assert gradcheck(call, [x, *parameters])
        assert gradgradcheck(call, [x, *parameters])


def test_a_penalty_on_the_gradient_reaches_the_weights() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.LayerNorm(4), nn.Linear(4, 1))
    x = tk.randn(6, 3, requires_grad=True)
    (slope,) = tk.grad(net(x).sum(), [x], create_graph=True)
    (slope * slope).sum().backward()
    assert all(p.grad is None or np.isfinite(p.grad.numpy()).all() for p in net.parameters())
    assert np.abs(net[0].weight.grad.numpy()).max() > 0


def test_a_mean_of_ten_thousand() -> None:
    x = tk.randn(64, 3, 10) + 1e4
    exact = x.numpy().astype("float64")
    for layer, dims in ((nn.BatchNorm1d(3), (0, 2)), (nn.LayerNorm(10), 2), (nn.InstanceNorm1d(3), 2)):
        out = layer(x).detach().numpy()
        normal = (exact - exact.mean(dims, keepdims=True)) / np.sqrt(exact.var(dims, keepdims=True) + 1e-5)
        np.testing.assert_allclose(out, normal, atol=1e-4)


def test_instance_norm_tracks_the_average_over_the_samples() -> None:
    norm, x = nn.InstanceNorm1d(2, momentum=0.5, track_running_stats=True), tk.randn(3, 2, 8) + 1
    norm(x)
    np.testing.assert_allclose(norm.running_mean.numpy(), x.numpy().mean((0, 2)) / 2, rtol=1e-5)
    np.testing.assert_allclose(norm.running_var.numpy(), 0.5 + x.numpy().var(2, ddof=1).mean(0) / 2, rtol=1e-5)
    before = norm.running_mean.clone()
    norm(tk.zeros(0, 2, 8))
    assert tk.equal(norm.running_mean, before)
    norm.eval()
    expected = (x.numpy() - before.numpy()[:, None]) / np.sqrt(norm.running_var.numpy()[:, None] + 1e-5)
    np.testing.assert_allclose(norm(x).numpy(), expected, rtol=1e-4, atol=1e-5)
    assert norm(x[0]).shape == (2, 8)


def test_channels_that_do_not_fit_are_warned_of_where_they_do_not_matter() -> None:
    with pytest.warns(UserWarning, match="any number of channels works"):
        nn.InstanceNorm1d(3)(tk.randn(2, 4, 5))


def test_device_and_dtype_of_the_parameters() -> None:
    layers = nn.BatchNorm2d(3, dtype="float64"), nn.LayerNorm(3, dtype="float64"), nn.GroupNorm(1, 3, dtype="float64")
    for layer in layers:
        assert {str(tensor.dtype) for tensor in layer.state_dict().values()} <= {"float64", "int64"}
        assert layer.weight.dtype == "float64"
        assert layer.weight.tolist() == [1, 1, 1]
        assert layer.bias.tolist() == [0, 0, 0]
    assert nn.LayerNorm(3, bias=False).bias is None
    assert list(nn.BatchNorm1d(3, bias=False).state_dict())[:2] == ["weight", "running_mean"]


def test_a_later_change_of_the_running_statistics_is_one_of_their_version() -> None:
    norm = nn.BatchNorm1d(2)
    versions = [buffer.version[0] for buffer in norm.buffers()]
    norm(tk.randn(3, 2))
    assert all(buffer.version[0] > before for buffer, before in zip(norm.buffers(), versions, strict=True))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.BatchNorm1d(3)(tk.ones(1, 3)), ArgumentError, r"more than one value.*drop_last=True"),
        (lambda: nn.BatchNorm1d(3)(tk.ones(3)), ArgumentError, r"\(N, 3\) or \(N, 3, L\), got \(3,\)"),
        (lambda: nn.BatchNorm1d(3)(tk.ones(2, 4)), ShapeError, r"\(N, 3\) or \(N, 3, L\), got \(2, 4\)"),
        (lambda: nn.BatchNorm2d(3)(tk.ones(3, 4, 4)), ArgumentError, r"\(N, 3, H, W\), got \(3, 4, 4\); add .*unsqueeze\(0\)"),
        (lambda: nn.BatchNorm3d(0), ArgumentError, "at least one channel"),
        (lambda: nn.BatchNorm1d(3)(tk.ones(2, 3).double()), DTypeError, r"float32, that of its weight, got float64; cast"),
        (lambda: nn.BatchNorm1d(3)(tk.ones(2, 3).long()), DTypeError, "floating point"),
        (lambda: F.batch_norm(tk.ones(2, 3), None, None), ArgumentError, "needs running_mean and running_var"),
        (lambda: F.batch_norm(tk.ones(2, 3), tk.ones(2), tk.ones(3)), ShapeError, r"running_mean must have shape \(3,\), got \(2,\)"),
        (lambda: F.batch_norm(tk.ones(2), None, None, training=True), ShapeError, r"\(N, C\) or \(N, C, \*\), got \(2,\)"),
        (lambda: F.batch_norm(tk.ones(2, 3), None, None, training=True, eps=0), ArgumentError, "positive eps"),
        (lambda: F.instance_norm(tk.ones(2, 3, 4), use_input_stats=False), ArgumentError, "without use_input_stats"),
        (lambda: nn.InstanceNorm1d(3)(tk.ones(2, 3, 1)), ArgumentError, "more than one value per channel of a sample"),
        (lambda: nn.InstanceNorm1d(3, affine=True)(tk.ones(2, 4, 5)), ArgumentError, r"\(3, L\), got \(2, 4, 5\)"),
        (lambda: nn.LayerNorm(3)(tk.ones(2, 4)), ShapeError, r"\(\*, 3\), got \(2, 4\)"),
        (lambda: F.layer_norm(tk.ones(2, 4), (4,), bias=tk.ones(3)), ShapeError, r"bias must have shape \(4,\), got \(3,\)"),
        (lambda: F.layer_norm(tk.ones(2, 4), ()), ShapeError, "at least one dimension"),
        (lambda: nn.GroupNorm(2, 3), ArgumentError, "divisible by num_groups.*3, 2"),
        (lambda: nn.GroupNorm(1, 3)(tk.ones(2, 4)), ShapeError, r"\(N, 3, \*\), got \(2, 4\)"),
        (lambda: F.group_norm(tk.ones(2, 3), 0), ArgumentError, "at least one group"),
        (lambda: F.group_norm(tk.ones(2, 3), 2), ShapeError, "3 channels.*2 groups"),
        (lambda: F.local_response_norm(tk.ones(2, 3), 2), ArgumentError, r"3-D or more, got \(2, 3\)"),
        (lambda: F.local_response_norm(tk.ones(2, 3, 4), 0), ArgumentError, "size of at least 1"),
        (lambda: F.normalize(tk.ones(2, 3).long()), DTypeError, "floating point"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
