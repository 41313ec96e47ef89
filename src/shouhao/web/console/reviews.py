"""Photo reviews: a reviewer compares a photo with what the patient wrote, and decides once."""

import base64
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field, StrictBool
from sqlalchemy import Connection

from shouhao.flows.review import decide_review, open_review
from shouhao.kernel.clock import iso
from shouhao.patients.records import count_waiting_reviews, waiting_reviews
from shouhao.staff.model import Operator, require
from shouhao.staff.watermark import PictureUnreadable, watermarked
from shouhao.web.console.duty_look import look_on_duty
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["photo reviews"])


class ReviewShown(Shown):
    """A photo that waits."""

    review_id: str
    patient_id: str
    submitted_at: Instant


class ReviewQueue(Shown):
    """The queue, oldest first; `waiting` counts all of it."""

    reviews: list[ReviewShown]
    waiting: int


class OpenedShown(Shown):
    """What the reviewer compares. The photo is a JPEG that says who looks; null when it cannot be marked."""

    review_id: str
    patient_id: str
    name: str
    document_kind: str
    document_number: str
    birth_day: date
    sex: str | None
    submitted_at: Instant
    photo_base64: str | None


class DecisionBody(Body):
    """Whether the photo shows the patient's document, and why."""

    approve: StrictBool
    reason: LongText


class Decided(Shown):
    """What came of it."""

    review_id: str
    state: str


@routes.get("/photo-reviews", responses=failures(401, 403, 422), summary="待审核照片 Photos that wait")
def queue(operator: OnDuty, system: Here, limit: Annotated[int, Field(ge=1, le=200)] = 50) -> ReviewQueue:
    """最早提交的在前；不显示照片。 Oldest first; no photo is opened."""
    require(operator, "reviewer")
    with system.db.read() as connection:
        waiting, count = waiting_reviews(connection, limit=limit), count_waiting_reviews(connection)
    return ReviewQueue(
        reviews=[ReviewShown(review_id=r.id, patient_id=r.patient_id, submitted_at=r.submitted_at_us) for r in waiting],
        waiting=count,
    )


@routes.get("/photo-reviews/{review_id}", responses=failures(401, 403, 404, 409, 422), summary="打开照片 Open a photo")
def open_one(review_id: Id, operator: OnDuty, system: Here) -> OpenedShown:
    """每次查看都会留痕。 Each look is recorded before the photo is shown."""
    require(operator, "reviewer")
    now_us = system.clock.now_us()
    look_on_duty(system, operator, "photo_review", data_class="identity", what=f"photo_review {review_id}")
    with system.db.write() as connection:
        opened = open_review(
            connection,
            vault=system.vault,
            staff_id=operator.id,
            review_id=review_id,
            now_us=now_us,
        )
    return OpenedShown(
        review_id=opened.review.id,
        patient_id=opened.review.patient_id,
        name=opened.name,
        document_kind=opened.document_kind,
        document_number=opened.document_number,
        birth_day=opened.birth_day,
        sex=opened.sex,
        submitted_at=opened.review.submitted_at_us,
        photo_base64=_marked(opened.photo, operator, now_us),
    )


@routes.post(
    "/photo-reviews/{review_id}/decision",
    responses=failures(400, 401, 403, 404, 409, 415, 422),
    response_model=Decided,
    summary="作出结论 Decide",
)
def decide(review_id: Id, body: DecisionBody, operator: OnDuty, write: StaffWrite) -> Response:
    """通过或不通过，照片随即删除。 Approve or reject; the photo is dropped at once."""
    require(operator, "reviewer")

    def act(connection: Connection) -> dict[str, str]:
        decide_review(
            connection,
            staff_id=operator.id,
            review_id=review_id,
            approve=body.approve,
            reason=body.reason,
            now_us=write.now_us,
        )
        return {"review_id": review_id, "state": "approved" if body.approve else "rejected"}

    return write.answer(act)


def _marked(photo: bytes, operator: Operator, now_us: int) -> str | None:
    try:
        marked = watermarked(photo, text=f"{operator.id} {iso(now_us)[:16]}")
    except PictureUnreadable:
        return None
    return base64.b64encode(marked).decode()
