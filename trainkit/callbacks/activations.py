"""What modules put out."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.callbacks.callback import Callback
from trainkit.callbacks.values import batch_values, model_of
from trainkit.data.nested import leaves
from trainkit.errors import ArgumentError

__all__ = ["ActivationMonitor"]

_FIGURES = ("mean", "std", "zeros")


class ActivationMonitor(Callback):
    """Write mean, standard deviation and share of zeros of what modules put out in training into the metrics.

    They stand under "activations", a dict such as {"conv1/mean": 0.1, "conv1/std": 1.0, "conv1/zeros": 0.0}: the means
    over the measured steps of an epoch. Loggers that write steps get what was measured last. Between the steps that are
    measured, and after the run however it ends, the modules have no hooks.

    Args:
        modules: names of modules, or patterns of names with `*`, `?` and `[...]`; by default those with parameters of
            their own.
        every: measure every so many iterations.

    Raises:
        ArgumentError: a name fits no module, there is none, or no Trainer; when training begins.

    >>> import trainkit as tk
    >>> net = tk.nn.Sequential(tk.nn.Linear(1, 4), tk.nn.ReLU())
    >>> trainer = tk.Trainer(net, "sgd", "mse", callbacks=[ActivationMonitor("1")])
    >>> list(trainer.fit(tk.ones(4, 1), tk.ones(4, 4), verbose=0)[-1]["activations"])
    ['1/mean', '1/std', '1/zeros']
    """

    provides = ("activations",)

    def __init__(self, modules: str | Sequence[str] | None = None, every: int = 10) -> None:
        if every < 1:
            raise ArgumentError(f"every must be at least 1, got {every!r}")
        self.modules = [modules] if isinstance(modules, str) else modules
        self.every = every
        self._chosen: dict[str, Any] = {}
        self._handles: list[Any] = []
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def on_train_begin(self) -> None:
        """Choose the modules."""
        model = model_of(self)
        known = {name or type(model).__name__: module for name, module in model.named_modules()}
        if self.modules is None:
            self._chosen = {name: module for name, module in known.items() if _has_parameters(module)}
        else:
            for pattern in self.modules:
                if not any(fnmatchcase(name, pattern) for name in known):
                    raise ArgumentError(f"{pattern!r} fits no module; there are {', '.join(known)}")
            self._chosen = {
                name: module for name, module in known.items() if any(fnmatchcase(name, p) for p in self.modules)
            }
        if not self._chosen:
            raise ArgumentError("no module has parameters; name those that are meant")

    def around_train(self) -> Iterator[None]:
        """See that no hook is left, however the run ends."""
        try:
            yield
        finally:
            self._remove()
            values = batch_values(self.state)
            for name in [name for name in values if name.startswith("activations/")]:
                del values[name]

    def on_epoch_begin(self) -> None:
        """Begin new means."""
        self._sums, self._counts = {}, {}

    def on_train_batch_begin(self) -> None:
        """Put hooks on the modules, if this step is measured."""
        if not (self.state.iteration - 1) % self.every:
            self._handles += [
                module.register_forward_hook(lambda module, args, output, name=name: self._look(name, output))
                for name, module in self._chosen.items()
            ]

    def on_train_batch_end(self) -> None:
        """Take the hooks away."""
        if self._handles:
            self._remove()

    def on_epoch_end(self) -> None:
        """Write the means."""
        if self._sums:
            self.state.metrics["activations"] = {name: total / self._counts[name] for name, total in self._sums.items()}

    def _look(self, name: str, output: Any) -> None:
        values = batch_values(self.state)
        outputs = [leaf.array for leaf in leaves(output) if isinstance(leaf, Tensor) and leaf.numel()]
        for place, array in enumerate(outputs):
            measured = (array.mean(dtype=float), array.std(dtype=float), 1 - np.count_nonzero(array) / array.size)
            for figure, value in zip(_FIGURES, measured, strict=True):
                key = f"{name}/{figure}" if len(outputs) == 1 else f"{name}/{place}/{figure}"
                self._sums[key] = self._sums.get(key, 0.0) + float(value)
                self._counts[key] = self._counts.get(key, 0) + 1
                values[f"activations/{key}"] = float(value)

    def _remove(self) -> None:
        while self._handles:
            self._handles.pop().remove()


def _has_parameters(module: Any) -> bool:
    return next(module.parameters(recurse=False), None) is not None
