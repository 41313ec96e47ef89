"""Draws in public: what is allotted when, what was sealed, what came of it; and the proof that an entry stands in it.

Entering is `enter.py`; what became of one's own entries is `entries.py`.
"""

import base64
import binascii
import gzip
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field

from shouhao.booking.entering import DrawUnknown
from shouhao.booking.outcomes import DrawNotMade, DrawNotSealed
from shouhao.booking.release.draw_form import TRUST
from shouhao.booking.release.policy import DrawRules
from shouhao.booking.release.seal import trust_of
from shouhao.booking.store import draws as draw_store
from shouhao.booking.store import draws_seen
from shouhao.booking.store.draws_seen import DrawSeen
from shouhao.booking.store.entries import find_entry
from shouhao.flows.draws import missing
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.patients.store import bindings_of_account
from shouhao.web.depends import Here, SignedIn, Visiting
from shouhao.web.description import failures
from shouhao.web.fields import Id, Instant, Moment, Shown
from shouhao.web.handlers import JSON
from shouhao.web.public.sealed_lists import SealedLists

routes = APIRouter(prefix="/api/v1", tags=["draws"])

_RECENT_US = 7 * DAY_US
_MOST = 100


class Words(Shown):
    """The same in both languages."""

    zh: str
    en: str


class TargetShown(Shown):
    """A session of a draw; no seats means that only the order counts."""

    session_id: str
    seats: int
    label: str


class TrustShown(Shown):
    """Whom one must trust: `sealed`, `witnessed` or `public`, as promised and, once drawn, as it came about."""

    promised: str
    reached: str | None
    words: Words


class DrawShown(Shown):
    """A draw. `waits_for` names what was promised and not given yet; `fallen_back` why it went on without."""

    draw_id: str
    kind: str
    department_id: str
    state: str
    opens_at: Instant
    closes_at: Instant
    sealed_at: Instant | None
    made_at: Instant | None
    sessions: list[TargetShown]
    wishes_max: int
    people_max: int
    confirm_s: int
    policy_scope: str
    policy_version: int
    entries: int
    commitment: str | None
    root: str | None
    beacon_round: int | None
    trust: TrustShown
    waits_for: list[str]
    fallen_back: str | None
    file_sha256: str | None


class DrawPageShown(Shown):
    """Some draws, the earliest to close first; `cursor` asks for those that follow."""

    draws: list[DrawShown]
    cursor: str | None


class ReceiptKeyShown(Shown):
    """The key that receipts are checked with."""

    algorithm: Literal["Ed25519"]
    receipt_key: str


class ProofShown(Shown):
    """An entry's place in the sealed list, to be checked against `root` as in RFC 9162, section 2.1.3.2."""

    draw_id: str
    entry_id: str
    leaf: str
    index: int
    size: int
    proof: list[str]
    root: str


async def _sealed_lists(request: Request) -> SealedLists:
    kept: SealedLists = request.app.state.sealed_lists
    return kept


Lists = Annotated[SealedLists, Depends(_sealed_lists)]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "公开文件 The published file", "content": {JSON: {"schema": {"type": "object"}}}},
    304: {"description": "没有变化 Not changed"},
}


@routes.get("/draws", responses=failures(401, 422), summary="抽签列表 Coming and recent draws")
def list_draws(
    _visit: Visiting,
    system: Here,
    *,
    department_id: Id | None = None,
    kind: Literal["release", "waitlist"] = "release",
    since: Moment | None = None,
    cursor: Annotated[str | None, Field(max_length=200)] = None,
    limit: Annotated[int, Field(ge=1, le=_MOST)] = 50,
) -> DrawPageShown:
    """已开始报名的与最近七天的抽签；`since` 可查更早的。 Those that take entries and those of the last seven days.

    `since` asks for earlier ones; `kind` `waitlist` for the draws that put batches of a waitlist in order.
    """
    since_us = system.clock.now_us() - _RECENT_US if since is None else since
    with system.db.read() as connection:
        page = draws_seen.draw_page(
            connection,
            department_id=department_id,
            kind=kind,
            since_us=since_us,
            after=None if cursor is None else _read_cursor(cursor),
            limit=limit,
        )
    return DrawPageShown(
        draws=[_shown(seen) for seen in page.draws], cursor=None if page.after is None else _cursor(page.after)
    )


@routes.get("/draws/receipt-key", responses=failures(401), summary="回执公钥 The key of receipts")
def receipt_key(_visit: Visiting, system: Here) -> ReceiptKeyShown:
    """用它核对报名回执的签名。 Receipts are checked with it."""
    return ReceiptKeyShown(algorithm="Ed25519", receipt_key=system.draw_keys.public_hex)


@routes.get("/draws/{draw_id}", responses=failures(401, 404, 422), summary="查看抽签 One draw")
def show_draw(draw_id: Id, _visit: Visiting, system: Here) -> DrawShown:
    """号源、时间、承诺、名单根值与进展。 What it allots, its times, its commitment and root, and how far it is."""
    with system.db.read() as connection:
        seen = draws_seen.see_draws(connection, [draw_id]).get(draw_id)
    if seen is None:
        raise DrawUnknown("draw_id")
    return _shown(seen)


@routes.get(
    "/draws/{draw_id}/file",
    responses={**_FILE, **failures(401, 404, 422)},
    response_class=Response,
    summary="抽签公开文件 The published file",
)
def draw_file(
    draw_id: Id,
    _visit: Visiting,
    system: Here,
    accept_encoding: Annotated[str, Header(alias="Accept-Encoding", include_in_schema=False)] = "",
    if_none_match: Annotated[str, Header(alias="If-None-Match", include_in_schema=False)] = "",
) -> Response:
    """凭此文件任何人都可重算抽签；其 SHA-256 即 ETag。 Anyone repeats the draw from it; its SHA-256 is the ETag."""
    with system.db.read() as connection:
        kept = draw_store.file_of(connection, draw_id)
        if kept is None and draw_store.find_draw(connection, draw_id) is None:
            raise DrawUnknown("draw_id")
    if kept is None:
        raise DrawNotMade("draw_id")
    packed, digest = kept
    headers = {"etag": f'"{digest}"', "vary": "accept-encoding"}
    if digest in if_none_match:
        return Response(status_code=304, headers=headers)
    if _takes_gzip(accept_encoding):
        return Response(packed, media_type=JSON, headers={**headers, "content-encoding": "gzip"})
    return Response(gzip.decompress(packed), media_type=JSON, headers=headers)


@routes.get(
    "/draws/{draw_id}/proof",
    responses=failures(401, 403, 404, 409, 422),
    summary="名单包含证明 Proof of an entry",
)
def proof(draw_id: Id, entry_id: Annotated[Id, Query()], member: SignedIn, system: Here, lists: Lists) -> ProofShown:
    """报名封存后，证明自己的报名在名单之内。 Once the list is sealed: that one's own entry stands in it."""
    with system.db.read() as connection:
        draw = draw_store.find_draw(connection, draw_id)
        entry = find_entry(connection, entry_id)
        mine = {b.patient_id for b in bindings_of_account(connection, member.account_id) if b.unbound_at_us is None}
    if draw is None:
        raise DrawUnknown("draw_id")
    if (
        entry is None
        or entry.draw_id != draw_id
        or not (entry.account_id == member.account_id or mine & set(entry.people))
    ):
        raise NotFound("entry", "entry_id")
    if draw.root is None:
        raise DrawNotSealed("draw_id")
    found = lists.proof(draw, entry_id)
    if found is None:
        raise NotFound("entry", "entry_id")
    return ProofShown(
        draw_id=draw_id,
        entry_id=entry_id,
        leaf=found.leaf,
        index=found.index,
        size=found.size,
        proof=list(found.hashes),
        root=draw.root,
    )


def _shown(seen: DrawSeen) -> DrawShown:
    draw = seen.draw
    rules = draw.ruled_by.policy.draw
    ordered = draw.kind == "waitlist"  # such a draw takes no contributions
    promised = "sealed" if ordered else _promised(rules)
    reached = None
    if draw.made_at_us is not None:
        reached = (
            "sealed" if ordered else trust_of([draw_store.as_contribution(g, draw) for g in seen.given if g.given])
        )
    says = TRUST[reached or promised]  # type: ignore[index]
    return DrawShown(
        draw_id=draw.id,
        kind=draw.kind,
        department_id=draw.department_id,
        state=draw.state,
        opens_at=draw.opens_at_us,
        closes_at=draw.closes_at_us,
        sealed_at=draw.sealed_at_us,
        made_at=draw.made_at_us,
        sessions=[TargetShown(session_id=t.session_id, seats=t.seats, label=t.label) for t in seen.targets],
        wishes_max=1 if ordered else rules.wishes_max,
        people_max=draw.ruled_by.policy.waitlist.people_max if ordered else rules.people_max,
        confirm_s=draw.ruled_by.policy.waitlist.offer_s if ordered else rules.confirm_s,
        policy_scope=draw.ruled_by.scope,
        policy_version=draw.ruled_by.version,
        entries=seen.entries,
        commitment=draw.commitment,
        root=draw.root,
        beacon_round=draw.beacon_round,
        trust=TrustShown(promised=promised, reached=reached, words=Words(zh=says["zh"], en=says["en"])),
        waits_for=[] if ordered or draw.state == "made" else missing(draw, seen.given),
        fallen_back=draw.fallen_back,
        file_sha256=seen.file_sha256,
    )


def _promised(rules: DrawRules) -> str:
    return "public" if rules.beacon else "witnessed" if rules.witnesses else "sealed"


def _takes_gzip(accept_encoding: str) -> bool:
    """Whether gzip is asked for and not ruled out.

    >>> _takes_gzip("br, gzip;q=0.5"), _takes_gzip("gzip;q=0"), _takes_gzip("")
    (True, False, False)
    """
    for one in accept_encoding.lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _cursor(after: tuple[int, str]) -> str:
    return base64.urlsafe_b64encode(f"{after[0]}|{after[1]}".encode()).rstrip(b"=").decode()


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        at, mark, last_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition("|")
        at_us = int(at)
    except (binascii.Error, ValueError):
        mark = ""
    if not mark or "\0" in last_id or not 0 <= at_us < 2**62:
        raise InvalidInput("cursor", zh="不是上一页给出的值", en="is not what the page before gave")
    return at_us, last_id
