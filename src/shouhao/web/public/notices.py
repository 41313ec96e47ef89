"""Notices: what a channel has to tell its people, since an offer with a deadline is useless to who does not hear of it.

A channel's gateway (its app, WeChat or SMS) polls with the channel key, every five to ten seconds:

1. The first time without `after`: it is told the offers that stand now, and given a cursor.
2. It tells each account, keeps the cursor with its own data, and asks again with `after` set to it; at once while
   `more` is true.
3. A notice may come twice, after a lost answer or around the first poll, and has the same `id` then. None is left out.
4. What happened less than 15 seconds ago is not told yet, so that the order of events is settled.
5. Only accounts that agreed to messages are told of, from the moment they agree to the moment they withdraw. To all
   others nothing is sent: what concerns them stands on their own pages, and the phone line and the window tell them.

A notice holds ids alone. Which phone an account has is the channel's own knowledge, or asked for elsewhere.
"""

import base64
import binascii
import re
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from shouhao.booking.store.notices import Cursor, Notice, notices_after, standing_offers
from shouhao.flows.consents import may_be_told
from shouhao.kernel.errors import InvalidInput
from shouhao.web.depends import Here, Visiting
from shouhao.web.description import failures
from shouhao.web.fields import Instant, Shown

routes = APIRouter(prefix="/api/v1/channel", tags=["channel"])

_MOST = 1000
_CURSOR = re.compile(r"([0-9]{1,18})\|([A-Za-z0-9_.:-]{0,64})")


class NoticeShown(Shown):
    """One thing to tell one account. `outcome` is what a draw brought an entry: won, lost or left_out."""

    id: str
    kind: Literal["offer", "draw_result", "batch_result"]
    account_id: str
    at: Instant
    draw_id: str | None
    entry_id: str | None
    outcome: str | None
    booking_id: str | None
    session_id: str | None
    accept_by: Instant | None


class NoticesShown(Shown):
    """Notices, oldest first; `cursor` asks for those that follow, at once while `more`."""

    notices: list[NoticeShown]
    cursor: str
    more: bool


@routes.get("/notices", responses=failures(401, 422), summary="渠道待发通知 What to tell people")
def list_notices(
    visit: Visiting,
    system: Here,
    *,
    after: Annotated[str | None, Field(max_length=200)] = None,
    limit: Annotated[int, Field(ge=1, le=_MOST)] = 200,
) -> NoticesShown:
    """候补发号、抽签与批次结果，供渠道通知本渠道的用户。 Offers, and results of draws and batches, for its own people.

    首次不带 `after`，之后每 5 至 10 秒带上一次的 `cursor` 查询；`more` 为真时立即再查。
    同一通知可能出现两次，`id` 不变。只有同意收消息的账号才有通知。

    Without `after` the first time, then every 5 to 10 seconds with the last `cursor`, at once while `more` is true. The
    same notice may come twice, with the same `id`. There are notices for accounts that agreed to messages alone.
    """
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        if after is None:
            told = standing_offers(connection, visit.channel, now_us=now_us)
        else:
            told = notices_after(connection, visit.channel, _read_cursor(after), limit=limit, now_us=now_us)
        agreed = may_be_told(connection, {notice.account_id for notice in told.notices})
    notices = [_shown(notice) for notice in told.notices if notice.account_id in agreed]
    return NoticesShown(notices=notices, cursor=_cursor(told.cursor), more=told.more)


def _shown(notice: Notice) -> NoticeShown:
    return NoticeShown(
        id=notice.id,
        kind=notice.kind,
        account_id=notice.account_id,
        at=notice.at_us,
        draw_id=notice.draw_id,
        entry_id=notice.entry_id,
        outcome=notice.outcome,
        booking_id=notice.booking_id,
        session_id=notice.session_id,
        accept_by=notice.until_us,
    )


def _cursor(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(f"{cursor.seq}|{cursor.entry_id}".encode()).rstrip(b"=").decode()


def _read_cursor(after: str) -> Cursor:
    try:
        said = _CURSOR.fullmatch(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode())
    except (binascii.Error, ValueError):
        said = None
    if said is None:
        raise InvalidInput("after", zh="不是上一次给出的值", en="is not what the last answer gave")
    return Cursor(seq=int(said[1]), entry_id=said[2])
