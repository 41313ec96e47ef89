"""Hammering: totals of a day, held against whom they belong to."""

from dataclasses import replace

import ibis
import pyarrow as pa
import pytest

from detect.detector_checks import rows_behind, suspicions, told
from detect.examples.bursts import operations
from detect.examples.hammering import FROM_US
from detect.people import DAY_US, HOSPITAL_WIFI, SECOND_US, Rows
from detect.tables import tables
from shouhao.detect.rules.hammering import Hammering, Policy

MIDNIGHT_US = FROM_US - (FROM_US + 8 * 3_600 * SECOND_US) % DAY_US


def found(rows: Rows, *, networks=None):
    over = tables(hits=rows.hits, events=rows.events)
    if networks is not None:
        over = replace(over, networks=ibis.memtable(pa.table(networks)))
    return {(one.subject.kind, one.subject.id): one for one in suspicions(told(Hammering(), over))}


def hammers(count: int, **who: str) -> Rows:
    return operations(count, every_us=5 * SECOND_US, from_us=FROM_US, **who)


@pytest.mark.parametrize(("count", "named"), [(1_999, False), (2_000, True)])
def test_the_floor_of_a_day_is_reached_and_not_exceeded(count, named):
    assert bool(found(hammers(count, session_token="s"))) is named


def test_a_day_is_the_hospitals_and_two_halves_are_not_one():
    late = operations(1_500, every_us=SECOND_US, from_us=MIDNIGHT_US - 1_500 * SECOND_US, session_token="s")
    early = operations(1_500, every_us=SECOND_US, from_us=MIDNIGHT_US, session_token="s")
    assert not found(late.plus(early))
    assert found(early.plus(operations(600, every_us=SECOND_US, from_us=MIDNIGHT_US + DAY_US // 2, session_token="s")))


def test_a_shared_network_is_not_held_for_the_sessions_behind_it():
    rows = Rows()
    for n in range(200):
        rows = rows.plus(hammers(40, session_token=f"guest{n}", ip=HOSPITAL_WIFI))
    assert not found(rows)


def test_an_address_of_many_browsers_is_divided_among_them():
    rows = Rows()
    for n in range(20):
        rows = rows.plus(hammers(300, ip=HOSPITAL_WIFI, user_agent=f"Phone/{n}"))
    assert not found(rows)
    assert ("ip", "192.0.2.9") in found(hammers(6_000, ip="192.0.2.9", user_agent="curl/8"))


def test_one_address_that_explains_its_network_is_named_in_its_place():
    rows = hammers(6_000, ip="192.0.2.9", user_agent="curl/8").plus(hammers(90, ip="192.0.2.10", user_agent="curl/8"))
    assert set(found(rows)) == {("ip", "192.0.2.9")}


def test_an_ipv6_network_whose_addresses_take_turns_is_named():
    rows = Rows()
    for n in range(30):
        rows = rows.plus(hammers(100, ip=f"2001:db8:7:{n:x}::1", user_agent="curl/8"))
    assert set(found(rows)) == {("prefix", "2001:db8:7::/48")}


def test_whoever_runs_the_networks_is_named_where_a_table_tells():
    rows = Rows()
    for n in range(30):
        rows = rows.plus(hammers(100, ip=f"198.51.{n}.1", user_agent="curl/8"))
    networks = {"prefix": [f"198.51.{n}.0/24" for n in range(30)], "asn": [64_500] * 30, "name": ["rented"] * 30}
    assert not found(rows)
    assert set(found(rows, networks=networks)) == {("prefix", "AS64500")}


def test_where_everybody_is_as_busy_nobody_is_named():
    rows = Rows()
    for n in range(60):
        rows = rows.plus(hammers(2_000 + 10 * n, session_token=f"kiosk{n:02}"))
    assert not found(rows)


def test_evidence_is_the_busiest_day():
    rows = hammers(2_500, session_token="s").plus(
        operations(900, every_us=SECOND_US, from_us=FROM_US + 2 * DAY_US, session_token="s")
    )
    over = tables(hits=rows.hits)
    (one,) = suspicions(told(Hammering(), over))
    assert rows_behind(over, one.wanted[0]) == one.measured == 2_500
    assert one.threshold == Policy().floor
