"""What holds of every metric of classes: splits, states, empty batches, tensors, and what the errors say."""

import copy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk
from tests.metrics.cases import CASES, OWN_CASES, Case, assert_same, draw
from trainkit import metrics
from trainkit.engine import Engine
from trainkit.errors import ArgumentError, CheckpointError, IndexRangeError, NotComputableError, ShapeError
from trainkit.serialize import load, save

every = pytest.mark.parametrize("case", CASES + OWN_CASES, ids=lambda case: case.name)


def whole(case: Case, pair: tuple[np.ndarray, np.ndarray]) -> object:
    metric = case.make(metrics)
    metric.update(pair)
    return metric.compute()


@every
@settings(max_examples=12)
@given(size=st.integers(1, 30), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_any_split_gives_the_same(case: Case, size: int, seed: int, data: st.DataObject) -> None:
    y_pred, y = draw(case.data, size, np.random.default_rng(seed))
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=5)))
    metric, other = case.make(metrics), case.make(metrics)
    for at, (start, stop) in enumerate(zip([0, *cuts], [*cuts, size], strict=True)):
        if at == len(cuts) // 2 + 1:  # goes on in another object
            other.load_state_dict(metric.state_dict())
            metric.update((y_pred, y))  # does not reach into what was loaded
            metric = other
        metric.update((y_pred[start:stop], y[start:stop]))
        if start < stop and data.draw(st.booleans()):
            metric.compute()  # changes nothing
    assert_same(metric.compute(), whole(case, (y_pred, y)))


@every
def test_what_is_the_same_for_all(case: Case) -> None:
    y_pred, y = draw(case.data, 7, np.random.default_rng(1))
    metric = case.make(metrics)
    with pytest.raises(NotComputableError, match="has seen no example"):
        metric.compute()
    metric.update((y_pred[:0], y[:0]))
    with pytest.raises(NotComputableError):
        metric.compute()
    expected = whole(case, (y_pred, y))
    metric.update((tk.tensor(y_pred), tk.tensor(y)))
    assert_same(metric.compute(), expected)
    y_pred[:], y[:] = 0, 0  # nothing that was given is kept
    assert_same(copy.deepcopy(metric).compute(), expected)
    for value in given if isinstance(given := metric.compute(), tuple) else (given,):
        if isinstance(value, np.ndarray):
            value[:] = 0  # nor is what was gathered given away
    assert_same(metric.compute(), expected)
    metric.reset()
    with pytest.raises(NotComputableError):
        metric.compute()
    with pytest.raises(CheckpointError):
        metric.load_state_dict({"something": 1})


@every
def test_attached(case: Case) -> None:
    y_pred, y = draw(case.data, 9, np.random.default_rng(2))
    engine = Engine(lambda engine, batch: (y_pred[batch], y[batch]))
    case.make(metrics).attach(engine, "value")
    state = engine.run([slice(0, 4), slice(4, 5), slice(5, 9)], max_epochs=2)
    expected = whole(case, (y_pred, y))
    assert_same(state.metrics["value"], expected)


@every
def test_states_go_through_a_file(case: Case, tmp_path: Path) -> None:
    y_pred, y = draw(case.data, 9, np.random.default_rng(4))
    metric, other = case.make(metrics), case.make(metrics)
    for start in range(0, 9, 2):  # scores of several batches are several arrays
        metric.update((y_pred[start : start + 2], y[start : start + 2]))
    save(metric.state_dict(), tmp_path / "state.safetensors")
    other.load_state_dict(load(tmp_path / "state.safetensors"))
    for one in (metric, other):
        one.update((y_pred, y))
    assert_same(other.compute(), metric.compute())


@pytest.mark.parametrize(
    ("name", "kind", "make"),
    [
        ("accuracy", "multiclass", metrics.Accuracy),
        ("top3", "multiclass", lambda: metrics.TopKCategoricalAccuracy(3)),
        ("precision", "binary", metrics.Precision),
        ("recall", "binary", metrics.Recall),
        ("f1", "binary", lambda: metrics.Fbeta(1)),
        ("precision", "multiclass", lambda: metrics.Precision(average="macro")),
        ("recall", "pixels", lambda: metrics.Recall(average="macro")),
        ("iou", "pixels", lambda: metrics.mIoU(metrics.ConfusionMatrix(3))),
        ("dice", "pixels", lambda: metrics.DiceCoefficient(metrics.ConfusionMatrix(3)).mean()),
        ("kappa", "multiclass", metrics.CohenKappa),
        ("mcc", "multiclass", metrics.MatthewsCorrCoef),
        ("auc", "scores", metrics.ROC_AUC),
        ("average_precision", "scores", metrics.AveragePrecision),
    ],
)
def test_names_give_one_number(name: str, kind: str, make) -> None:
    pair = draw(kind, 20, np.random.default_rng(3))
    metric = metrics.get(name)
    metric.update(pair)
    assert isinstance(metric.compute(), float)
    assert metric.compute() == whole(Case("", lambda package: make(), kind), pair)
    assert metric.higher_is_better


def test_what_is_better() -> None:
    for case in CASES:
        expected = None if case.name.startswith(("Confusion", "Labels", "Report")) or "Curve" in case.name else True
        assert case.make(metrics).higher_is_better is expected


SCORES, CLASSES = np.eye(3, dtype=np.float32), np.arange(3)


@pytest.mark.parametrize(
    ("make", "pair", "error", "said"),
    [
        (metrics.Accuracy, ([0.7, 0.2], [1, 0]), ArgumentError, "zeros and ones in y_pred, got 0.7; of probabilities"),
        (metrics.Accuracy, ([1.0, np.nan], [1, 0]), ArgumentError, "in y_pred, got nan"),
        (metrics.Accuracy, (np.zeros((3, 0)), [0, 1, 2]), ShapeError, r"got \(3, 0\) and \(3,\)"),
        (metrics.Accuracy, (SCORES, CLASSES[:2]), ShapeError, r"\(3, 3\) and \(2,\)"),
        (metrics.Precision, ([2, 0], [1, 0]), ArgumentError, r"got 2; of more than two classes.*scores \(N, C, ...\)"),
        (metrics.Precision, ([1, 0], [3, 0]), ArgumentError, "zeros and ones in y, got 3"),
        (metrics.Precision, (SCORES, [0, 1, 3]), IndexRangeError, "from 0 to 2 in y, got 3"),
        (metrics.Recall, (SCORES, [0, -1, 2]), IndexRangeError, "from 0 to 2 in y, got -1"),
        (metrics.Recall, (SCORES, [0, 0.5, 2]), ArgumentError, "class labels in y, got 0.5"),
        (lambda: metrics.Recall(average="samples"), (SCORES, CLASSES), ArgumentError, "needs is_multilabel=True"),
        (lambda: metrics.Recall(is_multilabel=True), (SCORES, CLASSES), ShapeError, r"one shape \(N, C, ...\)"),
        (lambda: metrics.Accuracy(is_multilabel=True), ([1, 0], [1, 0]), ShapeError, "C at least 2"),
        (lambda: metrics.Accuracy(is_multilabel=True), (SCORES / 2, SCORES), ArgumentError, "y_pred, got 0.5"),
        (metrics.TopKCategoricalAccuracy, (SCORES, CLASSES), ArgumentError, "at least 5 classes, got 3"),
        (metrics.TopKCategoricalAccuracy, (CLASSES, CLASSES), ShapeError, r"got \(3,\) and \(3,\)"),
        (lambda: metrics.TopKCategoricalAccuracy(2), (SCORES, [0, 1, 3]), IndexRangeError, "from 0 to 2 in y, got 3"),
        (lambda: metrics.ConfusionMatrix(4), (SCORES, CLASSES), ShapeError, r"of 4 classes.*got \(3, 3\)"),
        (lambda: metrics.ConfusionMatrix(3), (CLASSES, CLASSES), ShapeError, r"scores \(N, 3, ...\)"),
        (lambda: metrics.ConfusionMatrix(3), (SCORES, [0.5, 1, 2]), ArgumentError, "got 0.5"),
        (metrics.ConfusionMatrix, (SCORES[:, :1], CLASSES), ShapeError, r"at least 2 classes.*got \(3, 1\)"),
        (lambda: metrics.MultiLabelConfusionMatrix(2), (SCORES, SCORES), ShapeError, r"\(N, 2, ...\), got \(3, 3\)"),
        (lambda: metrics.MultiLabelConfusionMatrix(3), (SCORES, SCORES * 2), ArgumentError, "in y, got 2.0"),
        (lambda: metrics.mIoU(metrics.ConfusionMatrix(), 3), (SCORES, CLASSES), ArgumentError, "0 to 2, got 3"),
        (lambda: metrics.ClassificationReport(labels=["a"]), (SCORES, CLASSES), ArgumentError, "1 labels, a, but"),
        (metrics.ROC_AUC, ([0.1, 0.2], [1, 2]), ArgumentError, "zeros and ones in y, got 2"),
        (metrics.ROC_AUC, ([0.1, np.nan], [1, 0]), ArgumentError, "NaN in y_pred"),
        (metrics.ROC_AUC, (SCORES, [0, 1, 3]), IndexRangeError, "from 0 to 2 in y, got 3"),
        (metrics.ROC_AUC, ([0.1, 0.2], [1]), ShapeError, r"got \(2,\) and \(1,\)"),
        (lambda: metrics.ROC_AUC(bins=4), ([0.1, 1.5], [1, 0]), ArgumentError, "from 0 to 1 in y_pred, got 1.5"),
        (metrics.RocCurve, (SCORES, SCORES), ShapeError, "binary data.*got 3 scores"),
        (metrics.CohenKappa, ([0.5, 1], [0, 1]), ArgumentError, "class labels in y_pred, got 0.5"),
        (metrics.CohenKappa, ([0, -1], [0, 1]), IndexRangeError, "at least 0 in y_pred, got -1"),
        (lambda: metrics.CohenKappa(num_classes=2), ([0, 1], [0, 2]), IndexRangeError, "from 0 to 1 in y, got 2"),
        (lambda: metrics.CohenKappa(num_classes=2), (SCORES, CLASSES), ShapeError, r"\(N, 2, ...\), got \(3, 3\)"),
        (metrics.CohenKappa, (SCORES, SCORES), ShapeError, r"got \(3, 3\) and \(3, 3\)"),
        (metrics.MatthewsCorrCoef, (SCORES, SCORES / 2), ArgumentError, "zeros and ones in y, got 0.5"),
    ],
)
def test_errors_of_data(make, pair, error, said) -> None:
    metric = make()
    with pytest.raises(error, match=said):  # noqa: PT012 -- some are told by compute()
        metric.update(pair)
        metric.compute()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: metrics.Precision(average="mean"), "'samples', got 'mean'"),
        (lambda: metrics.TopKCategoricalAccuracy(0), "got 0"),
        (lambda: metrics.Fbeta(0), "got 0"),
        (lambda: metrics.Fbeta(1, precision=metrics.Precision(average="micro")), "average=False, got .*'micro'"),
        (lambda: metrics.Fbeta(1, recall=metrics.Precision()), "Recall as recall"),
        (lambda: metrics.Fbeta(1, recall=metrics.Recall(), output_transform=list), "no output_transform"),
        (lambda: metrics.ConfusionMatrix(1), "at least 2"),
        (lambda: metrics.ConfusionMatrix(2, average="macro"), "got 'macro'"),
        (lambda: metrics.ConfusionMatrix.normalize(np.eye(2), "samples"), "got 'samples'"),
        (lambda: metrics.MultiLabelConfusionMatrix(1), "at least 2"),
        (lambda: metrics.IoU(metrics.Accuracy()), "a ConfusionMatrix, got Accuracy"),
        (lambda: metrics.IoU(metrics.ConfusionMatrix(2, average="recall")), "got 'recall'"),
        (lambda: metrics.DiceCoefficient(metrics.ConfusionMatrix(2), ignore_index=2), "0 to 1, got 2"),
        (lambda: metrics.DiceCoefficient(metrics.ConfusionMatrix(), ignore_index=-1), "at least 0, got -1"),
        (lambda: metrics.ClassificationReport(beta=-1), "got -1"),
        (lambda: metrics.ROC_AUC(bins=1), "at least 2 bins, got 1"),
        (lambda: metrics.CohenKappa(weights="cubic"), "got 'cubic'"),
        (lambda: metrics.CohenKappa(num_classes=1), "num_classes=1"),
    ],
)
def test_errors_of_arguments(make, said) -> None:
    with pytest.raises(ArgumentError, match=said):
        make()


@pytest.mark.parametrize("make", [metrics.Accuracy, metrics.Precision])
def test_data_of_another_kind_are_refused_until_reset(make) -> None:
    metric = make()
    metric.update((SCORES, CLASSES))
    with pytest.raises(ShapeError, match="expected 3 classes as in the batches before, got binary data"):
        metric.update(([1, 0], [1, 0]))
    with pytest.raises(ShapeError, match="got 2 classes"):
        metric.update((SCORES[:2, :2], CLASSES[:2]))
    metric.reset()
    metric.update(([1, 0], [1, 0]))
    metric.compute()


def test_scores_of_another_width_are_refused() -> None:
    for auc in (metrics.ROC_AUC(), metrics.ROC_AUC(bins=3)):
        auc.update((SCORES, SCORES))
        with pytest.raises(ShapeError, match="3 scores an example as before, got 1"):
            auc.update(([0.1, 0.3], [0, 1]))
