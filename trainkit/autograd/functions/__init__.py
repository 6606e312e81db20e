"""PyTorch's functions by PyTorch's names and arguments: what `trainkit.*` and the methods of Tensor are.

`ops` holds what has a rule of its own; here are the signatures that users see, and what is composed of ops. A function
whose op has PyTorch's signature already is that op.
"""

from trainkit.autograd.functions import (
    activation,
    arithmetic,
    arrange,
    choose,
    compare,
    contraction,
    counting,
    factors,
    index,
    join,
    linalg,
    ordering,
    parts,
    reduce,
    rounding,
    scan,
    scattering,
    shape,
    statistics,
    transcendental,
)
from trainkit.autograd.functions.activation import *  # noqa: F403
from trainkit.autograd.functions.arithmetic import *  # noqa: F403
from trainkit.autograd.functions.arrange import *  # noqa: F403
from trainkit.autograd.functions.choose import *  # noqa: F403
from trainkit.autograd.functions.compare import *  # noqa: F403
from trainkit.autograd.functions.contraction import *  # noqa: F403
from trainkit.autograd.functions.counting import *  # noqa: F403
from trainkit.autograd.functions.factors import *  # noqa: F403
from trainkit.autograd.functions.index import *  # noqa: F403
from trainkit.autograd.functions.join import *  # noqa: F403
from trainkit.autograd.functions.linalg import *  # noqa: F403
from trainkit.autograd.functions.ordering import *  # noqa: F403
from trainkit.autograd.functions.parts import *  # noqa: F403
from trainkit.autograd.functions.reduce import *  # noqa: F403
from trainkit.autograd.functions.rounding import *  # noqa: F403
from trainkit.autograd.functions.scan import *  # noqa: F403
from trainkit.autograd.functions.scattering import *  # noqa: F403
from trainkit.autograd.functions.shape import *  # noqa: F403
from trainkit.autograd.functions.statistics import *  # noqa: F403
from trainkit.autograd.functions.transcendental import *  # noqa: F403

__all__ = [
    *activation.__all__,
    *arithmetic.__all__,
    *arrange.__all__,
    *choose.__all__,
    *compare.__all__,
    *contraction.__all__,
    *counting.__all__,
    *factors.__all__,
    *index.__all__,
    *join.__all__,
    *linalg.__all__,
    *parts.__all__,
    *reduce.__all__,
    *rounding.__all__,
    *scan.__all__,
    *scattering.__all__,
    *shape.__all__,
    *statistics.__all__,
    *transcendental.__all__,
    *ordering.__all__,
]
