"""Every row of the table of functions against PyTorch: values, gradients, dtypes, on drawn sizes."""

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trainkit as tk
from tests.autograd.function_table import ROWS
from tests.autograd.table.rows import Row, draw

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::UserWarning:torch")]


PRODUCTS = {"matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "outer", "ger", "kron", "einsum"}
SUMS = {"add", "sub", "sum", "nansum", "mean", "nanmean", "addmm", "addmv", "addr", "addbmm", "baddbmm"}
QUIET = {"mul", *PRODUCTS, *SUMS}
"""They warn as numpy does: not warning costs more than the rest of a small product."""


def run(lib: Any, row: Row, arrays: list[np.ndarray]) -> tuple[list[Any], list[Any]]:
    """Return the results of a call and the gradients of its arguments, as arrays or numbers."""
    inputs = [
        lib.tensor(array, requires_grad=array.dtype.kind == "f" and row.differentiable and arg.gradient)
        for arg, array in zip(row.args, arrays, strict=True)
    ]
    with warnings.catch_warnings():
        if lib is torch:
            warnings.simplefilter("ignore")
        out = row.call(lib, *inputs)
    parts = list(out) if isinstance(out, (tuple, list)) else [out]
    total = None
    for i, part in enumerate(parts):
        if getattr(part, "requires_grad", False):
            weights = np.random.default_rng(i).uniform(0.5, 1.5, tuple(part.shape))
            term = (part * lib.tensor(weights).to(part.dtype)).sum()
            total = term if total is None else total + term
    if total is not None:
        total.backward()
    values = [part.detach().numpy() if hasattr(part, "detach") else part for part in parts]
    return values, [x.grad.numpy(force=True) if x.grad is not None else None for x in inputs]


def compare(row: Row, arrays: list[np.ndarray], tolerance: float) -> None:
    values, gradients = run(tk, row, arrays)
    expected, expected_gradients = run(torch, row, arrays)
    assert len(values) == len(expected)
    for ours, theirs in zip(values, expected, strict=True):
        if isinstance(theirs, np.ndarray):
            assert ours.shape == theirs.shape
            assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        if theirs is None:
            assert ours is None or not ours.any()
            continue
        assert ours is not None
        assert ours.dtype == theirs.dtype
        finite = np.abs(theirs[np.isfinite(theirs)])
        scale = max(1.0, float(finite.max(initial=0.0)))
        np.testing.assert_allclose(ours, theirs, rtol=tolerance * 10, atol=tolerance * scale)


@pytest.mark.parametrize("row", ROWS, ids=repr)
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_against_torch(row: Row, data: Any) -> None:
    smallest = {letter: row.least.get(letter, 1) for letter in row.letters}
    if row.empty and "n" in smallest and "n" not in row.least:
        smallest["n"] = 0
    sizes = {letter: data.draw(st.integers(least, 5), letter) for letter, least in smallest.items()}
    dtype = data.draw(st.sampled_from(["float32", "float64", *row.dtypes]))
    manner = data.draw(st.sampled_from(["distinct", *["ties"] * row.ties]))
    arrays = draw(row, sizes, dtype=dtype, seed=data.draw(st.integers(0, 99)), manner=manner)
    tolerance = {"float64": 1e-9, "float16": 2e-3}.get(dtype, row.tolerance)
    compare(row, arrays, tolerance)


@pytest.mark.parametrize("row", [row for row in ROWS if row.special], ids=repr)
@pytest.mark.parametrize("seed", range(3))
def test_nan_and_infinity_as_in_torch(row: Row, seed: int) -> None:
    arrays = draw(row, dict.fromkeys(row.letters, 4), dtype="float32", seed=seed, manner="special")
    plain = dataclasses.replace(row, differentiable=False)
    with np.errstate(all="ignore" if row.name.removeprefix("Tensor.") in QUIET else "raise"):
        ours, _ = run(tk, plain, arrays)
    theirs, _ = run(torch, plain, arrays)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=row.tolerance, atol=row.tolerance)
