"""Rotation: ever new networks within an hour, and fleets of addresses that keep one pace."""

import pytest

from detect.detector_checks import rows_behind, suspicions, told
from detect.examples.rotation import FROM_US, STALE, keeps_one_pace
from detect.people import HOUR_US, MINUTE_US, SECOND_US, Rows, honest_week
from detect.tables import tables
from shouhao.detect.rules.rotation import Policy, Rotation


def roams(addresses: list[str], *, every_us: int = MINUTE_US, who: str = "s") -> Rows:
    """One session that asks from each address in turn."""
    return Rows(
        hits=[
            {"at_us": FROM_US + n * every_us, "path": "/a", "session_token": who, "ip": ip}
            for n, ip in enumerate(addresses)
        ]
    )


def found(rows: Rows):
    over = tables(hits=rows.hits, events=rows.events)
    return {(one.subject.id, one.code): one for one in suspicions(told(Rotation(), over))}


@pytest.mark.parametrize(("networks", "named"), [(7, False), (8, True)])
def test_the_limit_of_networks_within_an_hour_is_reached_and_not_exceeded(networks, named):
    assert bool(found(roams([f"198.51.{n}.7" for n in range(networks)]))) is named


@pytest.mark.parametrize(("every_us", "named"), [(HOUR_US // 8, True), (HOUR_US // 7 + 1, False)])
def test_the_hour_is_any_hour_and_no_longer_than_one(every_us, named):
    assert bool(found(roams([f"198.51.{n}.7" for n in range(8)], every_us=every_us))) is named


def test_a_phone_that_goes_to_and_fro_between_two_networks_is_no_rotation():
    assert not found(roams(["198.51.1.7", "198.51.2.7"] * 200, every_us=10 * SECOND_US))


def test_many_addresses_of_one_network_are_a_carriers():
    assert not found(roams([f"198.51.100.{n}" for n in range(1, 200)]))
    assert not found(roams([f"2001:db8:1:{n:x}::9" for n in range(100)]))


def test_ipv6_counts_by_the_48_bits_that_are_handed_out_at_once():
    assert found(roams([f"2001:db8:{n:x}::9" for n in range(8)]))


def test_a_shared_wifi_is_no_session_on_many_networks():
    rows = Rows(
        hits=[
            {"at_us": FROM_US + n * SECOND_US, "path": "/a", "session_token": f"guest{n}", "ip": "203.0.113.9"}
            for n in range(400)
        ]
    )
    assert not found(rows)


def test_an_address_that_is_none_is_no_network():
    assert not found(roams([f"unknown-{n}" for n in range(50)]))


def test_evidence_is_the_hour_of_the_most_networks():
    quiet = roams(["198.51.1.7"] * 10)
    rows = roams([f"198.51.{n}.7" for n in range(10, 40)])
    for hit in rows.hits:
        hit["at_us"] += 3 * HOUR_US
    over = tables(hits=quiet.plus(rows).hits)
    (one,) = suspicions(told(Rotation(), over))
    assert (one.measured, one.threshold) == (30.0, float(Policy().networks))
    assert rows_behind(over, one.wanted[0]) == 30


def test_proxies_that_keep_one_pace_are_found_among_people_and_six_of_them_are_not():
    crowd = honest_week(people=600)
    assert any(code == "rotation.one_pace" for _, code in found(crowd.plus(keeps_one_pace(40))))
    assert not found(crowd.plus(keeps_one_pace(6)))


def test_as_many_people_with_one_old_phone_keep_no_pace():
    rows = Rows(
        hits=[
            {
                "at_us": FROM_US + (n * 7_919_777_777) % (40 * MINUTE_US),
                "path": "/api/doctors/dr00/slots",
                "ip": f"{50 + n % 40}.9.{n % 40}.1",
                "user_agent": STALE,
            }
            for n in range(600)
        ]
    )
    assert not found(honest_week(people=600).plus(rows))
