"""A tensor that a module learns."""

from typing import Any

from trainkit.autograd import Tensor, TensorBase

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A leaf tensor that, set as an attribute of a module, is one of its parameters.

    Args:
        data: a tensor, whose memory is shared, or anything that makes one.
        requires_grad: False freezes it.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data)
        if isinstance(data, TensorBase):
            self.array = data.array
        self.requires_grad_(requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
