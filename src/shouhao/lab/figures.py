"""Figures: what the answers of a rush add up to. Pure: lists in, plain numbers out, ready for JSON."""

import bisect
import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shouhao.kernel.clock import SECOND_US
from shouhao.lab.heard import BOOKS, CREATED, NOT_RELEASED, Asked, Entered, Visit

#: Upper edges of the latency histogram, in ms; the last bar is everything above.
LATENCY_EDGES_MS = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
BIN_MS = 100
DRAW_WON = "draw_won"  #: why a winner is offered a slot
_SHARES = ((50, "p50"), (90, "p90"), (99, "p99"), (99.9, "p999"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One event about a slot, from the log."""

    at_us: int
    kind: str  #: booked, offered, accepted, cancelled, expired, paid, released, refunded
    session_id: str
    slot_id: str
    booking_id: str
    patient_id: str
    why: str = ""  #: of an offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A wanted session, as the page names it."""

    session_id: str
    department_zh: str
    department_en: str
    doctor_zh: str
    doctor_en: str
    title_zh: str
    day: str
    half: str
    hot: bool
    capacity: int
    fee_cents: int
    drawn: bool = False  #: goes by draw


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """Count, percentiles by nearest rank, and maximum.

    >>> percentiles([3.0, 1.0, 2.0])["p50"]
    2.0
    """
    ordered = sorted(values)
    if not ordered:
        return {"count": 0}
    found: dict[str, float] = {"count": len(ordered)}
    for share, name in _SHARES:
        rank = max(1, -(-int(share * 10) * len(ordered) // 1000))
        found[name] = round(ordered[rank - 1], 2)
    found["max"] = round(ordered[-1], 2)
    return found


def latency(asked: Sequence[Asked]) -> dict[str, Any]:
    """How long the server took to answer bookings, from the first byte sent to the last byte heard."""
    took_ms = [a.took_us / 1000 for a in asked if a.deed in BOOKS and a.is_definite]
    bars = [0] * (len(LATENCY_EDGES_MS) + 1)
    for value in took_ms:
        bars[bisect.bisect_left(LATENCY_EDGES_MS, value)] += 1
    paying = [
        a.took_us / 1000
        for a in asked
        if a.deed in {"begin_payment", "pay", "return", "accept", "decline"} and a.is_definite
    ]
    return {
        "booking_ms": percentiles(took_ms),
        "payment_ms": percentiles(paying),
        "histogram": {"edges_ms": list(LATENCY_EDGES_MS), "counts": bars},
    }


def waits(visits: Sequence[Visit], *, release_us: int) -> dict[str, float]:
    """From a patient's arrival, or the release when that is later, to knowing; seconds.

    It includes the wait for one of the connections that the clients' side keeps open.
    """
    return percentiles(
        max(0, v.answered_us - max(v.arrived_us, release_us)) / SECOND_US for v in visits if v.group == "patient"
    )


def by_arrival(
    visits: Sequence[Visit], entered: Sequence[Entered], won: Collection[tuple[str, str]]
) -> dict[str, list[float | None]]:
    """What part of the patients got a slot at once, by tenths of the order in which they came; draws and rush apart.

    Args:
        won: draw and entry of everybody who won.
    """
    first: dict[tuple[str, str], int] = {}
    for e in entered:
        if e.group == "patient":
            first.setdefault((e.draw_id, e.entry_id), e.at_us)
    came = sorted((v for v in visits if v.group == "patient"), key=lambda v: v.arrived_us)
    return {
        "draw": _tenths([entry in won for entry in sorted(first, key=lambda one: first[one])]),
        "first_come": _tenths([v.got for v in came]),
    }


def _tenths(got: Sequence[bool]) -> list[float | None]:
    edges = [len(got) * n // 10 for n in range(11)]
    parts = [got[start:stop] for start, stop in itertools.pairwise(edges)]
    return [round(sum(part) / len(part), 4) if part else None for part in parts]


def throughput(asked: Sequence[Asked], *, release_us: int, until_s: float) -> dict[str, Any]:
    """Definite answers to bookings in each tenth of a second around the release, and the most in any whole one."""
    first = -10
    count = round(until_s * 1000 / BIN_MS) - first
    granted, refused = [0] * count, [0] * count
    for a in asked:
        if a.deed not in BOOKS or not a.is_definite:
            continue
        place = (a.sent_us + a.took_us - release_us) // (BIN_MS * 1000) - first
        if 0 <= place < count:
            (granted if a.status == CREATED else refused)[place] += 1
    starts_s = [round((n + first) * BIN_MS / 1000, 3) for n in range(count)]
    both = [g + r for g, r in zip(granted, refused, strict=True)]
    bins = 1000 // BIN_MS
    most = max((sum(both[n : n + bins]) for n in range(max(1, count - bins + 1))), default=0)
    return {"bin_ms": BIN_MS, "starts_s": starts_s, "granted": granted, "refused": refused, "peak_per_s": most}


def sold(offers: Sequence[Offer], happened: Sequence[Happened]) -> list[dict[str, Any]]:
    """Each wanted session: how fast it went, and what became of its slots."""
    of_session: dict[str, list[Happened]] = defaultdict(list)
    for event in happened:
        of_session[event.session_id].append(event)
    return [_sold_one(offer, of_session[offer.session_id]) for offer in offers]


def _sold_one(offer: Offer, happened: Sequence[Happened]) -> dict[str, Any]:
    released_us = next((e.at_us for e in happened if e.kind == "released"), None)
    taken, full_us = 0, None
    given_s: list[float] = []
    for event in happened:
        if event.kind in {"booked", "offered"}:
            taken += 1
            if released_us is not None and event.kind == "booked":
                given_s.append(round((event.at_us - released_us) / SECOND_US, 3))
        elif event.kind in {"cancelled", "expired"}:
            taken -= 1
        if taken == offer.capacity and full_us is None:
            full_us = event.at_us
    kinds = Counter(e.kind for e in happened)
    drawn = {e.booking_id for e in happened if e.why == DRAW_WON}
    sold_out_s = None if full_us is None or released_us is None else round((full_us - released_us) / SECOND_US, 3)
    return {
        "session_id": offer.session_id,
        "department_zh": offer.department_zh,
        "department_en": offer.department_en,
        "doctor_zh": offer.doctor_zh,
        "doctor_en": offer.doctor_en,
        "title_zh": offer.title_zh,
        "day": offer.day,
        "half": offer.half,
        "hot": offer.hot,
        "fee_cents": offer.fee_cents,
        "capacity": offer.capacity,
        "drawn": offer.drawn,
        "sold_out_s": None if offer.drawn else sold_out_s,
        "given": kinds["booked"] + len(drawn),
        "paid": kinds["paid"],
        "returned": kinds["cancelled"],
        "expired": kinds["expired"],
        "offered": kinds["offered"] - len(drawn),
        "accepted": sum(e.kind == "accepted" and e.booking_id not in drawn for e in happened),
        "taken_at_the_end": taken,
        "given_s": given_s,
    }


def refusals(asked: Sequence[Asked]) -> list[dict[str, Any]]:
    """Refusals by reason, the most frequent first; patients and the gang apart."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for a in asked:
        if a.is_definite and a.code:
            counts[a.code]["gang" if a.group == "gang" else "patients"] += 1
    return [
        {"code": code, "patients": by["patients"], "gang": by["gang"]}
        for code, by in sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    ]


def gang(asked: Sequence[Asked], most_held: Mapping[str, int]) -> dict[str, Any]:
    """What hammering brought: requests, slots, and the most that one person held at once."""
    theirs = [a for a in asked if a.group == "gang" and a.is_definite]
    persons = {a.who for a in theirs}
    asking = [a for a in asked if a.group == "patient" and a.deed == "book" and a.code != NOT_RELEASED]
    winners = {a.who for a in asking if a.status == CREATED}
    slots = len({a.booking_id for a in theirs if a.status == CREATED})
    return {
        "accounts": len({a.account for a in theirs}),
        "persons": len(persons),
        "requests": len(theirs),
        "slots": slots,
        "most_per_person": max((most_held.get(p, 0) for p in persons), default=0),
        "requests_per_slot": round(len(theirs) / slots, 1) if slots else None,
        "patients_requests_per_slot": round(len(asking) / len(winners), 1) if winners else None,
        "patients_who_got_one": len(winners),
    }


def most_held(happened: Sequence[Happened]) -> dict[str, int]:
    """The most slots that each person held at once."""
    holding: Counter[str] = Counter()
    most: dict[str, int] = {}
    for event in happened:
        if event.kind in {"booked", "offered"}:
            holding[event.patient_id] += 1
            most[event.patient_id] = max(most.get(event.patient_id, 0), holding[event.patient_id])
        elif event.kind in {"cancelled", "expired"}:
            holding[event.patient_id] -= 1
    return most


def waitlist(asked: Sequence[Asked], happened: Sequence[Happened], *, resting: int) -> dict[str, Any]:
    """What became of those who joined a waitlist, and of the slots that somebody let go.

    Args:
        resting: slots that came back before anybody waited, and open to everyone at a moment that nobody knows.
    """
    joined = {(a.who, a.session_id) for a in asked if a.deed == "join" and a.status == CREATED}
    kinds = Counter(e.kind for e in happened)
    drawn = {e.booking_id for e in happened if e.why == DRAW_WON}
    let_go = {e.slot_id for e in happened if e.kind in {"cancelled", "expired"}}
    return {
        "joined": len(joined),
        "came_back": len(let_go),
        "drawn": len(drawn),
        "offered": kinds["offered"] - len(drawn),
        "handed_on": len({e.slot_id for e in happened if e.kind == "offered" and e.why != DRAW_WON}),
        "accepted": sum(e.kind == "accepted" and e.booking_id not in drawn for e in happened),
        "declined": len(
            {
                a.booking_id
                for a in asked
                if a.deed == "decline" and a.is_definite and not a.code and a.booking_id not in drawn
            }
        ),
        "resting": resting,
    }


def traffic(asked: Sequence[Asked]) -> dict[str, Any]:
    """How many requests of which kind, and how many times an answer had to be asked for again."""
    last = {a.key: a for a in asked}
    by_deed = Counter(a.deed for a in asked)
    return {
        "requests": len(asked),
        "by_deed": dict(sorted(by_deed.items())),
        "busy": sum(a.status == 503 for a in asked),  # noqa: PLR2004 - HTTP's own number
        "line_broken": sum(a.status == 0 for a in asked),
        "unanswered": sum(not a.is_definite for a in last.values()),
    }
