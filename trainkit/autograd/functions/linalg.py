"""Matrix products and linear algebra."""

from trainkit.autograd.ops.linalg import matmul

__all__ = ["matmul"]
