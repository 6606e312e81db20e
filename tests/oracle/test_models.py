"""Whole networks against the same ones in PyTorch, through files that PyTorch wrote."""

import runpy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import trainkit as tk
from tests.models.test_models import listed
from tests.oracle import twins
from trainkit import models

pytestmark = pytest.mark.oracle


@pytest.fixture(autouse=True)
def torch_seeded_on_one_thread() -> Iterator[None]:
    """PyTorch's threads wait for each other very long where other processes run."""
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def assert_near(ours, theirs, share: float) -> None:
    """Within a share of the largest number there is, or of a hundredth."""
    theirs = theirs.detach().numpy()
    assert tuple(ours.shape) == theirs.shape
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=0, atol=share * max(abs(theirs).max(), 0.01))


@pytest.mark.parametrize("name", twins.NETWORKS)
def test_the_list_of_names_is_that_of_the_twin(name: str) -> None:
    with torch.device("meta"):
        twin = twins.NETWORKS[name]()
    assert [(key, tuple(value.shape)) for key, value in twin.state_dict().items()] == list(listed(name).items())


def assert_same_gradients(ours: dict, theirs: dict, dtype: str) -> None:
    """In float64 to the last digits; in float32 as far as it is determined.

    Where an activation lies within rounding of ReLU's edge, the two may fall on different sides of it, and the
    gradient of that one element is another: a few thousandths of the norm, for either library against float64.
    """
    assert len(ours) == len(theirs) > 3
    floor = 1e-3 * max(abs(wanted).max() for wanted in theirs.values())  # a bias before BatchNorm has a gradient of 0
    for mine, (name, wanted) in zip(ours.values(), theirs.items(), strict=True):
        assert mine.dtype == wanted.dtype == np.dtype(dtype)
        error = np.linalg.norm(mine - wanted) / max(np.linalg.norm(wanted), floor)
        assert error < (1e-10 if dtype == "float64" else 1e-2), name


def saved(twin, path: Path, kind: str) -> Path:
    """Write a state dict of torch's, as users do."""
    if kind == "safetensors":
        safetensors.torch.save_file(twin.state_dict(), path)
    else:
        torch.save(twin.state_dict() if kind == "pt" else {"epoch": 3, "model": twin.state_dict()}, path)
    return path


CASES = [
    ("resnet18", {"stem": "imagenet"}, (64, 72), "pt"),
    ("resnet18", {"stem": "imagenet"}, (64, 72), "safetensors"),
    ("resnet18", {"stem": "cifar"}, (32, 32), "pt"),
    ("resnet18", {"stem": "cifar"}, (32, 32), "checkpoint"),
    ("resnet50", {"stem": "imagenet"}, (65, 40), "pt"),
    ("mobilenet_v2", {"width_mult": 1.0}, (64, 50), "pt"),
    ("mobilenet_v2", {"width_mult": 0.35}, (33, 64), "safetensors"),
]


@pytest.mark.parametrize(("name", "options", "size", "kind"), CASES)
def test_a_state_dict_of_torch_gives_torchs_logits(name, options, size, kind, tmp_path: Path) -> None:
    twin = twins.stir(twins.NETWORKS[name](**options)).eval()
    state = tk.load(saved(twin, tmp_path / "weights", kind))
    state = state["model"] if kind == "checkpoint" else state
    if kind != "safetensors":  # which sorts its names
        assert list(state) == list(twin.state_dict())
    net = getattr(models, name)(**options)
    net.load_state_dict(state)
    x = np.random.default_rng(0).normal(size=(16, 3, *size)).astype("float32")
    with torch.no_grad(), tk.no_grad():
        theirs = twin(torch.from_numpy(x))
        assert float(theirs.std()) > 0.01
        assert_near(net.eval()(tk.from_numpy(x)), theirs, 1e-4)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_vgg_with_a_small_head(batch_norm: bool, monkeypatch) -> None:
    """Without the half gigabyte of its classifier."""
    with torch.device("meta"):
        twin = twins.VGG(batch_norm)
    for name in ("normal_", "uniform_", "kaiming_normal_", "zeros_"):
        monkeypatch.setattr(tk.nn.init, name, lambda tensor, *args, **options: tensor)
    net = models.VGG(batch_norm=batch_norm)
    twin.classifier, net.classifier = torch.nn.Linear(25088, 3), tk.nn.Linear(25088, 3)
    for module in twin.to_empty(device="cpu").modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    twins.stir(twin).eval()
    net.load_state_dict({key: value.numpy() for key, value in twin.state_dict().items()})
    x = torch.randn(3, 3, 47, 70)
    with torch.no_grad(), tk.no_grad():
        assert_near(net.eval()(tk.from_numpy(x.numpy())), twin(x), 1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda lib, basic, bottle: lib.ResNet(basic, [1, 1, 1, 1], num_classes=10, stem="cifar"), (16, 16)),
        (lambda lib, basic, bottle: lib.ResNet(bottle, [1, 1, 1, 1], num_classes=10), (64, 66)),
        (lambda lib, basic, bottle: lib.MobileNetV2(num_classes=10, width_mult=0.25), (64, 64)),
    ],
)
def test_a_training_step_has_torchs_gradients(make, size, dtype: str) -> None:
    twin = make(twins, twins.Basic, twins.Bottleneck)
    net = make(models, models.BasicBlock, models.Bottleneck)
    for lib in (twin, net):
        if hasattr(lib, "classifier"):
            lib.classifier[0].p = 0.0
    net.load_state_dict({key: value.numpy() for key, value in twin.state_dict().items()})
    net.to(dtype), twin.to(getattr(torch, dtype))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3, *size)).astype(dtype), rng.integers(0, 10, 8)
    torch.nn.functional.cross_entropy(twin(torch.from_numpy(x)), torch.from_numpy(y)).backward()
    tk.nn.functional.cross_entropy(net(tk.from_numpy(x)), tk.from_numpy(y)).backward()
    gradients = [{name: p.grad.numpy() for name, p in side.named_parameters()} for side in (net, twin)]
    assert list(gradients[0]) == list(gradients[1])
    assert_same_gradients(*gradients, dtype)
    for ours, theirs in zip(net.buffers(), twin.buffers(), strict=True):
        assert_near(ours, theirs, 1e-4)


# DCGAN


def torch_dcgan(width: int):
    nn = torch.nn
    generator = nn.Sequential(
        *(nn.ConvTranspose2d(64, 4 * width, 7, bias=False), nn.BatchNorm2d(4 * width), nn.ReLU()),
        *(nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU()),
        *(nn.ConvTranspose2d(2 * width, 1, 4, 2, 1, bias=False), nn.Tanh()),
    )
    discriminator = nn.Sequential(
        *(nn.Conv2d(1, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(2 * width, 1, 7, bias=False), nn.Flatten(0)),
    )
    return generator, discriminator


def gan_step(lib, generator, discriminator, optimizers, real, noise) -> list[dict]:
    """One step of both networks; the gradients that each step takes, by name."""
    loss = lib.nn.BCEWithLogitsLoss()
    yes, no = lib.ones(len(real)), lib.zeros(len(real))
    fake = generator(noise)
    optimizers[0].zero_grad()
    (loss(discriminator(real), yes) + loss(discriminator(fake.detach()), no)).backward()
    assert all(p.grad is None for p in generator.parameters())
    gradients = [{name: p.grad.detach().numpy().copy() for name, p in discriminator.named_parameters()}]
    optimizers[0].step()
    optimizers[1].zero_grad()
    loss(discriminator(fake), yes).backward()
    gradients.append({name: p.grad.detach().numpy().copy() for name, p in generator.named_parameters()})
    optimizers[1].step()
    optimizers[1].zero_grad()
    return gradients


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_of_the_dcgan_example_has_torchs_gradients_for_both_networks(dtype: str) -> None:
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "dcgan" / "model.py"))
    theirs = torch_dcgan(8)
    ours = example["Generator"](8).main, example["Discriminator"](8)
    for net, twin in zip((ours[0], ours[1].main), theirs, strict=True):
        state = {key: value.numpy() for key, value in twin.state_dict().items()}
        assert list(net.state_dict()) == list(state)
        net.load_state_dict(state)
        net.to(dtype), twin.to(getattr(torch, dtype))
    sides = []
    for lib, nets in ((tk, ours), (torch, theirs)):
        sides.append([lib.optim.SGD(net.parameters(), lr=0.1) for net in (nets[1], nets[0])])
    rng = np.random.default_rng(0)
    for _ in range(2):
        real, noise = rng.uniform(-1, 1, (9, 1, 28, 28)), rng.normal(size=(9, 64, 1, 1))
        results = [
            gan_step(lib, *nets, optimizers, *[lib.from_numpy(x.astype(dtype)) for x in (real, noise)])
            for (lib, nets), optimizers in zip(((tk, ours), (torch, theirs)), sides, strict=True)
        ]
        for mine, yours in zip(*results, strict=True):
            assert_same_gradients(mine, yours, dtype)
