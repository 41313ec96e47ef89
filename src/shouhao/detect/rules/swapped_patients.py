"""Swapped patients: one account holds a slot under one name and sells it to another.

Either it gives the slot back and books it at once for the next of its patients, or it edits the patient of a live
booking into somebody else. A mother does the first between two children, and everybody corrects a misspelt name; what
is looked for is an account that does it for several, more often than accounts do. Slots that go to another account are
for hand_over.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import log2
from statistics import median
from typing import Any, ClassVar

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.retakes import Retake, retakes_of
from shouhao.detect.counted.returned_slots import RETURNS, returns, swaps
from shouhao.detect.identifiers import in_house
from shouhao.detect.model import Says, Speaks, Subject, Suspicion, Tables, Wanted
from shouhao.detect.odds import rarity, usual, weight_of
from shouhao.detect.spans import span
from shouhao.kernel.clock import SECOND_US

_OWASP = "OAT-021 Denial of Inventory"
_IDENTITY_FIELDS = r'"field"\s*:\s*"(name|document|document_number|id_number|birth_day|sex)"'


_FIELD = r'"field"\s*:\s*"([^"]+)"'
_NUMBERS = ("document", "document_number", "id_number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on swaps are worth saying, and how much they may weigh."""

    least_weight: float = 3.0  #: twenty to one; less happens to honest people every day
    most: float = 6.0  #: 400 to 1: whatever the figures, the data may be wrong in a way nobody thought of
    least_people: int = 30  #: to know what is usual
    receivers: int = 3  #: patients who got a slot of another; a family of five seldom has more to swap in one export
    fast_us: int = 3 * SECOND_US  #: no hand gives back, chooses another patient and books within that
    fast_weight: float = 1.5
    edited: int = 2  #: bookings whose patient was edited; one is a typing mistake
    #: Name and number both: not one misspelt, but somebody else; a newborn gets both at once as well. 25 to 1.
    another_person: float = 3.2
    another_per_doubling: float = 1.0


class SwappedPatients:
    """Slots that change their patient inside one account: see the file."""

    code: ClassVar[str] = "swapped_patients"
    version: ClassVar[int] = 2
    needs: ClassVar[frozenset[str]] = frozenset(
        {"events.kind", "events.account_id", "events.patient_id", "events.slot_id"}
    )

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """Swaps, how much each account gave back, edits of live bookings, and how many bookings each made."""
        return {
            "swaps": swaps(tables),
            "returns": returns(tables),
            "edits": _edits(tables.events),
            "booked": _booked(tables.events),
        }

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Suspicions, by account."""
        yield from _swapped(counted, self.policy)
        yield from _edited(counted, self.policy)
        yield from _another_person(counted, self.policy)


def _swapped(counted: Mapping[str, pa.Table], policy: Policy) -> Iterator[Suspicion]:
    by_account: dict[str, list[Retake]] = defaultdict(list)
    for one in retakes_of(counted["swaps"]):
        by_account[one.seller.id].append(one)
    given = {row["account_id"]: row["n"] for row in counted["returns"].to_pylist()}
    counts = ((max(n, len(by_account.get(a, ()))), len(by_account.get(a, ()))) for a, n in given.items())
    rate = usual(counts, least_people=policy.least_people)
    if rate is None:
        return
    for account, of in sorted(by_account.items()):
        receivers = {one.taker_patient for one in of}
        if len(receivers) < policy.receivers:
            continue
        n = max(len(of), given.get(account, 0))
        fast = sum(one.gap_us <= policy.fast_us for one in of)
        weight = weight_of(rate.tail(n=n, k=len(of)), most=policy.most) + (policy.fast_weight if fast * 2 > n else 0)
        weight = min(policy.most, weight)
        if weight < policy.least_weight:
            continue
        gap = span(round(median(one.gap_us for one in of)))
        yield Suspicion(
            subject=Subject(kind="account", id=account),
            code="swapped_patients.rebooked",
            says=Says(
                zh=f"退出的 {n} 个号中有 {len(of)} 个由同一账号改挂给另外 {len(receivers)} 名就诊人，"
                f"间隔中位数 {gap.zh}",
                en=f"{len(of)} of {n} slots it gave back it booked again for {len(receivers)} other patients, "
                f"after {gap.en} in the median",
            ),
            measured=float(len(of)),
            expected=n * rate.mean,
            threshold=float(policy.receivers),
            weight=weight,
            first_at_us=min(one.returned_at_us for one in of),
            last_at_us=max(one.taken_at_us for one in of),
            wanted=(Wanted(table="events", event_ids=tuple(sorted({e for one in of for e in one.event_ids}))),),
            owasp=_OWASP,
        )


def _edited(counted: Mapping[str, pa.Table], policy: Policy) -> Iterator[Suspicion]:
    edits: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in counted["edits"].to_pylist():
        edits[row["account_id"]].append(row)
    edited = {account: len({row["booking_event"] for row in rows}) for account, rows in edits.items()}
    booked = {row["account_id"]: row["bookings"] for row in counted["booked"].to_pylist()}
    rate = usual(((n, edited.get(a, 0)) for a, n in booked.items()), least_people=policy.least_people)
    if rate is None:
        return
    for account, rows in sorted(edits.items()):
        k, n = edited[account], booked[account]
        if k < policy.edited:
            continue
        weight = weight_of(rate.tail(n=n, k=k), most=policy.most)
        if weight < policy.least_weight:
            continue
        yield Suspicion(
            subject=Subject(kind="account", id=account),
            code="swapped_patients.edited",
            says=Says(
                zh=f"{n} 个预约中，有 {k} 个在号源有效期间被改了就诊人身份信息",
                en=f"Of {n} bookings, {k} had their patient edited into another while the slot was live",
            ),
            measured=float(k),
            expected=n * rate.mean,
            threshold=float(policy.edited),
            weight=weight,
            first_at_us=min(row["booked_at_us"] for row in rows),
            last_at_us=max(row["edited_at_us"] for row in rows),
            wanted=(Wanted(table="events", event_ids=tuple(sorted({row[e] for row in rows for e in _EVENTS}))),),
            owasp=_OWASP,
        )


def _another_person(counted: Mapping[str, pa.Table], policy: Policy) -> Iterator[Suspicion]:
    """Live bookings whose patient got another name and another number; no more than that is rare in these data."""
    fields: dict[tuple[str, str], set[str]] = defaultdict(set)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in counted["edits"].to_pylist():
        if row["field"] in {"name", *_NUMBERS}:
            fields[(row["account_id"], row["booking_event"])].add("name" if row["field"] == "name" else "number")
            rows[row["account_id"]].append(row)
    both = {key for key, of in fields.items() if len(of) > 1}
    bookings = {account: {event for one, event in both if one == account} for account in {one for one, _ in both}}
    everybody = counted["booked"].num_rows
    for account, events in sorted(bookings.items()):
        alike = sum(len(other) >= len(events) for other in bookings.values()) - 1
        grown = policy.another_person + policy.another_per_doubling * log2(len(events))
        weight = min(policy.most, grown, rarity(alike, everybody))
        if weight < policy.least_weight:
            continue
        of = [row for row in rows[account] if row["booking_event"] in events]
        yield Suspicion(
            subject=Subject(kind="account", id=account),
            code="swapped_patients.another_person",
            says=Says(
                zh=f"{len(events)} 个预约在号源有效期间，就诊人的姓名和证件号都被改掉；"
                f"{everybody} 个有预约的账号中另有 {alike} 个如此",
                en=f"In {len(events)} live bookings both the name and the number of the patient were changed; of "
                f"{everybody} accounts with bookings, {alike} others did so",
            ),
            measured=float(len(events)),
            expected=len(both) / max(1, everybody),
            threshold=1.0,
            weight=weight,
            first_at_us=min(row["booked_at_us"] for row in of),
            last_at_us=max(row["edited_at_us"] for row in of),
            wanted=(Wanted(table="events", event_ids=tuple(sorted({row[e] for row in of for e in _EVENTS}))),),
            owasp=_OWASP,
        )


_EVENTS = ("booking_event", "edit_event")


def _edits(events: Table) -> Table:
    """Edits by the account itself of what makes a person, between a booking and its end."""
    identity = events.detail.isnull() | ~events.detail.contains('"field"') | events.detail.re_search(_IDENTITY_FIELDS)
    edits = events.filter(
        (events.kind == "patient_edited") & ~in_house(events) & events.patient_id.notnull() & identity
    )
    edits = edits.select(
        "patient_id",
        edited_at_us=edits.at_us,
        edit_event=edits.event_id,
        edit_account=edits.account_id,
        field=edits.detail.re_extract(_FIELD, 1).fill_null(""),
    )
    bookings = events.filter((events.kind == "booked") & events.slot_id.notnull() & events.account_id.notnull())
    bookings = bookings.select(
        "account_id", "patient_id", "slot_id", booked_at_us=bookings.at_us, booking_event=bookings.event_id
    )
    met = bookings.join(edits, "patient_id")
    own = met.edit_account.isnull() | (met.edit_account == met.account_id)
    met = met.filter(own & (met.edited_at_us > met.booked_at_us))
    ends = events.filter(events.kind.isin((*RETURNS, "checked_in", "no_show"))).select(
        end_slot=events.slot_id, ended_at_us=events.at_us
    )
    over = met.join(
        ends,
        [met.slot_id == ends.end_slot, ends.ended_at_us > met.booked_at_us, ends.ended_at_us <= met.edited_at_us],
    )
    over = over.select("booking_event", "edit_event").distinct()
    live = met.anti_join(over, ["booking_event", "edit_event"])
    # One correction is one edit, however many bookings are live: it is held against the last of them.
    last = ibis.window(group_by=live.edit_event, order_by=[live.booked_at_us.desc(), live.booking_event])
    live = live.mutate(place=ibis.row_number().over(last))
    return live.filter(live.place == 0).select("account_id", "booked_at_us", "edited_at_us", "field", *_EVENTS)


def _booked(events: Table) -> Table:
    """How many slots each account booked."""
    booked = events.filter((events.kind == "booked") & events.account_id.notnull() & events.slot_id.notnull())
    return booked.group_by("account_id").agg(bookings=booked.count())
