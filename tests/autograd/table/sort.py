"""Functions of the family sort."""

from tests.autograd.table.rows import Row

__all__ = ["ROWS"]

ROWS: list[Row] = []
