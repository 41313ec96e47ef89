"""Plots of the watchlist for staff: rates by threshold for each list, what ends soon, what came of alarms."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from shouhao.faces.known_curve import known_curve
from shouhao.flows.watch_thresholds import Standing, standing_of
from shouhao.kernel.clock import DAY_US
from shouhao.staff.model import require
from shouhao.watch.store.lists import find_list
from shouhao.watch.store.whole_list import ending_before, outcomes_since
from shouhao.watch.watchlist import State
from shouhao.web.console.watch_lists import LIST_READERS, ListId
from shouhao.web.console.watchlist import READERS
from shouhao.web.depends import Here, OnDuty
from shouhao.web.description import failures
from shouhao.web.fields import Instant, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["watchlist"])


class CurvePointShown(Shown):
    """One threshold, and what is to be expected at it."""

    similarity_cos: float
    fmr: float
    fnmr: float | None
    false_alarms_a_day: float
    extrapolated: bool


class PackCurveShown(Shown):
    """What is known of a pack, for a list of this size and traffic; `points` is empty where nothing is known."""

    pack: str
    basis: Literal["calibration", "manifest"] | None
    calibration_id: str | None
    smallest_fmr: float | None
    tail_holds: bool
    list_size: int
    passages_a_day: int
    points: list[CurvePointShown]


class CurvesShown(Shown):
    """A list's curves, one a pack, and the false alarms a day that it may cost."""

    list_id: str
    false_alarms_a_day: float
    packs: list[PackCurveShown]


class EndingShown(Shown):
    """An entry whose review or end is near."""

    entry_id: str
    list_id: str
    state: State
    review_at: Instant | None
    expires_at: Instant


class EndingsShown(Shown):
    """The nearest first; `total` counts those beyond the limit too."""

    now: Instant
    until: Instant
    total: int
    endings: list[EndingShown]


class ListOutcomesShown(Shown):
    """How many of a list's alarms came to what: an outcome, `rejected`, or `open`."""

    list_id: str
    became: dict[str, int]


class OutcomesShown(Shown):
    """What came of alarms since an instant."""

    since: Instant
    lists: list[ListOutcomesShown]


@routes.get(
    "/watchlist/lists/{list_id}/curves", responses=failures(401, 403, 404, 422), summary="错误率曲线 Curves of a list"
)
def curves(list_id: ListId, operator: OnDuty, system: Here) -> CurvesShown:
    """误匹配、漏匹配与每日误报随阈值的变化。 Rates and false alarms by threshold; what is extrapolated is marked."""
    require(operator, *LIST_READERS)
    with system.db.read() as connection:
        terms = find_list(connection, list_id).terms
    found = standing_of(system.watchlist, list_id, now_us=system.clock.now_us())
    return CurvesShown(
        list_id=list_id,
        false_alarms_a_day=terms.false_alarms_a_day,
        packs=[_pack_curve(one) for one in found],
    )


@routes.get("/watchlist/endings", responses=failures(401, 403, 422), summary="即将到期或须复核 What ends soon")
def endings(
    operator: OnDuty,
    system: Here,
    days: Annotated[int, Query(ge=1, le=366)] = 30,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
) -> EndingsShown:
    """已过复核日期的也在内，最近的在前。 Overdue reviews among them, the nearest first."""
    require(operator, *READERS)
    now_us = system.clock.now_us()
    until_us = now_us + days * DAY_US
    with system.db.read() as connection:
        found, total = ending_before(connection, until_us, limit=limit)
    return EndingsShown(
        now=now_us,
        until=until_us,
        total=total,
        endings=[
            EndingShown(
                entry_id=one.entry_id,
                list_id=one.list_id,
                state=one.state,
                review_at=one.review_at_us,
                expires_at=one.expires_at_us,
            )
            for one in found
        ],
    )


@routes.get("/watchlist/outcomes", responses=failures(401, 403, 422), summary="报警结果统计 What came of alarms")
def outcomes(operator: OnDuty, system: Here, days: Annotated[int, Query(ge=1, le=366)] = 90) -> OutcomesShown:
    """按名单统计，不涉及个人。 Counts by list; nobody is named."""
    require(operator, *READERS)
    since_us = system.clock.now_us() - days * DAY_US
    with system.db.read() as connection:
        found = outcomes_since(connection, since_us)
    return OutcomesShown(
        since=since_us,
        lists=[ListOutcomesShown(list_id=list_id, became=dict(found[list_id])) for list_id in sorted(found)],
    )


def _pack_curve(one: Standing) -> PackCurveShown:
    known = one.known
    return PackCurveShown(
        pack=one.pack,
        basis=None if known is None else known.basis,
        calibration_id=one.calibration_id,
        smallest_fmr=None if known is None else known.smallest_fmr,
        tail_holds=known is not None and known.tail_holds,
        list_size=one.list_size,
        passages_a_day=one.traffic.passages_a_day,
        points=[
            CurvePointShown(
                similarity_cos=point.threshold_cos,
                fmr=point.fmr,
                fnmr=point.fnmr,
                false_alarms_a_day=point.false_alarms_a_day,
                extrapolated=point.extrapolated,
            )
            for point in (() if known is None else known_curve(known, one.budget))
        ],
    )
