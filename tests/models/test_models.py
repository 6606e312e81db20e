"""The networks: names, sizes, first values, and that they train."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import trainkit as tk
from trainkit import models, nn
from trainkit.errors import ArgumentError

BUFFERS = ("weight", "bias", "running_mean", "running_var")


def listed(name: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's state dict, as keys.txt has them."""
    section = (Path(__file__).parent / "keys.txt").read_text().split(f"[{name}]\n")[1].split("\n\n")[0]
    keys: dict[str, tuple[int, ...]] = {}
    for key, *sizes in map(str.split, section.splitlines()):
        if sizes[0] == "norm":
            keys |= {f"{key}.{part}": (int(sizes[1]),) for part in BUFFERS} | {f"{key}.num_batches_tracked": ()}
        else:
            keys[key] = tuple(map(int, sizes))
    return keys


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave first values undrawn: the half gigabyte of VGG is then never touched."""
    for name in ("normal_", "uniform_", "kaiming_normal_", "zeros_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *args, **options: tensor)


COUNTS = {
    "resnet18": (122, 11_689_512),
    "resnet34": (218, 21_797_672),
    "resnet50": (320, 25_557_032),
    "vgg11": (22, 132_863_336),
    "vgg11_bn": (62, 132_868_840),
    "mobilenet_v2": (314, 3_504_872),
}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", COUNTS)
def test_names_shapes_and_order_are_torchvisions(name: str) -> None:
    net = getattr(models, name)()
    state = {key: value.shape for key, value in net.state_dict().items()}
    assert list(state) == list(listed(name))
    assert state == listed(name)
    assert (len(state), sum(p.numel() for p in net.parameters())) == COUNTS[name]


def test_names_that_everyone_knows() -> None:
    """A few of torchvision's, spelled out, in case the list itself were wrong."""
    assert list(listed("resnet18"))[-4:] == [
        "layer4.1.bn2.running_var", "layer4.1.bn2.num_batches_tracked", "fc.weight", "fc.bias",
    ]  # fmt: skip
    assert listed("resnet18")["layer2.0.downsample.0.weight"] == (128, 64, 1, 1)
    assert listed("resnet50")["layer1.0.downsample.1.running_mean"] == (256,)
    assert listed("resnet50")["layer4.2.conv3.weight"] == (2048, 512, 1, 1)
    assert listed("vgg11")["features.18.weight"] == (512, 512, 3, 3)
    assert listed("vgg11_bn")["features.26.running_var"] == (512,)
    assert listed("vgg11")["classifier.6.weight"] == (1000, 4096)
    assert listed("mobilenet_v2")["features.1.conv.0.0.weight"] == (32, 1, 3, 3)
    assert listed("mobilenet_v2")["features.2.conv.1.0.weight"] == (96, 1, 3, 3)
    assert listed("mobilenet_v2")["features.17.conv.3.num_batches_tracked"] == ()
    assert listed("mobilenet_v2")["classifier.1.bias"] == (1000,)


def test_the_parts_have_torchvisions_names() -> None:
    net = models.resnet18(10)
    parts = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc"]
    assert [name for name, _ in net.named_children()] == parts
    assert [name for name, _ in net.layer2[0].named_children()] == [
        "conv1", "bn1", "relu", "conv2", "bn2", "downsample",
    ]  # fmt: skip
    assert [name for name, _ in models.mobilenet_v2(2, width_mult=0.1).named_children()] == ["features", "classifier"]


@pytest.mark.parametrize(
    ("make", "shape", "classes"),
    [
        (lambda: models.resnet18(7), (2, 3, 64, 48), 7),
        (lambda: models.resnet18(7, stem="cifar"), (3, 3, 32, 32), 7),
        (lambda: models.resnet34(5, stem="cifar"), (1, 3, 17, 15), 5),
        (lambda: models.resnet50(4), (1, 3, 33, 41), 4),
        (lambda: models.mobilenet_v2(6, width_mult=0.35), (2, 3, 35, 64), 6),
        (lambda: models.LeNet5(), (3, 1, 28, 28), 10),
        (lambda: models.LeNet5(26), (1, 1, 28, 28), 26),
        (lambda: models.MNISTNet(), (2, 1, 28, 28), 10),
    ],
)
def test_images_become_logits(make: object, shape: tuple[int, ...], classes: int) -> None:
    net = make().eval()  # type: ignore[operator]
    x = tk.randn(*shape)
    with tk.no_grad():
        assert net(x).shape == (shape[0], classes)
        assert net(x[:0]).shape == (0, classes)
        # an image does not depend on the others in its batch, nor on how it lies in memory
        turned = tk.from_numpy(np.asfortranarray(x.numpy()))
        np.testing.assert_allclose(net(turned)[:1].numpy(), net(x[:1]).numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("batch_norm", [False, True])
def test_vgg_takes_images_of_other_sizes(batch_norm: bool) -> None:
    net = models.VGG(3, batch_norm)
    net.classifier = nn.Sequential(nn.Flatten(), nn.Linear(512 * 7 * 7, 3))
    for parameter in net.parameters():
        nn.init.constant_(parameter, 1e-3)
    assert net.eval()(tk.randn(2, 3, 32, 50)).shape == (2, 3)


@pytest.mark.parametrize(("net", "count"), [(models.LeNet5, 61_706), (models.MNISTNet, 1_199_882)])
def test_small_networks_have_their_size(net: type[nn.Module], count: int) -> None:
    assert sum(p.numel() for p in net().parameters()) == count


def test_mnistnet_is_the_network_of_the_example() -> None:
    names = ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"]
    names += ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert list(models.MNISTNet().state_dict()) == names


@pytest.mark.parametrize(("stem", "kernel", "stride", "size"), [("imagenet", 7, 2, 8), ("cifar", 3, 1, 32)])
def test_stems(stem: str, kernel: int, stride: int, size: int) -> None:
    net = models.resnet18(10, stem=stem).eval()
    assert net.conv1.kernel_size == (kernel, kernel)
    assert net.conv1.stride == (stride, stride)
    with tk.no_grad():
        assert net.maxpool(net.conv1(tk.ones(1, 3, 32, 32))).shape[2:] == (size, size)


def test_wrong_arguments() -> None:
    with pytest.raises(ArgumentError, match="stem must be 'imagenet' or 'cifar', got 'mnist'"):
        models.resnet18(stem="mnist")
    with pytest.raises(ArgumentError, match="four stages"):
        models.ResNet(models.BasicBlock, [2, 2])
    for factor in (0, -1, math.nan):
        with pytest.raises(ArgumentError, match="width_mult must be above 0"):
            models.mobilenet_v2(width_mult=factor)


def parts(net: nn.Module, kind: type) -> Iterator[nn.Module]:
    return (module for module in net.modules() if isinstance(module, kind))


def test_first_values_are_torchvisions() -> None:
    net = models.resnet18(1000)
    for conv in parts(net, nn.Conv2d):
        fan_out = conv.out_channels * math.prod(conv.kernel_size)
        assert float(conv.weight.array.std()) == pytest.approx(math.sqrt(2 / fan_out), rel=0.05)
        assert abs(float(conv.weight.array.mean())) < 0.05 * math.sqrt(2 / fan_out)
        assert float(abs(conv.weight.array).max()) > 2.5 * math.sqrt(2 / fan_out)  # normal, not uniform
    for norm in parts(net, nn.BatchNorm2d):
        assert norm.weight.tolist() == [1.0] * norm.num_features
        assert norm.bias.tolist() == [0.0] * norm.num_features
    assert float(abs(net.fc.weight.array).max()) == pytest.approx(1 / math.sqrt(512), rel=1e-3)
    assert float(abs(net.fc.bias.array).max()) > 0

    net = models.mobilenet_v2(50)
    for conv in parts(net, nn.Conv2d):
        fan_out = conv.out_channels * math.prod(conv.kernel_size)
        assert float(conv.weight.array.std()) == pytest.approx(math.sqrt(2 / fan_out), rel=0.15)
    assert float(net.classifier[1].weight.array.std()) == pytest.approx(0.01, rel=0.03)
    assert net.classifier[1].bias.tolist() == [0.0] * 50


def test_first_values_of_vgg(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, float]] = []
    normal = nn.init.normal_

    def small(tensor: tk.Tensor, mean: float = 0.0, std: float = 1.0, generator: object = None) -> tk.Tensor:
        drawn.append((mean, std))
        return normal(tensor, mean, std) if tensor.numel() < 10**6 else tensor

    monkeypatch.setattr(nn.init, "normal_", small)
    monkeypatch.setattr(nn.init, "uniform_", lambda tensor, *args: tensor)
    net = models.vgg11()
    convs = list(parts(net, nn.Conv2d))
    expected = [(0.0, pytest.approx(math.sqrt(2 / (9 * conv.out_channels)))) for conv in convs]
    assert drawn == [*expected, *[(0, 0.01)] * 3]
    assert all(not module.bias.array.any() for kind in (nn.Conv2d, nn.Linear) for module in parts(net, kind))


@pytest.mark.parametrize(("make", "last"), [(models.resnet18, "bn2"), (models.resnet50, "bn3")])
def test_zero_init_residual_makes_blocks_the_identity(make: object, last: str) -> None:
    net = make(3, zero_init_residual=True)  # type: ignore[operator]
    blocks = list(parts(net, (models.BasicBlock, models.Bottleneck)))  # type: ignore[arg-type]
    assert all(not getattr(block, last).weight.array.any() for block in blocks)
    assert all(block.bn1.weight.array.all() for block in blocks)
    x = tk.rand(2, blocks[1].conv1.in_channels, 4, 4)
    np.testing.assert_array_equal(blocks[1](x).detach().numpy(), x.numpy())


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: models.ResNet(models.BasicBlock, [1, 1, 1, 1], 4, stem="cifar"), (8, 3, 12, 12)),
        (lambda: models.ResNet(models.Bottleneck, [1, 1, 1, 1], 4), (8, 3, 32, 32)),
        (lambda: models.mobilenet_v2(4, width_mult=0.25, dropout=0), (8, 3, 32, 32)),
        (lambda: models.LeNet5(4), (8, 1, 28, 28)),
    ],
)
def test_they_learn_a_batch(make: object, shape: tuple[int, ...]) -> None:
    net = make()  # type: ignore[operator]
    x, y = tk.randn(*shape), tk.arange(8) % 4
    optimizer = tk.optim.Adam(net.parameters(), lr=2e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.grad is not None for p in net.parameters())
    assert losses[-1] < 0.8 * losses[0]


def test_a_new_head_on_a_frozen_trunk() -> None:
    net = models.resnet18(stem="cifar")
    nn.freeze(net)
    net.fc = nn.Linear(net.fc.in_features, 2)
    before = {name: value.numpy().copy() for name, value in net.state_dict().items()}
    trained = [p for p in net.parameters() if p.requires_grad]
    assert [name for name, p in net.named_parameters() if p.requires_grad] == ["fc.weight", "fc.bias"]
    optimizer = tk.optim.SGD(trained, lr=0.1)
    net.train()
    nn.functional.cross_entropy(net(tk.randn(4, 3, 8, 8)), tk.tensor([0, 1, 0, 1])).backward()
    optimizer.step()
    changed = [name for name, value in net.state_dict().items() if (value.numpy() != before[name]).any()]
    assert changed == ["fc.weight", "fc.bias"]


def test_the_state_goes_through_a_file(tmp_path: Path) -> None:
    make = lambda: models.ResNet(models.BasicBlock, [1, 1, 1, 1], 4, stem="cifar")  # noqa: E731
    first, second = make(), make()
    first(tk.randn(4, 3, 8, 8))
    tk.save(first.state_dict(), tmp_path / "net.safetensors")
    second.load_state_dict(tk.load(tmp_path / "net.safetensors"))
    x = tk.randn(2, 3, 8, 8)
    assert first.eval()(x).tolist() == second.eval()(x).tolist()
