"""Callbacks: classes with hooks, each of which only attaches handlers."""

from trainkit.callbacks.accumulation import GradientAccumulation
from trainkit.callbacks.activations import ActivationMonitor
from trainkit.callbacks.averaging import EMA, StochasticWeightAveraging
from trainkit.callbacks.callback import TRAIN_ENDED, Callback
from trainkit.callbacks.checkpoint import ModelCheckpoint
from trainkit.callbacks.clip import ClipGradNorm, ClipGradValue
from trainkit.callbacks.early_stopping import EarlyStopping
from trainkit.callbacks.epoch_table import EpochTable
from trainkit.callbacks.file_loggers import CSVLogger, JSONLinesLogger
from trainkit.callbacks.freezing import DiscriminativeLR, Freeze, GradualUnfreezing, Unfreeze
from trainkit.callbacks.gradients import GradientMonitor
from trainkit.callbacks.history import History
from trainkit.callbacks.lr_finder import LRFinder
from trainkit.callbacks.mixing import CutMix, MixedTarget, MixUp
from trainkit.callbacks.model_summary import ModelSummary
from trainkit.callbacks.monitor import Monitor, MonitorCallback
from trainkit.callbacks.nan import TerminateOnNaN
from trainkit.callbacks.predictions import PredictionWriter
from trainkit.callbacks.progress import ProgressBar
from trainkit.callbacks.restore import BestModelRestore
from trainkit.callbacks.schedule import LearningRateScheduler, ReduceLROnPlateau
from trainkit.callbacks.tensorboard import TensorBoardLogger
from trainkit.callbacks.timing import ThroughputMonitor, TimeLimit, Timer
from trainkit.callbacks.warm_up import WarmUp
from trainkit.callbacks.wrappers import Delay, Every, LambdaCallback

__all__ = [
    "EMA",
    "TRAIN_ENDED",
    "ActivationMonitor",
    "BestModelRestore",
    "CSVLogger",
    "Callback",
    "ClipGradNorm",
    "ClipGradValue",
    "CutMix",
    "Delay",
    "DiscriminativeLR",
    "EarlyStopping",
    "EpochTable",
    "Every",
    "Freeze",
    "GradientAccumulation",
    "GradientMonitor",
    "GradualUnfreezing",
    "History",
    "JSONLinesLogger",
    "LRFinder",
    "LambdaCallback",
    "LearningRateScheduler",
    "MixUp",
    "MixedTarget",
    "ModelCheckpoint",
    "ModelSummary",
    "Monitor",
    "MonitorCallback",
    "PredictionWriter",
    "ProgressBar",
    "ReduceLROnPlateau",
    "StochasticWeightAveraging",
    "TensorBoardLogger",
    "TerminateOnNaN",
    "ThroughputMonitor",
    "TimeLimit",
    "Timer",
    "Unfreeze",
    "WarmUp",
]
