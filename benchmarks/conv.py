"""Convolutions alone on the shapes of ResNet-18 and MobileNetV2, and nets: training steps and inference."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads import Workload, batch, example_module, modules, training

__all__ = ["KERNELS", "NETS"]


def convolution(
    direction: str, x_shape: tuple[int, ...], filters: int, size: int, stride: int = 1, groups: int = 1
) -> Callable[[str], Callable[[], Any]]:
    """Return the maker of one convolution without bias, padded by half: "forward", or the gradient of "x" or "w"."""

    def make(library: str) -> Callable[[], Any]:
        lib, _, _, functional = modules(library)
        rng = np.random.default_rng(0)
        x = lib.from_numpy(rng.standard_normal(x_shape, "float32"))
        w = lib.from_numpy(rng.standard_normal((filters, x_shape[1] // groups, size, size), "float32"))

        def forward() -> Any:
            return functional.conv2d(x, w, stride=stride, padding=size // 2, groups=groups)

        if direction == "forward":
            return forward
        leaf = (x if direction == "x" else w).requires_grad_()
        out = forward()
        grad = lib.ones(*out.shape)

        def backward() -> None:
            leaf.grad = None
            out.backward(grad, retain_graph=True)

        return backward

    return make


def step_of(make_net: Callable[..., Any], images: int, shape: tuple[int, ...], name: str, **options: Any) -> Any:
    """Return the maker of a training step of a net with an optimizer by its name."""

    def make(library: str) -> Callable[[], Any]:
        lib, nn, optim, functional = modules(library)
        net = make_net(nn, functional)
        return training(
            lib, functional, net, getattr(optim, name)(net.parameters(), **options), *batch(lib, images, *shape)
        )

    return make


def inference_of(make_net: Callable[..., Any], images: int) -> Any:
    """Return the maker of a prediction for a batch of digits."""

    def make(library: str) -> Callable[[], Any]:
        lib, nn, _, functional = modules(library)
        net = make_net(nn, functional).eval()
        x, _ = batch(lib, images, 1, 28, 28)

        def predict() -> Any:
            with lib.no_grad():
                return net(x)

        return predict

    return make


def ignite_net(nn: Any, functional: Any) -> Any:
    """Return the network of pytorch-ignite's MNIST example."""
    return nn.Sequential(
        *(nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(10, 20, 5), nn.Dropout2d(), nn.MaxPool2d(2)),
        *(nn.ReLU(), nn.Flatten(), nn.Linear(320, 50), nn.ReLU(), nn.Dropout(), nn.Linear(50, 10)),
    )


def strided_net(nn: Any, functional: Any) -> Any:
    """Return convolutions of 64, 128 and 128 filters, two of them with strides."""
    return nn.Sequential(
        *(nn.Conv2d(1, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 128, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(128, 128, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(6272, 10)),
    )


def resnet18(nn: Any, functional: Any) -> Any:
    """Return a ResNet-18 with CIFAR's stem, written once for both libraries."""

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, planes: int, out: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(planes, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
            self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
            self.way = nn.Identity()
            if stride != 1:
                self.way = nn.Sequential(nn.Conv2d(planes, out, 1, stride, bias=False), nn.BatchNorm2d(out))

        def forward(self, x: Any) -> Any:
            y = functional.relu(self.bn1(self.conv1(x)))
            return functional.relu(self.bn2(self.conv2(y)) + self.way(x))

    blocks = [Block(64, 64, 1), Block(64, 64, 1)]
    for planes in (64, 128, 256):
        blocks += [Block(planes, 2 * planes, 2), Block(2 * planes, 2 * planes, 1)]
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()),
        *(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)),
    )


_SHAPES: dict[str, tuple[str, tuple[int, int, int, int], int, int, int, int]] = {
    "stem": ("7x7, 3 to 64, stride 2, 224x224, batch 8", (8, 3, 224, 224), 64, 7, 2, 1),
    "64": ("3x3, 64 to 64, 56x56, batch 8", (8, 64, 56, 56), 64, 3, 1, 1),
    "64_128": ("3x3, 64 to 128, stride 2, 56x56, batch 8", (8, 64, 56, 56), 128, 3, 2, 1),
    "way": ("1x1, 64 to 128, stride 2, 56x56, batch 8", (8, 64, 56, 56), 128, 1, 2, 1),
    "128": ("3x3, 128 to 128, 28x28, batch 8", (8, 128, 28, 28), 128, 3, 1, 1),
    "256": ("3x3, 256 to 256, 14x14, batch 8", (8, 256, 14, 14), 256, 3, 1, 1),
    "512": ("3x3, 512 to 512, 7x7, batch 8", (8, 512, 7, 7), 512, 3, 1, 1),
    "deep_56": ("3x3, depthwise, 144 channels, stride 2, 56x56, batch 8", (8, 144, 56, 56), 144, 3, 2, 144),
    "deep_28": ("3x3, depthwise, 192 channels, 28x28, batch 8", (8, 192, 28, 28), 192, 3, 1, 192),
    "deep_14": ("3x3, depthwise, 384 channels, 14x14, batch 8", (8, 384, 14, 14), 384, 3, 1, 384),
    "deep_7": ("3x3, depthwise, 960 channels, 7x7, batch 8", (8, 960, 7, 7), 960, 3, 1, 960),
}
_DIRECTIONS = {"forward": "forward", "x": "gradient of the input", "w": "gradient of the weight"}
_SGD = {"lr": 0.01, "momentum": 0.9}

NETS = {
    "ignite_net": Workload(
        "training step, pytorch-ignite's MNIST network, SGD, batch 64",
        step_of(ignite_net, 64, (1, 28, 28), "SGD", **_SGD),
        calls=5,
    ),
    "strided": Workload(
        "training step, convolutions 64-128-128 with strides, 28x28, SGD, batch 32",
        step_of(strided_net, 32, (1, 28, 28), "SGD", **_SGD),
        calls=3,
    ),
    "resnet18": Workload(
        "training step, ResNet-18 with CIFAR's stem, 32x32, SGD, batch 32",
        step_of(resnet18, 32, (3, 32, 32), "SGD", **_SGD),
    ),
    "ignite_net_1": Workload(
        "inference, pytorch-ignite's MNIST network, batch 1", inference_of(ignite_net, 1), calls=50
    ),
    "example_256": Workload(
        "inference, PyTorch's MNIST network, batch 256", inference_of(example_module, 256), calls=3
    ),
}


def kernel(name: str, direction: str) -> Workload:
    """Return the row of a convolution alone; all three directions take as many products."""
    title, (N, C, H, W), F, size, stride, groups = _SHAPES[name]
    rows, columns = ((length + 2 * (size // 2) - size) // stride + 1 for length in (H, W))
    return Workload(
        f"convolution {title}, {_DIRECTIONS[direction]}",
        convolution(direction, (N, C, H, W), F, size, stride, groups),
        flops=2 * N * F * rows * columns * C // groups * size * size,
    )


KERNELS = {
    f"conv_{name}_{direction}": kernel(name, direction)
    for name in _SHAPES
    for direction in _DIRECTIONS
    if not (name == "stem" and direction == "x")
}
