"""A follower of the feed passes each change on once, in whatever order transactions end."""

from hypothesis import given
from hypothesis import strategies as st

from shouhao.watch.store.alarm_feed import LONGEST_WRITE_US, Change, Follower


def change(seq: int) -> Change:
    return Change(seq=seq, alarm_id=f"al_{seq}", what="step")


def seqs(found: list[Change]) -> list[int]:
    return [one.seq for one in found]


def test_a_number_that_comes_up_late_is_still_passed_on() -> None:
    follower = Follower(10)
    assert seqs(follower.take([change(11), change(13)], now_us=0)) == [11, 13]
    assert follower.floor == 11, "12 may still come"
    assert seqs(follower.take([change(12), change(13)], now_us=1)) == [12]
    assert follower.floor == 13


def test_a_number_that_was_rolled_back_is_waited_for_no_longer_than_a_transaction_lives() -> None:
    follower = Follower(0)
    assert seqs(follower.take([change(2)], now_us=0)) == [2]
    assert (follower.take([change(2)], now_us=LONGEST_WRITE_US - 1), follower.floor) == ([], 0)
    assert (follower.take([change(2)], now_us=LONGEST_WRITE_US), follower.floor) == ([], 2)


@given(st.permutations(list(range(1, 25))), st.lists(st.integers(1, 6), min_size=24, max_size=24))
def test_every_number_is_passed_on_exactly_once(order: list[int], sizes: list[int]) -> None:
    follower, committed, heard, at = Follower(0), set[int](), list[int](), 0
    for size in sizes:
        committed.update(order[at : at + size])
        at += size
        heard += seqs(follower.take([change(n) for n in sorted(committed) if n > follower.floor], now_us=at))
    assert sorted(heard) == list(range(1, 25))
    assert follower.floor == 24
