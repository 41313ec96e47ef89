"""Play: one morning under one regime, from the release to the early afternoon, and what it came to."""

from collections.abc import Sequence
from dataclasses import dataclass

from shouhao.kernel.clock import SECOND_US, ManualClock
from shouhao.lab.gang import ENDS_US, PRICE_YUAN, Gang, Member
from shouhao.lab.honest import Patient
from shouhao.lab.regimes import Regime
from shouhao.lab.rehearsal import repeatable
from shouhao.lab.stage import BEGINS_US, RELEASE_US, Stage, copied
from shouhao.lab.virtual_day import Day, Happening
from shouhao.lab.virtual_people import plan_people, plan_wishes_of_gang
from shouhao.store import policies

TENTHS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a morning came to."""

    regime: str
    seed: int
    slots: int
    honest: int
    gang: int
    entries_honest: int  #: people who asked, or entered, at the release
    entries_gang: int
    first_honest: int  #: slots whose first holder was a patient
    first_gang: int
    end_honest: int  #: slots that a patient holds in the end and got by themselves
    end_bought: int  #: ... and bought from a scalper
    end_gang: int
    sales_tried: int
    sales_reached: int
    strangers_chance: float  #: how many sales would have reached their buyers if each had a stranger's chance
    extra_yuan: int  #: what patients paid scalpers
    sold_out_s: float | None  #: from the release until nothing was open; None: nothing was ever open to be snatched
    by_speed: tuple[float, ...]  #: chance to get a slot oneself, by tenths of patients, the fastest first


def play(stage: Stage, regime: Regime, *, seed: int) -> Outcome:
    """Play one morning; the same seed gives the same morning, whatever the regime: the same people, the same wishes.

    Raises:
        RuntimeError: an invariant of the house does not hold at the end.
    """
    clock = ManualClock(BEGINS_US)
    with copied(stage) as db, repeatable(seed, clock):
        with db.write() as connection:
            policies.add(
                connection,
                "release:everywhere",
                regime.body,
                effective_at_us=BEGINS_US,
                staff_id=None,
                reason="lab",
                now_us=BEGINS_US,
            )
        morning = _Morning(Day(db, clock, seed=seed, opens_returns=regime.opens_returns), stage, regime, seed)
        return morning.run()


class _Morning:
    """Everybody, and what is written down of them."""

    def __init__(self, day: Day, stage: Stage, regime: Regime, seed: int) -> None:
        self._day = day
        self._stage = stage
        self._regime = regime
        self._seed = seed
        size = stage.size
        # Spread over the honest, so that being registered late or early says nothing of who belongs to the gang.
        every = len(stage.actors) // max(size.gang, 1)
        bought = {n * every for n in range(size.gang)}
        traits = plan_people(size.honest, stage.session_ids, seed=seed)
        honest = [actor for n, actor in enumerate(stage.actors) if n not in bought]
        self._patients = [Patient(day, regime, actor, one) for actor, one in zip(honest, traits, strict=True)]
        self._gang = Gang(
            day,
            regime,
            [stage.actors[n] for n in sorted(bought)],
            plan_wishes_of_gang(size.gang, stage.session_ids, seed=seed),
            self._patients,
            seed=seed,
        )
        everybody: list[Patient | Member] = [*self._patients, *self._gang.members]
        self._everybody = {one.actor.patient_id: one for one in everybody}
        self._first: dict[str, str] = {}  # slot id -> its first holder
        self._holder: dict[str, str] = {}  # slot id -> who holds it now
        self._asked: set[str] = set()  # who asked, or entered
        self._sold_out_us: int | None = None

    def run(self) -> Outcome:
        day = self._day
        day.listen("booked", self._booked)
        day.listen("refused", lambda row: self._asked.add(row["patient_id"]))
        day.listen("draw_entered", lambda row: self._asked.add(row["patient_id"]))
        day.listen("offered", self._offered)
        day.listen("accepted", self._accepted)
        day.listen("cancelled", self._ended)
        day.listen("expired", self._ended)
        day.listen("slot_moved", self._moved)
        day.listen("draw_opened", self._draw_opened)
        day.listen("draw_made", self._draw_made)
        if not self._regime.draws:
            self._everybody_comes(RELEASE_US, None)
        else:
            day.look_at(RELEASE_US - 120 * SECOND_US, exactly=True)  # the worker looks each second: it opens windows
        day.look_at(RELEASE_US, exactly=True)
        day.run(ENDS_US)
        day.check()
        return self._outcome()

    def _everybody_comes(self, opens_us: int, draw_id: str | None) -> None:
        for one in self._everybody.values():
            one.come(opens_us, draw_id)

    def _draw_opened(self, row: Happening) -> None:
        self._everybody_comes(self._day.now_us, row["detail"]["draw_id"])

    def _draw_made(self, row: Happening) -> None:
        if "won" not in row["detail"] or row["detail"]["won"] == 0:
            return  # a batch of a waitlist: it has no winners
        won = set(self._holder.values())
        for patient_id, one in self._everybody.items():
            if patient_id not in won:
                one.lost_the_draw()

    def _booked(self, row: Happening) -> None:
        self._asked.add(row["patient_id"])
        self._first.setdefault(row["slot_id"], row["patient_id"])
        self._holder[row["slot_id"]] = row["patient_id"]
        self._name(row)
        everything = len(self._first) == self._stage.size.slots
        if everything and self._sold_out_us is None and not self._regime.draws:
            self._sold_out_us = self._day.now_us

    def _offered(self, row: Happening) -> None:
        self._holder[row["slot_id"]] = row["patient_id"]
        self._name(row)
        self._gang.handed_on(row["slot_id"], row["patient_id"])
        self._everybody[row["patient_id"]].offered(row["detail"]["booking_id"])

    def _accepted(self, row: Happening) -> None:
        self._first.setdefault(row["slot_id"], row["patient_id"])

    def _ended(self, row: Happening) -> None:
        if self._holder.get(row["slot_id"]) == row["patient_id"]:
            del self._holder[row["slot_id"]]
        self._everybody[row["patient_id"]].lost(row["detail"]["booking_id"])

    def _moved(self, row: Happening) -> None:
        if row["detail"]["way"] == "public":
            self._gang.opened(row["session_id"])

    def _name(self, row: Happening) -> None:
        booking_id = row["detail"]["booking_id"]
        self._gang.session_of[booking_id] = row["session_id"]
        self._gang.slot_of[booking_id] = row["slot_id"]

    def _outcome(self) -> Outcome:
        size, sales = self._stage.size, self._gang.sales
        gang = {member.actor.patient_id for member in self._gang.members}
        by_themselves = {p.actor.patient_id for p in self._patients if p.booking_id is not None and not p.bought}
        bought = {p.actor.patient_id for p in self._patients if p.booking_id is not None and p.bought}
        first = list(self._first.values())
        return Outcome(
            regime=self._regime.name,
            seed=self._seed,
            slots=size.slots,
            honest=size.honest,
            gang=size.gang,
            entries_honest=len(self._asked - gang),
            entries_gang=len(self._asked & gang),
            first_honest=sum(who not in gang for who in first),
            first_gang=sum(who in gang for who in first),
            end_honest=len(by_themselves),
            end_bought=len(bought),
            end_gang=sum(len(member.held) for member in self._gang.members),
            sales_tried=sales.tried,
            sales_reached=sales.reached,
            strangers_chance=sales.strangers_chance,
            extra_yuan=PRICE_YUAN * (sales.at_once + sales.by_polling),
            sold_out_s=None if self._sold_out_us is None else (self._sold_out_us - RELEASE_US) / SECOND_US,
            by_speed=_by_speed(self._patients, by_themselves),
        )


def _by_speed(patients: Sequence[Patient], got: set[str]) -> tuple[float, ...]:
    ordered = sorted(patients, key=lambda p: (p.traits.reaction_s, p.actor.patient_id))
    shares = []
    for n in range(TENTHS):
        tenth = ordered[n * len(ordered) // TENTHS : (n + 1) * len(ordered) // TENTHS]
        shares.append(sum(p.actor.patient_id in got for p in tenth) / max(len(tenth), 1))
    return tuple(shares)
