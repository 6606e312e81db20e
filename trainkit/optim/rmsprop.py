"""RMSprop."""

from collections.abc import Iterable
from typing import Any

from trainkit import kernels
from trainkit.errors import ArgumentError
from trainkit.optim.optimizer import Arrays, Group, Optimizer, State, at_least, count_steps, gather, inert

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Steps divided by the root of a running average of squared gradients, with momentum if wanted.

    Source: Tieleman and Hinton, 2012, lecture 6.5; centered, by an estimate of the variance: Graves, 2013,
    https://arxiv.org/abs/1308.0850. `eps` is added to the root.

    >>> import trainkit as tk
    >>> w = tk.tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = RMSprop([w], lr=0.01)
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
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        at_least(0.0, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
        if alpha > 1:
            raise ArgumentError(f"alpha must be at most 1, got {alpha}")
        options = {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered}
        options |= {"weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, options | inert(capturable=capturable, foreach=foreach, differentiable=differentiable))

    def update(self, group: Group, params: Arrays, grads: Arrays, states: list[State]) -> None:
        """Step every parameter."""
        count_steps(states)
        kernels.rmsprop_step(
            params,
            grads,
            gather(states, "square_avg", params),
            gather(states, "grad_avg", params) if group["centered"] else None,
            gather(states, "momentum_buffer", params) if group["momentum"] > 0 else None,
            float(group["lr"]),
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            group["momentum"],
            group["maximize"],
        )
