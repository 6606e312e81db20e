"""The exception tree: every error of trainkit is a `TrainkitError` and also the builtin that PyTorch raises."""

__all__ = [
    "ArgumentError",
    "CheckpointError",
    "DTypeError",
    "DataError",
    "GradientError",
    "InPlaceError",
    "IndexRangeError",
    "LinAlgError",
    "MissingExtraError",
    "NotComputableError",
    "OutputError",
    "ProfilerError",
    "ShapeError",
    "TrainkitError",
]


class TrainkitError(Exception):
    """The root: `except tk.TrainkitError` catches everything that trainkit raises on purpose."""


class ArgumentError(TrainkitError, ValueError):
    """An argument has a value that the function cannot work with."""


class ShapeError(TrainkitError, RuntimeError):
    """Shapes do not fit each other or the layer."""


class DTypeError(TrainkitError, RuntimeError):
    """A dtype is not one that the operation takes."""


class IndexRangeError(TrainkitError, IndexError):
    """A dimension, an index or a class label lies outside its range."""


class LinAlgError(TrainkitError, RuntimeError):
    """A matrix has no inverse, no factor of the kind asked for, or holds NaN or infinities."""


class GradientError(TrainkitError, RuntimeError):
    """A backward pass cannot be done: no graph, a graph already released, no rule for it."""


class InPlaceError(GradientError):
    """A tensor that the graph still needs was changed in place."""


class DataError(TrainkitError, ValueError):
    """A data file or a data set is not what it should be."""


class MissingExtraError(TrainkitError, ImportError):
    """Something needs a package that is not installed; the message names the extra to install."""


class NotComputableError(TrainkitError, RuntimeError):
    """A metric was asked for its value before it saw an example."""


class CheckpointError(TrainkitError, RuntimeError):
    """A checkpoint or a state dict does not fit or cannot be read."""


class OutputError(TrainkitError, OSError):
    """A file or folder cannot be written."""


class ProfilerError(TrainkitError, RuntimeError):
    """A profile cannot begin or end now."""
