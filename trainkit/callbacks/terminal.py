"""What can be shown where: whether a file is a terminal, how wide it is, and whether it takes colours.

tqdm is imported when a bar is drawn: that takes a tenth of the time of importing trainkit.
"""

import os
import shutil
import sys
from functools import cache
from typing import Any

__all__ = ["bar_class", "in_colour", "in_notebook", "is_terminal", "width_of", "write"]


@cache
def bar_class() -> Any:
    """Return tqdm's bar, drawn when it is told to, without a thread that looks after it."""
    from tqdm.auto import tqdm

    return type("Bar", (tqdm,), {"monitor_interval": 0})


def is_terminal(file: Any) -> bool:
    """Tell whether what is written to a file is seen at once, on a terminal."""
    try:
        return bool(file.isatty())
    except (AttributeError, ValueError):  # it has none, or is closed
        return False


def width_of(file: Any) -> int:
    """Return the columns of a terminal; those of the process's own where the file does not tell."""
    try:
        return os.get_terminal_size(file.fileno()).columns or 80
    except (AttributeError, ValueError, OSError):
        return shutil.get_terminal_size().columns


def in_colour(file: Any) -> bool:
    """Tell whether colours are wanted: on a terminal that has them, unless NO_COLOR is set (https://no-color.org)."""
    return is_terminal(file) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def in_notebook() -> bool:
    """Tell whether bars are drawn by a notebook."""
    # a notebook has IPython loaded, so that nothing else has to import tqdm to tell
    return "IPython" in sys.modules and any(kind.__module__ == "tqdm.notebook" for kind in bar_class().__mro__)


def write(text: str, file: Any) -> None:
    """Write lines beside the bars that are there, and see that they arrive."""
    if "tqdm" in sys.modules:
        bar_class().write(text, file=file)
    elif file is not None:
        file.write(f"{text}\n")
    if hasattr(file, "flush"):
        file.flush()
