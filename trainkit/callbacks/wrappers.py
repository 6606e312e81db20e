"""Callbacks made of functions, and of other callbacks."""

from collections.abc import Callable, Iterator
from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.engine import Engine
from trainkit.engine.events import checked_integer, takes
from trainkit.errors import ArgumentError

__all__ = ["Delay", "Every", "LambdaCallback"]

_HOOKS = tuple(name for name in dir(Callback) if name.startswith("on_"))
_SPANS = tuple(name for name in dir(Callback) if name.startswith("around_"))
_RUN = ("on_train_begin", "on_train_end", "on_exception", "on_interrupt", "around_train")


class LambdaCallback(Callback):
    """A callback of functions, given under the names of the hooks.

    Each takes the callback, whose `state` and `trainer` it may use, or nothing.

    Raises:
        ArgumentError: there is no hook of a name, or no function under it.

    >>> import trainkit as tk
    >>> show = LambdaCallback(on_epoch_end=lambda callback: print("epoch", callback.state.epoch))
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse", callbacks=[show])
    >>> history = trainer.fit(tk.ones(4, 1), tk.zeros(4, 1), verbose=0)
    epoch 1
    """

    def __init__(self, **functions: Callable[..., Any]) -> None:
        for name, function in functions.items():
            if name not in _HOOKS:
                raise ArgumentError(f"there is no hook {name!r}; there are {', '.join(_HOOKS)}")
            if not callable(function):
                raise ArgumentError(f"{name} must be a function, got {function!r}")
            setattr(self, name, self._hook(function))

    def _hook(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def hook(*error: BaseException) -> None:
            for arguments in ((self, *error), (self,)):
                if takes(function, arguments, {}):
                    function(*arguments)
                    return
            function()

        return hook


class _Gate(Callback):
    """Passes the hooks of another callback on while it is open; those of the run always."""

    def __init__(self, callback: Callback) -> None:
        if not isinstance(callback, Callback):
            raise ArgumentError(f"{type(self).__name__} wraps a Callback, got {callback!r}")
        if type(callback).attach not in (Callback.attach, _Gate.attach):
            raise ArgumentError(
                f"{type(self).__name__} passes hooks on, but {type(callback).__name__} registers handlers of its own; "
                "use what that class offers"
            )
        self.callback = callback
        self.priority = callback.priority  # type: ignore[misc]
        self.provides = callback.provides
        for name in (*_HOOKS, *_SPANS):
            if callback._overrides(name):
                setattr(self, name, getattr(callback, name) if name in _RUN else self._guard(name))

    def is_open(self, hook: str) -> bool:
        """Tell whether a hook passes now."""
        raise NotImplementedError(f"{type(self).__name__} has no is_open()")

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register what the callback overrides."""
        outer: Callback = self
        while isinstance(outer, _Gate):
            inner = outer.callback
            inner._check_names()
            inner.trainer, inner.engine, inner.evaluator = self.trainer, engine, evaluator
            outer = inner
        super().attach(engine, evaluator)

    def _guard(self, name: str) -> Callable[..., Any]:
        inner = getattr(self.callback, name)

        def hook() -> None:
            if self.is_open(name):
                inner()

        def span() -> Iterator[None]:
            if self.is_open(name):
                yield from inner()
            else:
                yield

        return span if name in _SPANS else hook

    def state_dict(self) -> dict[str, Any]:
        """Return the callback's state."""
        return self.callback.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Give it to the callback."""
        self.callback.load_state_dict(state_dict)


class Delay(_Gate):
    """Leave a callback aside for the first epochs or steps; when the run begins and ends, it is called all the same.

    Args:
        callback: the callback.
        epochs: that go by without it.
        steps: or iterations.

    Raises:
        ArgumentError: an argument does not fit.

    >>> import trainkit as tk
    >>> stop = Delay(tk.callbacks.EarlyStopping("loss", patience=1), epochs=5)
    """

    def __init__(self, callback: Callback, *, epochs: int = 0, steps: int = 0) -> None:
        self.epochs, self.steps = checked_integer("epochs", epochs, 0), checked_integer("steps", steps, 0)
        super().__init__(callback)

    def is_open(self, hook: str) -> bool:
        """Tell whether the time is over."""
        return self.state.epoch > self.epochs and self.state.iteration > self.steps


class Every(_Gate):
    """Call a callback in every so many epochs, or steps.

    Args:
        callback: the callback.
        epochs: its hooks are called in epochs whose number this divides.
        steps: its hooks of batches and steps are called in iterations whose number this divides.

    Raises:
        ArgumentError: an argument does not fit.

    >>> import trainkit as tk
    >>> keep = Every(tk.callbacks.ModelCheckpoint("checkpoints"), epochs=5)
    """

    def __init__(self, callback: Callback, *, epochs: int = 1, steps: int = 1) -> None:
        self.epochs, self.steps = checked_integer("epochs", epochs, 1), checked_integer("steps", steps, 1)
        super().__init__(callback)

    def is_open(self, hook: str) -> bool:
        """Tell whether this epoch or step is one."""
        inside = "train_batch" in hook or "forward" in hook or "backward" in hook or "optimizer" in hook
        return self.state.epoch % self.epochs == 0 and not (inside and self.state.iteration % self.steps)
