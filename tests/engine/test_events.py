"""Event names, filters and `|`."""

import pytest

from trainkit.engine import Engine, EventEnum, Events, EventsList, FilteredEvent
from trainkit.errors import ArgumentError

BATCHES = 4
EPOCHS = 3


def seen(event, counter="iteration"):
    engine = Engine(lambda engine, batch: batch)
    counts = []
    engine.add_event_handler(event, lambda engine: counts.append(getattr(engine.state, counter)))
    engine.run(range(BATCHES), max_epochs=EPOCHS)
    return counts


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"every": 1}, list(range(1, 13))),
        ({"every": 5}, [5, 10]),
        ({"once": 4}, [4]),
        ({"once": [2, 11]}, [2, 11]),
        ({"once": (3,)}, [3]),
        ({"before": 3}, [1, 2]),
        ({"before": 0}, []),
        ({"after": 10}, [11, 12]),
        ({"after": 0}, list(range(1, 13))),
        ({"after": 3, "before": 6}, [4, 5]),
        ({"every": 3, "after": 4}, [5, 8, 11]),
        ({"every": 2, "before": 6}, [1, 3, 5]),
        ({"every": 4, "after": 1, "before": 10}, [2, 6]),
        ({"event_filter": lambda engine, count: count in (1, 12)}, [1, 12]),
    ],
)
def test_filters(options, expected):
    assert seen(Events.ITERATION_COMPLETED(**options)) == expected


@pytest.mark.parametrize(
    ("event", "counter", "expected"),
    [
        (Events.STARTED, "epoch", []),
        (Events.EPOCH_STARTED, "epoch", [2]),
        (Events.EPOCH_COMPLETED, "epoch", [2]),
        (Events.ITERATION_STARTED, "iteration", [2]),
        (Events.GET_BATCH_STARTED, "iteration", [2]),
        (Events.GET_BATCH_COMPLETED, "iteration", [2]),
        (Events.COMPLETED, "epoch", []),
    ],
)
def test_which_counter_an_event_has(event, counter, expected):
    assert seen(event(once=2), counter) == expected


def test_filters_of_one_event_are_independent():
    engine = Engine(lambda engine, batch: batch)
    calls = []
    for every in (2, 3, 1):
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=every), lambda e, n: calls.append(n), every)
    engine.run(range(6))
    assert calls == [1, 2, 1, 3, 1, 2, 1, 1, 2, 3, 1]


def test_filters_take_numbers_of_other_kinds():
    class Whole(int):
        """As a counter read from a checkpoint may be."""

    engine = Engine(lambda engine, batch: batch)
    counts = []
    engine.add_event_handler(Events.ITERATION_COMPLETED(after=2), lambda e: counts.append(e.state.iteration))
    engine.add_event_handler(Events.STARTED, lambda e: setattr(e.state, "iteration", Whole(1)))
    engine.run(range(3), max_epochs=1)
    assert counts == [3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one kind"),
        ({"once": 1, "every": 2}, "exactly one kind"),
        ({"event_filter": lambda e, c: True, "after": 2}, "exactly one kind"),
        ({"every": 0}, "every expected an integer of at least 1, got 0"),
        ({"every": 2.0}, "every expected"),
        ({"every": True}, "every expected"),
        ({"once": 0}, "once expected"),
        ({"once": []}, "once expected"),
        ({"once": [1, -2]}, "once expected .* got -2"),
        ({"once": "12"}, "once expected"),
        ({"before": -1}, "before expected"),
        ({"after": "3"}, "after expected"),
        ({"event_filter": 3}, "event_filter expected"),
        ({"event_filter": lambda engine: True}, r"event_filter expected a callable taking \(engine, count\)"),
    ],
)
def test_wrong_filters(options, message):
    with pytest.raises(ArgumentError, match=message):
        Events.ITERATION_COMPLETED(**options)


def test_events_are_strings():
    assert Events.EPOCH_COMPLETED == "epoch_completed"
    assert {Events.STARTED: 1}["started"] == 1
    assert repr(Events.STARTED) == "Events.STARTED"
    assert [event.name for event in Events][:2] == ["STARTED", "EPOCH_STARTED"]


def test_filtered_events_are_values():
    assert Events.STARTED(every=2) == Events.STARTED(every=2)
    assert Events.STARTED(every=2) != Events.STARTED(every=3)
    assert Events.STARTED(every=1) is Events.STARTED
    assert isinstance(Events.STARTED(once=2), FilteredEvent)
    assert repr(Events.EPOCH_STARTED(every=2, before=9)) == "Events.EPOCH_STARTED(every=2, before=9)"


def test_lists_join_and_stay_as_they_are():
    first = Events.STARTED | Events.COMPLETED(every=2)
    second = first | "custom"
    third = "other" | Events.STARTED | first
    assert len(first) == 2
    assert list(second) == [Events.STARTED, Events.COMPLETED(every=2), "custom"]
    assert list(third) == ["other", Events.STARTED, Events.STARTED, Events.COMPLETED(every=2)]
    assert list("other" | Events.COMPLETED(every=2)) == ["other", Events.COMPLETED(every=2)]
    assert second[2] == "custom"
    assert isinstance(Events.STARTED(every=2) | Events.STARTED, EventsList)
    with pytest.raises(TypeError):
        Events.STARTED | 3


def test_own_enums_have_filters():
    class Own(EventEnum):
        SEEN = "seen"

    engine = Engine(lambda engine, batch: batch)
    engine.register_events(*Own, event_to_attr={Own.SEEN: "sightings"})
    calls = []
    engine.add_event_handler(Own.SEEN(every=2), lambda: calls.append(engine.state.sightings))
    assert engine.state.sightings == 0
    for _ in range(5):
        engine.state.sightings += 1
        engine.fire_event(Own.SEEN)
    assert calls == [2, 4]
