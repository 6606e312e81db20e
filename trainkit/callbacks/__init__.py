"""Callbacks: classes with hooks, each of which only attaches handlers."""

from trainkit.callbacks.callback import TRAIN_ENDED, Callback
from trainkit.callbacks.checkpoint import ModelCheckpoint
from trainkit.callbacks.history import History
from trainkit.callbacks.progress import EpochTable, ProgressBar
from trainkit.callbacks.schedule import LearningRateScheduler
from trainkit.callbacks.tensorboard import TensorBoardLogger

__all__ = [
    "TRAIN_ENDED",
    "Callback",
    "EpochTable",
    "History",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgressBar",
    "TensorBoardLogger",
]
