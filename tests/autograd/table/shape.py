"""Functions that give the elements another shape or order, and those that take parts."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.autograd.table.rows import Int, Row

__all__ = ["ROWS"]

ANY = ("int64", "bool", "float16")


def row(name: str, letters: str, call: Callable[..., Any], reference: Callable[..., Any] | None, **options: Any) -> Row:
    """A function of one tensor that only moves elements: any dtype, NaN and infinities too."""
    return Row(name, (letters,), call, reference, **{"dtypes": ANY, "special": True, **options})


def both(name: str, letters: str, reference: Callable[..., Any], *args: Any, **options: Any) -> list[Row]:
    """The function and the method of one name and one signature."""
    note = options.pop("note", "")
    return [
        row(name, letters, lambda lib, x: getattr(lib, name)(x, *args), reference, note=note, **options),
        row(f"Tensor.{name}", letters, lambda lib, x: getattr(x, name)(*args), reference, note=note, **options),
    ]


def deep(x: Any) -> Any:
    return x if x.ndim > 2 else x[:, :, None] if x.ndim == 2 else x.reshape(1, -1, 1)


def windows(x: Any, size: int, step: int) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, size, 0)[::step]


WHOLE = [
    row("reshape", "nmk", lambda lib, x: lib.reshape(x, (x.shape[2], -1)), lambda x: x.reshape(x.shape[2], x.shape[0] * x.shape[1])),
    row("Tensor.reshape", "nm", lambda lib, x: x.t().reshape(-1), lambda x: x.T.reshape(-1), note="copy"),
    row("Tensor.reshape", "nm", lambda lib, x: x.reshape(1, x.shape[1], x.shape[0]), lambda x: x.reshape(1, x.shape[1], x.shape[0])),
    row("Tensor.reshape", "", lambda lib, x: x.reshape(shape=(1, -1)), lambda x: x.reshape(1, 1), note="scalar"),
    row("Tensor.reshape_as", "nm", lambda lib, x: x.reshape_as(x.t()), lambda x: x.reshape(x.T.shape)),
    row("Tensor.view", "nm", lambda lib, x: x.contiguous().view(x.shape[1], x.shape[0]), lambda x: x.reshape(x.T.shape)),
    row("Tensor.view", "nm", lambda lib, x: x.view(1, *x.shape, 1), lambda x: x[None, :, :, None], note="split"),
    row("Tensor.view", "nm", lambda lib, x: x.contiguous().view(size=(-1,)), lambda x: x.reshape(-1), note="infer"),
    row("Tensor.view_as", "nm", lambda lib, x: x.contiguous().view_as(x.t()), lambda x: x.reshape(x.T.shape)),
    *both("flatten", "nmk", lambda x: x.reshape(-1)),
    *both("flatten", "nmk", lambda x: x.reshape(x.shape[0], x.shape[1] * x.shape[2]), 1, note="from"),
    *both("flatten", "nmk", lambda x: x.reshape(x.shape[0] * x.shape[1], x.shape[2]), -3, -2, note="from-to"),
    *both("flatten", "", lambda x: x.reshape(1), note="scalar"),
    *both("ravel", "nm", np.ravel),
    *both("unflatten", "nm", lambda x: x[:, None, :, None], 1, (1, -1, 1)),
    *both("unsqueeze", "nm", lambda x: x[:, None], 1),
    *both("unsqueeze", "nm", lambda x: x[..., None], -1, note="last"),
    row("squeeze", "nm", lambda lib, x: lib.squeeze(x[None, :, None]), lambda x: np.squeeze(x)),
    row("squeeze", "nm", lambda lib, x: lib.squeeze(x[None, :, None], 0), lambda x: x[:, None], note="dim"),
    row("Tensor.squeeze", "nm", lambda lib, x: x[None, :, None].squeeze((0, -2)), lambda x: x, note="dims"),
    row("Tensor.squeeze", "nm", lambda lib, x: x.squeeze(1), lambda x: x, least={"m": 2}, note="not-1"),
    *both("transpose", "nmk", lambda x: x.swapaxes(0, 2), 0, -1),
    *both("swapaxes", "nmk", lambda x: x.swapaxes(0, 1), 0, 1),
    *both("swapdims", "nmk", lambda x: x.swapaxes(1, 2), 2, 1),
    *both("t", "nm", np.transpose),
    *both("t", "n", np.array, note="vector"),
    *both("adjoint", "nmk", lambda x: x.swapaxes(1, 2)),
    row("Tensor.T", "nm", lambda lib, x: x.T, np.transpose),
    row("Tensor.mT", "nmk", lambda lib, x: x.mT, lambda x: x.swapaxes(1, 2)),
    row("Tensor.mH", "nmk", lambda lib, x: x.mH, lambda x: x.swapaxes(1, 2)),
    row("Tensor.H", "nm", lambda lib, x: x.H, np.transpose),
    row("permute", "nmk", lambda lib, x: lib.permute(x, (2, 0, -2)), lambda x: x.transpose(2, 0, 1)),
    row("Tensor.permute", "nmk", lambda lib, x: x.permute(1, 2, 0), lambda x: x.transpose(1, 2, 0)),
    row("Tensor.permute", "nmk", lambda lib, x: x.permute(dims=(1, 0, 2)), lambda x: x.transpose(1, 0, 2), note="keyword"),
    *both("movedim", "nmk", lambda x: np.moveaxis(x, 0, 2), 0, -1),
    *both("movedim", "nmkh", lambda x: np.moveaxis(x, (3, 0), (0, 2)), (3, 0), (0, 2), note="several"),
    *both("moveaxis", "nmk", lambda x: np.moveaxis(x, 2, 0), 2, 0),
    Row("detach", ("nm",), lambda lib, x: lib.detach(x), np.copy, differentiable=False),
    *both("clone", "nm", np.copy),
    *both("clone", "", np.copy, note="scalar"),
    row("Tensor.contiguous", "nm", lambda lib, x: x.t().contiguous(), np.transpose),
    *both("numel", "nm", np.size, differentiable=False)[:1],
    row("Tensor.nelement", "nm", lambda lib, x: (x.nelement(), x.numel(), x.ndimension(), x.itemsize == x.element_size()), lambda x: (x.size, x.size, 2, True), differentiable=False),
    row("Tensor.view", "nm", lambda lib, x: x.contiguous().view(lib.int32), None, dtypes=("int64",), differentiable=False, empty=False, note="dtype"),
]  # fmt: skip

STRETCHED = [
    row("broadcast_to", "nm", lambda lib, x: lib.broadcast_to(x, (2, *x.shape)), lambda x: np.stack([x, x])),
    row("Tensor.broadcast_to", "n", lambda lib, x: x[:, None].broadcast_to((-1, 3)), lambda x: np.stack([x] * 3, 1)),
    row("Tensor.expand", "n", lambda lib, x: x[:, None].expand(2, -1, 3), lambda x: np.stack([np.stack([x] * 3, 1)] * 2)),
    row("Tensor.expand", "nm", lambda lib, x: x.expand(size=x.shape), lambda x: x, note="same"),
    row("Tensor.expand", "n", lambda lib, x: x[:, None].expand((-1, 0)), lambda x: x[:, None][:, :0], note="nothing"),
    row("Tensor.expand", "", lambda lib, x: x.expand(3, 2), lambda x: np.full((3, 2), x), note="scalar"),
    Row("Tensor.expand_as", ("m", "nm"), lambda lib, x, y: x.expand_as(y) * 2.0, lambda x, y: np.broadcast_to(x, y.shape) * 2, special=True),
    Row("broadcast_tensors", ("m", "nm", ""), lambda lib, *xs: lib.broadcast_tensors(*xs), np.broadcast_arrays, dtypes=ANY, special=True),
    row("broadcast_shapes", "nm", lambda lib, x: tuple(lib.broadcast_shapes(x.shape, (1,), (3, 1, 1))), lambda x: (3, *x.shape), differentiable=False),
    row("Tensor.sum_to_size", "nm", lambda lib, x: x.sum_to_size(1, x.shape[1]), lambda x: x.sum(0, keepdims=True), dtypes=("int64",)),
    row("Tensor.sum_to_size", "nm", lambda lib, x: x.sum_to_size((x.shape[1],)), lambda x: x.sum(0), dtypes=("int64",), note="fewer"),
    row("Tensor.repeat", "nm", lambda lib, x: x.repeat(2, 3), lambda x: np.tile(x, (2, 3))),
    row("Tensor.repeat", "nm", lambda lib, x: x.repeat((2, 1, 2)), lambda x: np.tile(x, (2, 1, 2)), note="more-dims"),
    row("Tensor.repeat", "nm", lambda lib, x: x.repeat(0, 1), lambda x: x[:0], note="never"),
    row("tile", "nm", lambda lib, x: lib.tile(x, (3,)), lambda x: np.tile(x, 3)),
    row("Tensor.tile", "nm", lambda lib, x: x.tile(2, 1, 2), lambda x: np.tile(x, (2, 1, 2))),
    row("Tensor.tile", "nm", lambda lib, x: x.tile(dims=(2, 2)), lambda x: np.tile(x, (2, 2)), note="keyword"),
    *both("repeat_interleave", "nm", lambda x: np.repeat(x, 2), 2),
    *both("repeat_interleave", "nm", lambda x: np.repeat(x, 3, 1), 3, 1, note="dim"),
    *both("repeat_interleave", "nm", lambda x: np.repeat(x, 1, 0), 1, 0, note="once"),
    *both("repeat_interleave", "nm", lambda x: x[:, :0], 0, -1, note="never"),
    Row("repeat_interleave", ("nm", Int("n", 0, 4)), lambda lib, x, n: lib.repeat_interleave(x, n, 0), lambda x, n: np.repeat(x, n, 0), dtypes=ANY, special=True, note="counts"),
    Row("repeat_interleave", ("mnk", Int("n", 0, 3)), lambda lib, x, n: x.repeat_interleave(n, dim=1), lambda x, n: np.repeat(x, n, 1), note="counts-dim"),
    Row("repeat_interleave", ("nm", Int("", 1, 3)), lambda lib, x, n: x.repeat_interleave(n, dim=1), lambda x, n: np.repeat(x, n, 1), note="one-count"),
    Row("repeat_interleave", (Int("n", 0, 4),), lambda lib, n: lib.repeat_interleave(n), lambda n: np.repeat(np.arange(n.size), n), note="indices", differentiable=False),
]  # fmt: skip

PARTS = [
    *both("narrow", "nm", lambda x: x[:, 1:3], 1, 1, 2, least={"m": 3}),
    *both("narrow", "nm", lambda x: x[:, -2:-1], -1, -2, 1, least={"m": 2}, note="from-end"),
    *both("narrow", "nm", lambda x: x[:0], 0, 0, 0, note="nothing"),
    *both("select", "nm", lambda x: x[:, 1], 1, 1, least={"m": 2}),
    *both("select", "n", lambda x: x[-1], 0, -1, least={"n": 1}, empty=False, note="element"),
    *both("unbind", "nm", lambda x: tuple(x.T), 1),
    *both("unbind", "n", tuple, note="elements", least={"n": 1}, empty=False),
    *both("split", "nm", lambda x: tuple(x[:, i : i + 2] for i in range(0, x.shape[1], 2)), 2, 1),
    row("split", "h", lambda lib, x: lib.split(x, [1, 0, x.shape[0] - 1]), lambda x: np.split(x, (1, 1)), note="sizes"),
    row("Tensor.split", "nh", lambda lib, x: x.split(split_size=(1, x.shape[1] - 1), dim=1), lambda x: np.split(x, (1,), 1), note="sizes"),
    row("split_with_sizes", "h", lambda lib, x: lib.split_with_sizes(x, (0, x.shape[0])), lambda x: (x[:0], x)),
    row("Tensor.split_with_sizes", "nh", lambda lib, x: x.split_with_sizes([x.shape[1]], -1), lambda x: (x,)),
    *both("chunk", "nh", lambda x: (x[:, :2], x[:, 2:4], x[:, 4:]), 3, 1, least={"h": 5}),
    *both("tensor_split", "hm", lambda x: np.array_split(x, 3), 3),
    *both("tensor_split", "nh", lambda x: np.split(x, (1, -1, 9), 1), (1, -1, 9), 1, note="places"),
    *both("hsplit", "nm", lambda x: np.split(x, (1,), 1), (1,)),
    *both("vsplit", "nm", lambda x: np.split(x, (1, 2)), (1, 2)),
    *both("dsplit", "nmk", lambda x: np.split(x, (1,), 2), [1]),
    row("hsplit", "nm", lambda lib, x: lib.hsplit(lib.cat([x, x], 1), 2), lambda x: (x, x), note="equal"),
    row("vsplit", "nm", lambda lib, x: lib.vsplit(lib.cat([x, x]), 2), lambda x: (x, x), note="equal"),
    *both("diagonal", "nm", np.diagonal),
    *both("diagonal", "nmk", lambda x: np.diagonal(x, -1, 2, 0), -1, -1, 0, note="dims"),
    *both("diagonal", "nm", lambda x: np.diagonal(x, 9), 9, note="outside"),
    row("Tensor.unfold", "hn", lambda lib, x: x.unfold(0, 3, 1), lambda x: windows(x, 3, 1), least={"h": 3}),
    row("Tensor.unfold", "hn", lambda lib, x: x.unfold(0, 2, 3), lambda x: windows(x, 2, 3), least={"h": 2}, note="gaps"),
    row("Tensor.unfold", "nh", lambda lib, x: x.unfold(-1, 4, 1), lambda x: np.moveaxis(windows(x.T, 4, 1), 1, 0), least={"h": 4}, note="few"),
    row("Tensor.unfold", "", lambda lib, x: x.unfold(0, 1, 1), lambda x: x.reshape(1), note="scalar"),
    row("as_strided", "hw", lambda lib, x: lib.as_strided(x.contiguous(), (2, 3), (1, 2)), lambda x: x.ravel()[[[0, 2, 4], [1, 3, 5]]], least={"h": 2, "w": 3}),
    row("Tensor.as_strided", "hw", lambda lib, x: x.contiguous().as_strided((3, 3), (1, 1), 1), lambda x: x.ravel()[[[1, 2, 3], [2, 3, 4], [3, 4, 5]]], least={"h": 2, "w": 3}, note="overlaps"),
    row("Tensor.as_strided", "hw", lambda lib, x: x.clone()[1:, ::2].as_strided((2, 2), (0, 2)), lambda x: np.stack([x[1, :3:2]] * 2), least={"h": 2, "w": 3}, note="of-view"),
]  # fmt: skip

ARRANGED = [
    *both("flip", "nmk", lambda x: x[::-1, :, ::-1], (0, -1)),
    row("Tensor.flip", "nm", lambda lib, x: x.flip(0, 1), lambda x: x[::-1, ::-1], note="one-by-one"),
    row("Tensor.flip", "nm", lambda lib, x: x.flip(dims=[1]), lambda x: x[:, ::-1], note="keyword"),
    *both("fliplr", "nm", np.fliplr),
    *both("flipud", "nm", np.flipud),
    *both("roll", "nm", lambda x: np.roll(x, 2), 2),
    *both("roll", "nm", lambda x: np.roll(x, (-1, 7), (0, 1)), (-1, 7), (0, 1), note="dims"),
    *[each for k in range(-1, 4) for each in both("rot90", "nm", lambda x, k=k: np.rot90(x, k), k, note=str(k))],
    *both("rot90", "nmk", lambda x: np.rot90(x, 1, (2, 0)), 1, (2, 0), note="dims"),
    *both("tril", "nm", np.tril),
    *both("tril", "knm", lambda x: np.tril(x, 1), 1, note="above"),
    *both("triu", "nm", np.triu),
    *both("triu", "knm", lambda x: np.triu(x, -1), -1, note="below"),
    row("Tensor.tril_", "nm", lambda lib, x: x.clone().tril_(-1), lambda x: np.tril(x, -1)),
    row("Tensor.triu_", "nm", lambda lib, x: x.clone().triu_(1), lambda x: np.triu(x, 1)),
    row("tril_indices", "nm", lambda lib, x: lib.tril_indices(x.shape[0], x.shape[1], 1), lambda x: np.stack(np.tril_indices(len(x), 1, x.shape[1])), differentiable=False),
    row("triu_indices", "nm", lambda lib, x: lib.triu_indices(x.shape[0], x.shape[1], -1, dtype=lib.int32), lambda x: np.stack(np.triu_indices(len(x), -1, x.shape[1])), differentiable=False),
    *both("diag", "n", np.diag),
    *both("diag", "nm", lambda x: np.diag(x, 1), 1, note="of-matrix"),
    *both("diag_embed", "nm", lambda x: x[:, None] * np.eye(x.shape[1]), special=False),
    *both("diag_embed", "n", lambda x: np.diag(x, -2), -2, note="below"),
    *both("diag_embed", "nm", lambda x: np.moveaxis(x[:, None] * np.eye(x.shape[1]), 0, 1), 0, 0, 2, note="dims", special=False),
    *both("diagflat", "nm", lambda x: np.diagflat(x, 1), 1),
]  # fmt: skip

ROWS = [*WHOLE, *STRETCHED, *PARTS, *ARRANGED]
ROWS += [
    row(f"atleast_{n}d", letters, lambda lib, x, n=n: getattr(lib, f"atleast_{n}d")(x), reference, note=letters)
    for n, reference in ((1, np.atleast_1d), (2, np.atleast_2d), (3, deep))
    for letters in ("", "n", "nm", "nmk")
]
ROWS += [
    Row(
        f"atleast_{n}d",
        ("", "nm"),
        lambda lib, *xs, n=n: getattr(lib, f"atleast_{n}d")(*xs),
        lambda *xs, f=reference: [f(x) for x in xs],
        note="several",
    )
    for n, reference in ((1, np.atleast_1d), (2, np.atleast_2d), (3, deep))
]
