"""Records: the SQL of what was asked, looked at and changed about a patient: checks, photo reviews, edits.

A photo is sealed while it waits and gone once decided; its SHA-256 stays, so that it is known which one was seen.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update

from shouhao.kernel.ids import new_id
from shouhao.patients.tables import identity_checks, patient_edits, patients, photo_reviews
from shouhao.store.vault import Vault

PHOTO = "photo"  #: what the vault seals it for
UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoReview:
    """A photo of a document that a person is to look at, or has looked at."""

    id: str
    patient_id: str
    account_id: str
    photo_sha256: str
    state: str  #: waiting, approved, rejected
    submitted_at_us: int
    decided_at_us: int | None
    staff_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityCheck:
    """One answer to "is this person real?"."""

    patient_id: str
    authority: str  #: format_only, authority:NAME, photo_review, window
    verdict: str  #: match, mismatch, unknown, unavailable
    nonce: str | None = None
    signed_verdict: str | None = None
    staff_id: str | None = None
    reason: str | None = None  #: what staff at a window wrote


def insert_check(connection: Connection, check: IdentityCheck, *, now_us: int) -> None:
    """Keep an answer."""
    connection.execute(
        insert(identity_checks).values(
            id=new_id("ic"),
            patient_id=check.patient_id,
            authority=check.authority,
            verdict=check.verdict,
            nonce=check.nonce,
            signed_verdict=check.signed_verdict,
            staff_id=check.staff_id,
            reason=check.reason,
            at_us=now_us,
        )
    )


def note_unavailable(connection: Connection, *, patient_id: str, authority: str, now_us: int) -> None:
    """Note that there was no answer. One row a patient and authority, so that an outage does not fill the table."""
    noted = connection.execute(
        update(identity_checks)
        .where(
            identity_checks.c.patient_id == patient_id,
            identity_checks.c.authority == authority,
            identity_checks.c.verdict == UNAVAILABLE,
        )
        .values(at_us=now_us)
    )
    if noted.rowcount == 0:
        insert_check(
            connection,
            IdentityCheck(patient_id=patient_id, authority=authority, verdict=UNAVAILABLE),
            now_us=now_us,
        )


def checks_of(connection: Connection, patient_id: str) -> list[IdentityCheck]:
    """All answers about a patient, oldest first."""
    found = select(identity_checks).where(identity_checks.c.patient_id == patient_id)
    return [
        IdentityCheck(
            patient_id=row.patient_id,
            authority=row.authority,
            verdict=row.verdict,
            nonce=row.nonce,
            signed_verdict=row.signed_verdict,
            staff_id=row.staff_id,
            reason=row.reason,
        )
        for row in connection.execute(found.order_by(identity_checks.c.at_us, identity_checks.c.id))
    ]


def pending_verifications(connection: Connection, *, limit: int) -> list[str]:
    """Patients whom nobody has confirmed yet; who waited longest since the last try comes first."""
    asked = and_(identity_checks.c.patient_id == patients.c.id, identity_checks.c.verdict == UNAVAILABLE)
    tried = func.coalesce(func.max(identity_checks.c.at_us), patients.c.created_at_us)
    return list(
        connection.execute(
            select(patients.c.id)
            .outerjoin(identity_checks, asked)
            .where(patients.c.verification == "pending")
            .group_by(patients.c.id)
            .order_by(tried, patients.c.id)
            .limit(limit)
        ).scalars()
    )


def insert_photo(
    connection: Connection, *, vault: Vault, patient_id: str, account_id: str, photo: bytes, now_us: int
) -> PhotoReview:
    """Put a photo in the queue; a second waiting one of the patient collides on the unique index."""
    review = PhotoReview(
        id=new_id("pr"),
        patient_id=patient_id,
        account_id=account_id,
        photo_sha256=hashlib.sha256(photo).hexdigest(),
        state="waiting",
        submitted_at_us=now_us,
        decided_at_us=None,
        staff_id=None,
    )
    connection.execute(
        insert(photo_reviews).values(
            id=review.id,
            patient_id=patient_id,
            account_id=account_id,
            photo_sealed=vault.seal(base64.b64encode(photo).decode(), purpose=PHOTO),
            photo_sha256=review.photo_sha256,
            state=review.state,
            submitted_at_us=now_us,
        )
    )
    return review


def lock_review(connection: Connection, review_id: str) -> PhotoReview | None:
    """A review that nobody else decides until the unit of work ends."""
    found = select(*_SHOWN).where(photo_reviews.c.id == review_id).with_for_update()
    row = connection.execute(found).one_or_none()
    return None if row is None else _review(row)


def find_review(connection: Connection, review_id: str) -> PhotoReview | None:
    """A review by its id."""
    row = connection.execute(select(*_SHOWN).where(photo_reviews.c.id == review_id)).one_or_none()
    return None if row is None else _review(row)


def find_waiting_review(connection: Connection, patient_id: str) -> PhotoReview | None:
    """The photo of this patient that is in the queue, if there is one."""
    found = select(*_SHOWN).where(photo_reviews.c.patient_id == patient_id, photo_reviews.c.state == "waiting")
    row = connection.execute(found).one_or_none()
    return None if row is None else _review(row)


def waiting_reviews(connection: Connection, *, limit: int) -> list[PhotoReview]:
    """The queue, oldest first; no photo is opened."""
    found = select(*_SHOWN).where(photo_reviews.c.state == "waiting")
    ordered = found.order_by(photo_reviews.c.submitted_at_us, photo_reviews.c.id).limit(limit)
    return [_review(row) for row in connection.execute(ordered)]


def count_waiting_reviews(connection: Connection) -> int:
    """How many photos are in the queue."""
    waiting = select(func.count()).select_from(photo_reviews).where(photo_reviews.c.state == "waiting")
    return int(connection.execute(waiting).scalar_one())


def open_photo(connection: Connection, review_id: str, *, vault: Vault) -> bytes | None:
    """The photo in the clear, or None once it is gone."""
    sealed = connection.execute(
        select(photo_reviews.c.photo_sealed).where(photo_reviews.c.id == review_id)
    ).scalar_one_or_none()
    return None if sealed is None else base64.b64decode(vault.open(sealed, purpose=PHOTO))


def close_review(
    connection: Connection, review_id: str, *, state: str, staff_id: str, reason: str, now_us: int
) -> None:
    """Write the decision and drop the photo."""
    connection.execute(
        update(photo_reviews)
        .where(photo_reviews.c.id == review_id)
        .values(photo_sealed=None, state=state, decided_at_us=now_us, staff_id=staff_id, reason=reason)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientEdit:
    """One change of one field, old and new sealed."""

    patient_id: str
    field: str
    old_sealed: str
    new_sealed: str
    reason: str
    staff_id: str | None
    account_id: str | None
    at_us: int


def insert_edit(connection: Connection, edit: PatientEdit) -> None:
    """Keep a change for ever."""
    connection.execute(
        insert(patient_edits).values(
            id=new_id("pe"),
            patient_id=edit.patient_id,
            field=edit.field,
            old_sealed=edit.old_sealed,
            new_sealed=edit.new_sealed,
            reason=edit.reason,
            staff_id=edit.staff_id,
            account_id=edit.account_id,
            at_us=edit.at_us,
        )
    )


def edits_of(connection: Connection, patient_id: str) -> list[PatientEdit]:
    """All changes of a patient, oldest first."""
    found = select(patient_edits).where(patient_edits.c.patient_id == patient_id)
    return [
        PatientEdit(
            patient_id=row.patient_id,
            field=row.field,
            old_sealed=row.old_sealed,
            new_sealed=row.new_sealed,
            reason=row.reason,
            staff_id=row.staff_id,
            account_id=row.account_id,
            at_us=row.at_us,
        )
        for row in connection.execute(found.order_by(patient_edits.c.at_us, patient_edits.c.id))
    ]


_SHOWN = tuple(column for column in photo_reviews.c if column.name not in {"photo_sealed", "reason"})


def _review(row: Row[Any]) -> PhotoReview:
    return PhotoReview(
        id=row.id,
        patient_id=row.patient_id,
        account_id=row.account_id,
        photo_sha256=row.photo_sha256,
        state=row.state,
        submitted_at_us=row.submitted_at_us,
        decided_at_us=row.decided_at_us,
        staff_id=row.staff_id,
    )
