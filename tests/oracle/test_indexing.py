"""Drawn indices in both libraries: what is picked, whether it is a view, what is written, and the gradients."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::UserWarning")]

LISTS, TENSORS, ARRAYS = "list", "tensor", "array"


@st.composite
def mixed(draw: Any, repeats: bool = True) -> tuple[tuple[int, ...], list[Any]]:
    """A shape and what stands between the brackets: arrays are pairs of how to give them and their values.

    Without `repeats` no element is named twice: at most one array of integers, none of them twice.
    """
    shape = tuple(draw(st.lists(st.integers(1, 4), max_size=4)))
    parts: list[Any] = []
    dim, dots, several = 0, False, draw(st.sampled_from([(), (1,), (2,), (3, 1), (2, 2)]))
    arrays = 0
    while dim < len(shape) and (dots or draw(st.integers(0, 5))):  # behind the dots all dimensions are named
        size = shape[dim]
        kind = draw(st.sampled_from(["int", "slice", "none", "dots", "array", "array", "mask", "bool", "number"]))
        if kind == "array" and not repeats and arrays:
            kind = "slice"
        if kind == "mask" and arrays:
            kind = "array" if repeats else "int"
        if kind == "int":
            parts.append(draw(st.integers(-size, size - 1)))
        elif kind == "number":
            parts.append((draw(st.sampled_from([TENSORS, ARRAYS])), draw(st.integers(-size, size - 1))))
        elif kind == "slice":
            bound = st.none() | st.integers(-size - 1, size + 1)
            parts.append(slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 3))))
        elif kind == "none":
            parts.append(None)
            continue
        elif kind == "dots":
            if dots:
                continue
            dots = True
            parts.append(...)
            dim += draw(st.integers(0, len(shape) - dim))
            continue
        elif kind == "bool":
            if arrays:
                continue
            parts.append(True)
            continue
        elif kind == "array":
            arrays += 1
            if repeats:
                values = np.array(draw(st.lists(st.integers(-size, size - 1), min_size=4, max_size=4)))
                values = values[: int(np.prod(several))].reshape(several)
            else:
                count = draw(st.integers(0, size))
                values = np.array(draw(st.permutations(range(size)))[:count], np.int64)
            given_as = draw(st.sampled_from([LISTS, TENSORS, ARRAYS]))
            if given_as == LISTS and (not values.ndim or not values.size):
                given_as = TENSORS
            parts.append((given_as, values))
        else:
            arrays += 1
            dims = draw(st.integers(1, min(2, len(shape) - dim)))
            count = int(np.prod(shape[dim : dim + dims]))
            values = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
            if repeats:
                several = ()  # a mask picks a number of its own: with other arrays none but single ones fit
                arrays += 1
            values = values.reshape(shape[dim : dim + dims])
            # PyTorch counts the dimensions of a mask that is an array as one, and writes nothing at one of uint8
            kinds = [TENSORS, *["uint8"] * repeats, *[ARRAYS] * (dims == 1)]
            parts.append((draw(st.sampled_from(kinds)), values))
            dim += dims - 1
        dim += 1
    return shape, parts


def made(lib: Any, parts: list[Any], alone: bool) -> Any:
    """The index for one of the libraries."""
    index = []
    for part in parts:
        if isinstance(part, tuple):
            given_as, values = part
            if given_as == LISTS:
                part = values.tolist()
            elif given_as == ARRAYS:
                part = np.asarray(values)
            elif given_as == "uint8":
                part = lib.tensor(values.astype("uint8"))
            else:
                part = lib.tensor(values)
        index.append(part)
    return index[0] if alone and len(index) == 1 else tuple(index)


def outcome(lib: Any, run: Any) -> Any:
    try:
        return run(lib)
    except (IndexError, ValueError, RuntimeError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


def agree(run: Any) -> None:
    ours, theirs = outcome(tk, run), outcome(torch, run)
    if isinstance(theirs, str) or isinstance(ours, str):
        assert isinstance(theirs, str), ours
        assert isinstance(ours, str), theirs
        return
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, np.ndarray):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-12)
        else:
            assert a == b


@settings(deadline=None, max_examples=300)
@given(mixed(), st.booleans())
def test_getitem(case: Any, alone: bool) -> None:
    shape, parts = case

    def run(lib: Any) -> list[Any]:
        x = lib.tensor(np.arange(np.prod(shape), dtype="float64").reshape(shape), requires_grad=True)
        base = x * 1.0
        picked = base[made(lib, parts, alone)]
        view = picked._base is not None if lib is torch else picked.view_of is not None
        weights = lib.tensor(np.arange(1.0, picked.numel() + 1).reshape(tuple(picked.shape)))
        grad = lib.autograd.grad((picked * picked * weights).sum(), x)[0]
        return [picked.detach().numpy(), view, grad.numpy()]

    agree(run)


@settings(deadline=None, max_examples=300)
@given(
    mixed(repeats=False), st.booleans(), st.sampled_from(["number", "scalar", "last", "full", "ones"]), st.booleans()
)
def test_setitem(case: Any, alone: bool, kind: str, recorded: bool) -> None:
    shape, parts = case

    def run(lib: Any) -> list[Any]:
        x = lib.tensor(np.arange(np.prod(shape), dtype="float64").reshape(shape), requires_grad=recorded)
        base = x * 1.0
        index = made(lib, parts, alone)
        wanted = tuple(base[index].shape)
        sizes = {"scalar": (), "last": wanted[-1:], "full": wanted, "ones": (1, *wanted)}.get(kind, ())
        value = lib.tensor(np.arange(1.0, np.prod(sizes) + 1).reshape(sizes) / 7, requires_grad=True)
        base[index] = 0.5 if kind == "number" else value * 2.0
        weights = lib.tensor(np.arange(1.0, base.numel() + 1).reshape(shape))
        total = (base * base * weights).sum()
        out = [base.detach().numpy()]
        if total.requires_grad:
            inputs = [x] * recorded + [value] * (kind != "number")
            out += [grad.numpy() for grad in lib.autograd.grad(total, inputs)]
        return out

    agree(run)


@pytest.mark.parametrize(
    "index",
    [
        [[0, 1], [1, 2]],
        [slice(0, 2), 1],
        [None, 1],
        [..., 1],
        [np.array([0, 1]), np.array([1, 2])],
        [True, False, True],
        [True, 2],
        [],
        [[]],
        ([], []),
        ((0, 1), (1, 2)),
        range(2),
        [[0], [1, 2]],
        np.array(1),
        (0, np.array(1)),
        np.array(True),
        np.int8(1),
        False,
        (0, False),
        (False, [0]),
        (True, True),
        (slice(None), True),
        ([0, 1], slice(None), True),
        (),
        ...,
    ],
    ids=repr,
)
def test_lists_and_other_objects(index: Any) -> None:
    def run(lib: Any) -> list[Any]:
        x = lib.tensor(np.arange(60.0).reshape(3, 4, 5))
        picked = x[index]
        return [picked.numpy(), picked._base is not None if lib is torch else picked.view_of is not None]

    agree(run)


@pytest.mark.parametrize(
    "index",
    [3, (0, -5), (0, 0, 0, 0), 1.0, {1}, {}, slice(None, None, -1), slice(1.0, 2), [5], (slice(None), [0, -5]), ([0, 1], [0, 1, 2]), np.ones(2, bool), (slice(None), np.ones((4, 4), bool)), (False, [0, 1])],
    ids=repr,
)  # fmt: skip
def test_what_both_refuse(index: Any) -> None:
    for lib in (tk, torch):
        with pytest.raises((IndexError, ValueError, TypeError)):
            lib.zeros(3, 4, 5)[index]
    with pytest.raises((IndexError, ValueError)):
        tk.zeros(3, 4, 5)[index] = 1.0


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), st.lists(st.integers(0, 3), max_size=6), st.integers(-4, 3))
def test_embedding_with_padding(features: int, rows: list[int], padding: int) -> None:
    def run(lib: Any) -> list[Any]:
        weight = lib.tensor(np.arange(4.0 * features).reshape(4, features), requires_grad=True)
        out = lib.nn.functional.embedding(lib.tensor(np.array(rows, np.int64)), weight, padding_idx=padding)
        grad = lib.autograd.grad((out * out).sum(), weight)[0]
        return [out.detach().numpy(), grad.numpy()]

    agree(run)
