"""Customers: what is usual when only what was won is on record, and sellers are many among those who came once."""

import pyarrow as pa

from shouhao.detect.rules.customers import Customers

_FOUND = {"first_at_us": 1, "last_at_us": 2}


def said_of(*, once, calm, sellers):
    """Accounts that are named.

    Args:
        once: who came to one release, for nobody new and for somebody new.
        calm: who was at none, likewise.
        sellers: who came twice, each time for somebody new.
    """
    sizes = [(1, 0, once[0]), (1, 1, once[1]), (2, 0, 40), (2, 2, sellers)]
    found = [{"account_id": f"a{n}", "days": 2, "fresh_days": 2, "fresh": 2, **_FOUND} for n in range(sellers)]
    counted = {
        "sizes": pa.Table.from_pylist([{"days": d, "fresh_days": f, "accounts": n} for d, f, n in sizes]),
        "calm": pa.Table.from_pylist([{"fresh_days": f, "accounts": n} for f, n in enumerate(calm)]),
        "found": pa.Table.from_pylist(found),
        "let_go": pa.table({"account_id": pa.array([], pa.string()), "patients": pa.array([], pa.int64())}),
    }
    return {one.subject.id for one in Customers().judge(counted)}


def test_sellers_who_won_once_do_not_set_the_measure():
    """One in three who came once came for a customer; of those who booked what anybody can have one in a hundred."""
    assert len(said_of(once=(200, 100), calm=(2970, 30), sellers=20)) == 20
    assert not said_of(once=(200, 100), calm=(29, 0), sellers=20)  # too few are known to say so


def test_where_everybody_binds_just_before_booking_that_is_no_sign():
    assert not said_of(once=(200, 100), calm=(1000, 2000), sellers=20)


def test_few_who_came_twice_with_a_neighbour_are_not_named_for_it():
    assert not said_of(once=(280, 20), calm=(2800, 200), sellers=2)


def test_who_came_once_and_could_not_be_named_is_not_paid_for():
    """However many more have come once, at the same rate."""
    assert len(said_of(once=(190, 10), calm=(2850, 150), sellers=12)) == 12
    assert len(said_of(once=(19_000, 1_000), calm=(2850, 150), sellers=12)) == 12
