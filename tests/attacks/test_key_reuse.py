"""Attack: somebody else's idempotency key, or one's own with another body, to hear or to change an answer."""

import msgspec
import pytest

from hospital import NOW_US, add_department, add_people, add_session, ask, assert_sound, book_now, code, dump
from shouhao.kernel.clock import DAY_US, HOUR_US
from shouhao.store import answers
from shouhao.store.answers import once


@pytest.fixture
def house(db):
    add_department(db)
    add_session(db)
    yield db
    assert_sound(db)


def keyed(person, session_id, *, caller, key="k", route="book", body=b"{}"):
    return msgspec.structs.replace(ask(person, session_id), once=once(caller=caller, route=route, key=key, body=body))


def test_a_key_with_another_body_acts_on_nothing_and_tells_nothing(house):
    victim, thief = add_people(house, 2)
    (first,) = book_now(house, keyed(victim, "S1", caller="ac"))
    before = dump(house)
    tries = [keyed(thief, "S1", caller="ac", body=f"{n}".encode()) for n in range(20)]
    said = book_now(house, *tries)
    assert {code(answer) for answer in said} == {"idempotency_key_reused"}
    assert victim.patient_id not in repr(said)
    assert dump(house) == before
    assert book_now(house, keyed(victim, "S1", caller="ac")) == [first]


def test_another_callers_key_is_another_key(house):
    victim, thief = add_people(house, 2)
    (first,) = book_now(house, keyed(victim, "S1", caller="victim"))
    (second,) = book_now(house, keyed(thief, "S1", caller="thief"))
    assert code(first) == code(second) == "done"
    assert msgspec.json.decode(second.body)["patient_id"] == thief.patient_id


def test_a_key_belongs_to_its_route(house):
    one, other = add_people(house, 2)
    said = book_now(house, keyed(one, "S1", caller="ac"), keyed(other, "S1", caller="ac", route="other"))
    assert [code(answer) for answer in said] == ["done", "done"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"caller": "a", "key": "bc"}, {"caller": "ab", "key": "c"}),
        ({"route": "r1", "key": "2"}, {"route": "r", "key": "12"}),
    ],
)
def test_callers_routes_and_keys_do_not_run_into_each_other(one, other):
    common = {"caller": "c", "route": "r", "key": "k", "body": b""}
    assert once(**(common | one)).key != once(**(common | other)).key


def test_what_is_stored_of_a_key_is_not_the_key():
    assert "secret-key" not in repr(once(caller="caller", route="route", key="secret-key", body=b"secret-body"))


def test_waiting_for_an_answer_to_be_forgotten_gives_no_second_slot(house):
    (person,) = add_people(house, 1)
    request = keyed(person, "S1", caller="ac")
    book_now(house, request)
    with house.write() as connection:
        assert answers.forget(connection, before_us=NOW_US) == 0
        assert answers.forget(connection, before_us=NOW_US + HOUR_US) == 1
    kept = {"answers", "events"}
    before = dump(house, without=kept)
    assert [code(answer) for answer in book_now(house, request, now_us=NOW_US + DAY_US)] == ["booking.already_booked"]
    assert dump(house, without=kept) == before
