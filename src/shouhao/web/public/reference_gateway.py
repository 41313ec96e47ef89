"""The reference gateway's own side: a small page on which a patient "pays". No money moves, and it says so.

Served only where the reference gateway is in use, which production refuses.
"""

import base64
import hashlib
import hmac
import html
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from shouhao.booking.payment import NoticeRefused
from shouhao.kernel.clock import from_us
from shouhao.protocols.reference_payment import OrderRefused, ReferenceGateway
from shouhao.web.depends import Here
from shouhao.web.fields import MAX_INT, Id
from shouhao.web.handlers import JSON
from shouhao.web.public.payments import take
from shouhao.wiring import System

routes = APIRouter(prefix="/reference-gateway", include_in_schema=False)

_HTML = "text/html"
_LAST_MOMENT_US = 4102444800 * 1_000_000  #: 2100; no order lives that long
_STYLE = (
    "body{font:18px/1.6 system-ui,sans-serif;max-width:26em;margin:2em auto;padding:0 1em}"
    "button{font:inherit;padding:.6em 2em;width:100%}.note{border:2px solid;padding:.5em 1em}"
)
_POLICY = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; style-src 'sha256-{digest}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    payment_id: str
    amount_cents: int
    expires_at_us: int
    mac: str
    payer_id: str | None


async def _order(
    payment_id: Id,
    amount_cents: Annotated[int, Field(ge=0, le=MAX_INT)],
    expires_at_us: Annotated[int, Field(ge=0, le=_LAST_MOMENT_US)],
    mac: Annotated[str, Field(max_length=128)],
    payer_id: Id | None = None,
) -> _Order:
    return _Order(
        payment_id=payment_id, amount_cents=amount_cents, expires_at_us=expires_at_us, mac=mac, payer_id=payer_id
    )


Ordered = Annotated[_Order, Depends(_order)]


@routes.get("/pay")
def page(order: Ordered, request: Request, system: Here) -> Response:
    """The page of an order that is ours and not over."""
    gateway = _gateway(system)
    ours = gateway.pay_url(
        payment_id=order.payment_id, amount_cents=order.amount_cents, expires_at_us=order.expires_at_us
    ).rpartition("mac=")[2]
    if not hmac.compare_digest(ours.encode(), order.mac.encode()) or system.clock.now_us() >= order.expires_at_us:
        raise OrderRefused
    yuan = f"{order.amount_cents // 100}.{order.amount_cents % 100:02d}"
    until = f"{from_us(order.expires_at_us):%H:%M:%S}"
    return _page(
        f"""<p>应付金额 Amount due: <strong>¥{yuan}</strong></p>
<p>请在 {until} 前完成 Please pay before {until}</p>
<form method="post" action="?{html.escape(request.url.query)}"><button>确认支付 Pay</button></form>"""
    )


@routes.post("/pay")
def pay(order: Ordered, request: Request, system: Here) -> Response:
    """Pay, and tell the hospital in a signed notice, as any gateway does."""
    body, signature = _gateway(system).pay(
        payment_id=order.payment_id,
        amount_cents=order.amount_cents,
        expires_at_us=order.expires_at_us,
        mac=order.mac,
        payer_id=order.payer_id,
        now_us=system.clock.now_us(),
    )
    taken = take(system, body, signature)
    if _HTML not in request.headers.get("accept", ""):
        return Response(taken.model_dump_json(), media_type=JSON)
    if taken.state == "paid":
        return _page("<p>支付成功，可返回预约页面。<br>Paid. You can go back to your booking.</p>")
    return _page("<p>号源已释放，款项将退回。<br>The slot was let go; the money goes back.</p>")


def _gateway(system: System) -> ReferenceGateway:
    if not isinstance(system.gateway, ReferenceGateway):
        raise NoticeRefused  # never mounted then
    return system.gateway


def _page(content: str) -> Response:
    title = "演示支付 · Demonstration payment"
    text = f"""<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>
<h1>{title}</h1><p class="note">演示支付，不发生资金往来。<br>This is a demonstration; no money moves.</p>
{content}</body></html>"""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return Response(text, media_type=_HTML, headers={"content-security-policy": _POLICY.format(digest=digest)})
