"""Dry run: what a release policy would have done with the demand of a past time. Pure.

Every session is given out again under the policy, among those who asked for it; where chance decides, several times
over, and the figures are means. It shows which way a policy moves things and never who would have got what, for under
another rule people ask at other moments. Reading the demand is left to `store/demand.py`.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shouhao.booking.demand import Asker, SessionDemand
from shouhao.booking.dry_run_words import FIGURES, Unit
from shouhao.booking.model import ON_SITE_CHANNELS
from shouhao.booking.release.draw import Entry, allocate, rank
from shouhao.booking.release.mixed import parts_that_fit, too_small
from shouhao.booking.release.policy import PARTS, Part, ReleaseKind, ReleasePolicy, check_number
from shouhao.booking.waitlist import waitlist_closes_at_us
from shouhao.kernel.clock import SECOND_US

MOST_RUNS: Final = 200
LEAST_RUNS: Final = 3
MOST_REQUESTS: Final = 1_000_000  #: given out over all runs, a few seconds; means over that many need no more runs
CONTESTED_SHOWN: Final = 50
CROWD: Final = 3  #: people for whom one account asked, from which on it is counted apart

#: Whose requests a part set apart for a channel is for. Past demand has no mark of a referral.
_CHANNELS: Mapping[Part, frozenset[str]] = {
    "window": ON_SITE_CHANNELS,
    "phone": frozenset({"phone"}),
    "referral": frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure, as it was and as it would have been, with what it is and where it ends."""

    code: str
    unit: Unit
    as_it_was: float | None  #: None: there is no such figure on this side, or nothing to take it of
    under_policy: float | None
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartUse:
    """Slots that the policy sets apart for one part, and for how many of them somebody asked that way."""

    part: Part
    seats: int
    asked_for: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contested:
    """A session for which more people asked than it had slots."""

    session_id: str
    seats: int
    asked: int
    got: int  #: as it was; with returned slots that were taken again
    chance: float  #: share of its askers who would have a slot of it


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """The answer of a dry run."""

    kind: ReleaseKind
    runs: int  #: draws that were made: fewer than asked for when the demand is large, 1 when nothing hangs on chance
    figures: tuple[Figure, ...]
    parts: tuple[PartUse, ...]
    contested: tuple[Contested, ...]  #: those with the most askers a slot first, at most `CONTESTED_SHOWN`

    def figure(self, code: str) -> Figure:
        """One of the figures by its code in `FIGURES`."""
        return next(figure for figure in self.figures if figure.code == code)


def simulate(demand: Sequence[SessionDemand], policy: ReleasePolicy, *, seed: bytes, runs: int = 20) -> DryRun:
    """Give past sessions out again under a policy.

    The same demand, policy and seed give the same answer, in whatever order sessions and people stand.

    Args:
        seed: any bytes; nothing that it orders is ever given to anybody.
        runs: 1..200 draws over which the figures are means; a large demand gets fewer, though three.
    Raises:
        InvalidInput: the runs are outside their range.
    """
    check_number("runs", runs, 1, MOST_RUNS)
    rounds = _rounds(demand, policy)
    contested = {s.session_id for s in demand if len(s.askers) > s.capacity}
    none = _Tally(contested=contested, many=_crowds(demand))
    was = none.copy()
    was.add(ask for one in rounds for ask in one.asks if ask.asker.got)
    asked = {s.session_id: len(s.askers) for s in demand if s.session_id in contested}
    everyone = {asker.patient_id for s in demand for asker in s.askers}
    read: list[dict[str, float | None]] = []
    places: Counter[str] = Counter()
    for tally in _drawn_over(rounds, policy, none, seed=seed, runs=runs):
        read.append(_read(tally, was, asked, everyone))
        places.update(tally.by_session)
    fixed = _fixed(demand, rounds, policy, everyone, contested)
    before = _read(was, was, asked, everyone)
    return DryRun(
        kind=policy.kind,
        runs=len(read),
        figures=tuple(_figures(fixed, before, {code: _mean([one[code] for one in read]) for code in before})),
        parts=tuple(_part_uses(rounds)),
        contested=tuple(_most_contested(demand, was, {s: n / len(read) for s, n in places.items()})),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Ask:
    """One person's asking for one session; told apart by being itself."""

    session_id: str
    asker: Asker


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """Sessions of one department that were released at one moment: one draw, when there is one."""

    id: str
    parts: Mapping[str, Mapping[Part, int]]  #: by session
    asks: Sequence[_Ask]  #: in the order in which they were made
    entries: Sequence[Entry]
    find: Mapping[tuple[str, str], _Ask]  #: by session and person
    returned: Mapping[str, int]  #: slots of a session that came back while its waitlist was open
    was_drawn: bool  #: somebody's moment of asking says nothing
    by_chance: bool  #: another seed may give another outcome


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What one way of giving out comes to."""

    contested: set[str]
    many: set[str]
    places: int = 0
    first_second: int = 0
    first_ten: int = 0
    crowd: int = 0
    handed_on: int = 0
    people: set[str] = field(default_factory=set)
    by_session: Counter[str] = field(default_factory=Counter)  #: of the contested ones

    def add(self, given: Iterable[_Ask], handed_on: int = 0) -> None:
        """Count places that were given."""
        self.handed_on += handed_on
        for ask in given:
            asker = ask.asker
            self.places += 1
            self.people.add(asker.patient_id)
            self.crowd += asker.account_id in self.many
            if asker.asked_after_us is not None:
                self.first_second += asker.asked_after_us <= SECOND_US
                self.first_ten += asker.asked_after_us <= 10 * SECOND_US
            if ask.session_id in self.contested:
                self.by_session[ask.session_id] += 1

    def copy(self) -> "_Tally":
        """The same counts, to count on from."""
        return _Tally(
            contested=self.contested,
            many=self.many,
            places=self.places,
            first_second=self.first_second,
            first_ten=self.first_ten,
            crowd=self.crowd,
            handed_on=self.handed_on,
            people=set(self.people),
            by_session=self.by_session.copy(),
        )


def _drawn_over(
    rounds: Sequence[_Round], policy: ReleasePolicy, none: _Tally, *, seed: bytes, runs: int
) -> Iterator[_Tally]:
    """What each run comes to. What no chance decides is given out once."""
    by_chance = [one for one in rounds if one.by_chance]
    certain = none.copy()
    for one in rounds:
        if not one.by_chance:
            certain.add(*_give_out(one, policy, seed=seed))
    requests = sum(len(one.asks) for one in by_chance)
    bound = max(LEAST_RUNS, MOST_REQUESTS // requests) if requests else 1
    for run in range(min(runs, bound)):
        tally = certain.copy()
        for one in by_chance:
            of_run = hashlib.sha256(run.to_bytes(4, "big") + one.id.encode() + b"\0" + seed).digest()
            tally.add(*_give_out(one, policy, seed=of_run))
        yield tally


def _rounds(demand: Sequence[SessionDemand], policy: ReleasePolicy) -> list[_Round]:
    together: dict[tuple[str, int], list[SessionDemand]] = defaultdict(list)
    for session in sorted(demand, key=lambda s: s.session_id):
        together[(session.department_id, session.released_at_us)].append(session)
    return [_round(f"{department}\0{at_us}", found, policy) for (department, at_us), found in sorted(together.items())]


def _round(round_id: str, sessions: Sequence[SessionDemand], policy: ReleasePolicy) -> _Round:
    parts = {s.session_id: parts_that_fit(policy, s.capacity) for s in sessions}
    asks = [_Ask(s.session_id, asker) for s in sessions for asker in s.askers]
    asks.sort(key=_in_order)
    wishes: dict[str, list[str]] = {ask.asker.patient_id: [] for ask in asks}
    for ask in asks:
        mine = wishes[ask.asker.patient_id]
        if parts[ask.session_id].get("draw", 0) and len(mine) < policy.draw.wishes_max:
            mine.append(ask.session_id)
    was_drawn = any(ask.asker.asked_after_us is None for ask in asks)
    returned = {s.session_id: _came_back(s, policy) for s in sessions}
    return _Round(
        id=round_id,
        parts=parts,
        asks=asks,
        entries=[
            Entry(id=f"{n:08d}", people=(person,), wishes=tuple(wishes[person]))
            for n, person in enumerate(sorted(wishes))
        ],
        find={(ask.session_id, ask.asker.patient_id): ask for ask in asks},
        returned=returned,
        was_drawn=was_drawn,
        by_chance=was_drawn or any(_decided_by_chance(s, parts[s.session_id], policy) for s in sessions),
    )


def _decided_by_chance(session: SessionDemand, parts: Mapping[Part, int], policy: ReleasePolicy) -> bool:
    asked = len(session.askers)
    if "draw" in parts:
        return asked > parts["draw"]  # otherwise everybody has their first wish
    return asked > session.capacity and policy.waitlist.open and _came_back(session, policy) > 0


def _in_order(ask: _Ask) -> tuple[int, int, bool, str, str]:
    """By moment; in one moment those who got it were served first, for the desk decides many at once."""
    asker = ask.asker
    later = not asker.got and asker.asked_after_us is not None
    return asker.asked_after_us or 0, asker.wish, later, asker.patient_id, ask.session_id


def _came_back(session: SessionDemand, policy: ReleasePolicy) -> int:
    closes_at_us = waitlist_closes_at_us(session_starts_at_us=session.starts_at_us, rules=policy.waitlist)
    return sum(
        1 for asker in session.askers if asker.returned_at_us is not None and asker.returned_at_us < closes_at_us
    )


def _give_out(one: _Round, policy: ReleasePolicy, *, seed: bytes) -> tuple[set[_Ask], int]:
    """The places of a round, and how many of them went down a waitlist.

    First the parts of those who come their own way, then the draw, then all that is left to everyone, then what came
    back. Who has a place by a part or by draw takes no second one in the round; under first come people may, as it was.
    """
    ranked = rank(one.entries, seed=seed)
    asks = _by_lot(one.asks, ranked) if one.was_drawn else one.asks
    given = _own_way(one, asks)
    placed = {ask.asker.patient_id for ask in given}
    left = {s: sum(parts.values()) for s, parts in one.parts.items()}
    seats = {s: parts["draw"] for s, parts in one.parts.items() if "draw" in parts}
    if seats:
        allocation = allocate([entry for entry in ranked if entry.people[0] not in placed], seats)
        person_of = {entry.id: entry.people[0] for entry in ranked}
        given.update(one.find[win.target, person_of[win.entry_id]] for win in allocation.wins)
        placed = {ask.asker.patient_id for ask in given}
    left.update({s: left[s] - n for s, n in Counter(ask.session_id for ask in given).items()})
    empty_handed = [ask for ask in asks if ask.asker.patient_id not in placed]
    _take_turns(empty_handed, left, given)
    back = dict(one.returned)
    if policy.waitlist.open:
        empty_handed = _by_lot(empty_handed, ranked)
    handed_on = _take_turns([ask for ask in empty_handed if ask not in given], back, given)
    return given, handed_on if policy.waitlist.open else 0


def _own_way(one: _Round, asks: Sequence[_Ask]) -> set[_Ask]:
    """Those who ask at a window or by phone take from the part that is set apart for it, one each."""
    given: set[_Ask] = set()
    placed: set[str] = set()
    left = {(s, part): n for s, parts in one.parts.items() for part, n in parts.items() if part in _CHANNELS}
    if not left:
        return given
    for ask in asks:
        for part, channels in _CHANNELS.items():
            place = (ask.session_id, part)
            if ask.asker.channel in channels and left.get(place, 0) and ask.asker.patient_id not in placed:
                left[place] -= 1
                placed.add(ask.asker.patient_id)
                given.add(ask)
    return given


def _take_turns(asks: Sequence[_Ask], left: dict[str, int], given: set[_Ask]) -> int:
    """Give what is left to these, in their order; how many that were."""
    before = len(given)
    for ask in asks:
        if left[ask.session_id] > 0:
            left[ask.session_id] -= 1
            given.add(ask)
    return len(given) - before


def _by_lot(asks: Sequence[_Ask], ranked: Sequence[Entry]) -> list[_Ask]:
    place = {entry.people[0]: n for n, entry in enumerate(ranked)}
    return sorted(asks, key=lambda ask: place[ask.asker.patient_id])


def _crowds(demand: Sequence[SessionDemand]) -> set[str]:
    """Accounts that asked for several people."""
    people: dict[str, set[str]] = defaultdict(set)
    for session in demand:
        for asker in session.askers:
            if asker.account_id is not None:
                people[asker.account_id].add(asker.patient_id)
    return {account_id for account_id, found in people.items() if len(found) >= CROWD}


def _read(tally: _Tally, was: _Tally, asked: Mapping[str, int], everyone: set[str]) -> dict[str, float | None]:
    chances = [tally.by_session[session_id] / count for session_id, count in asked.items()]
    return {
        "served": len(tally.people),
        "chance": _mean(chances),
        "first_second": tally.first_second / tally.places if tally.places else None,
        "first_ten": tally.first_ten / tally.places if tally.places else None,
        "crowd": tally.crowd,
        "again": len(tally.people & was.people),
        "neither": len(everyone) - len(tally.people | was.people),
        "handed_on": tally.handed_on,
    }


def _fixed(
    demand: Sequence[SessionDemand],
    rounds: Sequence[_Round],
    policy: ReleasePolicy,
    everyone: set[str],
    contested: set[str],
) -> dict[str, tuple[float | None, float | None]]:
    """Figures in which chance has no part: as it was, and under the policy."""
    returned = sum(asker.returned_at_us is not None for s in demand for asker in s.askers)
    was_drawn = sum(any(asker.asked_after_us is None for asker in s.askers) for s in demand)
    drawn = sum("draw" in parts for one in rounds for parts in one.parts.values())
    both = {
        "sessions": len(demand),
        "seats": sum(s.capacity for s in demand),
        "asked": len(everyone),
        "contested": len(contested),
    }
    return {
        **{code: (value, value) for code, value in both.items()},
        "drawn": (was_drawn, drawn),
        "too_small": (None, sum(too_small(policy, s.capacity) for s in demand)),
        "returned": (returned, None),
    }


#: Figures that compare the two, and so have no value as it was.
_COMPARE = frozenset({"again", "neither", "handed_on"})


def _figures(
    fixed: Mapping[str, tuple[float | None, float | None]],
    before: Mapping[str, float | None],
    under: Mapping[str, float | None],
) -> list[Figure]:
    made = []
    for code, (unit, zh, en) in FIGURES.items():
        as_it_was, under_policy = fixed.get(code) or (None if code in _COMPARE else before[code], under[code])
        made.append(Figure(code=code, unit=unit, as_it_was=as_it_was, under_policy=under_policy, zh=zh, en=en))
    return made


def _part_uses(rounds: Sequence[_Round]) -> list[PartUse]:
    """Who comes their own way is counted there first, then the draw, then the public part."""
    seats: Counter[Part] = Counter()
    used: Counter[Part] = Counter()
    for one in rounds:
        channels: dict[str, Counter[str]] = defaultdict(Counter)
        for ask in one.asks:
            channels[ask.session_id][ask.asker.channel] += 1
        for session_id, parts in one.parts.items():
            came = channels[session_id]
            left = came.total()
            for part in (*_CHANNELS, *(part for part in PARTS if part not in _CHANNELS)):
                of_part = sum(came[channel] for channel in _CHANNELS[part]) if part in _CHANNELS else left
                size = parts.get(part, 0)
                seats[part] += size
                used[part] += min(size, of_part)
                left -= min(size, of_part)
    return [PartUse(part=part, seats=seats[part], asked_for=used[part]) for part in PARTS if seats[part]]


def _most_contested(demand: Sequence[SessionDemand], was: _Tally, places: Mapping[str, float]) -> list[Contested]:
    found = [
        Contested(
            session_id=s.session_id,
            seats=s.capacity,
            asked=len(s.askers),
            got=was.by_session[s.session_id],
            chance=places.get(s.session_id, 0) / len(s.askers),
        )
        for s in demand
        if s.session_id in was.contested
    ]
    found.sort(key=lambda one: (-one.asked / max(one.seats, 1), one.session_id))
    return found[:CONTESTED_SHOWN]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None  # rounded once, so in any order the same
