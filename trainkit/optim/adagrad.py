"""Adagrad."""

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
    count_steps,
    gather,
    inert,
)

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients.

    Source: Duchi et al., 2011, https://jmlr.org/papers/v12/duchi11a.html.

    >>> import trainkit as tk
    >>> w = tk.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.9000, -0.9000], requires_grad=True)
    """

    counters = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        at_least(0.0, lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps)
        at_least(0.0, initial_accumulator_value=initial_accumulator_value)
        options = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay}
        options |= {"initial_accumulator_value": initial_accumulator_value, "maximize": maximize}
        super().__init__(params, options | inert(foreach=foreach, differentiable=differentiable, fused=fused))
        # the sums are there before the first step, as in PyTorch
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["step"] = 0
                gather([self.state[param]], "sum", [param.array], group["initial_accumulator_value"])

    def update(self, group: Group, params: Arrays, grads: Arrays, states: list[State]) -> None:
        """Step every parameter; the rate falls with the steps of each."""
        for step, chosen, slopes, own in alike(count_steps(states), params, grads, states):
            kernels.adagrad_step(
                chosen,
                slopes,
                gather(own, "sum", chosen, group["initial_accumulator_value"]),
                float(group["lr"]) / (1 + (step - 1) * group["lr_decay"]),
                group["eps"],
                group["weight_decay"],
                group["maximize"],
            )
