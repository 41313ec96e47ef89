"""What a platform asks to be told of is kept once, also where it asks twice at the same moment."""

import pytest

from racing import meanwhile
from shouhao.watch.store.subscriptions import (
    MOST_PER_DEVICE,
    Subscription,
    TooManySubscriptions,
    list_subscriptions,
    put_subscription,
)

DEVICE, NOW_US = "31010600001190000001", 1_772_413_200_000_000


def put(connection, number):
    return put_subscription(connection, DEVICE, Subscription(subscription_id=f"s{number}"), now_us=NOW_US)


def putting(db, number):
    def put_it():
        with db.write() as connection:
            return put(connection, number)

    return put_it


def test_the_same_asked_twice_at_once_is_kept_once(postgresql_db):
    assert not meanwhile(postgresql_db, lambda connection: put(connection, 1), putting(postgresql_db, 1))
    with postgresql_db.read() as connection:
        assert len(list_subscriptions(connection)) == 1


def test_the_last_that_one_may_have_is_given_to_one_of_two(postgresql_db):
    with postgresql_db.write() as connection:
        for number in range(1, MOST_PER_DEVICE):
            put(connection, number)
    with pytest.raises(TooManySubscriptions):
        meanwhile(postgresql_db, lambda connection: put(connection, 0), putting(postgresql_db, MOST_PER_DEVICE))
