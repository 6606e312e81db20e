"""Layers that are computed together with what is behind them: nothing may show but the time."""

import copy

import numpy as np
import pytest

import trainkit as tk
from trainkit import errors, models, nn, profiler
from trainkit.nn import fusion

LAYERS = [
    (lambda: nn.Conv1d(3, 5, 3, padding=1), (2, 3, 9)),
    (lambda: nn.Conv2d(3, 5, 3, stride=2, padding="valid"), (2, 3, 9, 8)),
    (lambda: nn.Conv2d(16, 40, 3, padding=1), (2, 16, 20, 20)),  # tiles of Winograd
    (lambda: nn.Conv2d(4, 4, 3, groups=4, bias=False, padding=1, padding_mode="reflect"), (2, 4, 9, 8)),
    (lambda: nn.Conv3d(2, 4, 2), (1, 2, 4, 5, 4)),
    (lambda: nn.BatchNorm1d(4), (6, 4)),
    (lambda: nn.BatchNorm1d(4, affine=False), (6, 4, 7)),
    (lambda: nn.BatchNorm2d(4), (3, 4, 5, 6)),
    (lambda: nn.BatchNorm2d(4, momentum=None), (3, 4, 5, 6)),
    (lambda: nn.BatchNorm2d(4).eval(), (3, 4, 5, 6)),
    (lambda: nn.BatchNorm2d(4, track_running_stats=False).eval(), (3, 4, 5, 6)),
    (lambda: nn.BatchNorm3d(2), (2, 2, 3, 4, 3)),
]
LINEAR = [
    (lambda: nn.Linear(5, 7), (6, 5)),
    (lambda: nn.Linear(5, 7), (5,)),
    (lambda: nn.Linear(5, 7, bias=False), (2, 3, 5)),
    (lambda: nn.Linear(8, 128), (64, 8)),  # numpy's product and a kernel's ReLU
    (lambda: nn.Linear(100, 90), (80, 100)),  # the kernel's product
    (lambda: nn.Linear(5, 7), (0, 5)),
]


def both(make, shape, dtype="float32"):
    """Run a layer and ReLU, once as neighbours and once apart: outputs, gradients, and all buffers."""
    tk.manual_seed(0)
    layer = make().to(dtype)
    with tk.no_grad():
        for parameter in layer.parameters():
            parameter.add_(tk.randn(*parameter.shape).to(dtype) * 0.1)
    x = tk.randn(*shape).to(dtype)
    slope = None
    found = []
    for together in (True, False):
        mine, data = copy.deepcopy(layer), x.clone().requires_grad_()
        relu = nn.ReLU()
        out = nn.Sequential(mine, relu)(data) if together else relu(mine(data))
        slope = tk.randn(*out.shape).to(dtype) if slope is None else slope
        out.backward(slope)
        parts = [out, data.grad, *[p.grad for p in mine.parameters()], *mine.buffers()]
        found.append([part.detach().numpy() for part in parts])
    return found


@pytest.mark.parametrize(("make", "shape"), LAYERS)
@pytest.mark.parametrize("dtype", [tk.float32, tk.float64])
def test_neighbours_give_the_same_numbers(make, shape, dtype):
    together, apart = both(make, shape, dtype)
    assert (together[0] == 0).any()
    np.testing.assert_array_equal(together[0], apart[0])
    assert len(together) == len(apart)
    for mine, other in zip(together[1:], apart[1:], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("make", "shape"), LINEAR)
@pytest.mark.parametrize("dtype", [tk.float16, tk.float32, tk.float64])
def test_a_linear_layer_gives_the_same_bits(make, shape, dtype):
    together, apart = both(make, shape, dtype)
    for mine, other in zip(together, apart, strict=True):
        assert mine.tobytes() == other.tobytes()


def test_a_number_that_is_none_stays():
    x = tk.randn(2, 4, 5, 5)
    x[0, 1] = float("nan")
    out = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU())(x)
    assert tk.isnan(out[:, 1]).all()
    assert not tk.isnan(out[:, 0]).any()
    assert tk.isnan(nn.Sequential(nn.Conv2d(4, 2, 3), nn.ReLU())(x)[0]).all()
    assert tk.isnan(nn.Sequential(nn.Linear(5, 3), nn.ReLU())(x)[0, 1]).all()


def names(out):
    """The ops that made a tensor, newest first, along the first edge."""
    found, node = [], out.grad_fn
    while node is not None:
        found.append(node.name.removesuffix("Backward"))
        node = node.next_functions[0][0] if hasattr(node, "next_functions") else None
        node = node if hasattr(node, "next_functions") else None
    return found


def test_what_is_computed_together():
    x = tk.randn(2, 3, 8, 8)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.ReLU())
    assert names(net(x)) == ["Relu", "BatchNormRelu", "Conv2d", "Conv2dRelu"]
    assert names(net.eval()(x)) == ["Relu", "ScaleShiftRelu", "Conv2d", "Conv2dRelu"]
    net = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    assert names(net(x)) == ["Linear", "LinearRelu", "Linear"]


@pytest.mark.parametrize("hooked", [0, 1])
def test_hooks_see_what_their_module_makes(hooked):
    net, seen = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), []
    net[hooked].register_forward_hook(lambda module, args, out: seen.append(out.min().item()))
    out = net(tk.randn(2, 3, 8, 8))
    assert names(out) == ["Relu", "Conv2d"]
    assert seen[0] < 0 if hooked == 0 else seen == [0.0]


def test_a_forward_of_ones_own_is_called():
    class Mine(nn.Conv2d):
        def forward(self, input):
            return super().forward(input) + 1

    class Leaky(nn.ReLU):
        def forward(self, input):
            return nn.functional.leaky_relu(input, 0.5)

    x = tk.randn(2, 3, 8, 8)
    assert names(nn.Sequential(Mine(3, 4, 3), nn.ReLU())(x)) == ["Relu", "Add", "Conv2d"]
    assert names(nn.Sequential(nn.Conv2d(3, 4, 3), Leaky())(x)) == ["LeakyRelu", "Conv2d"]
    layer = nn.Conv2d(3, 4, 3)
    layer.forward = lambda x: nn.functional.conv2d(x, layer.weight) * 2
    assert names(nn.Sequential(layer, nn.ReLU())(x)) == ["Relu", "Mul", "Conv2d"]


def test_the_layer_says_that_it_was_given_an_array():
    with pytest.raises(TypeError, match="Linear was given a ndarray"):
        nn.Sequential(nn.Linear(2, 3), nn.ReLU())(np.ones((1, 2), np.float32))


def test_half_precision():
    layer, x = nn.Conv2d(3, 4, 3).half(), tk.randn(2, 3, 8, 8).half()
    with tk.no_grad():
        np.testing.assert_array_equal(nn.Sequential(layer, nn.ReLU())(x).numpy(), layer(x).relu().numpy())


NORMED = [
    (lambda: [nn.Conv1d(3, 5, 3, padding="same"), nn.BatchNorm1d(5)], (2, 3, 9)),
    (lambda: [nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5)], (2, 3, 9, 8)),
    (lambda: [nn.Conv2d(3, 5, 4, padding="same", bias=False), nn.BatchNorm2d(5, affine=False)], (2, 3, 9, 8)),
    (lambda: [nn.Conv2d(4, 8, 3, groups=4, padding=1, padding_mode="reflect"), nn.BatchNorm2d(8)], (2, 4, 9, 8)),
    (lambda: [nn.Conv2d(16, 40, 3, stride=2), nn.BatchNorm2d(40, bias=False)], (2, 16, 20, 20)),
    (lambda: [nn.Conv3d(2, 4, 2), nn.BatchNorm3d(4)], (1, 2, 4, 5, 4)),
]


def in_evaluation(make, dtype=tk.float32):
    """A convolution and a batch norm whose numbers are none of the first ones."""
    tk.manual_seed(0)
    net = nn.Sequential(*make()).to(dtype)
    with tk.no_grad():
        for number in (*net.parameters(), net[1].running_mean, net[1].running_var):
            number.add_(tk.rand(*number.shape).to(dtype))
    return net.eval()


def ops_of(net, *args):
    """The ops of a call, and its result."""
    with profiler.profile() as profile:
        out = net(*args)
    known = {"batch_norm", "relu", "batch_norm_relu"}
    ops = [event.name for event in profile.events if event.name.startswith(("conv2d", "scale_")) or event.name in known]
    return [name for name in ops if "grad" not in name and "." not in name], out


@pytest.mark.parametrize(("make", "shape"), NORMED)
@pytest.mark.parametrize("dtype", [tk.float16, tk.float32, tk.float64])
@pytest.mark.parametrize("behind", [None, nn.ReLU, nn.ReLU6])
def test_a_batch_norm_in_evaluation_gives_the_same_bits(make, shape, dtype, behind):
    net, x, relu = in_evaluation(make, dtype), tk.randn(*shape).to(dtype), None if behind is None else behind()
    with tk.no_grad():
        apart = net[1](net[0](x))
        apart = apart if relu is None else relu(apart)
        found = [net(x) if relu is None else nn.Sequential(*net, relu)(x), fusion.together(x, *net, relu)]
    for out in found:
        assert out.shape == apart.shape
        assert out.dtype == dtype
        assert not out.requires_grad
        assert out.numpy().tobytes() == apart.numpy().tobytes()


def test_when_a_batch_norm_goes_along():
    net, x = in_evaluation(NORMED[1][0]), tk.randn(*NORMED[1][1])
    one, apart = ["conv2d_scale_shift"], ["conv2d", "scale_shift"]
    rectified = nn.Sequential(*net, nn.ReLU())
    with tk.inference_mode():
        assert ops_of(net, x)[0] == ops_of(rectified, x)[0] == ops_of(fusion.together, x, *rectified)[0] == one
    assert ops_of(net, x)[0] == ops_of(fusion.together, x, *net)[0] == apart
    net.requires_grad_(False)
    assert ops_of(net, x)[0] == one
    assert ops_of(net, x.clone().requires_grad_())[0] == apart
    net[1].train()
    assert ops_of(fusion.together, x, *rectified)[0] == ["conv2d", "batch_norm", "relu"]
    assert ops_of(rectified, x)[0] == ["conv2d", "batch_norm_relu"]


@pytest.mark.parametrize("hooked", [0, 1, 2])
def test_hooks_see_a_batch_norm(hooked):
    net, x, seen = nn.Sequential(*in_evaluation(NORMED[1][0]), nn.ReLU()), tk.randn(*NORMED[1][1]), []
    with tk.no_grad():
        expected = net(x)
        net[hooked].register_forward_hook(lambda module, args, out: seen.append(out.clone()))
        for out in (net(x), fusion.together(x, *net)):
            assert out.numpy().tobytes() == expected.numpy().tobytes()
    assert len(seen) == 2
    assert (seen[0].numpy() < 0).any() == (hooked < 2)


def test_a_batch_norm_that_does_not_fit_says_so():
    x = tk.randn(2, 3, 9, 8)
    with tk.no_grad():
        for conv, norm, given, error in (
            (nn.Conv2d(3, 5, 3), nn.BatchNorm2d(4), x, errors.ShapeError),
            (nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), x[0], errors.ArgumentError),
            (nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5).double(), x, errors.DTypeError),
            (nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), x.numpy(), TypeError),
        ):
            norm.eval()
            with pytest.raises(error) as apart:
                norm(conv(given))
            with pytest.raises(error) as joined:
                nn.Sequential(conv, norm)(given)
            assert str(joined.value) == str(apart.value)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v2"])
def test_a_network_gives_the_same_bits(name):
    tk.manual_seed(0)
    net, x = getattr(models, name)(10), tk.randn(2, 3, 40, 40)
    net(x)  # moves the statistics
    net.eval()
    recorded = net(x)
    with tk.no_grad():
        names, out = ops_of(net, x)
    assert set(names) <= {"conv2d_scale_shift", "relu"}
    assert out.numpy().tobytes() == recorded.detach().numpy().tobytes()
