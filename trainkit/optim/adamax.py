"""Adamax."""

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

__all__ = ["Adamax"]


class Adamax(Optimizer):
    """Adam with the largest recent gradient in place of the average of squares.

    Source: Kingma and Ba, 2015, section 7.1, https://arxiv.org/abs/1412.6980.

    >>> import trainkit as tk
    >>> w = tk.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = Adamax([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.9000, -0.9000], requires_grad=True)
    """

    counters = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        at_least(0.0, lr=lr, eps=eps, weight_decay=weight_decay)
        options = {"lr": lr, "betas": check_betas(betas), "eps": eps, "weight_decay": weight_decay}
        options |= {"maximize": maximize}
        super().__init__(params, options | inert(foreach=foreach, differentiable=differentiable, capturable=capturable))

    def update(self, group: Group, params: Arrays, grads: Arrays, states: list[State]) -> None:
        """Step every parameter; the bias correction counts the steps of each."""
        beta1, beta2 = group["betas"]
        for step, chosen, slopes, own in alike(count_steps(states), params, grads, states):
            kernels.adamax_step(
                chosen,
                slopes,
                gather(own, "exp_avg", chosen),
                gather(own, "exp_inf", chosen),
                float(group["lr"]),
                beta1,
                beta2,
                group["eps"],
                group["weight_decay"],
                group["maximize"],
                step,
            )
