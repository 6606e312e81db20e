"""NAdam."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd import get_default_dtype
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

__all__ = ["NAdam"]


class NAdam(Optimizer):
    """Adam with Nesterov's momentum, whose strength grows over the first steps.

    Source: Dozat, 2016, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.

    >>> import trainkit as tk
    >>> w = tk.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = NAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.8944, -0.8944], requires_grad=True)
    """

    counters = ("step", "mu_product")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        at_least(0.0, lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        options = {"lr": lr, "betas": check_betas(betas), "eps": eps, "weight_decay": weight_decay}
        options |= {"momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay}
        options |= {"maximize": maximize}
        super().__init__(params, options | inert(foreach=foreach, capturable=capturable, differentiable=differentiable))

    def update(self, group: Group, params: Arrays, grads: Arrays, states: list[State]) -> None:
        """Step every parameter; momentum and bias correction go by the steps of each."""
        lr, decay, (beta1, beta2) = float(group["lr"]), group["weight_decay"], group["betas"]
        # PyTorch keeps the product of the momenta in single precision, unless the default is double
        real = np.float64 if get_default_dtype() == np.float64 else np.float32
        now = [_momentum(beta1, group["momentum_decay"], step) for step in count_steps(states)]
        for state, momentum in zip(states, now, strict=True):
            state["mu_product"] = float(real(state.get("mu_product", 1.0)) * real(momentum))
        keys = [(state["step"], state["mu_product"]) for state in states]
        for (step, product), chosen, slopes, own in alike(keys, params, grads, states):
            momentum = _momentum(beta1, group["momentum_decay"], step)
            following = _momentum(beta1, group["momentum_decay"], step + 1)
            kernels.nadam_step(
                chosen,
                slopes,
                gather(own, "exp_avg", chosen),
                gather(own, "exp_avg_sq", chosen),
                lr * following / (1 - product * following),
                lr * (1 - momentum) / (1 - product),
                beta1,
                beta2,
                group["eps"],
                1 - lr * decay if group["decoupled_weight_decay"] else 1.0,
                0.0 if group["decoupled_weight_decay"] else decay,
                group["maximize"],
                step,
            )


def _momentum(beta1: float, decay: float, step: int) -> float:
    return float(beta1 * (1.0 - 0.5 * 0.96 ** (step * decay)))
