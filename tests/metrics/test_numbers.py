"""Errors, correlations, images and texts: against scikit-learn and numpy, over any split, and what they refuse."""

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk
from tests.metrics.number_cases import CASES, Case, data_of, parts
from trainkit import metrics, serialize
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, NotComputableError, ShapeError

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def value(metric: metrics.Metric, *pairs: Any) -> Any:
    for pair in pairs:
        metric.update(pair)
    return metric.compute()


@every
@settings(max_examples=25)
@given(st.lists(st.integers(0, 9), max_size=4))
def test_any_split_gives_the_same(case: Case, cuts: list[int]) -> None:
    """Of every prefix of the batches the state is written and read back, into another metric."""
    pair = data_of(case, 9)
    whole = value(case.make(metrics), pair)
    metric = case.make(metrics)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.safetensors"
        for batch in parts(pair, *cuts):
            metric.update(batch)
            if len(cuts) == 2:
                serialize.save(metric.state_dict(), path)
                metric = case.make(metrics)
                metric.load_state_dict(serialize.load(path))
    assert metric.compute() == pytest.approx(whole, rel=1e-10)


@every
def test_reset_state_and_inputs(case: Case) -> None:
    pair, other = data_of(case, 6), data_of(case, 4, seed=1)
    metric = case.make(metrics)
    with pytest.raises(NotComputableError, match="update"):
        metric.compute()
    expected = value(metric, pair)
    state = metric.state_dict()
    metric.update(other)
    metric.reset()
    with pytest.raises(NotComputableError):
        metric.compute()
    if case.data != "texts":
        pair = tuple(tk.as_tensor(part).requires_grad_(part.dtype.kind == "f") for part in pair)
    assert value(metric, pair) == expected
    metric.update(other)
    metric.load_state_dict(state)
    metric.update(other)
    assert metric.compute() == pytest.approx(value(case.make(metrics), pair, other))
    assert type(metric.compute()) is float


@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 3), (50, 2, 3)])
def test_errors_are_scikit_learns(rng: np.random.Generator, shape: tuple[int, ...]) -> None:
    y_pred, y = rng.normal(size=shape), rng.normal(size=shape)
    flat = y.ravel(), y_pred.ravel()
    each = math.prod(shape[1:])
    batches = parts((y_pred, y), 7, 30)
    for name, function in (("Squared", "mean_squared_error"), ("Absolute", "mean_absolute_error")):
        expected = getattr(sklearn.metrics, function)(*flat)
        assert value(getattr(metrics, f"Mean{name}Error")(per_element=True), *batches) == pytest.approx(expected)
        assert value(getattr(metrics, f"Mean{name}Error")(), *batches) == pytest.approx(each * expected)
    assert value(metrics.get("rmse"), *batches) == pytest.approx(sklearn.metrics.root_mean_squared_error(*flat))


def test_integers_bytes_and_a_column_against_a_vector() -> None:
    pair = np.array([250, 3], np.uint8), np.array([[5], [250]], np.uint8)
    assert value(metrics.MeanAbsoluteError(), pair) == (245 + 247) / 2
    assert value(metrics.MeanSquaredError(), (np.array([True, False]), np.array([0.5, 0.5]))) == 0.25


@pytest.mark.parametrize("offset", [0.0, 1e8, -1e12])
@pytest.mark.parametrize("size", [2, 5, 100])
def test_r2_and_correlation_of_large_means(rng: np.random.Generator, offset: float, size: int) -> None:
    y = rng.normal(size=size).astype(np.float64) * 1000 + offset
    y_pred = y + rng.normal(size=size) * 300
    batches = parts((y_pred, y), 1, size // 2)
    assert value(metrics.R2Score(), *batches) == pytest.approx(sklearn.metrics.r2_score(y, y_pred), rel=1e-6)
    exact = np.corrcoef(y_pred - offset, y - offset)[0, 1]
    assert value(metrics.PearsonCorrelation(), *batches) == pytest.approx(exact, rel=1e-6)


def test_an_outlier_first_costs_no_digits() -> None:
    y = np.concatenate([[1e9], 1e9 + 1e6 + np.arange(100.0)])
    assert value(metrics.PearsonCorrelation(), *parts((2 * y, y), 1, 40)) == pytest.approx(1.0, abs=1e-12)
    r2 = value(metrics.R2Score(), *parts((y + 1.0, y), 1, 3))
    assert 1 - r2 == pytest.approx(1 - sklearn.metrics.r2_score(y, y + 1.0), rel=1e-9)


def test_constant_numbers() -> None:
    """As scikit-learn has it for r2, where its mean of equal numbers is exact, and ignite for the correlation."""
    y = np.full(7, 0.1)
    assert sklearn.metrics.r2_score(np.ones(7), np.full(7, 2.0)) == 0.0
    assert value(metrics.R2Score(), *parts((y, y), 3)) == sklearn.metrics.r2_score(y, y) == 1.0
    assert value(metrics.R2Score(), *parts((y + 1, y), 3)) == 0.0
    assert math.isnan(value(metrics.R2Score(), (y[:1], y[:1])))
    assert value(metrics.PearsonCorrelation(), *parts((y, np.arange(7.0)), 3)) == 0.0


def test_nan_and_infinity_stay() -> None:
    bad = np.array([1.0, math.inf, 2.0]), np.array([1.0, 2.0, 3.0])
    assert value(metrics.MeanSquaredError(), bad) == math.inf
    assert math.isnan(value(metrics.PearsonCorrelation(), bad))
    assert math.isnan(value(metrics.R2Score(), bad[::-1]))
    assert math.isnan(value(metrics.Perplexity(), (np.full((1, 2), math.nan), np.array([0]))))
    assert value(metrics.Perplexity(), (np.array([[0.0, 1e4]]), np.array([0]))) == math.inf


def blurred(x: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The weighed means of all windows, one at a time."""
    half = [side // 2 for side in window.shape]
    padded = np.pad(x, [(h, h) for h in half], mode="reflect")
    result = np.empty_like(x)
    for place in np.ndindex(*x.shape):
        at = tuple(slice(i, i + side) for i, side in zip(place, window.shape, strict=True))
        result[place] = (padded[at] * window).sum()
    return result


@pytest.mark.parametrize(("ndims", "sizes"), [(2, (7, 3)), (2, (1, 5)), (3, (3, 5, 1))])
@pytest.mark.parametrize("gaussian", [True, False])
def test_ssim_by_hand(rng: np.random.Generator, ndims: int, sizes: tuple[int, ...], gaussian: bool) -> None:
    x, y = rng.random((2, 1, 1, *(9, 6, 5)[:ndims]))
    window = np.ones(())
    for size in sizes:
        side = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * 0.8**2)) if gaussian else np.ones(size)
        window = np.multiply.outer(window, side / side.sum())
    a, b = x[0, 0], y[0, 0]
    means = blurred(a, window), blurred(b, window)
    spread = [blurred(p * q, window) for p, q in ((a, a), (b, b), (a, b))]
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    expected = (2 * means[0] * means[1] + c1) * (2 * (spread[2] - means[0] * means[1]) + c2)
    expected /= means[0] ** 2 + means[1] ** 2 + c1
    expected /= spread[0] - means[0] ** 2 + spread[1] - means[1] ** 2 + c2
    ssim = metrics.SSIM(2, kernel_size=sizes, sigma=0.8, gaussian=gaussian, ndims=ndims)
    assert value(ssim, (x, y)) == pytest.approx(expected.mean(), rel=1e-9)
    ssim.reset()
    assert value(ssim, (np.concatenate([x, x], 1), np.concatenate([y, x], 1))) == pytest.approx(
        (expected.mean() + 1) / 2
    )


def test_ssim_of_bytes_is_exact_where_float32_is_not() -> None:
    """Flat bright images differ by one level; variances are tiny differences of large squares."""
    y = np.full((1, 1, 12, 12), 250, np.uint8)
    expected = (2 * 250 * 251 + 6.5025) / (250**2 + 251**2 + 6.5025)
    assert value(metrics.SSIM(255), (y + np.uint8(1), y)) == pytest.approx(expected, rel=1e-9)


def test_bleu_by_hand() -> None:
    text, references = list("abcd"), [list("abce"), list("abxxx")]
    assert value(metrics.Bleu(ngram=2), ([text], [references])) == pytest.approx(math.sqrt(3 / 4 * 2 / 3))
    assert value(metrics.Bleu(), ([text], [references])) == 0.0
    short = value(metrics.Bleu(ngram=1), ([list("ab")], [[list("abcd")]]))
    assert short == pytest.approx(math.exp(1 - 4 / 2))
    between = ([list("ab")], [[list("abc"), list("a")]])  # as close to 3 as to 1: the shorter counts
    assert value(metrics.Bleu(ngram=1), between) == 1.0
    assert value(metrics.Bleu(ngram=1, average="micro"), ([[], ["a"]], [[["a"]], [["a"]]])) == math.exp(1 - 2)


@pytest.mark.parametrize(
    ("metric", "pair", "error", "match"),
    [
        (metrics.MeanSquaredError(), (np.ones(3), np.ones(4)), ShapeError, r"\(3,\) and \(4,\)"),
        (metrics.MeanSquaredError(), (np.ones((2, 3)), np.ones((3, 2))), ShapeError, "one shape"),
        (metrics.MeanAbsoluteError(), (np.ones(()), np.ones(())), ShapeError, "single number"),
        (metrics.MeanAbsoluteError(), (np.ones(2) * 1j, np.ones(2)), DTypeError, "complex128"),
        (metrics.MeanSquaredError(), np.ones((2, 2)), ArgumentError, "y_pred, y"),
        (metrics.MeanSquaredError(), (1, 2, 3), ArgumentError, "3 parts"),
        (metrics.MeanSquaredError(), ("ab", "cd"), DTypeError, "y_pred"),
        (metrics.MeanSquaredError(), ([[1], [1, 2]], [1, 2]), DTypeError, "list"),
        (metrics.R2Score(), (np.ones((3, 2)), np.ones((3, 2))), ShapeError, r"\(N, 1\)"),
        (metrics.PearsonCorrelation(), (np.ones(3), np.ones(2)), ShapeError, "as many"),
        (metrics.MeanPairwiseDistance(), (np.ones(3), np.ones(3)), ShapeError, "vectors"),
        (metrics.CosineSimilarity(), (np.ones((3, 2)), np.ones((3, 1))), ShapeError, "one shape"),
        (metrics.PSNR(1.0), (np.ones((1, 2)), np.ones((1, 2), np.uint8)), DTypeError, "one dtype"),
        (metrics.PSNR(1.0), (np.ones((1, 2)), np.ones((2, 2))), ShapeError, "one shape"),
        (metrics.SSIM(1.0), (np.ones((1, 1, 9)), np.ones((1, 1, 9))), ShapeError, r"\(N, C, H, W\)"),
        (metrics.SSIM(1.0), (np.ones((1, 1, 9, 5)), np.ones((1, 1, 9, 5))), ShapeError, "half of the window"),
        (metrics.Perplexity(), (np.ones((2, 3)), np.ones((3,), int)), ShapeError, r"\(N, C, ...\)"),
        (metrics.Perplexity(), (np.ones((2, 3), int), np.ones((2,), int)), DTypeError, "floating-point"),
        (metrics.Perplexity(), (np.ones((2, 3)), np.array([0, 3])), IndexRangeError, "3"),
        (metrics.Bleu(), (["a b"], [["a b"]]), ArgumentError, "split"),
        (metrics.Bleu(), ([["a"]], []), ArgumentError, "0 for 1"),
        (metrics.Bleu(), ([["a"]], [[]]), ArgumentError, "references"),
        (metrics.Bleu(), [["a"]], ArgumentError, "texts"),
    ],
)
def test_what_does_not_fit_is_named(metric: metrics.Metric, pair: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        metric.update(pair)
    with pytest.raises(NotComputableError):
        metric.compute()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: metrics.PSNR(0), "data_range"),
        (lambda: metrics.PSNR("1"), "data_range"),
        (lambda: metrics.SSIM(1.0, kernel_size=4), "odd"),
        (lambda: metrics.SSIM(1.0, kernel_size=(3, 3, 3)), "2 of them"),
        (lambda: metrics.SSIM(1.0, sigma=0.0), "sigma"),
        (lambda: metrics.SSIM(1.0, ndims=1), "ndims"),
        (lambda: metrics.Bleu(ngram=0), "ngram"),
        (lambda: metrics.Bleu(smooth="x"), "no_smooth"),
        (lambda: metrics.Bleu(average="x"), "macro"),
        (lambda: metrics.MeanSquaredError(device="cuda"), "cuda"),
        (lambda: metrics.MeanSquaredError(3), "output_transform"),
        (lambda: metrics.Loss(3), "loss_fn"),
        (lambda: metrics.EpochMetric(3), "compute_fn"),
        (lambda: metrics.VariableAccumulation(3), "op"),
        (lambda: metrics.RunningAverage(), "neither"),
        (lambda: metrics.RunningAverage(metrics.Average(), output_transform=float), "both"),
        (lambda: metrics.RunningAverage(3), "src"),
        (lambda: metrics.RunningAverage(metrics.Average(), alpha=0), "alpha"),
        (lambda: metrics.MetricsLambda(3), "function"),
        (lambda: metrics.get("accurac"), "accuracy, auc"),
    ],
)
def test_bad_arguments(make: Any, match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        make()


@pytest.mark.parametrize("name", ["accuracy", "top3", "precision", "recall", "f1", "cohen_kappa", "mcc", "perplexity"])
def test_names_of_classification(rng: np.random.Generator, name: str) -> None:
    pair = rng.random((20, 5)), rng.integers(0, 5, 20)
    found = value(metrics.get(name), pair)
    labels = {"y_true": pair[1], "y_pred": pair[0].argmax(1)}
    if name in ("precision", "recall", "f1"):
        expected = getattr(sklearn.metrics, f"{name}_score")(**labels, average="macro", zero_division=0)
        assert found == pytest.approx(expected)
    elif name == "accuracy":
        assert found == sklearn.metrics.accuracy_score(**labels)
    assert math.isfinite(found)


@pytest.mark.parametrize("name", ["mse", "rmse", "mae", "r2", "pearson"])
def test_names_of_numbers_are_means_of_single_numbers(rng: np.random.Generator, name: str) -> None:
    x = rng.random((20, 1))
    assert math.isfinite(value(metrics.get(name), (x, rng.random((20, 1)))))
    if name == "mse":
        wide = rng.random((20, 4)), rng.random((20, 4))
        loss = tk.nn.MSELoss()(*map(tk.as_tensor, wide)).item()
        assert value(metrics.get(name), wide) == pytest.approx(loss)
