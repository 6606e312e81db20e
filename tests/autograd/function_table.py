"""The table of functions, family by family: what `rows.py` explains. A public function without a row fails a test."""

from tests.autograd.table import (
    activation,
    arithmetic,
    choose,
    compare,
    creation,
    index,
    join,
    linalg,
    loss,
    norm,
    ordering,
    pooling,
    reduce,
    resize,
    scan,
    shape,
    transcendental,
)

__all__ = ["ROWS"]

ROWS = [
    *arithmetic.ROWS,
    *compare.ROWS,
    *choose.ROWS,
    *transcendental.ROWS,
    *activation.ROWS,
    *reduce.ROWS,
    *scan.ROWS,
    *ordering.ROWS,
    *shape.ROWS,
    *join.ROWS,
    *index.ROWS,
    *linalg.ROWS,
    *loss.ROWS,
    *norm.ROWS,
    *pooling.ROWS,
    *resize.ROWS,
    *creation.ROWS,
]
