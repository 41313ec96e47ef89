"""The desk: bounded, fair within a lane, and every request is answered exactly once whatever happens."""

import threading
from collections import Counter
from concurrent.futures import Future, wait

import pytest

from shouhao.booking.desk import Desk, DeskSettings
from shouhao.booking.model import DeskFull, SoldOut
from shouhao.kernel.errors import Unavailable

QUICK = DeskSettings(batch_max=16, gather_ms=0.0, queue_max=100_000, lanes=2)
SOON_S = 20.0


class Counted:
    """A reply that counts how often it was answered."""

    def __init__(self):
        self.said = []
        self.done = threading.Event()

    def set_result(self, result):
        self.said.append(result)
        self.done.set()

    set_exception = set_result


class Gate:
    """A decision that waits until it is let through."""

    def __init__(self):
        self.entered = threading.Event()
        self.open = threading.Event()
        self.batches = []

    def __call__(self, batch):
        self.batches.append(list(batch))
        self.entered.set()
        assert self.open.wait(SOON_S)
        return list(batch)


def opened(decide, **changes):
    desk = Desk(decide, DeskSettings(**({"gather_ms": 0.0, "lanes": 1} | changes)))
    desk.start()
    return desk


def test_a_full_queue_says_busy_at_once():
    gate = Gate()
    desk = opened(gate, queue_max=3)
    futures = [Future() for _ in range(4)]
    desk.submit(0, futures[0], lane_key="k")
    assert gate.entered.wait(SOON_S)  # the first is being decided, the queue is empty
    for n in (1, 2, 3):
        desk.submit(n, futures[n], lane_key="k")
    with pytest.raises(DeskFull) as caught:
        desk.submit(4, Future(), lane_key="k")
    assert caught.value.retry_after_s > 0
    assert desk.depth() == 3
    gate.open.set()
    assert [f.result(SOON_S) for f in futures] == [0, 1, 2, 3]
    desk.stop()


def test_order_is_kept_within_a_lane():
    seen = []

    def note(batch):
        seen.extend(batch)
        return batch

    desk = opened(note, lanes=4, batch_max=7)
    futures = []
    for n in range(2000):
        future = Future()
        desk.submit((n % 5, n), future, lane_key=f"session-{n % 5}")
        futures.append(future)
    wait(futures, SOON_S)
    desk.stop()
    for lane in range(5):
        mine = [n for key, n in seen if key == lane]
        assert mine == sorted(mine)
        assert len(mine) == 400


def test_stopping_answers_what_waits_and_refuses_what_comes():
    gate = Gate()
    desk = opened(gate, batch_max=2)
    futures = [Future() for _ in range(9)]
    for n, future in enumerate(futures):
        desk.submit(n, future, lane_key="k")
    assert gate.entered.wait(SOON_S)
    stopper = threading.Thread(target=desk.stop)
    stopper.start()
    gate.open.set()
    stopper.join(SOON_S)
    assert [f.result(0) for f in futures] == list(range(9))
    with pytest.raises(DeskFull):
        desk.submit(9, Future(), lane_key="k")


def test_a_desk_that_is_not_open_takes_nothing():
    with pytest.raises(DeskFull):
        Desk(list, QUICK).submit(1, Future(), lane_key="k")


def test_what_comes_during_a_commit_is_decided_together():
    gate = Gate()
    desk = opened(gate)
    futures = [Future() for _ in range(6)]
    desk.submit(0, futures[0], lane_key="k")
    assert gate.entered.wait(SOON_S)
    for n in range(1, 6):
        desk.submit(n, futures[n], lane_key="k")
    gate.open.set()
    wait(futures, SOON_S)
    desk.stop()
    assert gate.batches == [[0], [1, 2, 3, 4, 5]]


def test_the_first_of_a_batch_waits_for_company():
    batches = []
    desk = opened(lambda batch: batches.append(len(batch)) or batch, gather_ms=300.0)
    futures = [Future() for _ in range(20)]
    for n, future in enumerate(futures):
        desk.submit(n, future, lane_key="k")
    wait(futures, SOON_S)
    desk.stop()
    assert batches == [20]


def test_no_batch_is_larger_than_allowed():
    sizes = []
    gate = Gate()

    def decide(batch):
        sizes.append(len(batch))
        return gate(batch)

    desk = opened(decide, batch_max=4)
    futures = [Future() for _ in range(21)]
    for n, future in enumerate(futures):
        desk.submit(n, future, lane_key="k")
    gate.open.set()
    wait(futures, SOON_S)
    desk.stop()
    assert max(sizes) <= 4
    assert sum(sizes) == 21


def test_a_refusal_is_an_answer_and_being_away_is_not():
    desk = opened(lambda batch: [SoldOut() for _ in batch])
    future = Future()
    desk.submit(1, future, lane_key="k")
    assert isinstance(future.result(SOON_S), SoldOut)
    desk.stop()

    def away(_batch):
        raise Unavailable("database")

    desk = opened(away)
    future = Future()
    desk.submit(1, future, lane_key="k")
    assert isinstance(future.exception(SOON_S), Unavailable)
    desk.stop()


@pytest.mark.parametrize("wrong", [lambda batch: batch[:-1], lambda batch: [*batch, 0], lambda _batch: []])
def test_a_decision_with_too_few_or_many_answers_costs_its_batch_and_no_more(wrong):
    calls = []

    def decide(batch):
        calls.append(batch)
        return wrong(batch) if len(calls) == 1 else batch

    desk = opened(decide)
    first, second = Future(), Future()
    desk.submit(1, first, lane_key="k")
    assert isinstance(first.exception(SOON_S), ValueError)
    desk.submit(2, second, lane_key="k")
    assert second.result(SOON_S) == 2
    desk.stop()


def test_one_who_gave_up_does_not_cost_the_others_their_answer():
    gate = Gate()
    desk = opened(gate)
    futures = [Future() for _ in range(4)]
    for n, future in enumerate(futures):
        desk.submit(n, future, lane_key="k")
    assert gate.entered.wait(SOON_S)
    assert futures[0].cancel()
    gate.open.set()
    assert [f.result(SOON_S) for f in futures[1:]] == [1, 2, 3]
    late = Future()
    desk.submit(9, late, lane_key="k")
    assert late.result(SOON_S) == 9
    desk.stop()


def test_a_delivery_that_fails_does_not_close_the_desk():
    replies = []

    def deliver(answers):
        replies.append(answers)
        if len(replies) == 1:
            raise RuntimeError("the loop is closed")
        for reply, said in answers:
            reply.set_result(said)

    desk = Desk(list, DeskSettings(gather_ms=0.0, lanes=1), deliver=deliver)
    desk.start()
    first, second = Future(), Future()
    desk.submit(1, first, lane_key="k")
    desk.submit(2, second, lane_key="other")
    third = Future()
    desk.submit(3, third, lane_key="k")
    assert desk.stop() is None
    answered = [f.result(0) for f in (second, third) if f.done()]
    assert sum(len(batch) for batch in replies) == 3
    assert set(answered) <= {2, 3}


def test_every_request_is_answered_once_under_random_failures():
    lock, calls = threading.Lock(), Counter()

    def decide(batch):
        with lock:
            calls["all"] += 1
            turn = calls["all"] % 5
        if turn == 1:
            raise Unavailable("database")
        if turn == 2:
            raise ZeroDivisionError
        if turn == 3:
            return batch[1:]
        return list(batch)

    desk = Desk(decide, QUICK)
    desk.start()
    replies = [Counted() for _ in range(4000)]

    def client(part):
        for n in range(part, len(replies), 8):
            desk.submit(n, replies[n], lane_key=str(n % 13))

    clients = [threading.Thread(target=client, args=(part,)) for part in range(8)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    desk.stop()
    assert Counter(len(reply.said) for reply in replies) == {1: 4000}
    right = [reply.said[0] == n for n, reply in enumerate(replies) if not isinstance(reply.said[0], Exception)]
    assert all(right)
    assert right


def test_whoever_got_in_while_the_desk_closed_is_answered():
    for _ in range(30):
        desk = Desk(list, DeskSettings(gather_ms=0.0, lanes=2))
        desk.start()
        accepted, started = [], threading.Barrier(5)

        def client(desk=desk, accepted=accepted, started=started):
            started.wait()
            for n in range(200):
                reply = Counted()
                try:
                    desk.submit(n, reply, lane_key=str(n))
                except DeskFull:
                    return
                accepted.append(reply)

        clients = [threading.Thread(target=client) for _ in range(4)]
        for thread in clients:
            thread.start()
        started.wait()
        desk.stop()
        for thread in clients:
            thread.join()
        assert all(len(reply.said) == 1 for reply in accepted)
