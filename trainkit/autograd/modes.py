"""The gradient mode: whether ops record, for each thread on its own."""

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["GradMode", "enable_grad", "is_grad_enabled", "mode", "no_grad", "set_grad_enabled"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class GradMode(threading.local):
    """Whether ops record, for each thread on its own."""

    enabled = True


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
