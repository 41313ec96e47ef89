"""Ids are unique and sort by their making, over threads and batches."""

import threading
import time

import pytest

from shouhao.kernel import ids
from shouhao.kernel.ids import new_id, new_ids

SHAPE = r"^bk_[0-9a-f]{26}$"


def test_an_id_says_what_it_names():
    made = new_id("bk")
    assert len(made) == len("bk_") + 26
    prefix, _, rest = made.partition("_")
    assert prefix == "bk"
    assert set(rest) <= set("0123456789abcdef")


def test_an_id_begins_with_the_millisecond_of_its_making():
    before = time.time_ns() // 1_000_000
    made = int(new_id("bk")[3:14], 16)
    assert before <= made <= time.time_ns() // 1_000_000


def test_ids_of_one_thread_are_sorted():
    made = [new_id("x") for _ in range(20_000)]
    assert made == sorted(set(made))


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_a_batch_is_as_many_ids_as_asked_for_in_order(count):
    made = new_ids("x", count)
    assert len(made) == count
    assert made == sorted(set(made))
    assert all(one < new_id("x") for one in made)


def test_ids_are_unique_and_sorted_over_threads():
    parts, started = [[] for _ in range(8)], threading.Barrier(8)

    def make(mine):
        started.wait()
        for n in range(800):
            mine.extend(new_ids("x", 1 + n % 5) if n % 2 else [new_id("x")])

    threads = [threading.Thread(target=make, args=(mine,)) for mine in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in parts)
    everyone = [one for mine in parts for one in mine]
    assert len(set(everyone)) == len(everyone)


def test_a_clock_that_is_set_back_repeats_nothing(monkeypatch):
    now_ns = [1_800_000_000_000_000_000]
    monkeypatch.setattr(ids, "_sequence", ids._Sequence())
    monkeypatch.setattr(ids.time, "time_ns", lambda: now_ns[0])
    made = []
    for step in (0, 1_000_000, -60_000_000_000, 0, 5_000_000):
        now_ns[0] += step
        made.extend(new_ids("x", 50))
    assert made == sorted(set(made))


def test_two_processes_do_not_meet():
    one, other = ids._Sequence(), ids._Sequence()
    firsts = {sequence.take(1000)[1] >> 12 for sequence in (one, other)}
    assert len(firsts) == 2
