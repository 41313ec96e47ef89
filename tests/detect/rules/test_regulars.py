"""Regulars: who comes to every release and has a reason, and what the measure is learnt from."""

from detect.detector_checks import suspicions, told
from detect.examples.regulars import DAYS, SOON_US, patients, regular, sellers
from detect.people import SECOND_US, Rows, honest_week
from detect.tables import tables
from shouhao.detect.rules.regulars import Regulars


def named(rows, *, people=2_400):
    """Weights by account, with ordinary people around."""
    over = tables(events=honest_week(people=people).plus(rows).events)
    return {one.subject.id: one.weight for one in suspicions(told(Regulars(), over))}


def test_coming_often_or_pressing_at_once_alone_names_nobody():
    often = Rows()
    for n in range(8):
        often = often.plus(regular(f"often{n}", DAYS, after_us=3 * SECOND_US + n * 100_000, number=440 + n))
    assert not {one for one in named(often) if one.startswith("often")}
    soon = Rows()
    for n in range(8):
        soon = soon.plus(regular(f"soon{n}", DAYS[:2], after_us=SOON_US, number=460 + n))
    assert not {one for one in named(soon) if one.startswith("soon")}


def test_the_more_days_the_more_it_weighs_and_never_enough_alone():
    few = regular("few", DAYS[:4], after_us=SOON_US, number=480)
    weights = named(sellers(DAYS).plus(few).plus(patients()))
    assert weights["few"] < weights["seller3"] <= 5


def test_many_sellers_do_not_become_the_measure():
    crowd = Rows()
    for n in range(120):
        crowd = crowd.plus(regular(f"many{n}", DAYS, after_us=SOON_US + n * 2_000, number=500 + n))
    assert len([one for one in named(crowd) if one.startswith("many")]) == 120


def test_among_few_people_nothing_is_said():
    assert not named(sellers(DAYS), people=300)
