"""Result dtypes of all pairs of dtypes, dimensions and Python numbers; casts; limits: against PyTorch."""

import itertools
import warnings

import numpy as np
import pytest
import torch

import trainkit as tk

pytestmark = pytest.mark.oracle

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
PYTHON = [True, 3, 2.5]


def operands(lib, dtype: str) -> list:
    return [lib.ones(2, dtype=getattr(lib, dtype)), lib.ones((), dtype=getattr(lib, dtype))]


CALLS = {
    "add": lambda lib, x, y: lib.add(x, y),
    "sub": lambda lib, x, y: lib.sub(x, y),
    "mul": lambda lib, x, y: lib.mul(x, y),
    "div": lambda lib, x, y: lib.div(x, y),
    "pow": lambda lib, x, y: lib.pow(x, y),
    "operator": lambda lib, x, y: x * y + y,
    "reversed": lambda lib, x, y: y * x,
    "equal": lambda lib, x, y: x == y,
    "less": lambda lib, x, y: x < y,
    "where": lambda lib, x, y: lib.where(lib.tensor([True, False]), x, y),
    "maximum": lambda lib, x, y: lib.maximum(x, y),
    "cat": lambda lib, x, y: lib.cat([x.reshape(-1), y.reshape(-1)]),
    "stack": lambda lib, x, y: lib.stack([x, y]),
    "result_type": lambda lib, x, y: lib.result_type(x, y),
}


def outcome(lib, call, *args) -> str:
    """Return the dtype of a result, or that it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            out = call(lib, *args)
        except (RuntimeError, TypeError, AttributeError):
            return "raises"
    return str(getattr(out, "dtype", out)).removeprefix("torch.")


def assert_same(ours: list[str], theirs: list[str], what: str) -> None:
    """Compare where PyTorch has a result; it has no `sub` of bool, for instance."""
    assert [a for a, b in zip(ours, theirs, strict=True) if b != "raises"] == [b for b in theirs if b != "raises"], what


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("first", DTYPES)
def test_two_tensors(name: str, first: str) -> None:
    for second in DTYPES:
        ours, theirs = (
            [outcome(lib, CALLS[name], x, y) for x in operands(lib, first) for y in operands(lib, second)]
            for lib in (tk, torch)
        )
        if name == "stack":  # of one shape
            ours, theirs = ours[::3], theirs[::3]
        assert_same(ours, theirs, f"{first} and {second}, each with dimensions or without")


@pytest.mark.parametrize("default", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(set(CALLS) - {"cat", "stack", "maximum"}))
def test_tensor_and_number(name: str, default: str) -> None:
    try:
        tk.set_default_dtype(getattr(tk, default))
        torch.set_default_dtype(getattr(torch, default))
        for dtype, number in itertools.product(DTYPES, PYTHON):
            ours, theirs = ([outcome(lib, CALLS[name], x, number) for x in operands(lib, dtype)] for lib in (tk, torch))
            assert_same(ours, theirs, f"{dtype} and {number}")
    finally:
        tk.set_default_dtype(tk.float32)
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("a", "b"), list(itertools.product(DTYPES, DTYPES)))
def test_rules_of_types(a: str, b: str) -> None:
    for name in ("promote_types", "can_cast"):
        ours, theirs = (getattr(lib, name)(getattr(lib, a), getattr(lib, b)) for lib in (tk, torch))
        assert str(ours) == str(theirs).removeprefix("torch.")


@pytest.mark.parametrize(("source", "target"), list(itertools.product(DTYPES, DTYPES)))
def test_casts(source: str, target: str) -> None:
    values = np.array([0, 1, -1, 100, 127, 128, -128, 255, 300, 1.5, -2.7, 30000]).astype("float64")
    if source == "uint8":
        values = np.abs(values) % 256
    array = (
        values.astype(source)
        if source.startswith("float") or source == "bool"
        else values.astype("int64").astype(source)
    )
    ours, theirs = (lib.from_numpy(array).to(getattr(lib, target)) for lib in (tk, torch))
    assert ours.dtype == theirs.numpy().dtype
    small = np.abs(array.astype("float64")) < 30000  # beyond a dtype a cast of floats is the processor's affair
    np.testing.assert_array_equal(ours.numpy()[small], theirs.numpy()[small])


def test_limits() -> None:
    for dtype in ("float16", "float32", "float64"):
        ours, theirs = (lib.finfo(getattr(lib, dtype)) for lib in (tk, torch))
        assert repr(ours) == repr(theirs)
        for name in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
            assert getattr(ours, name) == getattr(theirs, name)
    for dtype in ("int8", "int16", "int32", "int64", "uint8"):
        ours, theirs = (lib.iinfo(getattr(lib, dtype)) for lib in (tk, torch))
        assert repr(ours) == repr(theirs)
        assert (ours.bits, ours.min, ours.max) == (theirs.bits, theirs.min, theirs.max)


@pytest.mark.parametrize(
    "data",
    [
        [],
        [[], []],
        [True, 2],
        [True, 2.5],
        [[1, 2], [3.5, 4]],
        np.float64(1),
        [np.float64(1)],
        [1.0, np.float64(2)],
        [np.float32(1), 2.0],
        [np.float16(1)],
        [np.int32(1)],
        [np.int32(1), 2],
        [np.uint8(1), np.int8(1)],
        [[1, 2], np.array([1, 2], "int32")],
        (1, 2.5),
        range(3),
    ],
    ids=repr,
)
def test_dtype_of_data(data) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = torch.tensor(data)
    ours = tk.tensor(data)
    assert ours.dtype == expected.numpy().dtype
    np.testing.assert_array_equal(ours.numpy(), expected.numpy())
