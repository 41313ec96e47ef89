"""Same person: staff who saw two people say that they are two, though their names and birth days are equal."""

from sqlalchemy import Connection

from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.kernel.events import Event
from shouhao.patients.model import WINDOW
from shouhao.patients.same_person import hash_people, insert_apart, same_person
from shouhao.patients.store import lock_patients
from shouhao.patients.texts import written_reason
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.vault import Vault


def declare_apart(
    connection: Connection, *, staff_id: str, patient_id: str, other_id: str, reason: str, now_us: int
) -> None:
    """Two patients who are taken for one person are two from now on.

    Raises:
        InvalidInput: no reason was written, or the two are not taken for one person.
        NotFound: there is no such patient.
    """
    said = written_reason("reason", reason)
    people = lock_patients(connection, {patient_id, other_id})
    for field, given in (("patient_id", patient_id), ("other_patient_id", other_id)):
        if given not in people:
            raise NotFound("patient", field)
    if other_id not in same_person(connection, [patient_id]).get(patient_id, set()):
        raise InvalidInput("other_patient_id", zh="系统没有把两人视为同一人", en="the two are not taken for one person")
    insert_apart(connection, patient_id, other_id, staff_id=staff_id, reason=said, now_us=now_us)
    event = Event(
        at_us=now_us,
        kind="people_declared_apart",
        channel=WINDOW,
        patient_id=patient_id,
        staff_id=staff_id,
        detail={"other_patient_id": other_id},
    )
    event_log.append(connection, [event])


def hash_known_people(db: Database, *, vault: Vault, limit: int = 500) -> int:
    """Make patients of an older version findable as one person; how many, and nought once all are.

    Raises:
        Tampered: a sealed name does not open.
    """
    with db.write() as connection:
        return hash_people(connection, vault=vault, limit=limit)
