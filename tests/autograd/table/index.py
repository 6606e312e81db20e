"""Functions of the family index."""

from tests.autograd.table.rows import Row

__all__ = ["ROWS"]

ROWS: list[Row] = []
