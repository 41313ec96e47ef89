"""Review: a person looks at a photo of the document when no authority can tell. Equal to the quick way, only slower.

The photo is sealed while it waits and gone once decided. Each look leaves an event before the photo is shown.
"""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from sqlalchemy import Connection

from shouhao.flows.verify import confirm, doubt, locked_patient
from shouhao.kernel.errors import NotFound, Refused
from shouhao.kernel.events import Event
from shouhao.patients import records, store
from shouhao.patients.model import PHOTO_REVIEW
from shouhao.patients.photos import media_type
from shouhao.patients.records import IdentityCheck, PhotoReview
from shouhao.patients.standing import PatientUnknown
from shouhao.patients.texts import written_reason
from shouhao.store import event_log
from shouhao.store.vault import Vault


class ReviewAlreadyDecided(Refused):
    """Somebody decided this one; the photo is gone."""

    code: ClassVar[str] = "patients.review_already_decided"
    zh: ClassVar[str] = "该审核已有结论，照片已删除"
    en: ClassVar[str] = "This review has been decided and its photo is gone"


class ReviewWaiting(Refused):
    """A photo of this patient is in the queue already."""

    code: ClassVar[str] = "patients.review_waiting"
    zh: ClassVar[str] = "已有照片在等待人工审核"
    en: ClassVar[str] = "A photo of this patient is already waiting for review"


class NothingToReview(Refused):
    """The patient is verified."""

    code: ClassVar[str] = "patients.already_verified"
    zh: ClassVar[str] = "该就诊人已通过实名核验"
    en: ClassVar[str] = "This patient's identity is already verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedReview:
    """What the reviewer compares; in the clear, so never logged and never kept."""

    review: PhotoReview
    name: str
    document_kind: str
    document_number: str
    birth_day: date
    sex: str | None
    photo: bytes

    def __repr__(self) -> str:
        """Nothing of the person: this may end in a traceback."""
        return f"OpenedReview(review={self.review!r})"


def submit_photo(
    connection: Connection,
    *,
    vault: Vault,
    account_id: str,
    channel: str,
    patient_id: str,
    photo: bytes,
    now_us: int,
) -> PhotoReview:
    """Ask for a person to look; from now on the patient is in review.

    Raises:
        InvalidInput: neither JPEG nor PNG, or too large.
        PatientUnknown: the patient is not bound to this account.
        NothingToReview: the patient is verified.
        ReviewWaiting: a photo is in the queue already.
    """
    media_type("photo", photo)
    if store.find_live_binding(connection, account_id, patient_id) is None:
        raise PatientUnknown("patient_id")
    patient = locked_patient(connection, patient_id)
    if patient.verification == "verified":
        raise NothingToReview("patient_id")
    if records.find_waiting_review(connection, patient_id) is not None:
        raise ReviewWaiting("patient_id")
    review = records.insert_photo(
        connection, vault=vault, patient_id=patient_id, account_id=account_id, photo=photo, now_us=now_us
    )
    if patient.verification != "in_review":
        doubt(connection, patient, verification="in_review", by=PHOTO_REVIEW, now_us=now_us)
    event = Event(
        at_us=now_us,
        kind="photo_submitted",
        channel=channel,
        account_id=account_id,
        patient_id=patient_id,
        detail={"review_id": review.id, "photo_sha256": review.photo_sha256},
    )
    event_log.append(connection, [event])
    return review


def open_review(connection: Connection, *, vault: Vault, staff_id: str, review_id: str, now_us: int) -> OpenedReview:
    """Show a waiting photo with the name and number it should bear; the look is recorded in the same transaction.

    Raises:
        NotFound: there is no such review.
        ReviewAlreadyDecided: its photo is gone.
    """
    review = records.find_review(connection, review_id)
    if review is None:
        raise NotFound("review", "review_id")
    event = Event(
        at_us=now_us,
        kind="viewed",
        staff_id=staff_id,
        patient_id=review.patient_id,
        detail={"what": PHOTO_REVIEW, "review_id": review_id},
    )
    event_log.append(connection, [event])
    photo = records.open_photo(connection, review_id, vault=vault)
    patient = store.find_patient(connection, review.patient_id)
    if photo is None or patient is None:
        raise ReviewAlreadyDecided("review_id")
    return OpenedReview(
        review=review,
        name=store.open_name(patient, vault),
        document_kind=patient.document_kind,
        document_number=vault.open(patient.document_sealed, purpose=store.DOCUMENT),
        birth_day=patient.birth_day,
        sex=patient.sex,
        photo=photo,
    )


def decide_review(
    connection: Connection, *, staff_id: str, review_id: str, approve: bool, reason: str, now_us: int
) -> None:
    """Decide once, and drop the photo.

    Raises:
        NotFound: there is no such review.
        ReviewAlreadyDecided: somebody was first.
        InvalidInput: no reason was written.
    """
    said = written_reason("reason", reason)
    found = records.find_review(connection, review_id)
    if found is None:
        raise NotFound("review", "review_id")
    patient = locked_patient(connection, found.patient_id)  # first the patient, as everywhere
    review = records.lock_review(connection, review_id)
    if review is None or review.state != "waiting":
        raise ReviewAlreadyDecided("review_id")
    state = "approved" if approve else "rejected"
    records.close_review(connection, review_id, state=state, staff_id=staff_id, reason=said, now_us=now_us)
    check = IdentityCheck(
        patient_id=patient.id,
        authority=PHOTO_REVIEW,
        verdict="match" if approve else "mismatch",
        staff_id=staff_id,
    )
    records.insert_check(connection, check, now_us=now_us)
    event = Event(
        at_us=now_us,
        kind="photo_decided",
        staff_id=staff_id,
        patient_id=patient.id,
        detail={"review_id": review_id, "decision": state},
    )
    event_log.append(connection, [event])
    if approve:
        confirm(connection, patient, by=PHOTO_REVIEW, now_us=now_us, staff_id=staff_id)
    else:
        doubt(connection, patient, verification="rejected", by=PHOTO_REVIEW, now_us=now_us, staff_id=staff_id)
