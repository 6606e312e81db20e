"""The streaming ops of a training step, on the shapes of the MNIST example's and of ResNet-18's arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads import Workload, modules

__all__ = ["WORKLOADS"]

SHAPES = {
    "conv1": (64, 32, 26, 26),
    "conv2": (64, 64, 24, 24),
    "flat": (64, 9216),
    "resnet": (32, 64, 32, 32),
    "many": (1000, 1000),
    "classes": (256, 1000),
}


def there_and_back(call: Callable[..., Any], shape: tuple[int, ...], arguments: int) -> Callable[[str], Any]:
    """Return the maker of forward and backward of `call(functional, *tensors)`, of tensors of one shape."""

    def make(library: str) -> Callable[[], Any]:
        lib, _, _, functional = modules(library)
        rng = np.random.default_rng(0)
        given = [lib.from_numpy(rng.standard_normal(shape, "float32")) for _ in range(arguments + 1)]
        above = given.pop()
        for tensor in given:
            tensor.requires_grad_()

        def run() -> None:
            for tensor in given:
                tensor.grad = None
            call(functional, *given).backward(above)

        return run

    return make


def row(name: str, call: Callable[..., Any], shape: str, arguments: int = 1) -> Workload:
    """Return the row of a function, forward and backward."""
    size = "x".join(map(str, SHAPES[shape]))
    return Workload(f"{name} {size}, forward and backward", there_and_back(call, SHAPES[shape], arguments), calls=5)


WORKLOADS = {
    **{
        f"relu_{shape}": row("relu", lambda functional, x: functional.relu(x), shape)
        for shape in ("conv1", "conv2", "flat", "resnet")
    },
    "sigmoid": row("sigmoid", lambda functional, x: functional.sigmoid(x), "many"),
    "tanh": row("tanh", lambda functional, x: functional.tanh(x), "many"),
    "exp": row("exp", lambda functional, x: x.exp(), "many"),
    "softplus": row("softplus", lambda functional, x: functional.softplus(x), "many"),
    "elu": row("elu", lambda functional, x: functional.elu(x), "many"),
    "mish": row("mish", lambda functional, x: functional.mish(x), "many"),
    "hardswish": row("hardswish", lambda functional, x: functional.hardswish(x), "many"),
    "gelu_tanh": row("gelu by tanh", lambda functional, x: functional.gelu(x, approximate="tanh"), "many"),
    "softmax": row("softmax", lambda functional, x: functional.softmax(x, 1), "classes"),
    "log_softmax": row("log_softmax", lambda functional, x: functional.log_softmax(x, 1), "classes"),
    "dropout_flat": row("dropout", lambda functional, x: functional.dropout(x, 0.25, True), "flat"),
    "dropout2d": row("dropout2d", lambda functional, x: functional.dropout2d(x, 0.5, True), "conv2"),
    "residual": row("x + y", lambda functional, x, y: x + y, "resnet", 2),
    "product": row("x * y", lambda functional, x, y: x * y, "resnet", 2),
    "scaled": row("x * 0.5", lambda functional, x: x * 0.5, "resnet"),
}
