"""Averages of weights over a run."""

import logging
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from trainkit.autograd import no_grad
from trainkit.callbacks.callback import Callback
from trainkit.engine import Status
from trainkit.errors import ArgumentError
from trainkit.nn import Module

__all__ = ["EMA", "StochasticWeightAveraging"]

_log = logging.getLogger("trainkit.callbacks")


class _Average(Callback):
    """Keeps an average of the model's parameters; buffers, such as running statistics, are not averaged."""

    def __init__(self) -> None:
        self.average: dict[str, np.ndarray[Any, Any]] = {}
        self.count = 0

    def on_train_begin(self) -> None:
        """Begin anew."""
        if self.trainer is None:
            raise ArgumentError(f"{type(self).__name__} averages the weights of a Trainer's model; attach it to one")
        self.average, self.count = {}, 0

    @property
    def _parameters(self) -> dict[str, Any]:
        return dict(self.trainer.model.named_parameters())

    def _take_in(self, share: float) -> None:
        """Move the average towards the present weights by a share of the way."""
        self.count += 1
        for name, parameter in self._parameters.items():
            average = self.average.get(name)
            if average is None:
                self.average[name] = parameter.array.copy()
            else:
                average += (parameter.array - average) * average.dtype.type(share)

    def _swap(self) -> None:
        """Let the model and the average change places."""
        with no_grad():
            for name, parameter in self._parameters.items():
                present = parameter.array.copy()
                parameter.data.copy_(self.average[name])
                self.average[name] = present

    def state_dict(self) -> dict[str, Any]:
        """Return the average, and of how many weights it is."""
        return {"average": dict(self.average), "count": self.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with an average."""
        self.average = {name: np.array(average) for name, average in state_dict["average"].items()}
        self.count = state_dict["count"]


class EMA(_Average):
    """An exponential moving average of the weights, with which the validation is made.

    After each step of the optimizer, average = decay * average + (1 - decay) * weights. The validation runs with the
    average; training goes on with the weights.

    Args:
        decay: of the average, in [0, 1); near the beginning it is (1 + steps) / (10 + steps), if that is less.
        keep: leave the average in the model when the run ends.

    Raises:
        ArgumentError: the decay does not fit.

    Source: Polyak and Juditsky, 1992; the beginning as in Tan and Le, 2019, https://arxiv.org/abs/1905.11946.

    >>> import trainkit as tk
    >>> ema = EMA(0.99)
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse", callbacks=[ema])
    >>> history = trainer.fit(tk.ones(4, 1), tk.zeros(4, 1), validation_split=0.5, verbose=0)
    >>> list(ema.average)
    ['weight', 'bias']
    """

    def __init__(self, decay: float = 0.999, keep: bool = False) -> None:
        if not 0 <= decay < 1:
            raise ArgumentError(f"decay must be at least 0 and less than 1, got {decay!r}")
        super().__init__()
        self.decay, self.keep = decay, keep

    def on_after_optimizer_step(self) -> None:
        """Take in the new weights."""
        self._take_in(1 - min(self.decay, (1 + self.count) / (10 + self.count)))

    def around_valid(self) -> Iterator[None]:
        """Validate with the average."""
        if not self.average:
            yield
            return
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def on_train_end(self) -> None:
        """Leave the average in the model, if that was asked for."""
        if self.keep and self.average:
            self._swap()


class StochasticWeightAveraging(_Average):
    """The mean of the weights at the ends of the last epochs, which stands in the model when the run is done.

    Running statistics, as of BatchNorm, are then computed anew by one pass over the training data.

    Args:
        start: the first epoch that counts: a number, or a fraction of the run.
        lr: the learning rate of these epochs, reached by a cosine; None leaves the rate alone.
        anneal_epochs: over how many epochs it is reached.

    Raises:
        ArgumentError: an option does not fit.

    Source: Izmailov et al., 2018, https://arxiv.org/abs/1803.05407.

    >>> import trainkit as tk
    >>> swa = StochasticWeightAveraging(start=2)
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse", callbacks=[swa])
    >>> history = trainer.fit(tk.ones(4, 1), tk.zeros(4, 1), epochs=4, verbose=0)
    >>> swa.count
    3
    """

    def __init__(self, start: float = 0.75, lr: float | None = None, anneal_epochs: int = 10) -> None:
        if start <= 0 or (start > 1 and start != int(start)):
            raise ArgumentError(f"start must be an epoch of at least 1, or a fraction of 1, got {start!r}")
        if (lr is not None and lr < 0) or anneal_epochs < 1:
            raise ArgumentError(f"lr must be at least 0 and anneal_epochs at least 1, got {lr!r} and {anneal_epochs!r}")
        super().__init__()
        self.start, self.lr, self.anneal_epochs = start, lr, anneal_epochs
        self.former: list[float] = []

    @property
    def first_epoch(self) -> int:
        """The first epoch whose weights count."""
        if isinstance(self.start, int) or self.start > 1:
            return int(self.start)
        if self.state.max_epochs is None:
            raise ArgumentError("start as a fraction needs a run with a number of epochs; give the epoch")
        return max(1, math.ceil(self.start * self.state.max_epochs))

    def on_epoch_begin(self) -> None:
        """Set the learning rate."""
        if self.lr is None or self.state.epoch < self.first_epoch:
            return
        groups = self.trainer.optimizer.param_groups
        if not self.former:
            self.former = [group["lr"] for group in groups]
        done = min(1.0, (self.state.epoch - self.first_epoch + 1) / self.anneal_epochs)
        for group, former in zip(groups, self.former, strict=True):
            group["lr"] = self.lr + (former - self.lr) * (1 + math.cos(math.pi * done)) / 2

    def on_epoch_end(self) -> None:
        """Take in the weights of the epoch."""
        if self.state.epoch >= self.first_epoch:
            self._take_in(1 / (self.count + 1))

    def on_train_end(self) -> None:
        """Put the mean into the model, if the run came to its end."""
        if self.count and self.engine.status is Status.DONE:
            self._swap()
            self._compute_statistics()

    def state_dict(self) -> dict[str, Any]:
        """Return the mean, of how many weights it is, and the rates before."""
        return {**super().state_dict(), "former": list(self.former)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with a mean."""
        super().load_state_dict(state_dict)
        self.former = list(state_dict["former"])

    def _compute_statistics(self) -> None:
        model: Module = self.trainer.model
        layers: list[Any] = [
            layer
            for layer in model.modules()
            if getattr(layer, "running_mean", None) is not None and not layer.is_frozen
        ]
        data = self.state.dataloader
        if not layers or data is None:
            return
        if iter(data) is data:
            _log.warning("the running statistics stay: the training data cannot be gone through again")
            return
        modes, momenta = [layer.training for layer in layers], [layer.momentum for layer in layers]
        try:
            for layer in layers:
                layer.reset_running_stats()
                layer.momentum = None  # the plain mean over batches
                layer.train()
            with no_grad():
                for batch in data:
                    self.trainer.evaluation_step(batch)
        finally:
            for layer, mode, momentum in zip(layers, modes, momenta, strict=True):
                layer.momentum = momentum
                layer.train(mode)
