"""The queue: bounded, with deadlines, without those who have gone, and drained."""

import asyncio
import threading
import time

import pytest

from dermalens.serve.pool import DeadlinePassed, Draining, Pool, QueueFull, Work


class Gate:
    """A stand-in for a classifier: the work that is done with it waits until it is opened."""

    def __init__(self):
        self.opened = threading.Event()
        self.done = []

    def do(self, what):
        def work(_):
            self.opened.wait(5)
            self.done.append(what)
            return what

        return work


def soon() -> float:
    return time.monotonic() + 5


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.opened.set()


@pytest.fixture
def pool(gate):
    pool = Pool([gate], queue_size=2)
    yield pool
    gate.opened.set()
    assert pool.close(seconds=5)


def busy(pool, gate):
    """Keep the one worker at work."""
    future = pool.submit(Work(gate.do("first"), soon()))
    while not future.running():
        time.sleep(0.001)
    return future


def test_work_is_done_and_its_errors_reach_who_waits(pool, gate):
    gate.opened.set()
    assert asyncio.run(pool.run(Work(gate.do("a"), soon()))) == "a"

    def fail(_):
        raise KeyError("b")

    with pytest.raises(KeyError):
        asyncio.run(pool.run(Work(fail, soon())))
    assert asyncio.run(pool.run(Work(gate.do("c"), soon()))) == "c"


def test_a_full_queue_refuses_and_says_when_to_come_back(pool, gate):
    busy(pool, gate)
    for _ in range(2):
        pool.submit(Work(gate.do("waits"), soon()))
    with pytest.raises(QueueFull) as refused:
        pool.submit(Work(gate.do("too many"), soon()))
    assert refused.value.retry_after_seconds >= 1
    assert pool.depth == 2


def test_who_has_gone_makes_room_in_a_full_queue(pool, gate):
    busy(pool, gate)
    gone = [pool.submit(Work(gate.do("gone"), soon())) for _ in range(2)]
    gone[0].cancel()
    last = pool.submit(Work(gate.do("last"), soon()))
    gate.opened.set()
    assert last.result(5) == "last"
    assert gate.done == ["first", "gone", "last"]


def test_work_past_its_deadline_is_not_begun(pool, gate):
    busy(pool, gate)
    late = pool.submit(Work(gate.do("late"), time.monotonic() + 0.01))
    time.sleep(0.02)
    gate.opened.set()
    with pytest.raises(DeadlinePassed):
        late.result(5)
    assert gate.done == ["first"]


def test_who_waits_is_told_at_the_deadline_and_not_when_the_queue_moves(pool, gate):
    busy(pool, gate)
    began = time.monotonic()
    with pytest.raises(DeadlinePassed):
        asyncio.run(pool.run(Work(gate.do("late"), began + 0.05)))
    assert time.monotonic() - began < 1
    gate.opened.set()
    assert asyncio.run(pool.run(Work(gate.do("next"), soon()))) == "next"
    assert gate.done == ["first", "next"]


def test_a_request_that_is_given_up_is_dropped_before_it_starts(pool, gate):
    busy(pool, gate)

    async def give_up():
        waiting = asyncio.create_task(pool.run(Work(gate.do("abandoned"), soon())))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(give_up())
    gate.opened.set()
    assert pool.submit(Work(gate.do("next"), soon())).result(5) == "next"
    assert gate.done == ["first", "next"]


def test_background_work_waits_for_all_else(pool, gate):
    busy(pool, gate)
    background = pool.submit(Work(gate.do("background"), soon(), is_background=True))
    direct = pool.submit(Work(gate.do("direct"), soon()))
    gate.opened.set()
    background.result(5)
    assert direct.done()
    assert gate.done == ["first", "direct", "background"]


def test_closing_finishes_what_is_queued_and_takes_nothing_new(gate):
    pool = Pool([gate, gate], queue_size=8)
    waiting = [pool.submit(Work(gate.do(number), soon())) for number in range(8)]
    background = pool.submit(Work(gate.do("background"), soon(), is_background=True))
    closing = threading.Thread(target=lambda: pool.close(seconds=5))
    closing.start()
    while not pool.is_draining:
        time.sleep(0.001)
    with pytest.raises(Draining):
        pool.submit(Work(gate.do("new"), soon()))
    gate.opened.set()
    closing.join(5)
    assert sorted(future.result(0) for future in waiting) == list(range(8))
    assert background.cancelled()


def test_places_are_as_many_as_workers_and_queue(pool):
    with pool.place(), pool.place(), pool.place():
        with pytest.raises(QueueFull), pool.place():
            pass
        assert pool.in_flight == 3
    pool.is_draining = True
    with pytest.raises(Draining), pool.place():
        pass
