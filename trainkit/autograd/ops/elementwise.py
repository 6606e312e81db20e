"""Arithmetic, comparison and the common functions, element by element: what the other families use."""

from trainkit.autograd.ops.activation import dropout, relu, relu_grad, sigmoid
from trainkit.autograd.ops.arithmetic import abs, add, div, mul, neg, sign, sub
from trainkit.autograd.ops.choose import clamp, maximum, minimum, where
from trainkit.autograd.ops.compare import bitwise_and, bitwise_not, bitwise_or, eq, ge, gt, le, lt, ne
from trainkit.autograd.ops.exponential import exp, log, sqrt
from trainkit.autograd.ops.power import pow
from trainkit.autograd.ops.trigonometry import cos, sin, tanh

__all__ = [
    "abs",
    "add",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "clamp",
    "cos",
    "div",
    "dropout",
    "eq",
    "exp",
    "ge",
    "gt",
    "le",
    "log",
    "lt",
    "maximum",
    "minimum",
    "mul",
    "ne",
    "neg",
    "pow",
    "relu",
    "relu_grad",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "sub",
    "tanh",
    "where",
]
