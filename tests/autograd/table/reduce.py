"""Functions that make one number of many."""

import numpy as np

from tests.autograd.table.rows import Row

__all__ = ["ROWS"]

ROWS = [
    Row("sum", ("nm",), lambda lib, x: lib.sum(x), np.sum, dtypes=("int64", "bool")),
    Row(
        "sum",
        ("nmk",),
        lambda lib, x: x.sum((0, -1), keepdim=True),
        lambda x: x.sum((0, 2), keepdims=True),
        note="dims",
    ),
    Row("amax", ("nm",), lambda lib, x: x.amax(1), lambda x: x.max(1)),
]
