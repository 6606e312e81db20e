"""What waits for the first batch."""

from collections.abc import Callable
from typing import Any

__all__ = ["at_first_call"]


def at_first_call(model: Any, function: Callable[[tuple[Any, ...], dict[str, Any]], None]) -> Any:
    """Call `function` with the arguments of the model's next call, before that; return a handle that forgets it."""

    def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        handle.remove()
        function(args, kwargs)

    handle = model.register_forward_pre_hook(hook, with_kwargs=True)
    return handle
