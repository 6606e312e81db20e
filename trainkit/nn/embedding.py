"""Tables of vectors that are looked up by number."""

from typing import Any, Self

from trainkit.autograd import Tensor, empty, no_grad
from trainkit.errors import ArgumentError, ShapeError
from trainkit.nn import functional, init
from trainkit.nn.functional.embedding import check_dense, padding_row
from trainkit.nn.module import Module
from trainkit.nn.parameter import Parameter

__all__ = ["Embedding"]


class Embedding(Module):
    """A table of vectors, picked by number: indices (*) to (*, embedding_dim).

    The weight (num_embeddings, embedding_dim) begins normal with deviation 1, the row `padding_idx` at 0.

    Args:
        num_embeddings: rows of the table.
        embedding_dim: size of each vector.
        padding_idx: the row that has no gradient; a negative one counts from the end.
        max_norm: rows that are looked up and longer are scaled, in place, to this length.
        norm_type: the order of the norm that `max_norm` limits.
        scale_grad_by_freq: divide the gradient of a row by how often a batch names it.
        sparse: must be False: gradients are dense.
        device: "cpu".
        dtype: of the weight.

    Raises:
        ArgumentError: `sparse` is True, or there is no row or no column.
        IndexRangeError: `padding_idx` names a row that is not there.

    >>> import trainkit as tk
    >>> Embedding(10, 3)(tk.tensor([[1, 2, 4, 5]])).shape
    (1, 4, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_dense(sparse)
        if num_embeddings < 1 or embedding_dim < 1:
            raise ArgumentError(
                f"Embedding needs at least one row and one column, got {num_embeddings}, {embedding_dim}"
            )
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_row(padding_idx, num_embeddings)
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self.weight = Parameter(empty(num_embeddings, embedding_dim, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """Make a layer of a table (rows, features), whose memory it shares; `freeze` keeps it from being learned."""
        if embeddings.ndim != 2:
            raise ShapeError(f"from_pretrained expected a table of shape (rows, features), got {embeddings.shape}")
        rows, features = embeddings.shape
        layer = cls(
            rows, features, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, dtype=embeddings.dtype
        )
        layer.weight = Parameter(embeddings.detach(), requires_grad=not freeze)
        return layer

    def forward(self, input: Tensor) -> Tensor:
        """Look up `input`, int64 or int32."""
        return functional.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    def extra_repr(self) -> str:
        """Return the sizes, and what is not the default."""
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        if self.max_norm is not None:
            parts.append(f"max_norm={self.max_norm}")
        if self.norm_type != 2:
            parts.append(f"norm_type={self.norm_type}")
        if self.scale_grad_by_freq:
            parts.append("scale_grad_by_freq=True")
        return ", ".join(parts)
