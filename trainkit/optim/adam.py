"""Adam, and AdamW."""

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

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Steps scaled by running averages of the gradient and its square.

    Source: Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980; amsgrad: Reddi et al., 2018,
    https://openreview.net/forum?id=ryQu7f-RZ. The weight decay is added to the gradient, unless it is decoupled.

    >>> import trainkit as tk
    >>> w = tk.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.9000, -0.9000], requires_grad=True)
    """

    counters = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        at_least(0.0, lr=lr, eps=eps, weight_decay=weight_decay)
        options = {"lr": lr, "betas": check_betas(betas), "eps": eps, "weight_decay": weight_decay}
        options |= {"amsgrad": amsgrad, "maximize": maximize}
        options |= inert(foreach=foreach, capturable=capturable, differentiable=differentiable, fused=fused)
        super().__init__(params, options | {"decoupled_weight_decay": decoupled_weight_decay})

    def update(self, group: Group, params: Arrays, grads: Arrays, states: list[State]) -> None:
        """Step every parameter; the bias correction counts the steps of each."""
        beta1, beta2 = group["betas"]
        for step, chosen, slopes, own in alike(count_steps(states), params, grads, states):
            kernels.adam_step(
                chosen,
                slopes,
                gather(own, "exp_avg", chosen),
                gather(own, "exp_avg_sq", chosen),
                gather(own, "max_exp_avg_sq", chosen) if group["amsgrad"] else None,
                float(group["lr"]),
                float(beta1),
                float(beta2),
                group["eps"],
                group["weight_decay"],
                group["maximize"],
                step,
                group["decoupled_weight_decay"],
            )


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves, apart from the gradient.

    Source: Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101.

    >>> import trainkit as tk
    >>> w = tk.tensor([1.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.1, weight_decay=0.5)
    >>> w.grad = tk.zeros(1)
    >>> optimizer.step()
    >>> w
    tensor([0.9500], requires_grad=True)
    """

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
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
