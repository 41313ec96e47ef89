"""Watch approved: what happens to the watchlist once others have agreed, or have not. Nobody has to come back for it.

The approval is used in the unit of work that does what it allows, so nothing is done twice and nothing half. What takes
time, such as enrolling faces, comes after the commit and is finished by a duty when it was cut short.
"""

from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from shouhao.compliance.model import SwitchOff
from shouhao.flows import watch_thresholds, watchlist, watchlist_ends, watchlist_exchange
from shouhao.flows.watch_bundle_files import forget_files
from shouhao.flows.watch_desk import WatchDesk
from shouhao.kernel.errors import NotFound, Refused
from shouhao.staff import approvals
from shouhao.staff.approvals import Approval
from shouhao.watch.store import asks
from shouhao.watch.store import watchlist as store

_Apply = Callable[[WatchDesk, Connection, str, Approval, int], object]

_log = structlog.get_logger()

_APPLY: dict[asks.AskedAct, _Apply] = {
    "list": lambda d, c, subject, a, now: watchlist.list_approved(d, c, subject, a, now_us=now),
    "renew": lambda d, c, subject, a, now: watchlist_ends.renew_approved(d, c, subject, a, now_us=now),
    "resume": lambda _, c, subject, a, now: watchlist_ends.resume_approved(c, subject, a, now_us=now),
    "erase": lambda _, c, subject, a, now: watchlist_ends.erase_approved(c, subject, a, now_us=now),
    "list_change": lambda _, c, subject, a, now: watch_thresholds.list_change_approved(c, subject, a, now_us=now),
    "issuer": lambda _, c, __, a, now: watchlist_exchange.issuer_approved(c, a, now_us=now),
    "import": lambda _, c, subject, a, now: watchlist_exchange.import_approved(c, subject, a, now_us=now),
}


def apply_approved(desk: WatchDesk, approval_id: str, *, now_us: int) -> asks.Ask:
    """Do what others agreed to, once; a second time does nothing.

    Raises:
        NotFound: nothing of the watchlist was asked for under this id.
        NotApproved, ApprovalEnded: they have not agreed, or no longer.
        SwitchOff: the law's switch is off; it can be done as soon as it is on.
        WrongState: the entry is not what it was when this was asked.
    """
    with desk.db.write() as connection:
        ask = asks.ask_of(connection, approval_id, lock=True)
        if ask.became is not None:
            return ask
        if ask.act not in _APPLY:
            raise NotFound("watchlist request", "approval_id")
        approval = approvals.use(connection, approval_id, kind=ask.kind, subject=ask.subject, now_us=now_us)
        _APPLY[ask.act](desk, connection, ask.subject, approval, now_us)
        asks.close_ask(connection, approval_id, "done", now_us=now_us)
        done = asks.ask_of(connection, approval_id)
    _afterwards(desk, ask, now_us=now_us)
    return done


def apply_due(desk: WatchDesk, *, now_us: int) -> int:
    """Do what others have agreed to, and end what they have not; how many."""
    done, after = 0, ""
    while True:
        with desk.db.read() as connection:
            approval_ids = asks.waiting(connection, after=after)
        for approval_id in approval_ids:
            done += _settle(desk, approval_id, now_us=now_us)
        if not approval_ids:
            return done
        after = approval_ids[-1]


def _settle(desk: WatchDesk, approval_id: str, *, now_us: int) -> bool:
    """One of them; whether anything came of it."""
    with desk.db.read() as connection:
        ask, state = asks.ask_of(connection, approval_id), _state(connection, approval_id, now_us)
    if state == "asked" or (state == "approved" and ask.act not in _APPLY):
        return False
    if state != "approved":
        _come_to_nothing(desk, ask, "refused" if state == "refused" else "over", now_us=now_us)
        return True
    try:
        apply_approved(desk, approval_id, now_us=now_us)
    except SwitchOff:
        return False  # it waits for the switch, or for its own end
    except Refused as refusal:
        _log.warning("watch_approval_not_applied", approval_id=approval_id, act=ask.act, code=refusal.code)
        _come_to_nothing(desk, ask, "over", now_us=now_us)
    return True


def _come_to_nothing(desk: WatchDesk, ask: asks.Ask, became: asks.Became, *, now_us: int) -> None:
    """Nobody agreed, or too late: what was proposed is forgotten."""
    with desk.db.write() as connection:
        current = asks.ask_of(connection, ask.approval_id, lock=True)
        if current.became is not None:
            return
        asks.close_ask(connection, ask.approval_id, became, now_us=now_us)
        if ask.act == "list" and store.entry_of(connection, ask.subject, lock=True).state == "proposed":
            store.move(connection, ask.subject, "withdraw", now_us=now_us, staff_id=None, ended_why="not_approved")
        elif ask.act == "import":
            watchlist_exchange.import_refused(connection, ask.subject, now_us=now_us)
    if ask.act == "list":
        watchlist_ends.wipe_due(desk, now_us=now_us)
    elif ask.act == "import":
        forget_files(desk)


def _afterwards(desk: WatchDesk, ask: asks.Ask, *, now_us: int) -> None:
    """What follows an approval and takes time."""
    if ask.act == "list":
        with desk.db.read() as connection:
            list_id = store.entry_of(connection, ask.subject).list_id
        try:
            desk.begin_gallery()
            watch_thresholds.derive_for(desk, list_id, now_us=now_us)
            watchlist.enrol_entry(desk, ask.subject, now_us=now_us)
        except Refused as refusal:  # the entry stands approved; the duty enrols it once what is missing is there
            _log.warning("watch_entry_not_enrolled", entry_id=ask.subject, code=refusal.code)
    elif ask.act == "erase":
        watchlist_ends.wipe_due(desk, now_us=now_us)
    elif ask.act == "list_change":
        watch_thresholds.derive_for(desk, ask.subject, now_us=now_us)
    elif ask.act == "import":
        watchlist_ends.wipe_due(desk, now_us=now_us)


def _state(connection: Connection, approval_id: str, now_us: int) -> approvals.ApprovalState:
    return approvals.find(connection, approval_id).state_at(now_us)
