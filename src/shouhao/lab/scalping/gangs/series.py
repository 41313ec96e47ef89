"""Series: accounts opened one after another in the night, each with a bought identity, each booking once or twice.

Names and numbers come from a table, codes from a box of SIM cards, devices from an emulator that makes up a new id each
time, addresses from two blocks in turn. No account does much; that they are one shows in how they came to be.
"""

from shouhao.kernel.clock import HOUR_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.chance import around, soon
from shouhao.lab.scalping.desk import Booking
from shouhao.lab.scalping.gangs.gang import Gang, hand_over, let_lie, rewrite, seize, show_face_perhaps
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.phones import Phone
from shouhao.lab.scalping.record import NONE, Client
from shouhao.lab.scalping.visits import arrive, bind, latency

_ACCOUNTS = 26
_NIGHTS = 2
_BLOCKS = 2
_TRACES = ("created_in_series", "emulator", "address_blocks")


def plan(gang: Gang) -> None:
    """Open them on two nights, use them from the next day on."""
    world, rng = gang.world, gang.rng
    agent = world.shop.phone(model=world.shop.model()).app
    addresses = world.net.data_centre(400, blocks=_BLOCKS)
    nights = sorted(rng.sample(range(max(1, world.options.days - 2)), min(_NIGHTS, max(1, world.options.days - 2))))
    count = gang.size(_ACCOUNTS)
    for n in range(count):
        if n % (-(-count // len(nights))) == 0:
            at_us = world.moment(nights[n // (-(-count // len(nights)))], rng.uniform(1, 3))
        at_us += round((20 + around(rng, 45, 0.35)) * SECOND_US)
        made = world.shop.phone()
        phone = Phone(id=f"{rng.getrandbits(64):016x}", model=made.model, app=agent, wechat=made.wechat, web=made.web)
        account = gang.recruit("identity", traces=_TRACES, phone=phone, channel="app")
        account.new_at_us = at_us
        _open(gang, account, addresses)
        _use(gang, account, addresses)


def _client(gang: Gang, account: Account, addresses: list[str], now_us: int) -> int:
    """A visit, seen from one of the hired addresses."""
    client = arrive(gang.world, gang.rng, account, now_us, pages=3)
    record = gang.world.record
    known: Client = record.clients[client]
    record.clients[client] = known._replace(ip=record.ips.number(gang.rng.choice(addresses)))
    return client


def _open(gang: Gang, account: Account, addresses: list[str]) -> None:
    def act(now: int) -> None:
        client = _client(gang, account, addresses, now)
        gang.world.record.event(now - soon(gang.rng, 0.2), "account_registered", client)
        bind(gang.world, client, now + round(around(gang.rng, 9, 0.2) * SECOND_US), account.patients[0])

    gang.world.at(account.new_at_us or 0, act)


def _use(gang: Gang, account: Account, addresses: list[str]) -> None:
    """Once or twice, on some later day."""
    world, rng = gang.world, gang.rng
    later = range(world.day_of(account.new_at_us or 0), world.options.days)
    for day in rng.sample(later, min(len(later), rng.choice((1, 2, 2)))):
        wishes = gang.targets(day)
        if wishes:
            together = [s for s in wishes if s.released_us == wishes[0].released_us][:2]
            _at_release(gang, account, together, addresses)


def _at_release(gang: Gang, account: Account, wishes: list[Session], addresses: list[str]) -> None:
    world, rng = gang.world, gang.rng
    at_us = wishes[0].released_us - round(rng.uniform(15, 90) * SECOND_US)

    def comes(now: int) -> None:
        client = _client(gang, account, addresses, now)
        show_face_perhaps(gang, client, account.patients[0], wishes[0].released_us, now)
        seize(
            gang,
            account,
            account.patients[0],
            wishes,
            client=client,
            at_us=wishes[0].released_us + round(around(rng, 0.3, 0.3) * SECOND_US),
            step_s=0.4,
            waited=latency(rng, 0.3) if rng.random() < 0.5 else NONE,  # noqa: PLR2004 - the emulator's app, or a script
            won=lambda won, booking, then: _won(gang, won, booking, then),
        )

    if at_us > (account.new_at_us or 0) + HOUR_US:
        world.at(at_us, comes)


def _won(gang: Gang, account: Account, booking: Booking, now_us: int) -> None:
    roll = gang.rng.random()
    if roll < 0.35:  # noqa: PLR2004 - parts of one
        rewrite(gang, account, booking, now_us)
    elif roll < 0.6:  # noqa: PLR2004
        ready = [other for other in gang.accounts if other is not account and (other.new_at_us or 0) < now_us]
        receiver = gang.rng.choice(ready or gang.accounts)
        hand_over(gang, account, booking, now_us, receiver=receiver, gap_s=(240.0, 0.7))
    else:
        let_lie(gang, account, booking, now_us)
