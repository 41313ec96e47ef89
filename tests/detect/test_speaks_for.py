"""Speaks for: families, homes, agencies, networks, kiosks, windows, probes and reloading pages are recognised."""

import json

from detect.bookings import all_of, event, slot_of
from detect.detector_checks import as_text
from detect.examples.attendance import visits
from detect.people import (
    CAMPUS_WIFI,
    DAY_US,
    HOSPITAL_WIFI,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    Rows,
    honest_week,
    release_us,
)
from detect.tables import tables, without
from shouhao.detect.model import Speaks, Subject
from shouhao.detect.speaks_for import SpeaksFor

AT_US = release_us(2) + 4 * HOUR_US


def said_of(over):
    detector = SpeaksFor()
    counted = {name: table.to_pyarrow() for name, table in detector.count(over).items()}
    return list(detector.judge(counted))


def codes_of(rows, kind, name):
    said = said_of(tables(hits=rows.hits, events=rows.events))
    return {one.code for one in said if one.subject == Subject(kind=kind, id=name)}


def booked_and_come(account, patients, *, times=1, day=0, known=True, **who):
    """Each patient is bound a month ago, or never; is booked for and comes."""
    rows = Rows()
    for n, patient in enumerate(patients):
        if known:
            rows.events.append(event("patient_bound", AT_US - 30 * DAY_US, {}, account, patient, **who))
        for k in range(times):
            slot = slot_of(f"dr{n % 20:02}", day, 500 + 40 * k + n + sum(account.encode()) % 97 * 400)
            at_us = AT_US + (n + k) * MINUTE_US
            rows.events.append(event("booked", at_us, slot, account, patient, **who))
            rows.events.append(event("checked_in", at_us + 5 * DAY_US, slot, account, patient, channel="kiosk"))
    return rows


def test_a_family_on_one_phone():
    rows = all_of(booked_and_come(f"fam{n}", [f"fam-p{n}"], times=2, device_id="fam-phone") for n in range(3))
    assert "speaks_for.family" in codes_of(rows, "device", "fam-phone")
    assert "speaks_for.family" in codes_of(rows, "account", "fam1")


def test_parents_of_one_child():
    rows = all_of(booked_and_come(name, ["kid"], times=2) for name in ("ma", "pa"))
    assert "speaks_for.family" in codes_of(rows, "patient", "kid")


def test_five_accounts_who_never_come_are_no_family():
    rows = all_of(visits(3, account=f"no{n}" + "y" * n, comes="own", kind="no_show") for n in range(3))
    for row in rows.events:
        if row["kind"] == "booked":
            row["device_id"] = "one-phone"
    assert not codes_of(rows, "device", "one-phone")


def test_a_care_home_is_not_an_agency_for_its_residents_were_known_before():
    home = booked_and_come("home", [f"resident{n}" for n in range(15)])
    agency = booked_and_come("agency", [f"customer{n}" for n in range(15)], known=False)
    assert "speaks_for.care_home" in codes_of(home, "account", "home")
    assert "speaks_for.escort_agency" in codes_of(agency, "account", "agency")


def test_whoever_gives_much_back_is_neither():
    rows = booked_and_come("stock", [f"name{n}" for n in range(15)])
    rows.events += visits(12, account="stock", comes="own", kind="cancelled").events
    assert not codes_of(rows, "account", "stock")


def test_a_ring_that_books_for_people_who_come_may_be_a_home():
    rows = all_of(booked_and_come(f"nurse{n}", [f"resident{n}-{k}" for k in range(4)]) for n in range(4))
    detector, over = SpeaksFor(), tables(events=rows.events)
    counted = {name: table.to_pyarrow() for name, table in detector.count(over).items()}
    ring = {Subject(kind="account", id=f"nurse{n}"): "ring-1" for n in range(4)}
    assert [one.code for one in detector.judge_rings(counted, ring)] == ["speaks_for.care_home"]


def test_many_accounts_that_book_for_strangers_are_no_agency():
    rows = all_of(booked_and_come(f"seat{n}", [f"buyer{n}-{k}" for k in range(4)], known=False) for n in range(4))
    detector, over = SpeaksFor(), tables(events=rows.events)
    counted = {name: table.to_pyarrow() for name, table in detector.count(over).items()}
    assert not list(detector.judge_rings(counted, {Subject(kind="account", id=f"seat{n}"): "ring-1" for n in range(4)}))


def test_a_wifi_that_hundreds_share_and_one_that_a_script_has_to_itself():
    week = honest_week()
    assert "speaks_for.shared_network" in codes_of(week, "ip", HOSPITAL_WIFI)
    path = "/api/doctors/dr00/slots"
    script = [
        {"at_us": AT_US + n * SECOND_US, "path": path, "ip": CAMPUS_WIFI, "device_id": "script"} for n in range(9_000)
    ]
    assert "speaks_for.shared_network" not in codes_of(week.plus(Rows(hits=script)), "ip", CAMPUS_WIFI)


def test_kiosks_and_windows_are_the_houses_own():
    kiosk = all_of(
        booked_and_come(f"k{n}", [f"kp{n}"], device_id="lobby", channel="kiosk", ip="10.9.9.9") for n in range(9)
    )
    window = all_of(booked_and_come(f"w{n}", [f"wp{n}"], device_id="desk", staff_id="nurse") for n in range(9))
    assert codes_of(kiosk, "device", "lobby") == {"speaks_for.kiosk"}
    assert "speaks_for.kiosk" in codes_of(kiosk, "ip", "10.9.9.9")
    assert codes_of(window, "device", "desk") == {"speaks_for.staff_window"}


def test_whom_staff_give_an_extra_slot_is_no_window():
    """The slot was added by staff and its patient checked in at the kiosk; the account is held by somebody else."""
    slot = slot_of("dr05", 1, 70)
    rows = Rows(
        events=[
            event("extra_slot_added", AT_US, slot, "holder", "hp", channel="window", staff_id="clerk", device_id=None),
            event("booked", AT_US + MINUTE_US, slot, "holder", "hp"),
            event("checked_in", AT_US + HOUR_US, slot, "holder", "hp", channel="kiosk", device_id="kiosk1"),
        ]
    )
    assert not codes_of(rows, "account", "holder")
    by_staff = Rows(events=[{**row, "staff_id": "clerk", "channel": "window"} for row in rows.events])
    assert codes_of(by_staff, "account", "holder") == {"speaks_for.staff_window"}


def test_a_probe_knocks_around_the_clock_for_one_thing():
    def knocks(ip, every_us, hours, path="/health", **who):
        count = hours * HOUR_US // every_us
        return Rows(
            hits=[{"at_us": AT_US + n * every_us, "ip": ip, "path": path, "method": "GET", **who} for n in range(count)]
        )

    probe = knocks("198.51.100.1", MINUTE_US, 20)
    watcher = knocks("198.51.100.2", SECOND_US, 1, path="/api/doctors/dr00/slots")
    signed_in = knocks("198.51.100.3", MINUTE_US, 20, session_token="s")
    rows = probe.plus(watcher).plus(signed_in)
    assert "speaks_for.monitoring_probe" in codes_of(rows, "ip", "198.51.100.1")
    assert "speaks_for.monitoring_probe" not in codes_of(rows, "ip", "198.51.100.2")
    assert "speaks_for.monitoring_probe" not in codes_of(rows, "ip", "198.51.100.3")


def test_a_page_that_reloads_itself_books_nothing_and_takes_its_time():
    def reloads(name, every_us, posts):
        common = {"session_token": name, "ip": "192.0.2.7"}
        page = {"path": "/api/doctors/dr01/slots?_=1", "method": "GET", **common}
        hits = [{"at_us": AT_US + n * every_us, **page} for n in range(200)]
        hits += [{"at_us": AT_US + n, "path": "/api/bookings", "method": "POST", **common} for n in range(posts)]
        return Rows(hits=hits)

    rows = all_of(
        [reloads("patient", 5 * SECOND_US, 1), reloads("script", 200_000, 1), reloads("buyer", 5 * SECOND_US, 9)]
    )
    assert codes_of(rows, "session", "patient") == {"speaks_for.auto_refresh"}
    assert not codes_of(rows, "session", "script")
    assert not codes_of(rows, "session", "buyer")


def test_a_new_phone_is_one_after_the_other():
    def on(account, spans):
        return Rows(
            events=[
                event("viewed", AT_US + day * DAY_US, {}, account, "p", device_id=f"{account}-phone{n}")
                for n, days in enumerate(spans)
                for day in days
            ]
        )

    rows = on("moved", [(0, 1), (2, 3)]).plus(on("both", [(0, 3), (1, 2)]))
    assert "speaks_for.new_phone" in codes_of(rows, "account", "moved")
    assert "speaks_for.new_phone" not in codes_of(rows, "account", "both")


def test_it_accuses_nobody_and_takes_weight_off_alone():
    week = honest_week()
    for one in said_of(tables(hits=week.hits, events=week.events)):
        assert isinstance(one, Speaks)
        assert one.weight < 0
        assert one.says.zh
        assert one.says.en


def test_any_column_may_be_missing():
    week = honest_week(people=200)
    whole = tables(hits=week.hits, events=week.events)
    for column in sorted(whole.has - {"hits.at_us", "events.at_us", "events.kind", "events.event_id"}):
        with without(whole, column) as less:
            said_of(less)
    assert not said_of(tables())


def test_it_says_the_same_in_any_order():
    week = honest_week(people=200)
    first = as_text(said_of(tables(hits=week.hits, events=week.events)))
    again = as_text(said_of(tables(hits=week.hits, events=week.events, shuffled=5, threads=1)))
    assert json.dumps(first) == json.dumps(again)
