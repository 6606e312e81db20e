"""Compiling ahead: `python -m trainkit.warmup` runs small calls that need every kernel, so that no later start waits.

`rows.py` is the table of the calls; a test compares what they compile with the kernels that there are.
"""

from trainkit.warmup.rows import ROWS, Row, run_row

__all__ = ["ROWS", "Row", "run_row"]
