"""The metrics of numbers, images and texts, each with the kind of data it takes; rows of several tests."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """A metric `make(package)` of trainkit.metrics or ignite.metrics, and the name of the data it takes."""

    name: str
    make: Callable[[Any], Any]
    data: str
    tolerance: float = 1e-5  # ignite adds up in float32


def draw(kind: str, size: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return (y_pred, y) of `size` examples."""

    def floats(*shape: int) -> np.ndarray:
        return rng.normal(size=(size, *shape)).astype(np.float32)

    match kind:
        case "vector":
            return floats(), floats()
        case "column":
            return floats(1), floats(1)
        case "rows":
            return floats(3), floats(3)
        case "grids":
            return floats(2, 3), floats(2, 3)
        case "images":
            y = rng.random((size, 2, 13, 17)).astype(np.float32)
            return (y + 0.1 * rng.random(y.shape).astype(np.float32)).clip(0, 1), y
        case "bytes":
            return tuple(rng.integers(0, 256, (size, 1, 12, 11)).astype(np.uint8) for _ in range(2))
        case "volumes":
            return tuple(rng.random((size, 1, 8, 9, 7)).astype(np.float32) for _ in range(2))
        case "tokens":
            y = rng.integers(0, 6, (size, 4))
            y[rng.random(y.shape) < 0.2] = -100
            y[:, 0] = 1
            return floats(6, 4), y
        case "texts":
            texts = [_text(rng) for _ in range(size)]
            return texts, [[_changed(text, rng) for _ in range(rng.integers(1, 4))] for text in texts]
    raise KeyError(kind)


def _text(rng: np.random.Generator) -> list[int]:
    return rng.integers(0, 5, rng.integers(1, 12)).tolist()


def _changed(text: list[int], rng: np.random.Generator) -> list[int]:
    kept = [token if rng.random() < 0.8 else 9 for token in text]
    return kept + _text(rng)[: int(rng.integers(0, 3))]


def parts(pair: tuple[Any, Any], *cuts: int) -> list[tuple[Any, Any]]:
    """Return a pair cut into batches."""
    edges = [0, *sorted(cuts), len(pair[0])]
    return [(pair[0][a:b], pair[1][a:b]) for a, b in pairwise(edges)]


CASES = [
    *(
        Case(f"{name} {data}", lambda m, name=name: getattr(m, name)(), data)
        for name in ("MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError")
        for data in ("vector", "column", "rows", "grids")
    ),
    *(Case(f"R2 {data}", lambda m: _regression(m, "R2Score"), data, 1e-4) for data in ("vector", "column")),
    *(Case(f"Pearson {data}", lambda m: _regression(m, "PearsonCorrelation"), data) for data in ("vector", "column")),
    Case("Distance", lambda m: m.MeanPairwiseDistance(), "rows"),
    Case("Distance 1", lambda m: m.MeanPairwiseDistance(p=1, eps=0.1), "rows"),
    Case("Distance 3", lambda m: m.MeanPairwiseDistance(p=3), "rows"),
    *(Case(f"Cosine {data}", lambda m: m.CosineSimilarity(), data) for data in ("rows", "grids")),
    Case("PSNR", lambda m: m.PSNR(data_range=1.0), "images"),
    Case("PSNR bytes", lambda m: m.PSNR(data_range=255), "bytes"),
    Case("SSIM", lambda m: m.SSIM(data_range=1.0), "images", 1e-4),
    Case("SSIM bytes", lambda m: m.SSIM(data_range=255), "bytes", 1e-3),
    Case("SSIM window", lambda m: m.SSIM(1.0, kernel_size=[7, 5], sigma=[1.0, 2.0], k1=0.02, k2=0.05), "images", 1e-4),
    Case("SSIM uniform", lambda m: m.SSIM(1.0, kernel_size=5, gaussian=False), "images", 1e-4),
    Case("SSIM volumes", lambda m: m.SSIM(1.0, kernel_size=5, ndims=3), "volumes", 1e-4),
    Case("Perplexity", lambda m: _text_metric(m, "Perplexity"), "tokens"),
    Case("Perplexity ignoring", lambda m: _text_metric(m, "Perplexity", ignore_index=1), "unmarked tokens"),
    *(
        Case(
            f"Bleu {n} {smooth} {average}",
            lambda m, n=n, smooth=smooth, average=average: _text_metric(
                m, "Bleu", ngram=n, smooth=smooth, average=average
            ),
            "texts",
            1e-6,
        )
        for n, smooth in ((1, "no_smooth"), (2, "no_smooth"), (4, "smooth1"), (3, "smooth2"), (4, "nltk_smooth2"))
        for average in ("macro", "micro")
    ),
]


def data_of(case: Case, size: int, seed: int = 0) -> tuple[Any, Any]:
    """Return the data of a row."""
    rng = np.random.default_rng(seed)
    if case.data != "unmarked tokens":
        return draw(case.data, size, rng)
    y_pred, y = draw("tokens", size, rng)
    y[y == -100] = 2
    y[:, 0] = 3
    return y_pred, y


def _regression(package: Any, name: str) -> Any:
    if not hasattr(package, name):  # ignite has it in a package of its own
        from ignite.metrics import regression as package
    return getattr(package, name)()


def _text_metric(package: Any, name: str, **options: Any) -> Any:
    if not hasattr(package, name):
        from ignite.metrics import nlp as package
    return getattr(package, name)(**options)
