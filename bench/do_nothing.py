"""The floor of HTTP: Starlette reads a small JSON body with msgspec and answers; the server is set up as ours is."""

import socket
import sys
from typing import Annotated

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Body(msgspec.Struct, frozen=True):
    """What the real route takes."""

    patient_id: Annotated[str, msgspec.Meta(max_length=64)]
    session_id: Annotated[str, msgspec.Meta(max_length=64)]


_decode = msgspec.json.Decoder(Body).decode
_encode = msgspec.json.Encoder().encode


async def nothing(request: Request) -> Response:
    """Read and answer."""
    body = _decode(await request.body())
    return Response(_encode({"session_id": body.session_id}), status_code=201, media_type="application/json")


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
    app = Starlette(routes=[Route("/api/v1/bookings", nothing, methods=["POST"])])
    config = uvicorn.Config(app, loop="uvloop", http="httptools", ws="none", log_config=None, access_log=False)
    uvicorn.Server(config).run([listener])
