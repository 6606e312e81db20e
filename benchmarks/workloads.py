"""The workloads, once in trainkit and once in the peer: each a function that returns what is to be repeated.

The two differ in their imports alone, as far as they can.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["WORKLOADS", "Workload"]


@dataclass(frozen=True)
class Workload:
    """What is measured.

    Attributes:
        title: the row in the table.
        make: `make(library)` returns the function that is timed; library is "trainkit" or "torch".
        unit: of one call: "ms" or "us".
        calls: how many calls are timed together.
        peer: the peer's name.
        threads: whether it is measured on one and on all threads, or on one only.
    """

    title: str
    make: Callable[[str], Callable[[], Any]]
    unit: str = "ms"
    calls: int = 1
    peer: str = "torch"
    threads: bool = True


def modules(library: str) -> tuple[Any, Any, Any, Any]:
    """Return the library, its nn, its optim and nn.functional."""
    names = (library, f"{library}.nn", f"{library}.optim", f"{library}.nn.functional")
    return tuple(importlib.import_module(name) for name in names)  # type: ignore[return-value]


def batch(lib: Any, *shape: int) -> tuple[Any, Any]:
    """Return inputs and classes."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, "float32")
    return lib.from_numpy(x), lib.from_numpy(rng.integers(0, 10, shape[0]))


def training(lib: Any, functional: Any, net: Any, optimizer: Any, x: Any, y: Any) -> Callable[[], Any]:
    """Return one training step."""
    net.train()

    def step() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def example_net(library: str) -> Callable[[], Any]:
    """Return a step of the network of PyTorch's MNIST example, Adam, batch 64."""
    lib, nn, optim, functional = modules(library)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
            self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
            self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            x = functional.relu(self.conv2(functional.relu(self.conv1(x))))
            x = self.dropout1(functional.max_pool2d(x, 2)).flatten(1)
            return self.fc2(self.dropout2(functional.relu(self.fc1(x))))

    net = Net()
    return training(lib, functional, net, optim.Adam(net.parameters()), *batch(lib, 64, 1, 28, 28))


def perceptron(library: str) -> Callable[[], Any]:
    """Return a step of a 784-128-10 perceptron, Adam, batch 64."""
    lib, nn, optim, functional = modules(library)
    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    return training(lib, functional, net, optim.Adam(net.parameters()), *batch(lib, 64, 784))


def batch_norm_net(library: str) -> Callable[[], Any]:
    """Return a step of two convolutions with BatchNorm and pooling, Adam, batch 64."""
    lib, nn, optim, functional = modules(library)
    net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)),
    )
    return training(lib, functional, net, optim.Adam(net.parameters()), *batch(lib, 64, 1, 28, 28))


def small_op(library: str) -> Callable[[], Any]:
    """Return a recorded product of two small matrices, element by element."""
    lib = importlib.import_module(library)
    a, b = lib.ones(4, 4), lib.ones(4, 4)
    a.requires_grad_()
    return lambda: a * b


def small_graph(library: str) -> Callable[[], Any]:
    """Return forward and backward of a sum of a product."""
    lib = importlib.import_module(library)
    a, w = lib.ones(4, 4), lib.ones(4, 4)
    w.requires_grad_()

    def run() -> None:
        w.grad = None
        (a @ w).sum().backward()

    return run


def engine_loop(library: str) -> Callable[[], Any]:
    """Return 10,000 iterations of an engine with three handlers and one filter."""
    engine_of = importlib.import_module("trainkit.engine" if library == "trainkit" else "ignite.engine")
    events = engine_of.Events
    engine = engine_of.Engine(lambda engine, batch: None)
    for _ in range(3):
        engine.add_event_handler(events.ITERATION_COMPLETED, lambda engine: None)
    engine.add_event_handler(events.ITERATION_COMPLETED(every=100), lambda engine: None)
    data = range(10_000)

    def run() -> None:
        engine.state.max_epochs = None
        engine.run(data, max_epochs=1)

    return run


WORKLOADS = {
    "example": Workload("training step, PyTorch's MNIST network, Adam, batch 64", example_net, calls=5),
    "perceptron": Workload("training step, perceptron 784-128-10, Adam, batch 64", perceptron, calls=50),
    "batch_norm": Workload("training step, 2 convolutions + BatchNorm, Adam, batch 64", batch_norm_net, calls=5),
    "small_op": Workload("recorded 4x4 product", small_op, "us", 2000, threads=False),
    "small_graph": Workload("forward and backward of (a @ w).sum(), 4x4", small_graph, "us", 500, threads=False),
    "engine": Workload(
        "10,000 iterations, 3 handlers, 1 filter every=100", engine_loop, peer="pytorch-ignite", threads=False
    ),
}
