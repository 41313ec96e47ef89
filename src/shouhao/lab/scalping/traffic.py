"""Traffic: the single requests, made of trains and of events, as columns of numbers.

Everything here is arrays: ten million requests take seconds. A request is logged when its answer is sent, some
milliseconds after the event that it caused.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.events import EVENT_KINDS
from shouhao.lab.scalping.chance import numbers
from shouhao.lab.scalping.pages import CONFLICT, PREFIX
from shouhao.lab.scalping.record import HUMAN, KIND_NUMBERS, METRONOME, NOBODY, NONE, Pool, Row, Train
from shouhao.lab.scalping.world import World

Numbers = npt.NDArray[np.int64]

_BUSY_US = 60 * SECOND_US  # after a release of wanted doctors
_BUSY_MS, _CALM_MS = 700.0, 45.0
_AT, _KIND, _CLIENT, _PATIENT = (Row._fields.index(name) for name in ("at_us", "kind", "client", "patient"))
_DEPARTMENT, _SESSION = (Row._fields.index(name) for name in ("department", "session"))
#: What an event looks like in the log: method, path after the channel's prefix, status, bytes.
_REQUESTS: dict[str, tuple[str, str, int, int]] = {
    "account_registered": ("POST", "/accounts", 201, 310),
    "patient_bound": ("POST", "/patients", 201, 260),
    "patient_unbound": ("POST", "/patients/unbind", 200, 60),
    "patient_edited": ("PUT", "/patients", 200, 240),
    "logged_in": ("POST", "/sign-in", 200, 420),
    "searched": ("GET", "/schedules?dept={department}", 200, 7300),
    "viewed": ("GET", "/sessions/{session}", 200, 2600),
    "booked": ("POST", "/bookings", 201, 520),
    "refused": ("POST", "/bookings", CONFLICT, 140),
    "paid": ("POST", "/payments", 200, 180),
    "cancelled": ("POST", "/bookings/cancel", 200, 90),
    "checked_in": ("POST", "/check-in", 200, 150),
    "face_checked": ("POST", "/face", 200, 70),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Requests, in order of time, with the texts that the numbers stand for."""

    at_us: Numbers
    client: Numbers
    request: Numbers  #: into `requests`
    status: Numbers
    size: Numbers
    took_ms: Numbers
    requests: list[str]


def events_and_hits(world: World) -> tuple[Numbers, Hits]:
    """The events of the exported days as a table of numbers (columns of `Row`), and all requests."""
    rng = numbers(world.options.seed, "traffic")
    told = np.array(world.record.rows, dtype=np.int64).reshape(-1, len(Row._fields))
    requests = Pool()
    train_columns, refused = _trains(world, rng, requests)
    from_events = _of_events(world, told, requests)
    columns = [np.concatenate(pair) for pair in zip(from_events, train_columns, strict=True)]
    kept = (columns[0] >= world.first_us) & (columns[0] < world.end_us)
    at_us, client, request, status, size = (column[kept] for column in columns)
    took_ms = _took(world, rng, at_us)
    size = np.where(size == 0, 0, np.maximum(1, size + rng.integers(-40, 41, len(size))))
    at_us = at_us + took_ms * 1000 + rng.integers(0, 1000, len(at_us))
    order = np.lexsort((request, client, at_us))
    hits = Hits(
        at_us=at_us[order],
        client=client[order],
        request=request[order],
        status=status[order],
        size=size[order],
        took_ms=took_ms[order],
        requests=requests.texts,
    )
    return _ordered(world, rng, np.concatenate((told, refused))), hits


def _ordered(world: World, rng: np.random.Generator, told: Numbers) -> Numbers:
    """Events of the exported days as they were written: a little after they happened, so not quite in order."""
    kept = told[(told[:, _AT] >= world.first_us) & (told[:, _AT] < world.end_us)]
    written_us = kept[:, _AT] + rng.integers(0, 30_000, len(kept))
    columns = tuple(kept[:, n] for n in (_SESSION, _PATIENT, _KIND, _CLIENT, _AT))
    ordered: Numbers = kept[np.lexsort((*columns, written_us))]
    return ordered


def _trains(world: World, rng: np.random.Generator, requests: Pool) -> tuple[tuple[Numbers, ...], Numbers]:
    """Every request of every train, and the refusals among them as events."""
    trains = np.array(world.record.trains, dtype=np.int64).reshape(-1, len(Train._fields))
    start, count, gap, style, spread, client, clients, pages, session, patient = trains.T
    which = np.repeat(np.arange(len(trains)), count)
    place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    at_us = _moments(rng, which, place, start, count, gap, style, spread)
    hit_client = client[which] + (rng.random(len(which)) * clients[which]).astype(np.int64)
    request, status, size = _pages(world, rng, pages[which], requests)
    refused = (session[which] != NONE) & (status == CONFLICT)
    events = np.full((int(refused.sum()), len(Row._fields)), NONE, dtype=np.int64)
    asked = session[which][refused]
    events[:, _AT], events[:, _CLIENT] = at_us[refused], hit_client[refused]
    events[:, _KIND], events[:, _PATIENT] = KIND_NUMBERS["refused"], patient[which][refused]
    events[:, _SESSION], events[:, _DEPARTMENT] = asked, _departments(world)[asked]
    events[:, Row._fields.index("released_us")] = np.array([s.released_us for s in world.hospital.sessions])[asked]
    events[:, Row._fields.index("detail")] = world.record.said({"code": "booking.sold_out"})
    return (at_us, hit_client, request, status, size), events


def _departments(world: World) -> Numbers:
    return np.array([session.doctor.department for session in world.hospital.sessions], dtype=np.int64)


def _moments(
    rng: np.random.Generator,
    which: Numbers,
    place: Numbers,
    start: Numbers,
    count: Numbers,
    gap: Numbers,
    style: Numbers,
    spread: Numbers,
) -> Numbers:
    """When each request of a train is made, by the train's rhythm."""
    of_style, of_gap = style[which], gap[which].astype(np.float64)
    sigma = spread[which] / 1000.0
    human = of_gap * np.exp(rng.standard_normal(len(which)) * np.where(of_style == HUMAN, sigma, 0.0))
    by_chance = of_gap * rng.standard_exponential(len(which))
    gaps = np.where(of_style == HUMAN, human, by_chance)
    gaps[place == 0] = 0
    total = np.cumsum(np.round(gaps).astype(np.int64))
    since = total - np.repeat(total[np.cumsum(count) - count], count) if len(count) else total
    ticks = place * gap[which] + np.abs(rng.standard_normal(len(which)) * spread[which]).astype(np.int64)
    moments: Numbers = start[which] + np.where(of_style == METRONOME, ticks, since)
    return moments


def _pages(world: World, rng: np.random.Generator, pages: Numbers, requests: Pool) -> tuple[Numbers, Numbers, Numbers]:
    """Which page each request is for, by the odds of its kind of visit."""
    sums: list[npt.NDArray[np.float64]] = []
    request: list[int] = []
    status: list[int] = []
    size: list[int] = []
    for n, choice in enumerate(world.record.pages):
        total = sum(page.weight for page in choice)
        sums.append(n + np.cumsum([page.weight / total for page in choice]))
        sums[-1][-1] = n + 1.0
        request += [requests.number(page.request) for page in choice]
        status += [page.status for page in choice]
        size += [page.size for page in choice]
    drawn = np.searchsorted(np.concatenate(sums), pages + rng.random(len(pages)), side="right")
    drawn = np.minimum(drawn, len(request) - 1)
    return tuple(np.array(of, dtype=np.int64)[drawn] for of in (request, status, size))  # type: ignore[return-value]


def _of_events(world: World, told: Numbers, requests: Pool) -> tuple[Numbers, ...]:
    """The request behind each event that came over a wire."""
    channels = [*PREFIX, None]
    of_client = np.array(
        [channels.index(c.channel) if c.channel in PREFIX else NONE for c in world.record.clients], dtype=np.int64
    )
    channel = of_client[told[:, _CLIENT]]
    shown = np.array([kind in _REQUESTS for kind in EVENT_KINDS])
    wired = told[(channel != NONE) & (told[:, _CLIENT] != NOBODY) & shown[told[:, _KIND]]]
    channel = of_client[wired[:, _CLIENT]]
    keys = np.stack((wired[:, _KIND], channel, wired[:, _DEPARTMENT], wired[:, _SESSION]), axis=1)
    keys[:, 2][wired[:, _KIND] != KIND_NUMBERS["searched"]] = NONE
    keys[:, 3][wired[:, _KIND] != KIND_NUMBERS["viewed"]] = NONE
    unique, back = np.unique(keys, axis=0, return_inverse=True)
    made = [_request(world, requests, channels[int(c)], int(k), int(d), int(s)) for k, c, d, s in unique]
    table = np.array(made, dtype=np.int64).reshape(-1, 3)[back.reshape(-1)]
    return wired[:, _AT], wired[:, _CLIENT], table[:, 0], table[:, 1], table[:, 2]


def _request(
    world: World, requests: Pool, channel: str | None, kind: int, department: int, session: int
) -> tuple[int, int, int]:
    method, path, status, size = _REQUESTS[EVENT_KINDS[kind]]
    hospital = world.hospital
    filled = path.format(
        department=hospital.department_ids[department] if department != NONE else "",
        session=hospital.session_ids[session] if session != NONE else "",
    )
    return requests.number(f"{method} {PREFIX[channel or '']}{filled}"), status, size


def _took(world: World, rng: np.random.Generator, at_us: Numbers) -> Numbers:
    """How long each answer takes: far longer in the minute after a release of wanted doctors."""
    releases = np.array(sorted({s.released_us for s in world.hospital.sessions if s.hot}), dtype=np.int64)
    last = np.searchsorted(releases, at_us, side="right") - 1
    since = np.where(last >= 0, at_us - releases[np.maximum(last, 0)], _BUSY_US)
    median = np.where(since < _BUSY_US, _BUSY_MS * np.exp(-since / (_BUSY_US / 4)) + _CALM_MS, _CALM_MS)
    took: Numbers = np.clip(median * np.exp(0.7 * rng.standard_normal(len(at_us))), 1, 59_000).astype(np.int64)
    return took
