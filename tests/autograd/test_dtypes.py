"""Dtypes: their names, promotion, casts and the gradient through them."""

import itertools

import numpy as np
import pytest

import trainkit as tk
from trainkit.autograd import gradcheck
from trainkit.autograd.dtypes import TENSOR_TYPES, as_dtype
from trainkit.errors import DTypeError

ALL = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


def test_names() -> None:
    assert (tk.half, tk.float, tk.double) == (tk.float16, tk.float32, tk.float64)
    assert (tk.short, tk.int, tk.long) == (tk.int16, tk.int32, tk.int64)
    assert [getattr(tk, name).name for name in ALL] == list(ALL)
    assert all(isinstance(getattr(tk, name), np.dtype) for name in ALL)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (float, "float64"),
        (int, "int64"),
        (bool, "bool"),
        (np.float16, "float16"),
        (np.longlong, "int64"),
        ("float32", "float32"),
        ("float", "float64"),
        ("torch.float", "float32"),
        ("torch.int", "int32"),
        ("trainkit.long", "int64"),
        ("torch.uint8", "uint8"),
        ("torch.HalfTensor", "float16"),
        (tk.ByteTensor, "uint8"),
        (np.dtype("int8"), "int8"),
    ],
)
def test_what_is_accepted_as_a_dtype(given, expected: str) -> None:
    assert as_dtype(given) is getattr(tk, expected)
    assert tk.zeros(1, dtype=given).dtype is getattr(tk, expected)
    assert tk.ones(1).to(dtype=given).dtype is getattr(tk, expected)


@pytest.mark.parametrize(
    "given",
    [
        complex,
        np.complex64,
        "bfloat16",
        "torch.bfloat16",
        np.uint16,
        "U3",
        object,
        ">f4",
        np.longdouble,
        "foo",
        3.5,
        None,
    ],
)
def test_what_is_not(given) -> None:
    with pytest.raises(DTypeError, match="no dtype of tensors"):
        as_dtype(given)


def test_promotion_of_types() -> None:
    for a, b in itertools.product(ALL, ALL):
        assert tk.promote_types(a, b) == tk.promote_types(b, a)
    assert tk.promote_types(tk.uint8, tk.int8) == tk.int16
    assert tk.promote_types(tk.int64, tk.float16) == tk.float16
    assert tk.promote_types(tk.float16, tk.float64) == tk.float64
    assert tk.promote_types(tk.bool, tk.uint8) == tk.uint8


def test_result_type() -> None:
    integers, zero_dim = tk.ones(2, dtype=tk.int32), tk.tensor(1.0, dtype=tk.float64)
    assert tk.result_type(integers, 1.5) == tk.float32
    assert tk.result_type(integers, zero_dim) == tk.float64
    assert tk.result_type(tk.ones(2), zero_dim) == tk.float32
    assert tk.result_type(integers, tk.tensor(1, dtype=tk.int64)) == tk.int32
    assert tk.result_type(tk.ones(2, dtype=tk.bool), 3) == tk.int64
    assert tk.result_type(True, 3) == tk.int64
    assert tk.result_type(3, 1.5) == tk.float32
    for bad in ("a", None, 1j):
        with pytest.raises(DTypeError, match="tensors and numbers"):
            tk.result_type(integers, bad)
    with pytest.raises(DTypeError, match="at least one"):
        tk.result_type()


def test_can_cast() -> None:
    assert tk.can_cast(tk.float64, tk.float16)
    assert tk.can_cast(tk.int64, tk.uint8)
    assert tk.can_cast(tk.bool, tk.int8)
    assert not tk.can_cast(tk.float16, tk.int64)
    assert not tk.can_cast(tk.uint8, tk.bool)


def test_limits() -> None:
    assert tk.finfo(tk.float32).max == float(np.finfo("float32").max)
    assert tk.finfo().bits == 32
    assert type(tk.finfo(tk.float64).eps) is float
    assert tk.finfo(tk.float16).tiny == tk.finfo(tk.float16).smallest_normal == 2**-14
    assert (tk.iinfo(tk.uint8).min, tk.iinfo(tk.uint8).max, tk.iinfo(tk.int16).bits) == (0, 255, 16)
    with pytest.raises(DTypeError, match="iinfo"):
        tk.finfo(tk.int8)
    for bad in (tk.float32, tk.bool):
        with pytest.raises(DTypeError, match="finfo"):
            tk.iinfo(bad)


def test_default_dtype() -> None:
    for bad in (tk.int64, "bool", complex):
        with pytest.raises(DTypeError, match="dtype"):
            tk.set_default_dtype(bad)
    assert tk.get_default_dtype() is tk.float32


@pytest.mark.parametrize(("source", "target"), list(itertools.product(ALL, ALL)))
def test_every_cast(source: str, target: str) -> None:
    x = tk.tensor([0, 1, 100], dtype=source)
    y = x.to(getattr(tk, target))
    assert y.dtype is getattr(tk, target)
    assert (y is x) == (source == target)
    np.testing.assert_array_equal(y.numpy(), x.numpy().astype(target))
    assert y.tolist() == ([bool(v) for v in x.tolist()] if target == "bool" else x.tolist())


def test_methods_of_casting() -> None:
    x = tk.tensor([1.5])
    names = ("half", "float", "double", "char", "short", "int", "long", "byte", "bool")
    dtypes = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
    for name, dtype in zip(names, dtypes, strict=True):
        assert getattr(x, name)().dtype == dtype
    assert x.float() is x
    for name, dtype in TENSOR_TYPES.items():
        assert x.type(f"torch.{name}").dtype is dtype
        assert x.to(dtype).type() == f"trainkit.{name}"
        assert x.type(getattr(tk, name)).dtype is dtype
    assert x.type(tk.int8).dtype == tk.int8
    assert x.type_as(tk.tensor(True)).dtype == tk.bool
    assert x.is_floating_point()
    assert not tk.is_floating_point(x.long())
    assert not tk.is_complex(x)
    with pytest.raises(DTypeError, match="list"):
        tk.is_floating_point([1.0])


def test_forms_of_to() -> None:
    x = tk.ones(2)
    other = tk.ones(1, dtype=tk.int16)
    for y in (x.to(other), x.to(other=other), x.to("cpu", tk.int16), x.to(tk.int16, True), x.to("cpu", dtype="int16")):
        assert y.dtype == tk.int16
    for y in (x.to(), x.to(tk.float32), x.to("cpu"), x.to(None), x.to(x), x.to("cpu", True, False)):
        assert y is x
    for y in (
        x.to(tk.float32, copy=True),
        x.to(tk.float32, False, True),
        x.to(x, copy=True),
        x.to("cpu", tk.float32, False, True),
    ):
        assert not np.shares_memory(y.array, x.array)
    with pytest.raises(DTypeError, match="foo"):
        x.to("foo")
    with pytest.raises(ValueError, match="to\\(\\)"):
        x.to(tk.float32, True, True, True)


def test_casts_of_what_does_not_fit_are_silent() -> None:
    x = tk.tensor([1e300, -1.5, 300.0, float("nan"), float("inf"), float("-inf")], dtype=tk.float64)
    assert x.float()[0].item() == float("inf")
    assert x.half()[4].item() == float("inf")
    for dtype in ALL:
        assert x.to(dtype).dtype == dtype
    assert x.byte().tolist()[1:3] == [255, 44]
    assert x.bool().tolist() == [True] * 6
    empty = tk.zeros(6, dtype=tk.int64)
    empty[...] = x.long()
    assert empty[1].item() == -1


def test_gradient_through_casts() -> None:
    x = tk.tensor([1.0, 2.0], requires_grad=True)
    y = x.double()
    assert y.requires_grad
    (y * y).sum().backward()
    assert x.grad.dtype == tk.float32
    assert x.grad.tolist() == [2.0, 4.0]
    x.grad = None
    (x.half() * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    x.grad = None
    copied = x.to(tk.float32, copy=True)
    copied.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    for dtype in ("int64", "bool", "uint8"):
        assert not x.to(dtype).requires_grad
        assert x.to(dtype).is_leaf
    assert gradcheck(lambda z: z.to(tk.float64, copy=True) * 2, [tk.ones(2, dtype="float64", requires_grad=True)])


def test_arithmetic_in_float16() -> None:
    x = tk.tensor([1.5, -2.0], dtype=tk.float16, requires_grad=True)
    out = (x * 2 + 1).exp().sum()
    assert out.dtype == tk.float16
    out.backward()
    assert x.grad.dtype == tk.float16
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(2 * x.detach().numpy() + 1), rtol=2e-3)
