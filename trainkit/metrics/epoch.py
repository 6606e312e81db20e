"""A function of all predictions and targets at once, for what cannot be gathered in bounded memory."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit import autograd
from trainkit.autograd import no_grad
from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.metrics.arrays import Array, pair_of, plain
from trainkit.metrics.metric import Metric, as_it_is

__all__ = ["EpochMetric", "EpochMetricWarning"]


class EpochMetricWarning(UserWarning):
    """The function of an EpochMetric failed on the first batch."""


class EpochMetric(Metric):
    """`compute_fn(y_pred, y)` over all examples, which are kept until the metric is reset.

    `update((y_pred, y))` takes (N,), (N, 1) or (N, C) of both; (N, 1) becomes (N,).

    Args:
        compute_fn: gives a value of two tensors; numpy's and scikit-learn's functions take them too.
        output_transform: makes the pair of the output of an engine.
        check_compute_fn: try the function on the first batch, and warn if it fails.
        device: the CPU.
        skip_unrolling: as for `Metric`.

    Raises:
        ArgumentError: `compute_fn` is not callable.

    >>> import numpy as np
    >>> median = EpochMetric(lambda y_pred, y: float(np.median(abs(y_pred - y))))
    >>> median.update((np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    >>> median.update((np.array([3.0]), np.array([2.0])))
    >>> median.compute()
    1.0
    """

    state_names = ("predictions", "targets")
    is_quick = False  # it hands all that it has seen to a function

    def __init__(
        self,
        compute_fn: Callable[[Any, Any], Any],
        output_transform: Callable[[Any], Any] = as_it_is,
        check_compute_fn: bool = True,
        device: Any = "cpu",
        skip_unrolling: bool = False,
    ) -> None:
        if not callable(compute_fn):
            raise ArgumentError(f"compute_fn expected a callable, got {compute_fn!r}")
        self.compute_fn = compute_fn
        self.check_compute_fn = check_compute_fn
        super().__init__(output_transform, device, skip_unrolling)

    def reset(self) -> None:
        """Forget all examples."""
        self.predictions: list[Array] = []
        self.targets: list[Array] = []

    def update(self, output: Any) -> None:
        """Take in predictions and targets; they are copied.

        Raises:
            ShapeError: they have other than one or two dimensions, or do not go with those before.
            DTypeError: their dtypes are not those of the batches before.
        """
        name = type(self).__name__
        pair = [_flat(part, what, name) for part, what in zip(pair_of(output, self), ("y_pred", "y"), strict=True)]
        if len(pair[0]) != len(pair[1]):
            raise ShapeError(f"{name} expected as many targets as predictions, got {pair[0].shape} and {pair[1].shape}")
        for part, kept, what in zip(pair, (self.predictions, self.targets), ("y_pred", "y"), strict=True):
            if kept and kept[0].dtype != part.dtype:
                raise DTypeError(f"{name} expected {what} in {kept[0].dtype} as before, got {part.dtype}")
            if kept and kept[0].shape[1:] != part.shape[1:]:
                raise ShapeError(f"{name} expected {what} (N, {kept[0].shape[1:]}) as before, got {part.shape}")
        first = not self.predictions
        self.predictions.append(pair[0])
        self.targets.append(pair[1])
        if first and self.check_compute_fn:
            try:
                self._result(pair[0], pair[1])
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is told
                warnings.warn(f"compute_fn failed on the first batch: {error}", EpochMetricWarning, stacklevel=2)

    def compute(self) -> Any:
        """Return the function's value over all examples.

        Raises:
            NotComputableError: there were no examples.
        """
        self._need(sum(map(len, self.predictions)))
        # Kept as one array from now on: the next value need not join them all again.
        self.predictions, self.targets = [np.concatenate(self.predictions)], [np.concatenate(self.targets)]
        return self._result(self.predictions[0], self.targets[0])

    def _result(self, y_pred: Array, y: Array) -> Any:
        """Return the value over all; a subclass may work on the arrays."""
        with no_grad():
            return plain(self.compute_fn(autograd.as_tensor(y_pred), autograd.as_tensor(y)))


def _flat(array: Array, what: str, name: str) -> Array:
    if array.ndim not in (1, 2):
        raise ShapeError(f"{name} expected {what} (N,) or (N, C), got {array.shape}")
    return array[:, 0].copy() if array.shape[1:] == (1,) else array.copy()
