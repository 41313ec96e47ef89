"""Payment notices: what the gateway says, signed over its bytes. It may say it twice, late, or never."""

from typing import Annotated

from fastapi import APIRouter, Header

from shouhao.flows.pay import take_notice
from shouhao.web.depends import Here, RawBody
from shouhao.web.description import failures, raw_body
from shouhao.web.fields import Shown
from shouhao.wiring import System

routes = APIRouter(prefix="/api/v1", tags=["payments"])


class NoticeTaken(Shown):
    """How the payment stands now."""

    state: str


@routes.post(
    "/payments/notices",
    responses=failures(400, 422),
    openapi_extra=raw_body("application/json"),
    summary="支付网关通知 A gateway's notice",
)
def notice(
    system: Here, body: RawBody, signature: Annotated[str, Header(alias="X-Gateway-Signature")] = ""
) -> NoticeTaken:
    """重复通知不会重复处理。 A second notice changes nothing."""
    return take(system, body, signature)


def take(system: System, body: bytes, signature: str) -> NoticeTaken:
    """Check a notice and act on it.

    Raises:
        NoticeRefused: it is not the gateway's, or not about one of our payments as it was asked for.
    """
    said = system.gateway.read_notice(body, signature)
    with system.db.write() as connection:
        return NoticeTaken(state=take_notice(connection, said, now_us=system.clock.now_us()))
