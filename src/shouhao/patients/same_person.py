"""Same person: two documents with one name and one birth day, found by a keyed hash of the two.

One document is one patient, so a person with an ID card and a passport can be two. Two resident IDs are two people,
however equal the rest: nobody has two numbers. Whom staff declared apart are two people too. A name in Latin letters
and the same name in Chinese characters are not found to be one, nor are two names in another order.
"""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from sqlalchemy import Connection, TextClause, insert, select, text, update

from shouhao.patients.store import NAME, person_hash
from shouhao.patients.tables import patients, people_apart
from shouhao.store import batch
from shouhao.store.vault import Vault


def same_person(connection: Connection, patient_ids: Iterable[str]) -> dict[str, set[str]]:
    """The other patients that each of these may be, verified or not; who has none is left out."""
    given = {"patients": batch.encode(sorted(set(patient_ids)))}
    others: dict[str, set[str]] = {}
    for patient_id, other_id in batch.rows(connection, _same_sql(connection.dialect.name), given):
        others.setdefault(patient_id, set()).add(other_id)
    return others


def insert_apart(
    connection: Connection, patient_id: str, other_id: str, *, staff_id: str, reason: str, now_us: int
) -> None:
    """Record that two patients are two people."""
    first, second = sorted([patient_id, other_id])
    connection.execute(
        insert(people_apart).values(patient_a=first, patient_b=second, staff_id=staff_id, reason=reason, at_us=now_us)
    )


def hash_people(connection: Connection, *, vault: Vault, limit: int) -> int:
    """Give patients from before there was a person hash theirs; how many."""
    found = select(patients.c.id, patients.c.name_sealed, patients.c.birth_day).where(patients.c.person_hash.is_(None))
    rows = connection.execute(found.order_by(patients.c.id).limit(limit).with_for_update(key_share=True)).all()
    for row in rows:
        name, born = vault.open(row.name_sealed, purpose=NAME), date.fromisoformat(row.birth_day)
        hashed = person_hash(vault, name, born)
        connection.execute(update(patients).where(patients.c.id == row.id).values(person_hash=hashed))
    return len(rows)


@lru_cache(maxsize=2)
def _same_sql(dialect: str) -> TextClause:
    return text(
        f"""
        SELECT p.id, o.id
        FROM patients p
        JOIN patients o ON o.person_hash = p.person_hash AND o.id <> p.id
        WHERE p.id IN {batch.values(dialect, "patients")}
          AND NOT (p.document_kind = 'resident_id' AND o.document_kind = 'resident_id')
          AND NOT EXISTS (
            SELECT 1 FROM people_apart a
            WHERE (a.patient_a = p.id AND a.patient_b = o.id) OR (a.patient_a = o.id AND a.patient_b = p.id))
        """
    )
