"""The state machine: which moves there are, what run() takes of them, and random sequences against a small model."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainkit.engine import Engine, EngineError, Events, Move, Position, Status
from trainkit.engine.status import MOVES, after
from trainkit.errors import ArgumentError

#            idle       running        epoch          interrupted    done
TABLE = {
    "begin": ("running", None, None, "running", "running"),
    "continue": ("running", None, None, None, "running"),
    "resume": (None, None, None, "running", None),
    "enter": (None, "epoch", None, None, None),
    "leave": (None, None, "running", None, None),
    "interrupt": (None, "interrupted", "interrupted", None, None),
    "finish": (None, "done", None, "done", None),
    "fail": (None, "idle", "idle", "idle", None),
    "load": ("idle", "running", "epoch", "idle", "idle"),
}


@pytest.mark.parametrize("move", list(Move))
@pytest.mark.parametrize(("column", "status"), list(enumerate(Status)))
def test_every_move_from_every_status(move, column, status):
    target = TABLE[move][column]
    if target is None:
        assert (status, move) not in MOVES
        with pytest.raises(EngineError):
            after(status, move)
    else:
        assert after(status, move) is Status(target)


def fail(engine):
    raise ValueError("boom")


def stop(engine):
    raise KeyboardInterrupt


ACTS = {
    "terminate": Engine.terminate,
    "terminate_epoch": Engine.terminate_epoch,
    "interrupt": Engine.interrupt,
    "fail": fail,
    "ctrl-c": stop,
}
# What is done at iteration 2 of epochs of 3; status and position after it; the same after the next run() of 2 epochs,
# and how many iterations that one did.
LIVES = [
    (None, "done", (2, 3), (2, 3), 6),
    ("terminate", "done", (1, 2), (2, 3), 3),
    ("terminate_epoch", "done", (2, 3), (2, 1), 1),  # 5 iterations are fewer than 2 epochs of 3
    ("interrupt", "interrupted", (1, 2), (2, 3), 4),
    ("fail", "idle", (1, 2), (2, 3), 1),
    ("ctrl-c", "interrupted", (1, 2), (2, 3), 4),
]


@pytest.mark.parametrize(("act", "status", "position", "then", "iterations"), LIVES)
def test_lives(act, status, position, then, iterations):
    done = []
    engine = Engine(lambda engine, batch: done.append(batch))
    if act:
        engine.add_event_handler(Events.ITERATION_COMPLETED(once=2), ACTS[act])
    try:
        engine.run("abc", max_epochs=2)
    except (ValueError, KeyboardInterrupt):
        assert act in ("fail", "ctrl-c")
    assert (engine.status, engine.position) == (status, position)
    if act == "terminate_epoch":
        return
    done.clear()
    if act:
        engine.remove_event_handler(ACTS[act], Events.ITERATION_COMPLETED)
    engine.run("abc", max_epochs=2)
    assert (engine.status, engine.position, len(done)) == ("done", then, iterations)


def test_the_status_at_every_event():
    engine = Engine(lambda engine, batch: seen.append(("process", engine.status.value, engine.position)))
    seen = []
    for event in Events:
        engine.add_event_handler(
            event, lambda event: seen.append((event, engine.status.value, engine.position)), event.value
        )
    engine.add_event_handler(Events.ITERATION_COMPLETED(once=2), engine.interrupt)
    assert (engine.status, engine.position) == (Status.IDLE, Position(0, 0))
    engine.run("ab")
    assert seen == [
        ("started", "running", (0, 0)),
        ("epoch_started", "epoch", (1, 0)),
        ("get_batch_started", "epoch", (1, 0)),
        ("get_batch_completed", "epoch", (1, 0)),
        ("iteration_started", "epoch", (1, 1)),
        ("process", "epoch", (1, 1)),
        ("iteration_completed", "epoch", (1, 1)),
        ("get_batch_started", "epoch", (1, 1)),
        ("get_batch_completed", "epoch", (1, 1)),
        ("iteration_started", "epoch", (1, 2)),
        ("process", "epoch", (1, 2)),
        ("iteration_completed", "epoch", (1, 2)),
        ("interrupt", "interrupted", (1, 2)),
    ]
    seen.clear()
    engine.run()
    assert seen == [("epoch_completed", "running", (1, 2)), ("completed", "running", (1, 2))]
    assert engine.status is Status.DONE


def interrupted():
    engine = Engine(lambda engine, batch: None)
    engine.add_event_handler(Events.ITERATION_COMPLETED(once=2), engine.interrupt)
    engine.run("abc", max_epochs=2)
    return engine


def loaded():
    engine = Engine(lambda engine, batch: None)
    engine.load_state_dict({"iteration": 4, "max_epochs": 2, "epoch_length": 3})
    return engine


def finished():
    engine = Engine(lambda engine, batch: None)
    engine.run("abc", max_epochs=2)
    return engine


@pytest.mark.parametrize(
    ("make", "options", "line"),
    [
        (lambda: Engine(lambda e, b: None), {}, "a new run begins at epoch 1, iteration 1, up to max_epochs=1"),
        (
            lambda: Engine(lambda e, b: None),
            {"max_iters": 7},
            "a new run begins at epoch 1, iteration 1, up to max_iters=7",
        ),
        (
            interrupted,
            {},
            "the interrupted run resumes in epoch 1, behind Events.ITERATION_COMPLETED of iteration 2, up to max_epochs=2",
        ),
        (interrupted, {"resume": True}, "the interrupted run resumes in epoch 1"),
        (interrupted, {"resume": False}, "a new run begins at epoch 1, iteration 1, up to max_epochs=1"),
        (interrupted, {"resume": False, "max_iters": 2}, "a new run begins at epoch 1, iteration 1, up to max_iters=2"),
        (loaded, {}, "the run continues at epoch 2, iteration 5, up to max_epochs=2"),
        (loaded, {"resume": True, "max_epochs": 5}, "the run continues at epoch 2, iteration 5, up to max_epochs=5"),
        (loaded, {"resume": False}, "a new run begins"),
        (finished, {}, "a new run begins"),
        (finished, {"max_epochs": 3}, "the run continues at epoch 3, iteration 7, up to max_epochs=3"),
        (finished, {"max_epochs": 3, "resume": True}, "the run continues at epoch 3"),
        (finished, {"max_epochs": 3, "resume": False}, "a new run begins at epoch 1, iteration 1, up to max_epochs=3"),
        (finished, {"max_epochs": 1, "resume": False}, "a new run begins at epoch 1, iteration 1, up to max_epochs=1"),
    ],
)
def test_a_line_of_the_log_says_how_a_run_begins(make, options, line, caplog):
    engine = make()
    caplog.clear()
    with caplog.at_level(logging.INFO, "trainkit.engine"):
        engine.run("abc", **options)
    told = [record.getMessage() for record in caplog.records]
    lines = [text for text in told if text.startswith(("a new run", "the run ", "the interrupted run"))]
    assert lines[0].startswith(line)
    assert len(lines) == 1


def test_a_new_run_takes_a_length_of_its_own():
    engine = interrupted()
    assert engine.run("xyzw", resume=False).epoch_length == 4
    assert engine.run(max_epochs=1, epoch_length=2, resume=False).iteration == 2
    with pytest.raises(ArgumentError, match="neither data nor epoch_length"):
        engine.run(resume=False)


def test_loading_leaves_nothing_of_a_terminated_run():
    engine = Engine(lambda engine, batch: None)
    engine.add_event_handler(Events.ITERATION_COMPLETED(once=2), engine.terminate)
    engine.run("abc")
    engine.load_state_dict({"iteration": 4, "max_epochs": 2, "epoch_length": 3})
    assert (engine.status, engine.position) == (Status.IDLE, (1, 1))
    assert engine.run("abc").iteration == 6


LENGTH = 3


class Model:
    """What an engine over LENGTH batches does, in the fewest words: each iteration as (epoch, batch in epoch)."""

    def __init__(self):
        self.epoch = self.iteration = self.batch = 0
        self.epochs = self.iters = None
        self.status, self.terminated = "idle", False

    def done(self):
        if self.iters is not None:
            return self.iteration >= self.iters
        return self.epochs is not None and (self.epoch >= self.epochs or self.iteration >= LENGTH * self.epochs)

    def begin(self, epochs, iters, resume):
        if resume is not False:
            if (epochs and self.iters) or (iters and self.epochs):
                raise ArgumentError
            if (epochs and self.epochs and epochs < self.epoch) or (iters and self.iters and iters < self.iteration):
                raise ArgumentError
            self.epochs = epochs if epochs and self.epochs else self.epochs
            self.iters = iters if iters and self.iters else self.iters
        held, fresh = self.status == "interrupted", self.epochs is None and self.iters is None
        if resume is False or fresh or (self.done() and not held):
            if resume is True:
                raise ArgumentError
            self.epoch = self.iteration = self.batch = 0
            self.epochs, self.iters, held = (None, iters, False) if iters else (epochs or 1, None, False)
        elif not held:
            self.batch = 0 if self.terminated else self.iteration % LENGTH
        return held

    def run(self, epochs, iters, resume, stop, at):
        inside, trace, first = self.begin(epochs, iters, resume), [], self.batch
        if not inside:
            self.terminated = False
        self.status = "done"
        while inside or not (self.done() or self.terminated):
            if not inside:
                self.epoch, self.batch, first = self.epoch + 1, first, 0
            ended = False
            while not ended and not (inside and self.batch >= LENGTH):
                if inside and self.iters is not None and self.iteration >= self.iters:
                    self.terminated = True
                    return trace
                inside, first = False, 0
                self.batch, self.iteration = self.batch + 1, self.iteration + 1
                trace.append((self.epoch, self.batch))
                if len(trace) == at:
                    if stop in ("interrupt", "ctrl-c", "fail"):
                        self.status = "idle" if stop == "fail" else "interrupted"
                        return trace
                    self.terminated = self.terminated or stop == "terminate"
                    if self.terminated:
                        return trace
                    ended = stop == "terminate_epoch"
                if not ended and self.batch < LENGTH and self.iters is not None and self.iteration >= self.iters:
                    self.terminated = True
                    return trace
                ended = ended or self.batch >= LENGTH
            inside, first = False, 0
        return trace

    def load(self, iteration, epochs):
        if epochs < iteration // LENGTH:
            raise ArgumentError
        self.epoch, self.batch, self.iteration = iteration // LENGTH, iteration % LENGTH, iteration
        self.epochs, self.iters, self.status, self.terminated = epochs, None, "idle", False


limits = st.one_of(
    st.just((None, None)), st.tuples(st.integers(1, 4), st.none()), st.tuples(st.none(), st.integers(1, 10))
)
runs = st.tuples(limits, st.sampled_from(["auto", True, False]), st.sampled_from([None, *ACTS]), st.integers(1, 6))
loads = st.tuples(st.integers(0, 9), st.integers(1, 5))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(runs, runs, runs, loads), max_size=8))
def test_random_lives_agree_with_a_small_model(steps):
    model, trace, plan = Model(), [], [None, 0]

    def process(engine, batch):
        trace.append(tuple(engine.position))
        if len(trace) == plan[1] and plan[0]:
            ACTS[plan[0]](engine)

    engine = Engine(process)
    for step in steps:
        trace.clear()
        expected, error = [], None
        try:
            if len(step) == 2:
                model.load(*step)
            else:
                (epochs, iters), resume, *plan[:] = step
                expected = model.run(epochs, iters, resume, *plan)
        except ArgumentError as refused:
            error = refused
        try:
            if len(step) == 2:
                engine.load_state_dict({"iteration": step[0], "max_epochs": step[1], "epoch_length": LENGTH})
            else:
                engine.run(range(LENGTH), epochs, iters, resume=resume)
            assert error is None
        except ArgumentError:
            assert error is not None
        except (ValueError, KeyboardInterrupt):
            assert plan[0] in ("fail", "ctrl-c")
        assert trace == expected
        assert (engine.status, engine.position) == (model.status, (model.epoch, model.batch))
        assert (engine.state.iteration, engine.state.max_epochs, engine.state.max_iters) == (
            model.iteration,
            model.epochs,
            model.iters,
        )
