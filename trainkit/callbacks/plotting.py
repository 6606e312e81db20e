"""matplotlib, where it is installed."""

from typing import Any

from trainkit.errors import MissingExtraError

__all__ = ["pyplot", "shown_once"]


def pyplot(what: str) -> Any:
    """Return `matplotlib.pyplot`, for `what` needs it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs matplotlib, which is not installed: pip install 'trainkit[plot]'"
        ) from error
    return plt


def shown_once(figure: Any) -> Any:
    """Return a figure that a function gives back: a notebook would show it twice, as the result and as a new figure."""
    from matplotlib import pyplot as plt

    if "inline" in plt.get_backend():
        plt.close(figure)
    return figure
