"""Virtual day: the house's own flows on a database of their own, driven by a clock that jumps to the next happening.

Requests are gathered as the desk gathers them and decided by its own decision, one transaction a batch. The worker's
duties are done in every second in which something is due. Who asks what and when is not known here.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from shouhao.booking.decide import HoldTimes
from shouhao.booking.draw_keys import DrawKeys
from shouhao.booking.model import DeskRequest, EntryRequest
from shouhao.booking.returns import REST_STEP_S
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store import waits as wait_store
from shouhao.booking.store.draws import next_close_us
from shouhao.booking.store.release import next_release_us
from shouhao.booking.store.waits import Move, SlotState
from shouhao.flows.desk import BookingDesk, Said
from shouhao.flows.give_back import Caller, expire_holds
from shouhao.flows.offers import accept
from shouhao.flows.pay import begin_payment, take_notice
from shouhao.flows.work import release_duties
from shouhao.kernel.clock import DAY_US, SECOND_US, ManualClock
from shouhao.kernel.errors import Refused
from shouhao.kernel.randomness import SeededRandomness
from shouhao.lab.stage import Actor
from shouhao.protocols.reference_payment import ReferenceGateway
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.invariants import check
from shouhao.wiring import INVARIANTS

CHANNEL = "app"

_GATHER_US = 2_000  # as the desk's own setting
_BATCH_MOST = 512
_KEY_BYTES = 32
#: Duties whose time is no release and no close: a hold or an offer that ends, a slot that is kept or rests.
_EACH_SECOND = ("hand_kept_on", "open_rested", "expire")

Heard = Callable[[Said], None]
Happening = Mapping[str, Any]  #: an exported row of the event log


class Day:
    """One day: what is due, and what happened."""

    def __init__(self, db: Database, clock: ManualClock, *, seed: int, opens_returns: bool) -> None:
        """Set up.

        Args:
            opens_returns: what comes back is everybody's in the same moment, as the product never does.
        """
        self._db = db
        self._clock = clock
        self._opens_returns = opens_returns
        self._hold = HoldTimes()
        self._desk = BookingDesk(db, clock, self._hold)
        chance = SeededRandomness(seed)
        self._gateway = ReferenceGateway(chance.token(_KEY_BYTES), pay_page="http://127.0.0.1/pay")
        keys = DrawKeys(chance.token(_KEY_BYTES), chance.token(_KEY_BYTES))
        duties = {duty.name: duty.do for duty in release_duties(db, keys, chance)}
        duties["expire"] = lambda now_us: expire_holds(db, now_us=now_us)
        self._at_closes = list(duties.values())
        self._each_second = [duties[name] for name in _EACH_SECOND]
        self._acts: list[tuple[int, int, Callable[[], None]]] = []
        self._asked: list[tuple[int, int, DeskRequest, Heard]] = []
        self._count = itertools.count()
        self._looks: set[tuple[int, bool]] = set()
        self._waking = False
        self._seen = 0  # of the event log
        self._listeners: dict[str, list[Callable[[Happening], None]]] = defaultdict(list)
        self.free: dict[str, int] = defaultdict(int)  #: slots of a session that anyone may book, as its page shows

    @property
    def now_us(self) -> int:
        """The time."""
        return self._clock.now_us()

    def at(self, at_us: int, act: Callable[[], None]) -> None:
        """Do this at that moment, or now if it is over."""
        heapq.heappush(self._acts, (max(at_us, self.now_us), next(self._count), act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do this in so many seconds."""
        self.at(self.now_us + round(seconds * SECOND_US), act)

    def ask(self, at_us: int, request: DeskRequest, heard: Heard) -> None:
        """Let this request reach the desk at that moment; what it is told goes to `heard`."""
        heapq.heappush(self._asked, (max(at_us, self.now_us), next(self._count), request, heard))

    def listen(self, kind: str, heard: Callable[[Happening], None]) -> None:
        """Be told of each event of a kind, as an app is that polls what became of its people's requests."""
        self._listeners[kind].append(heard)

    def look_at(self, at_us: int, *, exactly: bool = False) -> None:
        """Let the worker look then.

        Args:
            exactly: at a release or a close, for which it wakes up and does all its duties. Otherwise it is the next
                whole second, and only what can be due then is done: the rest would look and find nothing.
        """
        at_us = at_us if exactly else -(-at_us // SECOND_US) * SECOND_US
        if (at_us, exactly) not in self._looks:
            self._looks.add((at_us, exactly))
            self.at(at_us, lambda: self._look(self._at_closes if exactly else self._each_second))

    def run(self, until_us: int) -> None:
        """Let happen what is due until then."""
        while True:
            act_us = self._acts[0][0] if self._acts else until_us + 1
            asked_us = self._asked[0][0] if self._asked else until_us + 1
            if min(act_us, asked_us) > until_us:
                break
            if asked_us <= act_us:
                self._decide()
            else:
                _, _, act = heapq.heappop(self._acts)
                self._move_to(act_us)
                act()
        self._move_to(until_us)

    def accept(self, actor: Actor, booking_id: str) -> bool:
        """Accept an offer; whether it still stood."""
        try:
            with self._db.write() as connection:
                accept(connection, booking_id=booking_id, caller=_caller(actor), hold=self._hold, now_us=self.now_us)
        except Refused:
            return False
        self.look_at(self.now_us + self._hold.hold_s * SECOND_US)
        self._follow()
        return True

    def pay(self, actor: Actor, booking_id: str) -> bool:
        """Pay for a held slot at the gateway, which notifies at once; whether it was still to be paid."""
        try:
            with self._db.write() as connection:
                due = begin_payment(
                    connection,
                    booking_id=booking_id,
                    owner=actor.account_id,
                    gateway=self._gateway.name,
                    hold=self._hold,
                    now_us=self.now_us,
                )
        except Refused:
            return False
        url = self._gateway.pay_url(
            payment_id=due.payment_id, amount_cents=due.amount_cents, expires_at_us=due.expires_at_us
        )
        order = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
        notice = self._gateway.pay(
            payment_id=order["payment_id"],
            amount_cents=int(order["amount_cents"]),
            expires_at_us=int(order["expires_at_us"]),
            mac=order["mac"],
            payer_id=None,
            now_us=self.now_us,
        )
        with self._db.write() as connection:
            take_notice(connection, self._gateway.read_notice(*notice), now_us=self.now_us)
        self._follow()
        return True

    def check(self) -> None:
        """Make sure that every invariant of the house holds.

        Raises:
            RuntimeError: one does not, so the day's figures are worth nothing.
        """
        with self._db.read() as connection:
            broken = check(connection, INVARIANTS)
        if broken:
            raise RuntimeError(f"invariants are broken: {[violation.code for violation in broken]}")

    def _decide(self) -> None:
        """Everything that reaches the desk within its gathering time is one batch."""
        until_us = self._asked[0][0] + _GATHER_US
        batch: list[tuple[DeskRequest, Heard]] = []
        while self._asked and self._asked[0][0] <= until_us and len(batch) < _BATCH_MOST:
            _, _, request, heard = heapq.heappop(self._asked)
            batch.append((request, heard))
        self._move_to(until_us)
        said = self._desk.decide([request for request, _ in batch])
        self._follow()
        if not self._waking and any(isinstance(request, EntryRequest) for request, _ in batch):
            self._waking = True  # the first to join a waitlist opens a batch, whose close nobody knows of yet
            self.after(1.0, self._wake)
        for (_, heard), answer in zip(batch, said, strict=True):
            heard(answer)

    def _look(self, duties: Sequence[Callable[[int], int]]) -> None:
        for do in duties:
            while do(self.now_us):
                pass
        self._follow()
        if duties is self._at_closes:
            self._wake()
        self._watch_rests()

    def _wake(self) -> None:
        """Have the worker look at the next release or close."""
        self._waking = False
        with self._db.read() as connection:
            exact = [at for at in (next_release_us(connection), next_close_us(connection)) if at is not None]
        for at_us in exact:
            if at_us > self.now_us:
                self.look_at(at_us, exactly=True)

    def _watch_rests(self) -> None:
        """Have the worker look at resting slots: chance is asked once a step, so all are looked at together."""
        with self._db.read() as connection:
            resting = wait_store.due_rests(connection, now_us=self.now_us + 2 * DAY_US, limit=1)
        step_us = REST_STEP_S * SECOND_US
        for rest in resting:
            self.look_at(-(-max(rest.next_look_us, self.now_us + 1) // step_us) * step_us)

    def _follow(self) -> None:
        """Tell of what was written since the last time."""
        with self._db.read() as connection:
            rows = next(event_log.read(connection, after_seq=self._seen), [])  # a batch writes far less than a chunk
        back: list[Happening] = []
        for row in rows:
            self._seen = int(row["event_id"].rpartition("_")[2])
            self._note(row, back)
        if back:
            self._came_back(back)
        for row in rows:
            for heard in self._listeners.get(row["kind"], ()):
                heard(row)

    def _note(self, row: Happening, back: list[Happening]) -> None:
        """Keep the page's free slots, and have the worker look when a hold or an offer ends."""
        detail = row["detail"] or {}
        if row["kind"] == "released":
            self.free[row["session_id"]] = detail["public"]
        elif row["kind"] == "booked":
            self.free[row["session_id"]] -= 1
            self.look_at(self.now_us + self._hold.hold_s * SECOND_US)
        elif row["kind"] == "offered":
            self.look_at(self.now_us + detail["expires_in_s"] * SECOND_US + SECOND_US)
        elif row["kind"] == "slot_moved":
            if detail["way"] == "public":
                self.free[row["session_id"]] += 1
            elif detail["way"] == "rest":
                back.append(row)

    def _came_back(self, back: Sequence[Happening]) -> None:
        """Slots began to rest: the worker is to look at them, or the lab's switch opens them to everyone at once."""
        if not self._opens_returns:
            self._watch_rests()
            return
        with self._db.write() as connection:
            desk_store.lock_sessions(connection, {row["session_id"] for row in back})
            slot_ids = [row["slot_id"] for row in back]
            wait_store.end_rests(connection, slot_ids)
            wait_store.set_slots(connection, [SlotState(id=slot_id, state="free") for slot_id in slot_ids])
            moves = [
                Move(slot_id=r["slot_id"], session_id=r["session_id"], at_us=self.now_us, way="public", why="returned")
                for r in back
            ]
            wait_store.add_moves(connection, moves)
        for row in back:
            self.free[row["session_id"]] += 1
            opened = {**row, "detail": {"way": "public", "why": "returned"}}
            for heard in self._listeners.get("slot_moved", ()):
                heard(opened)

    def _move_to(self, at_us: int) -> None:
        if at_us > self.now_us:
            self._clock.advance(seconds=(at_us - self.now_us) / SECOND_US)


def _caller(actor: Actor) -> Caller:
    return Caller(channel=CHANNEL, account_id=actor.account_id)
