"""Snipers: quicker than the crowd again and again, at one moment, or unseen."""

import random

from detect.detector_checks import rows_behind, suspicions, told
from detect.examples.snipers import DAYS, snipes
from detect.people import SECOND_US, Rows, honest_week, release_us, session_of
from detect.tables import tables
from shouhao.detect.rules.snipers import Snipers


def asks(account: str, reactions_us: list[int], *, looks: bool = True) -> Rows:
    """One attempt at a release each day, after a look."""
    rows = Rows()
    for day, reaction_us in enumerate(reactions_us):
        released_us = release_us(day)
        if looks:
            look = {"kind": "viewed", "account_id": account, "doctor_id": "dr00"}
            rows.events.append({"at_us": released_us - 60 * SECOND_US, **look})
        rows.events.append(
            {
                "at_us": released_us + reaction_us,
                "released_at_us": released_us,
                "kind": "booked",
                "account_id": account,
                "session_id": session_of("dr00", day),
                "slot_id": f"{account}-{day}",
            }
        )
    return rows


def found(rows: Rows, *, people: int = 2_400):
    over = tables(events=honest_week(people=people).plus(rows).events)
    told_of: dict[str, set[str]] = {}
    for one in suspicions(told(Snipers(), over)):
        told_of.setdefault(one.subject.id, set()).add(one.code)
    return told_of


def test_who_is_there_in_milliseconds_each_day_is_found():
    codes = found(asks("script", [30_000, 45_000, 28_000, 51_000, 39_000]))["script"]
    assert codes & {"snipers.reaction", "snipers.reaction_once"}


def test_one_lucky_moment_is_no_pattern():
    chance = random.Random(3)  # noqa: S311 - a test
    rows = asks("lucky", [900_000, *(chance.randint(2_000_000, 9_000_000) for _ in range(4))])
    assert "lucky" not in found(rows)


def test_the_quickest_people_of_a_crowd_are_people():
    rows = Rows()
    for n in range(30):
        chance = random.Random(n)  # noqa: S311 - a test
        rows = rows.plus(asks(f"quick{n}", [chance.randint(800_000, 2_500_000) for _ in DAYS]))
    assert not {name for name in found(rows) if name.startswith("quick")}


def test_the_same_moment_again_is_found_however_slow_it_is():
    rows = asks("even", [2_500_000, 2_504_000, 2_498_000, 2_507_000, 2_502_000])
    assert "snipers.same_moment" in found(rows)["even"]
    assert "uneven" not in found(asks("uneven", [2_500_000, 3_100_000, 1_900_000, 4_000_000, 2_200_000]))


def test_booking_without_a_look_is_told_where_people_look():
    rows = asks("unseen", [5_000_000, 7_300_000, 3_900_000, 6_100_000, 9_000_000], looks=False)
    assert "snipers.no_browsing" in found(rows).get("unseen", set())


def test_where_no_looks_are_recorded_nobody_is_blamed_for_not_looking():
    rows = honest_week().plus(asks("unseen", [5_000_000, 7_300_000, 3_900_000], looks=False))
    events = [event for event in rows.events if event["kind"] not in {"viewed", "searched"}]
    said = suspicions(told(Snipers(), tables(events=events)))
    assert "snipers.no_browsing" not in {one.code for one in said}


def test_without_a_crowd_nobody_is_quick():
    over = tables(events=asks("script", [30_000, 45_000, 28_000]).events)
    assert not suspicions(told(Snipers(), over))


def test_evidence_is_each_attempt():
    over = tables(events=honest_week().plus(snipes(DAYS)).events)
    one = next(one for one in suspicions(told(Snipers(), over)) if one.subject.id == "fast0")
    assert sum(rows_behind(over, wanted) for wanted in one.wanted) == len(one.wanted) == len(DAYS)
