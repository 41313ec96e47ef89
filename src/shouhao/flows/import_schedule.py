"""Import a schedule: departments, doctors, sessions and slots of one plan, in one unit of work, with one event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from shouhao.booking.schedule import SchedulePlan, Source
from shouhao.booking.store import inventory
from shouhao.booking.store import waits as wait_store
from shouhao.booking.store.inventory import SessionRefused
from shouhao.flows.hand_on import Freed, hand_slots_on
from shouhao.kernel.events import Event
from shouhao.store import event_log


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did; rows that were refused changed nothing."""

    departments_changed: int
    doctors_changed: int
    added: int
    updated: int
    unchanged: int
    refused: tuple[SessionRefused, ...]

    def counts(self) -> Mapping[str, int]:
        """The report without the refused rows: how many of what."""
        return {
            "departments_changed": self.departments_changed,
            "doctors_changed": self.doctors_changed,
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "refused": len({row.session_id for row in self.refused}),
        }


def import_plan(
    connection: Connection, plan: SchedulePlan, *, staff_id: str | None, source: Source, now_us: int
) -> ImportReport:
    """Store a plan; each session goes in whole or is refused, and the same plan again changes nothing.

    Args:
        staff_id: who imports; None for a scheduled import.
    """
    departments_changed = inventory.upsert_departments(connection, plan.departments)
    doctors_changed = inventory.upsert_doctors(connection, plan.doctors)
    counts = inventory.import_sessions(connection, plan.sessions, now_us=now_us)
    _hand_new_slots_on(connection, counts.grown, now_us=now_us)
    report = ImportReport(
        departments_changed=departments_changed,
        doctors_changed=doctors_changed,
        added=counts.added,
        updated=counts.updated,
        unchanged=counts.unchanged,
        refused=counts.refused,
    )
    detail: dict[str, Any] = {"source": source, **report.counts()}
    event_log.append(connection, [Event(at_us=now_us, kind="schedule_imported", staff_id=staff_id, detail=detail)])
    return report


def _hand_new_slots_on(connection: Connection, grown: Sequence[str], *, now_us: int) -> None:
    """What a released session got more goes to those who wait for it; where nobody waits it is everybody's."""
    ranked, unranked = wait_store.anyone_waits(connection, grown)
    new = wait_store.free_in(connection, ranked | unranked)
    freed = [Freed(slot_id=slot, session_id=session, why="added") for slot, session in new]
    hand_slots_on(connection, freed, now_us=now_us)
