"""Runs that repeat, and go on as if they had not been stopped."""
# ruff: noqa: NPY002 -- users' code draws from numpy's global generator, so it is seeded and tested

import random

import numpy as np
import pytest

import trainkit as tk
from trainkit.data import DataLoader, TensorDataset
from trainkit.engine import DeterministicEngine, Engine, Events, keep_random_state
from trainkit.errors import ArgumentError


def shuffled():
    return DataLoader(TensorDataset(tk.arange(20)), batch_size=4, shuffle=True)


class Numbers:
    """Data that draw random numbers as they are fetched, with or without a length."""

    def __iter__(self):
        for _ in range(5):
            yield tk.rand(1), random.random(), np.random.rand()


class SizedNumbers(Numbers):
    def __len__(self):
        return 5


def plain(part):
    return part.tolist() if hasattr(part, "tolist") else part


def engine_for(seen):
    """Each iteration draws from every generator, so that their states matter."""

    def process(engine, batch):
        drawn = random.random(), np.random.rand(), tk.rand(1).item()
        seen.append((engine.state.iteration, [plain(part) for part in batch], drawn))

    return DeterministicEngine(process)


DATA = [shuffled, Numbers, SizedNumbers]


@pytest.mark.parametrize("make", DATA)
@pytest.mark.parametrize("stop", [1, 4, 5, 6, 10, 12])
def test_a_loaded_run_goes_on_with_the_same_batches_and_numbers(make, stop):
    whole, saved = [], []
    engine = engine_for(whole)
    engine.add_event_handler(Events.ITERATION_COMPLETED(once=stop), lambda: saved.append(engine.state_dict()))
    tk.manual_seed(12)
    engine.run(make(), max_epochs=3)
    assert len(whole) == 15

    rest = []
    other = engine_for(rest)
    other.load_state_dict({"epoch_length": 5, **saved[0], "max_epochs": 3} | {"epoch_length": 5})
    tk.manual_seed(99)
    random.seed(3)
    other.run(make())
    assert rest == whole[stop:]


@pytest.mark.parametrize("make", DATA)
@pytest.mark.parametrize("how", ["interrupt", "ctrl-c"])
def test_an_interrupted_run_goes_on_with_the_same_batches_and_numbers(make, how):
    runs = []
    for stopped in (False, True):
        runs.append([])
        engine = engine_for(runs[-1])

        @engine.on(Events.ITERATION_COMPLETED(once=7))
        def stop(engine=engine, stopped=stopped):
            if stopped and how == "ctrl-c":
                raise KeyboardInterrupt
            if stopped:
                engine.interrupt()

        tk.manual_seed(12)
        try:
            engine.run(make(), max_epochs=3)
        except KeyboardInterrupt:
            assert stopped
        tk.rand(3), np.random.rand()  # what goes on meanwhile changes nothing
        if stopped:
            engine.run()
    assert runs[0] == runs[1]


def test_ctrl_c_in_the_data_loses_no_batch():
    class Stopping(TensorDataset):
        armed = True

        def batch(self, indices):
            if self.armed and len(seen) == 7:
                self.armed = False
                raise KeyboardInterrupt
            return super().batch(indices)

    seen, whole = [], []
    for target in (seen, whole):
        engine = DeterministicEngine(lambda engine, batch, target=target: target.append(batch[0].tolist()))
        data = DataLoader(Stopping(tk.arange(20)), batch_size=4, shuffle=True)
        data.dataset.armed = target is seen
        tk.manual_seed(5)
        if target is seen:
            with pytest.raises(KeyboardInterrupt):
                engine.run(data, max_epochs=2)
            engine.run()
        else:
            engine.run(data, max_epochs=2)
    assert seen == whole


def test_epochs_differ_and_runs_repeat():
    runs = []
    for _ in range(2):
        seen = []
        tk.manual_seed(4)
        engine_for(seen).run(shuffled(), max_epochs=3)
        runs.append(seen)
    assert runs[0] == runs[1]
    epochs = [tuple(map(str, (batch for _, batch, _ in runs[0][i : i + 5]))) for i in (0, 5, 10)]
    assert len(set(epochs)) == 3


def test_more_epochs_are_those_of_a_longer_run():
    runs = []
    for epochs in ([4], [2, 4]):
        runs.append([])
        engine = engine_for(runs[-1])
        tk.manual_seed(4)
        for limit in epochs:
            engine.run(shuffled(), max_epochs=limit)
    assert runs[0] == runs[1]


def test_an_epoch_that_was_terminated_does_not_shift_the_seeds_of_the_next_run():
    seen = []
    engine = engine_for(seen)
    engine.add_event_handler(Events.ITERATION_COMPLETED(once=2), engine.terminate_epoch)
    tk.manual_seed(4)
    engine.run(shuffled(), max_epochs=2)
    whole = []
    tk.manual_seed(4)
    engine_for(whole).run(shuffled(), max_epochs=2)
    assert [batch for _, batch, _ in seen[2:]] == [batch for _, batch, _ in whole[5:]]


def test_the_users_loader_is_left_as_it_is():
    data = shuffled()
    sampler = data.batch_sampler
    engine_for([]).run(data)
    assert data.batch_sampler is sampler


def test_the_batches_that_are_done_are_not_fetched():
    class Counting(TensorDataset):
        fetched = 0

        def batch(self, indices):
            self.fetched += 1
            return super().batch(indices)

    data = DataLoader(Counting(tk.arange(20)), batch_size=4, shuffle=True)
    engine = DeterministicEngine(lambda engine, batch: None)
    engine.load_state_dict({"iteration": 13, "epoch_length": 5, "max_epochs": 3, "rng_states": None})
    engine.run(data)
    assert data.dataset.fetched == 2


def test_no_data():
    with pytest.raises(ArgumentError, match="expected data, got None"):
        DeterministicEngine(lambda engine, batch: None).run(epoch_length=3)


def test_the_state_can_be_saved_in_a_file(tmp_path):
    seen = []
    engine = engine_for(seen)
    engine.add_event_handler(
        Events.ITERATION_COMPLETED(once=7), lambda: tk.save(engine.state_dict(), tmp_path / "state")
    )
    engine.run(shuffled(), max_epochs=2)
    rest = []
    other = engine_for(rest)
    other.load_state_dict(tk.load(tmp_path / "state"))
    other.run(shuffled())
    assert rest == seen[7:]


def test_keep_random_state():
    @keep_random_state
    def draw():
        return random.random(), np.random.rand(), tk.rand(1).item()

    assert draw() == draw()
    assert draw.__name__ == "draw"

    @keep_random_state
    def fail():
        tk.rand(1)
        raise ValueError("boom")

    before = draw()
    with pytest.raises(ValueError, match="boom"):
        fail()
    assert draw() == before

    engine = Engine(lambda engine, batch: tk.rand(1).item())
    tk.manual_seed(1)
    plain = engine.run([1, 2]).output
    engine.add_event_handler(Events.ITERATION_COMPLETED, draw)
    tk.manual_seed(1)
    assert engine.run([1, 2]).output == plain
