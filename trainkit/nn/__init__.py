"""Layers, losses and what holds them."""

from trainkit.nn import functional, init, utils
from trainkit.nn.activation import LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from trainkit.nn.containers import ModuleList, Sequential
from trainkit.nn.conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d
from trainkit.nn.dropout import Dropout
from trainkit.nn.freeze import freeze, frozen_names, load_frozen_names, unfreeze
from trainkit.nn.linear import Flatten, Identity, Linear
from trainkit.nn.loss import CrossEntropyLoss, MSELoss, NLLLoss
from trainkit.nn.module import Module
from trainkit.nn.norm import BatchNorm2d
from trainkit.nn.parameter import Parameter
from trainkit.nn.pooling import MaxPool2d

__all__ = [
    "BatchNorm2d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "Identity",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "freeze",
    "frozen_names",
    "functional",
    "init",
    "load_frozen_names",
    "unfreeze",
    "utils",
]
