"""Care store: the SQL of care proofs, and the one look the desk takes at why people may use a kept place."""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, TextClause, insert, select, text, update

from shouhao.patients.care import CareProof, birth_day_is_sure, ground
from shouhao.patients.tables import care_proofs
from shouhao.store import batch

REFERENCE = "care_reference"  #: what the vault seals the number on the paper for


def insert_proof(connection: Connection, proof: CareProof) -> None:
    """Keep a proof; a second live one of its kind and patient collides on the unique index."""
    connection.execute(
        insert(care_proofs).values(
            id=proof.id,
            patient_id=proof.patient_id,
            kind=proof.kind,
            proof=proof.proof,
            reference_sealed=proof.reference_sealed,
            valid_until=None if proof.valid_until is None else proof.valid_until.isoformat(),
            staff_id=proof.staff_id,
            recorded_at_us=proof.recorded_at_us,
        )
    )


def revoke_proof(connection: Connection, proof_id: str, *, staff_id: str, reason: str, now_us: int) -> None:
    """From now on it proves nothing; the row stays."""
    connection.execute(
        update(care_proofs)
        .where(care_proofs.c.id == proof_id)
        .values(revoked_at_us=now_us, revoked_by=staff_id, revoke_reason=reason)
    )


def find_proof(connection: Connection, proof_id: str) -> CareProof | None:
    """A proof by its id, revoked or not."""
    row = connection.execute(select(care_proofs).where(care_proofs.c.id == proof_id)).one_or_none()
    return None if row is None else _proof(row)


def live_proof(connection: Connection, patient_id: str, kind: str) -> CareProof | None:
    """The one proof of a kind that nobody has revoked; it may have run out."""
    found = select(care_proofs).where(
        care_proofs.c.patient_id == patient_id, care_proofs.c.kind == kind, care_proofs.c.revoked_at_us.is_(None)
    )
    row = connection.execute(found).one_or_none()
    return None if row is None else _proof(row)


def proofs_of(connection: Connection, patient_id: str) -> list[CareProof]:
    """All proofs of a patient, revoked ones too, oldest first."""
    found = select(care_proofs).where(care_proofs.c.patient_id == patient_id)
    ordered = found.order_by(care_proofs.c.recorded_at_us, care_proofs.c.id)
    return [_proof(row) for row in connection.execute(ordered)]


def care_grounds(connection: Connection, patient_ids: Iterable[str], *, today: date) -> dict[str, str]:
    """Why each of these patients may take a kept place: `aged`, `disabled` or `pregnant`; who may not is left out.

    Whether they may book at all is in their standing, which is asked first and keeps their rows still.
    """
    given = {"patients": batch.encode(sorted(set(patient_ids))), "today": today.isoformat()}
    proven: dict[str, list[str]] = {}
    born: dict[str, date | None] = {}
    for found in batch.rows(connection, _grounds_sql(connection.dialect.name), given):
        patient_id, verification, verified_by, document_kind, document_masked, birth_day, kind = found
        if patient_id not in born:
            sure = birth_day_is_sure(
                verification=verification,
                verified_by=verified_by,
                document_kind=document_kind,
                document_masked=document_masked,
            )
            born[patient_id] = date.fromisoformat(birth_day) if sure else None
        proven.setdefault(patient_id, []).append(kind)
    grounds = {one: ground(born=born[one], proven=proven[one], today=today) for one in born}
    return {patient_id: why for patient_id, why in grounds.items() if why is not None}


@lru_cache(maxsize=2)
def _grounds_sql(dialect: str) -> TextClause:
    return text(
        f"""
        SELECT p.id, p.verification, p.verified_by, p.document_kind, p.document_masked, p.birth_day, c.kind
        FROM patients p
        LEFT JOIN care_proofs c
          ON c.patient_id = p.id AND c.revoked_at_us IS NULL AND (c.valid_until IS NULL OR c.valid_until >= :today)
        WHERE p.id IN {batch.values(dialect, "patients")}
        """
    )


def _proof(row: Row[Any]) -> CareProof:
    return CareProof(
        id=row.id,
        patient_id=row.patient_id,
        kind=row.kind,
        proof=row.proof,
        reference_sealed=row.reference_sealed,
        valid_until=None if row.valid_until is None else date.fromisoformat(row.valid_until),
        staff_id=row.staff_id,
        recorded_at_us=row.recorded_at_us,
        revoked_at_us=row.revoked_at_us,
        revoked_by=row.revoked_by,
        revoke_reason=row.revoke_reason,
    )
