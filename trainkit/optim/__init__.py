"""Optimizers and schedules of their learning rate."""

from trainkit.optim import lr_scheduler
from trainkit.optim.adam import Adam, AdamW
from trainkit.optim.optimizer import Optimizer
from trainkit.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]
