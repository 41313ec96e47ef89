"""Metronomes: even requests alone are no crime; the full second, endless hours and bookings on the beat are."""

import random

from detect.detector_checks import rows_behind, suspicions, told
from detect.examples.metronomes import keeps_time
from detect.people import HOUR_US, MINUTE_US, SECOND_US, Rows, release_us
from detect.tables import tables
from shouhao.detect.rules.metronomes import Metronomes

FROM_US = release_us(1) - 20 * MINUTE_US


def beats(count: int, *, every_us: int = 5 * SECOND_US, from_us: int = FROM_US + 370_000, jitter: int = 3_000) -> Rows:
    """An account whose page is loaded again and again.

    Args:
        jitter: of a request, µs, at most.
    """
    chance = random.Random(count)  # noqa: S311 - a test
    return Rows(
        hits=[
            {
                "at_us": from_us + n * every_us + chance.randint(0, jitter),
                "path": f"/slots?_={n}",
                "account_id": "a",
            }
            for n in range(count)
        ]
    )


def found(rows: Rows):
    over = tables(hits=rows.hits, events=rows.events)
    return {one.subject.id: one for one in suspicions(told(Metronomes(), over))}


def test_a_page_that_reloads_itself_for_half_an_hour_is_none():
    assert not found(beats(360))


def test_a_tab_that_was_forgotten_for_hours_is_a_lead():
    one = found(beats(4_000))["a"]
    assert one.code == "metronomes.steady"
    assert one.weight < 2
    assert not found(beats(2_100))  # just short of three hours


def test_a_hand_that_taps_for_hours_is_none():
    assert not found(beats(4_000, jitter=4_000_000))


def test_too_few_gaps_say_nothing():
    assert found(keeps_time(31, days=(1, 2, 3)))
    assert not found(keeps_time(12, days=(1,)))


def test_tapping_along_with_a_beat_of_a_second_is_a_hand():
    rows = beats(60, every_us=SECOND_US, from_us=FROM_US, jitter=60_000)
    assert not found(rows)


def test_series_that_begin_on_the_full_second_are_set_by_a_timer():
    on_second, at_random = Rows(), Rows()
    for n in range(8):
        start_us = FROM_US + n * HOUR_US
        on_second = on_second.plus(beats(60, every_us=3 * SECOND_US, from_us=start_us))
        at_random = at_random.plus(beats(60, every_us=3 * SECOND_US, from_us=start_us + 137_000 + n * 101_000))
    assert "a" in found(on_second)
    assert not found(at_random)


def test_a_log_of_whole_seconds_has_no_full_seconds_to_speak_of():
    rows = Rows()
    for n in range(8):
        rows = rows.plus(beats(60, every_us=3 * SECOND_US, from_us=FROM_US + n * HOUR_US, jitter=0))
    assert not found(rows)


def test_bookings_that_follow_the_beat_weigh_and_bookings_in_between_do_not():
    assert found(keeps_time(165))["beats"].code == "metronomes.then_booked"
    late = keeps_time(165)
    for event in late.events:
        event["at_us"] += 1_900_000
    assert found(late).get("beats") is None or found(late)["beats"].code == "metronomes.steady"


def test_a_booking_without_a_release_is_no_booking_at_one():
    rows = keeps_time(165)
    for event in rows.events:
        event["released_at_us"] -= HOUR_US
    assert found(rows).get("beats") is None or found(rows)["beats"].code == "metronomes.steady"


def test_evidence_is_the_stream_from_its_first_beat_to_its_last():
    rows = beats(4_000)
    others = beats(200).hits
    over = tables(hits=[*rows.hits, *({**hit, "account_id": "b"} for hit in others)])
    (one,) = suspicions(told(Metronomes(), over))
    assert (one.wanted[0].from_us, one.wanted[0].until_us) == (rows.hits[0]["at_us"], rows.hits[-1]["at_us"])
    assert rows_behind(over, one.wanted[0]) == 4_000
