"""Visits: somebody opens the page or the app, from wherever they are, and looks around. The same for everybody."""

import random

from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.addresses import Place
from shouhao.lab.scalping.chance import around, soon
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.pages import VISIT, session_page
from shouhao.lab.scalping.phones import Phone
from shouhao.lab.scalping.record import NONE
from shouhao.lab.scalping.world import World

_LASTS_US = {"app": 7 * DAY_US, "wechat": 7 * DAY_US, "web": 12 * HOUR_US}
_WORK_HOURS = (9, 17)
_PAGES, _PAGES_SPREAD = 11.0, 0.7
_PICTURES = 1.9  #: a page in a browser is more requests
_KNOWS_LATENCY = 0.85
_LOOK_S = 600


def arrive(
    world: World,
    rng: random.Random,
    account: Account,
    at_us: int,
    *,
    pages: float = _PAGES,
    place: Place | None = None,
    phone: Phone | None = None,
) -> int:
    """Open the page and look around; the connection's number.

    Args:
        pages: median of how many requests that is, before the pictures.
        place: None: wherever they are at this time of the day.
        phone: another device than their own.
    """
    device, channel = phone or account.phone_at(at_us), account.channel
    device_id = world.shop.device_id(device.model) if "clears_cookies" in account.traits else device.id
    token = _token(world, account, device_id, at_us)
    ip = _address(world, rng, account, device_id, at_us, place)
    agent = device.agent(channel)
    client = world.record.client(
        channel, account=account.number, device=device_id, token=token.number, ip=ip, agent=agent
    )
    if token.fresh:
        world.record.event(at_us, "logged_in", client)
    count = 1 + min(400, round(around(rng, pages * (_PICTURES if channel == "web" else 1), _PAGES_SPREAD)))
    first = client
    more = rng.randint(2, 4) if "roamer" in account.traits else 0
    for _ in range(more):  # out of the door, into the bus, back to the office's Wi-Fi
        elsewhere = _address(world, rng, account, device_id, at_us, rng.choice(("mobile", "mobile", "home", "wifi")))
        client = world.record.client(
            channel, account=account.number, device=device_id, token=token.number, ip=elsewhere, agent=agent
        )
    world.record.train(
        at_us + soon(rng, 0.3), count, gap_s=1.6, client=first, clients=1 + more, pages=VISIT[channel], spread=1.3
    )
    return client


class _Token:
    __slots__ = ("fresh", "number")

    def __init__(self, number: int, *, fresh: bool) -> None:
        self.number, self.fresh = number, fresh


def _token(world: World, account: Account, device_id: str, at_us: int) -> _Token:
    key = (device_id, account.channel)
    known = account.tokens.get(key)
    if known is not None and at_us - known[1] < _LASTS_US[account.channel]:
        return _Token(known[0], fresh=False)
    number = world.record.tokens.add(world.ids.new("t"))
    account.tokens[key] = (number, at_us)
    return _Token(number, fresh=True)


def _address(
    world: World, rng: random.Random, account: Account, device_id: str, at_us: int, place: Place | None
) -> str:
    where = place or _place(rng, account, world.hour_of(at_us))
    if where == "wifi":
        return rng.choice(world.net.hospital_wifi)
    if where == "office" and account.office is not None:
        return account.office
    if where == "home":
        return world.net.at_home(account.home, device_id, world.day_of(at_us))
    return world.net.mobile(ipv6=account.home.v6_prefix is not None and rng.random() < 0.5)  # noqa: PLR2004 - half


def _place(rng: random.Random, account: Account, hour: float) -> Place:
    if "mobile_only" in account.traits:
        return "mobile"
    working = _WORK_HOURS[0] <= hour < _WORK_HOURS[1]
    if "home_only" in account.traits:
        return "home"
    return rng.choices(("home", "mobile", "office"), (30, 42, 28) if working else (68, 31, 1))[0]


def search(world: World, client: int, at_us: int, department: int) -> None:
    """See what a department has."""
    world.record.event(at_us, "searched", client, department=department)


def view(world: World, client: int, at_us: int, session: Session) -> None:
    """Look at a session."""
    world.record.event(
        at_us,
        "viewed",
        client,
        department=session.doctor.department,
        session=session.number,
        released_us=session.released_us,
    )


def refresh(
    world: World,
    rng: random.Random,
    client: int,
    session: Session,
    *,
    from_us: int,
    count: int,
    gap_s: float,
    channel: str,
    style: int,
    spread: float,
) -> None:
    """Look at a session again and again; a look every ten minutes is an event, as the real log thins them out."""
    pages = session_page(channel, world.hospital.session_ids[session.number])
    world.record.train(from_us, count, gap_s=gap_s, client=client, pages=pages, style=style, spread=spread)
    for look in range(min(60, int(count * gap_s) // _LOOK_S + 1)):
        view(world, client, from_us + round((look * _LOOK_S + rng.random()) * SECOND_US), session)


def sign_up(world: World, rng: random.Random, account: Account, at_us: int, *, phone: Phone | None = None) -> int:
    """Open an account and bind its patients; the connection's number."""
    client = arrive(world, rng, account, at_us, pages=4, phone=phone)
    world.record.event(at_us - soon(rng, 0.25), "account_registered", client)
    for patient in account.patients:
        at_us += round(around(rng, 35, 0.5) * SECOND_US)
        bind(world, client, at_us, patient)
    return client


def bind(world: World, client: int, at_us: int, patient: int) -> None:
    """An account acts for a patient from now on."""
    world.record.event(at_us, "patient_bound", client, patient=patient)


def latency(rng: random.Random, median_s: float, spread: float = 0.5) -> int:
    """Tenths of a millisecond from a page to a request, where the client tells."""
    return round(around(rng, median_s, spread) * 10_000) if rng.random() < _KNOWS_LATENCY else NONE
