"""Embedding, Bilinear, Linear and the similarities: what PyTorch is not needed for."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from trainkit.nn import functional as F


def test_embedding_begins_normal_and_its_padding_at_0() -> None:
    layer = nn.Embedding(300, 100, padding_idx=-2)
    weight = layer.weight.detach().numpy()
    assert layer.padding_idx == 298
    assert not weight[298].any()
    assert abs(np.delete(weight, 298, 0).std() - 1) < 0.01
    layer(tk.tensor([298, 1, 1])).sum().backward()
    slopes = layer.weight.grad.numpy()
    assert slopes[1, 0] == 2
    assert np.count_nonzero(slopes.any(1)) == 1


def test_gradients_divided_by_how_often_a_row_is_named() -> None:
    layer = nn.Embedding(4, 2, scale_grad_by_freq=True, dtype=tk.float64)
    indices = tk.tensor([[0, 0, 3], [0, 1, 3]])
    out = layer(indices)
    assert tk.equal(out, F.embedding(indices, layer.weight))
    out.sum().backward()
    np.testing.assert_allclose(layer.weight.grad.numpy(), [[1, 1], [1, 1], [0, 0], [1, 1]])


def test_long_rows_are_shortened_where_they_are_named() -> None:
    weight = tk.full((3, 4), 3.0)
    short = tk.full((1, 4), 0.1)
    weight[2] = short[0]
    out = F.embedding(tk.tensor([0, 2, 0]), weight, max_norm=1.0)
    np.testing.assert_allclose(out.norm(dim=1).numpy(), [1, 0.2, 1], rtol=1e-5)
    np.testing.assert_allclose(weight.norm(dim=1).numpy(), [1, 6, 0.2], rtol=1e-5)
    layer = nn.Embedding.from_pretrained(tk.full((2, 2), 3.0), freeze=False, max_norm=2.0, norm_type=1.0)
    version = layer.weight.version[0]
    layer(tk.tensor([1])).sum().backward()
    assert layer.weight.version[0] > version
    np.testing.assert_allclose(layer.weight.detach().numpy(), [[3, 3], [1, 1]], rtol=1e-5)


def test_a_table_is_shared_and_frozen() -> None:
    table = tk.rand(4, 3)
    layer = nn.Embedding.from_pretrained(table)
    assert np.shares_memory(layer.weight.array, table.array)
    assert not layer.weight.requires_grad
    assert isinstance(layer.weight, nn.Parameter)
    assert nn.Embedding.from_pretrained(table.double(), freeze=False).weight.dtype == tk.float64


def test_bilinear_begins_within_its_bound() -> None:
    layer = nn.Bilinear(16, 5, 40)
    for parameter in layer.parameters():
        assert 0.2 < np.abs(parameter.detach().numpy()).max() <= 0.25


def test_dtype_and_device_of_layers() -> None:
    for layer in (nn.Linear(2, 3, dtype="float64", device="cpu"), nn.Bilinear(2, 2, 3, dtype="float64")):
        assert {parameter.dtype for parameter in layer.parameters()} == {tk.float64}


def test_empty_batches() -> None:
    for layer, inputs in (
        (nn.Linear(3, 2), [tk.zeros(0, 3)]),
        (nn.Bilinear(3, 4, 2), [tk.zeros(0, 3), tk.zeros(0, 4)]),
        (nn.Embedding(3, 2), [tk.zeros(0, dtype="int64")]),
    ):
        out = layer(*inputs)
        assert out.shape == (0, 2)
        out.sum().backward()
        assert all(p.grad is not None and not p.grad.numpy().any() for p in layer.parameters())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Embedding(3, 2, sparse=True), ArgumentError, "sparse"),
        (lambda: F.embedding(tk.tensor([0]), tk.ones(3, 2), sparse=True), ArgumentError, "sparse"),
        (lambda: nn.Embedding(0, 2), ArgumentError, "at least one row"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), IndexRangeError, "padding_idx 3"),
        (lambda: nn.Embedding(3, 2)(tk.tensor([3])), IndexRangeError, "index 3"),
        (lambda: nn.Embedding(3, 2, max_norm=1.0)(tk.tensor([-1])), IndexRangeError, "index -1"),
        (lambda: nn.Embedding(3, 2)(tk.tensor([1.0])), DTypeError, "long"),
        (lambda: nn.Embedding.from_pretrained(tk.ones(3)), ShapeError, r"\(rows, features\)"),
        (lambda: nn.Bilinear(0, 2, 2), ArgumentError, "at least one feature"),
        (lambda: nn.Bilinear(2, 3, 4)(tk.ones(5, 2), tk.ones(4, 3)), ShapeError, r"\(5, 2\) and \(4, 3\)"),
        (lambda: nn.Bilinear(2, 3, 4)(tk.ones(5, 2), tk.ones(5, 2)), ShapeError, r"\(\*, 2\) and \(\*, 3\)"),
        (lambda: nn.Bilinear(2, 3, 4)(tk.ones(5, 2).double(), tk.ones(5, 3)), DTypeError, "float32"),
        (lambda: F.bilinear(tk.ones(2), tk.ones(2), tk.ones(2, 2)), ShapeError, r"\(out, in1, in2\)"),
        (lambda: F.linear(tk.ones(2), tk.ones(2, 2, 2)), ShapeError, r"\(out, in\)"),
        (lambda: F.linear(tk.ones(2), tk.ones(3, 2), tk.ones(2)), ShapeError, r"bias of shape \(3,\)"),
        (lambda: nn.CosineSimilarity()(tk.ones(2, 3).long(), tk.ones(2, 3)), DTypeError, "cosine_similarity"),
        (lambda: nn.CosineSimilarity()(tk.ones(2, 3), tk.ones(2, 4)), ShapeError, "broadcast"),
        (lambda: nn.CosineSimilarity(2)(tk.ones(2, 3), tk.ones(2, 3)), IndexRangeError, "2"),
        (lambda: nn.PairwiseDistance()(tk.ones(2, 3), tk.ones(2, 4)), ShapeError, "broadcast"),
    ],
)  # fmt: skip
def test_bad_arguments(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
