"""The metrics of classes against scikit-learn, and by hand where it has nothing."""

import json
import warnings
from typing import Any

import numpy as np
import pytest

from tests.metrics.cases import assert_same, draw
from trainkit import metrics

sklearn_metrics = pytest.importorskip("sklearn.metrics")


def theirs(name: str, *args: Any, **options: Any) -> Any:
    """Call scikit-learn's function; it warns where a share is of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(sklearn_metrics, name)(*args, **options)


def over_batches(metric: metrics.Metric, pair: tuple[Any, Any], size: int = 7) -> Any:
    y_pred, y = pair
    for start in range(0, len(y), size):
        metric.update((y_pred[start : start + size], y[start : start + size]))
    return metric.compute()


def flat(pair: tuple[np.ndarray, np.ndarray], kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (y, y_pred) as scikit-learn takes them: labels, or rows of zeros and ones."""
    y_pred, y = pair
    if kind.startswith("multilabel"):
        rows = [np.moveaxis(part, 1, -1).reshape(-1, part.shape[1]) for part in (y, y_pred)]
        return rows[0], rows[1]
    return y.ravel(), (y_pred if kind == "binary" else y_pred.argmax(axis=1)).ravel()


KINDS = ("binary", "multiclass", "pixels", "multilabel", "multilabel pixels")


@pytest.mark.parametrize("size", [1, 3, 50])
@pytest.mark.parametrize("kind", KINDS)
def test_accuracy(rng: np.random.Generator, kind: str, size: int) -> None:
    pair = draw(kind, size, rng)
    accuracy = metrics.Accuracy(is_multilabel=kind.startswith("multilabel"))
    assert over_batches(accuracy, pair) == pytest.approx(theirs("accuracy_score", *flat(pair, kind)))


@pytest.mark.parametrize("size", [1, 3, 50])
@pytest.mark.parametrize("average", [False, None, "macro", "micro", "weighted", "samples"])
@pytest.mark.parametrize("kind", KINDS)
def test_precision_recall_fbeta(rng: np.random.Generator, kind: str, average: Any, size: int) -> None:
    if average == "samples" and not kind.startswith("multilabel"):
        pytest.skip("one label an example")
    pair = draw(kind, size, rng)
    labels = np.arange({"binary": 2, "multiclass": 5, "pixels": 3, "multilabel": 4, "multilabel pixels": 3}[kind])
    options: dict[str, Any] = {"average": average or None, "zero_division": 0.0, "labels": labels}
    precision = metrics.Precision(average=average, is_multilabel=kind.startswith("multilabel"))
    recall = metrics.Recall(average=average, is_multilabel=kind.startswith("multilabel"))
    for metric, name in ((precision, "precision_score"), (recall, "recall_score")):
        expected = theirs(name, *flat(pair, kind), **options)
        assert_same(over_batches(metric, pair), expected[1] if kind == "binary" and average is False else expected)
    if average is False:
        fbeta = metrics.Fbeta(2.0, average=False, precision=precision, recall=recall)
        expected = theirs("fbeta_score", *flat(pair, kind), beta=2.0, **options)
        assert_same(fbeta.compute(), expected[1] if kind == "binary" else expected)


def test_true_means_macro_and_f1_is_a_mean(rng: np.random.Generator) -> None:
    pair = draw("multiclass", 40, rng)
    assert over_batches(metrics.Recall(average=True), pair) == over_batches(metrics.Recall(average="macro"), pair)
    expected = theirs("f1_score", *flat(pair, "multiclass"), average="macro")
    assert over_batches(metrics.Fbeta(1), pair) == pytest.approx(expected)


def test_a_fbeta_of_given_metrics_counts_each_example_once() -> None:
    precision = metrics.Precision()
    f1 = metrics.Fbeta(1, precision=precision)
    f1.update(([1, 1, 1, 0], [1, 0, 1, 1]))
    assert precision.count == 4
    assert f1.compute() == pytest.approx(2 / 3)
    f1.reset()
    assert precision.count == 0


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k(rng: np.random.Generator, k: int) -> None:
    scores, y = draw("multiclass", 60, rng)
    expected = theirs("top_k_accuracy_score", y, scores, k=k, labels=np.arange(5)) if k < 5 else 1.0
    assert over_batches(metrics.TopKCategoricalAccuracy(k), (scores, y)) == pytest.approx(expected)


def test_top_k_of_ties_and_nan() -> None:
    top2 = metrics.TopKCategoricalAccuracy(2)
    top2.update((np.zeros((4, 4)), np.arange(4)))  # of equal scores the first, as argmax
    assert top2.compute() == 0.5
    top2.reset()
    top2.update((np.full((4, 4), np.nan), np.arange(4)))
    assert top2.compute() == 0.5
    top2.reset()
    top2.update((np.array([[0.0, np.nan, np.nan, 9.0]]), np.array([3])))  # NaN is the greatest, as in argmax
    assert top2.compute() == 0.0


@pytest.mark.parametrize(("average", "normalize"), [(None, None), ("recall", "true"), ("precision", "pred")])
def test_confusion_matrix(rng: np.random.Generator, average: str | None, normalize: str | None) -> None:
    pair = draw("pixels", 9, rng)
    got = over_batches(metrics.ConfusionMatrix(3, average=average), pair, size=2)
    assert_same(got, theirs("confusion_matrix", *flat(pair, "pixels"), normalize=normalize))
    assert got.dtype == (np.int64 if average is None else np.float64)


def test_what_is_made_of_a_confusion_matrix(rng: np.random.Generator) -> None:
    pair = draw("pixels", 3, rng)
    y, y_pred = flat(pair, "pixels")
    matrix = metrics.ConfusionMatrix(3)
    over_batches(matrix, pair)
    jaccard = theirs("jaccard_score", y, y_pred, average=None)
    assert_same(metrics.IoU(matrix).compute(), jaccard)
    assert_same(metrics.IoU(matrix, ignore_index=1).compute(), jaccard[[0, 2]])
    assert_same(metrics.mIoU(matrix, ignore_index=0).compute(), jaccard[1:].mean())
    assert_same(metrics.DiceCoefficient(matrix).compute(), theirs("f1_score", y, y_pred, average=None))
    assert_same(metrics.cmAccuracy(matrix).compute(), theirs("accuracy_score", y, y_pred))
    assert_same(metrics.cmPrecision(matrix, False).compute(), theirs("precision_score", y, y_pred, average=None))
    assert_same(metrics.cmRecall(matrix).compute(), theirs("recall_score", y, y_pred, average="macro"))


def test_nothing_of_a_class_is_zero() -> None:
    pair = (np.eye(4)[[0, 0, 1]], np.array([0, 2, 0]))
    for make in (metrics.IoU, metrics.DiceCoefficient, metrics.cmPrecision, metrics.cmRecall):
        options = {"average": False} if make in (metrics.cmPrecision, metrics.cmRecall) else {}
        value = over_batches(make(metrics.ConfusionMatrix(4), **options), pair)
        assert value[3] == 0.0
        assert np.isfinite(value).all()


def test_labels_that_are_no_class_are_left_out() -> None:
    matrix = metrics.ConfusionMatrix(2)
    matrix.update((np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]), np.array([0, 1, 255, -1])))
    assert matrix.compute().tolist() == [[1, 0], [0, 1]]


def test_counts_stay_exact_in_small_dtypes() -> None:
    ones = np.ones(100_000, np.uint8)
    precision = metrics.Precision()
    precision.update((ones, ones))
    assert precision.predicted[1] == 100_000
    matrix = metrics.ConfusionMatrix(20)
    matrix.update((np.eye(20, dtype=np.float16)[np.full(500, 19)], np.full(500, 19, np.uint8)))
    assert matrix.compute()[19, 19] == 500
    kappa = metrics.CohenKappa()
    kappa.update((np.arange(20, dtype=np.int8), np.arange(20, dtype=np.uint8)))
    assert kappa.compute() == 1.0


@pytest.mark.parametrize("kind", ["multilabel", "multilabel pixels"])
def test_multilabel_confusion_matrix(rng: np.random.Generator, kind: str) -> None:
    pair = draw(kind, 20, rng)
    matrix = metrics.MultiLabelConfusionMatrix(pair[0].shape[1])
    assert_same(over_batches(matrix, pair), theirs("multilabel_confusion_matrix", *flat(pair, kind)))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_report(rng: np.random.Generator, kind: str) -> None:
    pair = draw(kind, 60, rng)
    options = {"is_multilabel": kind == "multilabel"}
    report = over_batches(metrics.ClassificationReport(output_dict=True, **options), pair)
    expected = theirs("classification_report", *flat(pair, kind), output_dict=True, zero_division=0.0)
    for name, row in report.items():
        assert row == pytest.approx({key: expected[name][key] for key in row})
    assert report == json.loads(over_batches(metrics.ClassificationReport(**options), pair))
    names = list("abcde")[: len(report) - 1]
    assert list(over_batches(metrics.ClassificationReport(output_dict=True, labels=names, **options), pair)) == [
        *names,
        "macro avg",
    ]


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_kappa(rng: np.random.Generator, weights: str | None) -> None:
    y_pred, y = draw("labels", 80, rng)
    y[:40] = y_pred[:40]
    expected = theirs("cohen_kappa_score", y, y_pred, weights=weights)
    for classes in (None, 4, 9):
        kappa = metrics.CohenKappa(weights=weights, num_classes=classes)
        assert over_batches(kappa, (y_pred, y)) == pytest.approx(expected)
    assert over_batches(metrics.CohenKappa(weights=weights), (y_pred[:, None], y[:, None])) == pytest.approx(expected)
    assert over_batches(metrics.CohenKappa(weights=weights), (np.eye(4)[y_pred], y)) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["binary", "labels", "multiclass"])
def test_matthews(rng: np.random.Generator, kind: str) -> None:
    y_pred, y = draw(kind, 80, rng)
    found = y_pred.argmax(axis=1) if kind == "multiclass" else y_pred
    y[:40] = found[:40]
    expected = theirs("matthews_corrcoef", y, found)
    assert over_batches(metrics.MatthewsCorrCoef(), (y_pred, y)) == pytest.approx(expected)
    if kind == "multiclass":
        assert over_batches(metrics.MatthewsCorrCoef(), (y_pred, np.eye(5)[y])) == pytest.approx(expected)


def test_one_class_alone_is_no_agreement() -> None:
    for label in (0, 2):
        for metric in (metrics.MatthewsCorrCoef(), metrics.CohenKappa(), metrics.CohenKappa(weights="linear")):
            assert over_batches(metric, (np.full(5, label), np.full(5, label))) == 0.0


def test_scores_far_from_the_mean_do_not_round() -> None:
    """Counts of many examples: the squares of their sums go beyond 2**63."""
    metric = metrics.MatthewsCorrCoef()
    metric.load_state_dict({"confusion_matrix": np.array([[4, 1], [2, 3]]) * 10**9})
    assert metric.compute() == pytest.approx(
        theirs("matthews_corrcoef", [0] * 5 + [1] * 5, [0, 0, 0, 0, 1, 0, 0, 1, 1, 1])
    )
