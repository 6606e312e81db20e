"""The range test: which learning rate to begin with."""

import copy
import math
from collections import defaultdict
from typing import Any, Self

import numpy as np

from trainkit.callbacks.callback import Callback
from trainkit.callbacks.plotting import pyplot
from trainkit.callbacks.values import loss_of, model_of
from trainkit.engine import Priority, keep_random_state
from trainkit.engine.events import checked_integer
from trainkit.errors import ArgumentError, NotComputableError
from trainkit.random import get_rng_state, set_rng_state

__all__ = ["LRFinder"]


class LRFinder(Callback):
    """Raise the learning rate from batch to batch, and see where the loss falls fastest.

    `find` makes the test for a Trainer: model, optimizer, random numbers, history, metrics and modes are afterwards as
    they were, also if it fails. As a callback of `fit` it makes that run the test: none of what the run has learned
    stays, but its history.

    Args:
        min_lr: the rate of the first batch.
        max_lr: the rate of the last.
        num_iter: batches; the data are gone through as often as it takes.
        smoothing: of the losses: the share of the mean so far in the next, at least 0 and less than 1.
        diverge: stop where the mean is so many times the least one.

    Attributes:
        lrs: the rates, of the first group of parameters; the others keep their ratio to it.
        losses: the loss of each batch.
        smoothed: their means.

    Raises:
        ArgumentError: an option does not fit.

    Source: Smith, 2017, https://arxiv.org/abs/1506.01186.

    >>> import trainkit as tk
    >>> x = tk.randn(64, 2)
    >>> trainer = tk.Trainer(tk.nn.Linear(2, 1), "sgd", "mse")
    >>> finder = LRFinder(num_iter=40).find(trainer, x, x.sum(1, keepdim=True))
    >>> 1e-6 < finder.suggestion() < 1
    True
    """

    priority = Priority.CHECKPOINTS  # behind all that sets a rate

    def __init__(
        self,
        min_lr: float = 1e-6,
        max_lr: float = 1.0,
        num_iter: int = 100,
        smoothing: float = 0.9,
        diverge: float = 5.0,
    ) -> None:
        if not 0 < min_lr < max_lr:
            raise ArgumentError(f"expected 0 < min_lr < max_lr, got {min_lr!r} and {max_lr!r}")
        if not 0 <= smoothing < 1:
            raise ArgumentError(f"smoothing must be at least 0 and less than 1, got {smoothing!r}")
        if not diverge > 1:
            raise ArgumentError(f"diverge must be more than 1, got {diverge!r}")
        self.min_lr, self.max_lr, self.num_iter = min_lr, max_lr, checked_integer("num_iter", num_iter, 2)
        self.smoothing, self.diverge = smoothing, diverge
        self.lrs: list[float] = []
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self._before: _Snapshot | None = None

    @keep_random_state
    def find(
        self,
        trainer: Any,
        x: Any,
        y: Any = None,
        *,
        batch_size: int = 32,
        sample_weight: Any = None,
        accumulate: int = 1,
        clip_grad_norm: float | None = None,
    ) -> Self:
        """Make the test with a Trainer's model, optimizer and loss; the data and options are those of its `fit`.

        Neither its callbacks nor the handlers of its engines take part.

        Raises:
            ArgumentError: it is no Trainer, or lacks an optimizer or a loss.
        """
        kinds: list[Any] = [kind for kind in type(trainer).__mro__ if kind.__module__ == "trainkit.trainer.trainer"]
        if not kinds:
            raise ArgumentError(f"find() takes a Trainer, got a {type(trainer).__name__}")
        # A twin with engines of its own, and with all else that a subclass has.
        twin = copy.copy(trainer)
        kinds[0].__init__(twin, trainer.model, trainer.optimizer, trainer.loss)
        try:
            twin.fit(
                x,
                y,
                batch_size=batch_size,
                epochs=self.num_iter,
                callbacks=[self],
                sample_weight=sample_weight,
                accumulate=accumulate,
                clip_grad_norm=clip_grad_norm,
                verbose=0,
            )
        finally:
            self.trainer = None
        return self

    def on_train_begin(self) -> None:
        """Note all that the test is going to change."""
        self.lrs, self.losses, self.smoothed = [], [], []
        self._mean = 0.0
        self._before = _Snapshot(model_of(self), self.trainer.optimizer, self.state.dataloader)

    def on_train_batch_begin(self) -> None:
        """Set the rate."""
        assert self._before is not None
        self.lrs.append(self.min_lr * (self.max_lr / self.min_lr) ** (len(self.lrs) / (self.num_iter - 1)))
        first = float(self._before.groups[0]["lr"])
        for group, before in zip(self.trainer.optimizer.param_groups, self._before.groups, strict=True):
            group["lr"] = self.lrs[-1] * (float(before["lr"]) / first if first else 1.0)

    def on_train_batch_end(self) -> None:
        """Take the loss down, and stop when it is enough."""
        loss = loss_of(self.state)
        if loss is None or not math.isfinite(loss):
            self.lrs.pop()
            self.engine.terminate()
            return
        self.losses.append(loss)
        self._mean = self.smoothing * self._mean + (1 - self.smoothing) * loss
        mean = self._mean / (1 - self.smoothing ** len(self.losses))
        self.smoothed.append(mean)
        least = min(self.smoothed)
        if len(self.lrs) == self.num_iter or (least > 0 and mean > self.diverge * least):
            self.engine.terminate()

    def on_train_end(self) -> None:
        """Put everything back."""
        if self._before is not None:
            self._before.put_back()
            self._before = None

    def suggestion(self) -> float:
        """Return the rate at which the loss falls most steeply over the logarithm of the rate.

        The slopes are those of straight lines through the losses of an eighth of the batches, before the least mean.

        Raises:
            NotComputableError: the test has not been made, or the loss does not fall.
        """
        window = max(3, len(self.losses) // 8)
        end = max(int(np.argmin(self.smoothed)) + 1, window) if len(self.smoothed) >= window else 0
        x, y = np.log(self.lrs[:end]), np.array(self.losses[:end])
        starts = range(end - window + 1 if end else 0)
        slopes = [float(np.polyfit(x[i : i + window], y[i : i + window], 1)[0]) for i in starts]
        if not slopes or min(slopes) >= 0:
            what = "has not fallen at any rate" if slopes else "is known at too few rates: call find() first"
            raise NotComputableError(f"no learning rate can be suggested: the loss {what}")
        return self.lrs[int(np.argmin(slopes)) + window // 2]

    def plot(self) -> Any:
        """Draw loss over rate with matplotlib, and the suggestion; return the figure.

        Raises:
            NotComputableError: the test has not been made.
            MissingExtraError: matplotlib is not installed.
        """
        figure, axis = pyplot("LRFinder.plot").subplots(layout="constrained")
        if not self.smoothed:
            raise NotComputableError("there is nothing to draw: call find() first")
        axis.plot(self.lrs, self.losses, alpha=0.3, label="loss of the batch")
        axis.plot(self.lrs, self.smoothed, label="mean")
        try:
            best = self.suggestion()
        except NotComputableError:
            pass
        else:
            axis.axvline(best, linestyle="--", color="grey", label=f"{best:.2g}, the steepest")
        axis.set(xscale="log", xlabel="learning rate", ylabel="loss")
        axis.legend()
        return figure


class _Snapshot:
    """All that training changes: the test works on copies of what can be copied, and what is left is put back."""

    def __init__(self, model: Any, optimizer: Any, data: Any) -> None:
        self.optimizer = optimizer
        tensors = [*model.parameters(), *model.buffers()]
        self.values = [(tensor, tensor.array.copy(), tensor.grad) for tensor in tensors]
        self.groups = [dict(group) for group in optimizer.param_groups]
        self.state = optimizer.state
        optimizer.state = defaultdict(dict, {p: copy.deepcopy(state) for p, state in optimizer.state.items()})
        self.stepped = optimizer._opt_called
        self.random = get_rng_state()
        self.generator = getattr(data, "generator", None)
        self.drawn = None if self.generator is None else self.generator.get_state()
        for tensor in tensors:
            tensor.grad = None

    def put_back(self) -> None:
        for tensor, values, gradient in self.values:
            tensor.array[...] = values
            tensor.version[0] += 1
            tensor.grad = gradient
        for group, before in zip(self.optimizer.param_groups, self.groups, strict=True):
            group.clear()
            group.update(before)
        self.optimizer.state, self.optimizer._opt_called = self.state, self.stepped
        set_rng_state(self.random)
        if self.generator is not None:
            self.generator.set_state(self.drawn)
