"""Losses against PyTorch's, over their arguments: values, the gradients of all that has one, state dicts and reprs."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::UserWarning:torch")]

reductions = st.sampled_from(["mean", "sum", "none"])
shapes = st.sampled_from([(), (1,), (5,), (3, 4), (1, 7), (0, 3), (2, 3, 5), (40, 130)])


def rng_of(data) -> np.random.Generator:
    return np.random.default_rng(data.draw(st.integers(0, 2**16)))


def run(lib, make, arrays, buffers):
    """Return the loss module, its result and the gradient of each float argument."""
    tensors = [
        lib.tensor(array, requires_grad=array.dtype.kind == "f") if isinstance(array, np.ndarray) else array
        for array in arrays
    ]
    with warnings.catch_warnings():
        if lib is torch:
            warnings.simplefilter("ignore")
        module = make(lib.nn, *[None if buffer is None else lib.tensor(buffer) for buffer in buffers])
        out = module(*tensors)
    upstream = (
        np.random.default_rng(1).uniform(0.5, 1.5, tuple(out.shape)).astype(str(out.dtype).removeprefix("torch."))
    )
    out.backward(lib.tensor(upstream))
    gradients = [x.grad.numpy() for x in tensors if isinstance(x, lib.Tensor) and x.requires_grad]
    return module, out.detach().numpy(), gradients


def compare(make, *arrays, buffers=(), tolerance=1e-5) -> None:
    for dtype, close in (("float64", 1e-9), ("float32", tolerance)):

        def cast(value, dtype=dtype):
            return value.astype(dtype) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value

        given = list(map(cast, arrays)), list(map(cast, buffers))
        ours, found, gradients = run(tk, make, *given)
        theirs, expected, others = run(torch, make, *given)
        assert repr(ours) == repr(theirs)
        assert {name: value.shape for name, value in ours.state_dict().items()} == {
            name: tuple(value.shape) for name, value in theirs.state_dict().items()
        }
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=close, atol=close)
        for mine, other in zip(gradients, others, strict=True):
            scale = max(1.0, float(np.abs(other).max(initial=0)))
            np.testing.assert_allclose(mine, other, rtol=close * 10, atol=close * scale)


@st.composite
def scores(draw):
    """Shapes of scores and of classes."""
    classes = draw(st.sampled_from([1, 2, 3, 10, 33]))
    batch = draw(st.sampled_from([None, 0, 1, 4, 129]))
    planes = draw(st.sampled_from([(), (), (5,), (3, 2), (2, 1, 3), (2, 0)]))
    return ((classes,), ()) if batch is None else ((batch, classes, *planes), (batch, *planes))


def classes_of(rng, shape, of_classes, ignore):
    labels = rng.integers(0, shape[1 if len(shape) > 1 else 0], of_classes)
    return np.where(rng.random(of_classes) < 0.3, ignore, labels) if rng.random() < 0.5 else np.asarray(labels)


@settings(deadline=None, max_examples=20)
@given(
    st.data(),
    scores(),
    reductions,
    st.booleans(),
    st.sampled_from([0.0, 0.0, 0.1, 1.0]),
    st.sampled_from([-100, 0, -1]),
)
def test_cross_entropy(data, sizes, reduction, weighted, smoothing, ignore) -> None:
    rng, (shape, of_classes) = rng_of(data), sizes
    x, labels = rng.normal(size=shape) * 3, classes_of(rng, shape, of_classes, ignore)
    weight = rng.uniform(0.1, 2, shape[1 if len(shape) > 1 else 0]) if weighted else None
    options = {"ignore_index": ignore, "reduction": reduction, "label_smoothing": smoothing}
    compare(lambda nn, w: nn.CrossEntropyLoss(w, **options), x, labels.astype(np.int64), buffers=[weight])


@settings(deadline=None, max_examples=25)
@given(st.data(), scores(), reductions, st.booleans(), st.sampled_from([0.0, 0.2]))
def test_cross_entropy_against_probabilities(data, sizes, reduction, weighted, smoothing) -> None:
    rng, (shape, _) = rng_of(data), sizes
    x, target = rng.normal(size=shape) * 3, rng.uniform(0, 1, shape)
    weight = rng.uniform(0.1, 2, shape[1 if len(shape) > 1 else 0]) if weighted else None
    options = {"reduction": reduction, "label_smoothing": smoothing}
    compare(lambda nn, w: nn.CrossEntropyLoss(w, **options), x, target, buffers=[weight])


@settings(deadline=None, max_examples=25)
@given(st.data(), scores(), reductions, st.booleans(), st.sampled_from([-100, 0]))
def test_nll(data, sizes, reduction, weighted, ignore) -> None:
    rng, (shape, of_classes) = rng_of(data), sizes
    x, labels = -rng.uniform(0, 5, shape), classes_of(rng, shape, of_classes, ignore)
    weight = rng.uniform(0.1, 2, shape[1 if len(shape) > 1 else 0]) if weighted else None
    make = lambda nn, w: nn.NLLLoss(w, ignore_index=ignore, reduction=reduction)  # noqa: E731
    compare(make, x, labels.astype(np.int64), buffers=[weight])


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_all_ignored(name: str, reduction: str) -> None:
    x, weight = -np.ones((3, 2)), np.array([1.0, 2.0])
    for buffers in ([None], [weight]):
        compare(lambda nn, w: getattr(nn, name)(w, reduction=reduction), x, np.full(3, -100), buffers=buffers)


@settings(deadline=None, max_examples=20)
@given(st.data(), shapes, reductions, st.booleans(), st.booleans(), st.booleans())
def test_binary(data, shape, reduction, weighted, positive, hard) -> None:
    rng = rng_of(data)
    x, target = rng.uniform(0.01, 0.99, shape), rng.uniform(0, 1, shape)
    target = np.round(target) if hard else target
    weight = rng.uniform(0, 2, shape[1:] if positive else shape) if weighted else None
    factors = rng.uniform(0.1, 3, shape[-1:]) if positive else None
    x, target = np.asarray(x), np.asarray(target)
    compare(lambda nn, w: nn.BCELoss(w, reduction=reduction), x, target, buffers=[weight])
    logits = np.asarray(rng.normal(size=shape) * 10)
    make = lambda nn, w, p: nn.BCEWithLogitsLoss(w, reduction=reduction, pos_weight=p)  # noqa: E731
    compare(make, logits, target, buffers=[weight, factors])


def test_binary_cross_entropy_at_0_and_1() -> None:
    target = np.array([1.0, 0.0, 0.3, 0.0, 1.0])
    results = []
    for lib in (tk, torch):
        x = lib.tensor(np.array([0.0, 1.0, 0.3, 0.0, 1.0]), requires_grad=True)
        out = lib.nn.BCELoss(reduction="none")(x, lib.tensor(target))
        out.sum().backward()
        results.append((out.detach().numpy(), x.grad.numpy()))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-12)


def test_half_precision_logits() -> None:
    x, target = np.linspace(-3, 3, 12).reshape(4, 3).astype("float16"), np.array([0, 1, 2, 1])
    for options in ({}, {"label_smoothing": 0.2}):
        out = tk.nn.CrossEntropyLoss(**options)(tk.tensor(x), tk.tensor(target))
        expected = torch.nn.CrossEntropyLoss(**options)(torch.tensor(x).float(), torch.tensor(target))
        assert out.dtype == tk.float16
        np.testing.assert_allclose(out.numpy(), expected.numpy(), rtol=2e-3)


@settings(deadline=None, max_examples=20)
@given(st.data(), shapes, reductions, st.sampled_from([0.0, 0.3, 1.0, 2.5]))
def test_regression(data, shape, reduction, size) -> None:
    rng = rng_of(data)
    x, y = (np.asarray(rng.normal(size=shape) * 2) for _ in range(2))
    for name in ("MSELoss", "L1Loss"):
        compare(lambda nn, f=name: getattr(nn, f)(reduction=reduction), x, y)
    compare(lambda nn: nn.SmoothL1Loss(reduction=reduction, beta=size), x, y)
    compare(lambda nn: nn.HuberLoss(reduction, size or 0.5), x, y)
    weight = np.asarray(rng.uniform(0.1, 2, shape))
    for function in ("mse_loss", "l1_loss", "huber_loss"):
        found = [
            getattr(lib.nn.functional, function)(
                *map(lib.tensor, (x, y)), reduction=reduction, weight=lib.tensor(weight)
            )
            for lib in (tk, torch)
        ]
        np.testing.assert_allclose(found[0].numpy(), found[1].numpy(), rtol=1e-9)


@settings(deadline=None, max_examples=20)
@given(
    st.data(),
    st.sampled_from([(5,), (3, 4), (0, 3), (2, 3, 5)]),
    reductions,
    st.booleans(),
    st.sampled_from(["all", "row", "one", "number"]),
)
def test_distributions(data, shape, reduction, flag, spread) -> None:
    rng = rng_of(data)
    x, y = (np.asarray(rng.normal(size=shape)) for _ in range(2))
    var = {
        "all": rng.uniform(0, 2, shape) * (rng.random(shape) < 0.8),
        "row": rng.uniform(0.1, 2, shape[:-1]),
        "one": rng.uniform(0.1, 2, (*shape[:-1], 1)),
        "number": 0.7,
    }[spread]
    make = lambda nn: nn.GaussianNLLLoss(full=flag, eps=1e-2, reduction=reduction)  # noqa: E731
    compare(make, x, y, np.asarray(var) if spread != "number" else var, tolerance=1e-4)
    counts = 1 + rng.poisson(2, shape).astype(float)  # at 0 PyTorch's slope of Stirling's formula is NaN
    compare(lambda nn: nn.PoissonNLLLoss(full=flag, reduction=reduction), x, counts)
    compare(lambda nn: nn.PoissonNLLLoss(False, flag, eps=1e-3, reduction=reduction), np.abs(x) + 0.1, counts)
    share = rng.uniform(0.01, 1, shape)
    for batch in (reduction, "batchmean"):
        if shape[0]:
            compare(lambda nn, r=batch: nn.KLDivLoss(reduction=r), -np.abs(x), share)
            compare(lambda nn, r=batch: nn.KLDivLoss(reduction=r, log_target=True), -np.abs(x), np.log(share))


@settings(deadline=None, max_examples=20)
@given(st.data(), shapes, reductions, st.sampled_from([0.0, 0.4, 1.5]))
def test_margins(data, shape, reduction, margin) -> None:
    rng = rng_of(data)
    x, y = (np.asarray(rng.normal(size=shape)) for _ in range(2))
    signs = np.asarray(np.where(rng.random(shape) < 0.5, 1, -1))
    compare(lambda nn: nn.HingeEmbeddingLoss(margin, reduction=reduction), x, signs)
    compare(lambda nn: nn.MarginRankingLoss(margin, reduction=reduction), x, y, signs)
    compare(lambda nn: nn.SoftMarginLoss(reduction=reduction), x, signs)
    if len(shape) in (1, 2) and shape[0]:
        signs = np.asarray(signs[..., 0])
        compare(lambda nn: nn.CosineEmbeddingLoss(margin / 2, reduction=reduction), x, y, signs, tolerance=1e-4)


@settings(deadline=None, max_examples=20)
@given(
    st.data(),
    st.sampled_from([(4,), (1, 3), (6, 5), (0, 3)]),
    reductions,
    st.sampled_from([1.0, 2.0, 3.5, float("inf")]),
    st.booleans(),
)
def test_triplets(data, shape, reduction, p, swap) -> None:
    rng = rng_of(data)
    vectors = [rng.normal(size=shape) for _ in range(3)]
    if p != float("inf") or shape[0]:
        compare(lambda nn: nn.TripletMarginLoss(0.8, p, swap=swap, reduction=reduction), *vectors, tolerance=1e-4)
    options = {"distance_function": lambda a, b: (a - b).abs().sum(-1), "swap": swap, "reduction": reduction}
    compare(lambda nn: nn.TripletMarginWithDistanceLoss(margin=0.5, **options), *vectors)
    compare(lambda nn: nn.TripletMarginWithDistanceLoss(reduction=reduction), *vectors, tolerance=1e-4)


@settings(deadline=None, max_examples=20)
@given(st.data(), st.sampled_from([None, 1, 4]), st.integers(1, 6), reductions, st.booleans(), st.sampled_from([1, 2]))
def test_margins_of_classes(data, batch, classes, reduction, weighted, p) -> None:
    rng = rng_of(data)
    shape = (classes,) if batch is None else (batch, classes)
    x, weight = rng.normal(size=shape), rng.uniform(0.1, 2, classes) if weighted else None
    labels = np.asarray(rng.integers(0, classes, shape[:-1]))
    make = lambda nn, w: nn.MultiMarginLoss(p, 0.7, w, reduction=reduction)  # noqa: E731
    compare(make, x, labels, buffers=[weight])
    marks = np.round(rng.random(shape))
    compare(lambda nn, w: nn.MultiLabelSoftMarginLoss(w, reduction=reduction), x, marks, buffers=[weight])
    named = np.stack([rng.permutation(classes) for _ in range(batch or 1)]).reshape(shape)
    named = np.where(np.arange(classes) == rng.integers(0, classes + 1), -1, named)
    compare(lambda nn: nn.MultiLabelMarginLoss(reduction=reduction), x, named)
