"""Functions of the family creation."""

from tests.autograd.table.rows import Row

__all__ = ["ROWS"]

ROWS: list[Row] = []
