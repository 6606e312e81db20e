"""How tensors look. Most of it is compared with PyTorch in tests/oracle/test_printing.py."""

import pytest

import trainkit as tk
from trainkit.errors import ArgumentError


@pytest.fixture(autouse=True)
def usual_options():
    yield
    tk.set_printoptions(profile="default")


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (lambda: tk.tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (lambda: tk.tensor([1.5, 2.0]), "tensor([1.5000, 2.0000])"),
        (lambda: tk.tensor([1e-5, 2.0]), "tensor([1.0000e-05, 2.0000e+00])"),
        (lambda: tk.tensor(3), "tensor(3)"),
        (lambda: tk.tensor([True, False]), "tensor([ True, False])"),
        (lambda: tk.tensor([-1, 10]), "tensor([-1, 10])"),
        (lambda: tk.tensor([0.0, -0.0]), "tensor([0., -0.])"),
        (lambda: tk.tensor([float("nan"), float("inf")]), "tensor([nan, inf])"),
        (lambda: tk.tensor([float("nan"), 1.0]), "tensor([nan, 1.])"),
        (lambda: tk.ones(1, dtype="float64"), "tensor([1.], dtype=float64)"),
        (lambda: tk.ones(1, dtype=tk.uint8), "tensor([1], dtype=uint8)"),
        (lambda: tk.ones(1, requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: tk.ones(1, requires_grad=True) * 2, "tensor([2.], grad_fn=<MulBackward>)"),
        (lambda: tk.zeros(0), "tensor([])"),
        (lambda: tk.zeros(2, 0), "tensor([], size=(2, 0))"),
        (lambda: tk.zeros(0, dtype=tk.int64), "tensor([], dtype=int64)"),
        (lambda: tk.ones(2, 1, 1), "tensor([[[1.]],\n\n        [[1.]]])"),
        (lambda: tk.arange(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
        (
            lambda: tk.zeros(2, 600, dtype=tk.float64),
            "tensor([[0., 0., 0.,  ..., 0., 0., 0.],\n        [0., 0., 0.,  ..., 0., 0., 0.]], dtype=float64)",
        ),
        (
            lambda: tk.full((8,), 1.5, dtype=tk.float64),
            "tensor([1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000, 1.5000],\n       dtype=float64)",
        ),
        (lambda: tk.nn.Parameter(tk.ones(1)), "Parameter containing:\ntensor([1.], requires_grad=True)"),
    ],
)
def test_repr(tensor, text: str) -> None:
    assert repr(tensor()) == str(tensor()) == text


def test_options() -> None:
    x = tk.tensor([1.123456, 2.0])
    tk.set_printoptions(precision=2)
    assert repr(x) == "tensor([1.12, 2.00])"
    tk.set_printoptions(sci_mode=True)
    assert repr(x) == "tensor([1.12e+00, 2.00e+00])"
    tk.set_printoptions(profile="short")
    assert repr(x) == "tensor([1.12, 2.00])"
    assert repr(tk.arange(1001)) == "tensor([   0,    1,  ...,  999, 1000])"
    tk.set_printoptions(profile="full")
    assert "..." not in repr(tk.arange(1001))
    tk.set_printoptions(profile="default", threshold=2, edgeitems=1)
    assert repr(tk.arange(4)) == "tensor([0,  ..., 3])"
    tk.set_printoptions(profile="default", linewidth=20)
    assert repr(tk.arange(6)) == "tensor([0, 1, 2, 3,\n        4, 5])"
    with pytest.raises(ArgumentError, match="default, short, full"):
        tk.set_printoptions(profile="long")


def test_default_dtype_is_not_named() -> None:
    tk.set_default_dtype(tk.float64)
    try:
        assert repr(tk.ones(1)) == "tensor([1.])"
        assert repr(tk.ones(1).float()) == "tensor([1.], dtype=float32)"
    finally:
        tk.set_default_dtype(tk.float32)
