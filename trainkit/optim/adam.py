"""Adam and its relatives."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.errors import ArgumentError
from trainkit.optim.optimizer import Group, Optimizer, State, at_least

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Steps scaled by running averages of the gradient and its square.

    Source: Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980; amsgrad: Reddi et al., 2018,
    https://openreview.net/forum?id=ryQu7f-RZ. The weight decay is added to the gradient.

    >>> import trainkit as tk
    >>> w = tk.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.9000, -0.9000], requires_grad=True)
    """

    decoupled = False

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        at_least("lr", lr, 0.0)
        at_least("eps", eps, 0.0)
        at_least("weight_decay", weight_decay, 0.0)
        if not all(0.0 <= beta < 1.0 for beta in betas):
            raise ArgumentError(f"betas must be in [0, 1), got {betas}")
        options = {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**options, "amsgrad": amsgrad, "maximize": maximize})

    def update(self, group: Group, params: list[Any], grads: list[Any], states: list[State]) -> None:
        """Step every parameter; the bias correction counts the steps of each."""
        for param, state in zip(params, states, strict=True):
            if not state:
                state["step"] = 0
                state["exp_avg"], state["exp_avg_sq"] = np.zeros_like(param), np.zeros_like(param)
            if group["amsgrad"] and "max_exp_avg_sq" not in state:
                state["max_exp_avg_sq"] = np.zeros_like(param)
            state["step"] += 1
        # a parameter that was frozen for a while is at another step than its neighbours
        for step in {state["step"] for state in states}:
            chosen = [i for i, state in enumerate(states) if state["step"] == step]
            maxima = [states[i]["max_exp_avg_sq"] for i in chosen] if group["amsgrad"] else None
            kernels.adam_step(
                [params[i] for i in chosen],
                [grads[i] for i in chosen],
                [states[i]["exp_avg"] for i in chosen],
                [states[i]["exp_avg_sq"] for i in chosen],
                maxima,
                group["lr"],
                group["betas"][0],
                group["betas"][1],
                group["eps"],
                group["weight_decay"],
                group["maximize"],
                step,
                self.decoupled,
            )


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves, apart from the gradient.

    Source: Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101.
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
