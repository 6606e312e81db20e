"""What a step of fine-tuning costs: a resnet18 whose trunk is frozen, against one that learns as a whole."""

from collections.abc import Callable
from typing import Any

from benchmarks.workloads import Workload, batch, modules, training

__all__ = ["WORKLOADS"]


def step(library: str) -> Callable[[], Any]:
    """Return a step of the head alone, or, as the peer "bare", of the whole network: 32 images of 32 x 32."""
    lib, nn, optim, functional = modules("trainkit")
    net = lib.models.resnet18(10, stem="cifar")
    if library == "trainkit":
        nn.freeze(net, lambda name, tensor: not name.startswith("fc."))
    optimizer = optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    return training(lib, functional, net, optimizer, *batch(lib, 32, 3, 32, 32))


_TITLE = "a step of resnet18 (32 x 32, batch 32) with a frozen trunk, against the full step"
WORKLOADS = {"frozen_trunk": Workload(_TITLE, step, peer="trainkit, nothing frozen", against="bare")}
