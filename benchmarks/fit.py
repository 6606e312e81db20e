"""What `fit` costs over a loop written by hand, and a whole script that trains on MNIST, in three libraries."""

from collections.abc import Callable
from typing import Any

from benchmarks.workloads import Workload, modules

__all__ = ["WORKLOADS"]

STEPS = 2000


def fit(library: str) -> Callable[[], Any]:
    """Return an epoch of a linear model 4-2, SGD, of one batch again and again, over the same loop by hand."""
    core = "trainkit" if library == "trainkit" else "torch"
    lib, nn, optim, functional = modules(core)
    net = nn.Linear(4, 2)
    optimizer = optim.SGD(net.parameters(), lr=0.01)
    x, y = lib.randn(32, 4), lib.tensor([0, 1] * 16)
    data = [(x, y)] * STEPS

    def bare() -> None:
        net.train()
        for one, target in data:
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(one), target)
            loss.backward()
            optimizer.step()
            loss.item()

    epoch = {"trainkit": _trainkit, "poutyne": _poutyne, "ignite": _ignite}[library](net, optimizer, data)

    def run() -> None:
        epoch()

    run.bare = bare  # type: ignore[attr-defined]
    return run


def _trainkit(net: Any, optimizer: Any, data: Any) -> Callable[[], Any]:
    from trainkit import Trainer

    trainer = Trainer(net, optimizer, "cross_entropy")
    return lambda: trainer.fit(data, verbose=0)


def _poutyne(net: Any, optimizer: Any, data: Any) -> Callable[[], Any]:
    from poutyne import Model

    model = Model(net, optimizer, "cross_entropy")
    return lambda: model.fit_generator(data, epochs=1, verbose=False)


def _ignite(net: Any, optimizer: Any, data: Any) -> Callable[[], Any]:
    import torch
    from ignite.engine import create_supervised_trainer
    from ignite.metrics import Average

    engine = create_supervised_trainer(net, optimizer, torch.nn.CrossEntropyLoss())
    Average().attach(engine, "loss")
    return lambda: engine.run(data, max_epochs=1)


def mnist(library: str, folder: str) -> None:
    """Train one epoch of PyTorch's example network on MNIST with accuracy and a bar; print the test accuracy.

    The images are in memory as tensors in all libraries, in batches of 64, shuffled.
    """
    import numpy as np

    from benchmarks.workloads import example_module

    core = "trainkit" if library == "trainkit" else "torch"
    lib, nn, optim, functional = modules(core)
    lib.manual_seed(0)
    parts = []
    for part in ("train", "t10k"):
        images, labels = _read(folder, part)
        scaled = (images[:, None].astype(np.float32) / 255 - 0.1307) / 0.3081
        parts.append((lib.from_numpy(scaled.astype(np.float32)), lib.from_numpy(labels.astype(np.int64))))
    (x, y), (tx, ty) = parts
    net = example_module(nn, functional)
    optimizer = optim.Adam(net.parameters(), lr=1e-3)
    if library == "trainkit":
        trainer = lib.Trainer(net, optimizer, "cross_entropy", ["accuracy"])
        trainer.fit(x, y, batch_size=64, epochs=1)
        print(trainer.evaluate(tx, ty)["accuracy"])
    elif library == "poutyne":
        from poutyne import Model

        model = Model(net, optimizer, "cross_entropy", batch_metrics=["accuracy"])
        model.fit(x, y, batch_size=64, epochs=1)
        print(model.evaluate(tx, ty, batch_size=256)[1] / 100)
    else:
        from ignite.engine import create_supervised_evaluator, create_supervised_trainer
        from ignite.handlers import ProgressBar
        from ignite.metrics import Accuracy, Loss
        from torch.utils.data import DataLoader, TensorDataset

        loss = nn.CrossEntropyLoss()
        engine = create_supervised_trainer(
            net, optimizer, loss, output_transform=lambda x, y, y_pred, loss: (loss.item(), y_pred, y)
        )
        Accuracy(lambda output: output[1:]).attach(engine, "accuracy")
        ProgressBar().attach(engine, output_transform=lambda output: {"loss": output[0]})
        engine.run(DataLoader(TensorDataset(x, y), 64, shuffle=True), max_epochs=1)
        evaluator = create_supervised_evaluator(net, {"accuracy": Accuracy(), "loss": Loss(loss)})
        print(evaluator.run(DataLoader(TensorDataset(tx, ty), 256)).metrics["accuracy"])


def _read(folder: str, part: str) -> tuple[Any, Any]:
    """Read images and labels of the four files, packed or not, alike for all."""
    import gzip
    from pathlib import Path

    import numpy as np

    found = []
    for kind, skip in (("images-idx3", 16), ("labels-idx1", 8)):
        path = Path(folder) / f"{part}-{kind}-ubyte"
        packed = path.with_name(path.name + ".gz")
        content = gzip.decompress(packed.read_bytes()) if packed.is_file() else path.read_bytes()
        found.append(np.frombuffer(content, np.uint8, offset=skip))
    return found[0].reshape(-1, 28, 28), found[1]


def _row(peer: str) -> Workload:
    title = "cost of a step of fit over a loop by hand, linear 4-2"
    return Workload(title, fit, "us", peer=peer, threads=False, against=peer, inside=STEPS)


WORKLOADS = {f"fit_{peer}": _row(peer) for peer in ("poutyne", "ignite")}
