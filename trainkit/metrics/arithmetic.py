"""Metrics in formulas: what an operator makes of a metric is a metric again."""

import operator
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["Arithmetic"]


class Arithmetic:
    """Operators, indexing and methods that stand for the same on the value that a metric will have."""

    # An array or a number of numpy leaves `array * metric` to the metric.
    __array_ufunc__: None = None
    # Indexing alone would make of `for x in metric` a loop without end.
    __iter__: None = None
    __contains__: None = None

    def _combined(self, function: Callable[..., Any], *parts: Any) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return self._combined(operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return self._combined(operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return self._combined(operator.sub, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._combined(operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return self._combined(operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._combined(operator.mul, other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._combined(operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._combined(operator.truediv, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self._combined(operator.floordiv, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._combined(operator.floordiv, other, self)

    def __mod__(self, other: Any) -> Any:
        return self._combined(operator.mod, self, other)

    def __rmod__(self, other: Any) -> Any:
        return self._combined(operator.mod, other, self)

    def __pow__(self, other: Any) -> Any:
        return self._combined(operator.pow, self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._combined(operator.pow, other, self)

    def __neg__(self) -> Any:
        return self._combined(operator.neg, self)

    def __abs__(self) -> Any:
        return self._combined(operator.abs, self)

    def __getitem__(self, index: Any) -> Any:
        return self._combined(operator.getitem, self, index)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return what makes of `metric.mean()` the metric whose value is `value.mean()`."""
        if name.startswith("_") or name in type(self).state_names:  # type: ignore[attr-defined]
            raise AttributeError(f"a {type(self).__name__} has no attribute {name!r}", name=name, obj=self)
        frame = sys._getframe(1)
        asked = f"{frame.f_code.co_filename}:{frame.f_lineno}"

        def call(value: Any, *args: Any, **kwargs: Any) -> Any:
            method = getattr(value, name, None)
            if method is None:
                raise AttributeError(
                    f"the value of {type(self).__name__} is a {type(value).__name__}, which has no {name!r}; "
                    f"it was asked for at {asked}"
                )
            return method(*args, **kwargs)

        return lambda *args, **kwargs: self._combined(partial(call, **kwargs), self, *args)
