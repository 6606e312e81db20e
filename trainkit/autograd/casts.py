"""The methods of Tensor that say where it is and what it is made of: devices and dtypes."""

from typing import Any

from trainkit.autograd import dtypes
from trainkit.autograd.device import CPU, check_device, is_device
from trainkit.autograd.device import device as Device
from trainkit.autograd.dtypes import TENSOR_TYPES, as_dtype
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops import broadcast
from trainkit.errors import ArgumentError

__all__ = ["TensorCasts"]

_TYPE_NAMES = {dtype: name for name, dtype in TENSOR_TYPES.items()}


def _cast(tensor: TensorBase, dtype: Any, copy: Any = False) -> Any:
    """Return the tensor itself where nothing is to be done; a cast to integers ends the history."""
    if tensor.array.dtype == dtype and not copy:
        return tensor
    return broadcast.cast(tensor, dtype) if dtype.kind == "f" else wrap(broadcast.cast(tensor.array, dtype))


class TensorCasts(TensorBase):
    """What tensors can do about dtypes and devices. A dtype is numpy's; every tensor lives on the CPU."""

    __slots__ = ()

    def to(
        self,
        *args: Any,
        dtype: Any = None,
        device: Any = None,
        other: Any = None,
        non_blocking: Any = False,
        copy: Any = False,
        memory_format: Any = None,
    ) -> Any:
        """Return the tensor as a dtype, on a device (the CPU), or as `other` is: itself where it is so already.

        `to(dtype)`, `to(device, dtype)` or `to(other)`, each with `non_blocking`, which means nothing here, and `copy`,
        which makes a new tensor in any case. The gradient of a cast is cast back.

        Raises:
            ArgumentError: the device is not the CPU.
            DTypeError: tensors have no such dtype.
        """
        if args:
            first, *rest = args
            if isinstance(first, TensorBase):
                other = first
            elif first is None or is_device(first):
                device = first if first is not None else device
                if rest and not isinstance(rest[0], bool):
                    dtype = rest.pop(0)
            else:
                dtype = first
            if len(rest) > 2:
                raise ArgumentError(f"to() takes a dtype, a device and a dtype, or a tensor, and two flags; got {args}")
            copy = rest[1] if len(rest) > 1 else copy
        if device is not None:
            check_device(device)
        if other is not None:
            dtype = other.array.dtype
        return _cast(self, self.array.dtype if dtype is None else as_dtype(dtype), copy)

    def type(self, dtype: Any = None, non_blocking: Any = False) -> Any:
        """Cast to a dtype, a name like "torch.FloatTensor" among them; without one, return such a name."""
        if dtype is None:
            return f"trainkit.{_TYPE_NAMES[self.array.dtype]}"
        return _cast(self, as_dtype(dtype))

    def type_as(self, other: TensorBase) -> Any:
        """Cast to the dtype of `other`."""
        return _cast(self, other.array.dtype)

    def half(self) -> Any:
        """Cast to float16."""
        return _cast(self, dtypes.float16)

    def float(self) -> Any:
        """Cast to float32."""
        return _cast(self, dtypes.float32)

    def double(self) -> Any:
        """Cast to float64."""
        return _cast(self, dtypes.float64)

    def byte(self) -> Any:
        """Cast to uint8."""
        return _cast(self, dtypes.uint8)

    def char(self) -> Any:
        """Cast to int8."""
        return _cast(self, dtypes.int8)

    def short(self) -> Any:
        """Cast to int16."""
        return _cast(self, dtypes.int16)

    def int(self) -> Any:
        """Cast to int32."""
        return _cast(self, dtypes.int32)

    def long(self) -> Any:
        """Cast to int64."""
        return _cast(self, dtypes.int64)

    def bool(self) -> Any:
        """Cast to bool: whether each element is not 0."""
        return _cast(self, dtypes.bool_)

    @property
    def device(self) -> Device:
        """Where the tensor is: on the CPU."""
        return CPU

    @property
    def is_cuda(self) -> Any:
        """False: the tensor is on the CPU."""
        return False

    def cpu(self, memory_format: Any = None) -> Any:
        """Return the tensor itself."""
        return self

    def cuda(self, device: Any = None, non_blocking: Any = False, memory_format: Any = None) -> Any:
        """Raise: trainkit computes on the CPU."""
        check_device("cuda" if device is None else device)
        return self

    def pin_memory(self, device: Any = None) -> Any:
        """Return the tensor itself: there is no device to which pinned memory would be copied faster."""
        return self

    def is_pinned(self, device: Any = None) -> Any:
        """False: memory is never pinned."""
        return False
