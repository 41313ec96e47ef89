"""Four eyes: one asks, another agrees, and what was agreed to happens once."""

import threading

import pytest
from sqlalchemy import select, update

from shouhao.kernel.errors import InvalidInput, NotFound, Tampered
from shouhao.staff.approvals import (
    APPROVAL_KINDS,
    DECIDERS,
    ApprovalEnded,
    DecidedBefore,
    NotApproved,
    SecondPersonNeeded,
    ask,
    decide,
    expire_due,
    find,
    pending,
    search,
    stop,
    use,
    withdraw,
)
from shouhao.staff.model import ROLES, Operator, RoleMissing
from shouhao.staff.tables import approval_decisions, approvals
from shouhao.store.engine import Database
from staff.staffing import NOW, SECOND, events

ASKER = Operator(id="op_asker", name="甲", roles=frozenset({"security", "approver"}))
SECOND_EYES = Operator(id="op_second", name="乙", roles=frozenset({"approver"}))
THIRD_EYES = Operator(id="op_third", name="丙", roles=frozenset({"approver", "security"}))
PAYLOAD = {"entry_id": "we_1", "photos": ["ph_1", "ph_2"], "days": 180}


def asked(db: Database, *, kind="watch_entry", needed=1, lives_s=3600, payload=None, now_us=NOW):
    with db.write() as connection:
        return ask(
            connection,
            kind=kind,
            subject="we_1",
            payload=PAYLOAD if payload is None else payload,
            reason="三次倒号，有笔录",
            operator=ASKER,
            now_us=now_us,
            needed=needed,
            lives_s=lives_s,
        )


def decided(db: Database, approval_id: str, by: Operator = SECOND_EYES, *, approve=True, now_us=NOW, **more):
    with db.write() as connection:
        return decide(connection, approval_id, operator=by, approve=approve, reason="已核对", now_us=now_us, **more)


def used(db: Database, approval_id: str, *, kind="watch_entry", subject="we_1", now_us=NOW):
    with db.write() as connection:
        return use(connection, approval_id, kind=kind, subject=subject, now_us=now_us)


def test_what_was_asked_is_approved_by_another_and_used_once(db):
    wanted = asked(db)
    assert (wanted.state, wanted.payload, len(wanted.payload_sha256)) == ("asked", PAYLOAD, 64)
    agreed = decided(db, wanted.id, payload_sha256=wanted.payload_sha256)
    assert (agreed.state, [d.operator_id for d in agreed.decisions]) == ("approved", ["op_second"])
    taken = used(db, wanted.id)
    assert (taken.state, taken.payload) == ("used", PAYLOAD)
    with pytest.raises(ApprovalEnded) as ended:
        used(db, wanted.id)
    assert ended.value.data["state"] == "used"
    told = events(db, "approval_changed")
    assert [e["detail"]["change"] for e in told] == ["asked", "agreed", "used"]
    assert [e["staff_id"] for e in told] == ["op_asker", "op_second", "op_asker"]
    assert {e["detail"]["payload_sha256"] for e in told} == {wanted.payload_sha256}


def test_nothing_is_used_before_it_is_approved_or_for_something_else(db):
    wanted = asked(db)
    with pytest.raises(NotApproved):
        used(db, wanted.id)
    decided(db, wanted.id)
    for other in ({"kind": "erase"}, {"subject": "we_2"}):
        with pytest.raises(NotApproved):
            used(db, wanted.id, **other)
    with pytest.raises(NotApproved):
        used(db, "ap_none")
    assert used(db, wanted.id).state == "used"


def test_two_have_to_agree_where_two_are_needed(db):
    wanted = asked(db, needed=2)
    assert decided(db, wanted.id).state == "asked"
    with pytest.raises(DecidedBefore):
        decided(db, wanted.id)
    with pytest.raises(NotApproved):
        used(db, wanted.id)
    assert decided(db, wanted.id, THIRD_EYES).state == "approved"


def test_one_refusal_ends_it(db):
    wanted = asked(db, needed=2)
    assert decided(db, wanted.id, approve=False).state == "refused"
    with pytest.raises(ApprovalEnded):
        decided(db, wanted.id, THIRD_EYES)
    with pytest.raises(ApprovalEnded):
        used(db, wanted.id)


def test_each_kind_is_decided_by_its_roles_and_no_others(sqlite_db):
    for kind in APPROVAL_KINDS:
        for role in ROLES:
            wanted = asked(sqlite_db, kind=kind)
            other = Operator(id=f"op_{role}", name="x", roles=frozenset({role}))
            if role in DECIDERS[kind]:
                assert decided(sqlite_db, wanted.id, other).state == "approved"
            else:
                with pytest.raises(RoleMissing):
                    decided(sqlite_db, wanted.id, other)
    assert all("approver" in roles for roles in DECIDERS.values())
    assert not any("auditor" in roles or "administrator" in roles for roles in DECIDERS.values())


def test_time_ends_what_nobody_decided_and_what_nobody_used(db):
    waiting, agreed = asked(db), asked(db)
    decided(db, agreed.id)
    late = NOW + 3600 * SECOND
    assert find_(db, waiting.id).state_at(late - 1) == "asked"
    assert find_(db, waiting.id).state_at(late) == "expired"
    with pytest.raises(ApprovalEnded):
        decided(db, waiting.id, now_us=late)
    with pytest.raises(ApprovalEnded):
        used(db, agreed.id, now_us=late)
    with db.write() as connection:
        assert expire_due(connection, now_us=late - 1) == 0
        assert expire_due(connection, now_us=late) == 2
        assert expire_due(connection, now_us=late) == 0
    assert {find_(db, one.id).state for one in (waiting, agreed)} == {"expired"}


def find_(db: Database, approval_id: str):
    with db.read() as connection:
        return find(connection, approval_id)


def test_who_asked_may_withdraw_until_it_is_used_and_nobody_else(db):
    one, two = asked(db), asked(db)
    decided(db, two.id)
    for wanted in (one, two):
        with pytest.raises(NotFound), db.write() as connection:
            withdraw(connection, wanted.id, operator=SECOND_EYES, reason="误", now_us=NOW)
        with db.write() as connection:
            assert withdraw(connection, wanted.id, operator=ASKER, reason="材料有误", now_us=NOW).state == "withdrawn"
        with pytest.raises(ApprovalEnded):
            used(db, wanted.id)
    with pytest.raises(ApprovalEnded), db.write() as connection:
        withdraw(connection, one.id, operator=ASKER, reason="材料有误", now_us=NOW)


def test_what_waits_is_found_by_kind_and_subject(db):
    first, second = asked(db), asked(db, kind="erase")
    third = asked(db, lives_s=1)
    with db.read() as connection:
        assert [a.id for a in pending(connection, now_us=NOW)] == [first.id, second.id, third.id]
        assert [a.id for a in pending(connection, now_us=NOW + SECOND)] == [first.id, second.id]
        assert [a.id for a in pending(connection, now_us=NOW, kinds={"erase"})] == [second.id]
        assert pending(connection, now_us=NOW, subject="we_2") == []
        assert [a.id for a in search(connection, asked_by="op_asker", limit=2)] == [third.id, second.id]
        with pytest.raises(NotFound):
            find(connection, "ap_none")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1001, "a\x07b"])
def test_nobody_asks_or_decides_without_a_reason(sqlite_db, reason):
    wanted = asked(sqlite_db)
    with pytest.raises(InvalidInput), sqlite_db.write() as connection:
        ask(connection, kind="erase", subject="x", payload={}, reason=reason, operator=ASKER, now_us=NOW)
    with pytest.raises(InvalidInput), sqlite_db.write() as connection:
        decide(connection, wanted.id, operator=SECOND_EYES, approve=True, reason=reason, now_us=NOW)


@pytest.mark.parametrize("payload", [{"x": object()}, {"x": "y" * 300_000}])
def test_a_payload_is_json_of_bounded_size(sqlite_db, payload):
    with pytest.raises(InvalidInput) as refused:
        asked(sqlite_db, payload=payload)
    assert refused.value.field == "payload"


def test_the_order_of_keys_changes_no_sum(sqlite_db):
    one = asked(sqlite_db, payload={"a": 1, "b": {"c": 2, "d": 3}})
    two = asked(sqlite_db, payload={"b": {"d": 3, "c": 2}, "a": 1})
    assert one.payload_sha256 == two.payload_sha256


def at_once(count, act):
    """What became of so many who act at the same moment."""
    ready, outcomes = threading.Barrier(count), []

    def go(number):
        ready.wait()
        try:
            outcomes.append(act(number).state)
        except (ApprovalEnded, DecidedBefore, SecondPersonNeeded) as refused:
            outcomes.append(type(refused).__name__)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def test_of_many_uses_at_once_one_wins(db):
    wanted = asked(db)
    decided(db, wanted.id)
    assert at_once(6, lambda _: used(db, wanted.id)) == ["ApprovalEnded"] * 5 + ["used"]
    assert [e["detail"]["change"] for e in events(db, "approval_changed")].count("used") == 1


def test_many_decisions_at_once_leave_one_state_and_no_voice_twice(db):
    wanted = asked(db, needed=2)
    people = [Operator(id=f"op_{n}", name="x", roles=frozenset({"approver"})) for n in range(6)]
    outcomes = at_once(6, lambda n: decided(db, wanted.id, people[n]))
    assert outcomes == ["ApprovalEnded"] * 4 + ["approved", "asked"]
    other = asked(db, needed=2)
    assert at_once(4, lambda _: decided(db, other.id)) == ["DecidedBefore"] * 3 + ["asked"]


def test_an_agreement_and_a_refusal_at_once_do_not_both_win(db):
    wanted = asked(db)
    outcomes = at_once(2, lambda n: decided(db, wanted.id, (SECOND_EYES, THIRD_EYES)[n], approve=bool(n)))
    assert outcomes in (["ApprovalEnded", "approved"], ["ApprovalEnded", "refused"])


@pytest.mark.parametrize("change", ["payload", "payload_and_sum", "all_sums", "no_decision"])
def test_what_was_swapped_in_the_table_is_not_used(db, change):
    wanted = asked(db)
    decided(db, wanted.id)
    with db.write() as connection:
        if change == "no_decision":
            connection.execute(update(approval_decisions).values(approve=False))
        else:
            values = {"payload": '{"entry_id":"we_9"}'}
            if change != "payload":
                values["payload_sha256"] = "0" * 64
            connection.execute(update(approvals).values(**values))
        if change == "all_sums":
            connection.execute(update(approval_decisions).values(payload_sha256="0" * 64))
    with pytest.raises(Tampered):
        used(db, wanted.id)
    with db.read() as connection:
        assert connection.execute(select(approvals.c.state)).scalar_one() == "approved"


def test_what_can_no_longer_be_done_ends_as_refused_and_says_why(db):
    wanted = asked(db)
    why = InvalidInput("entry_id", zh="已撤下", en="is off the list")
    with pytest.raises(NotApproved), db.write() as connection:
        stop(connection, wanted.id, why, now_us=NOW)
    decided(db, wanted.id)
    with db.write() as connection:
        ended = stop(connection, wanted.id, why, now_us=NOW + SECOND)
    assert (ended.state, ended.stopped.code, ended.stopped.zh) == ("refused", "invalid", "entry_id：已撤下")
    assert [(one.operator_id, one.approve) for one in ended.decisions] == [("op_second", True)], "people's words stand"
    with pytest.raises(ApprovalEnded):
        used(db, wanted.id)
    with pytest.raises(ApprovalEnded), db.write() as connection:
        stop(connection, wanted.id, why, now_us=NOW + SECOND)
