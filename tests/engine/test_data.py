"""Data that fail, end early or come from threads: told with epoch and batch, closed when the run ends, nothing hangs."""

import queue
import threading

import pytest

from trainkit.engine import Engine, Events, Status


class Threaded:
    """Batches from a thread that fills a small queue, and waits for ever where nobody takes from it or stops it."""

    def __init__(self, batches, fail_after=None):
        self.batches, self.fail_after = batches, fail_after
        self.threads = []

    def __iter__(self):
        filled, stopped = queue.Queue(maxsize=2), threading.Event()

        def produce():
            for number, batch in enumerate(self.batches):
                if number == self.fail_after:
                    put(OSError("the disk is gone"))
                    return
                if not put(batch):
                    return
            put(None)

        def put(thing):
            while not stopped.is_set():
                try:
                    filled.put(thing, timeout=0.01)
                except queue.Full:
                    continue
                return True
            return False

        thread = threading.Thread(target=produce)  # no daemon: left alone, it would keep the process alive
        self.threads.append(thread)
        thread.start()
        try:
            while (thing := filled.get()) is not None:
                if isinstance(thing, Exception):
                    raise thing
                yield thing
        finally:
            stopped.set()
            thread.join()

    def alive(self):
        return [thread for thread in self.threads if thread.is_alive()]


def act(name):
    def process(engine, batch):
        if engine.state.iteration == 3:
            if name == "fail":
                raise ValueError("boom")
            if name == "ctrl-c":
                raise KeyboardInterrupt
            if name:
                getattr(engine, name)()

    return process


@pytest.mark.parametrize("name", [None, "terminate", "terminate_epoch", "fail"])
@pytest.mark.parametrize("options", [{"max_epochs": 2}, {"max_epochs": 2, "epoch_length": 4}, {"max_iters": 7}])
def test_a_threads_end_with_the_run(name, options):
    data = Threaded(range(100) if "epoch_length" in options or "max_iters" in options else range(5))
    engine = Engine(act(name))
    try:
        engine.run(data, **options)
    except ValueError:
        assert name == "fail"
    assert data.threads
    assert not data.alive()


@pytest.mark.parametrize("name", ["interrupt", "ctrl-c"])
@pytest.mark.parametrize("then", ["resume", "anew", "load"])
def test_a_thread_waits_over_an_interrupt(name, then):
    data = Threaded(range(5))
    engine = Engine(act(name))
    try:
        engine.run(data, epoch_length=5)
    except KeyboardInterrupt:
        assert name == "ctrl-c"
    assert len(data.alive()) <= 1
    if then == "resume":
        assert engine.run().iteration == 5
        assert len(data.threads) == 1
    elif then == "load":
        engine.load_state_dict({"iteration": 0, "max_epochs": 1, "epoch_length": 5})
    else:
        engine.run([1], resume=False)
    assert not data.alive()


def test_a_thread_that_fails():
    data, told = Threaded(range(5), fail_after=3), []
    engine = Engine(lambda engine, batch: None)
    engine.add_event_handler(Events.EXCEPTION_RAISED, lambda error: told.append(str(error)))
    with pytest.raises(OSError, match="the disk is gone") as caught:
        engine.run(data, max_epochs=3)
    assert caught.value.__notes__ == ["in the data, at batch 4 of epoch 1"]
    assert told == ["the disk is gone"]
    assert not data.alive()
    assert engine.status is Status.IDLE


def test_set_data_ends_the_threads_of_the_former():
    data = Threaded(range(100))
    engine = Engine(lambda engine, batch: None)
    engine.add_event_handler(Events.ITERATION_COMPLETED(once=2), lambda: engine.set_data("ab"))
    engine.add_event_handler(Events.ITERATION_COMPLETED(once=3), lambda: alive.append(len(data.alive())))
    alive = []
    engine.run(data, epoch_length=4)
    assert alive == [0]


class Loader:
    """Gives iterators that write down what is done with them."""

    def __init__(self, closing, fail=None, at_iter=False):
        self.closing, self.fail, self.at_iter, self.closed = closing, fail, at_iter, []

    def __iter__(self):
        if self.at_iter:
            raise OSError("no disk")
        loader = self

        class Iterator:
            left = 3

            def __iter__(self):
                return self

            def __next__(self):
                self.left -= 1
                if self.left < 0:
                    raise StopIteration
                return self.left

        def close(self):
            loader.closed.append(self.left)
            if loader.fail:
                raise loader.fail

        setattr(Iterator, self.closing, close)
        return Iterator()


@pytest.mark.parametrize("closing", ["close", "shutdown"])
def test_iterators_are_closed_by_close_or_shutdown(closing):
    data = Loader(closing)
    Engine(lambda engine, batch: None).run(data, max_epochs=3, epoch_length=2)
    assert data.closed == [-1, 0]  # 3 + 3 batches: exhausted, and at the end of the run


def test_closing_that_fails():
    data = Loader("close", OSError("busy"))
    with pytest.raises(OSError, match="busy") as caught:
        Engine(lambda engine, batch: None).run(data, epoch_length=2)
    assert caught.value.__notes__ == ["in closing the iterator over the data"]
    with pytest.raises(ValueError, match="boom") as boom:
        Engine(act("fail")).run(data, epoch_length=3)
    assert "closing the iterator over the data failed: OSError('busy')" in boom.value.__notes__


def test_data_that_cannot_be_begun():
    engine = Engine(lambda engine, batch: None)
    with pytest.raises(OSError, match="no disk") as caught:
        engine.run(Loader("close", at_iter=True), epoch_length=2)
    assert caught.value.__notes__ == ["in the data, at batch 1 of epoch 1"]


def test_data_that_fail_when_begun_again():
    class Once:
        begun = 0

        def __iter__(self):
            self.begun += 1
            if self.begun == 2:
                yield 1
                raise OSError("gone")
            yield from range(3)

    with pytest.raises(OSError, match="gone") as caught:
        Engine(lambda engine, batch: None).run(Once(), max_epochs=3)
    assert caught.value.__notes__ == ["in the data, at batch 2 of epoch 2"]


def test_the_users_own_iterator_is_left_open():
    def numbers():
        yield from range(10)

    source = numbers()
    engine = Engine(lambda engine, batch: batch)
    assert engine.run(source, max_iters=4, epoch_length=10).output == 3
    assert engine.run(source, max_iters=6).output == 5
    assert next(source) == 6


def test_data_that_set_other_data_themselves():
    class Source:
        def __iter__(self):
            yield 1
            engine.set_data("xy")
            yield 2

    engine = Engine(lambda engine, batch: seen.append(batch))
    seen = []
    engine.run(Source(), epoch_length=4)
    assert seen == [1, 2, "x", "y"]


def test_the_warning_names_the_numbers():
    engine = Engine(lambda engine, batch: None)
    with pytest.warns(UserWarning, match=r"ended at iteration 3 .* max_epochs=2 .*epoch 2 has 1 of 2 batches"):
        engine.run(iter(range(3)), max_epochs=2, epoch_length=2)
