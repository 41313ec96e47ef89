"""Tips (举报) over HTTP: tell without saying who one is, see later what came of it, add words and pictures.

Number and code stand in bodies, never in an address that a log or a history keeps. The code is in the first answer and
in a retry's, which is kept sealed; the database has its hash alone.
"""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.cases.tips import About, Tip, in_groups, read_told
from shouhao.flows.tips import (
    Followed,
    Origin,
    add_picture,
    add_words,
    check_taken,
    count_picture,
    follow,
    known_tip,
    tell,
)
from shouhao.kernel.errors import InvalidInput
from shouhao.store.answers import replay
from shouhao.web.depends import ChannelWrite, Here, Visit, Visiting
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, ShortText, Shown
from shouhao.wiring import System

routes = APIRouter(prefix="/api/v1", tags=["tips"])

#: A picture in base64: what a photo may weigh at most by any setting is held against the real one below.
_Encoded = Annotated[str, Field(max_length=64_000_000, json_schema_extra={"contentEncoding": "base64"})]
_ANSWER_CODE = "tip.code.answer"
_WRITE = failures(400, 401, 404, 409, 415, 422, 429)


class TipBody(Body):
    """What somebody tells; all but `what` may be left out. `device_id` is counted and not kept."""

    what: LongText
    where: ShortText = ""
    when: ShortText = ""
    about: ShortText = ""
    offered: ShortText = ""
    price: ShortText = ""
    wechat: ShortText = ""
    phone: ShortText = ""
    platform: ShortText = ""
    link: LongText = ""
    teller: ShortText = ""
    doctor_id: Id | None = None
    session_id: Id | None = None
    device_id: Id | None = None


class CodeBody(Body):
    """The number and the code that whoever told was given."""

    reference: ShortText
    code: ShortText


class MoreBody(CodeBody):
    """Words to add."""

    words: LongText


class PictureBody(CodeBody):
    """A picture to add: JPEG, PNG, WebP or BMP in base64."""

    picture: _Encoded


class TermsShown(Shown):
    """What whoever tells should know."""

    keep_days: int
    pictures_most: int
    picture_bytes_most: int
    security_phone: str | None


class TipGiven(Shown):
    """The number, and the code that is shown this once."""

    reference: str
    code: str


class NoteShown(Shown):
    """Words of the hospital to whoever told."""

    at: Instant
    words: str


class FollowedShown(Shown):
    """Where a tip stands; nothing of what was told."""

    reference: str
    state: str
    told_at: Instant
    changed_at: Instant
    notes: list[NoteShown]
    additions: int
    pictures: int


@routes.get("/tips", responses=failures(401, 429), summary="举报须知 How tips are taken")
def terms(visit: Visiting, system: Here) -> TermsShown:
    """现在能否举报，保存多久。 Whether a tip would be taken now, and how long it is kept."""
    limits = system.settings.tip_limits()
    with system.db.read() as connection:
        check_taken(
            connection, system.vault, origin=Origin(address=visit.ip), limits=limits, now_us=system.clock.now_us()
        )
    return TermsShown(
        keep_days=system.settings.tip_keep_days,
        pictures_most=limits.pictures_a_tip,
        picture_bytes_most=system.settings.max_photo_bytes,
        security_phone=limits.call,
    )


@routes.post("/tips", status_code=201, responses=_WRITE, response_model=TipGiven, summary="举报 Tell of a scalper")
def told(body: TipBody, visit: Visiting, write: ChannelWrite, system: Here) -> Response:
    """可不留姓名；查询码只显示一次。 Nobody need say who they are; the code is shown once."""
    given = body.model_dump()
    about = About(doctor_id=given.pop("doctor_id"), session_id=given.pop("session_id"))
    origin = Origin(address=visit.ip, browser=given.pop("device_id"))
    limits = system.settings.tip_limits()
    said = read_told(given)
    with system.db.read() as connection:
        if replay(connection, write.once) is None:  # what was told before is said again, however full it is now
            check_taken(connection, system.vault, origin=origin, limits=limits, now_us=write.now_us)

    def act(connection: Connection) -> dict[str, str]:
        made = tell(
            connection,
            system.vault,
            said,
            about=about,
            channel=visit.channel,
            origin=origin,
            limits=limits,
            randomness=system.randomness,
            now_us=write.now_us,
        )
        return {"reference": made.reference, "code": system.vault.seal(made.code, purpose=_ANSWER_CODE)}

    def show(kept: dict[str, str]) -> dict[str, str]:
        code = system.vault.open(kept["code"], purpose=_ANSWER_CODE)
        return {"reference": in_groups(kept["reference"]), "code": in_groups(code)}

    return write.answer(act, status=201, show=show)


@routes.post("/tips/look-up", responses=failures(400, 401, 404, 415, 422, 429), summary="查询举报 What came of a tip")
def look_up(body: CodeBody, visit: Visiting, system: Here) -> FollowedShown:
    """凭编号与查询码。 By number and code."""
    return _shown(follow(system.db, system.vault, _tip(system, visit, body)))


@routes.post("/tips/additions", responses=_WRITE, response_model=FollowedShown, summary="补充举报 Add to a tip")
def add(body: MoreBody, visit: Visiting, write: ChannelWrite, system: Here) -> Response:
    """凭编号与查询码。 By number and code."""
    tip, limits = _tip(system, visit, body), system.settings.tip_limits()

    def act(connection: Connection) -> None:
        add_words(connection, system.vault, tip.id, body.words, limits=limits, now_us=write.now_us)

    return write.answer(act, show=lambda _: _now(system, tip))


@routes.post(
    "/tips/pictures", status_code=201, responses=_WRITE, response_model=FollowedShown, summary="补充图片 Add a picture"
)
def picture(body: PictureBody, visit: Visiting, write: ChannelWrite, system: Here) -> Response:
    """只留画面：位置、时间、设备等信息一律去除。 What one sees is kept: no place, no time, no camera."""
    from shouhao.flows.tip_pictures import written_anew  # noqa: PLC0415 - reading pictures takes a library to import

    tip, limits = _tip(system, visit, body), system.settings.tip_limits()
    origin = Origin(address=visit.ip)
    count_picture(system.db, system.vault, origin=origin, limits=limits, now_us=write.now_us)
    kept = written_anew(_decoded(body.picture), bytes_max=system.settings.max_photo_bytes)

    def act(connection: Connection) -> None:
        add_picture(connection, system.vault, tip.id, kept, limits=limits, now_us=write.now_us)

    return write.answer(act, status=201, show=lambda _: _now(system, tip))


def _tip(system: System, visit: Visit, body: CodeBody) -> Tip:
    return known_tip(
        system.db,
        system.vault,
        reference=body.reference,
        code=body.code,
        origin=Origin(address=visit.ip),
        limits=system.settings.tip_limits(),
        now_us=system.clock.now_us(),
    )


def _now(system: System, tip: Tip) -> dict[str, Any]:
    return _shown(follow(system.db, system.vault, tip)).model_dump(mode="json")


def _shown(it: Followed) -> FollowedShown:
    return FollowedShown(
        reference=in_groups(it.reference),
        state=it.state,
        told_at=it.told_at_us,
        changed_at=it.changed_at_us,
        notes=[NoteShown(at=note.at_us, words=note.words) for note in it.notes],
        additions=it.additions,
        pictures=it.pictures,
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("picture", zh="须为 base64 编码", en="must be base64") from None
