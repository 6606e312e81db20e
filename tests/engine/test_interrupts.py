"""Ctrl-C: where it may come, what runs then, and how the run goes on."""

import contextlib
import logging
import signal
import threading

import pytest

from trainkit.engine import Engine, Events, Span, Status


class Data:
    """Three letters, again and again; may raise at a batch of a pass."""

    def __init__(self):
        self.fail_at = None

    def __len__(self):
        return 3

    def __iter__(self):
        for index, letter in enumerate("abc"):
            if self.fail_at == index:
                self.fail_at = None
                raise KeyboardInterrupt
            yield letter


def once(condition=lambda: True):
    """A handler that raises KeyboardInterrupt the first time that the condition holds."""
    armed = [True]

    def stop():
        if armed and condition():
            armed.clear()
            raise KeyboardInterrupt

    return stop


# Where Ctrl-C comes in the second epoch, at its second batch if at one; what is processed before it and after it.
PLACES = {
    Events.EPOCH_STARTED: ("abc", "abc"),
    Events.GET_BATCH_STARTED: ("abca", "bc"),
    "data": ("abca", "abb"[:2]),
    Events.GET_BATCH_COMPLETED: ("abca", "bc"),
    Events.ITERATION_STARTED: ("abca", "c"),
    "process": ("abca", "c"),
    Events.ITERATION_COMPLETED: ("abcab", "c"),
    Events.EPOCH_COMPLETED: ("abcabc", ""),
    Events.COMPLETED: ("abcabc", ""),
    Span.EPOCH: ("abcabc", ""),
    Span.RUN: ("abcabc", ""),
}


@pytest.mark.parametrize("place", list(PLACES), ids=str)
def test_wherever_it_comes(place):
    before, then = PLACES[place]
    data, seen, calls = Data(), [], []

    def amid():
        return engine.state.epoch == 2 and (engine.state.iteration >= 4 or place in ("epoch_started",))

    stop = once(lambda: amid() and (not place.startswith("iteration") or engine.state.iteration == 5))

    def process(engine, batch):
        if place == "process" and engine.state.iteration == 5:
            stop()
        seen.append(batch)

    engine = Engine(process)

    @engine.on(Events.INTERRUPT)
    def save():
        calls.append(("interrupt", engine.status.value))

    if place == "data":
        engine.add_event_handler(Events.EPOCH_STARTED(once=2), lambda: setattr(data, "fail_at", 1))
    elif place in list(Span):

        @engine.during(place)
        def span():
            try:
                yield
            finally:
                calls.append("closed")
            if place == Span.RUN or engine.state.epoch == 2:
                stop()
    elif place != "process":
        engine.add_event_handler(place, stop)
    with pytest.raises(KeyboardInterrupt) as caught:
        engine.run(data, max_epochs=2)
    assert "".join(seen) == before
    assert [call for call in calls if call != "closed"] == [("interrupt", "interrupted")]
    assert engine.status is Status.INTERRUPTED
    last = caught.value.__notes__[-1]
    assert last.startswith(
        f"stopped in epoch 2 at iteration {engine.state.iteration}, batch {engine.position.batch} of 3"
    )
    assert "engine.run() goes on with the next batch" in last

    seen.clear()
    completed = []
    engine.add_event_handler(Events.COMPLETED, lambda: completed.append(1))
    engine.run()
    assert "".join(seen) == then
    assert engine.status is Status.DONE
    assert engine.position == (2, 3)
    assert completed == ([] if place == Events.COMPLETED else [1])


def test_the_handlers_of_interrupt_run_before_the_spans_close():
    trace = []

    def process(engine, batch):
        raise KeyboardInterrupt

    engine = Engine(process)

    @engine.during(Span.RUN)
    def run():
        try:
            yield
        finally:
            trace.append("closed")

    engine.add_event_handler(Events.INTERRUPT, lambda: trace.append("interrupt"))
    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: trace.append("told"))
    with pytest.raises(KeyboardInterrupt):
        engine.run([1])
    assert trace == ["interrupt", "closed", "told"]


def test_a_real_signal():
    """What Ctrl-C sends, while the process function waits."""
    never = threading.Event()

    def process(engine, batch):
        while not never.wait(0.01):
            pass

    engine, seen = Engine(process), []
    engine.add_event_handler(Events.INTERRUPT, lambda: seen.append(engine.position))
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    engine.add_event_handler(Events.ITERATION_STARTED, timer.start)
    with pytest.raises(KeyboardInterrupt):
        engine.run([1, 2, 3])
    timer.join()
    assert seen == [(1, 1)]


def test_a_second_one_stops_at_once():
    def process(engine, batch):
        raise KeyboardInterrupt("first")

    engine, seen = Engine(process), []

    @engine.on(Events.INTERRUPT)
    def slow():
        raise KeyboardInterrupt("second")

    engine.add_event_handler(Events.INTERRUPT, lambda: seen.append("not any more"))
    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda: seen.append("nor this"))
    with pytest.raises(KeyboardInterrupt, match="second") as caught:
        engine.run([1, 2])
    assert seen == []
    assert str(caught.value.__context__) == "first"
    assert caught.value.__notes__[-1].startswith("stopped in epoch 1")
    assert engine.status is Status.INTERRUPTED


def test_one_amid_the_handlers_of_a_plain_interrupt():
    engine, seen = Engine(lambda engine, batch: engine.interrupt()), []

    @engine.on(Events.INTERRUPT)
    def slow():
        seen.append("once")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.run([1, 2])
    assert seen == ["once"]
    assert (engine.status, engine.position) == (Status.INTERRUPTED, (1, 1))
    engine.remove_event_handler(slow, Events.INTERRUPT)
    assert engine.run().iteration == 2


def test_a_handler_of_interrupt_that_fails_hides_neither_the_others_nor_the_stop(caplog):
    def process(engine, batch):
        raise KeyboardInterrupt

    engine, seen = Engine(process), []

    @engine.on(Events.INTERRUPT)
    def broken():
        raise OSError("disk full")

    engine.add_event_handler(Events.INTERRUPT, lambda: seen.append("saved"))
    with caplog.at_level(logging.ERROR, "trainkit.engine"), pytest.raises(KeyboardInterrupt) as caught:
        engine.run([1])
    assert seen == ["saved"]
    assert "a handler of INTERRUPT failed: OSError('disk full')" in caught.value.__notes__
    assert "disk full" in caplog.text


def test_a_handler_of_a_plain_interrupt_that_fails_fails_the_run():
    engine = Engine(lambda engine, batch: engine.interrupt())
    engine.add_event_handler(Events.INTERRUPT, lambda: [][0])
    with pytest.raises(IndexError):
        engine.run([1, 2])
    assert engine.status is Status.IDLE


@pytest.mark.parametrize(("answer", "status"), [(True, "interrupted"), ("terminate", "done")])
def test_ignites_way_of_taking_it(answer, status):
    def process(engine, batch):
        if engine.state.iteration == 2:
            raise KeyboardInterrupt

    engine, fired = Engine(process), []
    engine.add_event_handler(Events.TERMINATE | Events.COMPLETED, lambda: fired.append(engine.last_event_name))

    @engine.on(Events.EXCEPTION_RAISED)
    def take(engine, error):
        assert isinstance(error, KeyboardInterrupt)
        return engine.terminate() if answer == "terminate" else answer

    assert engine.run("abc") is engine.state
    assert engine.status == status
    assert fired == ([] if status == "interrupted" else ["terminate", "completed"])
    if status == "interrupted":
        assert engine.run().iteration == 3


def test_a_span_that_ends_it_leaves_an_interrupted_run():
    def process(engine, batch):
        if engine.state.iteration == 2:
            raise KeyboardInterrupt

    for stage in (Span.EPOCH, Span.RUN):
        engine = Engine(process)

        @engine.during(stage)
        def swallow():
            with contextlib.suppress(KeyboardInterrupt):
                yield

        assert engine.run("abc").iteration == 2
        assert engine.status is Status.INTERRUPTED
        assert engine.run().iteration == 3
        assert engine.status is Status.DONE


def test_a_stop_that_was_asked_for_before_holds_after_it():
    def process(engine, batch):
        engine.terminate()
        raise KeyboardInterrupt

    engine = Engine(process)
    with pytest.raises(KeyboardInterrupt):
        engine.run("abc")
    assert engine.run().iteration == 1
    assert engine.status is Status.DONE
