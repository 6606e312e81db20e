"""Curves over scores and the areas under them, against scikit-learn and a slow count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metrics.cases import assert_same, draw
from tests.metrics.test_classification import over_batches, theirs
from trainkit import metrics

NAMES = {
    "ROC_AUC": "roc_auc_score",
    "AveragePrecision": "average_precision_score",
    "RocCurve": "roc_curve",
    "PrecisionRecallCurve": "precision_recall_curve",
}
curves = pytest.mark.parametrize("name", NAMES)


@curves
@settings(max_examples=40)
@given(
    scores=st.lists(st.integers(0, 6), min_size=1, max_size=40),
    labels=st.lists(st.integers(0, 1), min_size=40, max_size=40),
)
def test_binary_with_ties(name: str, scores: list[int], labels: list[int]) -> None:
    y_pred, y = np.array(scores, np.float32) / 6, np.array(labels[: len(scores)])
    assert_same(over_batches(getattr(metrics, name)(), (y_pred, y)), theirs(NAMES[name], y, y_pred))


@curves
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_dtypes(rng: np.random.Generator, name: str, dtype: type) -> None:
    y_pred, y = (rng.normal(size=200) * 5).astype(dtype), rng.integers(0, 2, 200)
    for targets in (y, y.astype(bool), y.astype(np.float32)):
        assert_same(over_batches(getattr(metrics, name)(), (y_pred, targets)), theirs(NAMES[name], y, y_pred))
    column = over_batches(getattr(metrics, name)(), (y_pred[:, None], y[:, None]))
    assert_same(column, theirs(NAMES[name], y, y_pred))


@pytest.mark.parametrize("name", ["ROC_AUC", "AveragePrecision"])
def test_labels_and_classes(rng: np.random.Generator, name: str) -> None:
    y_pred, y = draw("label scores", 50, rng)
    assert_same(over_batches(getattr(metrics, name)(), (y_pred, y)), theirs(NAMES[name], y, y_pred))
    y_pred = rng.dirichlet(np.ones(4), 50)
    y = np.resize(np.arange(4), 50)
    options = {"multi_class": "ovr"} if name == "ROC_AUC" else {}
    assert_same(over_batches(getattr(metrics, name)(), (y_pred, y)), theirs(NAMES[name], y, y_pred, **options))


def test_area_is_the_share_of_pairs_in_order(rng: np.random.Generator) -> None:
    y_pred, y = rng.integers(0, 5, 30), np.resize([0, 1, 0], 30)
    above, below = y_pred[y == 1][:, None], y_pred[y == 0]
    expected = ((above > below) + (above == below) / 2).mean()
    assert over_batches(metrics.ROC_AUC(), (y_pred, y)) == pytest.approx(expected, abs=1e-15)


@curves
def test_bins_are_exact_where_scores_are_edges(rng: np.random.Generator, name: str) -> None:
    y_pred, y = rng.integers(0, 16, 300) / 16, rng.integers(0, 2, 300)
    binned = over_batches(getattr(metrics, name)(bins=16), (y_pred, y))
    assert_same(binned, theirs(NAMES[name], y, y_pred))


@pytest.mark.parametrize("name", ["ROC_AUC", "AveragePrecision"])
def test_bins_come_close_in_bounded_memory(rng: np.random.Generator, name: str) -> None:
    y = rng.integers(0, 2, 20_000)
    y_pred = np.clip(0.3 + 0.2 * y + rng.normal(size=len(y)) * 0.2, 0, 1)
    exact = getattr(metrics, name)()
    binned = getattr(metrics, name)(bins=1000)
    assert over_batches(binned, (y_pred, y), 500) == pytest.approx(over_batches(exact, (y_pred, y), 500), abs=2e-3)
    assert binned.counts.shape == (1, 2, 1000)
    assert not binned.scores


def test_bins_take_both_ends() -> None:
    auc = metrics.ROC_AUC(bins=2)
    auc.update(([0.0, 1.0, 0.5, 0.49], [0, 1, 1, 0]))
    assert auc.counts.tolist() == [[[2, 0], [0, 2]]]


def test_what_is_kept_is_compact() -> None:
    auc = metrics.ROC_AUC()
    for _ in range(1000):
        auc.update((np.array([0.25, 0.75], np.float32), np.array([0, 1])))
    assert sum(map(len, auc.scores)) == 2000
    assert len(auc.scores) <= 11  # joined as they come
    assert {part.dtype for part in auc.scores} == {np.dtype(np.float32)}
    assert {part.dtype for part in auc.labels} == {np.dtype(np.bool_)}
