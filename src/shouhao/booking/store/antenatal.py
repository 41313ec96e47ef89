"""Antenatal registration: months, places, applications, and what must hold of them.

Places are counted while the month is locked; months are locked in their order, and from the earliest one that a unit
of work touches on, since what stays unfilled moves to the next.
"""

import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, and_, bindparam, func, insert, or_, select, text, update

from shouhao.booking.antenatal import HOLDING, LIVE, Application, ApplicationUnknown
from shouhao.booking.antenatal_tables import (
    antenatal_applications,
    antenatal_changes,
    antenatal_draws,
    antenatal_months,
    antenatal_places,
)
from shouhao.booking.release.antenatal import (
    KIND,
    TIERS,
    AntenatalPolicy,
    MonthRules,
    Tier,
    Waiting,
    antenatal_from,
)
from shouhao.kernel.ids import new_id
from shouhao.store import policies
from shouhao.store.invariants import Invariant

_months, _places, _applications = antenatal_months, antenatal_places, antenatal_applications


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A due month that was published."""

    month: str
    draw_id: str
    policy_version: int
    policy: AntenatalPolicy
    state: str  #: open: in its entry window; drawn; closed: registration is over; over: the births are
    opens_at_us: int
    window_closes_at_us: int
    closes_at_us: int
    lends_at_us: int | None
    commitment: str
    drawn_at_us: int | None

    def rules(self) -> MonthRules:
        """What it was published with."""
        return self.policy.for_month(self.month)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The places of one tier in one month."""

    tier: Tier
    own: int
    carried_in: int
    carried_out: int
    dropped: int
    held: int

    @property
    def free(self) -> int:
        """How many nobody holds."""
        return self.own + self.carried_in - self.carried_out - self.dropped - self.held


def policy_in_force(connection: Connection, *, now_us: int) -> tuple[AntenatalPolicy, int] | None:
    """The hospital's policy and its version, or None where antenatal registration is not set up."""
    version = policies.effective(connection, KIND, now_us=now_us)
    return None if version is None else (antenatal_from(version.body), version.version)


# Months


def add_month(connection: Connection, month: Month, body: Mapping[str, Any]) -> bool:
    """Publish a month; False when another worker was first.

    Args:
        body: of the policy, whole.
    """
    values = {name: value for name, value in asdict(month).items() if name != "policy"}
    values["policy"] = msgspec.json.encode(dict(body)).decode()
    names, binds = ", ".join(values), ", ".join(f":{name}" for name in values)
    added = connection.execute(
        text(f"INSERT INTO antenatal_months ({names}) VALUES ({binds}) ON CONFLICT (month) DO NOTHING"), values
    )
    return added.rowcount == 1


def find_month(connection: Connection, month: str) -> Month | None:
    """A published month."""
    return _one_month(connection, select(_months).where(_months.c.month == month))


def share_month(connection: Connection, month: str) -> Month | None:
    """A month that keeps its state until the unit of work ends, while others enter it too."""
    return _one_month(connection, select(_months).where(_months.c.month == month).with_for_update(read=True))


def lock_months(connection: Connection, first: str) -> dict[str, Month]:
    """The published months from `first` on, which nobody else changes until the unit of work ends."""
    found = select(_months).where(_months.c.month >= first).order_by(_months.c.month).with_for_update()
    return {month.month: month for month in map(_month, connection.execute(found))}


def published_months(connection: Connection, *, states: Iterable[str] = ("open", "drawn", "closed")) -> list[Month]:
    """Months in these states, earliest first."""
    found = select(_months).where(_months.c.state.in_(list(states))).order_by(_months.c.month)
    return [_month(row) for row in connection.execute(found)]


def change_month(connection: Connection, month: str, **values: Any) -> None:
    """Write columns of a locked month."""
    connection.execute(update(_months).where(_months.c.month == month).values(**values))


# Places


def add_places(connection: Connection, month: str, **counts: Mapping[Tier, int]) -> None:
    """Add to counts of a month's places by tier, as `carried_in={"red": 2}`; a row that is not there is made."""
    for column, by_tier in counts.items():
        for tier, count in by_tier.items():
            connection.execute(_NO_PLACES, {"month": month, "tier": tier})
            here = (_places.c.month == month) & (_places.c.tier == tier)
            connection.execute(update(_places).where(here).values({column: _places.c[column] + count}))


_NO_PLACES = text(
    "INSERT INTO antenatal_places (month, tier, own, carried_in, carried_out, dropped)"
    " VALUES (:month, :tier, 0, 0, 0, 0) ON CONFLICT (month, tier) DO NOTHING"
)


def places_of(connection: Connection, month: str) -> list[Places]:
    """The places of a month by tier, in the order of tiers."""
    held = {
        row.place_tier: row.held
        for row in connection.execute(
            select(_applications.c.place_tier, func.count().label("held"))
            .where(_applications.c.month == month, _applications.c.state.in_(sorted(HOLDING)))
            .group_by(_applications.c.place_tier)
        )
    }
    rows = {row.tier: row for row in connection.execute(select(_places).where(_places.c.month == month))}
    return [
        Places(
            tier=tier,
            own=row.own,
            carried_in=row.carried_in,
            carried_out=row.carried_out,
            dropped=row.dropped,
            held=held.get(tier, 0),
        )
        for tier in TIERS
        if (row := rows.get(tier)) is not None
    ]


def carried_into(connection: Connection, month: str) -> int:
    """How many places other months have carried into this one."""
    found = select(func.coalesce(func.sum(_places.c.carried_in), 0)).where(_places.c.month == month)
    return int(connection.execute(found).scalar_one())


# Applications


def add_application(connection: Connection, application: Application) -> None:
    """Write an application; a second live one of a woman collides on the unique index."""
    connection.execute(insert(_applications).values(**asdict(application)))


def find_application(connection: Connection, application_id: str) -> Application:
    """An application as it stands; under the month's lock it stays so.

    Raises:
        ApplicationUnknown: there is none with this id.
    """
    row = connection.execute(select(_applications).where(_applications.c.id == application_id)).one_or_none()
    if row is None:
        raise ApplicationUnknown("application_id")
    return _application(row)


def live_application(connection: Connection, patient_id: str) -> Application | None:
    """The one live application of a woman, in whichever month."""
    found = select(_applications).where(_applications.c.patient_id == patient_id, _applications.c.ended_at_us == 0)
    row = connection.execute(found).one_or_none()
    return None if row is None else _application(row)


def applications_of(connection: Connection, patient_ids: Sequence[str], *, limit: int) -> list[Application]:
    """What women applied for, newest first."""
    found = select(_applications).where(_applications.c.patient_id.in_(patient_ids))
    return [_application(row) for row in connection.execute(found.order_by(_applications.c.id.desc()).limit(limit))]


def applications_in(
    connection: Connection, month: str, *, state: str | None = None, limit: int | None = None
) -> list[Application]:
    """Applications to a month, in the order of waiting."""
    found = select(_applications).where(_applications.c.month == month)
    if state is not None:
        found = found.where(_applications.c.state == state)
    ordered = found.order_by(*_TURN, _applications.c.id)
    return [_application(row) for row in connection.execute(ordered.limit(limit))]


def waiting_in(connection: Connection, month: str, tiers: Iterable[Tier]) -> list[Waiting]:
    """Who waits for places of these tiers in a locked month."""
    columns = (_applications.c[name] for name in ("id", "tier", "ahead", "batch_at_us", "turn"))
    found = select(*columns).where(
        _applications.c.month == month, _applications.c.state == "waiting", _applications.c.tier.in_(list(tiers))
    )
    return [
        Waiting(id=row.id, tier=row.tier, turn=(0 if row.ahead else 1, row.batch_at_us, row.turn))
        for row in connection.execute(found)
    ]


def position_of(connection: Connection, application: Application) -> int:
    """Her place among those who wait for the same tier, from 1."""
    c = _applications.c
    earlier = (c.batch_at_us < application.batch_at_us) | (
        (c.batch_at_us == application.batch_at_us) & (c.turn < application.turn)
    )
    before = and_(c.ahead.is_(True), earlier) if application.ahead else or_(c.ahead.is_(True), earlier)
    found = (
        select(func.count())
        .select_from(_applications)
        .where(c.month == application.month, c.state == "waiting", c.tier == application.tier, before)
    )
    return int(connection.execute(found).scalar_one()) + 1


def due_to_lapse(connection: Connection, *, now_us: int, limit: int) -> list[Application]:
    """Granted places whose time to confirm is over."""
    found = (
        select(_applications)
        .where(_applications.c.state == "granted", _applications.c.confirm_by_us <= now_us)
        .order_by(_applications.c.confirm_by_us, _applications.c.id)
        .limit(limit)
    )
    return [_application(row) for row in connection.execute(found)]


def change_application(connection: Connection, application_id: str, **values: Any) -> None:
    """Write columns of an application under its month's lock."""
    connection.execute(update(_applications).where(_applications.c.id == application_id).values(**values))


def set_turns(connection: Connection, turns: Mapping[str, str]) -> None:
    """The drawn order: the turn of each application, all of which wait from now on."""
    if turns:
        connection.execute(
            update(_applications)
            .where(_applications.c.id == bindparam("which"))
            .values(state="waiting", turn=bindparam("turn")),
            [{"which": which, "turn": turn} for which, turn in turns.items()],
        )


def end_month(connection: Connection, month: str, *, now_us: int) -> int:
    """End what still lives in a month that is over; how many."""
    ended = connection.execute(
        update(_applications)
        .where(_applications.c.month == month, _applications.c.state.in_(sorted(LIVE)))
        .values(state="ended", place_tier=None, ended_at_us=now_us)
    )
    return ended.rowcount


def add_change(
    connection: Connection,
    application_id: str,
    *,
    what: str,
    old: str | None,
    new: str | None,
    reason: str,
    staff_id: str,
    now_us: int,
) -> None:
    """Keep what staff changed about an application, why and who."""
    connection.execute(
        insert(antenatal_changes).values(
            id=new_id("ag"),
            application_id=application_id,
            what=what,
            old=old,
            new=new,
            reason=reason,
            staff_id=staff_id,
            at_us=now_us,
        )
    )


# What is published of a draw


def keep_draw(connection: Connection, month: str, body: bytes) -> str:
    """Keep the published file of a month's draw, once; its SHA-256."""
    sha256 = hashlib.sha256(body).hexdigest()
    packed = gzip.compress(body, mtime=0)
    connection.execute(insert(antenatal_draws).values(month=month, sha256=sha256, body_gz=packed))
    return sha256


def find_draw(connection: Connection, month: str) -> bytes | None:
    """The published file, byte for byte."""
    packed = connection.execute(
        select(antenatal_draws.c.body_gz).where(antenatal_draws.c.month == month)
    ).scalar_one_or_none()
    return None if packed is None else gzip.decompress(packed)


def draw_sha256(connection: Connection, month: str) -> str | None:
    """The SHA-256 of the published file; None before the draw."""
    return connection.execute(
        select(antenatal_draws.c.sha256).where(antenatal_draws.c.month == month)
    ).scalar_one_or_none()


INVARIANTS = (
    Invariant(
        code="antenatal_places_hold",
        zh="建档名额不超过该月该级所有（含结转）",
        en="No due month and tier gives out more places than it has, carried ones included",
        sql="""
            SELECT a.month, a.place_tier FROM antenatal_applications a
            LEFT JOIN antenatal_places p ON p.month = a.month AND p.tier = a.place_tier
            WHERE a.place_tier IS NOT NULL GROUP BY a.month, a.place_tier
            HAVING count(*) > coalesce(max(p.own + p.carried_in - p.carried_out - p.dropped), 0)
        """,
    ),
    Invariant(
        code="antenatal_no_place_stays_empty",
        zh="有人候补的风险等级没有空闲名额",
        en="No tier has a free place while a woman of that tier waits in the month",
        sql="""
            SELECT p.month, p.tier FROM antenatal_places p
            JOIN antenatal_months m ON m.month = p.month AND m.state IN ('drawn', 'closed')
            WHERE EXISTS (SELECT 1 FROM antenatal_applications w
                          WHERE w.month = p.month AND w.tier = p.tier AND w.state = 'waiting')
              AND p.own + p.carried_in - p.carried_out - p.dropped >
                  (SELECT count(*) FROM antenatal_applications h
                   WHERE h.month = p.month AND h.place_tier = p.tier)
        """,
    ),
    Invariant(
        code="antenatal_carried_is_conserved",
        zh="结转出的名额等于结转入的名额",
        en="In each tier, the places that were carried out of months are those that were carried into others",
        sql="SELECT tier FROM antenatal_places GROUP BY tier HAVING sum(carried_in) <> sum(carried_out)",
    ),
    Invariant(
        code="antenatal_one_live_registration",
        zh="同一孕妇最多一个有效建档申请",
        en="A woman has at most one live antenatal registration",
        sql="""
            SELECT patient_id FROM antenatal_applications WHERE ended_at_us = 0
            GROUP BY patient_id HAVING count(*) > 1
        """,
    ),
    Invariant(
        code="antenatal_was_recorded",
        zh="每个有效建档申请都有事件记录",
        en="Every live antenatal registration has its event",
        sql="""
            SELECT patient_id FROM antenatal_applications WHERE ended_at_us = 0
            EXCEPT SELECT patient_id FROM events WHERE kind = 'antenatal_applied'
        """,
    ),
    Invariant(
        code="antenatal_offer_counts_its_referrals",
        zh="合作医院已用名额等于未撤回的转介数",
        en="A partner's places that are taken are its referrals that were not withdrawn",
        sql="""
            SELECT o.id FROM antenatal_offers o WHERE o.taken <>
                (SELECT count(*) FROM antenatal_referrals r WHERE r.offer_id = o.id AND r.state <> 'withdrawn')
        """,
    ),
    Invariant(
        code="antenatal_referral_and_application_agree",
        zh="转介中的申请与其有效转介一一对应",
        en="An application is referred while, and only while, it has a live referral",
        sql="""
            SELECT a.id FROM antenatal_applications a WHERE (a.state = 'referred') <>
                EXISTS (SELECT 1 FROM antenatal_referrals r WHERE r.application_id = a.id AND r.ended_at_us = 0)
        """,
    ),
)

_TURN = (_applications.c.ahead.desc(), _applications.c.batch_at_us, _applications.c.turn)
_APPLICATION = tuple(Application.__dataclass_fields__)


def _one_month(connection: Connection, query: Select[Any]) -> Month | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else _month(row)


def _month(row: Any) -> Month:
    values = {name: getattr(row, name) for name in Month.__dataclass_fields__ if name != "policy"}
    return Month(policy=antenatal_from(msgspec.json.decode(row.policy)), **values)


def _application(row: Any) -> Application:
    return Application(**{name: getattr(row, name) for name in _APPLICATION})
