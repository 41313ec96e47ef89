"""Watchlist ends: appeals, reviews, longer terms, and how an entry ends: by term, by people, on request.

What favours the listed person one person may do at once; what does not, two others approve. Whatever ends an entry
erases its key, so that name, photographs, documents and templates are gone from every copy; the row that stays names
nobody.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy import Connection

from shouhao.compliance.store import require_on
from shouhao.faces import store as faces
from shouhao.flows.watch_desk import WatchDesk, context
from shouhao.flows.watchlist import APPROVERS, REASON_MOST, agreed, checked_text, erase_faces
from shouhao.kernel.errors import Refused
from shouhao.staff import approvals
from shouhao.staff.model import Operator
from shouhao.watch.store import asks, close_pairs
from shouhao.watch.store import watchlist as store
from shouhao.watch.watchlist import Entry, WrongState, term_us

_AT_ONCE = 50

_log = structlog.get_logger()


class AppealOpen(Refused):
    """There is an appeal already."""

    code = "watch.appeal_open"
    zh = "该条目已有申诉在处理"
    en = "An appeal is open already"


class NoAppeal(Refused):
    """There is no appeal to decide."""

    code = "watch.no_appeal"
    zh = "该条目没有待处理的申诉"
    en = "There is no appeal to decide"


class AskedBefore(Refused):
    """The same is waited for already."""

    code = "watch.asked_before"
    zh = "同一申请已在审批中：{approval_id}"
    en = "The same waits for approval already: {approval_id}"


def appeal(
    desk: WatchDesk, connection: Connection, entry_id: str, *, text: str, operator: Operator, now_us: int
) -> Entry:
    """The person, or somebody for them, objects: nobody looks for them until it is decided.

    Raises:
        AppealOpen: there is one already.
        WrongState: the entry is not listed.
    """
    said = checked_text(text, "text", REASON_MOST)
    if store.entry_of(connection, entry_id, lock=True).appeal == "open":
        raise AppealOpen("entry_id")
    sealed = _sealed_reason(desk, entry_id, said)
    after = store.move(
        connection,
        entry_id,
        "suspend",
        now_us=now_us,
        staff_id=operator.id,
        sealed_reason=sealed,
        appeal="open",
        appealed_at_us=now_us,
    )
    faces.restrict(connection, "watchlist", entry_id, now_us=now_us, restricted=True)
    return after


def uphold_appeal(
    desk: WatchDesk, connection: Connection, entry_id: str, *, reason: str, operator: Operator, now_us: int
) -> Entry:
    """The appeal was right: the entry ends. One person is enough for what favours the listed person.

    Raises:
        NoAppeal: there is none open.
    """
    said = checked_text(reason, "reason", REASON_MOST)
    if store.entry_of(connection, entry_id, lock=True).appeal != "open":
        raise NoAppeal("entry_id")
    return store.move(
        connection,
        entry_id,
        "withdraw",
        now_us=now_us,
        staff_id=operator.id,
        sealed_reason=_sealed_reason(desk, entry_id, said),
        appeal="upheld",
        ended_why="appeal_upheld",
    )


def withdraw(
    desk: WatchDesk, connection: Connection, entry_id: str, *, reason: str, operator: Operator, now_us: int
) -> Entry:
    """Take somebody off the list, at once and for good. One person may.

    Raises:
        WrongState: it has ended already.
    """
    said = checked_text(reason, "reason", REASON_MOST)
    return store.move(
        connection,
        entry_id,
        "withdraw",
        now_us=now_us,
        staff_id=operator.id,
        sealed_reason=_sealed_reason(desk, entry_id, said),
    )


def review(
    desk: WatchDesk, connection: Connection, entry_id: str, *, reason: str, operator: Operator, now_us: int
) -> Entry:
    """Somebody has looked at the entry again and it is still right; the term stays what it was.

    Raises:
        WrongState: it is not listed.
    """
    said = checked_text(reason, "reason", REASON_MOST)
    entry = store.entry_of(connection, entry_id, lock=True)
    if entry.state not in {"approved", "suspended"}:
        raise WrongState("entry_id", state=entry.state)
    next_us, _ = term_us(now_us=now_us, days=desk.settings.review_days, review_days=desk.settings.review_days)
    return store.change(
        connection,
        entry_id,
        "reviewed",
        now_us=now_us,
        staff_id=operator.id,
        sealed_reason=_sealed_reason(desk, entry_id, said),
        review_at_us=min(next_us, entry.expires_at_us),
        reminded_at_us=None,
    )


def ask_renewal(
    connection: Connection, entry_id: str, *, days: int, reason: str, operator: Operator, now_us: int
) -> str:
    """Ask that two others let an entry stand longer; the approval's id.

    Raises:
        WrongState: it has ended; then the person is proposed anew.
        InvalidInput: longer than anybody may be listed.
    """
    term_us(now_us=now_us, days=days)
    entry = store.entry_of(connection, entry_id, lock=True)
    if entry.state != "approved":
        raise WrongState("entry_id", state=entry.state)
    return _ask_about_entry(
        connection, "renew", entry_id, {"days": days}, reason=reason, operator=operator, now_us=now_us
    )


def ask_resumption(connection: Connection, entry_id: str, *, reason: str, operator: Operator, now_us: int) -> str:
    """The appeal seems to be wrong: ask two others that the entry counts again; the approval's id.

    Raises:
        NoAppeal: there is none open.
    """
    if store.entry_of(connection, entry_id, lock=True).appeal != "open":
        raise NoAppeal("entry_id")
    return _ask_about_entry(connection, "resume", entry_id, {}, reason=reason, operator=operator, now_us=now_us)


def ask_erasure(connection: Connection, entry_id: str, *, reason: str, operator: Operator, now_us: int) -> str:
    """Ask that another lets an entry be erased on request; the approval's id.

    Raises:
        WrongState: it is erased.
    """
    entry = store.entry_of(connection, entry_id, lock=True)
    if entry.state == "erased":
        raise WrongState("entry_id", state=entry.state)
    return _ask_about_entry(connection, "erase", entry_id, {}, reason=reason, operator=operator, now_us=now_us)


def renew_approved(
    desk: WatchDesk, connection: Connection, entry_id: str, approval: approvals.Approval, *, now_us: int
) -> Entry:
    """Two people agreed that an entry stands longer.

    Raises:
        SwitchOff, WrongState: it cannot stand now.
    """
    require_on(connection, "watchlist", now_us=now_us)
    entry = store.entry_of(connection, entry_id, lock=True)
    if entry.state != "approved":
        raise WrongState("entry_id", state=entry.state)
    review_at_us, expires_at_us = term_us(
        now_us=now_us, days=int(approval.payload["days"]), review_days=desk.settings.review_days
    )
    return store.change(
        connection,
        entry_id,
        "renewed",
        now_us=now_us,
        staff_id=approval.asked_by,
        approval_id=approval.id,
        approvers=",".join(agreed(approval)),
        proposed_by=approval.asked_by,
        review_at_us=review_at_us,
        expires_at_us=expires_at_us,
        reminded_at_us=None,
    )


def resume_approved(connection: Connection, entry_id: str, approval: approvals.Approval, *, now_us: int) -> Entry:
    """Two people agreed that the appeal was wrong.

    Raises:
        SwitchOff, WrongState: it cannot count now.
    """
    require_on(connection, "watchlist", now_us=now_us)
    after = store.move(connection, entry_id, "resume", now_us=now_us, staff_id=approval.asked_by, appeal="rejected")
    faces.restrict(connection, "watchlist", entry_id, now_us=now_us, restricted=False)
    return after


def erase_approved(connection: Connection, entry_id: str, approval: approvals.Approval, *, now_us: int) -> Entry:
    """Two people agreed to erase; what an earlier end has left goes too."""
    return store.move(connection, entry_id, "erase", now_us=now_us, staff_id=approval.asked_by)


def expire_due(desk: WatchDesk, *, now_us: int, limit: int = _AT_ONCE) -> int:
    """End entries whose term is over; how many."""
    with desk.db.read() as connection:
        entry_ids = store.to_expire(connection, now_us=now_us, limit=limit)
    if entry_ids:
        with desk.db.write() as connection:
            for entry_id in entry_ids:
                if store.entry_of(connection, entry_id, lock=True).expires_at_us > now_us:
                    continue  # it was just given a longer term
                with suppress(WrongState):  # another worker was first
                    store.move(connection, entry_id, "expire", now_us=now_us, staff_id=None)
    wipe_due(desk, now_us=now_us, limit=2 * limit)
    return len(entry_ids)


def wipe_due(desk: WatchDesk, *, now_us: int, limit: int = _AT_ONCE) -> int:
    """Erase what is left of entries that have ended; how many. Called after every end, and by a duty after a crash."""
    with desk.db.read() as connection:
        entry_ids = store.to_wipe(connection, limit=limit)
    for entry_id in entry_ids:
        erase_faces(desk, entry_id, now_us=now_us)
        with desk.db.write() as connection:
            store.wipe(connection, entry_id, now_us=now_us)
            close_pairs.forget_pairs(connection, entry_id)
    return len(entry_ids)


def remind_of_reviews(desk: WatchDesk, *, now_us: int, limit: int = _AT_ONCE) -> int:
    """Say once of each entry that its review is due; the console lists them until somebody has looked."""
    with desk.db.write() as connection:
        due = store.to_review(connection, now_us=now_us, limit=limit, lock=True)
        for entry in due:
            store.change(connection, entry.id, "review_due", now_us=now_us, staff_id=None, reminded_at_us=now_us)
    for entry in due:
        _log.warning("watch_review_due", entry_id=entry.id, list_id=entry.list_id)
    return len(due)


def _ask_about_entry(
    connection: Connection,
    act: asks.AskedAct,
    entry_id: str,
    more: Mapping[str, Any],
    *,
    reason: str,
    operator: Operator,
    now_us: int,
) -> str:
    waiting = asks.waiting_for(connection, entry_id, act)
    if waiting is not None:
        raise AskedBefore("entry_id", approval_id=waiting)
    kind: asks.AskKind = "erase" if act == "erase" else "watch_entry"
    approval = approvals.ask(
        connection,
        kind=kind,
        subject=entry_id,
        payload={"act": act, "entry_id": entry_id, **more},
        reason=reason,
        operator=operator,
        now_us=now_us,
        needed=1 if act == "erase" else APPROVERS,
    )
    asks.add_ask(connection, approval.id, act=act, kind=kind, subject=entry_id, now_us=now_us)
    return approval.id


def _sealed_reason(desk: WatchDesk, entry_id: str, text: str) -> bytes | None:
    sealer = desk.setup.keys.find(entry_id)
    return None if sealer is None else sealer.seal(text.encode(), context=context("step", entry_id))
