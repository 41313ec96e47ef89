import threading
import time

import pytest

from shouhao.store.turns import Turns


def _queued(turns: Turns, count: int) -> None:
    deadline = time.monotonic() + 5
    while len(turns._queue) < count and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(turns._queue) == count


def _order(aheads: list[bool]) -> list[int]:
    turns, order, threads = Turns(), [], []

    def wait(n: int, *, ahead: bool) -> None:
        with turns.turn(ahead=ahead):
            order.append(n)

    with turns.turn():
        for n, ahead in enumerate(aheads):
            threads.append(threading.Thread(target=wait, args=(n,), kwargs={"ahead": ahead}))
            threads[-1].start()
            _queued(turns, n + 1)
    for thread in threads:
        thread.join(5)
    return order


def test_turns_come_in_the_order_of_asking() -> None:
    assert _order([False] * 8) == list(range(8))


def test_who_may_go_ahead_is_next() -> None:
    assert _order([False, False, True]) == [2, 0, 1]


def test_a_turn_that_fails_passes_on() -> None:
    turns = Turns()
    for _ in range(3):
        with pytest.raises(ValueError, match="mine"), turns.turn():
            raise ValueError("mine")
    with turns.turn():
        assert turns._busy
    assert not turns._busy


def test_only_one_has_the_turn() -> None:
    turns, inside, most = Turns(), [0], [0]

    def work() -> None:
        for _ in range(200):
            with turns.turn():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
