"""Attack: send one write many times at once, or one key with two bodies, to be served twice."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from web.served import Hospital, person, served

AT_ONCE = 8


@pytest.fixture
def hospital(db_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(db_url, tmp_path) as running:
        yield running


def at_once(send: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    start = threading.Barrier(AT_ONCE)
    said: list[httpx.Response] = []

    def go(number: int) -> None:
        start.wait()
        said.append(send(number))

    threads = [threading.Thread(target=go, args=(n,)) for n in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == AT_ONCE
    return said


def test_one_key_sent_eight_times_at_once_registers_once(hospital: Hospital) -> None:
    member = hospital.member()
    said = at_once(lambda _: member.post("/patients", json=person(), key="same"))
    assert {(s.status_code, s.text) for s in said} == {(201, said[0].text)}
    assert len(hospital.events("patient_bound")) == 1
    hospital.assert_sound()


def test_one_key_sent_eight_times_at_once_books_once(hospital: Hospital) -> None:
    member = hospital.member()
    asked = {"patient_id": hospital.patient_of(member), "session_id": hospital.session}
    said = at_once(lambda _: member.post("/bookings", json=asked, key="same"))
    assert {(s.status_code, s.text) for s in said} == {(201, said[0].text)}
    assert len(hospital.events("booked")) == 1
    hospital.assert_sound()


def test_eight_keys_at_once_for_one_return_give_back_once(hospital: Hospital) -> None:
    member = hospital.member()
    booking = hospital.booking_of(member, hospital.patient_of(member))
    said = at_once(lambda n: member.post(f"/bookings/{booking['id']}/return", key=f"k{n}"))
    assert sorted(s.status_code for s in said) == [200] + [409] * (AT_ONCE - 1)
    assert len(hospital.events("cancelled")) == 1
    hospital.assert_sound()


def test_a_key_is_the_callers_own_and_the_routes_own(hospital: Hospital) -> None:
    one, two = hospital.member("13800138000"), hospital.member("13800138001")
    assert one.post("/patients", json=person(1), key="k").status_code == 201
    other = two.post("/patients", json=person(2, "李四"), key="k")
    assert (other.status_code, other.json()["name"]) == (201, "李*")
    patient_id = other.json()["patient_id"]
    correction = two.patch(f"/patients/{patient_id}", json={"field": "phone", "value": "13700137000"}, key="k")
    assert correction.status_code == 409
    assert two.delete(f"/patients/{patient_id}", key="k").status_code == 204
