"""Health: whether the process lives, and whether it can do its work; for load balancers, without a key."""

from typing import Literal

from fastapi import APIRouter
from sqlalchemy import text

from shouhao.web.depends import Here
from shouhao.web.description import failures
from shouhao.web.fields import Shown

routes = APIRouter(tags=["health"])


class Health(Shown):
    """How it is."""

    state: Literal["alive", "ready"]


@routes.get("/healthz", responses=failures(), summary="进程存活 The process lives")
async def healthz() -> Health:
    """进程在运行。 The process runs."""
    return Health(state="alive")


@routes.get("/readyz", responses=failures(), summary="可以服务 It can serve")
def readyz(system: Here) -> Health:
    """数据库可用。 The database answers."""
    with system.db.read() as connection:
        connection.execute(text("SELECT 1"))
    return Health(state="ready")
