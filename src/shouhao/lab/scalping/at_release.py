"""At a release: how people wait for a doctor whom everybody wants, and press.

The time to react is a log-normal: a second or so, some far faster. A few tap again and again from before the release,
as one does for concert tickets, and so are in within a tenth of a second without any machine. Careful scalpers go
through these very lines, with their own dice.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shouhao.kernel.clock import MINUTE_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.chance import around
from shouhao.lab.scalping.desk import Booking
from shouhao.lab.scalping.faces import show_face
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.record import HUMAN, METRONOME
from shouhao.lab.scalping.visits import arrive, latency, refresh, search, view
from shouhao.lab.scalping.world import World

_REACTS_S, _REACTS_SPREAD, _LEAST_S = 1.15, 0.5, 0.19
_LEAD_S, _LEAD_SPREAD, _LEAD_MOST_S = 240.0, 0.9, 3 * 3600.0
SHOWS_FACE = 0.6  #: the part of people whom the house asks for it
_TAP_S, _TAPS = 0.17, 25
_EXTENSION_S = (3, 5, 10, 15, 30)


@dataclass(slots=True, eq=False, kw_only=True)
class Rush:
    """One account at one release."""

    world: World
    rng: random.Random
    account: Account
    patient: int
    wishes: Sequence[Session]  #: of one release time
    won: Callable[[Account, Booking, int], None]
    lost: Callable[[int, int], None]  #: given the connection and the time
    client: int = 0

    def plan(self) -> None:
        """Come some minutes before."""
        lead_s = min(_LEAD_MOST_S, around(self.rng, _LEAD_S, _LEAD_SPREAD))
        at_us = self.wishes[0].released_us - round(lead_s * SECOND_US)
        if at_us > max(self.world.start_us, self.account.new_at_us or 0):
            self.world.at(at_us, self._waits)

    def _waits(self, now_us: int) -> None:
        rng, world, first, traits = self.rng, self.world, self.wishes[0], self.account.traits
        direct = "deep_link" in traits
        self.client = arrive(world, rng, self.account, now_us, pages=3 if direct else 9)
        if not direct:
            search(world, self.client, now_us + round(around(rng, 7, 0.5) * SECOND_US), first.doctor.department)
            for n, session in enumerate(self.wishes):
                view(world, self.client, now_us + round((10 + 9 * n + around(rng, 7, 0.5)) * SECOND_US), session)
        self._refreshes(now_us)
        if rng.random() < SHOWS_FACE:
            shows_us = max(now_us + 20 * SECOND_US, first.released_us - round(around(rng, 70, 0.6) * SECOND_US))
            show_face(world, rng, self.client, shows_us, self.patient)
        if "anticipator" in traits:
            world.at(first.released_us - round(rng.uniform(0.4, 2.2) * SECOND_US), lambda now: self._taps(now, _TAPS))
            return
        reacts_s = max(_LEAST_S, around(rng, _REACTS_S * self.account.quickness, _REACTS_SPREAD))
        world.at(first.released_us + round(reacts_s * SECOND_US), lambda now: self._presses(now, 0))

    def _refreshes(self, now_us: int) -> None:
        """Most pull the page down now and then; some hundreds of times a minute, and some let a browser do it."""
        rng, release_us, traits = self.rng, self.wishes[0].released_us, self.account.traits
        style, spread = HUMAN, 0.8
        if "auto_refresh" in traits:
            every_s = rng.choice(_EXTENSION_S)
            minutes = rng.randint(10, 60)
            from_us = max(now_us, release_us - minutes * MINUTE_US)
            count, style, gap_s, spread = minutes * 60 // every_s, METRONOME, float(every_s), rng.uniform(0.01, 0.12)
        elif "impatient" in traits:
            gap_s, spread = rng.uniform(0.18, 0.4), 0.45
            from_us, count = release_us - round(rng.uniform(20, 100) * SECOND_US), rng.randint(250, 800)
        else:
            gap_s, from_us = around(rng, 7, 0.7), now_us + 30 * SECOND_US
            count = min(120, max(1, int((release_us - from_us) / SECOND_US / gap_s)))
        refresh(
            self.world,
            rng,
            self.client,
            self.wishes[0],
            from_us=from_us,
            count=count,
            gap_s=gap_s,
            channel=self.account.channel,
            style=style,
            spread=spread,
        )

    def _taps(self, now_us: int, left: int) -> None:
        """Tap, tap, tap, from before the release."""
        if self._asks(now_us, self.wishes[0], waits_s=0.17):
            return
        if left:
            at_us = now_us + round(around(self.rng, _TAP_S, 0.25) * SECOND_US)
            self.world.at(at_us, lambda now: self._taps(now, left - 1))
        else:
            self.lost(self.client, now_us)

    def _presses(self, now_us: int, wish: int) -> None:
        if self._asks(now_us, self.wishes[wish], waits_s=1.1):
            return
        if wish + 1 < len(self.wishes):
            step_us = round((0.5 + around(self.rng, 1.3, 0.5)) * SECOND_US)
            self.world.at(now_us + step_us, lambda now: self._presses(now, wish + 1))
        else:
            self.lost(self.client, now_us)

    def _asks(self, now_us: int, session: Session, *, waits_s: float) -> bool:
        rng = self.rng
        booking = self.world.desk.book(
            now_us, self.client, self.patient, session, latency=latency(rng, waits_s), pick=rng.random() ** 1.5
        )
        if booking is not None:
            self.won(self.account, booking, now_us)
        return booking is not None
