"""Watch thresholds: each list's threshold follows from its budget, its size and the traffic, and is derived anew.

The hospital's own calibration wins over what the pack's manifest says. Each derivation is a version in the gallery,
with everything that went in. Where a budget cannot be kept by any threshold that is known, the strictest one is set
and the version says so; nothing is ever made laxer by guessing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import msgspec
import structlog
from sqlalchemy import Connection

from shouhao.faces import store as faces
from shouhao.faces.budget import Budget
from shouhao.faces.derivation import Derived, Known, derive, known_from_calibration, packed, unpacked
from shouhao.flows.watch_desk import WatchDesk
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.ids import new_id
from shouhao.staff import approvals
from shouhao.staff.model import Operator
from shouhao.store.engine import Database
from shouhao.watch.store import asks, captures
from shouhao.watch.store import lists as list_store
from shouhao.watch.store import watchlist as store

COUNTED_DAYS = 14
COUNTED_DAYS_LEAST = 3  #: complete days of traffic before it is taken for the hospital's
CALIBRATION_MOST_BYTES = 16 * 1024 * 1024
_BY = "shouhao.derivation/1"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """People who pass cameras in a day."""

    passages_a_day: int
    days: int  #: complete days it was counted on; 0: assumed

    @property
    def basis(self) -> Literal["counted", "assumed"]:
        """Where the figure comes from."""
        return "counted" if self.days else "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A list's threshold for a pack as it stands, and what a derivation made now would give."""

    list_id: str
    pack: str
    set: faces.SetThreshold | None
    by_hand: bool  #: somebody set it with `shouhao faces threshold`
    now: Derived | None  #: None: nothing is known of the pack
    list_size: int
    traffic: Traffic
    budget: Budget
    known: Known | None  #: what `now` was derived from
    calibration_id: str | None  #: of the hospital's own, where `known` is that


def measured_traffic(connection: Connection, *, assumed: int, now_us: int) -> Traffic:
    """The busiest of the last complete days; what is assumed until enough days were counted.

    The busiest and not the middle one: a budget that is kept on a quiet Sunday helps nobody on Monday.
    """
    today = day_of(now_us)
    first, last = today - timedelta(days=COUNTED_DAYS), today - timedelta(days=1)
    by_day: dict[str, int] = {}
    counted = captures.traffic_between(connection, from_day=first.isoformat(), to_day=last.isoformat())
    for (_, day), counts in counted.items():
        by_day[day] = by_day.get(day, 0) + counts.passages
    if len(by_day) < COUNTED_DAYS_LEAST or max(by_day.values()) == 0:
        return Traffic(passages_a_day=assumed, days=0)
    return Traffic(passages_a_day=max(by_day.values()), days=len(by_day))


def derive_due(desk: WatchDesk, *, now_us: int) -> int:
    """Derive what has changed enough, for each list and each pack at work; how many thresholds were set."""
    with desk.db.read() as connection:
        lists = [one.id for one in list_store.all_lists(connection)]
    return sum(derive_for(desk, list_id, now_us=now_us) for list_id in lists)


def derive_for(desk: WatchDesk, list_id: str, *, now_us: int, staff_id: str | None = None) -> int:
    """Derive a list's thresholds where their inputs have changed enough; how many were set.

    Raises:
        NotFound: there is no such list.
    """
    from shouhao.faces.enrolment import set_threshold  # noqa: PLC0415 - reads pictures too, which no server waits for

    done = 0
    for pack in _packs_at_work(desk.db):
        inputs, known = _inputs(desk, list_id, pack, now_us=now_us)
        if known is None:
            _log.warning("watch_threshold_unknown", list_id=list_id, pack=pack)
            continue
        with desk.db.read() as connection:
            before = faces.newest_threshold(connection, "watchlist", list_id=list_id, pack=pack)
        if before is not None and not _changed(before, inputs, share=desk.settings.drift_share):
            continue
        derived = derive(known, _budget(inputs))
        set_threshold(
            desk.setup,
            list_id=list_id,
            pack=pack,
            similarity_cos=max(derived.threshold_cos, 1e-4),
            derived_from={"by": _BY, **inputs, "derived": msgspec.to_builtins(derived)},
            now_us=now_us,
            staff_id=staff_id,
        )
        if not derived.reached:
            _log.warning("watch_budget_not_reached", list_id=list_id, pack=pack, why=derived.why_not)
        done += 1
    return done


def standing_of(desk: WatchDesk, list_id: str, *, now_us: int) -> list[Standing]:
    """How a list's thresholds stand."""
    found = []
    for pack in _packs_at_work(desk.db):
        inputs, known = _inputs(desk, list_id, pack, now_us=now_us)
        with desk.db.read() as connection:
            kept = faces.newest_threshold(connection, "watchlist", list_id=list_id, pack=pack)
        found.append(
            Standing(
                list_id=list_id,
                pack=pack,
                set=kept,
                by_hand=kept is not None and kept.derived_from.get("by") != _BY,
                now=None if known is None else derive(known, _budget(inputs)),
                list_size=inputs["list_size"],
                traffic=Traffic(passages_a_day=inputs["passages_a_day"], days=inputs["passages_days"]),
                budget=_budget(inputs),
                known=known,
                calibration_id=inputs["calibration_id"],
            )
        )
    return found


def add_calibration(
    connection: Connection, written: bytes, *, operator: Operator | None, now_us: int
) -> list_store.StoredCalibration:
    """Keep a calibration.json; thresholds are derived from it from now on.

    Raises:
        InvalidInput: it is no result of `shouhao faces calibrate`.
    """
    if len(written) > CALIBRATION_MOST_BYTES:
        most = CALIBRATION_MOST_BYTES // 1024 // 1024
        raise InvalidInput("calibration", zh=f"文件不得超过 {most} MB", en=f"has {most} MB at most")
    try:
        report = msgspec.json.decode(written)
    except (msgspec.DecodeError, ValueError, RecursionError):  # broken, not UTF-8, or nested to break the reader
        report = None
    if not isinstance(report, dict):
        raise InvalidInput("calibration", zh="不是 JSON 对象", en="is no JSON object")
    known = known_from_calibration(report)
    one = list_store.StoredCalibration(
        id=new_id("wc"),
        pack=known.pack,
        sha256=hashlib.sha256(written).hexdigest(),
        known=packed(known),
        made_at=str(report["made_at"]),
        added_at_us=now_us,
    )
    list_store.add_calibration(connection, one, staff_id=None if operator is None else operator.id)
    return one


def ask_list_change(
    connection: Connection,
    list_id: str,
    terms: list_store.ListTerms,
    *,
    reason: str,
    operator: Operator,
    now_us: int,
) -> str:
    """Ask that another lets other terms hold for a list: a larger budget lets more people be stopped in error.

    Raises:
        NotFound: there is no such list.
    """
    before = list_store.find_list(connection, list_id)
    approval = approvals.ask(
        connection,
        kind="policy",
        subject=list_id,
        payload={
            "act": "list_change",
            "list_id": list_id,
            "version": before.version,
            "terms": {name: getattr(terms, name) for name in list_store.ListTerms.__dataclass_fields__},
        },
        reason=reason,
        operator=operator,
        now_us=now_us,
    )
    asks.add_ask(connection, approval.id, act="list_change", kind="policy", subject=list_id, now_us=now_us)
    return approval.id


def list_change_approved(
    connection: Connection, list_id: str, approval: approvals.Approval, *, now_us: int
) -> list_store.WatchList:
    """Another person agreed to a list's new terms.

    Raises:
        InvalidInput: the list was changed after this was asked.
    """
    payload = approval.payload
    if list_store.find_list(connection, list_id, lock=True).version != payload["version"]:
        raise InvalidInput("approval_id", zh="名单在申请后已变更", en="the list was changed since this was asked")
    terms = list_store.ListTerms(**payload["terms"])
    return list_store.change_list(connection, list_id, terms, now_us=now_us, staff_id=approval.asked_by)


def _packs_at_work(db: Database) -> list[str]:
    with db.read() as connection:
        packs = faces.packs_in_use(connection, "watchlist")
    return [use.pack for use in packs.values() if use.state in {"live", "building"}]


def _inputs(desk: WatchDesk, list_id: str, pack: str, *, now_us: int) -> tuple[dict[str, Any], Known | None]:
    """What a threshold is derived from, as it is kept with it."""
    with desk.db.read() as connection:
        terms = list_store.find_list(connection, list_id).terms
        size = max(1, store.photos_on(connection, list_id))
        traffic = measured_traffic(connection, assumed=desk.settings.passages_a_day, now_us=now_us)
        own = list_store.newest_calibration(connection, pack)
    known = desk.known_of(pack) if own is None else unpacked(own.known)
    return {
        "false_alarms_a_day": terms.false_alarms_a_day,
        "list_size": size,
        "passages_a_day": traffic.passages_a_day,
        "passages_are": traffic.basis,
        "passages_days": traffic.days,
        "basis": None if known is None else known.basis,
        "source": None if known is None else known.source,
        "calibration_id": None if own is None else own.id,
        "calibrated_at_us": None if own is None else own.added_at_us,
    }, known


def _budget(inputs: Mapping[str, Any]) -> Budget:
    passages = max(1, inputs["passages_a_day"])
    return Budget(
        false_alarms_a_day=min(float(inputs["false_alarms_a_day"]), float(passages)),
        passages_a_day=passages,
        list_size=inputs["list_size"],
    )


def _changed(before: faces.SetThreshold, inputs: Mapping[str, Any], *, share: float) -> bool:
    """Whether what a threshold rests on has changed enough to derive it anew.

    One that a person set by hand stands until a newer calibration is handed in.
    """
    rested_on = before.derived_from
    if rested_on.get("by") != _BY:
        added_at_us = inputs["calibrated_at_us"]
        return added_at_us is not None and added_at_us > before.set_at_us
    if any(rested_on.get(name) != inputs[name] for name in ("false_alarms_a_day", "basis", "source", "calibration_id")):
        return True
    return any(
        abs(inputs[name] - rested_on[name]) > share * rested_on[name] for name in ("list_size", "passages_a_day")
    )
