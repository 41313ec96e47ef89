"""An alarm goes from step to step, each by whom it may; a machine takes none, and no guard is sent unconfirmed."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.kernel.clock import MINUTE_US, SECOND_US
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.watch.alarm import (
    OUTCOMES,
    STATES,
    STEPS,
    Actor,
    Alarm,
    AlarmChanged,
    Asked,
    StepNotYours,
    StepRefused,
    open_steps,
    take,
)
from shouhao.watch.model import Sighting
from shouhao.watch.response import ResponsePolicy, absorbing, clocks, overdue, response_from, step_time

NOW_US = 1_700_000_000_000_000
MONITORING = Actor(id="op_m", roles=frozenset({"monitoring"}))
SECURITY = Actor(id="op_s", roles=frozenset({"security"}))
GUARD = Actor(id="op_g", roles=frozenset({"guard"}))
OTHER_GUARD = Actor(id="op_h", roles=frozenset({"guard"}))
POLICE = Actor(id="op_p", roles=frozenset({"police_liaison"}))
MACHINE = Actor(id="worker", roles=frozenset())
STAFF = (MONITORING, SECURITY, GUARD, OTHER_GUARD, POLICE, MACHINE)


def sighting(**changed: Any) -> Sighting:
    seen = Sighting(
        passage_id="ps_1",
        camera_id="C1",
        place_id="P1",
        entry_id="we_1",
        list_id="own",
        photo_id="ph_1",
        seen_at_us=NOW_US,
        arrived_at_us=NOW_US + SECOND_US,
        similarity_cos=0.62,
        threshold_cos=0.45,
        quality=0.8,
        frames=3,
        pack="sface",
        crop_id="st_1",
        scene_id="st_2",
    )
    return replace(seen, **changed)


def alarm(**changed: Any) -> Alarm:
    raised = Alarm(
        id="al_1",
        best=sighting(),
        state="raised",
        version=1,
        late=False,
        raised_at_us=NOW_US,
        first_seen_at_us=NOW_US,
        last_seen_at_us=NOW_US,
        last_camera_id="C1",
        sightings=1,
    )
    return replace(raised, **changed)


def after(one: Alarm, asked: Asked, actor: Actor, *, at_us: int = NOW_US) -> Alarm:
    """What the store does with a step that was allowed."""
    taken = take(one, asked, actor)
    dispatch: dict[str, Any] = {}
    if asked.step == "dispatched":
        dispatch = {"dispatch_id": f"dp_{one.version}", "guard_id": asked.guard_id}
    elif taken.state not in {"dispatched", "accepted", "arrived"}:
        dispatch = {"dispatch_id": None, "guard_id": None}
    reached = {**one.reached, asked.step: at_us}
    return replace(one, state=taken.state, outcome=taken.outcome, version=one.version + 1, reached=reached, **dispatch)


def walked(*asked: tuple[Asked, Actor]) -> Alarm:
    one = alarm()
    for step, actor in asked:
        one = after(one, replace(step, expected_version=one.version, dispatch_id=one.dispatch_id), actor)
    return one


CONFIRMED = ((Asked(step="acknowledged"), MONITORING), (Asked(step="confirmed"), MONITORING))
SENT = (*CONFIRMED, (Asked(step="dispatched", guard_id="op_g"), MONITORING))
ARRIVED = (*SENT, (Asked(step="accepted"), GUARD), (Asked(step="arrived"), GUARD))


def test_the_case_of_the_hospital_runs_from_raised_to_closed() -> None:
    one = walked(
        *ARRIVED,
        (Asked(step="outcome", outcome="removed"), GUARD),
        (Asked(step="handed_to_police"), POLICE),
        (Asked(step="closed"), SECURITY),
    )
    assert (one.state, one.outcome, one.version) == ("closed", "removed", 9)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_each_outcome_can_be_recorded_and_closed_and_only_two_go_to_the_police(outcome: Any) -> None:
    one = walked(*ARRIVED, (Asked(step="outcome", outcome=outcome), GUARD))
    hand_over = Asked(step="handed_to_police", expected_version=one.version)
    if outcome in {"removed", "warned"}:
        assert take(one, hand_over, POLICE).state == "handed_to_police"
    else:
        with pytest.raises(StepRefused):
            take(one, hand_over, POLICE)
    assert take(one, Asked(step="closed", expected_version=one.version), MONITORING).state == "closed"


def test_a_rejection_says_why_and_is_kept_as_a_pair_that_was_not_one_person() -> None:
    one = walked((Asked(step="acknowledged"), MONITORING))
    with pytest.raises(InvalidInput):
        take(one, Asked(step="rejected", expected_version=2, reason="  "), MONITORING)
    taken = take(one, Asked(step="rejected", expected_version=2, reason="另一个人"), MONITORING)
    assert (taken.state, taken.same_person) == ("rejected", False)


@pytest.mark.parametrize(
    ("outcome", "same"),
    [("removed", True), ("warned", True), ("genuine_visit", True), ("mistaken_identity", False), ("lost", None)],
)
def test_what_the_guard_finds_out_labels_the_pair(outcome: Any, same: bool | None) -> None:
    one = walked(*ARRIVED)
    asked = Asked(step="outcome", outcome=outcome, dispatch_id=one.dispatch_id)
    assert take(one, asked, GUARD).same_person is same


def test_a_rejection_calls_back_a_guard_who_is_on_the_way() -> None:
    one = walked(*SENT)
    taken = take(one, Asked(step="rejected", expected_version=one.version, reason="看错了"), SECURITY)
    assert taken.state == "rejected"


def test_of_two_who_acknowledge_the_second_is_told_that_somebody_was_first() -> None:
    one = walked((Asked(step="acknowledged"), MONITORING))
    with pytest.raises(AlarmChanged) as refused:
        take(one, Asked(step="acknowledged", expected_version=1), SECURITY)
    assert (refused.value.data["state"], refused.value.data["version"]) == ("acknowledged", 2)
    assert refused.value.says("zh") == "报警已被他人处理，请按最新状态重新操作（当前：已接警，版本 2）"


def test_the_centre_must_say_what_it_saw() -> None:
    with pytest.raises(InvalidInput):
        take(alarm(), Asked(step="acknowledged"), MONITORING)


def test_a_guard_acts_on_his_own_dispatch_alone() -> None:
    one = walked(*SENT)
    for asked, actor in (
        (Asked(step="accepted", dispatch_id=one.dispatch_id), OTHER_GUARD),
        (Asked(step="accepted", dispatch_id="dp_of_before"), GUARD),
        (Asked(step="accepted"), GUARD),
        (Asked(step="acknowledged", expected_version=one.version), GUARD),
        (Asked(step="rejected", expected_version=one.version, reason="x"), GUARD),
    ):
        with pytest.raises(StepNotYours):
            take(one, asked, actor)
    assert take(one, Asked(step="accepted", dispatch_id=one.dispatch_id), GUARD).state == "accepted"


def test_security_stands_in_for_a_radio_and_says_so() -> None:
    one = walked(*SENT)
    said = Asked(step="accepted", expected_version=one.version)
    with pytest.raises(InvalidInput):
        take(one, said, SECURITY)
    assert take(one, replace(said, reason="对讲机报告"), SECURITY).state == "accepted"


def test_another_guard_may_be_sent_with_a_reason() -> None:
    one = walked(*SENT)
    again = Asked(step="dispatched", guard_id="op_h", expected_version=one.version)
    with pytest.raises(InvalidInput):
        take(one, again, MONITORING)
    assert take(one, replace(again, reason="无应答"), MONITORING).state == "dispatched"


def test_a_guard_who_declines_gives_the_alarm_back_confirmed() -> None:
    one = walked(*SENT, (Asked(step="declined", reason="正在处理急救"), GUARD))
    assert (one.state, one.guard_id) == ("confirmed", None)


def test_lost_needs_no_guard_and_other_outcomes_do() -> None:
    one = walked(*CONFIRMED)
    lost = Asked(step="outcome", outcome="lost", expected_version=3, reason="监控中已离院")
    assert take(one, lost, MONITORING).state == "outcome"
    with pytest.raises(StepNotYours):
        take(one, Asked(step="outcome", outcome="removed", expected_version=3), MONITORING)


def test_a_late_alarm_is_closed_without_a_guard_and_has_no_clocks() -> None:
    one = replace(walked(*CONFIRMED), late=True)
    assert take(one, Asked(step="closed", expected_version=3), MONITORING).state == "closed"
    assert clocks(one, ResponsePolicy()) == []
    with pytest.raises(StepRefused):
        take(walked(*CONFIRMED), Asked(step="closed", expected_version=3), MONITORING)


steps = st.builds(
    Asked,
    step=st.sampled_from(STEPS),
    expected_version=st.none() | st.integers(1, 30),
    reason=st.sampled_from(["", "理由"]),
    outcome=st.none() | st.sampled_from(OUTCOMES),
    guard_id=st.none() | st.sampled_from(["op_g", "op_h"]),
    dispatch_id=st.none() | st.just("live"),
)


@given(st.lists(st.tuples(steps, st.sampled_from(STAFF), st.booleans()), max_size=40), st.booleans())
def test_whatever_is_tried_no_guard_is_sent_without_a_persons_confirmation(
    tried: list[tuple[Asked, Actor, bool]], late: bool
) -> None:
    one = alarm(late=late)
    confirmed = False
    for asked, actor, right_version in tried:
        version = one.version if right_version else asked.expected_version
        dispatch_id = one.dispatch_id if asked.dispatch_id == "live" else None
        try:
            then = after(one, replace(asked, expected_version=version, dispatch_id=dispatch_id), actor)
        except Refused:
            continue
        assert actor is not MACHINE
        assert actor.roles & {"monitoring", "security", "guard", "police_liaison"}
        confirmed = confirmed or (asked.step == "confirmed" and bool(actor.roles & {"monitoring", "security"}))
        if then.state in {"dispatched", "accepted", "arrived"} or then.dispatch_id is not None:
            assert confirmed
        if then.outcome in {"removed", "warned", "genuine_visit", "mistaken_identity"}:
            assert "arrived" in then.reached, "somebody was there"
        if actor.roles == {"guard"}:
            assert one.guard_id == actor.id
        assert then.version == one.version + 1
        one = then


@given(st.sampled_from(STATES), st.booleans())
def test_no_step_of_any_state_is_open_to_a_machine(state: Any, late: bool) -> None:
    one = alarm(state=state, late=late, dispatch_id="dp", guard_id="op_g", outcome="removed")
    assert open_steps(one, MACHINE) == ()


def test_a_page_offers_what_the_rules_allow() -> None:
    assert open_steps(alarm(), MONITORING) == ("acknowledged",)
    assert open_steps(walked(*SENT), GUARD) == ("declined", "accepted", "outcome")
    assert open_steps(walked(*SENT), OTHER_GUARD) == ()
    assert open_steps(walked(*CONFIRMED), MONITORING) == ("rejected", "dispatched", "outcome")


def test_clocks_run_from_the_moment_that_starts_them_and_stop_when_it_is_done() -> None:
    one = alarm(state="confirmed", reached={"acknowledged": NOW_US + 30 * SECOND_US, "confirmed": NOW_US + MINUTE_US})
    found = {clock.target: clock for clock in clocks(one, ResponsePolicy())}
    assert set(found) == {"acknowledge", "decide", "dispatch", "outcome", "police"}
    assert found["acknowledge"].done_at_us == NOW_US + 30 * SECOND_US
    assert found["outcome"].due_at_us == NOW_US + 20 * MINUTE_US
    assert found["police"].due_at_us == NOW_US + 60 * MINUTE_US
    late = overdue(one, ResponsePolicy(), now_us=NOW_US + 21 * MINUTE_US)
    assert {clock.target for clock in late} == {"dispatch", "outcome"}


def test_after_a_genuine_visit_nobody_waits_for_the_police() -> None:
    one = alarm(state="outcome", outcome="genuine_visit", reached={"outcome": NOW_US})
    assert "police" not in {clock.target for clock in clocks(one, ResponsePolicy())}


def test_a_target_of_nought_has_no_clock() -> None:
    assert clocks(alarm(), response_from({"acknowledge_s": 0, "outcome_s": 0, "police_s": 0})) == []
    for wrong in ({"acknowledge_s": -1}, {"acknowledge_s": True}, {"x": 1}, {"cool_down_s": 7200}):
        with pytest.raises(InvalidInput):
            response_from(wrong)


def test_within_the_cool_down_a_sighting_belongs_to_the_alarm_and_after_it_raises_anew() -> None:
    one, policy = alarm(), ResponsePolicy()
    soon = sighting(passage_id="ps_2", seen_at_us=NOW_US + 599 * SECOND_US)
    assert absorbing([one], soon, policy) is one
    assert absorbing([one], replace(soon, seen_at_us=NOW_US + 601 * SECOND_US), policy) is None
    staying = alarm(last_seen_at_us=NOW_US + 3500 * SECOND_US)
    assert absorbing([staying], replace(soon, seen_at_us=NOW_US + 3599 * SECOND_US), policy) is staying
    assert absorbing([staying], replace(soon, seen_at_us=NOW_US + 3601 * SECOND_US), policy) is None


def test_whoever_was_removed_and_comes_back_is_a_new_alarm() -> None:
    ended = {"outcome": NOW_US + MINUTE_US}
    removed = alarm(state="outcome", outcome="removed", reached=ended, last_seen_at_us=NOW_US + MINUTE_US)
    back = sighting(passage_id="ps_2", seen_at_us=NOW_US + 5 * MINUTE_US)
    assert absorbing([removed], back, ResponsePolicy()) is None
    leaving = replace(back, seen_at_us=NOW_US + 2 * MINUTE_US)
    assert absorbing([removed], leaving, ResponsePolicy()) is removed
    visiting = replace(removed, outcome="genuine_visit")
    assert absorbing([visiting], back, ResponsePolicy()) is visiting


def test_a_fresh_sighting_never_disappears_into_a_late_alarm() -> None:
    late = alarm(late=True)
    fresh = sighting(passage_id="ps_2")
    assert absorbing([late], fresh, ResponsePolicy()) is None
    assert absorbing([late], replace(fresh, late=True), ResponsePolicy()) is late
    assert absorbing([alarm()], replace(fresh, late=True), ResponsePolicy()) is not None


@given(
    said=st.none() | st.integers(-(10**16), 10**16),
    sent=st.none() | st.integers(-(10**16), 10**16),
    before=st.integers(0, 2 * 10**15),
    now=st.integers(0, 2 * 10**15),
)
def test_whatever_a_phone_says_a_step_happened_after_the_one_before_and_not_later_than_now(
    said: int | None, sent: int | None, before: int, now: int
) -> None:
    policy = ResponsePolicy()
    at = step_time(said_at_us=said, sent_at_us=sent, not_before_us=before, policy=policy, now_us=now)
    assert before <= at.at_us <= max(now, before)
    assert at.at_us >= min(now, max(before, now - policy.phone_queue_s * SECOND_US))


def test_a_step_that_waited_keeps_its_time_even_on_a_phone_whose_clock_is_a_day_wrong() -> None:
    day_us = 86_400 * SECOND_US
    for wrong_us in (0, day_us, -day_us):
        at = step_time(
            said_at_us=NOW_US - 4 * MINUTE_US + wrong_us,
            sent_at_us=NOW_US + wrong_us,
            not_before_us=NOW_US - 10 * MINUTE_US,
            policy=ResponsePolicy(),
            now_us=NOW_US,
        )
        assert (at.at_us, at.believed) == (NOW_US - 4 * MINUTE_US, True)
