"""The data of the plots: counted right, and the same in any order of rows and on any number of threads."""

import pytest

from detect.tables import tables, without
from shouhao.detect.model import Subject
from shouhao.detect.report import data
from shouhao.detect.rings.joining import Edge, Rings
from shouhao.kernel.clock import SECOND_US

RELEASE_US = 1_784_847_600_000_000  # 07:00 in Shanghai


def bookings() -> list[dict]:
    """One session of ten gone within a second, one of ten within minutes, one too small to count."""
    rows = []
    for session, step_us, slots in (("hot", 90_000, 10), ("slow", 30 * SECOND_US, 10), ("tiny", 1_000, 3)):
        for n in range(slots):
            base = {
                "kind": "booked",
                "session_id": session,
                "slot_id": f"{session}{n}",
                "released_at_us": RELEASE_US,
                "doctor_id": f"dr_{session}",
            }
            rows.append({**base, "at_us": RELEASE_US + (n + 1) * step_us, "account_id": f"{session}_{n}"})
            rows.append({**base, "at_us": RELEASE_US + 9_000 * SECOND_US, "account_id": "again"})
        rows.append({"kind": "booked", "session_id": session, "slot_id": f"{session}x", "at_us": RELEASE_US})
    return rows


def requests() -> list[dict]:
    """One that asks every five seconds, and fifty who do not."""
    rows = [{"account_id": "metronome", "at_us": RELEASE_US + n * 5 * SECOND_US} for n in range(40)]
    for person in range(50):
        at_us = RELEASE_US
        for n in range(12):
            at_us += (1 + (person * 31 + n * 17) % 97) * SECOND_US
            rows.append({"account_id": f"person_{person}", "at_us": at_us})
    return rows


ASKED = {"f1": (Subject(kind="account", id="metronome"),), "f2": (Subject(kind="account", id="person_3"),)}


def test_the_session_that_went_fastest_stands_first_and_small_ones_do_not_count():
    found = data.hot_sessions(tables(events=bookings()))
    assert [one.session_id for one in found] == ["hot", "slow"]
    hot = found[0]
    assert (hot.slots, hot.half_s, hot.most_s, hot.last_s) == (10, 0.45, 0.81, 0.9)
    assert (hot.doctor_id, hot.released_at_us) == ("dr_hot", RELEASE_US)


def test_a_curve_tells_when_each_slot_was_first_taken():
    (hot,) = data.sell_out_curves(tables(events=bookings()), ["hot"])
    assert hot.taken_s == tuple(pytest.approx(0.09 * n) for n in range(1, 11))
    assert data.sell_out_curves(tables(events=bookings()), ["unknown"]) == ()


def test_a_large_session_is_thinned_and_keeps_its_last_slot():
    rows = [
        {
            "kind": "booked",
            "session_id": "big",
            "slot_id": f"s{n:05}",
            "released_at_us": RELEASE_US,
            "at_us": RELEASE_US + n * 1_000,
        }
        for n in range(1_700)
    ]
    (big,) = data.sell_out_curves(tables(events=rows), ["big"])
    assert 400 <= len(big.taken_s) <= 500
    assert big.taken_s[-1] == 1.699


def test_gaps_of_one_are_held_against_those_of_the_others():
    gaps = data.rhythms(tables(hits=requests()), ASKED)["f1"].gaps
    assert sum(gaps.subject) == 39
    (peak,) = [n for n, count in enumerate(gaps.subject) if count]
    assert gaps.edges[peak] <= 5 * SECOND_US < gaps.edges[peak + 1]
    assert gaps.people == 49
    assert sum(gaps.others) == 49 * 11


def test_who_did_too_little_has_no_rhythm():
    assert set(data.rhythms(tables(hits=requests()), ASKED)) == {"f1"}
    few = [row for row in requests() if row["account_id"] in {"metronome", "person_1"}]
    assert data.rhythms(tables(hits=few), ASKED) == {}


def test_hours_are_those_of_the_hospital():
    hours = data.rhythms(tables(hits=requests()), ASKED)["f1"].hours
    assert hours.subject[7] == 40


def test_a_reaction_is_the_first_try_at_each_session():
    rows = [
        {
            "kind": kind,
            "account_id": who,
            "session_id": f"s{n}",
            "released_at_us": RELEASE_US,
            "at_us": RELEASE_US + delay_us + later_us,
        }
        for who, delay_us in (("sniper", 50_000), *((f"p{n}", 8 * SECOND_US) for n in range(30)))
        for n in range(6)
        for kind, later_us in (("booked", SECOND_US), ("refused", 0))
    ]
    asked = {"f": (Subject(kind="account", id="sniper"),)}
    reactions = data.rhythms(tables(events=rows), asked)["f"].reactions
    assert sum(reactions.subject) == 6
    assert sum(reactions.others) == 30 * 6
    (peak,) = [n for n, count in enumerate(reactions.subject) if count]
    assert reactions.edges[peak] <= 50_000 < reactions.edges[peak + 1]


def test_a_ring_shows_the_rhythm_of_its_accounts():
    ring = {
        "subject": {"kind": "ring", "id": "r"},
        "members": [{"kind": "device", "id": "d"}, {"kind": "account", "id": "b"}, {"kind": "account", "id": "a"}],
    }
    assert [one.id for one in data.subjects_of(ring)] == ["a", "b"]
    assert data.subjects_of({"subject": {"kind": "ring", "id": "r"}, "members": []}) == ()
    assert data.subjects_of({"subject": {"kind": "ip", "id": "1.2.3.4"}}) == (Subject(kind="ip", id="1.2.3.4"),)


@pytest.mark.parametrize("kind", ["prefix", "ip", "device", "patient", "payer", "staff", "session", "ring"])
def test_kinds_that_the_data_do_not_name_are_passed_over(kind):
    assert data.rhythms(tables(hits=requests()), {"f": (Subject(kind=kind, id="x"),)}) == {}


def test_activity_counts_by_minute_of_the_hospitals_day():
    found = data.activity(tables(hits=[{"at_us": RELEASE_US}, {"at_us": RELEASE_US + 86_400 * SECOND_US}]))
    assert (found.of, found.by_minute[7 * 60], sum(found.by_minute)) == ("hits", 2, 2)
    assert data.activity(tables(events=[{"at_us": RELEASE_US}])).of == "events"
    assert data.activity(tables()) is None


def test_each_is_counted_once_however_many_tables_name_it():
    both = tables(hits=[{"account_id": "a"}, {"account_id": "b"}], events=[{"account_id": "b"}, {"account_id": "c"}])
    assert [(one.kind, one.count) for one in data.looked_at(both)] == [("account", 3)]


def test_columns_that_are_missing_leave_out_what_needs_them():
    for column in ("events.released_at_us", "events.session_id", "events.kind"):
        with without(tables(events=bookings()), column) as less:
            assert data.hot_sessions(less) == ()
            assert data.sell_out_curves(less, ["hot"]) == ()


@pytest.mark.parametrize(("seed", "threads"), [(1, 1), (2, 2)])
def test_the_order_of_rows_and_the_number_of_threads_change_nothing(seed, threads):
    plain = tables(hits=requests(), events=bookings())
    mixed = tables(hits=requests(), events=bookings(), shuffled=seed, threads=threads)
    for told in (data.hot_sessions, data.activity, data.looked_at):
        assert told(plain) == told(mixed)
    assert data.rhythms(plain, ASKED) == data.rhythms(mixed, ASKED)
    assert data.sell_out_curves(plain, ["slow", "hot"]) == data.sell_out_curves(mixed, ["slow", "hot"])


def test_a_found_ring_is_drawn_with_what_its_members_share():
    graph = Rings()
    graph.add(Edge(member=Subject(kind="account", id=f"a{n}"), kind="device", value="d1") for n in range(4))
    (ring,) = graph.found()
    told = data.ring_nodes(ring, finding_id="f1")
    assert [node.kind for node in told.nodes] == ["account"] * 4 + ["device"]
    assert sorted(edge.b for edge in told.edges) == [4] * 4
