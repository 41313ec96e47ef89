"""Faces by consent: the patients' gallery asks here before it takes in or compares; nothing stays without a ground.

A withdrawal marks the photographs in its own unit of work (flows/consents.py), after which nobody reads them; the
worker destroys their key and deletes them. It also looks for photographs that no consent stands behind.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from shouhao.faces.store import begin_erasing, erasing
from shouhao.flows.consents import standing_consent
from shouhao.kernel.clock import Clock
from shouhao.patients.consent_texts import Kind
from shouhao.patients.store import lock_patients
from shouhao.store.engine import Database
from shouhao.store.invariants import Invariant

if TYPE_CHECKING:
    from shouhao.faces.enrolment import GallerySetup


class PatientConsents:
    """Answers the gallery of patients: is there a consent for this use of this patient's face, now?"""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def standing(self, patient_id: str, use: Kind) -> str | None:
        """The id of the consent; None: it must not be done."""
        with self._db.read() as connection:
            consent = standing_consent(connection, use, patient_id, now_us=self._clock.now_us())
        return None if consent is None else consent.id


def erase_withdrawn(db: Database, setup: "Callable[[], GallerySetup]", *, now_us: int) -> int:
    """Erase the photographs of patients whose consent was withdrawn; how many people's.

    Args:
        setup: of the patients' gallery, opened only when there is something to erase.
    """
    with db.read() as connection:
        if not erasing(connection, "consented"):
            return 0
    from shouhao.faces.enrolment import finish_erasures  # noqa: PLC0415 - takes a library that others wait for

    return finish_erasures(setup(), now_us=now_us)


def mark_groundless(db: Database, *, now_us: int) -> int:
    """Mark photographs that no consent stands behind, which `erase_withdrawn` then erases; how many people's."""
    with db.read() as connection:
        found = _groundless(connection)
    if not found:
        return 0
    with db.write() as connection:
        lock_patients(connection, found)
        still = _groundless(connection) & found  # somebody may have agreed since
        for patient_id in sorted(still):
            begin_erasing(connection, "consented", patient_id, now_us=now_us)
    return len(still)


def _groundless(connection: Connection) -> set[str]:
    return set(connection.execute(text(_GROUNDLESS)).scalars())


_GROUNDLESS = """
    SELECT s.id FROM consented_faces_subjects s
    WHERE s.erasing_at_us IS NULL AND NOT EXISTS (
      SELECT 1 FROM consent_acts a
      WHERE a.subject_id = s.id AND a.kind = 'face_check' AND a.act = 'given' AND NOT EXISTS (
        SELECT 1 FROM consent_acts w WHERE w.subject_id = a.subject_id AND w.kind = a.kind AND w.turn > a.turn))
"""

INVARIANTS = (
    Invariant(
        code="face_kept_by_consent",
        zh="患者底库中的每张人脸都有未撤回的同意",
        en="Every face in the patients' gallery has a consent that was not withdrawn",
        sql=_GROUNDLESS,
    ),
)
