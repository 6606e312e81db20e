"""Functions that bring elements into order, count them and search among them."""

__all__: list[str] = []
