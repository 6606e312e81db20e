"""Functions of the family linalg."""

from tests.autograd.table.rows import Row

__all__ = ["ROWS"]

ROWS: list[Row] = []
