"""Sessions of staff: signing in with a password and a code, the first sign-in, signing out.

The session lives in a cookie that no script reads; its `csrf_token` goes into the header X-CSRF-Token of each write.
"""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from shouhao.staff.sessions import Session, csrf_token
from shouhao.web.console.operators import OperatorShown, shown_operator
from shouhao.web.depends import Here, Signed
from shouhao.web.description import failures
from shouhao.web.errors import OutsideZone
from shouhao.web.fields import Body, Instant, ShortText, Shown
from shouhao.web.staff_cookie import check_origin, cookie_of, give_cookie, take_cookie

routes = APIRouter(prefix="/api/v1/staff", tags=["sessions"])

_Secret = Annotated[str, Field(max_length=256, json_schema_extra={"format": "password"})]
_Code = Annotated[str, Field(max_length=16)]


class SignInBody(Body):
    """A login with its password and a code; or with a one-time login in place of the password, and no code."""

    login: ShortText
    password: _Secret
    code: _Code = ""


class NewPasswordBody(Body):
    """A new password; who has one already shows that they know it."""

    new_password: _Secret
    current_password: _Secret = ""


class FactorBody(Body):
    """Who has a password shows that they know it."""

    current_password: _Secret = ""


class CodeBody(Body):
    """A code of the new secret."""

    code: _Code


class SessionShown(Shown):
    """Who is signed in, and for how long."""

    operator: OperatorShown
    login: str
    stage: str
    csrf_token: str
    began_at: Instant
    ends_at: Instant
    idle_s: int


class FactorShown(Shown):
    """A new secret, shown once: scan the picture or type the secret, then confirm with a code."""

    secret: str
    otpauth_uri: str
    qr_svg: str


@routes.post(
    "/sign-in",
    responses=failures(400, 401, 403, 415, 422, 429),
    summary="工作人员登录 Sign in",
)
def sign_in(body: SignInBody, request: Request, response: Response, system: Here) -> SessionShown:
    """首次用一次性口令，随后设置密码与动态口令。 First with the one-time login; then set password and factor."""
    check_origin(request, origins=system.settings.console_origins, needed=False)
    zone: str | None = getattr(request.state, "zone", None)
    address = None if request.client is None else request.client.host
    if zone is None or address is None:
        raise OutsideZone

    signed_in = system.staff.sign_in(
        login=body.login,
        password=body.password,
        code=body.code.strip(),
        address=address,
        zone=zone,
        now_us=system.clock.now_us(),
        replaces=cookie_of(request),
    )
    give_cookie(request, response, signed_in.cookie)
    return _shown(signed_in.session, signed_in.cookie, system.staff.settings.idle_s)


@routes.get("/session", responses=failures(401, 403), summary="当前登录 The session")
def session(signed: Signed, system: Here) -> SessionShown:
    """本人、剩余时间与写操作所需的令牌。 Who, for how long, and the token that writes need."""
    return _shown(signed.session, signed.cookie, system.staff.settings.idle_s)


@routes.delete("/session", status_code=204, responses=failures(401, 403), summary="退出登录 Sign out")
def sign_out(signed: Signed, request: Request, system: Here) -> Response:
    """Cookie 立即失效。 The cookie ends at once."""
    system.staff.sign_out(signed.cookie, now_us=system.clock.now_us())
    response = Response(status_code=204)
    take_cookie(request, response)
    return response


@routes.post(
    "/session/password",
    status_code=204,
    responses=failures(400, 401, 403, 415, 422, 429),
    summary="设置密码 Set a password",
)
def password(body: NewPasswordBody, signed: Signed, system: Here) -> Response:
    """至少 12 个字符，不要求字符种类；其他登录随即结束。 12 characters or more of any kind; other sessions end."""
    system.staff.set_password(
        signed.session,
        signed.cookie,
        new=body.new_password,
        current=body.current_password,
        address=signed.address,
        now_us=system.clock.now_us(),
    )
    return Response(status_code=204)


@routes.post(
    "/session/second-factor",
    responses=failures(400, 401, 403, 415, 422, 429),
    summary="领取动态口令密钥 A new secret for codes",
)
def second_factor(body: FactorBody, signed: Signed, system: Here) -> FactorShown:
    """确认之前不生效。 Nothing changes until it is confirmed."""
    offered = system.staff.offer_factor(
        signed.session, current=body.current_password, address=signed.address, now_us=system.clock.now_us()
    )
    return FactorShown(secret=offered.secret, otpauth_uri=offered.uri, qr_svg=offered.qr_svg)


@routes.post(
    "/session/second-factor/confirmation",
    responses=failures(400, 401, 403, 415, 422),
    summary="确认动态口令 Confirm it with a code",
)
def confirm(body: CodeBody, signed: Signed, request: Request, response: Response, system: Here) -> SessionShown:
    """首次设置完成后换发新的登录。 After the first time a new session begins, with a new cookie."""
    renewed = system.staff.confirm_factor(
        signed.session, signed.cookie, code=body.code.strip(), address=signed.address, now_us=system.clock.now_us()
    )
    if renewed is None:
        return _shown(signed.session, signed.cookie, system.staff.settings.idle_s)
    give_cookie(request, response, renewed.cookie)
    return _shown(renewed.session, renewed.cookie, system.staff.settings.idle_s)


def _shown(session: Session, cookie: str, idle_s: int) -> SessionShown:
    return SessionShown(
        operator=shown_operator(session.operator),
        login=session.login,
        stage=session.stage,
        csrf_token=csrf_token(cookie),
        began_at=session.began_at_us,
        ends_at=session.ends_at_us,
        idle_s=idle_s,
    )
