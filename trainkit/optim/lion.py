"""Lion."""

from collections.abc import Iterable
from typing import Any

from trainkit import kernels
from trainkit.optim.optimizer import Arrays, Group, Optimizer, State, at_least, check_betas, gather, inert

__all__ = ["Lion"]


class Lion(Optimizer):
    """Steps of one size, in the direction of the sign of a mix of gradient and average.

    Source: Chen et al., 2023, https://arxiv.org/abs/2302.06675: the rate wants to be 3 to 10 times smaller than
    Adam's, the weight decay, which is decoupled, so much larger.

    >>> import trainkit as tk
    >>> w = tk.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = Lion([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.9000, -0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        at_least(0.0, lr=lr, weight_decay=weight_decay)
        options = {"lr": lr, "betas": check_betas(betas), "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, options | inert(foreach=foreach, capturable=capturable, differentiable=differentiable))

    def update(self, group: Group, params: Arrays, grads: Arrays, states: list[State]) -> None:
        """Step every parameter."""
        beta1, beta2 = group["betas"]
        averages = gather(states, "exp_avg", params)
        lr, decay = float(group["lr"]), group["weight_decay"]
        kernels.lion_step(params, grads, averages, lr, beta1, beta2, decay, group["maximize"])
