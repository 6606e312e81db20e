"""How tensors look, to the character as in PyTorch but for the names of dtypes and nodes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import trainkit as tk

pytestmark = pytest.mark.oracle

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)


@pytest.fixture(autouse=True)
def usual_options():
    yield
    tk.set_printoptions(profile="default")
    torch.set_printoptions(profile="default")


def same(array: np.ndarray, requires_grad: bool = False) -> None:
    """Compare the texts, the suffix of the dtype left out: its name has another length, so the line may break elsewhere."""
    ours, theirs = (lib.tensor(array) for lib in (tk, torch))
    if requires_grad:
        ours.requires_grad_(), theirs.requires_grad_()
    wanted = repr(theirs).replace("dtype=torch.", "dtype=")
    got = repr(ours)
    if "dtype=" in got:
        wanted, got = ("".join(text.rsplit(",", 1)).replace("\n       dtype", " dtype") for text in (wanted, got))
    assert got == wanted


def floats(width: int) -> st.SearchStrategy[float]:
    return st.one_of(
        st.floats(width=width),
        st.floats(-9, 9, width=width),
        st.integers(-2000, 2000).map(float),
        st.sampled_from([0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1.0, 0.5, 1e-3, 1000.0]),
    )


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_numbers(data) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = data.draw(SHAPES)
    elements = floats(np.dtype(dtype).itemsize * 8) if dtype.startswith("float") else None
    array = data.draw(hnp.arrays(dtype, shape, elements=elements))
    same(array, requires_grad=dtype == "float32" and data.draw(st.booleans()))


@settings(deadline=None, max_examples=200)
@given(st.integers(-8, 9), st.integers(0, 6), st.sampled_from(["float32", "float64"]), st.integers(0, 99), SHAPES)
def test_magnitudes(low: int, span: int, dtype: str, seed: int, shape) -> None:
    """The choice between fixed and scientific notation, and the width that goes with it."""
    rng = np.random.default_rng(seed)
    array = rng.choice([-1, 1], shape) * 10.0 ** rng.uniform(low, low + span, shape)
    same((np.round(array) if rng.random() < 0.3 else array).astype(dtype))


@pytest.mark.parametrize(
    "shape", [(1001,), (7, 200), (200, 7), (6, 6, 30), (2, 3, 4, 50), (1, 1, 1001), (1001, 1), (1000,)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_summaries(shape, dtype: str) -> None:
    rng = np.random.default_rng(0)
    same((rng.normal(size=shape) * 10).astype(dtype))
    same((np.arange(np.prod(shape)).reshape(shape) / 7).astype(dtype), requires_grad=dtype == "float32")


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_options(data) -> None:
    options = {
        "profile": data.draw(st.sampled_from([None, "default", "short", "full"])),
        "precision": data.draw(st.sampled_from([None, 0, 2, 8])),
        "threshold": data.draw(st.sampled_from([None, 0, 5, 40])),
        "edgeitems": data.draw(st.sampled_from([None, 0, 1, 2])),
        "linewidth": data.draw(st.sampled_from([None, 20, 40, 120])),
        "sci_mode": data.draw(st.sampled_from([None, True, False])),
    }
    tk.set_printoptions(**options)
    torch.set_printoptions(**options)
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=9))
    array = np.random.default_rng(data.draw(st.integers(0, 9))).normal(size=shape).astype("float32")
    same(array, requires_grad=data.draw(st.booleans()))
    same(np.arange(array.size).reshape(shape))


def test_formats_of_numbers() -> None:
    for lib in (tk, torch):
        assert (
            f"{lib.tensor(1.5)} {lib.tensor(0.1):.3f} {lib.tensor(True)} {lib.tensor([2])}"
            == "1.5 0.100 True tensor([2])"
        )
