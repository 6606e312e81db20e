"""Schedules of the learning rate, under PyTorch's names and with its values."""

from trainkit.optim.lr_scheduler.base import LRScheduler
from trainkit.optim.lr_scheduler.compose import ChainedScheduler, SequentialLR
from trainkit.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from trainkit.optim.lr_scheduler.cycle import CyclicLR, OneCycleLR
from trainkit.optim.lr_scheduler.decay import (
    ConstantLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from trainkit.optim.lr_scheduler.functional import LambdaLR, MultiplicativeLR
from trainkit.optim.lr_scheduler.plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
