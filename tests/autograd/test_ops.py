"""Every row of the op table: values, gradients, second derivatives, layouts, dtypes."""

import numpy as np
import pytest

import trainkit as tk
from tests.autograd.op_table import ROWS, Row
from trainkit.autograd import gradcheck, gradgradcheck

each_row = pytest.mark.parametrize("row", ROWS, ids=repr)


def draw(row: Row, dtype: str, seed: int = 0) -> list[np.ndarray]:
    """Draw arguments whose elements all differ by more than a gradcheck's step: no ties, nothing on a kink."""
    rng = np.random.default_rng(seed)
    sizes = [int(np.prod(shape)) for shape in row.shapes]
    grid = np.linspace(row.low, row.high, sum(sizes) + 1)[:-1] + (row.high - row.low) / (3 * sum(sizes) + 1)
    values = rng.permutation(grid)
    return [
        part.reshape(shape).astype(dtype)
        for part, shape in zip(np.split(values, np.cumsum(sizes)[:-1]), row.shapes, strict=True)
    ]


@each_row
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forward(row: Row, dtype: str) -> None:
    arrays = draw(row, dtype)
    expected = np.asarray(row.reference(*[array.astype("float64") for array in arrays]))
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    plain = row.call(*arrays)
    out = row.call(*[tk.from_numpy(array) for array in arrays])
    assert isinstance(out, tk.Tensor)
    assert not isinstance(plain, tk.Tensor), "plain arrays in, plain array out"
    assert out.dtype == (dtype if expected.dtype.kind == "f" else expected.dtype)
    np.testing.assert_allclose(out.numpy(), expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(plain, out.numpy())


@each_row
def test_non_contiguous(row: Row) -> None:
    arrays = draw(row, "float64")
    strided = [np.repeat(array, 2, axis=-1)[..., ::2] for array in arrays]
    np.testing.assert_allclose(row.call(*strided), row.call(*arrays), rtol=1e-12)


@each_row
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_where_arrays_lie_changes_no_bit(row: Row, dtype: str) -> None:
    arrays = draw(row, dtype)
    expected = row.call(*arrays)
    kept = []
    for size in range(1, 41):
        mine = [array.copy() for array in arrays]
        kept += [mine, np.zeros(size * 7 % 23)]  # moves what is made next
        np.testing.assert_array_equal(row.call(*mine), expected)


@each_row
def test_gradients(row: Row) -> None:
    inputs = [tk.tensor(array, requires_grad=True) for array in draw(row, "float64")]
    if row.differentiable:
        assert gradcheck(row.call, inputs)
    else:
        assert not row.call(*inputs).requires_grad


@each_row
def test_second_derivatives(row: Row) -> None:
    if row.differentiable and row.twice:
        assert gradgradcheck(row.call, [tk.tensor(array, requires_grad=True) for array in draw(row, "float64")])


@each_row
def test_gradient_of_strided_leaves_and_dtype(row: Row) -> None:
    if not row.differentiable:
        return
    arrays = draw(row, "float32")
    inputs = [tk.from_numpy(np.repeat(array, 2, axis=-1)[..., ::2]).requires_grad_() for array in arrays]
    out = row.call(*inputs)
    out.backward(tk.ones_like(out))
    twins = [tk.tensor(array, requires_grad=True) for array in arrays]
    row.call(*twins).backward(tk.ones_like(out))
    for x, twin in zip(inputs, twins, strict=True):
        if twin.grad is None:
            assert x.grad is None
            continue
        assert x.grad.dtype == np.float32
        assert x.grad.shape == x.shape
        np.testing.assert_allclose(x.grad.numpy(), twin.grad.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("row", [row for row in ROWS if row.broadcasts], ids=repr)
def test_broadcasting(row: Row) -> None:
    shapes = [(2, 1, 4), (3, 1), ()][: len(row.shapes)]
    stretched = Row(row.name, row.call, shapes, row.reference, row.low, row.high)
    arrays = draw(stretched, "float64")
    np.testing.assert_allclose(row.call(*arrays), row.reference(*arrays), rtol=1e-12)
    if row.differentiable:
        inputs = [tk.tensor(array, requires_grad=True) for array in arrays]
        assert gradcheck(row.call, inputs)
        assert gradgradcheck(row.call, inputs)


@pytest.mark.parametrize("row", [row for row in ROWS if row.broadcasts], ids=repr)
def test_empty(row: Row) -> None:
    inputs = [tk.zeros(0, 3, requires_grad=True) for _ in row.shapes]
    out = row.call(*inputs)
    assert out.shape == (0, 3)
    if row.differentiable:
        out.sum().backward()
        assert inputs[-1].grad.shape == (0, 3)
