"""The table of functions, family by family: what `rows.py` explains. A public function without a row fails a test."""

from tests.autograd.table import creation, elementwise, index, linalg, reduce, shape, sort

__all__ = ["ROWS"]

ROWS = [
    *elementwise.ROWS,
    *reduce.ROWS,
    *sort.ROWS,
    *shape.ROWS,
    *index.ROWS,
    *linalg.ROWS,
    *creation.ROWS,
]
