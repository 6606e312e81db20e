"""The model's layers, printed when training begins."""

import logging
import sys
from typing import Any, TextIO

from trainkit import nn
from trainkit.autograd import Tensor
from trainkit.callbacks.callback import Callback
from trainkit.callbacks.first_call import at_first_call
from trainkit.callbacks.terminal import write
from trainkit.callbacks.values import model_of
from trainkit.errors import TrainkitError

__all__ = ["ModelSummary"]

_log = logging.getLogger("trainkit.callbacks")


class ModelSummary(Callback):
    """Print `nn.summary` of the model when the first batch, whose shape it takes, comes to it.

    Args:
        file: where to write; standard output if None.

    Attributes:
        summary: what was printed; None before.

    Raises:
        ArgumentError: there is no Trainer.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse", callbacks=[ModelSummary()])
    >>> history = trainer.fit(tk.ones(4, 1), tk.ones(4, 1), verbose=0)
    Layer          Type    Output shape  Parameters  Multiply-adds
    --------------------------------------------------------------
    (the network)  Linear  (4, 1)                 2              4
    --------------------------------------------------------------
    Input shape: (4, 1)
    Parameters: 2 (2 trainable)
    Multiply-adds: 4
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self.file = file
        self.summary: Any = None
        self._handle: Any = None

    def on_train_begin(self) -> None:
        """Wait for the first batch."""
        self.on_train_end()
        self._handle = at_first_call(model_of(self), self._print)

    def on_train_end(self) -> None:
        """Wait no longer."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _print(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs or not all(isinstance(arg, Tensor) for arg in args):
            _log.warning("no summary: the model is called with more than tensors; call nn.summary(model, shapes)")
            return
        try:
            shapes, dtypes = [tuple(arg.shape) for arg in args], [arg.dtype for arg in args]
            self.summary = nn.summary(self.trainer.model, shapes, dtypes, verbose=False)
        except TrainkitError as error:
            _log.warning("no summary: %s", error)
            return
        write(str(self.summary), sys.stdout if self.file is None else self.file)
