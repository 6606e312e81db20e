"""PyTorch's functions by PyTorch's names and arguments: what `trainkit.*` and the methods of Tensor are.

`ops` holds what has a rule of its own; here are the signatures that users see, and what is composed of ops. A function
whose op has PyTorch's signature already is that op.
"""

from trainkit.autograd.functions import elementwise, index, linalg, reduce, shape, sort
from trainkit.autograd.functions.elementwise import *  # noqa: F403
from trainkit.autograd.functions.index import *  # noqa: F403
from trainkit.autograd.functions.linalg import *  # noqa: F403
from trainkit.autograd.functions.reduce import *  # noqa: F403
from trainkit.autograd.functions.shape import *  # noqa: F403
from trainkit.autograd.functions.sort import *  # noqa: F403

__all__ = [
    *elementwise.__all__,
    *index.__all__,
    *linalg.__all__,
    *reduce.__all__,
    *shape.__all__,
    *sort.__all__,
]
