"""Answers: a key hears its first answer again, another body is refused, and old ones are forgotten."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from shouhao.kernel.errors import NotFound, Refused
from shouhao.kernel.events import Event
from shouhao.store import answers, event_log
from shouhao.store.answers import Answer, IdempotencyKeyReused, act_once, once
from shouhao.store.engine import open_database

NOW = 1_770_000_000_000_000
ONE = once(caller="ac", route="POST /x", key="k", body=b"{}")
OTHER_BODY = once(caller="ac", route="POST /x", key="k", body=b"{ }")


def as_answer(refusal: Refused) -> Answer:
    return Answer(status=1, body=refusal.code)


def say(db, asked, act, *, now_us=NOW):
    with db.write() as connection:
        return act_once(connection, asked, lambda: act(connection), now_us=now_us, refused=as_answer)


def note(connection):
    event_log.append(connection, [Event(at_us=NOW, kind="viewed")])
    return {"id": "病"}


def refuse(connection):
    note(connection)
    raise NotFound("thing")


def events_in(db):
    with db.read() as connection:
        return sum(len(chunk) for chunk in event_log.read(connection))


def test_acting_twice_with_one_key_acts_once(db):
    first = say(db, ONE, note)
    assert say(db, ONE, note) == first == Answer(status=0, body='{"id":"病"}')
    assert events_in(db) == 1


def test_a_refusal_is_kept_and_what_it_began_is_undone(db):
    assert say(db, ONE, refuse) == say(db, ONE, note) == Answer(status=1, body="not_found")
    assert events_in(db) == 0


def test_without_a_key_each_request_acts(db):
    say(db, None, note)
    say(db, None, note)
    assert events_in(db) == 2


def test_the_same_key_with_another_body_is_refused_and_acts_on_nothing(db):
    say(db, ONE, note)
    with pytest.raises(IdempotencyKeyReused):
        say(db, OTHER_BODY, note)
    assert events_in(db) == 1


def test_a_bug_keeps_no_answer_and_leaves_nothing(db):
    def bug(connection):
        note(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        say(db, ONE, bug)
    assert events_in(db) == 0
    assert say(db, ONE, note).status == 0


def test_many_keys_are_found_at_once(db):
    asked = [once(caller="ac", route="r", key=f"{n}", body=b"") for n in range(300)]
    said = [Answer(status=n % 2, body=f"“{n}”") for n in range(300)]
    with db.write() as connection:
        answers.keep(connection, list(zip(asked, said, strict=True)), now_us=NOW)
        found = answers.find(connection, [*(a.key for a in asked), "unknown"])
        assert answers.find(connection, []) == {}
    assert found == {a.key: (a.body_hash, s) for a, s in zip(asked, said, strict=True)}


def test_what_is_old_is_forgotten_and_the_rest_kept(db):
    with db.write() as connection:
        for n in range(4):
            mine = once(caller="ac", route="r", key=f"{n}", body=b"")
            answers.keep(connection, [(mine, Answer(status=0, body=""))], now_us=NOW + n)
        assert answers.forget(connection, before_us=NOW + 2) == 2
        assert answers.forget(connection, before_us=NOW + 2) == 0
        assert answers.replay(connection, once(caller="ac", route="r", key="1", body=b"")) is None
        assert answers.replay(connection, once(caller="ac", route="r", key="2", body=b"")) is not None


def test_two_at_once_with_one_key_act_once(db_url):
    db = open_database(db_url)
    started, outcomes = threading.Barrier(4), []

    def run():
        started.wait()
        try:
            outcomes.append(say(db, ONE, note))
        except IntegrityError:  # the other was first; asked again, its answer is heard
            outcomes.append(say(db, ONE, note))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    assert len(set(outcomes)) == 1
    assert events_in(db) == 1
    db.close()


parts = st.tuples(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5)).filter(
    lambda three: not any("\0" in part for part in three)
)


@given(parts, parts)
def test_different_requests_have_different_marks(one, other):
    first, second = (once(caller=c, route=r, key=k, body=b"") for c, r, k in (one, other))
    assert (first.key == second.key) == (one == other)
