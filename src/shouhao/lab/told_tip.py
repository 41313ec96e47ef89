"""Told tip: somebody in the hall tells of a scalper over the public interface, and does not say who they are."""

import asyncio

import msgspec

from shouhao.kernel.errors import Unavailable
from shouhao.kernel.ids import new_id
from shouhao.lab.clients import connect
from shouhao.lab.heard import CREATED, Door

_TIP = {
    "what": "门诊大厅扶梯旁有人举牌“专家号”，说产科主任的号当天就能拿到，先付定金。",
    "where": "门诊楼 1 层扶梯旁",
    "when": "今天早上八点半左右",
    "offered": "产科专家号",
    "price": "500 元",
}


def tell_tip(door: Door) -> str:
    """Tell it; the number it was given.

    Raises:
        Unavailable: it was not taken.
    """
    return asyncio.run(_tell(door))


async def _tell(door: Door) -> str:
    connection = await connect(door.host, door.port)
    headers = {"X-Channel-Key": door.channel_key, "Idempotency-Key": new_id("dm")}
    try:
        reply = await connection.ask("POST", "/api/v1/tips", headers=headers, body=msgspec.json.encode(_TIP))
    finally:
        connection.close()
    if reply.status != CREATED:
        raise Unavailable(f"POST /api/v1/tips: {reply.status} {reply.code()}")
    return str(reply.json()["reference"])
