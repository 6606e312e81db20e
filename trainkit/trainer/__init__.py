"""`Trainer`: `fit`, `evaluate` and `predict` as a thin face over two engines."""

from trainkit.trainer.step import StepOutput
from trainkit.trainer.trainer import Trainer

__all__ = ["StepOutput", "Trainer"]
