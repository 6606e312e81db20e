"""Stochastic gradient descent."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.errors import ArgumentError
from trainkit.optim.optimizer import Group, Optimizer, State, at_least

__all__ = ["SGD"]


class SGD(Optimizer):
    """Step against the gradient, with momentum if wanted.

    Source: Sutskever et al., 2013, https://proceedings.mlr.press/v28/sutskever13.html, in PyTorch's form:
    the buffer begins as the first gradient, and the rate multiplies the buffer.

    >>> import trainkit as tk
    >>> w = tk.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8000, 1.6000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        at_least("lr", lr, 0.0)
        at_least("momentum", momentum, 0.0)
        at_least("weight_decay", weight_decay, 0.0)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentError(f"nesterov needs momentum and no dampening, got {momentum} and {dampening}")
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**options, "nesterov": nesterov, "maximize": maximize})

    def update(self, group: Group, params: list[Any], grads: list[Any], states: list[State]) -> None:
        """Step every parameter; those that have no momentum buffer yet get one."""
        names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
        options = {name: group[name] for name in names}
        if not group["momentum"]:
            kernels.sgd_step(params, grads, None, **options)
            return
        for first in (False, True):
            chosen = [i for i, state in enumerate(states) if ("momentum_buffer" not in state) == first]
            if first:
                for i in chosen:
                    states[i]["momentum_buffer"] = np.empty_like(params[i])
            if chosen:
                buffers = [states[i]["momentum_buffer"] for i in chosen]
                kernels.sgd_step(
                    [params[i] for i in chosen], [grads[i] for i in chosen], buffers, **options, first=first
                )
