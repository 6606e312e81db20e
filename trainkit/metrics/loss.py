"""The mean of a loss over examples."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trainkit import autograd
from trainkit.autograd import no_grad
from trainkit.errors import ArgumentError
from trainkit.metrics.metric import Metric, as_it_is

__all__ = ["Loss"]


class Loss(Metric):
    """The mean of a loss over examples: `update((y_pred, y))`; batches of different sizes count by their size.

    Args:
        loss_fn: `loss_fn(y_pred, y)`, a mean over the batch; arrays reach it as tensors.
        output_transform: makes the pair of the output of an engine, or `(y_pred, y, kwargs)`, with a dict of further
            arguments of the loss.
        batch_size: gives the number of examples of `y`.
        device: the CPU.
        skip_unrolling: as for `Metric`.

    Raises:
        ArgumentError: `loss_fn` or `batch_size` is not callable.

    >>> import trainkit as tk
    >>> loss = Loss(tk.nn.MSELoss())
    >>> loss.update((tk.ones(3, 1), tk.zeros(3, 1)))
    >>> loss.update((tk.ones(1, 1) * 3, tk.zeros(1, 1)))
    >>> loss.compute()
    3.0
    """

    higher_is_better = False
    state_names = ("total", "num_examples")

    def __init__(
        self,
        loss_fn: Callable[..., Any],
        output_transform: Callable[[Any], Any] = as_it_is,
        batch_size: Callable[[Any], int] = len,
        device: Any = "cpu",
        skip_unrolling: bool = False,
    ) -> None:
        for name, function in (("loss_fn", loss_fn), ("batch_size", batch_size)):
            if not callable(function):
                raise ArgumentError(f"{name} expected a callable, got {function!r}")
        self.loss_fn = loss_fn
        self.batch_size = batch_size
        super().__init__(output_transform, device, skip_unrolling)

    def reset(self) -> None:
        """Forget all examples."""
        self.total = 0.0
        self.num_examples = 0

    def update(self, output: Any) -> None:
        """Take in predictions and targets.

        Raises:
            ArgumentError: the output is neither a pair nor a pair and a dict, or the loss is not one number.
        """
        if not isinstance(output, (tuple, list)) or len(output) not in (2, 3):
            got = f"{len(output)} parts" if isinstance(output, (tuple, list)) else f"a {type(output).__name__}"
            raise ArgumentError(f"Loss expected (y_pred, y) or (y_pred, y, kwargs), got {got}")
        y_pred, y, kwargs = output if len(output) == 3 else (*output, {})
        count = self.batch_size(y)
        if not count:  # the mean over no examples is NaN
            return
        with no_grad():
            loss = self.loss_fn(_tensors(y_pred), _tensors(y), **kwargs)
        if getattr(loss, "ndim", 0):
            raise ArgumentError(
                f"Loss expected loss_fn to give the mean over the batch, got shape {tuple(loss.shape)}; "
                'choose reduction="mean"'
            )
        self.total += float(loss) * count
        self.num_examples += count

    def compute(self) -> float:
        """Return the mean.

        Raises:
            NotComputableError: there were no examples.
        """
        self._need(self.num_examples)
        return self.total / self.num_examples

    def _pick(self, output: Mapping[str, Any]) -> Any:
        picked = super()._pick(output)
        return (*picked, output["criterion_kwargs"]) if "criterion_kwargs" in output else picked


def _tensors(value: Any) -> Any:
    return autograd.as_tensor(value) if isinstance(value, np.ndarray) else value
