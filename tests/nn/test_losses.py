"""Losses: figures by hand, what is ignored, what they say to logits and probabilities mixed up, bad arguments."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from trainkit.nn import functional as F

X = tk.tensor([[1.0, 2.0, 0.5], [0.1, 0.2, 5.0]])
Y = tk.tensor([1, 0])
EACH = -(X.numpy() - np.log(np.exp(X.numpy()).sum(1, keepdims=True)))  # of every class


def test_weight_ignored_classes_and_smoothing_by_hand() -> None:
    weight = tk.tensor([2.0, 0.5, 1.0])
    found = [
        nn.CrossEntropyLoss(weight)(X, Y),
        nn.CrossEntropyLoss(weight, reduction="sum")(X, Y),
        nn.CrossEntropyLoss(ignore_index=0)(X, Y),
        nn.CrossEntropyLoss(label_smoothing=0.3, reduction="sum")(X, Y),
    ]
    own = EACH[[0, 1], [1, 0]]
    by_class = own * [0.5, 2]
    smooth = 0.7 * own + 0.1 * EACH.sum(1)
    expected = [by_class.sum() / 2.5, by_class.sum(), own[0], smooth.sum()]
    np.testing.assert_allclose([value.item() for value in found], expected, rtol=1e-5)


def test_what_is_ignored_counts_for_nothing_whatever_it_holds() -> None:
    for loss, x in ((nn.CrossEntropyLoss, X.numpy()), (nn.NLLLoss, -EACH)):
        rows = np.vstack([x, [np.nan, -np.inf, np.nan]]).astype("float32")
        leaf = tk.tensor(rows, requires_grad=True)
        for options in ({}, {"weight": tk.ones(3)}, *([{"label_smoothing": 0.2}] * (loss is nn.CrossEntropyLoss))):
            out = loss(**options)(leaf, tk.tensor([1, 0, -100]))
            assert out.item() == pytest.approx(loss(**options)(tk.tensor(x), Y).item(), rel=1e-6)
            leaf.grad = None
            out.backward()
            np.testing.assert_array_equal(leaf.grad.numpy()[2], 0)


def test_nothing_to_average_is_nan_and_has_no_gradient() -> None:
    for loss in (nn.CrossEntropyLoss(), nn.NLLLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)):
        x = (-tk.ones(2, 3)).requires_grad_()
        out = loss(x, tk.tensor([-100, -100]))
        assert np.isnan(out.item())
        out.backward()
        np.testing.assert_array_equal(x.grad.numpy(), 0)
        assert np.isnan(loss(tk.zeros(0, 3), tk.zeros(0, dtype="int64")).item())


def test_planes_are_rows() -> None:
    x, labels = tk.randn(2, 4, 3, 5), tk.tensor(np.random.default_rng(0).integers(0, 4, (2, 3, 5)))
    rows, flat = x.permute(0, 2, 3, 1).reshape(-1, 4), labels.reshape(-1)
    for options in ({}, {"label_smoothing": 0.1}, {"weight": tk.rand(4)}):
        found = F.cross_entropy(x, labels, **options).item()
        assert found == pytest.approx(F.cross_entropy(rows, flat, **options).item(), rel=1e-6)
    alone = F.cross_entropy(x[0, :, 0, 0], labels[0, 0, 0])
    assert alone.shape == ()
    assert alone.item() == pytest.approx(F.cross_entropy(rows[:1], flat[:1]).item(), rel=1e-6)


def test_integers_of_any_dtype() -> None:
    expected = F.cross_entropy(X, Y).item()
    for dtype in ("int32", "uint8", "int16"):
        assert F.cross_entropy(X, Y.to(dtype)).item() == expected
        assert F.nll_loss(X.log_softmax(1), Y.to(dtype)).item() == pytest.approx(expected)


def test_binary_cross_entropy_at_its_limits() -> None:
    x = tk.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    out = F.binary_cross_entropy(x, tk.tensor([1.0, 0.0, 0.0, 1.0]), reduction="none")
    np.testing.assert_array_equal(out.detach().numpy(), [100, 100, 0, 0])
    out.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()
    logits = tk.tensor([800.0, -800.0, 800.0])
    target = tk.tensor([1.0, 0.0, 0.0])
    np.testing.assert_array_equal(
        F.binary_cross_entropy_with_logits(logits, target, reduction="none").numpy(), [0, 0, 800]
    )
    twice = F.binary_cross_entropy_with_logits(logits, target, reduction="none", pos_weight=tk.tensor(2.0))
    np.testing.assert_array_equal(twice.numpy(), [0, 0, 800])


def test_weights_are_buffers() -> None:
    for loss in (
        nn.CrossEntropyLoss(tk.ones(3)),
        nn.NLLLoss(tk.ones(3)),
        nn.BCELoss(tk.ones(3)),
        nn.MultiMarginLoss(weight=tk.ones(3)),
    ):
        assert list(loss.state_dict()) == ["weight"]
        assert not list(loss.parameters())
        assert loss.double().weight.dtype == tk.float64
    assert list(nn.BCEWithLogitsLoss(pos_weight=tk.ones(3)).state_dict()) == ["pos_weight"]
    assert not nn.CrossEntropyLoss().state_dict()


def test_second_derivatives_of_a_weighed_mean() -> None:
    x, labels = tk.randn(4, 3, dtype="float64"), tk.tensor([0, 2, -100, 1])
    weight = tk.tensor([0.5, 1.0, 2.0], dtype="float64")
    for smoothing in (0.0, 0.2):
        options = {"weight": weight, "label_smoothing": smoothing}
        assert tk.autograd.gradgradcheck(
            lambda x, o=options: F.cross_entropy(x, labels, **o), [x.clone().requires_grad_()]
        )


# Logits and probabilities

PROBABILITIES = X.softmax(1)
WRONG = [
    (nn.CrossEntropyLoss, lambda: PROBABILITIES, Y, "probabilities"),
    (nn.CrossEntropyLoss, lambda: PROBABILITIES[0], Y[0], "probabilities"),
    (nn.CrossEntropyLoss, lambda: tk.randn(2, 3, 4, 4).softmax(1), tk.zeros(2, 4, 4).long(), "probabilities"),
    (nn.CrossEntropyLoss, lambda: tk.zeros(2, 3, requires_grad=True).softmax(1), Y, "probabilities"),
    (nn.NLLLoss, lambda: X, Y, "log_softmax"),
    (nn.NLLLoss, lambda: PROBABILITIES, Y, "log_softmax"),
    (nn.BCEWithLogitsLoss, lambda: X.clone().requires_grad_().sigmoid(), X.sigmoid(), "sigmoid"),
    (nn.KLDivLoss, lambda: PROBABILITIES, PROBABILITIES, "input are more than 0"),
    (nn.KLDivLoss, lambda: X.log_softmax(1), X.log_softmax(1), "log_target=True"),
    (lambda: nn.KLDivLoss(log_target=True), lambda: X.log_softmax(1), PROBABILITIES, "target is more than 0"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(("make", "given", "target", "message"), WRONG)
def test_the_wrong_kind_of_numbers_is_warned_about_once(make, given, target, message: str) -> None:
    loss = make()
    with pytest.warns(UserWarning, match=message) as caught:
        loss(given(), target)
    assert len(caught) == 1
    assert caught[0].filename == __file__, "the warning names who called the loss"
    loss(given(), target)  # warnings are errors here: this one is silent
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), loss.train(False)):
        other(given(), target)
    with pytest.warns(UserWarning, match=message):
        make()(given(), target)


RIGHT = [
    tk.zeros(2, 3), tk.ones(2, 3), tk.eye(3)[:2], tk.full((2, 3), 1 / 3), tk.tensor([[0.2, 0.3, 0.4], [0.5, 0.3, 0.2]]),
    tk.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), tk.tensor([[-0.5, 1.0, 0.5], [0.2, 0.3, 0.5]]), PROBABILITIES.log(),
    tk.tensor([[float("nan")] * 3] * 2), tk.zeros(0, 3), X,
]  # fmt: skip


@pytest.mark.parametrize("x", RIGHT)
def test_logits_are_not_taken_for_probabilities(x) -> None:
    nn.CrossEntropyLoss()(x, Y[: len(x)])
    nn.BCEWithLogitsLoss()(x, tk.zeros(*x.shape))
    nn.CrossEntropyLoss()(tk.zeros(2, 1), tk.tensor([0, 0]))
    nn.CrossEntropyLoss()(tk.ones(2, 1), tk.tensor([0, 0]))


def test_log_probabilities_are_not_taken_for_others() -> None:
    for x in (
        X.log_softmax(1),
        tk.zeros(2, 3),
        tk.full((2, 3), 1e-7),
        tk.tensor([[0.0, -np.inf, -np.inf]] * 2),
        tk.zeros(0, 3),
    ):
        nn.NLLLoss()(x, Y[: len(x)])
        nn.KLDivLoss()(x, tk.ones(*x.shape) / 3)
    nn.KLDivLoss(log_target=True)(X.log_softmax(1), X.log_softmax(1))


def test_only_the_first_input_is_looked_at() -> None:
    loss = nn.CrossEntropyLoss()
    loss(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss(PROBABILITIES, Y)


def test_binary_cross_entropy_of_logits_raises() -> None:
    with pytest.raises(ArgumentError, match=r"-1 to 3; for logits there is binary_cross_entropy_with_logits"):
        nn.BCELoss()(tk.tensor([-1.0, 3.0]), tk.tensor([0.0, 1.0]))


ONES = tk.ones(2, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.cross_entropy(X, Y, reduction="avg"), ArgumentError, "'mean', 'sum' or 'none'"),
        (lambda: nn.MSELoss(reduction="avg"), ArgumentError, "'mean', 'sum' or 'none'"),
        (lambda: F.cross_entropy(X, Y, "none"), ArgumentError, r"tensor of shape \(3,\), got 'none'"),
        (lambda: F.cross_entropy(X, Y, tk.ones(2)), ShapeError, r"shape \(3,\), got \(2,\)"),
        (lambda: F.cross_entropy(X, Y, tk.ones(3, requires_grad=True)), DTypeError, "detach"),
        (lambda: F.cross_entropy(X, Y, label_smoothing=1.5), ArgumentError, "between 0 and 1"),
        (lambda: F.cross_entropy(X, ONES.long()), ShapeError, r"\(2, 3\) and \(2, 3\)"),
        (lambda: F.cross_entropy(X, Y.float()), DTypeError, "long"),
        (lambda: F.cross_entropy(X.long(), Y), DTypeError, "float"),
        (lambda: F.cross_entropy(tk.tensor(1.0), tk.tensor(1.0)), ShapeError, "number"),
        (lambda: F.cross_entropy(tk.tensor(1.0), tk.tensor(0)), ShapeError, r"\(\) and \(\)"),
        (lambda: F.cross_entropy(tk.ones(2, 3, 4), tk.zeros(2, 5).long()), ShapeError, r"\(2, 3, 4\) and \(2, 5\)"),
        (lambda: F.cross_entropy(X, tk.tensor([3, 0])), IndexRangeError, "label 3 .1 of 2"),
        (lambda: F.cross_entropy(X, tk.tensor([-2, 0])), IndexRangeError, "label -2"),
        (lambda: F.nll_loss(X, tk.tensor([-100, 5])), IndexRangeError, "label 5"),
        (lambda: F.nll_loss(X, tk.tensor([-1, 1], dtype="int32")), IndexRangeError, "label -1"),
        (lambda: F.binary_cross_entropy(ONES, tk.ones(2)), ShapeError, "one shape"),
        (lambda: F.binary_cross_entropy(ONES, ONES.double()), DTypeError, "one dtype"),
        (lambda: F.binary_cross_entropy(ONES * np.nan, ONES), ArgumentError, "nan"),
        (lambda: F.binary_cross_entropy(ONES, ONES * 2), ArgumentError, "target as probabilities"),
        (lambda: F.binary_cross_entropy(ONES, ONES, tk.ones(2)), ShapeError, "does not broadcast"),
        (lambda: F.binary_cross_entropy_with_logits(ONES, ONES.long()), DTypeError, r"\.float\(\)"),
        (lambda: F.binary_cross_entropy_with_logits(ONES, tk.ones(3)), ShapeError, "one shape"),
        (lambda: F.binary_cross_entropy_with_logits(ONES, ONES, pos_weight=tk.ones(4, 2, 3)), ShapeError, "pos_weight"),
        (lambda: F.mse_loss(ONES, tk.ones(3)), ShapeError, "one shape"),
        (lambda: F.mse_loss(ONES, ONES, weight=tk.ones(3)), ShapeError, "weight"),
        (lambda: F.l1_loss(ONES, tk.ones(3)), ShapeError, "one shape"),
        (lambda: F.smooth_l1_loss(ONES, tk.ones(3)), ShapeError, "one shape"),
        (lambda: F.smooth_l1_loss(ONES, ONES, beta=-1), ArgumentError, "beta"),
        (lambda: F.huber_loss(ONES, ONES, delta=0), ArgumentError, "delta"),
        (lambda: F.huber_loss(ONES, tk.ones(3)), ShapeError, "one shape"),
        (lambda: F.kl_div(ONES.long(), ONES), DTypeError, "float"),
        (lambda: F.gaussian_nll_loss(ONES, ONES, -ONES), ArgumentError, "negative variance"),
        (lambda: F.gaussian_nll_loss(ONES, ONES, tk.ones(3)), ShapeError, "var"),
        (lambda: F.gaussian_nll_loss(ONES, ONES, ONES, eps=0), ArgumentError, "eps"),
        (lambda: F.gaussian_nll_loss(ONES, tk.ones(3), ONES), ShapeError, "one shape"),
        (lambda: F.margin_ranking_loss(ONES, ONES, tk.ones(3)), ShapeError, "as many dimensions"),
        (lambda: F.triplet_margin_loss(ONES, ONES, tk.ones(3)), ShapeError, "as many dimensions"),
        (lambda: F.triplet_margin_loss(ONES, ONES, ONES, margin=-1), ArgumentError, "more than 0"),
        (lambda: nn.TripletMarginLoss(0), ArgumentError, "more than 0"),
        (lambda: F.cosine_embedding_loss(ONES, ONES, tk.tensor(1)), ShapeError, r"\(N, D\)"),
        (lambda: F.multi_margin_loss(ONES, Y, p=3), ArgumentError, "1 or 2"),
        (lambda: nn.MultiMarginLoss(3), ArgumentError, "1 or 2"),
        (lambda: F.multi_margin_loss(ONES, tk.tensor([0, 3])), IndexRangeError, "label 3"),
        (lambda: F.multi_margin_loss(tk.ones(2, 3, 4), Y), ShapeError, r"\(N, C\)"),
        (lambda: F.multilabel_margin_loss(ONES, Y), ShapeError, "one shape"),
        (lambda: F.multilabel_margin_loss(ONES, ONES), DTypeError, "long"),
        (lambda: F.multilabel_margin_loss(ONES, ONES.long() * 3), IndexRangeError, "-1 to 2"),
        (lambda: F.soft_margin_loss(ONES, tk.ones(3)), ShapeError, "one shape"),
        (lambda: F.multilabel_soft_margin_loss(ONES, tk.ones(3)), ShapeError, "one shape"),
    ],
)  # fmt: skip
def test_bad_arguments(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
