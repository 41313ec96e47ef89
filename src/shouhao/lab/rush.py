"""Rush: thousands of real clients want a few hundred slots in the same minute, over real connections.

Some sessions go by draw: who wants those enters while the window is open. The others open at the release, first come.

A bounded number of connections is open at once, because the clients share their machine with the server; whoever
finds no free place waits on this side, which is told apart from the time the server took.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from shouhao.kernel.clock import SECOND_US
from shouhao.lab.clients import Connection, HungUp, Reply, connect
from shouhao.lab.crowd import After, Wish
from shouhao.lab.heard import (
    BOOKS,
    CREATED,
    NOT_RELEASED,
    SOLD_OUT,
    Asked,
    Deed,
    Door,
    Entered,
    Group,
    Offer,
    Visit,
)
from shouhao.lab.seeding import Visitor

_BOOKINGS = "/api/v1/bookings"
_TRIES = 12
_LONGEST_WAIT_S = 3.0
_GANG_REQUESTS = 80
_GANG_STARTS_S = -0.2
_GANG_GOES_ON_S = 6.0
_GANG_ENTERS_S = (-9.0, -2.0)  # once at the beginning of the window, and once again towards its end
_WISHES_MOST = 3  # of a gang's entry
_LOOKS_EVERY_S = 0.2
_ANSWERS_WITHIN_S = 4.0  # of being offered a slot; people look at their telephones at different moments
_DECLINES = 0.15  # of those who are offered a slot: it no longer suits them


class Rush:
    """One rush: clients, places, and everything that was said."""

    def __init__(self, door: Door, *, places: int, seed: int, stamp: str) -> None:
        """Set up.

        Args:
            places: how many ordinary connections may be open at once.
            stamp: makes the idempotency keys of this run its own.
        """
        self._door = door
        self._places = asyncio.Semaphore(places)
        self._chance = random.Random(seed)  # noqa: S311 - spreads retries, guards nothing
        self._stamp = stamp
        self._keys = 0
        self._release_us = 0
        self._draws: Mapping[str, str] = {}
        self._fates: dict[str, After] = {}
        self.asked: list[Asked] = []
        self.visits: list[Visit] = []
        self.entered: list[Entered] = []
        self.most_open = 0
        self.hung_up = 0  #: first sendings whose answer nobody waited for
        self._open = 0

    async def run(
        self,
        crowd: Sequence[tuple[Visitor, Wish]],
        gang: Sequence[Visitor],
        targets: Sequence[str],
        release_us: int,
        *,
        draws: Mapping[str, str] | None = None,
    ) -> None:
        """Everybody comes, around the release.

        Args:
            targets: the sessions that are wanted.
            draws: those of them that go by draw, each with the id of its draw, which takes entries already.
        """
        self._release_us, self._draws = release_us, draws or {}
        first_come = [session_id for session_id in targets if session_id not in self._draws]
        async with asyncio.TaskGroup() as group:
            for visitor, wish in crowd:
                if wish.choices[0] in self._draws:
                    group.create_task(self._enter(visitor, wish))
                else:
                    group.create_task(self._visit(visitor, wish))
            for number, visitor in enumerate(gang):
                group.create_task(self._hammer(visitor, first_come, number))
                group.create_task(self._enter_often(visitor, number))

    async def take_offers(
        self,
        crowd: Sequence[Visitor],
        gang: Sequence[Visitor],
        *,
        unsettled: Callable[[], tuple["Offer", ...] | None],
        within_s: float,
    ) -> bool:
        """Whoever is offered a slot accepts it and pays, or declines; whether all was settled in time.

        Args:
            crowd: who may be offered one; of the gang, who accepts and never pays.
            unsettled: the offers that stand, or None once nobody has anything to accept or to pay; how a person hears
                of it, by message or by looking, is not played here.
        """
        seen: set[str] = set()
        known: dict[str, tuple[Visitor, Group]] = {v.account_id: (v, "patient") for v in crowd}
        known |= {v.account_id: (v, "gang") for v in gang}
        until = time.monotonic() + within_s
        async with asyncio.TaskGroup() as group:
            while (offers := await asyncio.to_thread(unsettled)) is not None:
                if time.monotonic() > until:
                    return False
                for offer in offers:
                    if offer.booking_id not in seen and offer.account_id in known:
                        seen.add(offer.booking_id)
                        group.create_task(self._answer_offer(*known[offer.account_id], offer))
                await asyncio.sleep(_LOOKS_EVERY_S)
        return True

    async def _answer_offer(self, visitor: Visitor, group: Group, offer: "Offer") -> None:
        """Who won in a draw does what they would with any slot; who waited for one seldom lets it go."""
        client = _Client(self, visitor, group)
        fate: After = "returns" if self._chance.random() < _DECLINES else "pays"
        if group == "gang":
            fate = "leaves"
        elif offer.drawn:
            fate = self._fates.get(offer.patient_id, "pays")
        await asyncio.sleep(self._chance.random() * _ANSWERS_WITHIN_S)
        async with self._place(client):
            said = await client.answer_offer(offer, "decline" if fate == "returns" else "accept")
            if fate == "pays" and not said.code and said.is_definite:
                await client.pay(said)

    async def _enter(self, visitor: Visitor, wish: Wish) -> None:
        """Enter a draw with ranked wishes; what came of it is learned from the offers."""
        await _until(self._release_us + round(wish.enters_s * SECOND_US))
        client = _Client(self, visitor, "patient")
        self._fates[visitor.patient_id] = wish.after
        async with self._place(client):
            key = self.new_key()
            await client.enter(self._draws[wish.choices[0]], wish.choices, key)
            if wish.repeats:
                await client.enter(self._draws[wish.choices[0]], wish.choices, key)

    async def _enter_often(self, visitor: Visitor, number: int) -> None:
        """A gang's account enters every draw, twice; for whom another of its accounts entered, it is refused."""
        client = _Client(self, visitor, "gang")
        for enters_s in _GANG_ENTERS_S:
            await _until(self._release_us + round(enters_s * SECOND_US))
            for draw_id in dict.fromkeys(self._draws.values()):
                of_draw = [session_id for session_id, draw in self._draws.items() if draw == draw_id]
                first = number % len(of_draw)
                wishes = (of_draw[first:] + of_draw[:first])[:_WISHES_MOST]
                await client.enter(draw_id, wishes, self.new_key())
        client.close()

    async def _visit(self, visitor: Visitor, wish: Wish) -> None:
        await _until(self._release_us + round(wish.arrives_s * SECOND_US))
        arrived_us = _now_us()
        client = _Client(self, visitor, "patient")
        async with self._place(client):
            last = await self._try_choices(client, wish)
            got = last.status == CREATED
            self.visits.append(Visit(group="patient", arrived_us=arrived_us, answered_us=_now_us(), got=got))
            if got and wish.repeats:
                await client.send_book(last.session_id, last.key, "repeat")
            if got and wish.twice:
                await client.send_book(last.session_id, self.new_key(), "again")
            if last.code == SOLD_OUT and wish.waits:
                await client.join(wish.choices[0])
        if not got or wish.after == "leaves":
            return
        await asyncio.sleep(wish.thinks_s)  # the place is somebody else's meanwhile
        async with self._place(client):
            await (client.pay(last) if wish.after == "pays" else client.give_back(last))

    @asynccontextmanager
    async def _place(self, client: "_Client") -> AsyncIterator[None]:
        """One of the connections that may be open at once."""
        async with self._places:
            self._open += 1
            self.most_open = max(self.most_open, self._open)
            try:
                yield
            finally:
                self._open -= 1
                client.close()

    async def _try_choices(self, client: "_Client", wish: Wish) -> Asked:
        last = None
        for session_id in wish.choices:
            last = await client.book(session_id, hang_up=wish.hangs_up and last is None)
            if last.code == NOT_RELEASED:
                await _until(self._release_us)
                last = await client.book_once_released(session_id)
            if last.code != SOLD_OUT:
                break
        if last is None:
            raise ValueError("a wish without a choice")
        return last

    async def _hammer(self, visitor: Visitor, targets: Sequence[str], number: int) -> None:
        """A script that asks for one session after another, as fast as it is answered."""
        start_us = self._release_us + round(_GANG_STARTS_S * SECOND_US)
        end_us = self._release_us + round(_GANG_GOES_ON_S * SECOND_US)
        await _until(start_us)
        client = _Client(self, visitor, "gang")
        try:
            for turn in range(_GANG_REQUESTS):
                if _now_us() > end_us:
                    break
                await client.book(targets[(number + turn) % len(targets)])
        finally:
            client.close()

    def new_key(self) -> str:
        """An idempotency key nobody used before."""
        self._keys += 1
        return f"{self._stamp}-{self._keys}"

    def wait_s(self, tries: int, retry_after: str | None) -> float:
        """How long to wait before asking again, spread so that not all come back at once."""
        asked_s = float(retry_after) if retry_after and retry_after.isdigit() else 0.2 * tries
        return min(asked_s, _LONGEST_WAIT_S) * (0.5 + self._chance.random())

    async def connect(self) -> Connection:
        """Open a connection to the server."""
        return await connect(self._door.host, self._door.port)

    def headers(self, visitor: Visitor) -> dict[str, str]:
        """Whose request it is."""
        return {
            "X-Channel-Key": self._door.channel_key,
            "Authorization": f"Bearer {visitor.token}",
            "Accept-Language": "zh-CN",
        }


class _Client:
    """One account's side of the conversation, on one connection that is opened again when it ends."""

    def __init__(self, rush: Rush, visitor: Visitor, group: Group) -> None:
        self._rush = rush
        self._visitor = visitor
        self._group: Group = group
        self._headers = rush.headers(visitor)
        self._connection: Connection | None = None

    async def book(self, session_id: str, *, hang_up: bool = False) -> Asked:
        key = self._rush.new_key()
        if hang_up:
            await self._send_and_hang_up(session_id, key)
        return await self.send_book(session_id, key, "book")

    async def book_once_released(self, session_id: str) -> Asked:
        """Ask until the session is open: the worker opens it some milliseconds after its time."""
        said = await self.book(session_id)
        while said.code == NOT_RELEASED:
            await asyncio.sleep(0.1)
            said = await self.book(session_id)
        return said

    async def send_book(self, session_id: str, key: str, deed: Deed) -> Asked:
        said, _ = await self._ask("POST", _BOOKINGS, self._book_body(session_id), key, deed, session_id)
        return said

    async def enter(self, draw_id: str, wishes: Sequence[str], key: str) -> Asked:
        """Enter a draw; the receipt is kept."""
        body = msgspec.json.encode({"patient_ids": [self._visitor.patient_id], "wishes": wishes})
        said, reply = await self._ask("POST", f"/api/v1/draws/{draw_id}/entries", body, key, "enter", wishes[0])
        if reply is not None and reply.status == CREATED:
            receipt = reply.json()
            self._rush.entered.append(
                Entered(
                    who=self._visitor.patient_id,
                    group=self._group,
                    draw_id=draw_id,
                    entry_id=receipt["entry_id"],
                    wishes=tuple(receipt["wishes"]),
                    at_us=_now_us(),
                )
            )
        return said

    async def join(self, session_id: str) -> Asked:
        """Join the waitlist of a session that is sold out."""
        body = msgspec.json.encode({"patient_ids": [self._visitor.patient_id]})
        path = f"/api/v1/sessions/{session_id}/waits"
        said, _ = await self._ask("POST", path, body, self._rush.new_key(), "join", session_id)
        return said

    async def answer_offer(self, offer: Offer, deed: Literal["accept", "decline"]) -> Asked:
        """Accept an offer, or decline it, which is a return."""
        path = f"{_BOOKINGS}/{offer.booking_id}/{'accept' if deed == 'accept' else 'return'}"
        said, _ = await self._ask("POST", path, b"", self._rush.new_key(), deed, offer.session_id, offer)
        return said

    async def pay(self, got: Asked) -> None:
        path = f"{_BOOKINGS}/{got.booking_id}/payment"
        due, reply = await self._ask("POST", path, b"", self._rush.new_key(), "begin_payment", got.session_id, got)
        if reply is None or due.code or not due.is_definite:
            return
        address = urlsplit(str(reply.json()["pay_url"]))
        path = f"{address.path}?{address.query}"
        await self._ask("POST", path, b"", self._rush.new_key(), "pay", got.session_id, got)

    async def give_back(self, got: Asked) -> None:
        path = f"{_BOOKINGS}/{got.booking_id}/return"
        await self._ask("POST", path, b"", self._rush.new_key(), "return", got.session_id, got)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _book_body(self, session_id: str) -> bytes:
        return msgspec.json.encode({"patient_id": self._visitor.patient_id, "session_id": session_id})

    async def _send_and_hang_up(self, session_id: str, key: str) -> None:
        """The answer is lost on its way, as in a lift; the same key asks for it later."""
        try:
            connection = await self._rush.connect()
            connection.send(
                "POST",
                _BOOKINGS,
                headers={**self._headers, "Idempotency-Key": key},
                body=self._book_body(session_id),
            )
            self._rush.hung_up += 1
            await asyncio.sleep(0.02)  # long enough for the request to leave
            connection.close()
        except (HungUp, OSError):
            return

    async def _ask(
        self,
        method: str,
        path: str,
        body: bytes,
        key: str,
        deed: Deed,
        session_id: str,
        about: Asked | Offer | None = None,
    ) -> tuple[Asked, Reply | None]:
        """Ask until the answer is definite; the same key each time, so that it is done once."""
        for tries in range(1, _TRIES + 1):
            sent_us, started = _now_us(), time.perf_counter()
            reply = await self._send(method, path, body, key)
            took_us = round((time.perf_counter() - started) * SECOND_US)
            said = self._note(reply, deed, key, session_id, sent_us, took_us, about)
            if said.is_definite or tries == _TRIES:
                break
            await asyncio.sleep(self._rush.wait_s(tries, reply.headers.get("retry-after") if reply else None))
        return said, reply

    async def _send(self, method: str, path: str, body: bytes, key: str) -> Reply | None:
        try:
            if self._connection is None or not self._connection.is_open:
                self._connection = await self._rush.connect()
            headers = {**self._headers, "Idempotency-Key": key}
            return await self._connection.ask(method, path, headers=headers, body=body)
        except (HungUp, OSError):  # a time-out is an OSError too
            self.close()
            return None

    def _note(
        self,
        reply: Reply | None,
        deed: Deed,
        key: str,
        session_id: str,
        sent_us: int,
        took_us: int,
        about: Asked | Offer | None,
    ) -> Asked:
        booking_id, slot_id = (about.booking_id, about.slot_id) if about else ("", "")
        if reply is not None and reply.status == CREATED and deed in BOOKS:
            view = reply.json()
            booking_id, slot_id = view["id"], view["slot_id"]
        said = Asked(
            who=self._visitor.patient_id,
            account=self._visitor.account_id,
            group=self._group,
            deed=deed,
            session_id=session_id,
            key=key,
            sent_us=sent_us,
            took_us=took_us,
            status=0 if reply is None else reply.status,
            code="" if reply is None else reply.code(),
            booking_id=booking_id,
            slot_id=slot_id,
        )
        self._rush.asked.append(said)
        return said


async def _until(at_us: int) -> None:
    left_s = (at_us - _now_us()) / SECOND_US
    if left_s > 0:
        await asyncio.sleep(left_s)


def _now_us() -> int:
    return time.time_ns() // 1000
