"""The modes: whether ops record, for each thread on its own, and whether the walk backward looks for NaN."""

import functools
import inspect
import threading
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = [
    "Anomaly",
    "GradMode",
    "anomaly",
    "detect_anomaly",
    "enable_grad",
    "inference_mode",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class GradMode(threading.local):
    """Whether ops record, for each thread on its own."""

    enabled = True
    inference = False


mode = GradMode()


def is_grad_enabled() -> bool:
    """Tell whether ops record at the moment in this thread."""
    return mode.enabled


class set_grad_enabled:  # noqa: N801 -- PyTorch's name
    """Turn recording on or off: at once when called, until the end of a `with` block, or for a decorated function.

    >>> import trainkit as tk
    >>> x = tk.ones(2, requires_grad=True)
    >>> with tk.set_grad_enabled(False):
    ...     print((x * 2).requires_grad)
    False
    """

    def __init__(self, enabled: bool) -> None:
        self.previous = mode.enabled
        self.enabled = mode.enabled = bool(enabled)

    def __enter__(self) -> None:
        mode.enabled = self.enabled

    def __exit__(self, *_: object) -> None:
        mode.enabled = self.previous

    def __call__(self, function: _Function) -> _Function:
        """Decorate `function`: each call runs in this mode, a generator function each of its steps."""
        mode.enabled = self.previous
        return _in_mode(self.enabled, function)


class _GradBlock:
    """A mode for the length of a block; one object may be entered again while it is open."""

    enabled: bool

    def __new__(cls, function: Any = None) -> Any:
        # PyTorch takes the decorator without parentheses too
        block = super().__new__(cls)
        if callable(function):
            block.__init__()  # type: ignore[misc]
            return block(function)
        return block

    def __init__(self) -> None:
        self.previous: list[bool] = []

    def __enter__(self) -> None:
        self.previous.append(mode.enabled)
        mode.enabled = self.enabled

    def __exit__(self, *_: object) -> None:
        mode.enabled = self.previous.pop()

    def __call__(self, function: _Function) -> _Function:
        """Decorate `function`: each call runs in this mode, a generator function each of its steps."""
        return _in_mode(self.enabled, function)


class no_grad(_GradBlock):  # noqa: N801 -- PyTorch's name
    """Record nothing within a `with` block or a decorated function.

    >>> import trainkit as tk
    >>> x = tk.ones(2, requires_grad=True)
    >>> with tk.no_grad():
    ...     print((x * 2).requires_grad)
    False
    """

    enabled = False


class enable_grad(_GradBlock):  # noqa: N801 -- PyTorch's name
    """Record within a `with` block or a decorated function, also where `no_grad` surrounds it."""

    enabled = True


class inference_mode:  # noqa: N801 -- PyTorch's name
    """Record nothing within a `with` block or a decorated function; `no_grad` under the name for evaluation.

    Differs from PyTorch: what is computed within is a plain tensor afterwards and may take part in a graph.

    Args:
        mode: False makes a block that records, inside an outer one that does not.

    >>> import trainkit as tk
    >>> with tk.inference_mode():
    ...     print((tk.ones(2, requires_grad=True) * 2).requires_grad, tk.is_inference_mode_enabled())
    False True
    """

    def __new__(cls, mode: Any = True) -> Any:  # noqa: D102
        block = super().__new__(cls)
        if callable(mode):
            block.__init__()  # type: ignore[misc]
            return block(mode)
        return block

    def __init__(self, mode: bool = True) -> None:
        self.inference = mode
        self.previous: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self.previous.append((mode.enabled, mode.inference))
        mode.enabled, mode.inference = not self.inference, self.inference

    def __exit__(self, *_: object) -> None:
        mode.enabled, mode.inference = self.previous.pop()

    def __call__(self, function: _Function) -> _Function:
        """Decorate `function`: each call runs in this mode, a generator function each of its steps."""
        return _in_mode(not self.inference, function)


def is_inference_mode_enabled() -> bool:
    """Tell whether this thread is within an `inference_mode` block."""
    return mode.inference


class Anomaly:
    """Whether nodes note where they were recorded and the walk looks for NaN; for all threads, as in PyTorch."""

    enabled = False
    check_nan = True

    def trace(self) -> str:
        """Return the lines that led to the op being recorded, without those inside trainkit's autograd."""
        frames = [frame for frame in traceback.extract_stack() if "/trainkit/autograd/" not in _slashes(frame.filename)]
        return "".join(traceback.format_list(frames[-4:]))


def _slashes(path: str) -> str:
    return path.replace("\\", "/")


anomaly = Anomaly()


class set_detect_anomaly:  # noqa: N801 -- PyTorch's name
    """Turn the search for NaN in gradients on or off: at once, or until the end of a `with` block.

    A rule that returns NaN then raises a GradientError that names the op and the line that had called it. Every op
    is slower meanwhile: it notes its call stack.

    >>> import trainkit as tk
    >>> with tk.autograd.set_detect_anomaly(True):
    ...     x = tk.zeros(1, requires_grad=True)
    ...     try:
    ...         (x.sqrt() * 0).sum().backward()
    ...     except tk.TrainkitError as error:
    ...         print(str(error).split(";")[0])
    sqrt returned NaN in the gradient of its argument 0
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.previous = anomaly.enabled, anomaly.check_nan
        anomaly.enabled, anomaly.check_nan = mode, check_nan

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        anomaly.enabled, anomaly.check_nan = self.previous


class detect_anomaly(set_detect_anomaly):  # noqa: N801 -- PyTorch's name
    """Search for NaN in gradients within a `with` block: see `set_detect_anomaly`."""

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(True, check_nan)


def is_anomaly_enabled() -> bool:
    """Tell whether the walk backward looks for NaN."""
    return anomaly.enabled


def _in_mode(enabled: bool, function: _Function) -> _Function:
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Any:
            # The mode holds while the generator runs, never in the code that consumes it.
            generator = function(*args, **kwargs)
            resume, value = generator.send, None
            while True:
                previous, mode.enabled = mode.enabled, enabled
                try:
                    item = resume(value)
                except StopIteration as stop:
                    return stop.value
                finally:
                    mode.enabled = previous
                try:
                    resume, value = generator.send, (yield item)
                except GeneratorExit:
                    generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001 -- handed on to the generator, which decides
                    resume, value = generator.throw, error

        return generate  # type: ignore[return-value]

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        previous, mode.enabled = mode.enabled, enabled
        try:
            return function(*args, **kwargs)
        finally:
            mode.enabled = previous

    return call  # type: ignore[return-value]
