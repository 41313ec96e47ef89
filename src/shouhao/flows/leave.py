"""Leave: people give up a place on a waitlist while nothing is offered to them; offers are declined (give_back.py)."""

from sqlalchemy import Connection

from shouhao.booking.store import desk as desk_store
from shouhao.booking.store import waits as wait_store
from shouhao.booking.store.waits import Wait
from shouhao.booking.waitlist import NotWaiting
from shouhao.flows.give_back import Caller
from shouhao.flows.hand_on import Freed, hand_slots_on
from shouhao.kernel.events import Event
from shouhao.patients.store import lock_patients
from shouhao.store import event_log


def leave(connection: Connection, *, wait_id: str, caller: Caller, now_us: int) -> Wait:
    """Give up a place; for everybody who waits in it. The place as it was.

    Raises:
        NotWaiting: no such place of this caller, or it is over, or a slot is offered to it.
    """
    wait = wait_store.find_waits(connection, [wait_id]).get(wait_id)
    if wait is None or not _may_touch(caller, wait):
        raise NotWaiting("wait_id")
    lock_patients(connection, wait.names())
    session = desk_store.lock_sessions(connection, [wait.session_id])[wait.session_id]
    if wait_store.find_waits(connection, [wait_id])[wait_id].state != "waiting":
        raise NotWaiting("wait_id")
    wait_store.end_waits(connection, [wait_id], "left", now_us=now_us)
    event_log.append(
        connection,
        [
            Event(
                at_us=now_us,
                kind="waitlist_left",
                channel=caller.channel,
                account_id=caller.account_id,
                patient_id=person,
                device_id=caller.device_id,
                session_token=caller.sign_in_id,
                ip=caller.ip,
                user_agent=caller.user_agent,
                department_id=session.department_id,
                doctor_id=session.doctor_id,
                session_id=session.id,
                staff_id=caller.staff_id,
                detail={"wait_id": wait.id, "entry_id": wait.entry_id},
            )
            for person in wait.names()
        ],
    )
    _let_go_of_kept(connection, session.id, now_us=now_us)
    return wait


def _let_go_of_kept(connection: Connection, session_id: str, *, now_us: int) -> None:
    """A slot that was kept for who waits goes on when the last of them leaves."""
    ranked, unranked = wait_store.anyone_waits(connection, [session_id])
    if ranked or unranked:
        return
    kept = wait_store.reserved_in(connection, session_id, "waitlist")
    hand_slots_on(
        connection, [Freed(slot_id=s, session_id=session_id, why="nobody_waits") for s in kept], now_us=now_us
    )


def _may_touch(caller: Caller, wait: Wait) -> bool:
    return caller.staff_id is not None or (caller.account_id is not None and wait.account_id == caller.account_id)
