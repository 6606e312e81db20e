"""Stop at the batch where the numbers go wrong, and say where they do."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from trainkit.autograd import TensorBase, enable_grad
from trainkit.callbacks.callback import Callback
from trainkit.callbacks.values import model_of
from trainkit.engine import Priority
from trainkit.random import get_rng_state, set_rng_state

__all__ = ["TerminateOnNaN"]

_log = logging.getLogger("trainkit.callbacks")
_PARTS = ("the inputs", "the targets", "the sample weights")


class TerminateOnNaN(Callback):
    """End the run at the batch whose loss or gradient is NaN or infinite, before the optimizer takes its step.

    The model keeps the weights and the running statistics that it had before that batch. The log and `reason` say where
    the first value came from that is not finite: the inputs, the targets, a parameter, a module, the loss, or the
    gradient of a parameter. To find the module the batch is passed through the model once more, with the random numbers
    of the first time.

    Args:
        gradients: look at the gradients too, not at the loss alone.

    Attributes:
        reason: why the run was ended; None if it was not.

    Raises:
        ArgumentError: there is no Trainer, when training begins.

    >>> import trainkit as tk
    >>> stop = TerminateOnNaN()
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse")
    >>> x = tk.tensor([[1.0], [float("nan")]])
    >>> history = trainer.fit(x, tk.zeros(2, 1), callbacks=[stop], verbose=0)
    >>> stop.reason
    'in epoch 1 at iteration 1 the loss is nan: the inputs have 1 NaN'
    """

    priority = Priority.MONITORS  # the random numbers are those of the step, whatever draws some before

    def __init__(self, gradients: bool = True) -> None:
        self.gradients = gradients
        self.reason: str | None = None
        self._last_step: int | None = None
        self._buffers: list[tuple[Any, Any, int]] = []  # each with its values before the batch and their version
        self._random: Any = None

    def on_train_begin(self) -> None:
        """Begin anew."""
        model_of(self)
        self.reason = self._last_step = None
        self._buffers = []

    def on_epoch_begin(self) -> None:
        """Find the buffers."""
        self._buffers = [(buffer, None, -1) for buffer in self.trainer.model.buffers()]

    def on_train_batch_begin(self) -> None:
        """Keep what the forward pass is going to change."""
        self._random = get_rng_state()
        for place, (buffer, _, version) in enumerate(self._buffers):
            if buffer.version[0] != version:
                self._buffers[place] = (buffer, buffer.array.copy(), buffer.version[0])

    def on_backward_end(self) -> None:
        """Look at the loss and the gradients."""
        loss = float(self.state.output.loss.item())
        if math.isfinite(loss):
            where = self._bad_gradient() if self.gradients else None
            if where is None:
                return
        else:
            with np.errstate(all="ignore"):
                self._put_back()
                where = self._bad_data() or self._bad_parameter() or self._bad_module()
        self._put_back()
        self.reason = f"in epoch {self.state.epoch} at iteration {self.state.iteration} the loss is {loss:.6g}: {where}"
        _log.error("the run ends before the optimizer's step: %s", self.reason)
        # The step follows all the same, and finds no gradient; neither does one that ends a group of batches.
        self.trainer.optimizer.zero_grad(set_to_none=True)
        self.engine.terminate()

    def on_after_optimizer_step(self) -> None:
        """Note when the parameters have changed."""
        self._last_step = self.state.iteration

    # ---- where it comes from ----

    def _bad_data(self) -> str | None:
        batch = self.state.batch
        several = isinstance(batch, (tuple, list)) and 1 <= len(batch) <= len(_PARTS)
        for name, part in zip(_PARTS, batch, strict=False) if several else [("the batch", batch)]:
            for path, leaf in _leaves(part):
                if fault := _fault(leaf):
                    return f"{name}{path} {'has' if name == 'the batch' else 'have'} {fault}"
        return None

    def _bad_parameter(self) -> str | None:
        model = self.trainer.model
        since = "from the beginning" if self._last_step is None else f"since the step of iteration {self._last_step}"
        for kind, found in (("parameter", model.named_parameters()), ("buffer", model.named_buffers())):
            for name, tensor in found:
                if fault := _fault(tensor):
                    return f"the {kind} {name} has {fault}{f', {since}' if kind == 'parameter' else ''}"
        return None

    def _bad_gradient(self) -> str | None:
        bad = {
            id(parameter): parameter.grad
            for group in self.trainer.optimizer.param_groups
            for parameter in group["params"]
            if parameter.grad is not None and not _is_finite(parameter.grad.array)
        }
        if not bad:
            return None
        names = [(name, bad[id(p)]) for name, p in self.trainer.model.named_parameters() if id(p) in bad]
        # the walk backward comes by the last ones first
        name, gradient = names[-1] if names else ("a parameter that the model has not", next(iter(bad.values())))
        more = f", and so have those of {len(bad) - 1} more parameters" if len(bad) > 1 else ""
        return f"the gradient of {name} has {_fault(gradient)}{more}"

    def _bad_module(self) -> str:
        """Pass the batch through once more, and watch what goes into every module and what comes out."""
        found: list[str] = []

        def watch(name: str) -> Callable[..., None]:
            def look(module: Any, args: Any, output: Any) -> None:
                where = f"the module {name}, a {type(module).__name__}," if name else "the model itself"
                for what, tree in (("goes into", args), ("comes out of", output)):
                    faults = [] if found else [fault for _, leaf in _leaves(tree) if (fault := _fault(leaf))]
                    if faults:
                        found.append(f"what {what} {where} has {faults[0]}")

            return look

        try:
            with self._again() as stack:
                for name, module in self.trainer.model.named_modules():
                    stack.callback(module.register_forward_hook(watch(name)).remove)
                output = self.trainer.training_step(self.state.batch)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the run ends for the loss
            return found[0] if found else f"where it came from is not known, for a second pass failed: {error!r}"
        if found:
            return found[0]
        loss = output["loss"] if isinstance(output, Mapping) else getattr(output, "loss", output)
        if _fault(loss):
            return "all that the model predicts is finite, so it is the loss function that makes it"
        return "where it came from is not known: it did not come again when the batch was passed through once more"

    @contextmanager
    def _again(self) -> Iterator[ExitStack]:
        """Let the step be done again as it was, untold of; and leave no trace."""
        trainer, random = self.trainer, get_rng_state()
        stage, trainer.stage = trainer.stage, None  # no on_forward_end
        try:
            set_rng_state(self._random)
            with enable_grad(), ExitStack() as stack:
                yield stack
        finally:
            set_rng_state(random)
            trainer.stage = stage

    def _put_back(self) -> None:
        """Give the buffers the values that they had before the batch."""
        for place, (buffer, values, version) in enumerate(self._buffers):
            if values is not None and buffer.version[0] != version:
                buffer.array[...] = values
                buffer.version[0] += 1
                self._buffers[place] = (buffer, values, buffer.version[0])


def _leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the tensors and arrays of a tree, each with where it stands."""
    if isinstance(tree, Mapping):
        for key, part in tree.items():
            yield from _leaves(part, f"{path}[{key!r}]")
    elif isinstance(tree, (tuple, list)):
        for place, part in enumerate(tree):
            yield from _leaves(part, f"{path}[{place}]")
    elif isinstance(tree, (TensorBase, np.ndarray)):
        yield path, tree
    elif hasattr(tree, "first") and hasattr(tree, "second"):  # the targets of examples that were mixed
        yield from _leaves(tree.first, path)
        yield from _leaves(tree.second, path)


def _is_finite(array: np.ndarray[Any, Any]) -> bool:
    """Tell whether all is finite; a sum is the quicker way to know it."""
    if array.dtype.kind != "f":
        return True
    with np.errstate(all="ignore"):
        return math.isfinite(array.sum()) or bool(np.isfinite(array).all())


def _fault(leaf: Any) -> str | None:
    """Say how many values are not finite; None if all are."""
    array = leaf.array if isinstance(leaf, TensorBase) else leaf
    if not isinstance(array, np.ndarray) or _is_finite(array):
        return None
    nans = int(np.isnan(array).sum())
    infinite = int(np.isinf(array).sum())
    return " and ".join(f"{count} {what}" for count, what in ((nans, "NaN"), (infinite, "infinite")) if count)
