"""Entries: what became of one's own, and taking one back while entries are taken. Entering is `enter.py`."""

from typing import Any, Literal

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from shouhao.booking.entering import RECEIPT_POLICY, Receipt, ticket
from shouhao.booking.outcomes import Outcome, outcome_words
from shouhao.booking.receipts import sign_receipt
from shouhao.booking.store.draws_seen import EntrySeen, entries_of_people
from shouhao.flows.enter import withdraw
from shouhao.kernel.clock import iso
from shouhao.kernel.errors import NotFound
from shouhao.web.depends import Here, MemberWrite, SignedIn
from shouhao.web.description import REF, failures
from shouhao.web.fields import Id, Instant, Shown
from shouhao.web.handlers import JSON
from shouhao.web.public.draws import Words
from shouhao.web.public.mine import my_patients, shown_people

routes = APIRouter(prefix="/api/v1", tags=["draws"])

_MOST = 100


class EntryShown(Shown):
    """One entry. `place` is its place in the drawn order; `waits` are the waitlists on which it then stands."""

    entry_id: str
    draw_id: str
    kind: str
    state: str
    what: Words
    patient_ids: list[str]
    tickets: list[str]
    wishes: list[str]
    entered_at: Instant
    closes_at: Instant
    draw_state: str
    place: int | None
    entries: int | None
    won_session_id: str | None
    booking_ids: list[str]
    accept_by: Instant | None
    waits: list[str]
    left_out: str | None


class EntriesShown(Shown):
    """Entries, newest first."""

    entries: list[EntryShown]


class WithdrawnShown(Shown):
    """An entry that was taken back."""

    entry_id: str
    state: Literal["withdrawn"]


@routes.get("/entries", responses=failures(401, 403), summary="我的报名 My entries")
def list_entries(member: SignedIn, system: Here) -> EntriesShown:
    """本账号就诊人的报名及结果，最近的在前。 Those of the account's patients, and what became of each."""
    with system.db.read() as connection:
        mine = my_patients(connection, member.account_id)
        found = entries_of_people(connection, mine, limit=_MOST)
    return EntriesShown(entries=[_shown(seen, member.account_id, set(mine)) for seen in found])


@routes.get(
    "/entries/{entry_id}/receipt",
    responses={
        200: {"content": {JSON: {"schema": {"$ref": REF.format(name="SignedReceipt")}}}},
        **failures(401, 403, 404, 422),
    },
    response_class=Response,
    summary="再看回执 The receipt again",
)
def show_receipt_again(entry_id: Id, member: SignedIn, system: Here) -> Response:
    """报名现在的内容，重新签名；已撤回的没有。 The entry as it stands, signed; there is none once it is taken back."""
    with system.db.read() as connection:
        mine = my_patients(connection, member.account_id)
        found = entries_of_people(connection, mine, limit=_MOST)
    seen = next((one for one in found if one.entry.id == entry_id), None)
    if seen is None or seen.entry.account_id != member.account_id or seen.entry.state == "withdrawn":
        raise NotFound("entry", "entry_id")
    entry, draw = seen.entry, seen.draw
    receipt = Receipt(
        entry_id=entry.id,
        draw_id=draw.id,
        kind=draw.kind,
        patient_ids=entry.people,
        tickets=tuple(ticket(draw.salt, person) for person in entry.people),
        wishes=entry.wishes,
        entered_at=iso(entry.entered_at_us),
        closes_at=iso(draw.closes_at_us),
        policy=RECEIPT_POLICY,
    )
    return Response(sign_receipt(receipt, system.draw_keys), media_type=JSON)


@routes.post(
    "/entries/{entry_id}/withdraw",
    response_model=WithdrawnShown,
    responses=failures(400, 401, 403, 404, 409, 422),
    summary="撤回报名 Withdraw an entry",
)
def withdraw_entry(entry_id: Id, member: SignedIn, write: MemberWrite) -> Response:
    """报名截止前可撤回，抽签与候补皆可；之后可再报名。 Until entries close; one may enter again."""

    def act(connection: Connection) -> dict[str, Any]:
        withdraw(connection, entry_id=entry_id, caller=member.caller(), now_us=write.now_us)
        return {"entry_id": entry_id, "state": "withdrawn"}

    return write.answer(act)


def _shown(seen: EntrySeen, account_id: str, mine: set[str]) -> EntryShown:
    entry, draw = seen.entry, seen.draw
    people = shown_people(entry.people, by=entry.account_id, account_id=account_id, mine=mine)
    won = [b for b in seen.won if b.patient_id in people]
    deadlines = [b.hold_expires_at_us for b in won if b.state == "offered" and b.hold_expires_at_us is not None]
    accept_by = min(deadlines, default=None)
    live = [w for w in seen.waits if w.state in {"waiting", "offered"}]
    what = outcome_words(
        Outcome(
            kind=draw.kind,
            draw_state=draw.state,
            closes_at_us=draw.closes_at_us,
            state=entry.state,
            left_out=entry.left_out,
            place=entry.place,
            entries=seen.entries,
            booking_states=frozenset(b.state for b in won),
            confirm_by_us=accept_by,
            waits=len(live),
        )
    )
    return EntryShown(
        entry_id=entry.id,
        draw_id=draw.id,
        kind=draw.kind,
        state=entry.state,
        what=Words(zh=what.zh, en=what.en),
        patient_ids=people,
        tickets=[ticket(draw.salt, person) for person in people],
        wishes=list(entry.wishes),
        entered_at=entry.entered_at_us,
        closes_at=draw.closes_at_us,
        draw_state=draw.state,
        place=entry.place,
        entries=seen.entries if entry.place is not None else None,
        won_session_id=entry.session_id,
        booking_ids=[b.id for b in won],
        accept_by=accept_by,
        waits=[w.id for w in live],
        left_out=entry.left_out,
    )
