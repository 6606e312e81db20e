"""How large gradients are."""

from typing import Any

import numpy as np

from trainkit.callbacks.callback import Callback
from trainkit.callbacks.values import batch_values, model_of
from trainkit.engine import Engine, Priority
from trainkit.engine.supervised import StepEvents
from trainkit.errors import ArgumentError
from trainkit.nn.utils import get_total_norm

__all__ = ["GradientMonitor"]


class GradientMonitor(Callback):
    """Write the norm of the gradients into the metrics: the mean over the steps of an epoch.

    It is measured once for each step of the optimizer, on the gradient of all batches that make it. Loggers that write
    steps get the norm that was measured last.

    Args:
        per_layer: write also "grad_norms", a dict of the norms by the names of the modules.
        every: measure every so many steps of the optimizer.
        norm_type: of which norm; 2 or another number, or infinity.
        clipped: measure what clipping leaves, not what it finds.

    Attributes:
        norm: that of the last step measured.

    Raises:
        ArgumentError: an option does not fit; there is no Trainer.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse", callbacks=[GradientMonitor(per_layer=True)])
    >>> row = trainer.fit(tk.ones(4, 1), tk.ones(4, 1), verbose=0)[-1]
    >>> row["grad_norm"] > 0, list(row["grad_norms"])
    (True, ['Linear'])
    """

    def __init__(
        self, per_layer: bool = False, every: int = 1, norm_type: float = 2.0, *, clipped: bool = False
    ) -> None:
        if every < 1:
            raise ArgumentError(f"every must be at least 1, got {every!r}")
        self.per_layer, self.every, self.norm_type, self.clipped = per_layer, every, float(norm_type), clipped
        self.provides = ["grad_norm", "grad_norms"] if per_layer else ["grad_norm"]
        self.norm: float | None = None
        self._layers: dict[str, list[Any]] = {}
        self._steps = 0
        self._sums: dict[str, float] = {}
        self._measured = 0

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register the hooks, and the moment to measure at: before all that clips, or after it."""
        super().attach(engine, evaluator)
        if not engine.has_registered_events(StepEvents.OPTIMIZER_STARTED):
            raise ArgumentError("GradientMonitor needs an engine that tells of its optimizer's steps: a Trainer's")
        band = Priority.LOGGERS if self.clipped else Priority.METRICS
        engine.add_event_handler(StepEvents.OPTIMIZER_STARTED, self._measure, priority=band)

    def on_train_begin(self) -> None:
        """Find the layers."""
        model = model_of(self)
        self._steps, self._layers = 0, {}
        for name, parameter in model.named_parameters():
            layer = name.rpartition(".")[0] or type(model).__name__
            self._layers.setdefault(layer, []).append(parameter)

    def on_epoch_begin(self) -> None:
        """Begin a new mean."""
        self._sums, self._measured = {}, 0

    def on_epoch_end(self) -> None:
        """Write the means."""
        if not self._measured:
            return
        means = {name: total / self._measured for name, total in self._sums.items()}
        self.state.metrics["grad_norm"] = means.pop("")
        if self.per_layer:
            self.state.metrics["grad_norms"] = means

    def on_train_end(self) -> None:
        """Leave nothing for loggers of another run."""
        values = batch_values(self.state)
        for name in [name for name in values if name.startswith("grad_norm")]:
            del values[name]

    def _measure(self) -> None:
        self._steps += 1
        if (self._steps - 1) % self.every:
            return
        norms: dict[str, float] = {}
        for layer, parameters in self._layers.items():
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            if gradients:
                norms[layer] = float(get_total_norm(gradients, self.norm_type))
        if not norms:
            return
        self.norm = float(np.linalg.norm(list(norms.values()), self.norm_type))
        values = batch_values(self.state)
        values["grad_norm"] = self.norm
        self._measured += 1
        for layer, norm in [("", self.norm), *(norms.items() if self.per_layer else ())]:
            self._sums[layer] = self._sums.get(layer, 0.0) + norm
            if layer:
                values[f"grad_norms/{layer}"] = norm
