"""The metrics of classes give what pytorch-ignite's give for the same batches."""

import warnings

import ignite.exceptions
import ignite.metrics as theirs
import numpy as np
import pytest
import torch

import trainkit.metrics as ours
from tests.metrics.cases import CASES, Case, assert_same, draw
from trainkit.engine import Engine
from trainkit.errors import NotComputableError

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def value_of(result):
    """Return ignite's value as numbers and arrays."""
    if isinstance(result, torch.Tensor):
        return result.numpy()
    return tuple(map(value_of, result)) if isinstance(result, tuple) else result


@every
@pytest.mark.parametrize("size", [1, 2, 23])
def test_values(case: Case, size: int) -> None:
    y_pred, y = draw(case.data, size, np.random.default_rng(size))
    mine, other = case.make(ours), case.make(theirs)
    with pytest.raises(NotComputableError):
        mine.compute()
    for _ in range(2):
        for start in range(0, size, 9):
            batch = y_pred[start : start + 9], y[start : start + 9]
            mine.update(batch)
            other.update(tuple(map(torch.from_numpy, batch)))
        assert_same(mine.compute(), value_of(other.compute()), 1e-6 if "Confusion " in case.name else 1e-12)
        mine.reset()
        other.reset()
    with pytest.raises(ignite.exceptions.NotComputableError):
        other.compute()


@every
def test_attached(case: Case) -> None:
    data = [draw(case.data, size, np.random.default_rng(size)) for size in (4, 6, 3)]
    mine = Engine(lambda engine, batch: batch)
    other = ignite.engine.Engine(lambda engine, batch: tuple(map(torch.from_numpy, batch)))
    case.make(ours).attach(mine, "value")
    case.make(theirs).attach(other, "value")
    expected = other.run(data).metrics
    got = mine.run(data).metrics
    assert list(got) == list(expected)
    assert_same(got["value"], value_of(expected["value"]), 1e-6 if "Confusion " in case.name else 1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.uint8, torch.bool])
def test_dtypes_of_labels(dtype: torch.dtype) -> None:
    y_pred, y = (torch.from_numpy(part) for part in draw("binary", 20, np.random.default_rng(0)))
    for name in ("Accuracy", "Precision", "Recall"):
        mine, other = getattr(ours, name)(), getattr(theirs, name)()
        mine.update((y_pred.to(dtype).numpy(), y.to(dtype).numpy()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other.update((y_pred.to(torch.float32), y.to(torch.float32)))
        assert_same(mine.compute(), value_of(other.compute()))


X, Y = np.eye(3, dtype=np.float32), np.arange(3)


@pytest.mark.parametrize(
    ("make", "pair"),
    [
        (lambda m: m.Accuracy(), (np.array([0.7, 0.2]), np.array([1, 0]))),
        (lambda m: m.Accuracy(), (X, Y[:2])),
        (lambda m: m.Accuracy(is_multilabel=True), (X, Y)),
        (lambda m: m.Accuracy(is_multilabel=True), (X / 2, X)),
        (lambda m: m.Precision(), (X, np.array([0, 1, 3]))),
        (lambda m: m.Precision(), (np.array([0, 2]), np.array([0, 1]))),
        (lambda m: m.Precision(average="mean"), (X, Y)),
        (lambda m: m.Recall(average="samples"), (X, Y)),
        (lambda m: m.Fbeta(-1), (X, Y)),
        (lambda m: m.Fbeta(1, precision=m.Precision(average=True)), (X, Y)),
        (lambda m: m.TopKCategoricalAccuracy(5), (X, Y)),
        (lambda m: m.ConfusionMatrix(1), (X, Y)),
        (lambda m: m.ConfusionMatrix(4), (X, Y)),
        (lambda m: m.ConfusionMatrix(3), (Y, Y)),
        (lambda m: m.ConfusionMatrix(3, average="micro"), (X, Y)),
        (lambda m: m.IoU(m.ConfusionMatrix(3, average="recall")), (X, Y)),
        (lambda m: m.IoU(m.ConfusionMatrix(3), ignore_index=3), (X, Y)),
        (lambda m: m.IoU(m.Accuracy()), (X, Y)),
        (lambda m: m.DiceCoefficient(m.ConfusionMatrix(3), ignore_index=-1), (X, Y)),
        (lambda m: m.MultiLabelConfusionMatrix(3), (np.eye(3, dtype=int) * 2, np.eye(3, dtype=int))),
        (lambda m: m.MultiLabelConfusionMatrix(2), (np.eye(3, dtype=int), np.eye(3, dtype=int))),
        (lambda m: m.CohenKappa(weights="cubic"), (Y, Y)),
        (lambda m: m.CohenKappa(), (X, X)),
        (lambda m: m.RocCurve(), (X, X)),
        (lambda m: m.ROC_AUC(), (np.array([0.1, np.nan]), np.array([0, 1]))),
    ],
)
def test_both_refuse(make, pair) -> None:
    """The builtin classes differ where trainkit's tree is finer; that both raise does not."""
    for package, wrap in ((ours, np.asarray), (theirs, torch.from_numpy)):
        with pytest.raises((ValueError, RuntimeError, IndexError, TypeError)):  # noqa: PT012
            metric = make(package)
            metric.update(tuple(map(wrap, pair)))
            metric.compute()


@pytest.mark.parametrize("name", ["ROC_AUC", "AveragePrecision", "RocCurve", "PrecisionRecallCurve"])
@pytest.mark.parametrize("label", [0, 1])
def test_one_kind_of_label_only(name: str, label: int) -> None:
    scores, y = np.array([0.1, 0.5, 0.5], np.float32), np.full(3, label)
    mine, other = getattr(ours, name)(), getattr(theirs, name)()
    mine.update((scores, y))
    other.update((torch.from_numpy(scores), torch.from_numpy(y)))
    assert_same(mine.compute(), value_of(other.compute()))
