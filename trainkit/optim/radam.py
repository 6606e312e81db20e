"""RAdam."""

from collections.abc import Iterable
from typing import Any

from trainkit import kernels
from trainkit.optim.optimizer import (
    Arrays,
    Group,
    Optimizer,
    State,
    alike,
    at_least,
    check_betas,
    count_steps,
    gather,
    inert,
)

__all__ = ["RAdam"]


class RAdam(Optimizer):
    """Adam that steps by the average alone until it has seen enough to scale by.

    Source: Liu et al., 2020, https://arxiv.org/abs/1908.03265.

    >>> import trainkit as tk
    >>> w = tk.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.8000, -0.8000], requires_grad=True)
    """

    counters = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        at_least(0.0, lr=lr, eps=eps, weight_decay=weight_decay)
        options = {"lr": lr, "betas": check_betas(betas), "eps": eps, "weight_decay": weight_decay}
        options |= {"maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, options | inert(foreach=foreach, capturable=capturable, differentiable=differentiable))

    def update(self, group: Group, params: Arrays, grads: Arrays, states: list[State]) -> None:
        """Step every parameter; the rectification goes by the steps of each."""
        beta1, beta2 = group["betas"]
        for step, chosen, slopes, own in alike(count_steps(states), params, grads, states):
            kernels.radam_step(
                chosen,
                slopes,
                gather(own, "exp_avg", chosen),
                gather(own, "exp_avg_sq", chosen),
                float(group["lr"]),
                beta1,
                beta2,
                group["eps"],
                group["weight_decay"],
                group["maximize"],
                step,
                group["decoupled_weight_decay"],
            )
