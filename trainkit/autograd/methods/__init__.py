"""The methods of Tensor that are functions too: a line each, under PyTorch's names; and those that are methods only."""

from trainkit.autograd.methods.elementwise import ElementwiseMethods
from trainkit.autograd.methods.inplace import ChangingMethods
from trainkit.autograd.methods.operators import OperatorsMethods
from trainkit.autograd.methods.reduce import ReducingMethods
from trainkit.autograd.methods.shape import ShapingMethods

__all__ = ["TensorMethods"]


class TensorMethods(OperatorsMethods, ElementwiseMethods, ReducingMethods, ShapingMethods, ChangingMethods):
    """What tensors do by functions: `x.exp()` is `exp(x)`."""

    __slots__ = ()
