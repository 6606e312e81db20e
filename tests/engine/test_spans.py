"""Handlers that live across a stage."""

import contextlib

import pytest

from trainkit.engine import Engine, EngineError, Events, Span
from trainkit.errors import ArgumentError


def bracketed(process=lambda engine, batch: None, spans=tuple(Span), events=tuple(Events)):
    """An engine that writes down its events, and the opening and closing of its spans."""
    engine, trace = Engine(process), []
    for event in events:
        engine.add_event_handler(event, lambda *args: trace.append(args[-1]), event.value)
    for stage in spans:

        def bracket(engine, stage):
            trace.append(f"<{stage.name}")
            try:
                yield
            except BaseException as error:
                trace.append(f"!{stage.name} {error}")
                raise
            finally:
                trace.append(f"{stage.name}>")

        engine.during(stage, stage)(bracket)
    return engine, trace


def test_where_the_stages_lie():
    engine, trace = bracketed()
    engine.run([1])
    assert trace == [
        "started",
        "<RUN",
        "epoch_started",
        "<EPOCH",
        "get_batch_started",
        "<BATCH_FETCH",
        "BATCH_FETCH>",
        "get_batch_completed",
        "iteration_started",
        "<ITERATION",
        "ITERATION>",
        "iteration_completed",
        "EPOCH>",
        "epoch_completed",
        "RUN>",
        "completed",
    ]


def test_a_span_has_its_state_in_its_variables_and_loggers_see_what_it_writes():
    engine = Engine(lambda engine, batch: batch)
    logged = []

    @engine.during(Span.EPOCH)
    def count(engine):
        first = engine.state.iteration
        yield
        engine.state.metrics["iterations"] = engine.state.iteration - first

    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: logged.append(dict(engine.state.metrics)))
    engine.run([1, 2, 3], max_epochs=2)
    assert logged == [{"iterations": 3}, {"iterations": 3}]


def test_spans_of_one_stage_nest():
    engine = Engine(lambda engine, batch: trace.append("step"))
    trace = []

    def span(name):
        trace.append(f"<{name}")
        yield
        trace.append(f"{name}>")

    engine.add_event_handler(Span.ITERATION, span, "outer")
    engine.add_event_handler(Span.ITERATION, span, "inner")
    engine.add_event_handler(Span.ITERATION, span, "outermost", priority=-1)
    engine.run([1])
    assert trace == ["<outermost", "<outer", "<inner", "step", "inner>", "outer>", "outermost>"]


def test_arguments_filters_and_removal():
    engine = Engine(lambda engine, batch: None)
    trace = []

    @engine.during(Span.ITERATION(every=2), "a", key="b")
    def span(engine, *args, **kwargs):
        trace.append((engine.state.iteration, args, kwargs))
        yield

    engine.run(range(5))
    assert trace == [(2, ("a",), {"key": "b"}), (4, ("a",), {"key": "b"})]
    assert engine.has_event_handler(span, Span.ITERATION)
    engine.remove_event_handler(span, Span.ITERATION)
    engine.run(range(5))
    assert len(trace) == 2
    with engine.add_event_handler(Span.RUN, span):
        engine.run([1])
    engine.run([1])
    assert len(trace) == 3


def test_of_an_object_and_of_the_engine_itself():
    trace = []

    class Own(Engine):
        def __init__(self):
            super().__init__(lambda engine, batch: None)
            self.add_event_handler(Span.RUN, self.around)

        def around(self):
            trace.append("<")
            yield
            trace.append(">")

    Own().run([1])
    assert trace == ["<", ">"]


def test_an_error_is_thrown_in_from_the_inside_out():
    def process(engine, batch):
        raise ValueError("boom")

    engine, trace = bracketed(process, events=())
    with pytest.raises(ValueError, match="boom") as caught:
        engine.run([1])
    assert trace == [
        *("<RUN", "<EPOCH", "<BATCH_FETCH", "BATCH_FETCH>", "<ITERATION"),
        *("!ITERATION boom", "ITERATION>", "!EPOCH boom", "EPOCH>", "!RUN boom", "RUN>"),
    ]
    assert caught.value.__notes__ == ["in process function 'process' (epoch 1, iteration 1)"]


def test_an_error_that_a_handler_takes_is_not_thrown_into_the_epoch():
    def process(engine, batch):
        raise ValueError("boom")

    engine, trace = bracketed(process, spans=(Span.RUN, Span.EPOCH, Span.ITERATION), events=())
    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: trace.append("taken") or True)
    engine.run([1])
    assert trace == ["<RUN", "<EPOCH", "<ITERATION", "!ITERATION boom", "ITERATION>", "taken", "EPOCH>", "RUN>"]


def test_an_error_in_a_handler_and_a_keyboard_interrupt_close_the_spans():
    for error in (OSError, KeyboardInterrupt):
        engine, trace = bracketed(spans=(Span.RUN, Span.EPOCH), events=())

        @engine.on(Events.ITERATION_STARTED, error)
        def fail(error):
            raise error("boom")

        with pytest.raises(error):
            engine.run([1])
        assert trace == ["<RUN", "<EPOCH", "!EPOCH boom", "EPOCH>", "!RUN boom", "RUN>"]


def test_an_error_in_the_data():
    def data():
        yield 1
        raise OSError("disk")

    engine, trace = bracketed(spans=(Span.BATCH_FETCH,), events=())
    with pytest.raises(OSError, match="disk"):
        engine.run(data(), epoch_length=2)
    assert trace == ["<BATCH_FETCH", "BATCH_FETCH>", "<BATCH_FETCH", "!BATCH_FETCH disk", "BATCH_FETCH>"]


def test_a_span_may_end_an_error():
    def process(engine, batch):
        if batch == 1:
            raise ValueError("bad batch")
        return batch

    engine = Engine(process)
    outputs = []

    @engine.during(Span.ITERATION)
    def skip_bad_batches():
        try:
            yield
        except ValueError:
            outputs.append("skipped")

    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: outputs.append(engine.state.output))
    engine.run([0, 1, 2])
    assert outputs == [0, "skipped", None, 2]


def test_a_stop_iteration_of_the_stage_goes_through():
    def process(engine, batch):
        raise StopIteration("mine")

    engine, trace = bracketed(process, spans=(Span.ITERATION,), events=())
    with pytest.raises(StopIteration, match="mine"):
        engine.run([1])
    assert trace == ["<ITERATION", "!ITERATION mine", "ITERATION>"]


@pytest.mark.parametrize("stop", ["terminate", "terminate_epoch", "interrupt"])
def test_a_stop_ends_the_stages_without_an_error(stop):
    engine, trace = bracketed(
        lambda engine, batch: getattr(engine, stop)(),
        spans=(Span.RUN, Span.EPOCH),
        events=(Events.TERMINATE, Events.TERMINATE_SINGLE_EPOCH, Events.INTERRUPT, Events.EPOCH_COMPLETED),
    )
    engine.run([1, 2])
    assert (
        trace
        == {
            "terminate": ["<RUN", "<EPOCH", "EPOCH>", "RUN>", "terminate"],
            "terminate_epoch": ["<RUN", "<EPOCH", "terminate_single_epoch", "EPOCH>", "epoch_completed", "RUN>"],
            "interrupt": ["<RUN", "<EPOCH", "interrupt", "EPOCH>", "RUN>"],
        }[stop]
    )


def test_a_resumed_run_opens_its_stages_anew():
    engine, trace = bracketed(spans=(Span.RUN, Span.EPOCH), events=(Events.INTERRUPT, Events.COMPLETED))
    engine.add_event_handler(Events.ITERATION_COMPLETED(once=1), engine.interrupt)
    engine.run([1, 2])
    engine.run()
    stages = ["<RUN", "<EPOCH", "EPOCH>", "RUN>"]
    assert trace == [*stages[:2], "interrupt", *stages[2:], *stages, "completed"]


def never(engine):
    if engine is None:
        yield


def twice():
    yield
    yield


def goes_on():
    while True:
        with contextlib.suppress(ValueError):
            yield


@pytest.mark.parametrize("stage", list(Span))
@pytest.mark.parametrize(("span", "message"), [(never, "ended without a yield"), (twice, "yielded a second time")])
def test_a_span_yields_exactly_once(stage, span, message):
    engine, trace = bracketed(spans=(stage,), events=())
    engine.during(stage)(span)
    with pytest.raises(EngineError, match=f"span '{span.__name__}' of Span.{stage.name} {message}; .* exactly once"):
        engine.run([1])
    assert trace[0] == f"<{stage.name}"
    assert trace[-1] == f"{stage.name}>"  # the outer one is closed


def test_a_span_that_yields_on_an_error():
    def process(engine, batch):
        raise ValueError("boom")

    engine = Engine(process)
    engine.during(Span.ITERATION)(goes_on)
    with pytest.raises(EngineError, match="yielded a second time") as caught:
        engine.run([1])
    assert str(caught.value.__context__) == "boom"


@pytest.mark.parametrize("late", [False, True])
def test_an_error_of_the_span_itself(late):
    engine = Engine(lambda engine, batch: None)

    @engine.during(Span.EPOCH)
    def broken():
        if late:
            yield
        raise OSError("own")
        yield

    with pytest.raises(OSError, match="own") as caught:
        engine.run([1])
    assert caught.value.__notes__ == ["in span 'broken' of Span.EPOCH"]


def test_during_wants_a_span():
    engine = Engine(lambda engine, batch: None)
    with pytest.raises(ArgumentError, match=r"during expected a Span, got Events\.STARTED"):
        engine.during(Events.STARTED)
    with pytest.raises(ArgumentError, match="around_batch_fetch"):
        engine.during("around_epochs")
