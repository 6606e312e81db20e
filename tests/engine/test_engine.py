"""The run: its events in order, stopping, continuing, data of every kind, errors."""

import logging

import pytest

from trainkit.engine import Engine, EngineError, Events, State
from trainkit.errors import ArgumentError, TrainkitError

SHORT = {
    Events.STARTED: "(",
    Events.EPOCH_STARTED: "[",
    Events.GET_BATCH_STARTED: "g",
    Events.GET_BATCH_COMPLETED: "G",
    Events.DATALOADER_STOP_ITERATION: "r",
    Events.ITERATION_STARTED: "i",
    Events.ITERATION_COMPLETED: "I",
    Events.TERMINATE_SINGLE_EPOCH: "t",
    Events.EPOCH_COMPLETED: "]",
    Events.INTERRUPT: "|",
    Events.TERMINATE: "T",
    Events.COMPLETED: ")",
    Events.EXCEPTION_RAISED: "!",
}
ONE = "gGpiI".replace("p", "")  # one iteration


class Recorder(Engine):
    """Writes one letter an event into `trace`."""

    def __init__(self, process=lambda engine, batch: batch):
        self.trace = ""
        super().__init__(process)

    def _fire_event(self, event):
        self.trace += SHORT.get(event, "?")
        super()._fire_event(event)


class Unsized:
    def __init__(self, size):
        self.size = size

    def __iter__(self):
        return iter(range(self.size))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"data": [1, 2]}, f"([{ONE}{ONE}])"),
        ({"data": [1], "max_epochs": 2}, f"([{ONE}][gr{ONE[1:]}])"),
        ({"data": [1, 2], "max_iters": 3}, f"([{ONE}{ONE}][gr{ONE[1:]}T)"),
        ({"data": [1, 2], "max_iters": 2}, f"([{ONE}{ONE}])"),
        ({"data": [1, 2, 3], "epoch_length": 2, "max_epochs": 2}, f"([{ONE}{ONE}][{ONE}gr{ONE[1:]}])"),
        ({"data": [1], "epoch_length": 2}, f"([{ONE}gr{ONE[1:]}])"),
        ({"data": Unsized(2), "max_epochs": 2}, f"([{ONE}{ONE}g][gr{ONE[1:]}{ONE}])"),
        ({"epoch_length": 2, "max_epochs": 2}, "([iIiI][iIiI])"),
        ({"epoch_length": 2, "max_iters": 3}, "([iIiI][iIT)"),
    ],
)
def test_order_of_events(arguments, expected):
    engine = Recorder()
    engine.run(**arguments)
    assert engine.trace == expected


def test_state_at_each_event():
    engine = Engine(lambda engine, batch: -batch)
    rows = []
    for event in Events:
        engine.add_event_handler(
            event,
            lambda engine, *_: (
                rows.append((engine.last_event_name, *vars(engine.state).values())[:3])
                or rows.append((engine.state.batch, engine.state.output))
            ),
        )
    state = engine.run([7])
    assert rows == [
        ("started", 0, 0), (None, None),
        ("epoch_started", 0, 1), (None, None),
        ("get_batch_started", 0, 1), (None, None),
        ("get_batch_completed", 0, 1), (7, None),
        ("iteration_started", 1, 1), (7, None),
        ("iteration_completed", 1, 1), (7, -7),
        ("epoch_completed", 1, 1), (7, -7),
        ("completed", 1, 1), (7, -7),
    ]  # fmt: skip
    assert state is engine.state
    assert state.dataloader == [7]
    assert 0 < state.times["EPOCH_COMPLETED"] <= state.times["COMPLETED"]


def test_a_batch_is_let_go_before_the_next_is_fetched():
    engine = Engine(lambda engine, batch: None)
    held = []
    engine.add_event_handler(Events.GET_BATCH_STARTED, lambda: held.append(engine.state.batch))
    engine.run([1, 2])
    assert held == [None, None]


def test_a_handler_may_change_the_batch():
    engine = Engine(lambda engine, batch: batch)
    engine.add_event_handler(Events.ITERATION_STARTED, lambda: setattr(engine.state, "batch", "changed"))
    assert engine.run([1]).output == "changed"


STOP = {
    "terminate": lambda engine: engine.terminate(),
    "skip completed": lambda engine: engine.terminate(skip_completed=True),
    "epoch": lambda engine: engine.terminate_epoch(),
    "skip epoch": lambda engine: engine.terminate_epoch(skip_epoch_completed=True),
    "interrupt": lambda engine: engine.interrupt(),
}


@pytest.mark.parametrize(
    ("event", "action", "expected"),
    [
        (Events.STARTED, "terminate", "(T)"),
        (Events.STARTED, "skip completed", "(T"),
        (Events.STARTED, "interrupt", "(|"),
        (Events.EPOCH_STARTED, "terminate", "([T)"),
        (Events.EPOCH_STARTED, "interrupt", "([|"),
        (Events.GET_BATCH_STARTED, "terminate", "([gT)"),
        (Events.GET_BATCH_STARTED, "epoch", "([gt])"),
        (Events.GET_BATCH_COMPLETED, "skip completed", "([gGT"),
        (Events.GET_BATCH_COMPLETED, "skip epoch", "([gGt)"),
        (Events.ITERATION_STARTED, "terminate", "([gGiT)"),
        (Events.ITERATION_STARTED, "interrupt", "([gGi|"),
        (Events.ITERATION_COMPLETED, "terminate", "([gGiIT)"),
        (Events.ITERATION_COMPLETED, "epoch", "([gGiIt])"),
        (Events.ITERATION_COMPLETED, "skip epoch", "([gGiIt)"),
        (Events.ITERATION_COMPLETED, "interrupt", "([gGiI|"),
        (Events.EPOCH_COMPLETED, "terminate", f"([{ONE}{ONE}]T)"),
        (Events.EPOCH_COMPLETED, "epoch", f"([{ONE}{ONE}])"),
        (Events.EPOCH_COMPLETED, "interrupt", f"([{ONE}{ONE}]|"),
        (Events.COMPLETED, "terminate", f"([{ONE}{ONE}])"),
        (Events.COMPLETED, "interrupt", f"([{ONE}{ONE}])"),
    ],
)
def test_stopping(event, action, expected):
    engine = Recorder()
    engine.add_event_handler(event, STOP[action])
    engine.run([1, 2])
    assert engine.trace == expected


def test_stopping_from_the_process_function_ends_the_iteration_first():
    engine = Recorder(lambda engine, batch: engine.terminate())
    engine.run([1, 2])
    assert engine.trace == "([gGiIT)"
    assert engine.should_terminate is True


def test_iterations_of_a_terminated_epoch_are_told():
    engine = Engine(lambda engine, batch: engine.terminate_epoch() if batch == 2 else None)
    told = []
    engine.add_event_handler(Events.TERMINATE_SINGLE_EPOCH, lambda engine, iter_counter: told.append(iter_counter))
    engine.add_event_handler(Events.TERMINATE_SINGLE_EPOCH, lambda iter_counter: told.append(iter_counter))
    engine.add_event_handler(Events.TERMINATE_SINGLE_EPOCH, lambda engine: told.append(engine.state.epoch))
    engine.add_event_handler(Events.TERMINATE_SINGLE_EPOCH, lambda: told.append("-"))
    engine.run([1, 2, 3], max_epochs=2)
    assert told == [2, 2, 1, "-", 2, 2, 2, "-"]


@pytest.mark.parametrize("event", [Events.STARTED, Events.EPOCH_STARTED])
def test_terminate_epoch_before_there_is_one(event):
    engine = Engine(lambda engine, batch: None)
    engine.add_event_handler(event, engine.terminate_epoch)
    with pytest.raises(EngineError, match=r"terminate_epoch\(\) was called at Events\..*STARTED"):
        engine.run([1])


def test_a_stop_that_was_asked_for_outside_a_run_is_forgotten():
    engine = Recorder()
    engine.terminate()
    engine.run([1])
    assert engine.trace == f"([{ONE}])"


def test_a_stop_that_was_taken_back():
    engine = Recorder()
    engine.add_event_handler(Events.ITERATION_STARTED, engine.terminate)
    engine.add_event_handler(Events.ITERATION_STARTED, lambda: setattr(engine, "should_terminate", False))
    engine.run([1])
    assert engine.trace == f"([{ONE}])"


@pytest.mark.parametrize("event", list(SHORT)[:9])
@pytest.mark.parametrize("data", [[1, 2], Unsized(2), None])
def test_an_interrupted_run_ends_as_one_that_was_not(event, data):
    def trace(*stops):
        engine = Recorder(lambda engine, batch: outputs.append((engine.state.iteration, batch)))
        outputs = []
        for stop in stops:
            engine.add_event_handler(stop, engine.interrupt)
        options = {} if data is not None else {"epoch_length": 2}
        runs = 0
        while runs == 0 or engine.state.iteration < 6 or not engine.trace.endswith(")"):
            engine.run(data, max_epochs=3, **options)
            runs += 1
            assert runs < 20
        return engine.trace.replace("|", ""), outputs, runs

    whole, whole_outputs, _ = trace()
    parts, part_outputs, runs = trace(event)
    assert (parts, part_outputs) == (whole, whole_outputs)
    assert runs == 1 + whole.count(SHORT[event])


def test_interrupt_and_resume_without_naming_the_data_again():
    engine = Engine(lambda engine, batch: batch)
    engine.add_event_handler(Events.STARTED | Events.ITERATION_COMPLETED(once=2), engine.interrupt)
    assert engine.run("abc").iteration == 0
    assert engine.run().output == "b"
    assert engine.run().output == "c"


def test_a_new_limit_forgets_the_interrupted_run():
    engine = Engine(lambda engine, batch: batch)
    engine.add_event_handler(Events.ITERATION_COMPLETED(once=2), engine.interrupt)
    engine.run("abc", max_epochs=3)
    engine.state.max_epochs = None
    assert engine.run("xyzw", max_epochs=1).output == "y"
    assert engine.state.epoch_length == 4


# After a first run over two batches and two epochs: what follows, and what then has been done.
@pytest.mark.parametrize(
    ("arguments", "epoch", "iteration", "iterations_done"),
    [
        ({}, 1, 2, 2),
        ({"max_epochs": 2}, 2, 4, 4),
        ({"max_epochs": 3}, 3, 6, 2),
        ({"max_epochs": 5}, 5, 10, 6),
        ({"max_epochs": 2, "epoch_length": 3}, 2, 6, 6),
    ],
)
def test_continuing_a_finished_run(arguments, epoch, iteration, iterations_done):
    engine = Engine(lambda engine, batch: done.append(batch))
    done = []
    engine.run([1, 2], max_epochs=2)
    done.clear()
    state = engine.run([1, 2], **arguments)
    assert (state.epoch, state.iteration, len(done)) == (epoch, iteration, iterations_done)


def test_continuing_a_terminated_run_goes_to_the_next_epoch():
    engine = Engine(lambda engine, batch: engine.terminate() if engine.state.iteration == 2 else None)
    engine.run([1, 2, 3], max_epochs=3)
    assert (engine.state.epoch, engine.state.iteration) == (1, 2)
    engine.run([1, 2, 3], max_epochs=3)
    assert (engine.state.epoch, engine.state.iteration) == (3, 8)


def test_continuing_after_an_error():
    def process(engine, batch):
        if engine.state.iteration == 2 and failing:
            failing.clear()
            raise ValueError("once")

    failing = [True]
    engine = Recorder(process)
    with pytest.raises(ValueError, match="once"):
        engine.run([1, 2, 3], max_epochs=3)
    state = engine.run([1, 2, 3], max_epochs=3)
    assert state is engine.state
    assert (state.epoch, state.iteration) == (3, 6)  # ignite's rule: the failed epoch counts, its rest is made up
    assert engine.trace.endswith(")")


@pytest.mark.parametrize(
    ("before", "arguments", "message"),
    [
        ({}, {}, "neither data nor epoch_length"),
        ({}, {"data": 3}, "data that can be iterated, got int"),
        ({}, {"data": []}, "at least one batch"),
        ({}, {"data": iter(())}, "at least one batch"),
        ({}, {"data": [1], "max_epochs": 1, "max_iters": 1}, "got both"),
        ({}, {"data": [1], "max_epochs": 0}, "max_epochs expected an integer of at least 1, got 0"),
        ({}, {"data": [1], "max_iters": 1.5}, "max_iters expected an integer"),
        ({}, {"data": [1], "epoch_length": -1}, "epoch_length expected"),
        ({"max_epochs": 3}, {"data": [1], "max_epochs": 2}, "has reached, 3, got 2"),
        (
            {"max_epochs": 3},
            {"data": [1], "max_iters": 9},
            r"resume=False\), or set engine.state.max_epochs = None first",
        ),
        ({}, {"data": [1], "resume": "yes"}, "resume expected 'auto', True or False, got 'yes'"),
        ({}, {"data": [1], "resume": True}, "found nothing to resume: this engine has neither run nor loaded"),
        (
            {"max_epochs": 2},
            {"data": [1], "resume": True},
            "the run is done, at epoch 2 and iteration 2; give a higher",
        ),
        ({"max_iters": 3}, {"data": [1], "max_epochs": 9}, r"set engine.state.max_iters = None first"),
        ({"max_iters": 3}, {"data": [1], "max_iters": 2}, "has reached, 3, got 2"),
        ({"max_epochs": 1}, {"data": [1], "max_epochs": 2, "epoch_length": 2}, "goes on with epochs of 1"),
    ],
)
def test_arguments_that_do_not_fit(before, arguments, message):
    engine = Engine(lambda engine, batch: None)
    if before:
        engine.run([1], **before)
    with pytest.raises(ArgumentError, match=message):
        engine.run(**arguments)


def test_a_run_inside_its_own_run():
    engine = Engine(lambda engine, batch: engine.run([1]))
    with pytest.raises(EngineError, match="use another Engine"):
        engine.run([1])
    inner = Engine(lambda engine, batch: batch)
    outer = Engine(lambda engine, batch: inner.run([batch]).output)
    assert outer.run([1, 2]).output == 2


@pytest.mark.parametrize("process", [None, 3, lambda batch: None, lambda a, b, c: None])
def test_process_functions_that_do_not_fit(process):
    with pytest.raises(ArgumentError, match=r"taking \(engine, batch\)"):
        Engine(process)


def test_data_that_cannot_be_started_again():
    engine = Recorder()
    with pytest.warns(UserWarning, match="ended at iteration 3 and cannot be started again"):
        engine.run(iter(range(3)), max_epochs=2, epoch_length=2)
    assert engine.trace == f"([{ONE}{ONE}][{ONE}gr])"
    engine = Recorder()
    with pytest.warns(UserWarning, match="max_iters=9"):
        engine.run(iter(range(3)), max_iters=9, epoch_length=2)
    assert engine.trace == f"([{ONE}{ONE}][{ONE}grT)"  # where ignite would go on for ever


def test_set_data():
    batches = []
    engine = Engine(lambda engine, batch: batches.append(batch))
    engine.add_event_handler(Events.ITERATION_COMPLETED(once=3), lambda: engine.set_data("xyz"))
    engine.run("ab", max_epochs=3)
    assert batches == ["a", "b", "a", "x", "y", "z"]


class TestErrors:
    def failing(self, error=ValueError):
        def process(engine, batch):
            if engine.state.iteration == 2:
                raise error("boom")

        return Recorder(process)

    def test_without_a_handler_it_is_raised(self):
        engine = self.failing()
        with pytest.raises(ValueError, match="boom"):
            engine.run([1, 2, 3], max_epochs=2)
        assert engine.trace == "([gGiIgGi"

    def test_with_a_handler_it_is_raised_too(self):
        engine, seen = self.failing(), []
        engine.add_event_handler(Events.EXCEPTION_RAISED, lambda *args: seen.append(args))
        with pytest.raises(ValueError, match="boom") as caught:
            engine.run([1, 2, 3], max_epochs=2)
        assert engine.trace == "([gGiIgGi!"
        assert seen == [(engine, caught.value)]
        assert engine.status == "idle"

    @pytest.mark.parametrize(
        ("asks", "trace"),
        [
            (lambda engine: True, "([gGiIgGi!T)"),
            (lambda engine: (engine.terminate_epoch(), True)[1], "([gGiIgGi!T)"),
            (lambda engine: engine.terminate(), "([gGiIgGi!]T)"),
            (lambda engine: engine.terminate(skip_completed=True), "([gGiIgGi!]T"),
            (lambda engine: engine.terminate_epoch(), f"([gGiIgGi!][{ONE}gr{ONE[1:]}{ONE}])"),
            (lambda engine: engine.interrupt(), "([gGiIgGi!]|"),
        ],
    )
    def test_a_handler_that_suppresses_it(self, asks, trace):
        engine = self.failing()
        engine.add_event_handler(Events.EXCEPTION_RAISED, lambda engine, error: asks(engine))
        engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: None)  # one that asks is enough
        assert engine.run([1, 2, 3], max_epochs=2) is engine.state
        assert engine.trace == trace
        assert engine.status == ("interrupted" if trace.endswith("|") else "done")

    @pytest.mark.parametrize("answer", [None, 1, "yes", [True]])
    def test_only_true_asks(self, answer):
        engine = self.failing()
        engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: answer)
        with pytest.raises(ValueError, match="boom"):
            engine.run([1, 2, 3])

    def test_a_stop_that_was_asked_for_before_suppresses_nothing(self):
        def process(engine, batch):
            engine.terminate()
            raise ValueError("boom")

        engine = Recorder(process)
        engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: None)
        with pytest.raises(ValueError, match="boom"):
            engine.run([1, 2, 3])

    def test_all_handlers_run_even_if_some_raise(self):
        engine, seen = self.failing(), []

        def first(engine, error):
            seen.append("first")
            raise error

        def second():
            seen.append("second")
            raise OSError("disk full")

        def third():
            seen.append("third")
            return True  # asks in vain: another raises

        for handler in (first, second, third):
            engine.add_event_handler(Events.EXCEPTION_RAISED, handler)
        with pytest.raises(ValueError, match="boom") as caught:
            engine.run([1, 2, 3])
        assert seen == ["first", "second", "third"]
        assert engine.trace.count("!") == 1
        assert any("handler" in note and "second" in note and "disk full" in note for note in caught.value.__notes__)

    def test_the_first_error_of_a_handler_goes_before_the_original(self):
        engine = self.failing()

        @engine.on(Events.EXCEPTION_RAISED)
        def broken():
            raise OSError("disk full")

        @engine.on(Events.EXCEPTION_RAISED)
        def again(error):
            raise error

        with pytest.raises(OSError, match="disk full") as caught:
            engine.run([1, 2, 3])
        assert str(caught.value.__context__) == "boom"
        assert "boom" in caught.value.__notes__[-1]

    @pytest.mark.parametrize(
        ("event", "trace"),
        [
            (Events.STARTED, "(!T)"),
            (Events.EPOCH_STARTED, "([!T)"),
            (Events.EPOCH_COMPLETED, f"([{ONE}]!T)"),
            (Events.TERMINATE, f"([{ONE}T!)"),
            (Events.COMPLETED, f"([{ONE}])!"),
        ],
    )
    def test_suppressed_outside_an_epoch_the_run_ends_as_it_would_have(self, event, trace):
        engine = Recorder()

        @engine.on(event)
        def broken():
            raise ValueError("broken")

        if event == Events.TERMINATE:
            engine.add_event_handler(Events.ITERATION_COMPLETED, engine.terminate)
        engine.add_event_handler(Events.EXCEPTION_RAISED, lambda: True)
        engine.run([1])
        assert engine.trace == trace
        assert engine.status == "done"

    def test_a_handler_that_raises_it_again_is_called_once(self):
        engine, seen = self.failing(), []

        @engine.on(Events.EXCEPTION_RAISED)
        def again(engine, error):
            seen.append(error)
            raise error

        with pytest.raises(ValueError, match="boom") as caught:
            engine.run([1, 2, 3])
        assert seen == [caught.value]
        assert len(caught.value.__notes__) == 1

    def test_a_handler_that_raises_another(self):
        engine = self.failing()

        @engine.on(Events.EXCEPTION_RAISED)
        def other(error):
            raise KeyError("other") from error

        with pytest.raises(KeyError) as caught:
            engine.run([1, 2, 3])
        assert caught.value.__notes__ == ["in handler 'other' of Events.EXCEPTION_RAISED (epoch 1, iteration 2)"]

    def test_after_removing_the_handler_it_is_raised_again(self):
        engine = self.failing()
        engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: None).remove()
        with pytest.raises(ValueError, match="boom"):
            engine.run([1, 2, 3])

    def test_errors_of_handlers_outside_an_epoch_end_the_run(self):
        engine, seen = Recorder(), []

        @engine.on(Events.EPOCH_COMPLETED)
        def broken():
            raise ValueError("broken")

        engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: seen.append(error))
        with pytest.raises(ValueError, match="broken"):
            engine.run([1], max_epochs=3)
        assert engine.trace == f"([{ONE}]!"
        assert seen[0].__notes__ == ["in handler 'broken' of Events.EPOCH_COMPLETED (epoch 1, iteration 1)"]

    def test_notes(self):
        def step(engine, batch):
            raise ValueError("boom")

        with pytest.raises(ValueError, match="boom") as caught:
            Engine(step).run([1])
        assert caught.value.__notes__ == ["in process function 'step' (epoch 1, iteration 1)"]

        class Logger:
            def write(self, engine):
                raise OSError("full")

        engine = Engine(lambda engine, batch: engine.fire_event("saved"))
        engine.register_events("saved")
        engine.add_event_handler("saved", Logger().write)
        with pytest.raises(OSError, match="full") as os_error:
            engine.run([1, 2])
        assert os_error.value.__notes__ == [
            "in handler 'Logger.write' of 'saved' (epoch 1, iteration 1)",
            "in process function '<lambda>' (epoch 1, iteration 1)",
        ]

    def test_an_error_in_the_data(self):
        def data():
            yield 1
            raise OSError("disk")

        with pytest.raises(OSError, match="disk") as caught:
            Engine(lambda engine, batch: None).run(data())
        assert caught.value.__notes__ == ["in the data, at batch 2 of epoch 1"]

    def test_stop_iteration_in_a_handler_is_not_the_end_of_the_data(self):
        engine = Engine(lambda engine, batch: None)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, lambda: next(iter(())))
        with pytest.raises(StopIteration):
            engine.run([1])

    def test_the_engine_errors_are_runtime_errors(self):
        assert issubclass(EngineError, RuntimeError)
        assert issubclass(EngineError, TrainkitError)

    def test_a_taken_error_is_logged(self, caplog):
        engine = self.failing()
        engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: True)
        with caplog.at_level(logging.ERROR, "trainkit.engine"):
            engine.run([1, 2, 3])
        assert "boom" in caplog.text


class TestStateDict:
    def test_round_trip(self):
        engine = Engine(lambda engine, batch: batch)
        engine.state_dict_user_keys.append("alpha")
        engine.state.alpha = 0.5
        engine.run([1, 2, 3], max_epochs=2)
        saved = engine.state_dict()
        assert saved == {"epoch_length": 3, "iteration": 6, "max_epochs": 2, "alpha": 0.5}

        other = Engine(lambda engine, batch: batch)
        other.state_dict_user_keys.append("alpha")
        other.load_state_dict(saved)
        assert (other.state.epoch, other.state.iteration, other.state.alpha) == (2, 6, 0.5)
        assert other.run([1, 2, 3], max_epochs=4).iteration == 12

    def test_the_other_limit(self):
        engine = Engine(lambda engine, batch: batch)
        engine.run([1, 2, 3], max_iters=4)
        assert engine.state_dict() == {"epoch_length": 3, "iteration": 4, "max_iters": 4}

    @pytest.mark.parametrize(
        ("state", "epoch", "iterations"),
        [
            ({"iteration": 4, "max_epochs": 3, "epoch_length": 3}, 3, [5, 6, 7, 8, 9]),
            ({"epoch": 2, "max_epochs": 3, "epoch_length": 3}, 3, [7, 8, 9]),
            ({"iteration": 4, "max_iters": 6, "epoch_length": 3}, 2, [5, 6]),
            ({"iteration": 0, "max_epochs": 1, "epoch_length": None}, 1, [1, 2, 3]),
        ],
    )
    def test_going_on(self, state, epoch, iterations):
        seen = []
        engine = Engine(lambda engine, batch: seen.append(engine.state.iteration))
        engine.load_state_dict(state)
        assert engine.run([1, 2, 3]).epoch == epoch
        assert seen == iterations

    @pytest.mark.parametrize(
        ("state", "message"),
        [
            (3, "expected a dict, got int"),
            ({"epoch_length": 1, "max_epochs": 1}, "exactly one of 'iteration' and 'epoch'"),
            ({"iteration": 1, "epoch": 1, "epoch_length": 1, "max_epochs": 1}, "exactly one of 'iteration'"),
            ({"iteration": 1, "epoch_length": 1}, "exactly one of 'max_epochs' and 'max_iters'"),
            ({"iteration": 1, "max_epochs": 1, "beta": 1}, r"misses \['epoch_length'\]"),
            ({"iteration": 1, "max_epochs": 1, "epoch_length": 1}, r"misses \['beta'\]"),
            ({"iteration": 1, "max_epochs": 1, "epoch_length": None, "beta": 1}, "epoch_length expected"),
            ({"iteration": -1, "max_epochs": 1, "epoch_length": 1, "beta": 1}, "iteration expected"),
            ({"epoch": 3, "max_epochs": 2, "epoch_length": 1, "beta": 1}, "max_epochs expected at least"),
        ],
    )
    def test_what_does_not_fit_changes_nothing(self, state, message):
        engine = Engine(lambda engine, batch: None)
        engine.state_dict_user_keys.append("beta")
        before = repr(engine.state)
        with pytest.raises(ArgumentError, match=message):
            engine.load_state_dict(state)
        assert repr(engine.state) == before

    def test_loading_forgets_an_interrupted_run(self):
        engine = Engine(lambda engine, batch: batch)
        engine.add_event_handler(Events.ITERATION_COMPLETED(once=2), engine.interrupt)
        engine.run("abc")
        engine.load_state_dict({"epoch": 1, "max_epochs": 2, "epoch_length": 2})
        state = engine.run("xy")
        assert (state.epoch, state.iteration, state.output) == (2, 4, "y")

    def test_a_user_key_that_is_not_there(self):
        engine = Engine(lambda engine, batch: None)
        engine.state_dict_user_keys.append("beta")
        with pytest.raises(ArgumentError, match="beta"):
            engine.state_dict()


class TestState:
    def test_attributes(self):
        state = State(best=0.5, seed=3)
        state.anything = [1]
        assert (state.best, state.seed, state.iteration, state.metrics) == (0.5, 3, 0, {})
        text = repr(state)
        assert "best: 0.5" in text
        assert "anything: list" in text
        assert "_counters" not in text

    def test_states_share_nothing(self):
        first, second = Engine(lambda e, b: None), Engine(lambda e, b: None)
        first.register_events("own", event_to_attr={"own": "owned"})
        assert first.state.owned == 0
        assert not hasattr(second.state, "owned")
        assert not second.has_registered_events("own")

    def test_counts_of_events(self):
        state = State(iteration=3, epoch=2)
        assert state.get_event_attrib_value(Events.EPOCH_COMPLETED(every=2)) == 2
        with pytest.raises(ArgumentError, match="event_to_attr"):
            state.get_event_attrib_value(Events.TERMINATE)


class TestOverriding:
    def test_fire_event(self):
        trace = []

        class Traced(Engine):
            def fire_event(self, event):
                trace.append(SHORT[event])
                super().fire_event(event)

        engine = Traced(lambda engine, batch: None)
        engine.add_event_handler(Events.ITERATION_COMPLETED, engine.terminate_epoch)
        engine.run([1, 2])
        assert "".join(trace) == "([gGiIt])"

    def test_on_one_engine(self, monkeypatch):
        engine = Engine(lambda engine, batch: None)
        trace, fire = [], engine._fire_event

        def traced(event, *args, **kwargs):
            trace.append(SHORT[event])
            fire(event, *args, **kwargs)

        monkeypatch.setattr(engine, "_fire_event", traced)
        seen = []
        engine.add_event_handler(Events.COMPLETED, lambda: seen.append(1))
        engine.run([1])
        assert "".join(trace) == "([gGiI])"
        assert seen == [1]
