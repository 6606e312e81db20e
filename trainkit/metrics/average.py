"""Sums and means of numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.errors import ArgumentError
from trainkit.metrics.arrays import Array, array_of, plain
from trainkit.metrics.metric import Metric, as_it_is

__all__ = ["Average", "GeometricAverage", "VariableAccumulation"]


class VariableAccumulation(Metric):
    """An accumulator of one's own: `op(accumulator, x)` over numbers and arrays, and how many examples there were.

    An array with two or more dimensions holds an example a row, anything else is one example.

    Args:
        op: gives the new accumulator of the last one, 0.0 at first, and a number or an array of float64.
        output_transform: makes the number or array of the output of an engine.
        device: the CPU.
        skip_unrolling: as for `Metric`.

    Raises:
        ArgumentError: `op` is not callable.

    >>> largest = VariableAccumulation(max)
    >>> for number in (1.0, 3.0, 2.0):
    ...     largest.update(number)
    >>> largest.compute()
    (3.0, 3)
    """

    required_output_keys = None
    state_names = ("accumulator", "num_examples")

    def __init__(
        self,
        op: Callable[[Any, Any], Any],
        output_transform: Callable[[Any], Any] = as_it_is,
        device: Any = "cpu",
        skip_unrolling: bool = False,
    ) -> None:
        if not callable(op):
            raise ArgumentError(f"op expected a callable, got {op!r}")
        self.op = op
        super().__init__(output_transform, device, skip_unrolling)

    def reset(self) -> None:
        """Forget all numbers."""
        self.accumulator: Any = 0.0
        self.num_examples: float = 0

    def update(self, output: Any) -> None:
        """Take in a number or an array.

        Raises:
            DTypeError: it is neither.
        """
        values = _numbers(output, self)
        self.accumulator = self.op(self.accumulator, values if values.ndim else values.item())
        self.num_examples += len(values) if values.ndim > 1 else 1

    def compute(self) -> Any:
        """Return the accumulator and the number of examples."""
        return plain(self.accumulator), self.num_examples


class Average(VariableAccumulation):
    """The mean of numbers or of arrays: `update(number)`, `update(array)` or `update((number, count))`.

    An array with two or more dimensions holds an example a row, and the mean is over rows; a number that comes with a
    count is already a mean over so many.

    >>> mean = Average()
    >>> mean.update((1.0, 3))
    >>> mean.update(5.0)
    >>> mean.compute()
    2.0
    """

    def __init__(
        self, output_transform: Callable[[Any], Any] = as_it_is, device: Any = "cpu", skip_unrolling: bool = False
    ) -> None:
        super().__init__(np.add, output_transform, device, skip_unrolling)

    def update(self, output: Any) -> None:
        """Take in a number, an array, or a pair of either and how much it counts.

        Raises:
            ArgumentError: a tuple that is no pair.
            DTypeError: it holds no numbers.
        """
        if isinstance(output, tuple):
            if len(output) != 2:
                raise ArgumentError(f"{type(self).__name__} expected (value, count), got {len(output)} parts")
            value, count = output
            if type(value) is not float:
                value = _numbers(value, self)
            if type(count) is not int:
                count = float(count)
            if count:  # the mean of no examples is NaN
                self.accumulator = self.accumulator + plain(value * count)
                self.num_examples += count
        else:
            values = _numbers(output, self)
            self.accumulator = self.accumulator + plain(values.sum(axis=0) if values.ndim > 1 else values)
            self.num_examples += len(values) if values.ndim > 1 else 1

    def compute(self) -> Any:
        """Return the mean, a number or an array.

        Raises:
            NotComputableError: there were no numbers.
        """
        self._need(self.num_examples)
        return plain(self.accumulator / self.num_examples)


class GeometricAverage(Average):
    """The geometric mean of positive numbers or of arrays of them, one a row as for `Average`.

    >>> mean = GeometricAverage()
    >>> for number in (1.0, 2.0, 4.0):
    ...     mean.update(number)
    >>> round(mean.compute(), 12)
    2.0
    """

    def update(self, output: Any) -> None:
        """Take in a number, an array, or a pair of either and how much it counts; 0 makes the mean 0.

        Raises:
            ArgumentError: a tuple that is no pair, or a number is negative.
            DTypeError: it holds no numbers.
        """
        value, *count = output if isinstance(output, tuple) else (output,)
        numbers = _numbers(value, self)
        if (numbers < 0).any():
            raise ArgumentError(f"GeometricAverage expected numbers from 0 up, got {numbers.min()}")
        with np.errstate(divide="ignore"):
            logarithms = np.log(numbers)
        super().update((logarithms, *count) if count else logarithms)

    def compute(self) -> Any:
        """Return the mean, a number or an array.

        Raises:
            NotComputableError: there were no numbers.
        """
        self._need(self.num_examples)
        return plain(np.exp(self.accumulator / self.num_examples))


def _numbers(value: Any, metric: Metric) -> Array:
    """Return a number or an array in float64, complex numbers as they are."""
    if not isinstance(value, (Tensor, np.ndarray, np.generic)):
        value = float(value) if hasattr(value, "__float__") else value
    array = array_of(value, type(metric).__name__)
    return array if array.dtype.kind == "c" else array.astype(np.float64)
