"""Layers: their figures, initial values, modes, and what they say to a wrong shape."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from trainkit.nn import functional as F
from trainkit.optim import SGD


class Small(nn.Module):
    def __init__(self) -> None:
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.linear = nn.Linear(3200, 20, bias=False)

    def forward(self, x):
        return self.linear(self.conv2(self.conv1(x)).flatten(1))


@pytest.fixture
def small() -> Small:
    net = Small()
    with tk.no_grad():
        net.conv1.weight.fill_(0.01)
        net.conv2.weight.fill_(0.01)
        for c in range(20):
            net.linear.weight[c] = 0.0001 * (c + 1)
    return net


def loss_of(net: Small) -> tk.Tensor:
    return F.cross_entropy(net(tk.ones(8, 3, 10, 10)), tk.zeros(8, dtype="int64"))


def test_network_of_known_figures(small: Small) -> None:
    loss = loss_of(small)
    assert loss.item() == pytest.approx(4.08539, abs=5e-6)
    loss.backward()
    first = small.conv1.weight.grad.clone()
    np.testing.assert_allclose(first[0, 0, 0].numpy(), [0.2720, 0.2930, 0.2720], atol=5e-5)
    np.testing.assert_allclose(small.linear.weight.grad[:2, 0].numpy(), [-0.1180, 0.0022], atol=5e-5)
    loss_of(small).backward()
    assert tk.equal(small.conv1.weight.grad, first * 2)


def test_step_of_the_network_of_known_figures(small: Small) -> None:
    loss_of(small).backward()
    SGD(small.parameters(), lr=1.0).step()
    np.testing.assert_allclose(small.conv1.weight.detach()[0, 0, 0].numpy(), [-0.2620, -0.2830, -0.2620], atol=5e-5)


def test_equal_weights_give_no_gradient_to_the_convolutions() -> None:
    net = Small()
    with tk.no_grad():
        for parameter in net.parameters():
            parameter.fill_(0.1)
    loss_of(net).backward()
    # all logits are equal: what is not 0 is rounding, relative to gradients of 0.1 * 3200 * 0.1 * 9 * 32
    assert np.abs(net.conv1.weight.grad.numpy()).max() < 1e-4
    assert np.abs(net.conv2.weight.grad.numpy()).max() < 1e-4


def test_initial_values_are_pytorchs() -> None:
    tk.manual_seed(0)
    for layer, fan in ((nn.Linear(100, 400), 100), (nn.Conv2d(8, 64, 3), 72)):
        bound = 1 / np.sqrt(fan)
        for parameter in (layer.weight, layer.bias):
            values = parameter.detach().numpy()
            assert np.abs(values).max() <= bound
            assert np.abs(values).max() > 0.9 * bound
            assert abs(values.std() / (bound / np.sqrt(3)) - 1) < 0.2


def test_kaiming_and_xavier_variances() -> None:
    tk.manual_seed(0)
    weight = tk.empty(300, 200)
    for fill, std in [
        (lambda: nn.init.kaiming_normal_(weight, nonlinearity="relu"), np.sqrt(2 / 200)),
        (lambda: nn.init.kaiming_uniform_(weight, mode="fan_out", nonlinearity="relu"), np.sqrt(2 / 300)),
        (lambda: nn.init.xavier_normal_(weight), np.sqrt(2 / 500)),
        (lambda: nn.init.xavier_uniform_(weight), np.sqrt(2 / 500)),
    ]:
        fill()
        assert weight.numpy().std() == pytest.approx(std, rel=0.02)
    with pytest.raises(ArgumentError, match="fan_in"):
        nn.init.kaiming_normal_(weight, mode="both")
    with pytest.raises(ArgumentError, match="two dimensions"):
        nn.init.xavier_normal_(tk.empty(3))


def test_batch_norm_statistics_and_modes() -> None:
    norm = nn.BatchNorm2d(2, momentum=0.3)
    x = tk.randn(6, 2, 3, 3) * 2 + 5
    out = norm(x)
    np.testing.assert_allclose(out.detach().numpy().mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(out.detach().numpy().std((0, 2, 3)), 1, atol=1e-3)
    mean, var = x.numpy().mean((0, 2, 3)), x.numpy().var((0, 2, 3), ddof=1)
    np.testing.assert_allclose(norm.running_mean.numpy(), 0.3 * mean, rtol=1e-5)
    np.testing.assert_allclose(norm.running_var.numpy(), 0.7 + 0.3 * var, rtol=1e-5)
    assert norm.num_batches_tracked.item() == 1
    norm.eval()
    before = norm.running_mean.clone()
    expected = (x.numpy() - norm.running_mean.numpy()[:, None, None]) / np.sqrt(norm.running_var.numpy() + 1e-5)[
        :, None, None
    ]
    np.testing.assert_allclose(norm(x).detach().numpy(), expected, rtol=1e-4, atol=1e-4)
    assert tk.equal(norm.running_mean, before)


def test_dropout() -> None:
    tk.manual_seed(3)
    drop, x = nn.Dropout(0.25), tk.ones(100, 100, requires_grad=True)
    out = drop(x)
    kept = out.detach().numpy() != 0
    assert abs(kept.mean() - 0.75) < 0.02
    np.testing.assert_allclose(out.detach().numpy()[kept], 1 / 0.75, rtol=1e-6)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), out.detach().numpy())
    assert not tk.equal(drop(x), out), "a new mask for every call"
    assert drop.eval()(x) is x
    assert F.dropout(x, 1.0).sum().item() == 0
    tk.manual_seed(3)
    assert tk.equal(nn.Dropout(0.25)(x), out)


def test_losses() -> None:
    logits = tk.tensor([[1.0, 2.0, 0.5], [0.1, 0.2, 5.0]])
    target = tk.tensor([1, 0])
    each = -np.log(np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True))[[0, 1], [1, 0]]
    np.testing.assert_allclose(F.cross_entropy(logits, target, reduction="none").numpy(), each, rtol=1e-5)
    assert F.cross_entropy(logits, target, reduction="sum").item() == pytest.approx(each.sum(), rel=1e-5)
    assert F.nll_loss(logits.log_softmax(1), target).item() == pytest.approx(each.mean(), rel=1e-5)
    assert F.mse_loss(logits, logits * 0).item() == pytest.approx((logits.numpy() ** 2).mean(), rel=1e-5)
    assert np.isfinite(F.cross_entropy(tk.tensor([[1e4, -1e4]]), tk.tensor([1])).item())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Linear(784, 10)(tk.ones(64, 1, 28, 28)), ShapeError, r"\(\*, 784\), got \(64, 1, 28, 28\); flatten it first \(nn.Flatten\(\)\)"),
        (lambda: nn.Linear(3, 2)(tk.ones(4)), ShapeError, r"\(\*, 3\), got \(4,\)"),
        (lambda: nn.Linear(3, 2)(tk.ones(4, 3).long()), DTypeError, "float32.*int64.*to"),
        (lambda: nn.Linear(0, 2), ArgumentError, "at least one feature"),
        (lambda: nn.Conv2d(3, 2, 3)(tk.ones(1, 1, 8, 8)), ShapeError, r"\(N, 3, H, W\) or \(3, H, W\), got \(1, 1, 8, 8\)"),
        (lambda: nn.Conv2d(1, 2, 3)(tk.ones(5, 8, 8)), ShapeError, r"unsqueeze\(1\)"),
        (lambda: nn.Conv2d(1, 2, 9)(tk.ones(1, 1, 8, 8)), ShapeError, "larger than the image"),
        (lambda: nn.Conv2d(1, 2, 0), ArgumentError, "kernel_size"),
        (lambda: nn.Conv2d(1, 2, 3, stride=0), ArgumentError, "stride"),
        (lambda: nn.MaxPool2d(2)(tk.ones(8, 8)), ShapeError, r"\(N, C, H, W\) or \(C, H, W\), got \(8, 8\)"),
        (lambda: F.max_pool2d(tk.ones(1, 1, 8, 8), 2, padding=2), ArgumentError, "half"),
        (lambda: nn.BatchNorm2d(3)(tk.ones(1, 2, 4, 4)), ShapeError, r"\(N, 3, H, W\), got \(1, 2, 4, 4\)"),
        (lambda: nn.BatchNorm2d(3)(tk.ones(1, 3, 1, 1)), ArgumentError, "more than one value"),
        (lambda: nn.Dropout(1.5), ArgumentError, "between 0 and 1"),
        (lambda: F.cross_entropy(tk.ones(2, 3), tk.tensor([0, 3])), IndexRangeError, "label 3.*0 to 2"),
        (lambda: F.cross_entropy(tk.ones(2, 3), tk.tensor([0, -1])), IndexRangeError, "label -1"),
        (lambda: F.cross_entropy(tk.ones(2, 3), tk.ones(2)), DTypeError, "long"),
        (lambda: F.cross_entropy(tk.ones(2, 3), tk.tensor([0])), ShapeError, r"\(2, 3\) and \(1,\)"),
        (lambda: F.cross_entropy(tk.ones(2, 3), tk.tensor([0, 1]), reduction="avg"), ArgumentError, "'mean', 'sum' or 'none'"),
        (lambda: F.mse_loss(tk.ones(2, 1), tk.ones(2)), ShapeError, r"\(2, 1\) and target \(2,\)"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
