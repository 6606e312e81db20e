"""Workloads of losses, activations and tables: forward and backward."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads import Workload, modules

__all__ = ["WORKLOADS"]


def there_and_back(
    call: Callable[..., Any], *shapes: tuple[int, ...], classes: int = 0
) -> Callable[[str], Callable[[], Any]]:
    """Return the maker of forward and backward of `call(functional, *tensors)`.

    The first tensor has a gradient, the others are from 0 to 1; with `classes` the last is labels.
    """

    def make(library: str) -> Callable[[], Any]:
        lib, _, _, functional = modules(library)
        rng = np.random.default_rng(0)
        first = lib.from_numpy(rng.standard_normal(shapes[0], "float32")).requires_grad_()
        others = [lib.from_numpy(rng.random(shape, "float32")) for shape in shapes[1:]]
        if classes:
            others[-1] = lib.from_numpy(rng.integers(0, classes, shapes[-1]))
        out = call(functional, first, *others)
        upstream = lib.ones_like(out.detach())

        def run() -> None:
            first.grad = None
            call(functional, first, *others).backward(upstream)

        return run

    return make


MANY = (1000, 1000)


def activation(name: str) -> Workload:
    """Return the row of an activation of a million elements."""
    make = there_and_back(lambda functional, x: getattr(functional, name)(x), MANY)
    return Workload(f"{name} of 1e6 elements, forward and backward", make)


def cross_entropy(rows: int, classes: int, calls: int, what: str = "", **options: Any) -> Workload:
    """Return the row of a cross-entropy."""

    def call(functional: Any, x: Any, y: Any) -> Any:
        return functional.cross_entropy(x, y, **options)

    make = there_and_back(call, (rows, classes), (rows,), classes=classes)
    return Workload(f"cross_entropy{what} of {rows}x{classes}, forward and backward", make, "us", calls)


WORKLOADS = {
    "cross_entropy_small": cross_entropy(32, 10, 200),
    "cross_entropy_large": cross_entropy(256, 1000, 10),
    "cross_entropy_smooth": cross_entropy(256, 1000, 10, " with label smoothing", label_smoothing=0.1),
    "bce_with_logits": Workload(
        "binary_cross_entropy_with_logits of 1e6 elements, forward and backward",
        there_and_back(lambda functional, x, y: functional.binary_cross_entropy_with_logits(x, y), MANY, MANY),
    ),
    "embedding": Workload(
        "embedding, 2,048 of 10,000 rows of 64, forward and backward",
        there_and_back(lambda functional, w, i: functional.embedding(i, w), (10_000, 64), (2048,), classes=10_000),
        "us",
        10,
    ),
    **{name: activation(name) for name in ("gelu", "silu", "leaky_relu")},
}
