"""Write logs: nginx access logs as two servers of one hospital would keep them.

The portal writes `combined`: no device, no sign-in, whole seconds, and its clock runs a little fast. The server behind
app and mini-program writes a wider format with `$msec`, `$cookie_device` and `$cookie_session`. Both are rotated; the
oldest part is gzipped. The text is put together by Arrow, a piece at a time.
"""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US, from_us
from shouhao.lab.scalping.chance import dice
from shouhao.lab.scalping.traffic import Hits
from shouhao.lab.scalping.world import World

Style = Literal["combined", "extended"]
Numbers = npt.NDArray[np.int64]

COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
EXTENDED = (
    '$remote_addr [$time_iso8601] $msec "$request" $status $body_bytes_sent $request_time "$http_user_agent" '
    "device=$cookie_device session=$cookie_session"
)
_PIECE = 250_000
_REFERER = "https://yuyue.example/"
_PORTAL_FAST_US = (900_000, 3_100_000)
_API_OFF_US = (-60_000, 60_000)
_ROTATES_AT_US = 6 * HOUR_US + 25 * 60 * SECOND_US  # as Debian's cron.daily does
_OLD_DAYS, _LAST_DAYS = 4, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One nginx."""

    name: str
    style: Style
    channels: tuple[str, ...]
    fast_us: int  #: how far its clock is ahead of the events'


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One file."""

    path: Path
    rows: int
    format: str  #: nginx `log_format`, or the form of events


def servers(world: World) -> list[Server]:
    """Which server writes what, by the options."""
    rng = dice(world.options.seed, "clocks")
    portal_us, api_us = rng.randint(*_PORTAL_FAST_US), rng.randint(*_API_OFF_US)
    phones, desks = ("app", "wechat", "kiosk"), ("web", "machine")
    if world.options.logs == "split":
        return [
            Server(name="portal", style="combined", channels=desks, fast_us=portal_us),
            Server(name="api", style="extended", channels=phones, fast_us=api_us),
        ]
    return [Server(name="nginx", style=world.options.logs, channels=(*phones, *desks), fast_us=api_us)]


def write_logs(world: World, hits: Hits, out: Path) -> list[Written]:
    """Write every server's files, the oldest first."""
    channels = [client.channel for client in world.record.clients]
    written: list[Written] = []
    for server in servers(world):
        serves = np.array([channel in server.channels for channel in channels])
        rows = np.flatnonzero(serves[hits.client])
        at_us = hits.at_us[rows] + server.fast_us
        cuts = _cuts(world)
        edges = [0, *np.searchsorted(at_us, cuts).tolist(), len(rows)]
        names = [f"{server.name}.access.log{ending}" for ending in (".2.gz", ".1", "")][-len(edges) + 1 :]
        for n, name in enumerate(names):
            first = max(edges[n] - (world.options.overlap_lines if n else 0), 0)
            part = rows[first : edges[n + 1]]
            _write(world, hits, part, server, out / name)
            form = COMBINED if server.style == "combined" else EXTENDED
            written.append(Written(path=out / name, rows=len(part), format=form))
    return written


def _cuts(world: World) -> list[int]:
    """When files were rotated."""
    days = world.options.days
    old, last = min(_OLD_DAYS, days - 1), days - _LAST_DAYS
    return [world.first_us + day * DAY_US + _ROTATES_AT_US for day in sorted({max(old, 1), max(last, 1)})][-2:]


def _write(world: World, hits: Hits, rows: Numbers, server: Server, path: Path) -> None:
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=4, mtime=0) as packed:
                for piece in _pieces(world, hits, rows, server):
                    packed.write(piece)
        else:
            for piece in _pieces(world, hits, rows, server):
                raw.write(piece)


def _pieces(world: World, hits: Hits, rows: Numbers, server: Server) -> Iterator[bytes]:
    import pyarrow as pa  # noqa: PLC0415 - heavy, and wanted here alone

    texts = {
        "ip": pa.array(world.record.ips.texts),
        "agent": pa.array(world.record.agents.texts),
        "request": pa.array([_as_sent(request) for request in hits.requests]),
        "device": pa.array([*world.record.devices.texts, "-"]),
        "token": pa.array([*world.record.tokens.texts, "-"]),
    }
    clients = np.array([client[1:] for client in world.record.clients], dtype=np.int64)
    for start in range(0, len(rows), _PIECE):
        piece = rows[start : start + _PIECE]
        lines = _lines(hits, piece, clients[hits.client[piece]], texts, server)
        _, offsets, data = lines.buffers()
        ends = np.frombuffer(offsets, dtype=np.int32)[lines.offset : lines.offset + len(lines) + 1]
        yield data.to_pybytes()[ends[0] : ends[-1]]


def _as_sent(request: str) -> str:
    """With the protocol, unless it was none of its requests."""
    return f"{request} HTTP/1.1" if " " in request else request


def _lines(hits: Hits, rows: Numbers, clients: Numbers, texts: dict[str, Any], server: Server) -> Any:
    import pyarrow.compute as pc  # noqa: PLC0415 - as above

    at_us = hits.at_us[rows] + server.fast_us
    _, device, token, ip, agent = clients.T
    request = texts["request"].take(hits.request[rows])
    status, size = (_text(column[rows]) for column in (hits.status, hits.size))
    who, with_what = texts["ip"].take(ip), texts["agent"].take(agent)
    if server.style == "combined":
        parts: Sequence[Any] = (who, " - - [", _seconds(at_us, "%d/%b/%Y:%H:%M:%S +0800"), '] "', request, '" ', status)
        referred = _referers(hits, rows)
        parts = (*parts, " ", size, ' "', referred, '" "', with_what, '"\n')
    else:
        seconds, thousandths = _text(at_us // SECOND_US), _thousandths(at_us // 1000 % 1000)
        took = hits.took_ms[rows]
        parts = (who, " [", _seconds(at_us, "%Y-%m-%dT%H:%M:%S+08:00"), "] ", seconds, ".", thousandths, ' "', request)
        parts = (*parts, '" ', status, " ", size, " ", _text(took // 1000), ".", _thousandths(took % 1000), ' "')
        parts = (*parts, with_what, '" device=', texts["device"].take(device % len(texts["device"])))
        parts = (*parts, " session=", texts["token"].take(token % len(texts["token"])), "\n")
    return pc.binary_join_element_wise(*parts, "")


def _text(values: Numbers) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - as above

    return pa.array(values).cast(pa.string())


def _thousandths(values: Numbers) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - as above

    return pa.array([f"{n:03d}" for n in range(1000)]).take(values)


def _seconds(at_us: Numbers, form: str) -> Any:
    """The second of each instant, at the hospital, as text."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    seconds, back = np.unique(at_us // SECOND_US, return_inverse=True)
    return pa.array([from_us(int(second) * SECOND_US).strftime(form) for second in seconds]).take(back)


def _referers(hits: Hits, rows: Numbers) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - as above

    known = pa.array([_REFERER if "/web/api" in text or "/static" in text else "-" for text in hits.requests])
    return known.take(hits.request[rows])
