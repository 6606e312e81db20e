"""Registering, ordering, removing and describing handlers, by every face."""

import functools

import pytest

from trainkit.engine import Engine, EventEnum, Events, Priority, Span
from trainkit.errors import ArgumentError


@pytest.fixture
def engine():
    return Engine(lambda engine, batch: batch)


@pytest.fixture
def calls():
    return []


def note(calls, name):
    """A handler that writes its name down."""

    def handler():
        calls.append(name)

    return handler


class TestHowAHandlerIsCalled:
    def test_with_or_without_the_engine(self, engine, calls):
        def both(engine, *args, **kwargs):
            calls.append(("both", type(engine).__name__, args, kwargs))

        def neither():
            calls.append(("neither",))

        def arguments(first, second):
            calls.append(("arguments", first, second))

        engine.add_event_handler(Events.STARTED, both)
        engine.add_event_handler(Events.STARTED, both, 1, two=2)
        engine.add_event_handler(Events.STARTED, neither)
        engine.add_event_handler(Events.STARTED, arguments, "a", second="b")
        engine.run([1])
        assert calls == [
            ("both", "Engine", (), {}),
            ("both", "Engine", (1,), {"two": 2}),
            ("neither",),
            ("arguments", "a", "b"),
        ]

    def test_callables_of_every_kind(self, engine, calls):
        class Callable:
            def __call__(self, engine):
                calls.append("object")

            def method(self, engine):
                calls.append("method")

            @staticmethod
            def static():
                calls.append("static")

        for handler in (Callable(), Callable().method, Callable.static, functools.partial(calls.append, "partial")):
            engine.add_event_handler(Events.STARTED, handler)
        engine.run([1])
        assert calls == ["object", "method", "static", "partial"]

    def test_the_engines_own_methods(self, calls):
        class Own(Engine):
            def __init__(self):
                super().__init__(self.step)
                self.add_event_handler(Events.STARTED, self.begin)
                self.add_event_handler(Events.COMPLETED, self.end, "now")

            def step(self, engine, batch):
                calls.append(engine is self)

            def begin(self):
                calls.append(self)

            def end(self, when):
                calls.append((self, when))

        engine = Own()
        engine.run([1])
        assert calls == [engine, True, (engine, "now")]
        assert engine.has_event_handler(engine.begin, Events.STARTED)
        engine.remove_event_handler(engine.begin, Events.STARTED)
        assert not engine.has_event_handler(engine.begin)

    @pytest.mark.parametrize(
        ("handler", "arguments", "message"),
        [
            (3, {}, "expected a callable, got 3"),
            (lambda a, b: None, {}, r"would be called with \(engine\)"),
            (lambda a: None, {"key": 1}, r"\(engine, key=\)"),
            (lambda *, key: None, {}, "change its parameters"),
        ],
    )
    def test_what_does_not_fit(self, engine, handler, arguments, message):
        with pytest.raises(ArgumentError, match=message):
            engine.add_event_handler(Events.STARTED, handler, **arguments)

    def test_generators_and_plain_functions_have_their_places(self, engine):
        def span():
            yield

        with pytest.raises(ArgumentError, match="a generator function belongs to a span"):
            engine.on(Events.STARTED)(span)
        with pytest.raises(ArgumentError, match="a generator function belongs to a span"):
            engine.during(Span.EPOCH)(lambda: None)


class TestOrder:
    def test_bands(self, engine, calls):
        for name, priority in [
            ("checkpoint", Priority.CHECKPOINTS),
            ("logger", Priority.LOGGERS),
            ("first", Priority.HANDLERS),
            ("between", 50),
            ("metric", Priority.METRICS),
            ("other metric", Priority.METRICS),
        ]:
            engine.add_event_handler(Events.COMPLETED, note(calls, name), priority=priority)
        engine.on(Events.COMPLETED)(note(calls, "second"))
        engine.run([1])
        assert calls == ["metric", "other metric", "first", "second", "between", "logger", "checkpoint"]

    @pytest.mark.parametrize("priority", ["high", 1.5, None, True])
    def test_a_priority_is_an_integer(self, engine, priority):
        with pytest.raises(ArgumentError, match="priority expected an integer, got"):
            engine.add_event_handler(Events.STARTED, print, priority=priority)

    def test_describe(self, engine):
        def log(engine): ...

        def timed():
            yield

        class Accuracy:
            def update(self, engine): ...

        assert engine.describe() == "no handlers"
        engine.register_events("own")
        engine.add_event_handler("own", log)
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=2, after=3), log, priority=Priority.LOGGERS)
        engine.add_event_handler(Events.EPOCH_COMPLETED, Accuracy().update, priority=Priority.METRICS)
        engine.add_event_handler(Events.EPOCH_COMPLETED(once=[1, 2]), functools.partial(log), priority=7)
        engine.during(Span.EPOCH)(timed)
        assert engine.describe().splitlines() == [
            "Span.EPOCH",
            "  HANDLERS    timed",
            "Events.EPOCH_COMPLETED",
            "  METRICS     Accuracy.update",
            "  7           log (once=[1, 2])",
            "  LOGGERS     log (every=2, after=3)",
            "own",
            "  HANDLERS    log",
        ]


class TestRemoving:
    def test_has_and_remove(self, engine, calls):
        one, two = note(calls, 1), note(calls, 2)
        engine.add_event_handler(Events.STARTED, one)
        engine.add_event_handler(Events.STARTED(once=1), one)
        engine.add_event_handler(Events.COMPLETED, one)
        engine.add_event_handler(Events.STARTED, two)
        assert engine.has_event_handler(one)
        assert engine.has_event_handler(one, Events.STARTED(every=2))
        assert engine.has_event_handler(one, Events.TERMINATE | Events.COMPLETED)
        engine.remove_event_handler(one, Events.STARTED)
        assert not engine.has_event_handler(one, Events.STARTED)
        engine.run([1])
        assert calls == [2, 1]
        with pytest.raises(ArgumentError, match=r"not a handler of Events.STARTED; engine.describe\(\)"):
            engine.remove_event_handler(one, Events.STARTED)

    def test_a_handle_removes_its_own_registration_only(self, engine, calls):
        handler = note(calls, "x")
        engine.add_event_handler(Events.STARTED, handler)
        handle = engine.add_event_handler(Events.STARTED | Events.COMPLETED, handler)
        engine.run([1])
        handle.remove()
        handle.remove()
        engine.run([1])
        assert calls == ["x"] * 4

    def test_a_handle_of_a_bound_method(self, engine, calls):
        class Logger:
            def log(self):
                calls.append(1)

        with engine.add_event_handler(Events.STARTED, Logger().log):
            engine.run([1])
        engine.run([1])
        assert calls == [1]

    def test_a_handle_that_outlives_its_engine(self):
        engine = Engine(lambda engine, batch: batch)
        handle = engine.add_event_handler(Events.STARTED, lambda: None)
        del engine
        handle.remove()

    def test_while_running(self, engine, calls):
        late, gone = note(calls, "late"), note(calls, "gone")

        @engine.on(Events.ITERATION_STARTED(once=2))
        def change():
            calls.append("change")
            engine.add_event_handler(Events.ITERATION_STARTED, late)
            engine.add_event_handler(Events.ITERATION_COMPLETED, late)
            engine.remove_event_handler(gone, Events.ITERATION_STARTED)
            engine.remove_event_handler(gone, Events.ITERATION_COMPLETED)

        engine.add_event_handler(Events.ITERATION_STARTED, gone)
        engine.add_event_handler(Events.ITERATION_COMPLETED, gone)
        engine.run([1, 2, 3])
        # A firing under way still has what is removed, and what is added behind all others.
        assert calls == [
            *("gone", "gone"),
            *("change", "gone", "late", "late"),
            *("late", "late"),
        ]

    def test_a_handler_that_removes_itself(self, engine, calls):
        def once():
            calls.append("once")
            handle.remove()

        handle = engine.add_event_handler(Events.ITERATION_COMPLETED, once)
        engine.add_event_handler(Events.ITERATION_COMPLETED, note(calls, "always"))
        engine.run([1, 2])
        assert calls == ["once", "always", "always"]

    def test_from_the_process_function(self, calls):
        def process(engine, batch):
            if batch == 1:
                engine.add_event_handler(Events.ITERATION_COMPLETED, note(calls, "added"))

        Engine(process).run([0, 1, 2])
        assert calls == ["added", "added"]


class TestOwnEvents:
    def test_strings_and_enums(self, calls):
        class Own(EventEnum):
            SEEN = "seen"

        def process(engine, batch):
            engine.fire_event(Own.SEEN)
            engine.fire_event("halfway")

        engine = Engine(process)
        engine.register_events(*Own)
        engine.register_events("halfway")
        engine.register_events("halfway")  # a second time changes nothing
        engine.add_event_handler(Own.SEEN, note(calls, "enum"))
        engine.add_event_handler("seen", note(calls, "its value"))
        engine.add_event_handler("halfway", note(calls, "string"))
        engine.run([1])
        assert calls == ["enum", "its value", "string"]
        assert engine.has_registered_events("halfway")
        assert not engine.has_registered_events("nowhere")

    def test_a_filter_needs_a_counter(self, engine):
        class Own(EventEnum):
            SEEN = "seen"

        engine.register_events(*Own)
        with pytest.raises(ArgumentError, match="event_to_attr"):
            engine.add_event_handler(Own.SEEN(every=2), print)
        with pytest.raises(ArgumentError, match="event_to_attr"):
            engine.add_event_handler(Events.TERMINATE(every=2), print)

    @pytest.mark.parametrize(
        ("events", "counters", "message"),
        [
            ((3,), None, "strings or members of an EventEnum, got 3"),
            ((Events.STARTED(every=2),), None, "strings or members"),
            ((Span.RUN,), None, "strings or members"),
            (("a",), {"b": "c"}, r"\['b'\], not among"),
            (("a",), ["b"], "expected a dict"),
        ],
    )
    def test_wrong_registrations(self, engine, events, counters, message):
        with pytest.raises(ArgumentError, match=message):
            engine.register_events(*events, event_to_attr=counters)

    @pytest.mark.parametrize(
        ("event", "message"),
        [
            ("epoch_complete", "'epoch_complete' is not an event of this Engine; it has started, epoch_started, "),
            ("epoch_complete", r"engine.register_events\(...\)"),
            (print, r"a decorator needs its event: @engine.on\(Events.STARTED\)"),
            ([Events.STARTED, Events.COMPLETED], r"join several events with \|"),
            (None, "None is not an event"),
        ],
    )
    def test_unknown_events(self, engine, event, message):
        for use in (
            lambda: engine.on(event)(lambda: None),
            lambda: engine.remove_event_handler(print, event),
        ):
            with pytest.raises(ArgumentError, match=message):
                use()

    def test_firing_what_cannot_be_fired(self, engine):
        with pytest.raises(ArgumentError, match="not an event"):
            engine.fire_event("nowhere")
        with pytest.raises(ArgumentError, match="which is a span"):
            engine.fire_event(Span.EPOCH)


class TestHooks:
    def test_assigning_replaces(self, engine, calls):
        engine.hooks["epoch_completed"] = note(calls, "old")
        engine.hooks["epoch_completed"] = new = note(calls, "new")
        engine.hooks["started"] = lambda engine: calls.append(engine.state.epoch)
        assert engine.hooks["epoch_completed"] is new
        assert list(engine.hooks) == ["epoch_completed", "started"]
        assert len(engine.hooks) == 2
        engine.run([1])
        del engine.hooks["epoch_completed"]
        assert "epoch_completed" not in engine.hooks
        engine.run([1])
        assert calls == [0, "new", 0]

    def test_unknown_names(self, engine):
        with pytest.raises(ArgumentError, match="it has started, epoch_started"):
            engine.hooks["epoch_complete"] = print
        with pytest.raises(KeyError):
            engine.hooks["started"]

    def test_a_wrong_function_leaves_the_old_one(self, engine):
        engine.hooks["started"] = print
        with pytest.raises(ArgumentError):
            engine.hooks["started"] = 3
        assert engine.hooks["started"] is print


class TestAttach:
    def test_methods_by_name(self, engine, calls):
        class Thing:
            def on_started(self):
                calls.append("started")

            def on_epoch_completed(self, engine):
                calls.append(engine.state.epoch)

            def around_run(self):
                calls.append("open")
                yield
                calls.append("close")

            def around_epoch(self):
                yield

            def around_iteration(self):
                yield

            def around_batch_fetch(self):
                yield

            def helper(self): ...

        handle = engine.attach(Thing())
        engine.run([1])
        handle.remove()
        engine.run([1])
        assert calls == ["started", "open", 1, "close"]
        assert engine.describe() == "no handlers"

    def test_an_object_that_attaches_itself(self, engine, calls):
        class Inner:
            def on_completed(self):
                calls.append("inner")

        class Outer:
            def attach(self, engine):
                engine.add_event_handler(Events.STARTED | Events.COMPLETED, note(calls, "outer"))
                engine.attach(Inner())

            def on_started(self):
                raise AssertionError("attach() goes first")

        with engine.attach(Outer()):
            engine.run([1])
        engine.run([1])
        assert calls == ["outer", "outer", "inner"]

    def test_a_handle_of_the_inner_one_only(self, engine, calls):
        class Thing:
            def on_started(self):
                calls.append(1)

        engine.attach(Thing())
        engine.attach(Thing()).remove()
        engine.run([1])
        assert calls == [1]

    def test_what_cannot_be_attached(self, engine):
        class Misspelt:
            def on_started(self): ...

            def on_train_begin(self): ...

        class Misplaced:
            def around_epoch(self): ...

        class Broken:
            def attach(self, engine):
                engine.add_event_handler(Events.STARTED, print)
                raise OSError("broken")

        with pytest.raises(ArgumentError, match="expected an object with attach"):
            engine.attach(object())
        with pytest.raises(ArgumentError, match="train_begin"):
            engine.attach(Misspelt())
        with pytest.raises(ArgumentError, match="generator function"):
            engine.attach(Misplaced())
        with pytest.raises(OSError, match="broken"):
            engine.attach(Broken())
        assert engine.describe() == "no handlers"
