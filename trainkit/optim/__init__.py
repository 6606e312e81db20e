"""Optimizers and schedules of their learning rate."""

from trainkit.optim import lr_scheduler
from trainkit.optim.adadelta import Adadelta
from trainkit.optim.adagrad import Adagrad
from trainkit.optim.adam import Adam, AdamW
from trainkit.optim.adamax import Adamax
from trainkit.optim.lion import Lion
from trainkit.optim.nadam import NAdam
from trainkit.optim.optimizer import Optimizer
from trainkit.optim.radam import RAdam
from trainkit.optim.rmsprop import RMSprop
from trainkit.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "lr_scheduler",
]
