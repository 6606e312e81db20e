"""Adadelta."""

from collections.abc import Iterable
from typing import Any

from trainkit import kernels
from trainkit.errors import ArgumentError
from trainkit.optim.optimizer import Arrays, Group, Optimizer, State, at_least, count_steps, gather, inert

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """Steps as large as the past ones in proportion to the gradient's past size; `lr` only scales them.

    Source: Zeiler, 2012, https://arxiv.org/abs/1212.5701.

    >>> import trainkit as tk
    >>> w = tk.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = Adadelta([w], lr=100.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.6838, -0.6838], requires_grad=True)
    """

    counters = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        at_least(0.0, lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
        if rho > 1:
            raise ArgumentError(f"rho must be at most 1, got {rho}")
        options = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, options | inert(capturable=capturable, foreach=foreach, differentiable=differentiable))

    def update(self, group: Group, params: Arrays, grads: Arrays, states: list[State]) -> None:
        """Step every parameter."""
        count_steps(states)
        kernels.adadelta_step(
            params,
            grads,
            gather(states, "square_avg", params),
            gather(states, "acc_delta", params),
            float(group["lr"]),
            group["rho"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
