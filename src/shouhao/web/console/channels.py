"""Channels: each way in has its own key, made here, shown once, changed or closed alone."""

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from shouhao.gate.channels import create_channel, deactivate_channel, list_channels, rotate_channel_key
from shouhao.staff.model import require
from shouhao.web.console.sealed_key import opened, sealed
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, ShortText, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["channels"])

_WRITE = failures(400, 401, 403, 404, 409, 415, 422)


class ChannelBody(Body):
    """app, wechat, web, phone, kiosk, window or platform:NAME."""

    channel: ShortText


class ChannelShown(Shown):
    """A channel, without its key."""

    channel: str
    active: bool
    created_at: Instant
    changed_at: Instant


class ChannelList(Shown):
    """All channels, by name."""

    channels: list[ChannelShown]


class ChannelKeyShown(Shown):
    """A channel's key, shown once: send `X-Channel-Key: CHANNEL.KEY`."""

    channel: str
    key: str


@routes.get("/channels", responses=failures(401, 403), summary="渠道 Channels")
def channels(operator: OnDuty, system: Here) -> ChannelList:
    """不显示密钥。 Without their keys."""
    require(operator, "it", "auditor")
    with system.db.read() as connection:
        found = list_channels(connection)
    return ChannelList(
        channels=[
            ChannelShown(channel=c.name, active=c.active, created_at=c.created_at_us, changed_at=c.changed_at_us)
            for c in found
        ]
    )


@routes.post(
    "/channels", status_code=201, responses=_WRITE, response_model=ChannelKeyShown, summary="新增渠道 Open a channel"
)
def create(body: ChannelBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """密钥只显示一次。 The key is shown once."""
    require(operator, "it")

    def act(connection: Connection) -> dict[str, str]:
        key = create_channel(
            connection, body.channel, now_us=write.now_us, randomness=system.randomness, staff_id=operator.id
        )
        return sealed(system.vault, {"channel": body.channel}, key=key)

    def show(kept: dict[str, Any]) -> dict[str, Any]:
        system.channel_keys.refresh()
        return opened(system.vault, kept)

    return write.answer(act, status=201, show=show)


@routes.post(
    "/channels/{channel}/key", responses=_WRITE, response_model=ChannelKeyShown, summary="更换渠道密钥 Change the key"
)
def rotate(channel: Id, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """旧密钥在数秒内失效。 The old key ends within seconds."""
    require(operator, "it")

    def act(connection: Connection) -> dict[str, str]:
        key = rotate_channel_key(
            connection, channel, now_us=write.now_us, randomness=system.randomness, staff_id=operator.id
        )
        return sealed(system.vault, {"channel": channel}, key=key)

    def show(kept: dict[str, Any]) -> dict[str, Any]:
        system.channel_keys.refresh()
        return opened(system.vault, kept)

    return write.answer(act, show=show)


@routes.delete("/channels/{channel}", status_code=204, responses=_WRITE, summary="关闭渠道 Close a channel")
def deactivate(channel: Id, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """永久关闭。 For good."""
    require(operator, "it")

    def act(connection: Connection) -> None:
        deactivate_channel(connection, channel, now_us=write.now_us, staff_id=operator.id)

    answer = write.answer(act, status=204)
    system.channel_keys.refresh()
    return answer
