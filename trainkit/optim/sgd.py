"""Stochastic gradient descent."""

from collections.abc import Iterable
from typing import Any

from trainkit import kernels
from trainkit.errors import ArgumentError
from trainkit.optim.optimizer import Arrays, Group, Optimizer, State, alike, at_least, gather, inert

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
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        at_least(0.0, lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentError(f"nesterov needs momentum and no dampening, got {momentum} and {dampening}")
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        options |= {"nesterov": nesterov, "maximize": maximize}
        super().__init__(params, options | inert(foreach=foreach, differentiable=differentiable, fused=fused))

    def update(self, group: Group, params: Arrays, grads: Arrays, states: list[State]) -> None:
        """Step every parameter; those that have no momentum buffer yet get one."""
        names = ("lr", "momentum", "dampening", "weight_decay")
        options: dict[str, Any] = {name: float(group[name]) for name in names}
        options |= {name: group[name] for name in ("nesterov", "maximize")}
        if not options["momentum"]:
            kernels.sgd_step(params, grads, None, **options)
            return
        missing = [state.get("momentum_buffer") is None for state in states]
        for begin, chosen, slopes, own in alike(missing, params, grads, states):
            buffers = gather(own, "momentum_buffer", chosen)
            kernels.sgd_step(chosen, slopes, buffers, **options, begin=begin)
