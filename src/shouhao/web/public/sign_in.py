"""Signing in: a code to a phone, a short token for it, and its early end."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from shouhao.flows.register import account_of_phone
from shouhao.gate.sign_ins import end_sign_in, new_sign_in
from shouhao.kernel.errors import NotFound
from shouhao.patients.phones import canonical_phone
from shouhao.patients.store import find_account
from shouhao.store import event_log
from shouhao.web.depends import Here, SignedIn, Visiting
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, ShortText, Shown

routes = APIRouter(prefix="/api/v1", tags=["sign-in"])


class CodeBody(Body):
    """Which phone wants a code."""

    phone: ShortText


class CodeSent(Shown):
    """A code is on its way."""

    expires_at: Instant


class SignInBody(Body):
    """The phone and the code it received."""

    phone: ShortText
    code: Annotated[str, Field(pattern="^[0-9]{6}$")]
    device_id: Id | None = None


class SignInShown(Shown):
    """The token of a sign-in."""

    token: str
    account_id: str
    expires_at: Instant


class AccountShown(Shown):
    """Who is signed in."""

    account_id: str
    phone: str


@routes.post(
    "/sign-in/codes",
    status_code=202,
    responses=failures(400, 401, 415, 422, 429),
    summary="发送验证码 Send a code",
)
def send_code(body: CodeBody, visit: Visiting, system: Here) -> CodeSent:
    """向手机发送验证码。 Send a code to a phone; nothing tells whether it has an account."""
    language: Literal["zh", "en"] = "en" if visit.heard.language == "en" else "zh"
    phone = canonical_phone("phone", body.phone)
    expires_at_us = system.phone_codes.send(
        phone, channel=visit.channel, language=language, now_us=system.clock.now_us()
    )
    return CodeSent(expires_at=expires_at_us)


@routes.post("/sign-in", responses=failures(400, 401, 403, 415, 422), summary="登录 Sign in")
def sign_in(body: SignInBody, visit: Visiting, system: Here) -> SignInShown:
    """用验证码换取短期令牌。 Exchange a code for a short-lived token, which is good on this channel alone."""
    now_us = system.clock.now_us()
    phone = canonical_phone("phone", body.phone)
    system.phone_codes.use(phone, body.code, channel=visit.channel, now_us=now_us)
    with system.db.write() as connection:
        account = account_of_phone(connection, vault=system.vault, phone=phone, channel=visit.channel, now_us=now_us)
        made = new_sign_in(
            account.id,
            channel=visit.channel,
            device_id=body.device_id,
            settings=system.settings.sign_in(),
            now_us=now_us,
        )
        happened = visit.event(
            "logged_in",
            now_us=now_us,
            account_id=made.account_id,
            device_id=made.device_id,
            session_token=made.sign_in_id,
        )
        event_log.append(connection, [happened])
    return SignInShown(token=system.sign_in_key.issue(made), account_id=made.account_id, expires_at=made.expires_at_us)


@routes.post("/sign-out", status_code=204, responses=failures(401, 403), summary="退出登录 Sign out")
def sign_out(member: SignedIn, system: Here) -> Response:
    """令牌立即失效。 The token ends at once."""
    with system.db.write() as connection:
        end_sign_in(connection, member.sign_in, reason="signed_out", now_us=system.clock.now_us())
    return Response(status_code=204)


@routes.get("/account", responses=failures(401, 403), summary="当前账号 The account that is signed in")
def show_account(member: SignedIn, system: Here) -> AccountShown:
    """账号与脱敏手机号。 The account and its masked phone."""
    with system.db.read() as connection:
        account = find_account(connection, member.account_id)
    if account is None:
        raise NotFound("account")
    return AccountShown(account_id=account.id, phone=account.phone_masked)
