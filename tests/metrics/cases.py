"""The metrics of classes, each with the kind of data it takes; rows of the tests of splits, states and of ignite."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """A metric `make(package)` of trainkit.metrics or ignite.metrics, and the name of the data it takes."""

    name: str
    make: Callable[[Any], Any]
    data: str


def draw(kind: str, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (y_pred, y) of `size` examples; scores have ties, and of many classes some may be missing."""

    def scores(*shape: int) -> np.ndarray:
        return (rng.integers(0, 9, (size, *shape)) / 8).astype(np.float32)

    def unique(*shape: int) -> np.ndarray:  # along classes, so that no library has to choose
        order = rng.permuted(np.broadcast_to(np.arange(shape[0]), (size, *shape[1:], shape[0])), axis=-1)
        return np.moveaxis(order, -1, 1).astype(np.float32)

    match kind:
        case "binary":
            return rng.integers(0, 2, size), rng.integers(0, 2, size)
        case "multiclass":
            return unique(5), rng.integers(0, 5, size)
        case "pixels":
            return unique(3, 4, 5), rng.integers(0, 3, (size, 4, 5))
        case "void pixels":
            return unique(3, 4, 5), rng.integers(-1, 5, (size, 4, 5))
        case "multilabel":
            return rng.integers(0, 2, (size, 4)), rng.integers(0, 2, (size, 4))
        case "multilabel pixels":
            return rng.integers(0, 2, (size, 3, 2, 4)), rng.integers(0, 2, (size, 3, 2, 4))
        case "labels":
            return rng.integers(0, 4, size), rng.integers(0, 4, size)
        case "scores":
            return scores(), np.resize([0, 1, 1], size)
        case "label scores":
            return scores(3), np.stack([np.resize(row, size) for row in ([0, 1], [1, 0, 1], [1, 1, 0])], axis=1)
    raise KeyError(kind)


def _averaged(name: str, average: Any, data: str) -> Case:
    multilabel = {"is_multilabel": True} if data.startswith("multilabel") else {}
    return Case(f"{name} {average} {data}", lambda m: getattr(m, name)(average=average, **multilabel), data)


CASES = [
    *(Case(f"Accuracy {data}", lambda m: m.Accuracy(), data) for data in ("binary", "multiclass", "pixels")),
    Case("Accuracy multilabel", lambda m: m.Accuracy(is_multilabel=True), "multilabel"),
    Case("Accuracy multilabel pixels", lambda m: m.Accuracy(is_multilabel=True), "multilabel pixels"),
    Case("TopK 1", lambda m: m.TopKCategoricalAccuracy(k=1), "multiclass"),
    Case("TopK 3", lambda m: m.TopKCategoricalAccuracy(k=3), "multiclass"),
    *(
        _averaged(name, average, data)
        for name in ("Precision", "Recall")
        for average in (False, None, True, "macro", "micro", "weighted", "samples")
        for data in ("binary", "multiclass", "pixels", "multilabel", "multilabel pixels")
        if average != "samples" or data.startswith("multilabel")
    ),
    Case("Fbeta 1", lambda m: m.Fbeta(1), "multiclass"),
    Case("Fbeta 2 each", lambda m: m.Fbeta(2.0, average=False), "multiclass"),
    Case("Fbeta 0.5 binary", lambda m: m.Fbeta(0.5), "binary"),
    Case(
        "Fbeta of both",
        lambda m: m.Fbeta(1, precision=m.Precision(is_multilabel=True), recall=m.Recall(is_multilabel=True)),
        "multilabel",
    ),
    Case("Confusion", lambda m: m.ConfusionMatrix(5), "multiclass"),
    *(
        Case(f"Confusion {average}", lambda m, average=average: m.ConfusionMatrix(3, average=average), "void pixels")
        for average in ("samples", "recall", "precision")
    ),
    *(
        Case(f"{name} {data}", lambda m, name=name: _confusion(m, name, 3), data)
        for name in ("IoU", "mIoU", "DiceCoefficient", "JaccardIndex", "cmAccuracy", "cmPrecision", "cmRecall")
        for data in ("pixels", "void pixels")
    ),
    *(
        Case(f"{name} ignoring", lambda m, name=name: _confusion(m, name, 3, ignore_index=1), "pixels")
        for name in ("IoU", "mIoU", "DiceCoefficient", "JaccardIndex")
    ),
    *(
        Case(f"{name} each", lambda m, name=name: _confusion(m, name, 5, average=False), "multiclass")
        for name in ("cmPrecision", "cmRecall")
    ),
    *(
        Case(f"Labels {data}", lambda m, n=n: m.MultiLabelConfusionMatrix(n), data)
        for data, n in (("multilabel", 4), ("multilabel pixels", 3))
    ),
    Case("Labels normalized", lambda m: m.MultiLabelConfusionMatrix(3, normalized=True), "multilabel pixels"),
    Case("Report", lambda m: m.ClassificationReport(output_dict=True), "multiclass"),
    Case("Report 2", lambda m: m.ClassificationReport(beta=2, labels=list("abcde")), "multiclass"),
    Case("Report labels", lambda m: m.ClassificationReport(output_dict=True, is_multilabel=True), "multilabel"),
    Case("AUC", lambda m: m.ROC_AUC(), "scores"),
    Case("AUC labels", lambda m: m.ROC_AUC(), "label scores"),
    Case("AP", lambda m: m.AveragePrecision(), "scores"),
    Case("AP labels", lambda m: m.AveragePrecision(), "label scores"),
    Case("RocCurve", lambda m: m.RocCurve(), "scores"),
    Case("PrecisionRecallCurve", lambda m: m.PrecisionRecallCurve(), "scores"),
    *(
        Case(f"Kappa {weights}", lambda m, weights=weights: m.CohenKappa(weights=weights), "labels")
        for weights in (None, "linear", "quadratic")
    ),
    Case("Kappa of 4", lambda m: m.CohenKappa(weights="linear", num_classes=4), "labels"),
    Case("MCC labels", lambda m: m.MatthewsCorrCoef(), "labels"),
    Case("MCC binary", lambda m: m.MatthewsCorrCoef(), "binary"),
    Case("MCC scores", lambda m: m.MatthewsCorrCoef(), "multiclass"),
]

# What ignite has not.
OWN_CASES = [
    Case("Confusion of C", lambda m: m.ConfusionMatrix(), "pixels"),
    Case("Kappa of scores", lambda m: m.CohenKappa(), "multiclass"),
    Case("AUC of classes", lambda m: m.ROC_AUC(), "multiclass"),
    Case("AP of classes", lambda m: m.AveragePrecision(), "multiclass"),
    Case("AUC bins", lambda m: m.ROC_AUC(bins=8), "scores"),
    Case("AP bins", lambda m: m.AveragePrecision(bins=5), "label scores"),
    Case("RocCurve bins", lambda m: m.RocCurve(bins=4), "scores"),
    Case("PrecisionRecallCurve bins", lambda m: m.PrecisionRecallCurve(bins=16), "scores"),
    Case("TopK of pixels", lambda m: m.TopKCategoricalAccuracy(k=2), "pixels"),
    Case("Report binary", lambda m: m.ClassificationReport(output_dict=True), "binary"),
    Case("Accuracy labels", lambda m: m.Accuracy(), "labels"),
]


def _confusion(package: Any, name: str, classes: int, **options: Any) -> Any:
    function = getattr(package, name, None)
    if function is None:  # ignite leaves the cm... in their module
        from ignite.metrics import confusion_matrix

        function = getattr(confusion_matrix, name)
    return function(package.ConfusionMatrix(classes), **options)


def assert_same(ours: Any, expected: Any, tolerance: float = 1e-12) -> None:
    """Compare numbers, arrays, tensors, tuples, dicts and texts of JSON."""
    if isinstance(expected, str):
        import json

        ours, expected = json.loads(ours), json.loads(expected)
    if isinstance(expected, dict):
        assert list(ours) == list(expected)
        for key in expected:
            assert_same(ours[key], expected[key], tolerance)
    elif isinstance(expected, tuple):
        assert len(ours) == len(expected)
        for one, other in zip(ours, expected, strict=True):
            assert_same(one, other, tolerance)
    else:
        ours, expected = np.asarray(ours), np.asarray(expected)
        assert ours.shape == expected.shape
        np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance)
