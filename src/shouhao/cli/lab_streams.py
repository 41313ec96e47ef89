"""`shouhao lab streams`: simulated RTSP cameras past which people walk, with faults on demand."""

import threading
from pathlib import Path
from typing import Annotated

import typer

from shouhao.kernel.errors import InvalidInput

_FAULTS = ("hang", "refuse", "no_video", "wrong_sdp", "no_keyframes", "audio")
_MOST = 16


def streams(
    faces: Annotated[
        Path,
        typer.Option(
            "--faces", help="照片目录，每人一个子目录 Photographs, one folder a person", file_okay=False, exists=True
        ),
    ],
    *,
    count: Annotated[int, typer.Option("--cameras", help="摄像机数 Cameras", min=1, max=_MOST)] = 2,
    people: Annotated[int, typer.Option("--people", help="每台经过的人数 People past each", min=0, max=100)] = 6,
    host: Annotated[str, typer.Option("--host", help="监听地址 Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="端口 Port; 0: any", min=0, max=65535)] = 8554,
    seconds: Annotated[
        float, typer.Option("--seconds", help="多久后结束，0 为一直 How long; 0: for good", min=0)
    ] = 0.0,
    faults: Annotated[
        list[str] | None, typer.Option("--fault", help=f"故障，可多次 Fault, repeatable: {', '.join(_FAULTS)}")
    ] = None,
    stall_s: Annotated[float | None, typer.Option("--stall-after", help="多少秒后停发 Stall after", min=0)] = None,
    cut_s: Annotated[float | None, typer.Option("--cut-after", help="多少秒后断开 Hang up after", min=0)] = None,
    corrupt: Annotated[float, typer.Option("--corrupt", help="损坏包占比 Share of corrupt packets", min=0, max=1)] = 0,
) -> None:
    """模拟 RTSP 摄像机，打印地址。 Simulated cameras over RTSP; prints their addresses."""
    from shouhao.faces.photographs import people_in  # noqa: PLC0415 - reading pictures takes half a second
    from shouhao.lab.streams import StreamServer  # noqa: PLC0415 - as above
    from shouhao.lab.walking import Encoding, encode, procession, readable  # noqa: PLC0415 - as above

    unknown = set(faults or ()) - set(_FAULTS)
    if unknown:
        raise InvalidInput("fault", zh=f"只能是 {', '.join(_FAULTS)}", en=f"one of {', '.join(_FAULTS)}")
    known = people_in(faces)
    units = {}
    for n in range(count):
        mine = [known[(n * people + k) % len(known)] for k in range(people)] if known else []
        walkers = procession(readable(mine))
        typer.echo(f"cam-{n + 1}：编码 encoding", err=True)
        units[f"cam-{n + 1}"] = encode(walkers, seconds=2.0 * people + 4, encoding=Encoding(preset="ultrafast"))[0]
    with StreamServer(units, host=host, port=port) as server:
        for name, fault in server.faults.items():
            for one in faults or ():
                setattr(fault, one, True)
            fault.stall_after_s, fault.cut_after_s, fault.corrupt = stall_s, cut_s, corrupt
            typer.echo(server.address(name))
        try:
            threading.Event().wait(seconds or None)
        except KeyboardInterrupt:
            return
