"""Depends: what routes ask for by type: the system, the caller behind the headers, the one write they may do.

Everything starts from no: a route that names none of the callers here is open to strangers, and there are few.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer

from shouhao.flows.applicants import SignedOut
from shouhao.flows.give_back import Caller
from shouhao.gate.model import SignIn, SignInRefused
from shouhao.gate.sign_ins import is_ended
from shouhao.kernel.events import Event, EventKind
from shouhao.patients.standing import AccountClosed
from shouhao.patients.store import find_account
from shouhao.staff.model import Operator, StaffRefused
from shouhao.staff.sessions import Session, SetupNeeded
from shouhao.staff.store import authenticate
from shouhao.web.caller import Door, Heard, caller_of, once_of
from shouhao.web.handlers import heard_of
from shouhao.web.idempotent import Write
from shouhao.web.staff_cookie import PLAIN_NAME, SECURE_NAME, check_write, cookie_of
from shouhao.wiring import System

CHANNEL_KEY = APIKeyHeader(
    name="X-Channel-Key",
    scheme_name="channel_key",
    description="渠道密钥 NAME.KEY\n\nKey of the channel",
    auto_error=False,
)
SIGN_IN = HTTPBearer(
    scheme_name="sign_in", description="患者登录后得到的令牌\n\nToken of the patient's sign-in", auto_error=False
)
OPERATOR_KEY = HTTPBearer(
    scheme_name="operator_key",
    description="工作人员密钥；浏览器以登录后的 Cookie 代替，写操作另带 X-CSRF-Token\n\n"
    "Key of the operator; a browser shows the cookie of its session instead, and X-CSRF-Token with each write",
    auto_error=False,
)
STAFF_SESSION = APIKeyCookie(
    name=PLAIN_NAME,
    scheme_name="staff_session",
    description=f"工作人员登录后的 Cookie，经 TLS 时名为 {SECURE_NAME}；写操作另带 X-CSRF-Token\n\n"
    f"Cookie of a session of staff, named {SECURE_NAME} over TLS; X-CSRF-Token with each write",
    auto_error=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Somebody who came through a channel, signed in or not."""

    channel: str
    heard: Heard
    ip: str | None
    sign_in: SignIn | None = None

    def event(self, kind: EventKind, *, now_us: int, **rest: Any) -> Event:
        """Something this visitor did; what is given in `rest` wins over the sign-in."""
        sign_in = self.sign_in
        mine: dict[str, Any] = {}
        if sign_in is not None:
            mine = {
                "account_id": sign_in.account_id,
                "device_id": sign_in.device_id,
                "session_token": sign_in.sign_in_id,
            }
        return Event(
            at_us=now_us,
            kind=kind,
            channel=self.channel,
            ip=self.ip,
            user_agent=self.heard.user_agent or None,
            **{**mine, **rest},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody who is signed in to an account that is open."""

    sign_in: SignIn
    heard: Heard
    ip: str | None

    @property
    def account_id(self) -> str:
        """The account."""
        return self.sign_in.account_id

    @property
    def channel(self) -> str:
        """The channel through which it signed in."""
        return self.sign_in.channel

    def caller(self) -> Caller:
        """Who acts, as flows want to know it."""
        return caller_of(self.sign_in, self.heard, self.ip)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtDesk:
    """A session as its own routes know it, in whatever stage."""

    session: Session
    cookie: str
    address: str


async def _system(request: Request) -> System:
    system: System = request.app.state.system
    return system


async def _body(request: Request) -> bytes:
    return await request.body()


Here = Annotated[System, Depends(_system)]
RawBody = Annotated[bytes, Depends(_body)]


def _visit(request: Request, system: Here, _key: Annotated[object, Security(CHANNEL_KEY)]) -> Visit:
    heard = heard_of(request)
    return Visit(channel=_door(system).channel(heard), heard=heard, ip=_ip(request))


def _maybe_signed_in(request: Request, system: Here, _key: Annotated[object, Security(CHANNEL_KEY)]) -> Visit:
    heard = heard_of(request)
    if not heard.token:
        return Visit(channel=_door(system).channel(heard), heard=heard, ip=_ip(request))
    sign_in = _open_sign_in(system, heard)
    return Visit(channel=sign_in.channel, heard=heard, ip=_ip(request), sign_in=sign_in)


def _member(
    request: Request,
    system: Here,
    _key: Annotated[object, Security(CHANNEL_KEY)],
    _token: Annotated[object, Security(SIGN_IN)],
) -> Member:
    heard = heard_of(request)
    return Member(sign_in=_open_sign_in(system, heard), heard=heard, ip=_ip(request))


def _operator(request: Request, system: Here, _key: Annotated[object, Security(OPERATOR_KEY)]) -> Operator:
    """Who stands behind this request: by a key in `Authorization`, which wins, or by a session's cookie."""
    key = heard_of(request).token
    if not key:
        session = _session_of(request, system)
        if session.stage != "full":
            raise SetupNeeded
        return session.operator
    with system.db.read() as connection:
        return authenticate(connection, key)


def _session(request: Request, system: Here, _cookie: Annotated[object, Security(STAFF_SESSION)]) -> AtDesk:
    session = _session_of(request, system)
    return AtDesk(session=session, cookie=cookie_of(request) or "", address=_ip(request) or "")


def _session_of(request: Request, system: System) -> Session:
    """The session behind the cookie, of a request that our own page made.

    Raises:
        StaffRefused: there is no cookie.
        SessionEnded: its session is over, or began in another zone.
        CrossSite, CSRFRefused: another site may have made the request.
    """
    cookie = cookie_of(request)
    if cookie is None:
        raise StaffRefused
    check_write(request, cookie, origins=system.settings.console_origins)
    zone: str | None = getattr(request.state, "zone", None)
    return system.staff.resume(cookie, zone=zone, now_us=system.clock.now_us())


Visiting = Annotated[Visit, Depends(_visit)]
MaybeSignedIn = Annotated[Visit, Depends(_maybe_signed_in)]
SignedIn = Annotated[Member, Depends(_member)]
OnDuty = Annotated[Operator, Depends(_operator)]
Signed = Annotated[AtDesk, Depends(_session)]

_KEY_HEADER = Header(
    alias="Idempotency-Key",
    description="同一请求重试时使用同一个键\n\nThe same key for each retry of one request",
)
_Key = Annotated[str | None, _KEY_HEADER]


def _member_write(request: Request, system: Here, member: SignedIn, body: RawBody, _key: _Key = None) -> Write:
    return _write(request, system, caller=member.account_id, body=body)


def _channel_write(request: Request, system: Here, visit: Visiting, body: RawBody, _key: _Key = None) -> Write:
    return _write(request, system, caller=f"channel:{visit.channel}", body=body)


def _staff_write(request: Request, system: Here, operator: OnDuty, body: RawBody, _key: _Key = None) -> Write:
    return _write(request, system, caller=operator.id, body=body)


MemberWrite = Annotated[Write, Depends(_member_write)]
ChannelWrite = Annotated[Write, Depends(_channel_write)]
StaffWrite = Annotated[Write, Depends(_staff_write)]


def _write(request: Request, system: System, *, caller: str, body: bytes) -> Write:
    heard = heard_of(request)
    once = once_of(heard, caller=caller, route=f"{request.method} {request.url.path}", body=body)
    return Write(db=system.db, once=once, heard=heard, now_us=system.clock.now_us())


def _door(system: System) -> Door:
    return Door(system.channel_keys, system.sign_in_key, system.clock)


def _open_sign_in(system: System, heard: Heard) -> SignIn:
    """The sign-in, if nobody ended it and its account is open; the hot route asks the same at the desk."""
    sign_in = _door(system).account(heard)
    with system.db.read() as connection:
        if is_ended(connection, sign_in.sign_in_id):
            raise SignedOut
        account = find_account(connection, sign_in.account_id)
    if account is None:
        raise SignInRefused
    if not account.active:
        raise AccountClosed
    return sign_in


def _ip(request: Request) -> str | None:
    return None if request.client is None else request.client.host
