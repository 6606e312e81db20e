"""Metrics, alone and attached."""

import numpy as np
import pytest

import trainkit as tk
from trainkit.engine import Engine, Events
from trainkit.errors import NotComputableError, ShapeError
from trainkit.metrics import Accuracy, Average, Loss, Metric, MetricCollection


def test_average_is_weighed() -> None:
    mean = Average()
    with pytest.raises(NotComputableError, match="no example"):
        mean.compute()
    mean.update(2.0)
    mean.update((5.0, 3))
    assert mean.compute() == 4.25


def test_loss_counts_examples() -> None:
    loss = Loss(tk.nn.MSELoss())
    loss.update((tk.ones(3, 1), tk.zeros(3, 1)))
    loss.update((tk.ones(1, 1) * 3, tk.zeros(1, 1)))
    assert loss.compute() == 3.0


def test_accuracy() -> None:
    accuracy = Accuracy()
    with pytest.raises(NotComputableError, match="no example"):
        accuracy.compute()
    accuracy.update((np.array([[0.1, 0.9], [0.9, 0.1], [0.2, 0.8]]), np.array([1, 1, 1])))
    assert accuracy.compute() == pytest.approx(2 / 3)
    accuracy.reset()
    accuracy.update((tk.tensor([1, 0]), tk.tensor([1, 1])))
    assert accuracy.compute() == 0.5
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(4,\)"):
        accuracy.update((tk.zeros(2, 3), tk.zeros(4)))


def test_attached_metrics_are_there_before_other_handlers() -> None:
    engine, seen = Engine(lambda engine, batch: batch), []
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda e: seen.append(dict(e.state.metrics)))
    MetricCollection({"mean": Average(), "double": Average(lambda output: 2.0 * output)}).attach(engine)
    engine.run([1.0, 2.0, 3.0], max_epochs=2)
    assert seen == [{"mean": 2.0, "double": 4.0}] * 2


def test_base_class_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="reset"):
        Metric()
