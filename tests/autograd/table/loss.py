"""Losses, similarities, products with a weight, and what is drawn with a gradient."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.autograd.table.activation import np_log_softmax, np_sigmoid
from tests.autograd.table.rows import Arg, Float, Int, Row

__all__ = ["ROWS"]


def loss(
    name: str,
    args: tuple[Arg | str, ...],
    reference: Callable[..., Any],
    keywords: dict[str, Any] | None = None,
    **options: Any,
) -> list[Row]:
    """A row for each reduction; `reference` gives the losses one by one."""
    keywords, prepare = keywords or {}, options.pop("prepare", lambda lib, *tensors: tensors)
    note = options.pop("note", "")

    def row(reduction: str) -> Row:
        def call(lib: Any, *tensors: Any) -> Any:
            return getattr(lib.nn.functional, name)(*prepare(lib, *tensors), **keywords, reduction=reduction)

        def expected(*arrays: Any) -> Any:
            found = np.asarray(reference(*arrays))
            # numpy warns of a mean of nothing
            return {"sum": found.sum(), "mean": found.mean() if found.size else np.nan, "none": found}[reduction]

        return Row(f"nn.functional.{name}", args, call, expected, note=f"{note}-{reduction}".strip("-"), **options)

    return [row(reduction) for reduction in ("mean", "sum", "none")]


def signs(lib: Any, *tensors: Any) -> list[Any]:
    """The last argument, 0 and 1, as -1 and 1."""
    return [*tensors[:-1], tensors[-1] * 2 - 1]


def distance(x: Any, y: Any, p: float = 2.0) -> Any:
    return (np.abs(x - y + 1e-6) ** p).sum(-1) ** (1 / p)


def cosine(x: Any, y: Any) -> Any:
    return (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))


def picked(x: Any, t: Any) -> Any:
    return -np.take_along_axis(x, np.expand_dims(t, 1), 1).squeeze(1)


def np_margin(x: Any, t: Any, p: int = 1) -> Any:
    short = np.maximum(0, 1 - x[np.arange(len(t)), t][:, None] + x) ** p
    return (short * (np.arange(x.shape[1]) != t[:, None])).sum(1) / x.shape[1]


def np_multilabel(x: Any) -> Any:
    right = np.array([True, False, True, False])
    short = np.maximum(0, 1 - x[:, right][:, :, None] + x[:, None, ~right])
    return short.sum((1, 2)) / 4


SHARE = Float("nm", 0.05, 0.95)
CLASSES = Int("n", below="m")
HALF = ("float16",)
WEIGHT = np.array([0.5, 2.0, 1.0, 0.1])


def weights(lib: Any, x: Any) -> Any:
    return lib.tensor(WEIGHT).to(x.dtype)


def smoothed(x: Any, t: Any, smoothing: float = 0.1) -> Any:
    wanted = np.full(x.shape, smoothing / x.shape[1])
    wanted[np.arange(len(t)), t] += 1 - smoothing
    return -(np_log_softmax(x) * wanted).sum(1)


ROWS = [
    *loss("cross_entropy", ("nm", CLASSES), lambda x, t: picked(np_log_softmax(x), t)),
    *loss("cross_entropy", ("nmhk", Int("nhk", below="m")), lambda x, t: picked(np_log_softmax(x, 1), t), note="planes"),
    *loss("cross_entropy", ("nm", CLASSES), smoothed, {"label_smoothing": 0.1}, note="smooth"),
    *loss("cross_entropy", ("nm", SHARE), lambda x, t: -(np_log_softmax(x) * t).sum(1), note="probabilities"),
    Row("nn.functional.cross_entropy", ("m", Int("", below="m")), lambda lib, x, t: lib.nn.functional.cross_entropy(x, t), lambda x, t: -np_log_softmax(x)[t], note="one"),
    Row("nn.functional.cross_entropy", ("n4", Int("n", below=4)), lambda lib, x, t: lib.nn.functional.cross_entropy(x, t, weights(lib, x), ignore_index=1, label_smoothing=0.2),
        None, note="weight"),
    *loss("nll_loss", ("nm", CLASSES), picked),
    *loss("nll_loss", ("nmk", Int("nk", below="m")), picked, note="line"),
    Row("nn.functional.nll_loss", ("n4", Int("n", below=4)), lambda lib, x, t: lib.nn.functional.nll_loss(x, t, weights(lib, x)), lambda x, t: (picked(x, t) * WEIGHT[t]).sum() / WEIGHT[t].sum() if len(t) else np.nan, note="weight"),
    *loss("binary_cross_entropy", (SHARE, SHARE), lambda x, t: -t * np.log(x) - (1 - t) * np.log(1 - x), ties=False),
    *loss("binary_cross_entropy_with_logits", ("nm", SHARE), lambda x, t: np.log1p(np.exp(x)) - x * t),
    Row("nn.functional.binary_cross_entropy_with_logits", ("nm", SHARE, Float("m", gradient=False)), lambda lib, x, t, w: lib.nn.functional.binary_cross_entropy_with_logits(x, t, w, pos_weight=w * 2),
        lambda x, t, w: (w * ((1 - t) * x + (1 + (2 * w - 1) * t) * np.log1p(np.exp(-x)))).sum() / x.size if x.size else np.nan, note="weights"),
    *loss("mse_loss", ("nm", "nm"), lambda x, y: (x - y) ** 2, dtypes=HALF),
    *loss("l1_loss", ("nm", "nm"), lambda x, y: np.abs(x - y), dtypes=HALF),
    *loss("smooth_l1_loss", ("nm", "nm"), lambda x, y: np.where(np.abs(x - y) < 0.7, (x - y) ** 2 / 1.4, np.abs(x - y) - 0.35), {"beta": 0.7}),
    *loss("huber_loss", ("nm", "nm"), lambda x, y: np.where(np.abs(x - y) < 0.7, (x - y) ** 2 / 2, 0.7 * (np.abs(x - y) - 0.35)), {"delta": 0.7}),
    *loss("kl_div", ("nm", SHARE), lambda x, t: t * (np.log(t) - x), ties=False),
    *loss("kl_div", ("nm", "m"), lambda x, t: np.exp(t) * (t - x), {"log_target": True}, note="log"),
    Row("nn.functional.kl_div", ("nm", SHARE), lambda lib, x, t: lib.nn.functional.kl_div(x, t, reduction="batchmean"), lambda x, t: (t * (np.log(t) - x)).sum() / len(x), least={"n": 1}, empty=False, ties=False, note="batchmean"),
    *loss("gaussian_nll_loss", ("nm", "nm", Float("nm", 0.2, 2.0)), lambda x, y, v: (np.log(v) + (x - y) ** 2 / v + math.log(2 * math.pi)) / 2, {"full": True}, ties=False),
    *loss("poisson_nll_loss", ("nm", Float("nm", 0, 4)), lambda x, y: np.exp(x) - x * y),
    *loss("poisson_nll_loss", (Float("nm", 0.3, 4), Float("nm", 1.1, 4)), lambda x, y: x - y * np.log(x + 1e-8) + y * np.log(y) - y + np.log(2 * math.pi * y) / 2, {"log_input": False, "full": True}, ties=False, note="full"),
    *loss("soft_margin_loss", ("nm", Int("nm", below=2)), lambda x, t: np.log1p(np.exp(-x * (2 * t - 1))), prepare=signs),
    *loss("multilabel_soft_margin_loss", ("nm", Int("nm", below=2)), lambda x, t: (np.log1p(np.exp(x)) - x * t).mean(1), prepare=lambda lib, x, t: (x, t.to(x.dtype))),
    *loss("hinge_embedding_loss", ("nm", Int("nm", below=2)), lambda x, t: np.where(t == 1, x, np.maximum(0, 0.8 - x)), {"margin": 0.8}, prepare=signs),
    *loss("margin_ranking_loss", ("nm", "nm", Int("nm", below=2)), lambda x, y, t: np.maximum(0, 0.3 - (2 * t - 1) * (x - y)), {"margin": 0.3}, prepare=signs),
    *loss("cosine_embedding_loss", ("nm", "nm", Int("n", below=2)), lambda x, y, t: np.where(t == 1, 1 - cosine(x, y), np.maximum(0, cosine(x, y) - 0.1)), {"margin": 0.1}, prepare=signs, ties=False, least={"m": 2}),
    *loss("triplet_margin_loss", ("nm", "nm", "nm"), lambda a, p, n: np.maximum(0, 2 + distance(a, p, 3) - np.minimum(distance(a, n, 3), distance(p, n, 3))), {"margin": 2.0, "p": 3.0, "swap": True}, ties=False),
    *loss("triplet_margin_with_distance_loss", ("nm", "nm", "nm"), lambda a, p, n: np.maximum(0, 1 + np.abs(a - p).sum(-1) - np.abs(a - n).sum(-1)), {"distance_function": lambda x, y: (x - y).abs().sum(-1)}),
    *loss("multi_margin_loss", ("nm", CLASSES), np_margin, empty=False),
    *loss("multi_margin_loss", ("nm", CLASSES), lambda x, t: np_margin(x, t, 2), {"p": 2}, empty=False, note="squares"),
    *loss("multilabel_margin_loss", ("n4",), np_multilabel, empty=False, prepare=lambda lib, x: (x, lib.tensor([[2, 0, -1, 1]]).expand(x.shape[0], 4).clone())),
    Row("nn.functional.cosine_similarity", ("nmk", "mk"), lambda lib, x, y: lib.nn.functional.cosine_similarity(x, y, dim=-1), cosine, ties=False, least={"k": 2}, tolerance=1e-4),
    Row("nn.functional.pairwise_distance", ("nm", "m"), lambda lib, x, y: lib.nn.functional.pairwise_distance(x, y), distance, ties=False),
    Row("nn.functional.pairwise_distance", ("nm", "nm"), lambda lib, x, y: lib.nn.functional.pairwise_distance(x, y, 1.0, keepdim=True), lambda x, y: distance(x, y, 1)[:, None], ties=False, note="keepdim"),
    Row("nn.functional.linear", ("nkm", "hm", "h"), lambda lib, x, w, b: lib.nn.functional.linear(x, w, b), lambda x, w, b: x @ w.T + b),
    Row("nn.functional.linear", ("nm", "m"), lambda lib, x, w: lib.nn.functional.linear(x, w), lambda x, w: x @ w, note="one"),
    Row("nn.functional.bilinear", ("nm", "nk", "hmk", "h"), lambda lib, x, y, w, b: lib.nn.functional.bilinear(x, y, w, b), lambda x, y, w, b: np.einsum("ni,oij,nj->no", x, w, y) + b),
    Row("nn.functional.embedding", (Int("nk", below="m"), "mh"), lambda lib, i, w: lib.nn.functional.embedding(i, w * 1, max_norm=100.0, norm_type=3.0), lambda i, w: w[i], note="norm"),
    Row("nn.functional.rrelu", ("nm",), lambda lib, x: lib.nn.functional.rrelu(x, 0.1, 0.4), lambda x: np.where(x > 0, x, 0.25 * x), ("float16",), scalar=True, special=True),
    Row("nn.functional.rrelu", ("nm",), lambda lib, x: lib.nn.functional.rrelu(x, 0.3, 0.3, training=True), lambda x: np.where(x > 0, x, 0.3 * x), scalar=True, note="training"),
    # what is drawn differs from call to call; its sum does not
    Row("nn.functional.gumbel_softmax", ("nm",), lambda lib, x: lib.nn.functional.gumbel_softmax(x, 0.5, hard=True).detach().sum(-1), lambda x: np.ones(len(x)), differentiable=False),
    Row("nn.functional.binary_cross_entropy", ("nm", SHARE), lambda lib, x, t: lib.nn.functional.binary_cross_entropy(lib.sigmoid(x), t), lambda x, t: (np.log1p(np.exp(x)) - t * np.log(np_sigmoid(x) / np_sigmoid(-x))).mean() if x.size else np.nan, ties=False, note="sigmoid"),
]  # fmt: skip
