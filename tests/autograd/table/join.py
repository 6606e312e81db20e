"""Functions that make one tensor of several, and padding."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.autograd.table.rows import Int, Row

__all__ = ["ROWS"]

ANY = ("int64", "bool", "float16")


def row(name: str, letters: tuple[Any, ...], call: Callable[..., Any], reference: Any, **options: Any) -> Row:
    """A function of tensors that only moves elements: any dtype, NaN and infinities too."""
    return Row(name, letters, call, reference, **{"dtypes": ANY, "special": True, **options})


def joined(name: str, letters: tuple[str, ...], reference: Callable[..., Any], *args: Any, **options: Any) -> Row:
    """A function of a sequence of tensors."""
    return row(
        name, letters, lambda lib, *xs: getattr(lib, name)(xs, *args), lambda *xs: reference(xs, *args), **options
    )


def np_block_diag(*blocks: Any) -> Any:
    blocks = [np.atleast_2d(block) for block in blocks]
    out = np.zeros(np.sum([block.shape for block in blocks], 0))
    i = j = 0
    for block in blocks:
        out[i : i + block.shape[0], j : j + block.shape[1]] = block
        i, j = i + block.shape[0], j + block.shape[1]
    return out


def np_grid(*lines: Any, indexing: str = "ij") -> Any:
    return np.meshgrid(*lines, indexing=indexing)


def pad(letters: str, widths: tuple[int, ...], mode: str, note: str = "", **options: Any) -> Row:
    """`pad` against np.pad; widths that are negative cut off first."""

    def reference(x: Any) -> Any:
        pairs = [(0, 0)] * (x.ndim - len(widths) // 2) + list(zip(widths[::2], widths[1::2], strict=True))[::-1]
        x = x[tuple(slice(max(-a, 0), size + min(b, 0)) for size, (a, b) in zip(x.shape, pairs, strict=True))]
        pairs = [(max(a, 0), max(b, 0)) for a, b in pairs]
        if mode == "constant":
            return np.pad(x, pairs, constant_values=-1)
        return np.pad(x, pairs, {"replicate": "edge", "circular": "wrap"}.get(mode, mode))

    value = -1.0 if mode == "constant" else None
    return Row(
        "nn.functional.pad",
        (letters,),
        lambda lib, x: lib.nn.functional.pad(x, widths, mode, value),
        reference,
        note=f"{mode}-{len(widths) // 2}{note}",
        special=True,
        empty=mode in ("constant", "circular"),
        **options,
    )


ROWS = [
    joined("cat", ("nm", "km"), np.concatenate),
    joined("cat", ("nm", "nk", "nm"), np.concatenate, -1, note="dim"),
    joined("cat", ("nm",), np.concatenate, note="one"),
    joined("concat", ("nm", "km"), np.concatenate),
    joined("concatenate", ("nm", "nk"), np.concatenate, 1),
    row("cat", ("nm", Int("nm")), lambda lib, x, i: lib.cat([x, i]), lambda *xs: np.concatenate(xs), note="dtypes"),
    row("cat", ("nm",), lambda lib, x: lib.cat([lib.zeros(0), x, x[:0]], 1 - 1), lambda x: x, dtypes=("int64",), note="empty"),
    joined("stack", ("nm", "nm"), np.stack),
    joined("stack", ("nm", "nm", "nm"), np.stack, -1, note="last"),
    joined("stack", ("", ""), np.stack, note="scalars"),
    row("stack", ("nm", Int("nm")), lambda lib, x, i: lib.stack([x, i], 1), lambda *xs: np.stack(xs, 1), note="dtypes"),
    joined("hstack", ("nm", "nk"), np.hstack),
    joined("hstack", ("n", "m"), np.hstack, note="vectors"),
    joined("hstack", ("", ""), np.hstack, note="scalars"),
    joined("vstack", ("nm", "km"), np.vstack),
    joined("vstack", ("m", "nm"), np.vstack, note="row"),
    joined("row_stack", ("m", "m"), np.vstack),
    joined("dstack", ("nm", "nm"), np.dstack),
    joined("dstack", ("n", "n"), np.dstack, note="vectors"),
    joined("column_stack", ("n", "nm"), np.column_stack),
    row("column_stack", ("", ""), lambda lib, *xs: lib.column_stack(xs), lambda *xs: np.array([xs]), note="scalars"),
    row("block_diag", ("nm", "k", "", "mn"), lambda lib, *xs: lib.block_diag(*xs), np_block_diag),
    row("meshgrid", ("n", "m", ""), lambda lib, *xs: lib.meshgrid(*xs, indexing="ij"), np_grid),
    row("meshgrid", ("n", "m", "k"), lambda lib, *xs: lib.meshgrid(xs, indexing="xy"), lambda *xs: np_grid(*xs, indexing="xy"), note="xy"),
    row("cartesian_prod", ("n", "m"), lambda lib, *xs: lib.cartesian_prod(*xs), lambda *xs: np.stack([g.ravel() for g in np_grid(*xs)], 1)),
    row("cartesian_prod", ("n",), lambda lib, x: lib.cartesian_prod(x), lambda x: x, note="one"),
    row("combinations", ("n",), lambda lib, x: lib.combinations(x), lambda x: x[np.stack(np.triu_indices(x.size, 1), 1)]),
    row("combinations", ("n",), lambda lib, x: lib.combinations(x, 2, True), lambda x: x[np.stack(np.triu_indices(x.size), 1)], note="again"),
    row("combinations", ("n",), lambda lib, x: lib.combinations(x, 0), lambda x: x[:0], note="none", differentiable=False),
    pad("nm", (1, 2), "constant", dtypes=ANY[:1] + ANY[2:]),
    pad("nmk", (1, 2, 0, 3, 2, 0), "constant"),
    pad("nh", (-1, 2, 0, 1), "constant", "-cut", least={"h": 2}),
    pad("nh", (-1, -2), "constant", "-only-cut", least={"h": 3}),
    pad("nm", (), "constant"),
    *[pad("nh", (2, 1), mode, least={"h": 3}, dtypes=ANY[:1]) for mode in ("reflect", "replicate", "circular")],
    *[pad("nmh", (-1, 2), mode, "-cut", least={"h": 4}) for mode in ("reflect", "replicate", "circular")],
    pad("nh", (2, -2), "reflect", "-cut-after", least={"h": 3}, dtypes=("int64",)),
    *[pad("bcmh", (3, 1, 2, 0), mode, least={"h": 4, "m": 3}) for mode in ("reflect", "replicate", "circular")],
    *[pad("bmwh", (3, 3, 0, 2, 1, 1), mode, least={"h": 4, "m": 3, "w": 3}) for mode in ("reflect", "replicate", "circular")],
    pad("nm", (5, 7), "replicate", "-wide"),
]  # fmt: skip
