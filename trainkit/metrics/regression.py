"""How far predicted numbers are from the true ones, and how well they go together."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from trainkit.errors import DTypeError, ShapeError
from trainkit.metrics.arrays import Array, pair_of
from trainkit.metrics.metric import Metric, as_it_is

__all__ = [
    "CosineSimilarity",
    "MeanAbsoluteError",
    "MeanOverExamples",
    "MeanPairwiseDistance",
    "MeanSquaredError",
    "PearsonCorrelation",
    "R2Score",
    "RootMeanSquaredError",
]


def _numbers(output: Any, metric: Metric) -> tuple[Array, Array]:
    """Return predictions and targets as real numbers, with one example or more dimensions first."""
    y_pred, y = pair_of(output, metric)
    for array, what in ((y_pred, "y_pred"), (y, "y")):
        if array.dtype.kind == "c":
            raise DTypeError(f"{type(metric).__name__} expected real numbers in {what}, got {array.dtype}")
        if not array.ndim:
            raise ShapeError(f"{type(metric).__name__} expected {what} (N, ...), got a single number")
    return y_pred.astype(np.float64), y.astype(np.float64)


class MeanOverExamples(Metric):
    """The base of metrics whose value is a mean over examples: a subclass has `_sum(y_pred, y)`."""

    state_names = ("total", "num_examples")

    def reset(self) -> None:
        """Forget all examples."""
        self.total = 0.0
        self.num_examples = 0

    def compute(self) -> float:
        """Return the mean.

        Raises:
            NotComputableError: there were no examples.
        """
        self._need(self.num_examples)
        return self.total / self.num_examples

    def _add(self, total: Any, count: int) -> None:
        self.total += float(total)
        self.num_examples += count


class _MeanError(MeanOverExamples):
    """A mean of errors of single numbers.

    An example with several numbers counts with the sum of their errors, as in pytorch-ignite, or with their mean.
    """

    higher_is_better = False

    def __init__(
        self,
        output_transform: Callable[[Any], Any] = as_it_is,
        device: Any = "cpu",
        skip_unrolling: bool = False,
        *,
        per_element: bool = False,
    ) -> None:
        self.per_element = per_element
        super().__init__(output_transform, device, skip_unrolling)

    def update(self, output: Any) -> None:
        """Take in predictions and targets (N, ...), of one shape but for dimensions of size 1.

        Raises:
            ShapeError: they do not fit each other.
            DTypeError: they hold no real numbers.
        """
        y_pred, y = _numbers(output, self)
        if len(y_pred) != len(y) or y_pred.size != y.size:
            raise ShapeError(
                f"{type(self).__name__} expected y_pred and y of one shape, got {y_pred.shape} and {y.shape}"
            )
        errors = (y_pred - y.reshape(y_pred.shape)).ravel()
        self._add(self._sum(errors), errors.size if self.per_element else len(y))

    def _sum(self, errors: Array) -> Any:
        raise NotImplementedError


class MeanSquaredError(_MeanError):
    """The mean over examples of the squared error: `update((y_pred, y))`.

    Args:
        output_transform: makes the pair of the output of an engine.
        device: the CPU.
        skip_unrolling: as for `Metric`.
        per_element: of examples with several numbers take the mean of the squares, not their sum.

    >>> import numpy as np
    >>> mse = MeanSquaredError()
    >>> mse.update((np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    >>> mse.compute()
    2.0
    """

    def _sum(self, errors: Array) -> Any:
        return np.dot(errors, errors)


class RootMeanSquaredError(MeanSquaredError):
    """The square root of `MeanSquaredError`, whose arguments it takes.

    >>> import numpy as np
    >>> rmse = RootMeanSquaredError()
    >>> rmse.update((np.array([1.0, 2.0]), np.array([5.0, 6.0])))
    >>> rmse.compute()
    4.0
    """

    def compute(self) -> float:
        """Return the root.

        Raises:
            NotComputableError: there were no examples.
        """
        return math.sqrt(super().compute())


class MeanAbsoluteError(_MeanError):
    """The mean over examples of the absolute error; the arguments are those of `MeanSquaredError`.

    >>> import numpy as np
    >>> mae = MeanAbsoluteError()
    >>> mae.update((np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    >>> mae.compute()
    1.0
    """

    def _sum(self, errors: Array) -> Any:
        return np.abs(errors).sum()


class MeanPairwiseDistance(MeanOverExamples):
    """The mean of the distances of predicted and true vectors (N, D): `update((y_pred, y))`.

    Args:
        p: the norm.
        eps: added to each difference.
        output_transform: makes the pair of the output of an engine.
        device: the CPU.
        skip_unrolling: as for `Metric`.

    >>> import numpy as np
    >>> distance = MeanPairwiseDistance()
    >>> distance.update((np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]])))
    >>> round(distance.compute(), 4)
    5.0
    """

    higher_is_better = False

    def __init__(
        self,
        p: float = 2,
        eps: float = 1e-6,
        output_transform: Callable[[Any], Any] = as_it_is,
        device: Any = "cpu",
        skip_unrolling: bool = False,
    ) -> None:
        self.p = p
        self.eps = eps
        super().__init__(output_transform, device, skip_unrolling)

    def update(self, output: Any) -> None:
        """Take in vectors.

        Raises:
            ShapeError: they are none, or not as many of one length.
            DTypeError: they hold no real numbers.
        """
        y_pred, y = _vectors(output, self)
        self._add(np.linalg.norm(y_pred - y + self.eps, ord=self.p, axis=1).sum(), len(y))


class CosineSimilarity(MeanOverExamples):
    """The mean of the cosines between predicted and true vectors; (N, ...) is taken as (N, D).

    Args:
        eps: the least length that a vector is divided by.
        output_transform: makes the pair of the output of an engine.
        device: the CPU.
        skip_unrolling: as for `Metric`.

    >>> import numpy as np
    >>> cosine = CosineSimilarity()
    >>> cosine.update((np.array([[3.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 4.0], [2.0, 2.0]])))
    >>> round(cosine.compute(), 12)
    0.5
    """

    higher_is_better = True

    def __init__(
        self,
        eps: float = 1e-8,
        output_transform: Callable[[Any], Any] = as_it_is,
        device: Any = "cpu",
        skip_unrolling: bool = False,
    ) -> None:
        self.eps = eps
        super().__init__(output_transform, device, skip_unrolling)

    def update(self, output: Any) -> None:
        """Take in vectors.

        Raises:
            ShapeError: they are none, or not as many of one length.
            DTypeError: they hold no real numbers.
        """
        y_pred, y = _vectors(output, self)
        lengths = [np.maximum(np.linalg.norm(part, axis=1), self.eps) for part in (y_pred, y)]
        self._add((np.einsum("nd,nd->n", y_pred, y) / lengths[0] / lengths[1]).sum(), len(y))


def _vectors(output: Any, metric: Metric) -> tuple[Array, Array]:
    y_pred, y = _numbers(output, metric)
    if y_pred.ndim < 2 or y_pred.shape != y.shape:
        raise ShapeError(
            f"{type(metric).__name__} expected vectors (N, D) of one shape, got {y_pred.shape} and {y.shape}"
        )
    size = math.prod(y.shape[1:])
    return y_pred.reshape(len(y), size), y.reshape(len(y), size)


class _Comoments(Metric):
    """The base of metrics on sums of products of deviations from the means, gathered batch by batch.

    Batches are merged by their means and sums about them, and the first example is taken away from all: neither a large
    mean nor a single outlier costs digits, and what is constant has sums of exactly 0.

    Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances, 1979.
    """

    higher_is_better = True
    state_names: ClassVar[tuple[str, ...]] = ("num_examples", "origin", "means", "comoments")
    _columns: int

    def reset(self) -> None:
        """Forget all examples."""
        self.num_examples = 0
        self.origin = np.zeros(self._columns)
        self.means = np.zeros(self._columns)
        self.comoments = np.zeros((self._columns, self._columns))

    def _pair(self, output: Any) -> tuple[Array, Array]:
        y_pred, y = _numbers(output, self)
        for array, what in ((y_pred, "y_pred"), (y, "y")):
            if array.ndim != 1 and array.shape[1:] != (1,):
                raise ShapeError(f"{type(self).__name__} expected {what} (N,) or (N, 1), got {array.shape}")
        if len(y_pred) != len(y):
            raise ShapeError(
                f"{type(self).__name__} expected as many predictions as targets, got {y_pred.shape} and {y.shape}"
            )
        return y_pred.reshape(-1), y.reshape(-1)

    def _gather(self, *columns: Array) -> None:
        data = np.stack(columns)
        count = data.shape[1]
        if not count:
            return
        if not self.num_examples:
            self.origin = data[:, 0].copy()
        before, self.num_examples = self.num_examples, self.num_examples + count
        with np.errstate(invalid="ignore"):  # infinities make it NaN, which tells enough
            data = data - self.origin[:, None]
            means = data.mean(axis=1)
            data -= means[:, None]
            moved = means - self.means
            weight = before * count / self.num_examples
            self.comoments = self.comoments + data @ data.T + np.outer(moved, moved) * weight
            self.means = self.means + moved * (count / self.num_examples)


class R2Score(_Comoments):
    """The share of the targets' variance that the predictions explain: `update((y_pred, y))` of (N,) or (N, 1).

    Of targets that are all equal it is 1 where the predictions are right and 0 otherwise; of one example it is NaN.

    >>> import numpy as np
    >>> r2 = R2Score()
    >>> r2.update((np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0])))
    >>> r2.compute()
    0.5
    """

    state_names = (*_Comoments.state_names, "squares")
    _columns = 1

    def reset(self) -> None:
        """Forget all examples."""
        super().reset()
        self.squares = 0.0

    def update(self, output: Any) -> None:
        """Take in predictions and targets.

        Raises:
            ShapeError: they are not (N,) or (N, 1).
            DTypeError: they hold no real numbers.
        """
        y_pred, y = self._pair(output)
        self._gather(y)
        self.squares += float(np.square(y_pred - y).sum())

    def compute(self) -> float:
        """Return the share, at most 1.

        Raises:
            NotComputableError: there were no examples.
        """
        self._need(self.num_examples)
        spread = float(self.comoments[0, 0])
        if self.num_examples < 2:
            return math.nan
        if not spread:
            return 0.0 if self.squares else 1.0
        return 1.0 - self.squares / spread


class PearsonCorrelation(_Comoments):
    """The correlation of predictions and targets: `update((y_pred, y))` of (N,) or (N, 1).

    Args:
        eps: the least product of the standard deviations that the covariance is divided by.
        output_transform: makes the pair of the output of an engine.
        device: the CPU.
        skip_unrolling: as for `Metric`.

    >>> import numpy as np
    >>> correlation = PearsonCorrelation()
    >>> correlation.update((np.array([1.0, 2.0, 3.0]) + 1e9, np.array([2.0, 4.0, 6.0])))
    >>> round(correlation.compute(), 12)
    1.0
    """

    _columns = 2

    def __init__(
        self,
        eps: float = 1e-8,
        output_transform: Callable[[Any], Any] = as_it_is,
        device: Any = "cpu",
        skip_unrolling: bool = False,
    ) -> None:
        self.eps = eps
        super().__init__(output_transform, device, skip_unrolling)

    def update(self, output: Any) -> None:
        """Take in predictions and targets.

        Raises:
            ShapeError: they are not (N,) or (N, 1).
            DTypeError: they hold no real numbers.
        """
        self._gather(*self._pair(output))

    def compute(self) -> float:
        """Return the correlation, -1 to 1; 0 where either is constant.

        Raises:
            NotComputableError: there were no examples.
        """
        self._need(self.num_examples)
        (x, xy), (_, y) = (self.comoments / self.num_examples).tolist()
        ratio = xy / max(math.sqrt(x) * math.sqrt(y), self.eps) if math.isfinite(x + y) else math.nan
        return min(max(ratio, -1.0), 1.0) if math.isfinite(ratio) else math.nan
