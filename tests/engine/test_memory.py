"""An engine and all that hangs on it dies with its last reference, without the garbage collector."""

import contextlib
import gc
import sys
import weakref

import pytest

import trainkit as tk
from trainkit.engine import Engine, Events, Span, create_supervised_trainer, supervised_training_step


@pytest.fixture(autouse=True)
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Callback:
    def log(self, engine): ...

    def around(self):
        yield


def build(process=lambda engine, batch: batch):
    """An engine with handlers of every kind, and what must die with it."""
    engine, callback = Engine(process), Callback()
    closed_over = Callback()
    engine.add_event_handler(Events.ITERATION_COMPLETED(every=2) | Events.COMPLETED, callback.log)
    engine.add_event_handler(Events.STARTED, lambda engine: closed_over)
    engine.add_event_handler(Events.STARTED, lambda engine, thing: None, closed_over)
    engine.add_event_handler(Span.EPOCH, callback.around)
    engine.add_event_handler(Span.ITERATION, closed_over.around)
    engine.hooks["epoch_completed"] = callback.log
    callback.handle = engine.add_event_handler(Events.STARTED, callback.log)
    engine.register_events("own", event_to_attr={"own": "owned"})
    return engine, [weakref.ref(thing) for thing in (engine, callback, closed_over)]


def dead(refs):
    return [ref() for ref in refs] == [None] * len(refs)


def test_before_and_after_a_run():
    engine, refs = build()
    del engine
    assert dead(refs)
    engine, refs = build()
    engine.run([1, 2], max_epochs=2)
    del engine
    assert dead(refs)


@pytest.mark.parametrize("event", list(Events)[:7])
def test_after_an_interrupt_that_is_never_resumed(event):
    engine, refs = build()
    engine.add_event_handler(event, Engine.interrupt)
    engine.run([1, 2], max_epochs=2, epoch_length=3)
    del engine
    assert dead(refs)


@pytest.mark.parametrize("where", ["process", "handler", "span", "started"])
def test_after_an_error(where):
    def fail(*args):
        raise ValueError("boom")

    def failing_span():
        yield
        raise ValueError("boom")

    engine, refs = build(fail if where == "process" else lambda engine, batch: batch)
    if where == "handler":
        engine.add_event_handler(Events.ITERATION_COMPLETED, fail)
    elif where == "started":
        engine.add_event_handler(Events.STARTED, fail)
    elif where == "span":
        engine.add_event_handler(Span.EPOCH, failing_span)
    with contextlib.suppress(ValueError):
        engine.run([1, 2])
    del engine
    assert dead(refs)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_that_a_handler_takes(error):
    def fail(*args):
        raise error("boom")

    engine, refs = build(fail)
    seen = []
    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda engine, error: seen.append(repr(error)) or True)
    engine.run([1, 2])
    assert seen
    del engine
    assert dead(refs)


def test_an_error_is_not_kept():
    class BoomError(Exception):
        pass

    def fail(*args):
        raise BoomError

    engine, refs = build(fail)
    seen = []
    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: seen.append(weakref.ref(error)) or True)
    engine.run([1, 2])
    assert seen[0]() is None
    del engine
    assert dead(refs)


def test_an_error_that_a_span_ends_or_replaces():
    def fail(*args):
        raise ValueError("boom")

    def end():
        with contextlib.suppress(ValueError):
            yield

    def replace():
        try:
            yield
        finally:
            raise OSError("other")

    for span in (end, replace):
        engine, refs = build(fail)
        engine.add_event_handler(Span.ITERATION, span)
        with contextlib.suppress(OSError):
            engine.run([1])
        del engine
        assert dead(refs)


def test_an_engine_of_its_own_methods():
    class Own(Engine):
        def __init__(self):
            super().__init__(self.step)
            self.add_event_handler(Events.STARTED, self.begin)
            self.add_event_handler(Span.RUN, self.around)

        def step(self, engine, batch):
            return batch

        def begin(self): ...

        def around(self):
            yield

    engine = Own()
    assert engine.run([3]).output == 3
    ref = weakref.ref(engine)
    del engine
    assert ref() is None


def test_a_handle_keeps_nothing():
    engine, refs = build()
    handle = engine.add_event_handler(Events.STARTED, Callback().log)
    attached = engine.attach(type("Thing", (), {"on_started": lambda self: None})())
    del engine
    assert dead(refs)
    handle.remove()
    attached.remove()


@pytest.mark.parametrize("where", ["process", "data", "handler", "outside"])
def test_after_ctrl_c(where):
    def stop(*args):
        raise KeyboardInterrupt

    class Data:
        def __iter__(self):
            yield 1
            if where == "data":
                stop()
            yield 2

    engine, refs = build(stop if where == "process" else lambda engine, batch: batch)
    if where in ("handler", "outside"):
        engine.add_event_handler(Events.ITERATION_COMPLETED if where == "handler" else Events.EPOCH_COMPLETED, stop)
    engine.add_event_handler(Events.INTERRUPT, refs[1]().log)
    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: None)
    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            engine.run(Data(), max_epochs=2, epoch_length=2)
    del engine
    assert dead(refs)


def test_after_two_ctrl_c_and_failing_handlers():
    def stop(*args):
        raise KeyboardInterrupt

    def fail(*args):
        raise ValueError("boom")

    for event in (Events.INTERRUPT, Events.EXCEPTION_RAISED):
        engine, refs = build(stop)
        engine.add_event_handler(event, fail)
        engine.add_event_handler(event, fail)
        if event == Events.INTERRUPT:
            engine.add_event_handler(event, stop)
        with contextlib.suppress(KeyboardInterrupt, ValueError):
            engine.run([1, 2])
        del engine
        assert dead(refs)


@pytest.mark.parametrize("ends", ["well", "badly", "interrupted", "by Ctrl-C"])
def test_an_attached_evaluator_dies_with_its_trainer(ends):
    def process(engine, batch):
        if ends == "badly":
            raise ValueError("boom")
        if ends == "by Ctrl-C":
            raise KeyboardInterrupt
        if ends == "interrupted":
            engine.interrupt()

    evaluator, more = build(process)
    engine, refs = build()
    engine.attach_evaluator(evaluator, [1, 2])
    del evaluator
    with contextlib.suppress(ValueError, KeyboardInterrupt):
        engine.run([1, 2])
    del engine
    assert dead(refs + more)


@pytest.mark.parametrize("group", [1, 2])
def test_a_supervised_engine_dies(group):
    net = tk.nn.Linear(1, 1)
    for deterministic in (False, True):
        trainer = create_supervised_trainer(
            net, tk.optim.SGD(net.parameters(), lr=0.1), tk.nn.MSELoss(), deterministic=deterministic,
            gradient_accumulation_steps=group, metrics={"loss": tk.metrics.Average()},
        )  # fmt: skip
        by_hand = Engine(
            supervised_training_step(
                net, tk.optim.SGD(net.parameters(), lr=0.1), tk.nn.MSELoss(), gradient_accumulation_steps=group
            )
        )
        refs = [weakref.ref(trainer), weakref.ref(by_hand)]
        for engine in (trainer, by_hand):
            engine.run([(tk.ones(2, 1), tk.ones(2, 1))] * 3)
        del trainer, by_hand, engine
        assert dead(refs)


def test_a_million_iterations_leave_memory_flat():
    engine, _ = build()
    engine.remove_event_handler(next(h.function for h in engine._spans[Span.ITERATION].handlers), Span.ITERATION)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: None)
    engine.run(range(1000))
    objects, blocks = len(gc.get_objects()), sys.getallocatedblocks()
    engine.run(range(1_000_000))
    assert abs(len(gc.get_objects()) - objects) < 50
    assert abs(sys.getallocatedblocks() - blocks) < 500
