"""Tips' store: sealed rows, a history that only grows, and counters that forget within the hour."""

import hmac
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, insert, select, text, update

from shouhao.cases.tips import About, LinkKind, Tip, TipAct, TipState, TipStep, Told
from shouhao.cases.tips_tables import counters, pictures, steps, tips
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import NotFound
from shouhao.kernel.ids import new_id
from shouhao.store.invariants import Invariant
from shouhao.store.vault import Vault

_NOBODYS_HASH = "0" * 64  # an unknown number is compared too, so that it takes as long as a wrong code
_COUNT = text(
    "INSERT INTO tip_counters (key, counted, ends_at_us) VALUES (:key, 1, :ends_us)"
    " ON CONFLICT (key) DO UPDATE SET"
    " counted = CASE WHEN tip_counters.ends_at_us <= :now_us THEN 1 ELSE tip_counters.counted + 1 END,"
    " ends_at_us = CASE WHEN tip_counters.ends_at_us <= :now_us THEN :ends_us ELSE tip_counters.ends_at_us END"
    " RETURNING counted, ends_at_us"
)

INVARIANTS = (
    Invariant(
        code="cases.tip_differs_from_its_steps",
        zh="举报的状态与其最后一步一致",
        en="a tip stands where its last step left it",
        sql="""
            SELECT t.id FROM tips t
            LEFT JOIN tip_steps s ON s.tip_id = t.id AND s.version = t.version
            WHERE s.state IS NULL OR s.state <> t.state
               OR (SELECT count(*) FROM tip_steps n WHERE n.tip_id = t.id) <> t.version
            """,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """How often something happened within the hour that is under way, and when that is over."""

    counted: int
    ends_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekOfDoctor:
    """How many tips of one week are about one doctor, or about none that is known."""

    week: int  #: ordinal of its Monday
    doctor_id: str | None
    tips: int


def add(
    connection: Connection,
    vault: Vault,
    *,
    reference: str,
    code: str,
    told: Told,
    about: About,
    now_us: int,
) -> Tip:
    """Keep a tip.

    Raises:
        IntegrityError: the reference is taken.
    """
    tip_id = new_id("ti")
    day = day_of(now_us)
    connection.execute(
        insert(tips).values(
            id=tip_id,
            reference=reference,
            code_hash=_code_hash(vault, reference, code),
            state="new",
            version=1,
            unread=0,
            **asdict(about),
            filled=",".join(told.filled()),
            sealed=vault.seal(msgspec.json.encode(told).decode(), purpose=_told(tip_id)),
            week=day.toordinal() - day.weekday(),
            told_at_us=now_us,
            changed_at_us=now_us,
        )
    )
    _add_step(connection, vault, tip_id, version=1, act="told", state="new", now_us=now_us)
    return get(connection, tip_id)


def find(connection: Connection, tip_id: str) -> Tip | None:
    """One tip, closed."""
    row = connection.execute(select(tips).where(tips.c.id == tip_id)).mappings().one_or_none()
    return None if row is None else _tip(row)


def get(connection: Connection, tip_id: str, *, lock: bool = False) -> Tip:
    """One tip that is there.

    Args:
        lock: keep others from moving it until the unit of work ends.
    Raises:
        NotFound: there is none, or its time was over just now.
    """
    query = select(tips).where(tips.c.id == tip_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise NotFound("tip", "tip_id")
    return _tip(row)


def find_by_code(connection: Connection, vault: Vault, *, reference: str, code: str) -> Tip | None:
    """The tip that has this number and this code; both wrong ways take the same time."""
    row = connection.execute(select(tips).where(tips.c.reference == reference)).mappings().one_or_none()
    expected = _NOBODYS_HASH if row is None else row["code_hash"]
    right = hmac.compare_digest(_code_hash(vault, reference, code), expected)
    return _tip(row) if right and row is not None else None


def open_told(connection: Connection, vault: Vault, tip_id: str) -> Told:
    """What was told. Whoever calls this has written the look down."""
    sealed = connection.execute(select(tips.c.sealed).where(tips.c.id == tip_id)).scalar_one()
    return msgspec.json.decode(vault.open(sealed, purpose=_told(tip_id)), type=Told)


def list_tips(
    connection: Connection,
    *,
    states: Sequence[TipState] | None = None,
    doctor_id: str | None = None,
    week: int | None = None,
    reference: str | None = None,
    before: tuple[int, str] | None = None,
    limit: int = 100,
) -> list[Tip]:
    """Tips, the newest first.

    Args:
        week: ordinal of its Monday.
        before: go on from this one: when it was told, and its id.
    """
    query = select(tips).order_by(tips.c.told_at_us.desc(), tips.c.id.desc()).limit(limit)
    if states is not None:
        query = query.where(tips.c.state.in_(states))
    if doctor_id is not None:
        query = query.where(tips.c.doctor_id == doctor_id)
    if week is not None:
        query = query.where(tips.c.week == week)
    if reference is not None:
        query = query.where(tips.c.reference == reference)
    if before is not None:
        at_us, tip_id = before
        query = query.where((tips.c.told_at_us < at_us) | ((tips.c.told_at_us == at_us) & (tips.c.id < tip_id)))
    return [_tip(row) for row in connection.execute(query).mappings()]


def add_step(
    connection: Connection,
    vault: Vault,
    tip: Tip,
    act: TipAct,
    *,
    state: TipState,
    now_us: int,
    unread: int,
    staff_id: str | None = None,
    words: str = "",
    link: tuple[LinkKind, str] | None = None,
) -> Tip:
    """Write a step of a tip that is locked, and where it stands then."""
    values: dict[str, Any] = {"state": state, "version": tip.version + 1, "unread": unread, "changed_at_us": now_us}
    if link is not None:
        values |= {"link_kind": link[0], "link_id": link[1]}
    connection.execute(update(tips).where(tips.c.id == tip.id).values(**values))
    _add_step(
        connection,
        vault,
        tip.id,
        version=tip.version + 1,
        act=act,
        state=state,
        now_us=now_us,
        staff_id=staff_id,
        words=words,
        link=link,
    )
    return get(connection, tip.id)


def steps_of(connection: Connection, vault: Vault | None, tip_id: str, *acts: TipAct) -> list[TipStep]:
    """The history of a tip, the oldest first.

    Args:
        vault: opens the words; without it they stay closed.
        acts: these alone, if any are named.
    """
    query = select(steps).where(steps.c.tip_id == tip_id).order_by(steps.c.version)
    if acts:
        query = query.where(steps.c.act.in_(acts))
    return [
        TipStep(
            version=row.version,
            act=row.act,
            state=row.state,
            at_us=row.at_us,
            staff_id=row.staff_id,
            link_kind=row.link_kind,
            link_id=row.link_id,
            words="" if vault is None or row.sealed is None else vault.open(row.sealed, purpose=_words(tip_id)),
        )
        for row in connection.execute(query)
    ]


def add_picture(connection: Connection, vault: Vault, tip_id: str, picture: bytes, *, now_us: int) -> str:
    """Keep a picture of a tip; returns its id."""
    picture_id = new_id("tp")
    sealed = vault.sealer("tips").seal(picture, context=_picture(tip_id, picture_id))
    connection.execute(
        insert(pictures).values(
            id=picture_id, tip_id=tip_id, size_bytes=len(picture), sealed=sealed, added_at_us=now_us
        )
    )
    return picture_id


def picture_ids(connection: Connection, tip_ids: Sequence[str]) -> dict[str, list[str]]:
    """The pictures of these tips, the oldest first."""
    query = select(pictures.c.tip_id, pictures.c.id).where(pictures.c.tip_id.in_(tip_ids)).order_by(pictures.c.id)
    found: dict[str, list[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.tip_id, []).append(row.id)
    return found


def open_picture(connection: Connection, vault: Vault, tip_id: str, picture_id: str) -> bytes | None:
    """A picture of a tip; None where it has none of this id. Whoever calls this has written the look down."""
    query = select(pictures.c.sealed).where(pictures.c.id == picture_id, pictures.c.tip_id == tip_id)
    sealed = connection.execute(query).scalar_one_or_none()
    return None if sealed is None else vault.sealer("tips").open(sealed, context=_picture(tip_id, picture_id))


def picture_bytes(connection: Connection) -> int:
    """What all pictures of tips take."""
    return int(connection.execute(select(func.coalesce(func.sum(pictures.c.size_bytes), 0))).scalar_one())


def by_state(connection: Connection) -> dict[TipState, int]:
    """How many tips stand where."""
    rows = connection.execute(select(tips.c.state, func.count().label("tips")).group_by(tips.c.state))
    return {row.state: row.tips for row in rows}


def waiting(connection: Connection, *, most: int) -> int:
    """How many tips nobody has opened, counted up to `most`."""
    held = select(tips.c.id).where(tips.c.state == "new").limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(held)).scalar_one())


def by_week_and_doctor(connection: Connection, *, since_week: int) -> list[WeekOfDoctor]:
    """How many tips each week are about whom; what was of no use is not counted."""
    query = (
        select(tips.c.week, tips.c.doctor_id, func.count().label("tips"))
        .where(tips.c.week >= since_week, tips.c.state != "no_use")
        .group_by(tips.c.week, tips.c.doctor_id)
        .order_by(tips.c.week, tips.c.doctor_id)
    )
    return [WeekOfDoctor(week=r.week, doctor_id=r.doctor_id, tips=r.tips) for r in connection.execute(query)]


def count_up(connection: Connection, key: str, *, now_us: int, span_us: int) -> Counter:
    """Count once more; a span begins with what is first counted in it, and two at once are two."""
    row = connection.execute(_COUNT, {"key": key, "now_us": now_us, "ends_us": now_us + span_us}).one()
    return Counter(counted=row.counted, ends_at_us=row.ends_at_us)


def counter(connection: Connection, key: str, *, now_us: int) -> Counter | None:
    """A counter whose span is under way."""
    query = select(counters).where(counters.c.key == key, counters.c.ends_at_us > now_us)
    row = connection.execute(query).one_or_none()
    return None if row is None else Counter(counted=row.counted, ends_at_us=row.ends_at_us)


def count_back(connection: Connection, key: str) -> None:
    """One of those was none."""
    changed = update(counters).where(counters.c.key == key, counters.c.counted > 0)
    connection.execute(changed.values(counted=counters.c.counted - 1))


def forget_counters(connection: Connection, *, now_us: int) -> int:
    """Drop counters whose span is over, except what somebody counts up just now; how many."""
    over = select(counters.c.key).where(counters.c.ends_at_us <= now_us).with_for_update(skip_locked=True)
    return connection.execute(delete(counters).where(counters.c.key.in_(over))).rowcount


def erase_told_before(connection: Connection, before_us: int, *, most: int) -> int:
    """Erase some of what was told before that, with its pictures and its history; how many tips."""
    old = select(tips.c.id).where(tips.c.told_at_us < before_us).order_by(tips.c.told_at_us).limit(most)
    ids = list(connection.scalars(old.with_for_update(skip_locked=True)))  # not while somebody adds to it
    for table in (pictures, steps):
        connection.execute(delete(table).where(table.c.tip_id.in_(ids)))
    return connection.execute(delete(tips).where(tips.c.id.in_(ids))).rowcount


def _add_step(
    connection: Connection,
    vault: Vault,
    tip_id: str,
    *,
    version: int,
    act: TipAct,
    state: TipState,
    now_us: int,
    staff_id: str | None = None,
    words: str = "",
    link: tuple[LinkKind, str] | None = None,
) -> None:
    connection.execute(
        insert(steps).values(
            tip_id=tip_id,
            version=version,
            act=act,
            state=state,
            at_us=now_us,
            staff_id=staff_id,
            link_kind=None if link is None else link[0],
            link_id=None if link is None else link[1],
            sealed=vault.seal(words, purpose=_words(tip_id)) if words else None,
        )
    )


def _tip(row: RowMapping) -> Tip:
    return Tip(
        id=row["id"],
        reference=row["reference"],
        state=row["state"],
        version=row["version"],
        unread=row["unread"],
        about=About(department_id=row["department_id"], doctor_id=row["doctor_id"], session_id=row["session_id"]),
        link_kind=row["link_kind"],
        link_id=row["link_id"],
        filled=tuple(row["filled"].split(",")),
        told_at_us=row["told_at_us"],
        changed_at_us=row["changed_at_us"],
    )


# Each is bound to its tip: what is sealed of one does not open as another's.
def _told(tip_id: str) -> str:
    return f"tip:{tip_id}"


def _words(tip_id: str) -> str:
    return f"tip step:{tip_id}"


def _picture(tip_id: str, picture_id: str) -> bytes:
    return f"tip picture\0{tip_id}\0{picture_id}".encode()


def _code_hash(vault: Vault, reference: str, code: str) -> str:
    return vault.hash(f"{reference}\0{code}", purpose="tip.code")
