"""Rows of figures under names, in as many columns as there is room for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainkit.callbacks.values import number, short

__all__ = ["Layout"]

_NARROWEST = 7  # what `short` takes
_KEPT = ("epoch", "loss", "seconds")  # stay longest where there is no room
_VALID = "val_"


class Layout:
    """The columns of a table of epochs.

    Where all do not fit, the figures of the validation get a line of their own, under those of the training; where
    that is not enough either, columns are left out: the learning rate, then from the right.

    Args:
        names: of the figures, "epoch" among them.
        width: characters that a line may have; None for no limit.

    Attributes:
        left_out: the names that got no column.

    >>> layout = Layout(["epoch", "loss", "accuracy", "val_loss", "val_accuracy"], 30)
    >>> print(layout.header())
    epoch     loss  accuracy
    >>> row = {"epoch": 3, "loss": 0.5, "accuracy": 0.75, "val_loss": 0.6, "val_accuracy": 0.7}
    >>> print(*layout.lines(row), sep=chr(10))
        3   0.5000    0.7500
      val   0.6000    0.7000
    """

    def __init__(self, names: Sequence[str], width: int | None) -> None:
        self.names, self.width = list(names), width
        self.columns = list(names)
        self.two_lines = False
        self.left_out: list[str] = []
        if self._fits():
            return
        if any(name.startswith(_VALID) for name in names):
            self.two_lines = True
            self.columns = list(dict.fromkeys(name.removeprefix(_VALID) for name in names))
        all_columns = list(self.columns)
        others = [name for name in self.columns if name not in (*_KEPT, "lr")]
        for name in ["lr"] * ("lr" in self.columns) + others[::-1]:
            if self._fits():
                break
            self.columns.remove(name)
            self.left_out.append(name)
        self.left_out.sort(key=all_columns.index)

    def _fits(self) -> bool:
        return self.width is None or sum(_width(name) + 2 for name in self.columns) - 2 <= self.width

    def header(self) -> str:
        """Return the line of names."""
        return "  ".join(name.rjust(_width(name)) for name in self.columns)

    def lines(self, values: Mapping[str, Any], mark: Callable[[str, str], str] = lambda name, text: text) -> list[str]:
        """Return the line of an epoch, or its two lines.

        Args:
            values: by name; what is not there leaves its place empty.
            mark: changes how the text of a name looks, but not its width.
        """
        rows = [[(name, name) for name in self.columns]]
        if self.two_lines:
            rows.append([(name, f"{_VALID}{name}") for name in self.columns])
        texts = [[mark(key, _text(key, values).rjust(_width(name))) for name, key in row] for row in rows]
        if self.two_lines:
            texts[1][0] = "val".rjust(_width(self.columns[0]))
            if all(not text.strip() for text in texts[1][1:]):
                texts.pop()
        return ["  ".join(row).rstrip() for row in texts]


def _width(name: str) -> int:
    return len(name) if name == "epoch" else max(len(name), _NARROWEST)


def _text(name: str, values: Mapping[str, Any]) -> str:
    value = number(values.get(name))
    if value is None:
        return ""
    if name == "seconds":
        return f"{value:.1f}"
    return f"{value:.3g}" if name == "lr" else short(value)
