"""Every row of the table of functions: values, gradients, second derivatives, layouts, dtypes, empty and 0-d inputs."""

import dataclasses
from typing import Any

import numpy as np
import pytest

import trainkit as tk
from tests.autograd.function_table import ROWS
from tests.autograd.table.rows import SIZES, Row, draw
from trainkit.autograd import gradcheck, gradgradcheck

each_row = pytest.mark.parametrize("row", ROWS, ids=repr)


def parts_of(out: Any) -> list[Any]:
    """The results of a call, one by one."""
    return list(out) if isinstance(out, (tuple, list)) else [out]


def tensors(row: Row, arrays: list[np.ndarray]) -> list[tk.Tensor]:
    return [
        tk.tensor(array, requires_grad=array.dtype.kind == "f" and row.differentiable and arg.gradient)
        for arg, array in zip(row.args, arrays, strict=True)
    ]


def joined(row: Row, *inputs: tk.Tensor) -> tk.Tensor:
    """All results with a gradient in one tensor."""
    flat = [part.flatten() for part in parts_of(row.call(tk, *inputs)) if part.requires_grad]
    return flat[0] if len(flat) == 1 else tk.cat(flat)


def check_values(row: Row, arrays: list[np.ndarray], tolerance: float) -> None:
    """Compare with the reference, which is told nothing but float64."""
    out = parts_of(row.call(tk, *tensors(row, arrays)))
    wide = [array.astype("float64") if array.dtype.kind == "f" else array for array in arrays]
    expected = parts_of(row.reference(*wide))
    assert len(out) == len(expected)
    for ours, theirs in zip(out, expected, strict=True):
        ours = ours.detach().numpy() if isinstance(ours, tk.Tensor) else np.asarray(ours)
        assert ours.shape == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@each_row
def test_values_and_dtype(row: Row) -> None:
    for dtype, tolerance in (("float32", row.tolerance), ("float64", 1e-11)):
        arrays = draw(row, dtype=dtype)
        if row.reference is not None:
            check_values(row, arrays, tolerance)
        if any(array.dtype.kind == "f" for array in arrays):
            for part in parts_of(row.call(tk, *tensors(row, arrays))):
                assert not isinstance(part, tk.Tensor) or part.dtype.kind != "f" or part.dtype == dtype


@each_row
def test_strided_inputs(row: Row) -> None:
    """The same values, and the same gradients, from arrays that do not lie in order in memory."""
    results = []
    for layout in (np.array, lambda a: np.repeat(a[..., None], 2, -1)[..., 0], lambda a: a.T.copy().T):
        inputs = [
            tk.from_numpy(layout(array)).requires_grad_(x.requires_grad)
            for array, x in zip(draw(row), tensors(row, draw(row)), strict=True)
        ]
        out = [part for part in parts_of(row.call(tk, *inputs)) if isinstance(part, tk.Tensor)]
        if row.differentiable:
            sum(part.sum() for part in out if part.requires_grad).backward()
        results.append([*(o.detach().numpy() for o in out), *(x.grad.numpy() for x in inputs if x.grad is not None)])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)


@each_row
def test_gradients(row: Row) -> None:
    inputs = tensors(row, draw(row))
    if row.differentiable:
        assert gradcheck(lambda *xs: joined(row, *xs), inputs)
    else:
        inputs = [x.requires_grad_() if x.is_floating_point() else x for x in inputs]
        assert not any(isinstance(part, tk.Tensor) and part.requires_grad for part in parts_of(row.call(tk, *inputs)))


@pytest.mark.parametrize("row", [row for row in ROWS if row.differentiable and row.twice], ids=repr)
def test_second_derivatives(row: Row) -> None:
    assert gradgradcheck(lambda *xs: joined(row, *xs), tensors(row, draw(row)))


@pytest.mark.parametrize("row", [row for row in ROWS if row.differentiable], ids=repr)
def test_gradients_keep_shape_and_dtype(row: Row) -> None:
    inputs = tensors(row, draw(row, dtype="float32"))
    joined(row, *inputs).sum().backward()
    for x in inputs:
        assert x.grad is None or (x.grad.dtype == tk.float32 and x.grad.shape == x.shape)


@pytest.mark.parametrize("row", [row for row in ROWS if row.broadcasts], ids=repr)
def test_broadcasting(row: Row) -> None:
    letters = ["knm", "nm", "m", "", "nm"][: len(row.args)]
    sizes = {**SIZES, "n": 1}
    stretched = dataclasses.replace(
        row, args=tuple(dataclasses.replace(arg, letters=some) for arg, some in zip(row.args, letters, strict=True))
    )
    for dims in (SIZES, sizes):
        arrays = draw(stretched, dims)
        if row.reference is not None:
            check_values(stretched, arrays, 1e-11)
        if row.differentiable:
            assert gradcheck(lambda *xs: joined(row, *xs), tensors(stretched, arrays))


@pytest.mark.parametrize("row", [row for row in ROWS if row.scalar], ids=repr)
def test_no_dimensions(row: Row) -> None:
    scalar = dataclasses.replace(row, args=tuple(dataclasses.replace(arg, letters="") for arg in row.args))
    arrays = draw(scalar)
    if row.reference is not None:
        check_values(scalar, arrays, 1e-11)
    if row.differentiable:
        assert gradcheck(lambda *xs: joined(row, *xs), tensors(scalar, arrays))


@pytest.mark.parametrize("row", [row for row in ROWS if row.empty and "n" in row.letters], ids=repr)
def test_empty(row: Row) -> None:
    arrays = draw(row, {**SIZES, "n": 0})
    if row.reference is not None:
        check_values(row, arrays, 1e-11)
    inputs = tensors(row, arrays)
    if row.differentiable:
        joined(row, *inputs).sum().backward()
        assert all(x.grad is None or x.grad.shape == x.shape for x in inputs)
