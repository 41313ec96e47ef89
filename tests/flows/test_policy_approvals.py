"""Changes of policies: what one asks for is fixed, another agrees to it, and it holds in that moment or not at all."""

import msgspec
import pytest

from flows.drawing import CLOSES, DRAW, look, seconds, set_release
from hospital import NOW_US, add_department, add_session, dump, events, rows
from shouhao.booking.release.policy import INHERIT, release_body, release_from
from shouhao.booking.release.policy_changes import ReleaseWindowOpen
from shouhao.booking.store.release_policies import policies_in_force
from shouhao.flows.policy_approvals import (
    Terms,
    approvals_of,
    ask_other,
    ask_release,
    ask_retire,
    ask_roll_back,
    carry_out,
    pending,
    ruling,
    stopped_lately,
)
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.staff import approvals
from shouhao.staff.model import Operator
from shouhao.store.policies import policies

OFFICE = Operator(id="op_office", name="甲", roles=frozenset({"outpatient_office"}))
APPROVER = Operator(id="op_approver", name="乙", roles=frozenset({"approver"}))
HALF = {"kind": "mixed", "mixed": {"parts": {"draw": "50%", "window": 2}}}
FIRST_COME = {"kind": "first_come"}
ASKED_TRACES = ("approvals", "approval_decisions", "events", "answers")


def terms(at=None, reason="试行抽签"):
    return Terms(operator=OFFICE, reason=reason, effective_at_us=at)


def asked(db, body, *, scope="everywhere", at=None, now_us=NOW_US):
    with db.write() as connection:
        return ask_release(connection, scope=scope, body=body, terms=terms(at), now_us=now_us)


def agreed(db, approval, *, now_us=NOW_US, approve=True):
    with db.write() as connection:
        decided = approvals.decide(
            connection, approval.id, operator=APPROVER, approve=approve, reason="同意", now_us=now_us
        )
        return carry_out(connection, decided, now_us=now_us)


def versions(db):
    return [(row["kind"], row["version"], row["staff_id"]) for row in rows(db, policies)]


def test_nothing_changes_before_another_agrees_and_then_it_holds(db):
    before = dump(db, without=ASKED_TRACES)
    wanted = asked(db, DRAW)
    assert dump(db, without=ASKED_TRACES) == before
    with db.read() as connection:
        assert [one.id for one in pending(connection, now_us=NOW_US)] == [wanted.id]
    done = agreed(db, wanted)
    assert (done.state, done.stopped) == ("used", None)
    assert versions(db) == [("release:everywhere", 1, "op_office")]
    with db.read() as connection:
        in_force = policies_in_force(connection, now_us=NOW_US)["release:everywhere"]
        assert (in_force.policy.kind, in_force.version) == ("draw", 1)
        assert pending(connection, now_us=NOW_US) == []
        assert approvals_of(connection, "release:everywhere")[1].id == wanted.id
    (changed,) = events(db, "policy_changed")
    assert (changed["staff_id"], msgspec.json.decode(changed["detail"])["approval_id"]) == ("op_office", wanted.id)


def test_what_is_asked_for_is_fixed_whole_with_what_holds_now(db):
    add_department(db)
    set_release(db, FIRST_COME)
    wanted = asked(db, DRAW, scope="department:OBS", at=NOW_US + DAY_US)
    told = wanted.payload
    assert told["body"] == release_body(release_from(DRAW))
    assert (told["kind"], told["effective_at_us"], told["base_version"]) == (
        "release:department:OBS",
        NOW_US + DAY_US,
        0,
    )
    assert (told["before"]["kind"], told["before"]["version"]) == ("release:everywhere", 1)
    assert told["changes"] == [{"field": "kind", "before": "first_come", "after": "draw"}]


def test_a_refusal_changes_nothing_and_is_remembered(db):
    wanted = asked(db, DRAW)
    assert agreed(db, wanted, approve=False).state == "refused"
    assert versions(db) == []
    with db.read() as connection:
        (nothing,) = stopped_lately(connection, "release:everywhere")
    assert (nothing.id, nothing.stopped) == (wanted.id, None)


def test_of_two_changes_written_against_the_same_version_only_the_first_is_made(db):
    first, second = asked(db, DRAW), asked(db, HALF)
    assert agreed(db, second).state == "used"
    ended = agreed(db, first)
    assert (ended.state, ended.stopped.code) == ("refused", "policy.changed_meanwhile")
    assert "第 1 版" in ended.stopped.zh
    assert [one.approve for one in ended.decisions] == [True], "a person agreed, and the record says so"
    assert versions(db) == [("release:everywhere", 1, "op_office")]
    told = [msgspec.json.decode(event["detail"])["change"] for event in events(db, "approval_changed")]
    assert told == ["asked", "asked", "agreed", "used", "agreed", "stopped"]


def test_a_moment_that_has_passed_or_fell_into_a_window_meanwhile_changes_nothing(db):
    late = asked(db, DRAW, at=NOW_US + seconds(60))
    ended = agreed(db, late, now_us=NOW_US + seconds(61))
    assert (ended.state, ended.stopped.code) == ("refused", "policy.moment_passed")
    add_department(db)
    release_at_us = CLOSES + DAY_US
    into = asked(db, FIRST_COME, scope="department:OBS", at=release_at_us - seconds(60))
    set_release(db, DRAW)
    add_session(db, state="planned", release_at_us=release_at_us)  # planned after it was asked, with a window
    ended = agreed(db, into)
    assert (ended.state, ended.stopped.code) == ("refused", "booking.release_window_open")
    assert [kind for kind, _, staff in versions(db) if staff == "op_office"] == []


def test_what_could_not_be_added_now_is_not_asked_for(db):
    add_department(db)
    add_session(db, seats=2, state="planned", release_at_us=CLOSES)
    set_release(db, DRAW)
    before = dump(db)
    with pytest.raises(InvalidInput) as refusal:
        asked(db, {"kind": "draw", "draw": {"wishes_max": 0}})
    assert refusal.value.field == "draw.wishes_max"
    with pytest.raises(InvalidInput):
        asked(db, DRAW, at=NOW_US - 1)
    with pytest.raises(NotFound):
        asked(db, DRAW, scope="department:NONE")
    look(db, CLOSES - seconds(120))
    after_opening = dump(db)
    with pytest.raises(ReleaseWindowOpen):
        asked(db, FIRST_COME, now_us=CLOSES - seconds(60))
    assert dump(db) == after_opening
    assert before["policies"] == after_opening["policies"]


def test_rolling_back_and_retiring_are_asked_for_too(db):
    add_department(db)
    agreed(db, asked(db, DRAW, scope="department:OBS"))
    agreed(db, asked(db, HALF, scope="department:OBS"))
    with db.write() as connection:
        back = ask_roll_back(connection, scope="department:OBS", version=1, terms=terms(), now_us=NOW_US)
    assert (back.payload["what"], back.payload["of_version"]) == ("roll_back", 1)
    assert agreed(db, back).state == "used"
    with db.write() as connection:
        end = ask_retire(connection, scope="department:OBS", terms=terms(), now_us=NOW_US)
    assert (end.payload["body"], end.payload["follows"]["version"]) == (INHERIT, 0)
    assert {"field": "kind", "before": "draw", "after": "first_come"} in end.payload["changes"]
    assert agreed(db, end).state == "used"
    assert [version for _, version, _ in versions(db)] == [1, 2, 3, 4]
    with pytest.raises(NotFound), db.write() as connection:
        ask_retire(connection, scope="department:OBS", terms=terms(), now_us=NOW_US)


@pytest.mark.parametrize(
    ("kind", "body", "field", "value"),
    [
        ("booking_limits", {"live_per_day": 2}, "live_per_week", 5),
        ("binding", {"max_patients_per_account": 4}, "newborn_under_years", 1),
        ("antenatal", {"places": {"default": 10, "yearly": 120}}, "confirm_days", 14),
    ],
)
def test_limits_binding_and_antenatal_go_the_same_way(db, kind, body, field, value):
    with db.write() as connection:
        wanted = ask_other(connection, kind=kind, body=body, terms=terms(), now_us=NOW_US)
    assert versions(db) == []
    assert wanted.payload["body"][field] == value, "defaults are written down"
    assert agreed(db, wanted).state == "used"
    assert versions(db) == [(kind, 1, "op_office")]
    with db.read() as connection:
        assert ruling(connection, kind, now_us=NOW_US)["version"] == 1
        assert [one.id for one in pending(connection, now_us=NOW_US, kinds=(kind,))] == []


def test_who_rules_is_the_narrowest_and_a_kind_cuts_across(db):
    add_department(db)
    set_release(db, FIRST_COME)
    set_release(db, DRAW, "kind:expert")
    with db.read() as connection:
        doctor = ruling(connection, "release:doctor:D1", now_us=NOW_US)
    assert (doctor["kind"], doctor["also"]) == ("release:everywhere", ["release:kind:expert"])
    set_release(db, HALF, "department:OBS")
    with db.read() as connection:
        doctor = ruling(connection, "release:doctor:D1", now_us=NOW_US)
        without = ruling(connection, "release:department:OBS", now_us=NOW_US, own=False)
    assert (doctor["kind"], doctor["also"]) == ("release:department:OBS", [])
    assert without["kind"] == "release:everywhere"


def test_another_kind_of_approval_is_left_as_it_is(db):
    with db.write() as connection:
        other = approvals.ask(
            connection,
            kind="policy",
            subject="wl_1",
            payload={"act": "list_change"},
            reason="名单",
            operator=OFFICE,
            now_us=NOW_US,
        )
    assert agreed(db, other).state == "approved"
    assert versions(db) == []
