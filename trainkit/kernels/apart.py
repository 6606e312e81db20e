"""A call of a compiled kernel by its address, so that its caller does not hold its code.

numba compiles all that a `prange` loop calls three times over, once in each of the layers of which it makes a loop.
For a large kernel that takes seconds. The address is found in each process anew; the loop is kept on disk.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype
from numba.core import cgutils, types

from trainkit.kernels.simd import in_kernels

__all__ = ["address", "call_at"]

_found: dict[tuple[Any, ...], int] = {}


def address(kernel: Any, *dtypes: Any) -> int:
    """Where the machine code of `kernel` lies for a task's number and flat arrays of these types."""
    key = (kernel, *dtypes)
    if key not in _found:
        kinds = (types.int64, *[types.Array(from_dtype(np.dtype(dtype)), 1, "C") for dtype in dtypes])
        kernel.compile(kinds)
        result = kernel.overloads[kinds]
        _found[key] = result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
    return _found[key]


@in_kernels
def call_at(typingctx, place, task, arrays):
    """Calls the kernel at an address with a task's number and a tuple of arrays, of the types given to `address`."""

    def generate(context, builder, signature, args):
        kinds = (types.int64, *arrays)
        values = [args[1], *cgutils.unpack_tuple(builder, args[2], len(arrays))]
        function = ir.PointerType(context.call_conv.get_function_type(types.none, kinds))
        pointer = builder.inttoptr(args[0], function)
        status, _ = context.call_conv.call_function(builder, pointer, types.none, kinds, values)
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, arrays), generate
