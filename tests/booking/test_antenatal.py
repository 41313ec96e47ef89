"""Antenatal places: the policy is read strictly, dates must be able to be true, and no place is lost or given twice."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.booking.antenatal import (
    Pregnancy,
    check_gestation,
    check_woman,
    draw_secret,
    entry_of,
    expected_due_day,
    turn_of_place,
    turn_within_day,
)
from shouhao.booking.release.antenatal import (
    TIERS,
    AntenatalPolicy,
    Lending,
    Waiting,
    add_months,
    allot,
    antenatal_body,
    antenatal_from,
    carry,
    check_month,
    lent_now,
    month_of,
    months_to_publish,
    next_for,
    next_lending_us,
    split,
)
from shouhao.kernel.clock import DAY_US, day_of, start_of_day_us
from shouhao.kernel.errors import InvalidInput

TODAY = date(2026, 11, 2)
KEY = b"k" * 32
tiers = st.sampled_from(TIERS)
counts = st.dictionaries(tiers, st.integers(0, 6))
women = st.lists(
    st.builds(
        Waiting,
        id=st.uuids().map(str),
        tier=tiers,
        turn=st.tuples(st.integers(0, 1), st.integers(0, 3), st.text("0123456789abcdef", min_size=1, max_size=4)),
    ),
    max_size=25,
    unique_by=lambda one: one.id,
)
lendings = st.dictionaries(tiers, st.frozensets(tiers, max_size=3), max_size=3).map(
    lambda rules: {tier: to - {tier} for tier, to in rules.items()}
)


@st.composite
def shares(draw):
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=4, max_size=4)))
    return dict(zip(TIERS, (b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True)), strict=True))


def due_in(days: int, **more) -> Pregnancy:
    return Pregnancy(source="ultrasound", due_day=TODAY + timedelta(days=days), **more)


# Places


@given(places=st.integers(0, 5000), shared=shares())
def test_tiers_share_all_places_and_no_more(places, shared):
    got = split(places, shared)
    assert sum(got.values()) == places
    for tier, count in got.items():
        assert abs(count - places * shared[tier] / 100) < 1
    assert all(shared[tier] for tier, count in got.items() if count)


@given(free=counts, waiting=women, lent=lendings)
def test_no_place_stays_empty_while_an_entitled_woman_waits(free, waiting, lent):
    given_ = allot(free, waiting, lent=lent)
    served = {one.id for one in given_}
    for tier in TIERS:
        used = sum(one.tier == tier for one in given_)
        assert used <= free.get(tier, 0)
        if used < free.get(tier, 0):
            entitled = {tier} | lent.get(tier, frozenset())
            assert not [one for one in waiting if one.id not in served and one.tier in entitled]


@given(free=counts, waiting=women, lent=lendings)
def test_a_place_goes_to_its_own_tier_or_where_a_rule_lends_it_and_once(free, waiting, lent):
    tier_of = {one.id: one.tier for one in waiting}
    given_ = allot(free, waiting, lent=lent)
    assert len({one.id for one in given_}) == len(given_)
    for one in given_:
        assert tier_of[one.id] == one.tier or tier_of[one.id] in lent[one.tier]


@given(free=counts, waiting=women)
def test_within_a_tier_nobody_is_passed_over(free, waiting):
    served = {one.id for one in allot(free, waiting, lent={})}
    for tier in TIERS:
        turns = [(one.turn, one.id in served) for one in waiting if one.tier == tier]
        last = max((turn for turn, got in turns if got), default=None)
        assert last is None or all(got or turn >= last for turn, got in turns)


@given(free=counts, waiting=women, lent=lendings, order=st.randoms(use_true_random=False))
def test_the_order_in_which_women_are_looked_at_changes_nothing(free, waiting, lent, order):
    apart = [replace(one, turn=(*one.turn[:2], one.id)) for one in waiting]
    shuffled = list(apart)
    order.shuffle(shuffled)
    assert allot(free, apart, lent=lent) == allot(free, shuffled, lent=lent)


def test_a_tier_serves_its_own_before_it_lends_and_lends_nothing_without_a_rule():
    green = Waiting(id="green", tier="green", turn=(1, 0, "0"))
    red = Waiting(id="red", tier="red", turn=(1, 0, "9"))
    assert next_for("red", [green, red], lent_to=frozenset({"green"})) == red
    assert next_for("red", [green], lent_to=frozenset({"green"})) == green
    assert next_for("red", [green]) is None
    assert allot({"green": 1}, [red], lent={"red": frozenset({"green"})}) == []


@given(own=st.lists(counts, min_size=1, max_size=8), taken=st.lists(counts, min_size=8, max_size=8))
def test_carrying_places_forward_keeps_their_sum(own, taken):
    carried: dict[str, int] = {}
    kept = 0
    for month, wanted in zip(own, taken, strict=False):
        has = {tier: month.get(tier, 0) + carried.get(tier, 0) for tier in TIERS}
        held = {tier: min(has[tier], wanted.get(tier, 0)) for tier in TIERS}
        moved = carry({tier: has[tier] - held[tier] for tier in TIERS})
        assert moved.dropped == {}
        kept += sum(held.values())
        carried = dict(moved.on)
    assert kept + sum(carried.values()) == sum(sum(month.values()) for month in own)


@given(unfilled=counts, room=st.integers(-3, 20))
def test_a_new_year_takes_no_more_than_its_room_and_nothing_vanishes(unfilled, room):
    moved = carry(unfilled, room=room)
    assert sum(moved.on.values()) == min(max(room, 0), sum(unfilled.values()))
    for tier in TIERS:
        assert moved.on.get(tier, 0) + moved.dropped.get(tier, 0) == unfilled.get(tier, 0)


def test_a_new_year_takes_the_graver_tiers_first():
    moved = carry({"green": 2, "red": 2}, room=3)
    assert (moved.on, moved.dropped) == ({"red": 2, "green": 1}, {"green": 1})


def test_lending_begins_at_its_day_and_is_woken_up_for():
    rules = (
        Lending(tier="red", to=("orange",), days_before_close=14),
        Lending(tier="red", to=("yellow",), days_before_close=7),
    )
    closes = 100 * DAY_US
    assert lent_now(rules, closes_at_us=closes, now_us=86 * DAY_US - 1) == {}
    assert lent_now(rules, closes_at_us=closes, now_us=86 * DAY_US) == {"red": {"orange"}}
    assert lent_now(rules, closes_at_us=closes, now_us=93 * DAY_US) == {"red": {"orange", "yellow"}}
    assert next_lending_us(rules, closes_at_us=closes, now_us=0) == 86 * DAY_US
    assert next_lending_us(rules, closes_at_us=closes, now_us=86 * DAY_US) == 93 * DAY_US
    assert next_lending_us(rules, closes_at_us=closes, now_us=93 * DAY_US) is None


# The policy


def test_a_policy_says_the_same_after_it_was_written_and_read():
    policy = AntenatalPolicy(
        default_places=250,
        places={"2027-06": 300},
        yearly_places=3050,
        tiers={"green": 70, "yellow": 30},
        lending=(Lending(tier="yellow", to=("green",), days_before_close=14),),
        confirm_days=7,
    )
    assert antenatal_from(antenatal_body(policy)) == policy


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"place": {}}, "place"),
        ({"places": []}, "places"),
        ({"places": {"default": -1}}, "places.default"),
        ({"places": {"default": 1.5}}, "places.default"),
        ({"places": {"default": True}}, "places.default"),
        ({"places": {"months": {"2027-13": 1}, "yearly": 9}}, "places.months"),
        ({"places": {"months": {"2027-6": 1}, "yearly": 9}}, "places.months"),
        ({"places": {"months": {"2027-06": "1"}, "yearly": 9}}, "places.months.2027-06"),
        ({"places": {"default": 10, "yearly": 119}}, "places.yearly"),
        ({"places": {"default": 10, "yearly": 120, "months": {"2027-06": 11}}}, "places.yearly"),
        ({"publish": {"day": 29}}, "publish.day"),
        ({"publish": {"minute": 1440}}, "publish.minute"),
        ({"publish": {"hour": 8}}, "publish.hour"),
        ({"publish": {"months_before": 3}, "close_months_before": 3}, "close_months_before"),
        ({"apply_window_s": 59}, "apply_window_s"),
        ({"tiers": {"green": 99}}, "tiers"),
        ({"tiers": {"green": 101}}, "tiers.green"),
        ({"tiers": {"blue": 100}}, "tiers.blue"),
        ({"lending": {}}, "lending"),
        ({"lending": [[]]}, "lending[0]"),
        ({"lending": [{"from": "blue", "to": ["green"], "days_before_close": 1}]}, "lending[0].from"),
        ({"lending": [{"from": "red", "to": [], "days_before_close": 1}]}, "lending[0].to"),
        ({"lending": [{"from": "red", "to": ["red"], "days_before_close": 1}]}, "lending[0].to"),
        ({"lending": [{"from": "red", "to": ["green"]}]}, "lending[0].days_before_close"),
        ({"lending": [{"from": "red", "to": ["green"], "days_before_close": 1, "x": 1}]}, "lending[0].x"),
        ({"gestation_weeks": {"from": 21, "to": 20}}, "gestation_weeks.to"),
        ({"confirm_days": 0}, "confirm_days"),
    ],
)
def test_a_policy_that_cannot_be_meant_names_its_field(body, field):
    with pytest.raises(InvalidInput) as refused:
        antenatal_from(body)
    assert refused.value.field == field


def test_a_month_is_published_between_its_moment_and_its_close():
    policy = antenatal_from({"places": {"default": 1, "yearly": 12}})
    opens = policy.for_month("2027-06").opens_at_us
    assert day_of(opens) == date(2026, 11, 1)
    named = lambda now_us: [r.month for r in months_to_publish(policy, now_us=now_us, today=day_of(now_us))]  # noqa: E731
    assert "2027-06" not in named(opens - 1)
    assert named(opens)[-1] == "2027-06"
    closes = policy.for_month("2027-06").closes_at_us
    assert day_of(closes) == date(2027, 3, 1)
    assert "2027-06" in named(closes - 4 * DAY_US)
    assert "2027-06" not in named(closes - 3 * DAY_US)


def test_months_count_over_the_years_end():
    assert add_months("2026-11", 14) == "2028-01"
    assert month_of(date(2027, 1, 31)) == "2027-01"
    for month in ("2027", "2027-00", "27-01", "2027-1", "2027-01-01", "", "2027-W1", "\uff12027-01"):
        with pytest.raises(InvalidInput):
            check_month("month", month)


# Dates


def test_the_due_day_follows_from_the_last_menstrual_period():
    assert expected_due_day(Pregnancy(source="lmp", lmp_day=date(2026, 9, 1)), today=TODAY) == date(2027, 6, 8)


@pytest.mark.parametrize(("source", "apart"), [("lmp", 7), ("ultrasound", 14)])
def test_both_dates_must_agree_within_what_their_source_allows(source, apart):
    lmp = date(2026, 9, 1)
    for days in (-apart, 0, apart):
        due = lmp + timedelta(days=280 + days)
        assert expected_due_day(Pregnancy(source=source, lmp_day=lmp, due_day=due), today=TODAY) == due
    for days in (-apart - 1, apart + 1):
        due = lmp + timedelta(days=280 + days)
        with pytest.raises(InvalidInput) as refused:
            expected_due_day(Pregnancy(source=source, lmp_day=lmp, due_day=due), today=TODAY)
        assert refused.value.field == "due_day"


@given(lmp=st.none() | st.dates(), due=st.none() | st.dates(), source=st.sampled_from(["lmp", "ultrasound", "x"]))
def test_whatever_is_stated_gives_a_day_that_can_be_or_names_a_field(lmp, due, source):
    try:
        day = expected_due_day(Pregnancy(source=source, lmp_day=lmp, due_day=due), today=TODAY)
    except InvalidInput as refused:
        assert refused.field in {"lmp_day", "due_day", "source"}  # noqa: PT017 - either outcome is right
    else:
        assert TODAY <= day <= TODAY + timedelta(days=294)


def test_applications_are_taken_in_the_policys_weeks_only():
    rules = AntenatalPolicy().for_month("2027-06")
    for weeks, fits in ((4, False), (5, True), (20, True), (21, False)):
        for day in (0, 6):
            stated = due_in(280 - weeks * 7 - day)
            if fits:
                check_gestation(stated, stated.due_day, rules=rules, today=TODAY)
            else:
                with pytest.raises(InvalidInput, match="invalid"):
                    check_gestation(stated, stated.due_day, rules=rules, today=TODAY)


@pytest.mark.parametrize(
    ("sex", "born", "fits"),
    [
        ("female", date(1990, 1, 1), True),
        (None, date(1990, 1, 1), True),
        ("male", date(1990, 1, 1), False),
        ("female", TODAY.replace(year=TODAY.year - 14), True),
        ("female", TODAY.replace(year=TODAY.year - 14) + timedelta(days=1), False),
        ("female", TODAY.replace(year=TODAY.year - 61) + timedelta(days=1), True),
        ("female", TODAY.replace(year=TODAY.year - 61), False),
    ],
)
def test_the_person_on_record_must_be_able_to_be_pregnant(sex, born, fits):
    if fits:
        check_woman(sex=sex, birth_day=born, today=TODAY)
    else:
        with pytest.raises(InvalidInput) as refused:
            check_woman(sex=sex, birth_day=born, today=TODAY)
        assert refused.value.field == "patient_id"


# The order


def test_applying_again_gives_the_same_entry_and_the_next_month_another():
    assert entry_of(KEY, draw_id="a", patient_id="p") == entry_of(KEY, draw_id="a", patient_id="p")
    made = {entry_of(KEY, draw_id=d, patient_id=p) for d in ("a", "b") for p in ("p", "q")}
    assert len(made) == 4
    assert draw_secret(KEY, "a") != draw_secret(KEY, "b")


def test_the_order_within_a_day_is_drawn_anew_each_day():
    entries = [entry_of(KEY, draw_id="a", patient_id=f"p{n}") for n in range(50)]
    day = start_of_day_us(TODAY)
    orders = [
        sorted(entries, key=lambda entry, end=end: turn_within_day(KEY, draw_id="a", day_end_us=end, entry=entry))
        for end in (day, day + DAY_US)
    ]
    assert orders[0] != orders[1]
    assert entries not in orders


@given(st.integers(1, 99_999_998))
def test_drawn_places_sort_as_numbers(place):
    assert turn_of_place(place) < turn_of_place(place + 1)
