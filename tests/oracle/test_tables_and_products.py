"""Linear, Bilinear, Embedding and the similarities against PyTorch's, over their arguments."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk

pytestmark = pytest.mark.oracle

batches = st.sampled_from([(), (1,), (5,), (0,), (2, 3), (3, 1, 2)])
sizes = st.sampled_from([1, 2, 7, 33])


def compare(make, *arrays: np.ndarray, tolerance: float = 1e-4) -> None:
    """Copy the parameters over; compare results, gradients, the parameters after the call."""
    theirs, ours = make(torch.nn), make(tk.nn)
    assert repr(ours) == repr(theirs)
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict({name: value.numpy() for name, value in state.items()})
    results = []
    for lib, layer in ((tk, ours), (torch, theirs)):
        inputs = [lib.tensor(array, requires_grad=array.dtype.kind == "f") for array in arrays]
        out = layer(*inputs)
        if out.requires_grad:
            out.backward(lib.tensor(np.random.default_rng(1).normal(size=tuple(out.shape)).astype("float32")))
        tensors = [*inputs, *layer.parameters()]
        results.append([out, *tensors, *[t.grad for t in tensors if t.grad is not None]])
    for mine, other in zip(*results, strict=True):
        assert mine.shape == tuple(other.shape)
        np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=tolerance, atol=tolerance)


def draw(data, *shape: int) -> np.ndarray:
    return np.random.default_rng(data.draw(st.integers(0, 2**16))).normal(size=shape).astype("float32")


@settings(deadline=None, max_examples=20)
@given(st.data(), batches, sizes, sizes, sizes, st.booleans())
def test_products(data, batch, a, b, out, bias) -> None:
    compare(lambda nn: nn.Linear(a, out, bias), draw(data, *batch, a))
    compare(lambda nn: nn.Bilinear(a, b, out, bias), draw(data, *batch, a), draw(data, *batch, b))


@settings(deadline=None, max_examples=30)
@given(
    st.data(), st.sampled_from([(), (1,), (9,), (0,), (4, 5)]), st.integers(1, 6), sizes, st.booleans(),
    st.sampled_from([None, 0.5, 3.0]), st.sampled_from([1.0, 2.0, 3.0]), st.booleans(),
)  # fmt: skip
def test_embedding(data, shape, rows, features, padded, max_norm, norm_type, scaled) -> None:
    padding = data.draw(st.integers(-rows, rows - 1)) if padded else None
    indices = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, rows, shape)
    args = rows, features, padding, max_norm, norm_type, scaled
    # after torch 2.13 the gradient of a table that the call itself changed cannot be had: none there
    compare(lambda nn: nn.Embedding(*args), np.asarray(indices))


def test_embedding_from_a_table() -> None:
    table = np.arange(12, dtype="float32").reshape(4, 3)
    for frozen in (True, False):
        results = []
        for lib in (tk, torch):
            layer = lib.nn.Embedding.from_pretrained(lib.tensor(table), freeze=frozen, padding_idx=1)
            out = layer(lib.tensor(np.array([0, 1, 3, 3])))
            assert layer.weight.requires_grad is not frozen
            if not frozen:
                out.sum().backward()
                results.append(layer.weight.grad.numpy())
            results.append(out.detach().numpy())
        half = len(results) // 2
        for ours, theirs in zip(results[:half], results[half:], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_padding_row_begins_at_0_and_the_rest_is_normal() -> None:
    layer = tk.nn.Embedding(200, 100, padding_idx=-1)
    weight = layer.weight.detach().numpy()
    assert not weight[-1].any()
    assert abs(weight[:-1].std() - 1) < 0.02
    assert abs(weight[:-1].mean()) < 0.02


@settings(deadline=None, max_examples=20)
@given(
    st.data(),
    st.sampled_from([((4, 3), (4, 3)), ((4, 3), (1, 3)), ((2, 3, 5), (3, 5)), ((0, 2), (0, 2))]),
    st.integers(-2, 1),
    st.sampled_from([1e-8, 0.5, 4.0]),
)
def test_cosine_similarity(data, shapes, dim, eps) -> None:
    compare(lambda nn: nn.CosineSimilarity(dim, eps), *[draw(data, *shape) for shape in shapes])


@settings(deadline=None, max_examples=20)
@given(
    st.data(),
    st.sampled_from([((4, 3), (4, 3)), ((4, 3), (3,)), ((2, 3, 5), (3, 5)), ((3,), (3,)), ((0, 2), (0, 2))]),
    st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0, float("inf")]),
    st.booleans(),
)
def test_pairwise_distance(data, shapes, p, keepdim) -> None:
    if p == 0:
        f = [
            lib.nn.PairwiseDistance(p, keepdim=keepdim)(*[lib.tensor(np.ones(shape, "float32")) for shape in shapes])
            for lib in (tk, torch)
        ]
        np.testing.assert_array_equal(f[0].numpy(), f[1].numpy())
        return
    compare(lambda nn: nn.PairwiseDistance(p, keepdim=keepdim), *[draw(data, *shape) for shape in shapes])


def test_vectors_of_no_length() -> None:
    x, y = np.zeros((2, 3), "float32"), np.ones((2, 3), "float32")
    compare(lambda nn: nn.CosineSimilarity(eps=1e-3), x, y)
    compare(lambda nn: nn.PairwiseDistance(eps=0.0), y, y)
