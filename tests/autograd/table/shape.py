"""Functions of the family shape."""

from tests.autograd.table.rows import Row

__all__ = ["ROWS"]

ROWS: list[Row] = []
