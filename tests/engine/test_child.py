"""An evaluator that runs as the child of a trainer."""

import pytest

from trainkit.engine import Engine, Events, Priority, Status
from trainkit.errors import ArgumentError


def evaluating(process=lambda engine, batch: batch):
    """An evaluator with a metric, the sum of its batches."""
    evaluator = Engine(process)
    evaluator.add_event_handler(Events.STARTED, lambda engine: setattr(engine.state, "sum", 0))
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: add(engine.state))
    evaluator.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: publish(engine.state))
    return evaluator


def add(state):
    state.sum += state.batch


def publish(state):
    state.metrics["sum"] = state.sum


def test_its_metrics_are_there_for_handlers_loggers_and_checkpoints():
    trainer, evaluator, seen = Engine(lambda engine, batch: None), evaluating(), []
    for band in (Priority.CHECKPOINTS, Priority.LOGGERS, Priority.HANDLERS, Priority.METRICS):
        trainer.add_event_handler(
            Events.EPOCH_COMPLETED,
            lambda engine, band: seen.append((band.name, engine.state.metrics.get("val_sum"))),
            band,
            priority=band,
        )
    trainer.attach_evaluator(evaluator, [1, 2, 3])
    trainer.run([0])
    assert seen == [("METRICS", None), ("HANDLERS", 6), ("LOGGERS", 6), ("CHECKPOINTS", 6)]
    assert "VALIDATION  validate" in trainer.describe()


def test_its_handlers_take_the_step_of_the_trainer():
    trainer, evaluator, steps = Engine(lambda engine, batch: None), evaluating(), []

    @evaluator.on(Events.COMPLETED)
    def log(engine):
        root = engine.state.root
        steps.append((root.epoch, root.iteration, engine.state.iteration, engine.state.parent is trainer.state))

    trainer.attach_evaluator(evaluator, [1, 2])
    trainer.run("abc", max_epochs=2)
    assert steps == [(1, 3, 2, True), (2, 6, 2, True)]
    assert evaluator.state.parent is None
    evaluator.run([1])
    assert steps[-1] == (1, 1, 1, False)


@pytest.mark.parametrize(
    ("every", "when"),
    [
        (Events.EPOCH_COMPLETED(every=2), [4, 8]),
        (Events.ITERATION_COMPLETED(every=3), [3, 6]),
        (Events.STARTED | Events.COMPLETED, [0, 8]),
    ],
)
def test_at_every_event(every, when):
    trainer, evaluator, seen = Engine(lambda engine, batch: None), evaluating(), []
    evaluator.add_event_handler(Events.STARTED, lambda engine: seen.append(engine.state.root.iteration))
    trainer.attach_evaluator(evaluator, [1], every)
    trainer.run("ab", max_epochs=4)
    assert seen == when


def test_the_handle_takes_it_back_and_the_evaluator_is_free():
    trainer, evaluator = Engine(lambda engine, batch: None), evaluating()
    with trainer.attach_evaluator(evaluator, [1, 2], prefix="test/"):
        assert trainer.run([0]).metrics == {"test/sum": 3}
    trainer.state.metrics.clear()
    assert trainer.run([0]).metrics == {}
    assert evaluator.run([5]).metrics == {"sum": 5}
    other = Engine(lambda engine, batch: None)
    other.attach_evaluator(evaluator, None, epoch_length=2)
    with pytest.raises(TypeError):
        other.run([0])  # None is no number: the batches were None
    assert trainer.describe() == "no handlers"


def test_two_evaluators():
    trainer = Engine(lambda engine, batch: None)
    trainer.attach_evaluator(evaluating(), [1])
    trainer.attach_evaluator(evaluating(), [2], prefix="val_hard_")
    assert trainer.run([0], max_epochs=2).metrics == {"val_sum": 1, "val_hard_sum": 2}


def test_one_evaluator_over_two_sets():
    trainer, evaluator = Engine(lambda engine, batch: None), evaluating()
    trainer.attach_evaluator(evaluator, [1])
    trainer.attach_evaluator(evaluator, [2], prefix="train_")
    assert trainer.run([0], max_epochs=2).metrics == {"val_sum": 1, "train_sum": 2}


def test_terminate_ends_the_evaluation_alone_and_leaves_no_old_figure():
    trainer, seen = Engine(lambda engine, batch: None), []
    evaluator = evaluating(lambda engine, batch: engine.state.root.epoch == 2 and engine.terminate())
    trainer.attach_evaluator(evaluator, [1, 2])
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: seen.append(dict(trainer.state.metrics)))
    trainer.run([0], max_epochs=3)
    assert seen == [{"val_sum": 3}, {}, {"val_sum": 3}]


def test_terminating_the_trainer_lets_the_evaluation_end():
    trainer = Engine(lambda engine, batch: None)
    trainer.attach_evaluator(evaluating(lambda engine, batch: trainer.terminate()), [1, 2])
    state = trainer.run([0], max_epochs=3)
    assert (state.epoch, state.metrics, trainer.status) == (1, {"val_sum": 3}, Status.DONE)


def test_interrupt_interrupts_the_trainer_too():
    trainer, seen = Engine(lambda engine, batch: None), []
    evaluator = evaluating(lambda engine, batch: engine.state.root.epoch == 2 and engine.interrupt())
    trainer.attach_evaluator(evaluator, [1, 2])
    trainer.add_event_handler(Events.INTERRUPT, lambda: seen.append(trainer.position))
    trainer.run([0], max_epochs=3)
    assert seen == [(2, 1)]
    assert (trainer.status, evaluator.status) == (Status.INTERRUPTED, Status.IDLE)
    assert trainer.run().metrics == {"val_sum": 3}
    assert trainer.position == (3, 1)


def test_an_error_goes_on_in_the_trainer_with_both_places():
    def step(engine, batch):
        raise ValueError("boom")

    trainer, evaluator = Engine(lambda engine, batch: None), Engine(step)
    trainer.attach_evaluator(evaluator, [1])
    with pytest.raises(ValueError, match="boom") as caught:
        trainer.run([0], max_epochs=2)
    assert caught.value.__notes__ == [
        "in process function 'step' (epoch 1, iteration 1)",
        "in handler 'validate' of Events.EPOCH_COMPLETED (epoch 1, iteration 1)",
    ]
    assert (trainer.status, evaluator.status) == (Status.IDLE, Status.IDLE)
    assert evaluator.state.parent is None


def test_ctrl_c_stops_both_and_only_the_trainer_goes_on():
    def step(engine, batch):
        if engine.state.root.epoch == 1 and stops:
            stops.clear()
            raise KeyboardInterrupt
        return batch

    stops, seen = [True], []
    trainer, evaluator = Engine(lambda engine, batch: None), evaluating(step)
    trainer.attach_evaluator(evaluator, [1, 2])
    trainer.add_event_handler(Events.INTERRUPT, lambda: seen.append("trainer"))
    evaluator.add_event_handler(Events.INTERRUPT, lambda: seen.append("evaluator"))
    with pytest.raises(KeyboardInterrupt) as caught:
        trainer.run("ab", max_epochs=2)
    assert seen == ["evaluator", "trainer"]
    assert [note for note in caught.value.__notes__ if note.startswith("stopped")] == caught.value.__notes__[-1:]
    assert caught.value.__notes__[-1].startswith("stopped in epoch 1 at iteration 2, batch 2 of 2")
    assert (trainer.status, evaluator.status) == (Status.INTERRUPTED, Status.IDLE)
    assert trainer.run().metrics == {"val_sum": 3}
    assert evaluator.run([7]).metrics == {"sum": 7}


def test_what_is_no_evaluator():
    trainer = Engine(lambda engine, batch: None)
    with pytest.raises(ArgumentError, match="another Engine, got this engine itself"):
        trainer.attach_evaluator(trainer, [1])
    with pytest.raises(ArgumentError, match="another Engine, got a function"):
        trainer.attach_evaluator(lambda: None, [1])
