"""Shapes: what is a view, changes through views, what is taken as a size, and what is said of a wrong one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import trainkit as tk
import trainkit.nn.functional as F
from trainkit.autograd import gradcheck
from trainkit.autograd.size import Size, sizes_of
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, InPlaceError, ShapeError

View = Callable[[Any], Any]

VIEWS: dict[str, View] = {
    "view": lambda x: x.view(6, 4),
    "view-dtype": lambda x: x.view(tk.int64),
    "view_as": lambda x: x.view_as(tk.zeros(2, 12)),
    "reshape": lambda x: x.reshape(2, -1),
    "reshape_as": lambda x: x.reshape_as(tk.zeros(24)),
    "flatten": lambda x: x.flatten(),
    "ravel": lambda x: x.ravel(),
    "unflatten": lambda x: x.unflatten(1, (3, 2)),
    "transpose": lambda x: x.transpose(0, 1),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "swapdims": lambda x: x.swapdims(0, 1),
    "t": lambda x: x.t(),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "mH": lambda x: x.mH,
    "H": lambda x: x.H,
    "adjoint": lambda x: x.adjoint(),
    "permute": lambda x: x.permute(1, 0),
    "movedim": lambda x: x.movedim(0, 1),
    "moveaxis": lambda x: x.moveaxis(1, 0),
    "squeeze": lambda x: x.view(4, 1, 6).squeeze(1),
    "unsqueeze": lambda x: x.unsqueeze(-1),
    "expand-same": lambda x: x.expand(1, 4, 6),
    "expand": lambda x: x.expand(2, 4, 6),
    "expand_as": lambda x: x[:, :1].expand_as(x),
    "broadcast_to": lambda x: tk.broadcast_to(x[0], (2, 6)),
    "broadcast_tensors": lambda x: tk.broadcast_tensors(x, tk.zeros(2, 1, 1))[0],
    "meshgrid": lambda x: tk.meshgrid(x[0], tk.zeros(3, dtype=x.dtype), indexing="xy")[0],
    "atleast_3d": lambda x: tk.atleast_3d(x),
    "narrow": lambda x: x.narrow(1, 2, 3),
    "select": lambda x: x.select(1, -1),
    "select-element": lambda x: x[1].select(0, 2),
    "unbind": lambda x: x.unbind(1)[2],
    "unbind-element": lambda x: x[1].unbind()[2],
    "split": lambda x: x.split(4, 1)[1],
    "split_with_sizes": lambda x: x.split([1, 3])[1],
    "chunk": lambda x: x.chunk(2)[1],
    "tensor_split": lambda x: x.tensor_split(3, 1)[1],
    "hsplit": lambda x: x.hsplit(2)[0],
    "vsplit": lambda x: x.vsplit(2)[0],
    "dsplit": lambda x: x.view(2, 3, 4).dsplit(2)[0],
    "diagonal": lambda x: x.diagonal(1),
    "unfold": lambda x: x.unfold(1, 2, 2),
    "unfold-strided": lambda x: x.t().unfold(0, 2, 3),
    "as_strided": lambda x: x.as_strided((2, 3), (1, 4), 2),
    "as_strided-of-view": lambda x: x.t()[1:].as_strided((2, 2), (2, 7)),
    "detach": lambda x: x.detach(),
}
STRETCHED = {"expand", "expand_as", "broadcast_to", "broadcast_tensors", "meshgrid"}
RECORDED = [name for name in VIEWS if name not in STRETCHED | {"view-dtype", "detach"}]


def base() -> tk.Tensor:
    return tk.arange(24, dtype=tk.float64).reshape(4, 6).clone()


@pytest.mark.parametrize("name", VIEWS)
def test_views_share_memory_and_version(name: str) -> None:
    x = base()
    y = VIEWS[name](x)
    assert np.shares_memory(y.array, x.array)
    assert y.version is x.version
    if name in STRETCHED:
        with pytest.raises(InPlaceError, match="clone"):
            y.zero_()
        return
    before, version = x.array.copy(), x.version[0]
    with tk.no_grad():
        y.fill_(77)
    assert x.version[0] > version
    assert (y.array == 77).all()
    changed = x.array != before
    assert changed.sum() == y.numel()
    assert (x.array.view(y.dtype)[changed] == 77).all()


def test_views_of_nothing_are_views() -> None:
    x = tk.zeros(0, 6)
    for y in (x.view(6, 0), x.reshape(-1), x.transpose(0, 1), x.narrow(1, 0, 2), x.expand(2, 0, 6), x.unfold(1, 2, 2)):
        assert y.version is x.version


LAYOUTS: dict[str, View] = {"rows": lambda x: x * 1.0, "columns": lambda x: x.view(6, 4).t() * 1.0}
NEED_ROWS = {"view", "view_as", "squeeze", "dsplit"}


@pytest.mark.parametrize(
    ("name", "layout"),
    [(name, layout) for name in RECORDED for layout in LAYOUTS if layout == "rows" or name not in NEED_ROWS],
)
def test_a_change_through_a_view_has_its_gradient(name: str, layout: str) -> None:
    """Written through the view, read from the base and from the view; the base lies in order in memory, or does not."""
    assert LAYOUTS[layout](base()).is_contiguous() == (layout == "rows")

    def changed(leaf: Any) -> Any:
        x = LAYOUTS[layout](leaf)
        y = VIEWS[name](x)
        y.mul_(leaf.flatten()[: y.numel()].reshape(y.shape))
        return tk.cat([(x * leaf.view(x.shape) if x.is_contiguous() else x * 2).flatten(), y.flatten()])

    leaf = tk.tensor(np.random.default_rng(0).uniform(0.5, 2, (4, 6)), requires_grad=True)
    assert gradcheck(changed, [leaf])


@pytest.mark.parametrize("name", [name for name in VIEWS if name != "view-dtype"])
def test_a_view_is_the_same_on_a_changed_base(name: str) -> None:
    x = base() + 0.5
    first = VIEWS[name](x).clone()
    x += 1
    np.testing.assert_array_equal(VIEWS[name](x).array, first.array + 1)


COPIES: dict[str, View] = {
    "clone": lambda x: x.clone(),
    "reshape": lambda x: x.t().reshape(-1),
    "flip": lambda x: x.flip(()),
    "roll": lambda x: x.roll(0),
    "rot90": lambda x: x.rot90(4),
    "repeat": lambda x: x.repeat(1, 1),
    "tile": lambda x: x[:1].tile((3, 1)),
    "repeat_interleave": lambda x: x.repeat_interleave(1, 0),
    "cat": lambda x: tk.cat([x]),
    "stack": lambda x: tk.stack([x]),
    "tril": lambda x: x.tril(9),
    "diag": lambda x: tk.diag(x),
    "pad": lambda x: F.pad(x, (0, 0)),
    "pad-cut": lambda x: F.pad(x, (-1, 0)),
    "pad-edges": lambda x: F.pad(x[None], (-1, 0), "reflect"),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_do_not_share_memory(name: str) -> None:
    x = base()
    y = COPIES[name](x)
    assert not np.shares_memory(y.array, x.array)
    assert y.version is not x.version
    y.zero_()
    assert x.array.any()


def test_the_same_tensor_where_nothing_is_to_be_done() -> None:
    x = tk.zeros(2, 3, 4)
    assert x.contiguous() is x
    assert tk.atleast_3d(x) is x
    assert x.flatten(1, 1) is x


def test_memory_around_a_view_gets_no_gradient_through_it() -> None:
    """As in PyTorch: as_strided is a function of the view, not of the memory around it."""
    x = tk.arange(6.0).requires_grad_()
    x[::2].as_strided((3,), (1,)).sum().backward()
    assert x.grad.tolist() == [1, 0, 1, 0, 0, 0]


@pytest.mark.parametrize("two", [2, np.int64(2), np.array(2), tk.tensor(2)], ids=["int", "int64", "array", "tensor"])
def test_what_counts_as_an_integer(two: Any) -> None:
    x = tk.zeros(4, 6)
    assert x.reshape(two, -1).shape == (2, 12)
    assert x.reshape((two, 12)).shape == (2, 12)
    assert x.view(two, 2, 6).shape == (2, 2, 6)
    assert x.expand(two, 4, 6).shape == (2, 4, 6)
    assert x.unsqueeze(two).shape == (4, 6, 1)
    assert x.narrow(0, two, two).shape == (2, 6)
    assert x.select(0, two).shape == (6,)
    assert len(x.split(two)) == len(x.chunk(two)) == 2
    assert x.unfold(0, two, two).shape == (2, 6, 2)
    assert x.repeat(two, 1).shape == (8, 6)
    assert x.repeat_interleave(two, 0).shape == (8, 6)
    assert x[:, :, None].transpose(two, 0).shape == (1, 6, 4)
    assert x.as_strided((two, two), (two, 1)).shape == (2, 2)
    assert F.pad(x, (two, 0)).shape == (4, 8)


def test_sizes() -> None:
    shape = Size((2, 3))
    assert (shape.numel(), repr(shape), shape == (2, 3)) == (6, "(2, 3)", True)
    assert sizes_of((2, 3)) == sizes_of(((2, 3),)) == sizes_of(([2, 3],)) == (2, 3)
    assert tk.broadcast_shapes((2, 1), (3,)).numel() == 6


def test_zero_sizes() -> None:
    x = tk.zeros(0, 3)
    assert x.reshape(-1).shape == (0,)
    assert x.reshape(2, -1).shape == (2, 0)
    assert x.flatten().shape == x.ravel().shape == (0,)
    assert x.unflatten(1, (-1, 3)).shape == (0, 1, 3)
    assert x.expand(2, 0, 3).shape == (2, 0, 3)
    assert [part.shape for part in x.chunk(2)] == [(0, 3), (0, 3)]
    assert [part.shape for part in x.split(0)] == [(0, 3)]
    assert tk.cat([tk.zeros(0), tk.zeros(2, 3)], 1).shape == (2, 3)
    assert tk.block_diag().shape == (1, 0)


def test_bytes() -> None:
    x = tk.zeros(4, 6, dtype=tk.float64)
    assert (x.nbytes, x.element_size(), x.itemsize, x.nelement(), x.ndimension()) == (192, 8, 8, 24, 2)
    assert x[1:, 2:].storage_offset() == 8
    assert x[1:].as_strided((1,), (1,), 0).storage_offset() == 0
    assert tk.ones(2).view(tk.int32).tolist() == [1065353216] * 2
    assert x.view(tk.float32).shape == (4, 12)
    assert x.view(dtype=tk.uint8).shape == (4, 48)


@pytest.mark.parametrize("method", ["squeeze_", "unsqueeze_", "transpose_", "swapaxes_", "swapdims_", "t_", "resize_"])
def test_a_tensor_keeps_its_shape(method: str) -> None:
    with pytest.raises(InPlaceError, match=r"write x = x\."):
        getattr(base(), method)(0)


X, S, LINE = tk.zeros(3, 4), tk.tensor(2.0), tk.zeros(3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: X.reshape(5, -1), ShapeError, r"\(3, 4\) \(12 elements\) as \(5, -1\): that has a multiple of 5"),
        (lambda: X.reshape(2, 5), ShapeError, "has 10 elements"),
        (lambda: X.reshape(-1, -1), ShapeError, "only one size can be -1"),
        (lambda: X.reshape(-2, 6), ShapeError, "at least -1"),
        (lambda: X.reshape(2.0, 6), ArgumentError, "integers"),
        (lambda: X[:0].reshape(0, -1), ShapeError, "give the size itself"),
        (lambda: X.t().view(12), ShapeError, r"strides \(1, 4\) would need a copy; use reshape"),
        (lambda: X.view(5, 2), ShapeError, "has 10 elements"),
        (lambda: X[:, :3].view(tk.float64), DTypeError, r"\.to\('float64'\)"),
        (lambda: X.flatten(1, 0), ShapeError, "lies behind"),
        (lambda: X.unflatten(1, (3, 2)), ShapeError, "multiply up"),
        (lambda: X.unflatten(1, ()), ShapeError, "multiply up"),
        (lambda: X.transpose(0, 2), IndexRangeError, "dimension 2 is out of range"),
        (lambda: X.transpose(0, 0.5), ArgumentError, "must be an integer"),
        (lambda: X.permute(0, 0), ShapeError, "each of them once"),
        (lambda: X.permute(0), ShapeError, "each of them once"),
        (lambda: X.movedim((0, 1), (0,)), ShapeError, "as many sources as destinations"),
        (lambda: X.movedim((0, 0), (0, 1)), ShapeError, "none twice"),
        (lambda: X[None].t(), ShapeError, "mT or transpose"),
        (lambda: LINE.mT, ShapeError, "only matrices"),
        (lambda: LINE.H, ShapeError, "mH"),
        (lambda: X.squeeze(2), IndexRangeError, "out of range"),
        (lambda: X.unsqueeze(-4), IndexRangeError, "out of range"),
        (lambda: X.expand(4), ShapeError, r"cannot expand shape \(3, 4\) to \(4,\)"),
        (lambda: X.expand(3, 5), ShapeError, "equal or 1"),
        (lambda: X.expand(-1, 3, 4), ShapeError, "-1 keeps a size"),
        (lambda: LINE.expand(-2), ShapeError, "at least -1"),
        (lambda: X.sum_to_size(3), ShapeError, "cannot sum"),
        (lambda: tk.broadcast_shapes((2,), (3,)), ShapeError, r"\(2,\) and \(3,\) do not broadcast"),
        (lambda: tk.broadcast_tensors(LINE, tk.zeros(2)), ShapeError, "do not broadcast"),
        (lambda: X.repeat(2), ShapeError, "at least 2 counts"),
        (lambda: X.repeat(-1, 1), ShapeError, "at least 0"),
        (lambda: X.repeat_interleave(tk.tensor([1, 2]), 0), ShapeError, r"needs shape \(3,\)"),
        (lambda: X.repeat_interleave(tk.tensor([1, -1, 1]), 0), ShapeError, "negative"),
        (lambda: X.repeat_interleave(-1), ShapeError, "negative"),
        (lambda: X.repeat_interleave(tk.ones(3), 0), DTypeError, "long"),
        (lambda: X.repeat_interleave(2, 0, output_size=5), ShapeError, "size 6"),
        (lambda: S.repeat_interleave(2, 0), IndexRangeError, "leave dim out"),
        (lambda: X.narrow(0, 2, 2), ShapeError, "do not lie in dimension 0 of size 3"),
        (lambda: X.narrow(0, 4, 0), IndexRangeError, "start 4"),
        (lambda: X.narrow(0, 0, -1), ShapeError, "do not lie"),
        (lambda: S.narrow(0, 0, 1), ShapeError, "at least one dimension"),
        (lambda: X.select(1, 4), IndexRangeError, "index 4"),
        (lambda: S.select(0, 0), IndexRangeError, "none"),
        (lambda: S.unbind(), IndexRangeError, "none"),
        (lambda: X.split(0), ShapeError, "at least 1"),
        (lambda: X.split([1, 1]), ShapeError, "sum up to 2, dimension 0 has size 3"),
        (lambda: X.split([4, -1]), ShapeError, "at least 0"),
        (lambda: S.split(1), ShapeError, "at least one dimension"),
        (lambda: X.chunk(0), ShapeError, "at least 1"),
        (lambda: X.tensor_split(0), ShapeError, "at least 1"),
        (lambda: X.tensor_split(tk.ones(2)), DTypeError, "int64"),
        (lambda: X.hsplit(3), ShapeError, "3 equal sections"),
        (lambda: LINE.vsplit(1), ShapeError, "at least 2 dimensions"),
        (lambda: X.dsplit(1), ShapeError, "at least 3 dimensions"),
        (lambda: X.diagonal(0, 1, -1), ShapeError, "two different"),
        (lambda: LINE.diagonal(), IndexRangeError, "out of range"),
        (lambda: tk.diag(X[None]), ShapeError, "1 or 2 dimensions"),
        (lambda: tk.diag_embed(LINE, 0, 1, 1), ShapeError, "two different"),
        (lambda: X.unfold(0, 4, 1), ShapeError, "from 0 to 3"),
        (lambda: X.unfold(0, 1, 0), ShapeError, "step of at least 1"),
        (lambda: X.as_strided((5, 5), (4, 1)), ShapeError, "holds 12 elements"),
        (lambda: X.as_strided((2,), (-1,), 3), ShapeError, "at least 0"),
        (lambda: X.as_strided((2,), (1, 1)), ShapeError, "a stride for each size"),
        (lambda: X[1:].as_strided((2,), (1,), -1), ShapeError, "reaches out"),
        (lambda: X.flip(0, 0), ArgumentError, "twice"),
        (lambda: LINE.fliplr(), ShapeError, "at least 2 dimensions"),
        (lambda: X.roll((1, 2), (0,)), ShapeError, "a shift for each"),
        (lambda: S.roll(1, 0), IndexRangeError, "none"),
        (lambda: LINE.rot90(), ShapeError, "at least 2 dimensions"),
        (lambda: X.rot90(1, (0, 0)), ShapeError, "two different"),
        (lambda: LINE.tril(), ShapeError, "matrices"),
        (lambda: LINE.triu(), ShapeError, "matrices"),
        (lambda: tk.tril_indices(-1, 2), ShapeError, "negative"),
        (lambda: tk.triu_indices(2, 2, dtype=tk.float32), DTypeError, "int64"),
        (lambda: tk.cat([]), ArgumentError, "got none"),
        (lambda: tk.cat(X), ArgumentError, "got a tensor"),
        (lambda: tk.cat([X, 1]), ArgumentError, "got int"),
        (lambda: tk.cat([X, LINE]), ShapeError, r"\[\(3, 4\), \(3,\)\]"),
        (lambda: tk.cat([X, X], 2), IndexRangeError, "out of range"),
        (lambda: tk.cat([S, S]), ShapeError, "use stack"),
        (lambda: tk.stack([X, S]), ShapeError, "one shape"),
        (lambda: tk.hstack([]), ArgumentError, "got none"),
        (lambda: tk.block_diag(X[None]), ShapeError, "at most 2"),
        (lambda: tk.meshgrid(X), ShapeError, "no or one dimension"),
        (lambda: tk.meshgrid(LINE, LINE.long()), DTypeError, "one dtype"),
        (lambda: tk.meshgrid(LINE, indexing="a"), ArgumentError, "'ij' or 'xy'"),
        (lambda: tk.cartesian_prod(X), ShapeError, "one dimension"),
        (lambda: tk.combinations(X), ShapeError, "one dimension"),
        (lambda: F.pad(X, (1,)), ShapeError, "two numbers"),
        (lambda: F.pad(X, (1,) * 6), ShapeError, "at most 2 dimensions"),
        (lambda: F.pad(X, (-3, -2)), ShapeError, "cut off more"),
        (lambda: F.pad(X, (4, 0), "reflect"), ShapeError, "at most 3"),
        (lambda: F.pad(X, (5, 0), "circular"), ShapeError, "at most 4"),
        (lambda: F.pad(X, (1, 1, 1, 1), "reflect"), ShapeError, "behind one or two others"),
        (lambda: F.pad(X, (1, 1), "mirror"), ArgumentError, "'mirror'"),
        (lambda: F.pad(X, (1, 1), "reflect", 1.0), ArgumentError, "value"),
    ],
)
def test_what_is_said_of_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
