"""Normalisation and dropout alone, on the shapes of ResNet-18 and of a transformer's rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads import Workload, modules

__all__ = ["WORKLOADS"]


def layer(call: Callable[..., Any], shape: tuple[int, ...], features: int, backward: bool) -> Callable[..., Any]:
    """Return the maker of one call, or of one and the way back: `call(functional, x, weight, bias)`."""

    def make(library: str) -> Callable[[], Any]:
        lib, _, _, functional = modules(library)
        rng = np.random.default_rng(0)
        given = [lib.from_numpy(rng.standard_normal(size, "float32")) for size in (shape, features, features)]
        above = lib.from_numpy(rng.standard_normal(shape, "float32"))

        def forward() -> Any:
            return call(functional, *given)

        if not backward:
            return forward
        for tensor in given:
            tensor.requires_grad_()

        def both() -> None:
            for tensor in given:
                tensor.grad = None
            forward().backward(above)

        return both

    return make


def rows(key: str, title: str, call: Callable[..., Any], shape: tuple[int, ...], features: int) -> dict[str, Workload]:
    """Return the row of the forward pass and that of both passes."""
    size = "x".join(map(str, shape))
    calls = max(1, 1_000_000 // int(np.prod(shape)))
    return {
        f"{key}{suffix}": Workload(f"{title} {size}, {what}", layer(call, shape, features, backward), calls=calls)
        for suffix, what, backward in (("", "forward", False), ("_both", "forward and backward", True))
    }


def batch_norm(functional: Any, x: Any, weight: Any, bias: Any) -> Any:
    """Batch norm in training."""
    return functional.batch_norm(x, None, None, weight, bias, True)


def frozen_batch_norm(functional: Any, x: Any, weight: Any, bias: Any) -> Any:
    """Batch norm in evaluation; the statistics are other numbers of the same kind."""
    return functional.batch_norm(x, bias.detach(), weight.detach() ** 2, weight, bias)


def layer_norm(functional: Any, x: Any, weight: Any, bias: Any) -> Any:
    """Layer norm over the last dimension."""
    return functional.layer_norm(x, x.shape[-1:], weight, bias)


def rms_norm(functional: Any, x: Any, weight: Any, bias: Any) -> Any:
    """Root-mean-square norm over the last dimension."""
    return functional.rms_norm(x, x.shape[-1:], weight)


def group_norm(functional: Any, x: Any, weight: Any, bias: Any) -> Any:
    """Group norm in eight groups."""
    return functional.group_norm(x, 8, weight, bias)


def instance_norm(functional: Any, x: Any, weight: Any, bias: Any) -> Any:
    """Instance norm with scale and shift."""
    return functional.instance_norm(x, None, None, weight, bias)


def dropout(functional: Any, x: Any, weight: Any, bias: Any) -> Any:
    """Dropout of half of the elements."""
    return functional.dropout(x, 0.5, True)


WORKLOADS = {
    **rows("norm_batch_56", "batch norm", batch_norm, (32, 64, 56, 56), 64),
    **rows("norm_batch_7", "batch norm", batch_norm, (32, 512, 7, 7), 512),
    **rows("norm_eval_56", "batch norm in evaluation", frozen_batch_norm, (32, 64, 56, 56), 64),
    **rows("norm_layer", "layer norm", layer_norm, (256, 768), 768),
    **rows("norm_rms", "root-mean-square norm", rms_norm, (256, 768), 768),
    **rows("norm_group", "group norm", group_norm, (32, 64, 28, 28), 64),
    **rows("norm_instance", "instance norm", instance_norm, (32, 64, 28, 28), 64),
    **rows("dropout", "dropout", dropout, (1_000_000,), 1),
}
