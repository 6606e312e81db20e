"""Functions that pick elements and put them back."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.autograd.table.rows import Bool, Int, Row

__all__ = ["ROWS"]

ANY = ("int64", "int8", "uint8", "bool", "float16")
NUMBERS = ("int64", "uint8", "float16")
MOVES: dict[str, Any] = {"dtypes": ANY, "special": True}


def spots(shape: tuple[int, ...], dim: int, below: int) -> Any:
    """Indices along `dim` of which no two meet."""
    order = np.random.default_rng(3).random((*shape[:dim], below, *shape[dim + 1 :])).argsort(dim)
    return order.take(range(shape[dim]), dim)


def some(shape: tuple[int, ...]) -> Any:
    """A mask."""
    return np.random.default_rng(4).random(tuple(shape)) < 0.5


def grid(dim: int, index: Any) -> tuple[Any, ...]:
    places = list(np.indices(index.shape))
    places[dim] = index
    return tuple(places)


def scattered(function: Any, x: Any, dim: int, index: Any, src: Any) -> Any:
    out = np.array(x)
    function.at(out, grid(dim, index), src)
    return out


def changed(x: Any, index: Any, value: Any) -> Any:
    out = np.array(x)
    out[index] = value
    return out


def reduced(x: Any, index: Any, src: Any, reduce: str, include_self: bool) -> Any:
    """Reduce along dimension 0, one element of the result after the other."""
    out = np.array(x)
    functions = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}
    for place in np.ndindex(x.shape):
        found = [src[other] for other in np.ndindex(index.shape) if (index[other], *other[1:]) == place]
        if found:
            out[place] = functions[reduce](found + [x[place]] * include_self)
    return out


def reduce_rows(name: str, reduces: tuple[str, ...], column: Callable[[Any, Any], Any], letters: str) -> list[Row]:
    rows = []
    for reduce in reduces:
        for include in (True, False):

            def call(lib: Any, x: Any, i: Any, v: Any, reduce: str = reduce, include: bool = include) -> Any:
                return getattr(lib, name)(x, 0, i, v, reduce, include_self=include)

            def reference(x: Any, i: Any, v: Any, reduce: str = reduce, include: bool = include) -> Any:
                return reduced(x, column(i, v), v, reduce, include)

            extreme = reduce in ("amax", "amin")
            rows.append(
                Row(
                    name,
                    ("mh", Int(letters, below="m"), "kh"),
                    call,
                    reference,
                    note=f"{reduce}-{'with' if include else 'without'}",
                    dtypes=("int64", "uint8")
                    if reduce == "mean" or name == "index_reduce"
                    else ("int64", "uint8", "bool"),
                    special=True,
                    ties=include or not extreme,  # PyTorch counts the input among equals even where it takes no part
                )
            )
    return rows


PICKED = [
    Row("Tensor.__getitem__", ("hm", Int("k", below="m")), lambda lib, x, i: x[:, i], lambda x, i: x[:, i], note="index", **MOVES),
    Row("Tensor.__getitem__", ("hmk", Int("b", below="m"), Int("b", below="k")), lambda lib, x, i, j: x[1:, i, j], lambda x, i, j: x[1:, i, j], note="two", least={"h": 2}, **MOVES),
    Row("Tensor.__getitem__", ("mhk", Int("b", below="m"), Int("b", below="k")), lambda lib, x, i, j: x[i, :, j], lambda x, i, j: x[i, :, j], note="apart", **MOVES),
    Row("Tensor.__getitem__", ("hmk", Int("cb", below="k")), lambda lib, x, i: x[0, :, i], lambda x, i: x[0][:, i], note="number", **MOVES),
    Row("Tensor.__getitem__", ("nm", Bool("nm")), lambda lib, x, c: x[c], lambda x, c: x[c], note="mask", **MOVES),
    Row("Tensor.__getitem__", ("hnm", Bool("n"), Int("1", below="m")), lambda lib, x, c, i: x[:, c, i], lambda x, c, i: x[:, c, i], note="mask-index", **MOVES),
    Row("gather", ("nm", Int("nk", below="m")), lambda lib, x, i: lib.gather(x, 1, i), lambda x, i: np.take_along_axis(x, i, 1), **MOVES),
    Row("gather", ("mhb", Int("k11", below="m")), lambda lib, x, i: lib.gather(x, 0, i.int()), lambda x, i: x[i[:, 0, 0], :1, :1], note="smaller", **MOVES),
    Row("gather", ("",), lambda lib, x: lib.gather(x, 0, lib.tensor([0, 0])), lambda x: np.array([x, x]), note="scalar", **MOVES),
    Row("gather", ("nm", Int("0", below="m")), lambda lib, x, i: lib.gather(x, 0, i), lambda x, i: np.zeros(0), note="nothing"),
    Row("Tensor.gather", ("nm", Int("nk", below="m")), lambda lib, x, i: x.gather(-1, i), lambda x, i: np.take_along_axis(x, i, 1)),
    Row("index_select", ("mn", Int("k", below="m")), lambda lib, x, i: lib.index_select(x, 0, i), lambda x, i: x[i], **MOVES),
    Row("index_select", ("nmk", Int("h", below="m")), lambda lib, x, i: lib.index_select(x, -2, i.int()), lambda x, i: x[:, i], note="inner", **MOVES),
    Row("index_select", ("mn", Int("", below="m")), lambda lib, x, i: lib.index_select(x.t(), 1, i), lambda x, i: x.T[:, i, None], note="one", **MOVES),
    Row("index_select", ("",), lambda lib, x: lib.index_select(x, 0, lib.tensor([0])), lambda x: x, note="scalar", **MOVES),
    Row("Tensor.index_select", ("mn", Int("k", below="m")), lambda lib, x, i: x.index_select(dim=0, index=i), lambda x, i: x[i]),
    Row("take", ("hm", Int("kb", below="m")), lambda lib, x, i: lib.take(x, i), lambda x, i: x.reshape(-1)[i], **MOVES),
    Row("take", ("hm", Int("", below="m")), lambda lib, x, i: lib.take(x.t(), i - 1), lambda x, i: x.T.reshape(-1)[i - 1], note="negative", **MOVES),
    Row("Tensor.take", ("", Int("k", below=1)), lambda lib, x, i: x.take(i), lambda x, i: np.repeat(x, i.size)),
    Row("take_along_dim", ("nm", Int("nk", below="m")), lambda lib, x, i: lib.take_along_dim(x, i, 1), lambda x, i: np.take_along_axis(x, i, 1), **MOVES),
    Row("take_along_dim", ("nm", Int("1k", below="m")), lambda lib, x, i: lib.take_along_dim(x, i - 1, dim=1), lambda x, i: x[:, i[0] - 1], note="broadcast", **MOVES),
    Row("take_along_dim", ("1m", Int("hk", below="m")), lambda lib, x, i: lib.take_along_dim(x, i, 1), lambda x, i: x[0][i], note="input", **MOVES),
    Row("Tensor.take_along_dim", ("hm", Int("kb", below="m")), lambda lib, x, i: x.take_along_dim(i), lambda x, i: x.reshape(-1)[i.reshape(-1)], **MOVES),
    Row("masked_select", ("nm", Bool("nm")), lambda lib, x, c: lib.masked_select(x, c), lambda x, c: x[c], scalar=True, **MOVES),
    Row("masked_select", ("m", Bool("nm")), lambda lib, x, c: lib.masked_select(x, c), lambda x, c: np.broadcast_to(x, c.shape)[c], note="input", **MOVES),
    Row("Tensor.masked_select", ("nm", Bool("m")), lambda lib, x, c: x.masked_select(c), lambda x, c: x[:, c].reshape(-1), note="mask", **MOVES),
    Row("nonzero", ("nm",), lambda lib, x: lib.nonzero(x), np.argwhere, differentiable=False, scalar=True, **MOVES),
    Row("nonzero", ("nm",), lambda lib, x: lib.nonzero(x, as_tuple=True), lambda x: np.nonzero(np.atleast_1d(x)), note="tuple", differentiable=False, scalar=True, **MOVES),
    Row("argwhere", ("nm",), lambda lib, x: lib.argwhere(x), np.argwhere, differentiable=False, scalar=True, **MOVES),
    Row("nn.functional.embedding", (Int("nk", below="m"), "mh"), lambda lib, i, w: lib.nn.functional.embedding(i, w), lambda i, w: w[i]),
    Row("nn.functional.embedding", (Int("", below="m"), "mh"), lambda lib, i, w: lib.nn.functional.embedding(i.int(), w), lambda i, w: w[i], note="one"),
    Row("nn.functional.one_hot", (Int("hk"),), lambda lib, i: lib.nn.functional.one_hot(i), lambda i: np.eye(i.max() + 1, dtype=int)[i], differentiable=False),
    Row("nn.functional.one_hot", (Int("nk"),), lambda lib, i: lib.nn.functional.one_hot(i, 7), lambda i: np.eye(7, dtype=int)[i], note="classes", differentiable=False),
]  # fmt: skip

SLICES = [
    Row("index_add", ("mn", Int("k", below="m"), "kn"), lambda lib, x, i, v: lib.index_add(x, 0, i, v), lambda x, i, v: scattered(np.add, x, 0, i[:, None] + 0 * v.astype(int), v), **MOVES),
    Row("index_add", ("nmk", Int("h", below="m"), "nhk"), lambda lib, x, i, v: lib.index_add(x, -2, i.int(), v, alpha=2), lambda x, i, v: scattered(np.add, x, 1, i[:, None] + 0 * v.astype(int), 2 * v), note="alpha", dtypes=NUMBERS[:2]),
    Row("index_add", ("", ""), lambda lib, x, v: lib.index_add(x, 0, lib.tensor([0]), v), np.add, note="scalar"),
    Row("Tensor.index_add_", ("mn", Int("k", below="m"), "kn"), lambda lib, x, i, v: x.clone().index_add_(0, i, v), lambda x, i, v: scattered(np.add, x, 0, i[:, None] + 0 * v.astype(int), v)),
    Row("index_copy", ("mn", "mn"), lambda lib, x, v: lib.index_copy(x, 0, lib.tensor(spots(x.shape[:1], 0, x.shape[0])), v), lambda x, v: changed(x, spots(x.shape[:1], 0, x.shape[0]), v), **MOVES),
    Row("index_copy", ("hm", Int("1", below="m"), "h1"), lambda lib, x, i, v: lib.index_copy(x, 1, i, v), lambda x, i, v: changed(x, (slice(None), i), v), note="one", **MOVES),
    Row("index_copy", ("m", Int("", below="m"), ""), lambda lib, x, i, v: lib.index_copy(x, 0, i, v), changed, note="scalar", **MOVES),
    Row("Tensor.index_copy_", ("hm", Int("1", below="m"), "h1"), lambda lib, x, i, v: x.clone().index_copy_(1, i, v), lambda x, i, v: changed(x, (slice(None), i), v)),
    Row("index_fill", ("nm", Int("k", below="m")), lambda lib, x, i: lib.index_fill(x, 1, i - 1, 3), lambda x, i: changed(x, (slice(None), i - 1), 3), **MOVES),
    Row("index_fill", ("mh", Int("1", below="m"), ""), lambda lib, x, i, v: lib.index_fill(x, 0, i, v), changed, note="tensor", dtypes=ANY),
    Row("index_fill", ("",), lambda lib, x: lib.index_fill(x, 0, lib.tensor([0]), 1.5), lambda x: np.array(1.5), note="scalar", dtypes=("float16",)),
    Row("Tensor.index_fill_", ("mh", Int("1", below="m"), ""), lambda lib, x, i, v: x.clone().index_fill_(0, i, v), changed),
    Row("index_put", ("hm", Int("1", below="m"), "h"), lambda lib, x, i, v: lib.index_put(x, (lib.arange(x.shape[0]), i), v), lambda x, i, v: changed(x, (np.arange(len(x)), i), v), **MOVES),
    Row("index_put", ("mn", Int("1", below="m"), ""), lambda lib, x, i, v: lib.index_put(x, (i,), v), lambda x, i, v: changed(x, i, v), note="broadcast", **MOVES),
    Row("index_put", ("nm", ""), lambda lib, x, v: lib.index_put(x, (lib.tensor(some(x.shape)),), v), lambda x, v: np.where(some(x.shape), v, x), note="mask", **MOVES),
    Row("index_put", ("mn", Int("k", below="m"), "n"), lambda lib, x, i, v: lib.index_put(x, (i,), v, accumulate=True), lambda x, i, v: scattered(np.add, x, 0, i[:, None] + 0 * v.astype(int), np.broadcast_to(v, (len(i), len(v)))), note="accumulate", dtypes=NUMBERS),
    Row("Tensor.index_put", ("hm", Int("k", below="m"), Int("k", below="h"), "k"), lambda lib, x, i, j, v: x.index_put((j, i.int().long()), v, True), lambda x, i, j, v: scattered(np.add, x.reshape(-1), 0, j * x.shape[1] + i, v).reshape(x.shape), note="two", dtypes=NUMBERS),
    Row("Tensor.index_put_", ("mn", Int("k", below="m"), "kn"), lambda lib, x, i, v: x.clone().index_put_((i,), v, accumulate=True), lambda x, i, v: scattered(np.add, x, 0, i[:, None] + 0 * v.astype(int), v)),
    *reduce_rows("index_reduce", ("prod", "mean", "amax", "amin"), lambda i, v: i[:, None] + 0 * v.astype(int), "k"),
    Row("Tensor.index_reduce_", ("hm", Int("k", below="m"), "hk"), lambda lib, x, i, v: x.clone().index_reduce_(1, i, v, "amax"), lambda x, i, v: scattered(np.maximum, x, 1, i + 0 * v.astype(int), v)),
    Row("put", ("hm", Int("1", below="m"), "1"), lambda lib, x, i, v: lib.put(x, i - 1, v), lambda x, i, v: changed(x.reshape(-1), i - 1, v).reshape(x.shape), **MOVES),
    Row("put", ("hm", Int("kb", below="m"), "bk"), lambda lib, x, i, v: lib.put(x, i, v, accumulate=True), lambda x, i, v: scattered(np.add, x.reshape(-1), 0, i.reshape(-1), v.reshape(-1)).reshape(x.shape), note="accumulate", dtypes=NUMBERS),
    Row("Tensor.put_", ("hm", Int("1", below="m"), "1"), lambda lib, x, i, v: x.clone().put_(i, v), lambda x, i, v: changed(x.reshape(-1), i, v).reshape(x.shape)),
    Row("select_scatter", ("hm", "m"), lambda lib, x, v: lib.select_scatter(x, v, 0, -1), lambda x, v: changed(x, -1, v), **MOVES),
    Row("Tensor.select_scatter", ("nm", Int("n", below=9)), lambda lib, x, v: x.select_scatter(v, 1, 0), lambda x, v: changed(x, (slice(None), 0), v), note="dtypes"),
    Row("slice_scatter", ("nm", "nm"), lambda lib, x, v: lib.slice_scatter(x, v[:, 1::2], 1, 1, None, 2), lambda x, v: changed(x, (slice(None), slice(1, None, 2)), v[:, 1::2]), **MOVES),
    Row("Tensor.slice_scatter", ("nm", "nm"), lambda lib, x, v: x.slice_scatter(v), lambda x, v: v, **MOVES),
    Row("diagonal_scatter", ("mm", "m"), lambda lib, x, v: lib.diagonal_scatter(x, v), lambda x, v: np.where(np.eye(len(v)) > 0, v, x), **MOVES),
    Row("Tensor.diagonal_scatter", ("mkm", "mk"), lambda lib, x, v: x.diagonal_scatter(v[1:].t(), 1, 0, 2), lambda x, v: np.where(np.eye(len(x), k=1)[:, None] > 0, np.concatenate([v[:1], v[1:]]).T, x), note="offset", **MOVES),
    Row("Tensor.fill_diagonal_", ("hm",), lambda lib, x: x.clone().fill_diagonal_(2), lambda x: np.where(np.eye(*x.shape) > 0, 2, x), **MOVES),
    Row("Tensor.fill_diagonal_", ("hk",), lambda lib, x: x.clone().fill_diagonal_(0, wrap=True), lambda x: np.where((np.arange(x.size) % (x.shape[1] + 1)).reshape(x.shape) > 0, x, 0), note="wrap", **MOVES),
    Row("Tensor.fill_diagonal_", ("mmm",), lambda lib, x: x.clone().fill_diagonal_(1), lambda x: changed(x, (np.arange(len(x)),) * 3, 1), note="cube", **MOVES),
]  # fmt: skip

ELEMENTS = [
    Row("scatter", ("nm", "nm"), lambda lib, x, v: lib.scatter(x, 1, lib.tensor(spots(tuple(x.shape), 1, x.shape[1])), v), lambda x, v: changed(x, grid(1, spots(x.shape, 1, x.shape[1])), v), **MOVES),
    Row("scatter", ("mh", Int("11", below="m"), "11"), lambda lib, x, i, v: lib.scatter(x, dim=0, index=i.int(), src=v), lambda x, i, v: changed(x, (i, 0), v), note="smaller", **MOVES),
    Row("scatter", ("nm", Int("nk", below="m")), lambda lib, x, i: lib.scatter(x, 1, i, 3), lambda x, i: changed(x, grid(1, i), 3), note="number", **MOVES),
    Row("scatter", ("nm", Int("nk", below="m")), lambda lib, x, i: lib.scatter(x, 1, i, value=1.5), lambda x, i: changed(x, grid(1, i), 1.5), note="value", dtypes=("float16",)),
    Row("scatter", ("nm", Int("nk", below="m"), "nk"), lambda lib, x, i, v: lib.scatter(x.detach(), 1, i, v.detach(), reduce="add"), lambda x, i, v: scattered(np.add, x, 1, i, v), note="add", dtypes=NUMBERS, differentiable=False),
    Row("scatter", ("nm", Int("nk", below="m")), lambda lib, x, i: lib.scatter(x.detach(), 1, i, 2, reduce="multiply"), lambda x, i: scattered(np.multiply, x, 1, i, 2), note="multiply", dtypes=NUMBERS, differentiable=False),
    Row("scatter", ("", ""), lambda lib, x, v: lib.scatter(x, 0, lib.tensor(0), v), lambda x, v: v, note="scalar", **MOVES),
    Row("Tensor.scatter_", ("nm", Int("nk", below="m")), lambda lib, x, i: x.clone().scatter_(1, i, -1), lambda x, i: changed(x, grid(1, i), -1)),
    Row("scatter_add", ("nm", Int("nk", below="m"), "nk"), lambda lib, x, i, v: lib.scatter_add(x, 1, i, v), lambda x, i, v: scattered(np.add, x, 1, i, v), **MOVES),
    Row("scatter_add", ("mhb", Int("k11", below="m"), "k11"), lambda lib, x, i, v: lib.scatter_add(x, 0, i.int(), v), lambda x, i, v: scattered(np.add, x, 0, i, v), note="smaller", **MOVES),
    Row("scatter_add", ("", ""), lambda lib, x, v: lib.scatter_add(x, 0, lib.tensor([0]), v), np.add, note="scalar"),
    Row("Tensor.scatter_add_", ("nm", Int("nk", below="m"), "nk"), lambda lib, x, i, v: x.clone().scatter_add_(1, i, v), lambda x, i, v: scattered(np.add, x, 1, i, v)),
    *reduce_rows("scatter_reduce", ("sum", "prod", "mean", "amax", "amin"), lambda i, v: i, "kh"),
    Row("Tensor.scatter_reduce_", ("nm", Int("nk", below="m"), "nk"), lambda lib, x, i, v: x.clone().scatter_reduce_(1, i, v, reduce="amin"), lambda x, i, v: scattered(np.minimum, x, 1, i, v)),
    Row("masked_fill", ("nm", Bool("nm")), lambda lib, x, c: lib.masked_fill(x, c, 1), lambda x, c: np.where(c, 1, x), scalar=True, **MOVES),
    Row("masked_fill", ("m", Bool("nm"), ""), lambda lib, x, c, v: lib.masked_fill(x, c, v), lambda x, c, v: np.where(c, v, x), note="tensor", dtypes=ANY),
    Row("masked_fill", ("nm", Bool("m")), lambda lib, x, c: lib.masked_fill(x, c, -1e4), lambda x, c: np.where(c, -1e4, x), note="mask", dtypes=("float16",), special=True),
    Row("Tensor.masked_fill_", ("nm", Bool("m"), ""), lambda lib, x, c, v: x.clone().masked_fill_(c, v), lambda x, c, v: np.where(c, v, x)),
    Row("masked_scatter", ("nm", Bool("nm"), "mn"), lambda lib, x, c, v: lib.masked_scatter(x, c, v), lambda x, c, v: changed(x, c, v.reshape(-1)[: c.sum()]), **MOVES),
    Row("masked_scatter", ("m", Bool("nm"), "nm"), lambda lib, x, c, v: lib.masked_scatter(x, c, v), lambda x, c, v: changed(np.broadcast_to(x, c.shape), c, v.reshape(-1)[: c.sum()]), note="input", **MOVES),
    Row("Tensor.masked_scatter_", ("nm", Bool("m"), "nm"), lambda lib, x, c, v: x.clone().masked_scatter_(c, v), lambda x, c, v: changed(x, np.broadcast_to(c, x.shape), v.reshape(-1)[: c.sum() * len(x)])),
]  # fmt: skip

ROWS = [*PICKED, *SLICES, *ELEMENTS]
