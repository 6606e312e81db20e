"""The workloads, once in trainkit and once in the peer: each a function that returns what is to be repeated.

The two differ in their imports alone, as far as they can.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["ENGINE", "NETS", "SMALL", "SUPERVISED", "Workload"]


@dataclass(frozen=True)
class Workload:
    """What is measured.

    Attributes:
        title: the row in the table.
        make: `make(library)` returns the function that is timed; library is "trainkit" or what `against` says.
        unit: of one call: "ms" or "us".
        calls: how many calls are timed together.
        peer: the peer's name.
        threads: whether it is measured on one and on all threads, or on one only.
        against: what `make` is given for the peer: "torch", or "bare" for a plain loop on trainkit itself.
        inside: how many steps one call makes, where one step is what the row tells.
        group: workloads of one group are measured in one process, which saves its start; "" is a process of its own,
            whose memory is told.
        flops: of one call, multiplications and additions as they are counted on paper; 0 where nobody asks.
    """

    title: str
    make: Callable[[str], Callable[[], Any]]
    unit: str = "ms"
    calls: int = 1
    peer: str = "torch"
    threads: bool = True
    against: str = "torch"
    inside: int = 1
    group: str = ""
    flops: int = 0


def modules(library: str) -> tuple[Any, Any, Any, Any]:
    """Return the library, its nn, its optim and nn.functional."""
    names = (library, f"{library}.nn", f"{library}.optim", f"{library}.nn.functional")
    return tuple(importlib.import_module(name) for name in names)  # type: ignore[return-value]


def use_threads(library: str, threads: int) -> None:
    """Compute on so many threads."""
    if library in ("trainkit", "bare"):
        import trainkit

        trainkit.set_num_threads(threads)
    else:
        import torch

        torch.set_num_threads(threads)


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


def example_module(nn: Any, functional: Any) -> Any:
    """Return the network of PyTorch's MNIST example."""

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

    return Net()


def example_net(library: str) -> Callable[[], Any]:
    """Return a step of the network of PyTorch's MNIST example, Adam, batch 64."""
    lib, nn, optim, functional = modules(library)
    net = example_module(nn, functional)
    return training(lib, functional, net, optim.Adam(net.parameters()), *batch(lib, 64, 1, 28, 28))


def perceptron(optimizer: str, images: int, **options: Any) -> Callable[[str], Callable[[], Any]]:
    """Return the maker of a step of a 784-128-10 perceptron with an optimizer by its name."""

    def make(library: str) -> Callable[[], Any]:
        lib, nn, optim, functional = modules(library)
        net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
        learner = getattr(optim, optimizer)(net.parameters(), **options)
        return training(lib, functional, net, learner, *batch(lib, images, 784))

    return make


def batch_norm_net(library: str) -> Callable[[], Any]:
    """Return a step of two convolutions with BatchNorm and pooling, Adam, batch 64."""
    lib, nn, optim, functional = modules(library)
    net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)),
    )
    return training(lib, functional, net, optim.Adam(net.parameters()), *batch(lib, 64, 1, 28, 28))


def small_op(call: Callable[[Any, Any, Any], Any]) -> Callable[[str], Callable[[], Any]]:
    """Return the maker of one recorded op on 4x4 matrices: `call(library, a, b)`."""

    def make(library: str) -> Callable[[], Any]:
        lib = importlib.import_module(library)
        a, b = lib.ones(4, 4), lib.ones(4, 4)
        a.requires_grad_()
        return lambda: call(lib, a, b)

    return make


def small_graph(library: str) -> Callable[[], Any]:
    """Return forward and backward of a sum of a product."""
    lib = importlib.import_module(library)
    a, w = lib.ones(4, 4), lib.ones(4, 4)
    w.requires_grad_()

    def run() -> None:
        w.grad = None
        (a @ w).sum().backward()

    return run


def chain(library: str) -> Callable[[], Any]:
    """Return the walk backward through a chain of 1,000 products; its `prepare` makes the chain anew, untimed."""
    lib = importlib.import_module(library)
    a, b = lib.ones(4, 4), lib.ones(4, 4)
    a.requires_grad_()
    ends: list[Any] = []

    def prepare() -> None:
        y = a
        for _ in range(1000):
            y = y * b
        ends.append(y.sum())

    def run() -> None:
        ends.pop().backward()

    run.prepare = prepare  # type: ignore[attr-defined]
    return run


ITERATIONS = 10_000


def engine_loop(handlers: int, every: int | None = None) -> Callable[[str], Callable[[], Any]]:
    """Return the maker of a run of an engine whose process function does nothing."""

    def make(library: str) -> Callable[[], Any]:
        engine_of = importlib.import_module("trainkit.engine" if library == "trainkit" else "ignite.engine")
        events = engine_of.Events
        engine = engine_of.Engine(lambda engine, batch: None)
        for _ in range(handlers):
            engine.add_event_handler(events.ITERATION_COMPLETED, lambda engine: None)
        if every is not None:
            engine.add_event_handler(events.ITERATION_COMPLETED(every=every), lambda engine: None)
        data = range(ITERATIONS)

        def run() -> None:
            engine.state.max_epochs = None
            engine.run(data, max_epochs=1)

        return run

    return make


STEPS = 200


def perceptron_run(library: str) -> Callable[[], Any]:
    """Return steps of the perceptron as a run of a supervised engine, or as a plain loop that does the same."""
    lib, nn, optim, functional = modules("trainkit")
    net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer, data = optim.Adam(net.parameters()), [batch(lib, 64, 784)] * STEPS
    if library == "trainkit":
        from trainkit.engine import create_supervised_trainer

        trainer = create_supervised_trainer(net, optimizer, functional.cross_entropy)
        return lambda: trainer.run(data, resume=False)

    def loop() -> None:
        net.train()
        for x, y in data:
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            loss.item()

    return loop


def engine_row(what: str, handlers: int, every: int | None = None) -> Workload:
    """Return the row of an iteration with so many handlers."""
    title = f"engine, one iteration, {what}"
    make = engine_loop(handlers, every)
    return Workload(title, make, "us", peer="pytorch-ignite", inside=ITERATIONS)


NETS: dict[str, Workload] = {
    "perceptron": Workload("training step, perceptron 784-128-10, Adam, batch 64", perceptron("Adam", 64), calls=50),
    "perceptron_sgd": Workload(
        "training step, perceptron 784-128-10, SGD, batch 32", perceptron("SGD", 32, lr=0.01), calls=50
    ),
    "batch_norm": Workload("training step, 2 convolutions + BatchNorm, Adam, batch 64", batch_norm_net, calls=5),
    "example": Workload("training step, PyTorch's MNIST network, Adam, batch 64", example_net, calls=5),
}
SMALL: dict[str, Workload] = {
    "add": Workload("recorded 4x4 add", small_op(lambda lib, a, b: a + b), "us", 2000),
    "mul": Workload("recorded 4x4 multiply", small_op(lambda lib, a, b: a * b), "us", 2000),
    "relu": Workload("recorded 4x4 relu", small_op(lambda lib, a, b: lib.relu(a)), "us", 2000),
    "matmul": Workload("recorded 4x4 matrix product", small_op(lambda lib, a, b: a @ b), "us", 2000),
    "small_graph": Workload("forward and backward of (a @ w).sum(), 4x4", small_graph, "us", 500),
    "chain": Workload("backward of a chain of 1,000 products", chain),
}
ENGINE: dict[str, Workload] = {
    "engine_0": engine_row("no handler", 0),
    "engine_3": engine_row("3 handlers", 3),
    "engine_10": engine_row("10 handlers", 10),
    "engine_every": engine_row("a filter every=100", 0, every=100),
    "engine_mixed": engine_row("3 handlers, a filter every=100", 3, every=100),
}
SUPERVISED: dict[str, Workload] = {
    "engine_perceptron": Workload(
        "training step of the perceptron under a supervised Engine",
        perceptron_run,
        "us",
        peer="a bare loop on trainkit",
        against="bare",
        inside=STEPS,
    ),
}
