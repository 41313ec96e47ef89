"""Sessions of staff: short, bound to the network zone in which they began, known by a random cookie stored as a hash.

A new one begins with each sign-in, whatever cookie the browser brought, so that nobody can plant one (fixation). One
that turns up in another zone is ended: it was carried there. Whoever has only the one-time login is in the stage
`setup` and may set a password and a second factor, nothing else.
Source: OWASP ASVS 5.0 chapter 7.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import Literal

import structlog
from sqlalchemy import Connection

from shouhao.kernel.clock import MINUTE_US, SECOND_US
from shouhao.kernel.errors import Refused
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.kernel.randomness import Randomness
from shouhao.staff import sessions_store as store
from shouhao.staff.model import Operator
from shouhao.store import event_log
from shouhao.store.engine import Database

Stage = Literal["setup", "full"]

_COOKIE_BYTES = 32
_COOKIE_CHARS = 43
_SEEN_EVERY_US = MINUTE_US  #: a look at each request would be a write at each request
_SETUP_S = 900
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How long a session lasts."""

    idle_s: int = 900  #: without a request
    longest_s: int = 28_800  #: whatever happens


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is signed in, in this zone, for now."""

    id: str  #: names it in events; never the cookie
    operator: Operator
    login: str
    stage: Stage
    zone: str
    began_at_us: int
    seen_at_us: int
    ends_at_us: int


class SessionEnded(Refused):
    """The session is over, was never there, or belongs elsewhere."""

    code = "staff.session_ended"
    zh = "登录已结束，请重新登录"
    en = "The session has ended; sign in again"


class SetupNeeded(Refused):
    """A password and a second factor come first."""

    code = "staff.setup_needed"
    zh = "请先设置密码和动态口令"
    en = "Set a password and a second factor first"


def csrf_token(cookie: str) -> str:
    """What a page has to send along with each write: made from the cookie, which no other site can read."""
    return _base64(hmac.digest(cookie.encode("utf-8", "surrogatepass"), b"shouhao.csrf", "sha256"))


def is_csrf_token(cookie: str, given: str) -> bool:
    """Whether this is that token."""
    return hmac.compare_digest(csrf_token(cookie).encode(), given.encode("utf-8", "surrogatepass"))


def begin(
    connection: Connection,
    operator: Operator,
    *,
    stage: Stage,
    zone: str,
    settings: SessionSettings,
    now_us: int,
    randomness: Randomness,
    address: str | None = None,
    replaces: str | None = None,
) -> tuple[str, str, int]:
    """Begin a session; returns its cookie, its id, and when it ends at the latest.

    Args:
        replaces: the cookie that the browser brought; its session, if it is one, ends here.
    """
    if replaces:
        end(connection, replaces, why="replaced", now_us=now_us)
    cookie = _base64(randomness.token(_COOKIE_BYTES))
    longest_s = settings.longest_s if stage == "full" else min(_SETUP_S, settings.longest_s)
    public_id, ends_at_us = new_id("ss"), now_us + longest_s * SECOND_US
    store.add(
        connection,
        {
            "id_hash": _hash(cookie),
            "public_id": public_id,
            "operator_id": operator.id,
            "stage": stage,
            "zone": zone,
            "began_at_us": now_us,
            "seen_at_us": now_us,
            "ends_at_us": ends_at_us,
        },
    )
    told = {"session": public_id, "stage": stage, "zone": zone}
    event = Event(at_us=now_us, kind="staff_signed_in", staff_id=operator.id, ip=address, detail=told)
    event_log.append(connection, [event])
    return cookie, public_id, ends_at_us


def resume(db: Database, cookie: str, *, zone: str | None, settings: SessionSettings, now_us: int) -> Session:
    """The session behind a cookie, seen again now.

    Args:
        zone: the configured network that the request came from.
    Raises:
        SessionEnded: there is none, it is over, it was idle too long, or it began in another zone.
    """
    if len(cookie) != _COOKIE_CHARS or not cookie.isascii():
        raise SessionEnded
    with db.read() as connection:
        session = store.find(connection, _hash(cookie))
    if session is None or session.ends_at_us <= now_us or session.seen_at_us + settings.idle_s * SECOND_US <= now_us:
        raise SessionEnded
    if zone is None or session.zone != zone:
        with db.write() as connection:
            end(connection, cookie, why="other_zone", now_us=now_us)
        _log.error("staff_session_elsewhere", session=session.id, operator_id=session.operator.id)
        raise SessionEnded
    if session.seen_at_us + _SEEN_EVERY_US <= now_us:
        with db.write() as connection:
            store.see(connection, _hash(cookie), now_us=now_us)
        session = replace(session, seen_at_us=now_us)
    return session


def is_open(connection: Connection, session: Session) -> bool:
    """Whether nobody has ended this session since it was resumed."""
    return store.is_open(connection, session.id)


def end(connection: Connection, cookie: str, *, why: str, now_us: int) -> bool:
    """End a session; False when there is none that is still open."""
    return _ended(connection, store.end(connection, id_hash=_hash(cookie), now_us=now_us), why=why, now_us=now_us) == 1


def end_all(connection: Connection, operator_id: str, *, why: str, now_us: int, but: str | None = None) -> int:
    """End every session of an operator, one by its cookie apart; how many that were."""
    ended = store.end(connection, operator_id=operator_id, but=_hash(but) if but else None, now_us=now_us)
    return _ended(connection, ended, why=why, now_us=now_us)


def forget_sessions(connection: Connection, *, now_us: int) -> int:
    """Drop sessions that are long over; how many went."""
    return store.forget(connection, before_us=now_us - 24 * 60 * MINUTE_US)


def _ended(connection: Connection, rows: list[tuple[str, str]], *, why: str, now_us: int) -> int:
    happened = [
        Event(at_us=now_us, kind="staff_signed_out", staff_id=operator_id, detail={"session": public_id, "why": why})
        for public_id, operator_id in rows
    ]
    event_log.append(connection, happened)
    return len(rows)


def _hash(cookie: str) -> str:
    """What is stored of a cookie; it has 256 bits, so a plain hash cannot be searched."""
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
