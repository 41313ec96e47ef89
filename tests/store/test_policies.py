"""Policies are versions that are never changed; the newest one that has begun is in force."""

import threading

import pytest
from sqlalchemy.exc import IntegrityError

from shouhao.store import policies
from shouhao.store.engine import open_database
from shouhao.store.policies import PolicyVersion

NOW = 1_770_000_000_000_000


def add(db, body, *, effective_at_us=NOW, kind="limits"):
    with db.write() as connection:
        return policies.add(
            connection, kind, body, effective_at_us=effective_at_us, staff_id="st", reason="试行", now_us=NOW
        )


def in_force(db, now_us=NOW, kind="limits"):
    with db.read() as connection:
        return policies.effective(connection, kind, now_us=now_us)


def test_there_is_none_until_one_is_set(db):
    assert in_force(db) is None


def test_a_version_says_what_who_why_and_from_when(db):
    assert add(db, {"n": 1, "名": "值"}) == 1
    assert in_force(db) == PolicyVersion(
        kind="limits",
        version=1,
        effective_at_us=NOW,
        body={"n": 1, "名": "值"},
        staff_id="st",
        reason="试行",
        created_at_us=NOW,
    )


def test_a_version_begins_at_its_moment_and_the_newest_that_has_begun_wins(db):
    assert [
        add(db, {"n": 1}),
        add(db, {"n": 2}, effective_at_us=NOW + 10),
        add(db, {"n": 3}, effective_at_us=NOW + 5),
    ] == [
        1,
        2,
        3,
    ]
    assert [in_force(db, NOW + after).body["n"] for after in (0, 4, 5, 10)] == [1, 1, 3, 3]
    assert in_force(db, NOW - 1) is None


def test_kinds_have_their_own_versions(db):
    add(db, {"n": 1})
    assert add(db, {"n": 9}, kind="binding") == 1
    assert (in_force(db).body, in_force(db, kind="binding").body) == ({"n": 1}, {"n": 9})


def test_the_whole_history_is_kept_in_order(db):
    for n in range(12):
        add(db, {"n": n})
    with db.read() as connection:
        assert [version.body["n"] for version in policies.history(connection, "limits")] == list(range(12))


def test_two_who_change_a_policy_at_once_do_not_both_win(postgresql_url):
    db = open_database(postgresql_url)
    how = {"effective_at_us": NOW, "staff_id": "st", "reason": "r", "now_us": NOW}
    with db._writing.connect() as first, db._writing.connect() as second:
        second.execution_options(isolation_level="REPEATABLE READ")
        policies.effective(second, "limits", now_us=NOW)  # looks before the other has written
        assert policies.add(first, "limits", {}, **how) == 1
        first.commit()
        with pytest.raises(IntegrityError):
            policies.add(second, "limits", {}, **how)
        second.rollback()
    db.close()


def test_whoever_looks_at_what_is_newest_keeps_others_from_adding_until_done(postgresql_url):
    db = open_database(postgresql_url)
    added = []
    other = threading.Thread(target=lambda: added.append(add(db, {"n": "other"})))
    with db.write() as connection:
        policies.hold(connection, "limits")
        assert policies.newest(connection, "limits") == 0
        other.start()
        other.join(0.3)
        assert added == []
        assert add(db, {}, kind="binding") == 1, "another kind waits for nobody"
        how = {"effective_at_us": NOW, "staff_id": "st", "reason": "r", "now_us": NOW}
        assert policies.add(connection, "limits", {"n": "mine"}, **how) == 1
    other.join(5)
    assert added == [2]
    db.close()
