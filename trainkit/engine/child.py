"""One engine run by another: the validation of a training run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trainkit.engine.status import Status

__all__ = ["validate"]


def validate(
    engine: Any,
    evaluator: Any,
    data: Iterable[Any] | None,
    prefix: str = "val_",
    epoch_length: int | None = None,
) -> None:
    """Run `evaluator` for `engine`: a new run, whose metrics are `engine`'s under the prefix afterwards.

    What an earlier run had left there goes first, so that nothing passes for what this one found.
    """
    metrics, state = engine.state.metrics, evaluator.state
    for name in state.metrics:
        metrics.pop(f"{prefix}{name}", None)
    state.metrics.clear()
    former, state.parent = state.parent, engine.state
    try:
        evaluator.run(data, epoch_length=epoch_length, resume=False)
    finally:
        state.parent = former
        interrupted = evaluator.status is Status.INTERRUPTED
        if evaluator.status in (Status.IDLE, Status.INTERRUPTED):
            evaluator._abandon()
    metrics.update({f"{prefix}{name}": value for name, value in state.metrics.items()})
    if interrupted:
        engine.interrupt()
