"""Keep gradients small, when they are final."""

from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.errors import ArgumentError
from trainkit.nn.utils import clip_grad_norm_, clip_grad_value_

__all__ = ["ClipGradNorm", "ClipGradValue"]


class _Clip(Callback):
    """Acts once for each step of the optimizer, on the gradient of all batches that make it."""

    def __init__(self, limit: float, name: str) -> None:
        if not limit > 0:
            raise ArgumentError(f"{name} must be more than 0, got {limit!r}")
        self.limit = float(limit)

    def on_train_begin(self) -> None:
        """Look for the trainer, whose optimizer's parameters are meant."""
        if self.trainer is None:
            raise ArgumentError(
                f"{type(self).__name__} clips the gradients of a Trainer; attach it to one, or call "
                "nn.utils.clip_grad_norm_() in a handler of StepEvents.OPTIMIZER_STARTED"
            )

    def parameters(self) -> list[Any]:
        """Return what the optimizer steps."""
        return [parameter for group in self.trainer.optimizer.param_groups for parameter in group["params"]]


class ClipGradNorm(_Clip):
    """Scale the gradients so that their norm, taken over all of them, is at most `max_norm`.

    With several batches to a step it acts on their gradient, not on each batch's.

    Args:
        max_norm: the largest norm.
        norm_type: of which norm; 2 or another number, or infinity.

    Attributes:
        norm: the last one, before it was clipped; a number.

    Source: Pascanu et al., 2013, https://arxiv.org/abs/1211.5063.

    >>> import trainkit as tk
    >>> clip = ClipGradNorm(1.0)
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse", callbacks=[clip])
    >>> history = trainer.fit(tk.ones(4, 1), 100 * tk.ones(4, 1), verbose=0)
    >>> clip.norm > 1.0
    True
    """

    def __init__(self, max_norm: float, norm_type: float = 2.0) -> None:
        super().__init__(max_norm, "max_norm")
        self.norm_type = norm_type
        self.norm: float | None = None

    def on_before_optimizer_step(self) -> None:
        """Clip."""
        self.norm = float(clip_grad_norm_(self.parameters(), self.limit, self.norm_type))


class ClipGradValue(_Clip):
    """Limit each element of the gradients to [-clip_value, clip_value].

    Args:
        clip_value: the largest magnitude.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), ("sgd", {"lr": 1.0}), "mse", callbacks=[ClipGradValue(0.1)])
    >>> before = trainer.model.bias.item()
    >>> history = trainer.fit(tk.ones(4, 1), 100 * tk.ones(4, 1), verbose=0)
    >>> round(trainer.model.bias.item() - before, 4)
    0.1
    """

    def __init__(self, clip_value: float) -> None:
        super().__init__(clip_value, "clip_value")

    def on_before_optimizer_step(self) -> None:
        """Clip."""
        clip_grad_value_(self.parameters(), self.limit)
