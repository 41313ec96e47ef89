"""Draws for staff and second parties: how each stands, what it waits for, and what is given to its seed.

Also the way into draws and onto waitlists for who comes to a window or calls, and the ways that slots went.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.booking.entering import DrawUnknown
from shouhao.booking.model import EntryRequest, SessionUnknown
from shouhao.booking.receipts import show_receipt
from shouhao.booking.store import draws as draw_store
from shouhao.booking.store import waits as wait_store
from shouhao.booking.store.draws import Draw, Given, Target
from shouhao.booking.waitlist import MOVES, WHYS, SeenMove, explain
from shouhao.flows.contribute import (
    commit_witness,
    enter_beacon,
    fall_back,
    fall_back_from_us,
    reveal_witness,
)
from shouhao.flows.draws import missing
from shouhao.flows.enter import withdraw
from shouhao.flows.give_back import Caller
from shouhao.flows.once import DONE
from shouhao.kernel.clock import DAY_US
from shouhao.staff.model import Role, require
from shouhao.web.console.bookings import AssistedChannel, address_of
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import REF, failures
from shouhao.web.fields import Body, Id, Instant, LongText, Moment, Shown, Whole
from shouhao.web.handlers import JSON
from shouhao.web.idempotent import Write
from shouhao.web.public.at_desk import ask_desk
from shouhao.wiring import System

routes = APIRouter(prefix="/api/v1/staff", tags=["draws"])

_MOST_DRAWS = 200
_MOST_MOVES = 1000
_READERS: tuple[Role, ...] = ("window", "outpatient_office", "approver", "auditor", "witness")
_LOOK = failures(401, 403, 404, 422)
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
_RECEIPT = {JSON: {"schema": {"$ref": REF.format(name="SignedReceipt")}}}
_GIVES_RECEIPT: dict[int | str, dict[str, Any]] = {201: {"description": "回执 The receipt", "content": _RECEIPT}}

Hex = Annotated[str, Field(pattern="^(?:[0-9a-f]{2}){1,64}$")]


class CommitmentBody(Body):
    """SHA-256 over the draw's id, the witness's id and the value, as `shouhao draw witness` makes it."""

    commitment: Hex


class RevealBody(Body):
    """The value that was committed to."""

    value: Hex


class BeaconBody(Body):
    """What a person read at the beacon."""

    round: Whole
    value: Hex


class FallBackBody(Body):
    """Why the draw goes on without what is missing; patients are shown that it did."""

    reason: LongText


class PeopleBody(Body):
    """Who asks, together, at the window or on the phone."""

    patient_ids: Annotated[list[Id], Field(min_length=1, max_length=20)]
    channel: AssistedChannel = "window"


class EntryBody(PeopleBody):
    """Their wishes, sessions of the draw, best first."""

    wishes: Annotated[list[Id], Field(min_length=1, max_length=20)]


class TargetShown(Shown):
    """A session that the draw allots."""

    session_id: str
    seats: int
    label: str


class ContributionShown(Shown):
    """What somebody outside gives to the seed; a value is shown once it counts."""

    kind: str
    who: str
    commitment: str | None
    given: bool
    value: str | None
    entered_by: str | None


class DrawListed(Shown):
    """A draw in a list."""

    draw_id: str
    kind: str
    department_id: str
    state: str
    opens_at: Instant
    closes_at: Instant
    scope: str
    version: int
    witnesses: int
    beacon: str
    commitment: str | None
    root: str | None
    sealed_at: Instant | None
    made_at: Instant | None
    fallen_back: str | None
    entries: int


class DrawList(Shown):
    """Draws, the next to close first."""

    draws: list[DrawListed]


class DrawShown(DrawListed):
    """A draw with its sessions, what was given to its seed and what it still waits for."""

    beacon_round: int | None
    targets: list[TargetShown]
    contributions: list[ContributionShown]
    missing: list[str]
    fall_back_from: Instant | None
    file_sha256: str | None


class BeaconShown(Shown):
    """`waiting` for a second person, `counts`, or `differs`: both look again."""

    state: Literal["waiting", "counts", "differs"]


class WayShown(Shown):
    """One step on the way of a slot, with what happened and why in words."""

    slot_id: str
    number: int
    at: Instant
    way: str
    why: str
    zh: str
    en: str
    wait_id: str | None
    booking_id: str | None


class WaysShown(Shown):
    """The latest ways of a session's slots, oldest first; `cut` when there were more before them."""

    session_id: str
    ways: list[WayShown]
    cut: bool


@routes.get("/draws", responses=failures(401, 403, 422), summary="抽签 Draws")
def list_draws(
    operator: OnDuty,
    system: Here,
    department_id: Annotated[Id | None, Query()] = None,
    kind: Literal["release", "waitlist"] = "release",
    closing_after: Annotated[Moment | None, Query()] = None,
) -> DrawList:
    """默认为一天之内截止及以后的抽签。 Those that close later than a day ago, unless another moment is given."""
    require(operator, *_READERS)
    since_us = system.clock.now_us() - DAY_US if closing_after is None else closing_after
    with system.db.read() as connection:
        found = draw_store.list_draws(
            connection, department_id=department_id, kind=kind, since_us=since_us, limit=_MOST_DRAWS
        )
        counts = draw_store.count_entries(connection, [d.id for d in found])
    return DrawList(draws=[DrawListed(**_listed(draw, counts.get(draw.id, 0))) for draw in found])


@routes.get("/draws/{draw_id}", responses=_LOOK, summary="一次抽签 One draw")
def show_draw(draw_id: Id, operator: OnDuty, system: Here) -> DrawShown:
    """其状态、参与方与所缺。 How it stands, who took part, what is missing."""
    require(operator, *_READERS)
    with system.db.read() as connection:
        return _draw_shown(connection, draw_id)


@routes.post(
    "/draws/{draw_id}/commitment",
    status_code=201,
    responses=_WRITE,
    response_model=DrawShown,
    summary="见证方承诺 Commit as a witness",
)
def commit(draw_id: Id, body: CommitmentBody, operator: OnDuty, write: StaffWrite) -> Response:
    """截止之前，每个见证方一次。 Before the close, once a witness."""
    require(operator, "witness")

    def act(connection: Connection) -> dict[str, Any]:
        commit_witness(
            connection, draw_id=draw_id, staff_id=operator.id, commitment=body.commitment, now_us=write.now_us
        )
        return _draw_shown(connection, draw_id).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/draws/{draw_id}/reveal",
    responses=_WRITE,
    response_model=DrawShown,
    summary="见证方公开数值 Reveal as a witness",
)
def reveal(draw_id: Id, body: RevealBody, operator: OnDuty, write: StaffWrite) -> Response:
    """名单封存之后，须与承诺相符。 After the seal; it must match the commitment."""
    require(operator, "witness")

    def act(connection: Connection) -> dict[str, Any]:
        reveal_witness(connection, draw_id=draw_id, staff_id=operator.id, value=body.value, now_us=write.now_us)
        return _draw_shown(connection, draw_id).model_dump(mode="json")

    return write.answer(act)


@routes.post(
    "/draws/{draw_id}/beacon",
    responses=_WRITE,
    response_model=BeaconShown,
    summary="录入信标数值 Write the beacon's value down",
)
def beacon(draw_id: Id, body: BeaconBody, operator: OnDuty, write: StaffWrite) -> Response:
    """由两人分别录入，一致才生效；不一致则作废重录。 Two people write it down; it counts when they agree."""
    require(operator, "outpatient_office", "approver")

    def act(connection: Connection) -> dict[str, str]:
        said = enter_beacon(
            connection,
            draw_id=draw_id,
            staff_id=operator.id,
            number=body.round,
            value=body.value,
            now_us=write.now_us,
        )
        return {"state": said}

    return write.answer(act)


@routes.post(
    "/draws/{draw_id}/fall-back",
    responses=_WRITE,
    response_model=DrawShown,
    summary="缺少参与方时继续抽签 Go on without what is missing",
)
def go_on(draw_id: Id, body: FallBackBody, operator: OnDuty, write: StaffWrite) -> Response:
    """公布的文件会写明较低的可信程度。 The published file states the lower level of trust."""
    require(operator, "approver")

    def act(connection: Connection) -> dict[str, Any]:
        fall_back(connection, draw_id=draw_id, staff_id=operator.id, reason=body.reason, now_us=write.now_us)
        return _draw_shown(connection, draw_id).model_dump(mode="json")

    return write.answer(act)


@routes.post(
    "/draws/{draw_id}/entries",
    status_code=201,
    responses={**_GIVES_RECEIPT, **_WRITE},
    summary="窗口代为参加抽签 Enter a draw for patients",
)
async def enter(
    draw_id: Id, body: EntryBody, operator: OnDuty, write: StaffWrite, system: Here, request: Request
) -> Response:
    """与线上机会相同，先后不起作用。 The same chance as online; when it came plays no part."""
    require(operator, "window")
    asked = EntryRequest(
        patient_ids=tuple(body.patient_ids),
        draw_id=draw_id,
        wishes=tuple(body.wishes),
        channel=body.channel,
        staff_id=operator.id,
        ip=address_of(request),
        user_agent=write.heard.user_agent or None,
        once=write.once,
    )
    return await _enter(system, write, asked, lane_key=draw_id)


@routes.post(
    "/sessions/{session_id}/waits",
    status_code=201,
    responses={**_GIVES_RECEIPT, **_WRITE},
    summary="窗口代为加入候补 Join a waitlist for patients",
)
async def wait(
    session_id: Id, body: PeopleBody, operator: OnDuty, write: StaffWrite, system: Here, request: Request
) -> Response:
    """同一批加入者一起抽出顺序。 Those who join in one batch are put in order together, by draw."""
    require(operator, "window")
    asked = EntryRequest(
        patient_ids=tuple(body.patient_ids),
        session_id=session_id,
        channel=body.channel,
        staff_id=operator.id,
        ip=address_of(request),
        user_agent=write.heard.user_agent or None,
        once=write.once,
    )
    return await _enter(system, write, asked, lane_key=session_id)


@routes.post(
    "/entries/{entry_id}/withdraw",
    status_code=204,
    responses=failures(400, 401, 403, 404, 409, 422),
    summary="窗口代为撤回报名 Withdraw an entry for patients",
)
def withdraw_entry(entry_id: Id, operator: OnDuty, write: StaffWrite) -> Response:
    """截止之前；再次参加得到同一份登记。 Before the close; entering again gives the same entry."""
    require(operator, "window")
    caller = Caller(channel="window", staff_id=operator.id)
    return write.answer(
        lambda connection: withdraw(connection, entry_id=entry_id, caller=caller, now_us=write.now_us), status=204
    )


@routes.get("/sessions/{session_id}/ways", responses=_LOOK, summary="号源去向 The ways of a session's slots")
def ways(session_id: Id, operator: OnDuty, system: Here, since: Annotated[Moment | None, Query()] = None) -> WaysShown:
    """每一步都有记录和说明。 Each step is on record and explained."""
    require(operator, "window", "outpatient_office", "auditor")
    with system.db.read() as connection:
        if session_id not in wait_store.places(connection, [session_id]):
            raise SessionUnknown("session_id")
        found = wait_store.moves_of(connection, session_id, since_us=since or 0, limit=_MOST_MOVES + 1)
        slots = wait_store.slots_by_id(connection, {move.slot_id for move in found})
    shown = found[-_MOST_MOVES:]
    return WaysShown(
        session_id=session_id,
        ways=[_way(move, slots[move.slot_id].number) for move in shown],
        cut=len(found) > len(shown),
    )


def _way(move: wait_store.Move, number: int) -> WayShown:
    way, why = next(w for w in MOVES if w == move.way), next(w for w in WHYS if w == move.why)
    (words,) = explain([SeenMove(way=way, why=why)])
    return WayShown(
        slot_id=move.slot_id,
        number=number,
        at=move.at_us,
        way=way,
        why=why,
        zh=words.zh,
        en=words.en,
        wait_id=move.wait_id,
        booking_id=move.booking_id,
    )


async def _enter(system: System, write: Write, asked: EntryRequest, *, lane_key: str) -> Response:
    said = await ask_desk(system.desk, asked, lane_key=lane_key)
    if said.status != DONE:
        return write.told(said)
    return Response(show_receipt(said.body, system.draw_keys), 201, media_type=JSON)


def _draw_shown(connection: Connection, draw_id: str) -> DrawShown:
    draw = draw_store.find_draw(connection, draw_id)
    if draw is None:
        raise DrawUnknown("draw_id")
    given = draw_store.contributions_of(connection, draw_id)
    file = draw_store.file_of(connection, draw_id)
    lacks = missing(draw, given) if draw.kind == "release" and draw.state != "made" else []
    targets: list[Target] = draw_store.targets_of(connection, [draw_id]).get(draw_id, [])
    return DrawShown(
        **_listed(draw, draw_store.count_entries(connection, [draw_id]).get(draw_id, 0)),
        beacon_round=draw.beacon_round,
        targets=[TargetShown(session_id=t.session_id, seats=t.seats, label=t.label) for t in targets],
        contributions=[_contribution(g) for g in given],
        missing=lacks,
        fall_back_from=fall_back_from_us(draw, lacks) if lacks and draw.state == "sealed" else None,
        file_sha256=None if file is None else file[1],
    )


def _listed(draw: Draw, entries: int) -> dict[str, Any]:
    rules = draw.ruled_by.policy.draw
    return {
        "draw_id": draw.id,
        "kind": draw.kind,
        "department_id": draw.department_id,
        "state": draw.state,
        "opens_at": draw.opens_at_us,
        "closes_at": draw.closes_at_us,
        "scope": draw.ruled_by.scope,
        "version": draw.ruled_by.version,
        "witnesses": rules.witnesses if draw.kind == "release" else 0,
        "beacon": rules.beacon if draw.kind == "release" else "",
        "commitment": draw.commitment,
        "root": draw.root,
        "sealed_at": draw.sealed_at_us,
        "made_at": draw.made_at_us,
        "fallen_back": draw.fallen_back,
        "entries": entries,
    }


def _contribution(given: Given) -> ContributionShown:
    return ContributionShown(
        kind=given.kind,
        who=given.who,
        commitment=given.commitment,
        given=given.given,
        # A second person who is shown what the first one wrote reads it here and not at the beacon.
        value=given.value if given.given else None,
        entered_by=given.staff_id,
    )
