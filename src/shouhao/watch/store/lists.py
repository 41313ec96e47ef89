"""Lists of the watchlist: name, ground, how many false alarms a day they may cost, and the band that is only counted.

From the budget the thresholds follow (watch/thresholds.py); the thresholds themselves stand in the gallery of faces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from shouhao.kernel.errors import InvalidInput, NotFound, Refused
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.watch.store.watchlist_tables import calibrations, lists

SHADOW_BAND_COS = 0.05  #: how far below its threshold a list counts, without telling whom it was near
_NAME_MOST = 64
_GROUND_MOST = 500
_BAND_MOST_COS = 0.3
_ALARMS_MOST = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTerms:
    """What a hospital decides about a list."""

    name: str
    ground: str  #: by what right it is kept
    false_alarms_a_day: float
    shadow_band_cos: float = SHADOW_BAND_COS
    open: bool = True  #: whether anybody may be added

    def __post_init__(self) -> None:
        """Refuse what nobody could mean."""
        if not self.name.strip() or len(self.name) > _NAME_MOST or not self.name.isprintable():
            raise InvalidInput("name", zh=f"须为 1 到 {_NAME_MOST} 个可见字符", en=f"1 to {_NAME_MOST} printable signs")
        if not self.ground.strip() or len(self.ground) > _GROUND_MOST:
            raise InvalidInput("ground", zh=f"须写明依据，最多 {_GROUND_MOST} 字", en="must name the ground, briefly")
        if not 0 < self.false_alarms_a_day <= _ALARMS_MOST:
            raise InvalidInput("false_alarms_a_day", zh="应大于 0", en=f"must be above 0 and at most {_ALARMS_MOST:g}")
        if not 0 <= self.shadow_band_cos <= _BAND_MOST_COS:
            raise InvalidInput("shadow_band_cos", zh=f"应为 0 至 {_BAND_MOST_COS}", en=f"0 to {_BAND_MOST_COS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchList:
    """A list as it stands."""

    id: str
    terms: ListTerms
    version: int
    created_at_us: int
    changed_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCalibration:
    """A measurement of the hospital's own that thresholds are derived from."""

    id: str
    pack: str
    sha256: str
    known: Mapping[str, Any]  #: as `thresholds.packed` writes it
    made_at: str
    added_at_us: int


class ListClosed(Refused):
    """Nobody is added to this list any more."""

    code = "watch.list_closed"
    zh = "名单 {list_id} 已关闭，不再新增"
    en = "List {list_id} is closed; nobody is added"


class ListExists(Refused):
    """There is a list of this name already."""

    code = "watch.list_exists"
    zh = "已有名单 {list_id}"
    en = "There is a list {list_id} already"


def shadow_band(connection: Connection, list_id: str) -> float:
    """How far below the list's threshold similarities are counted.

    Raises:
        NotFound: there is no such list.
    """
    return find_list(connection, list_id).terms.shadow_band_cos


def find_list(connection: Connection, list_id: str, *, lock: bool = False) -> WatchList:
    """A list.

    Args:
        lock: nobody else changes its terms until the unit of work ends.
    Raises:
        NotFound: there is no such list.
    """
    query = select(lists).where(lists.c.id == list_id)
    row = connection.execute(query.with_for_update(key_share=True) if lock else query).mappings().one_or_none()
    if row is None:
        raise NotFound("watch list", "list_id")
    return _list(row)


def open_list(connection: Connection, list_id: str) -> WatchList:
    """A list that people may be added to.

    Raises:
        NotFound: there is no such list.
        ListClosed: nobody is added to it.
    """
    found = find_list(connection, list_id)
    if not found.terms.open:
        raise ListClosed("list_id", list_id=list_id)
    return found


def all_lists(connection: Connection) -> list[WatchList]:
    """Every list, in the order of their ids."""
    return [_list(row) for row in connection.execute(select(lists).order_by(lists.c.id)).mappings()]


def add_list(connection: Connection, list_id: str, terms: ListTerms, *, now_us: int, staff_id: str | None) -> None:
    """Begin a list with nobody on it.

    Raises:
        ListExists: there is one of this id.
    """
    if connection.scalar(select(lists.c.id).where(lists.c.id == list_id)) is not None:
        raise ListExists("list_id", list_id=list_id)
    stamps = {"version": 1, "created_at_us": now_us, "changed_at_us": now_us}
    try:
        connection.execute(insert(lists).values(id=list_id, **asdict(terms), **stamps))
    except IntegrityError:
        raise ListExists("list_id", list_id=list_id) from None
    _tell(connection, list_id, "added", now_us=now_us, staff_id=staff_id, version=1, **_figures(terms))


def change_list(
    connection: Connection, list_id: str, terms: ListTerms, *, now_us: int, staff_id: str | None
) -> WatchList:
    """Let other terms hold for a list; the event keeps what held before.

    Raises:
        NotFound: there is no such list.
    """
    before = find_list(connection, list_id, lock=True)
    version = before.version + 1
    values = {**asdict(terms), "version": version, "changed_at_us": now_us}
    connection.execute(update(lists).where(lists.c.id == list_id).values(**values))
    told = {"version": version, "before": _figures(before.terms), **_figures(terms)}
    _tell(connection, list_id, "changed", now_us=now_us, staff_id=staff_id, **told)
    return find_list(connection, list_id)


def add_calibration(connection: Connection, one: StoredCalibration, *, staff_id: str | None) -> None:
    """Keep a measurement; from now on it wins over the pack's own figures."""
    known = msgspec.json.encode(dict(one.known)).decode()
    row = {"id": one.id, "pack": one.pack, "sha256": one.sha256, "known": known, "made_at": one.made_at}
    connection.execute(insert(calibrations).values(**row, staff_id=staff_id, added_at_us=one.added_at_us))
    told = {"act": "calibrated", "pack": one.pack, "sha256": one.sha256}
    happened = Event(at_us=one.added_at_us, kind="watch_list_changed", staff_id=staff_id, detail=told)
    event_log.append(connection, [happened])


def newest_calibration(connection: Connection, pack: str) -> StoredCalibration | None:
    """The measurement of a pack that counts."""
    query = select(calibrations).where(calibrations.c.pack == pack)
    query = query.order_by(calibrations.c.added_at_us.desc(), calibrations.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _calibration(row)


def all_calibrations(connection: Connection) -> Sequence[StoredCalibration]:
    """Every measurement, the newest first."""
    rows = connection.execute(select(calibrations).order_by(calibrations.c.added_at_us.desc())).mappings()
    return [_calibration(row) for row in rows]


def _calibration(row: RowMapping) -> StoredCalibration:
    return StoredCalibration(
        id=row["id"],
        pack=row["pack"],
        sha256=row["sha256"],
        known=msgspec.json.decode(row["known"]),
        made_at=row["made_at"],
        added_at_us=row["added_at_us"],
    )


def _figures(terms: ListTerms) -> dict[str, Any]:
    return {
        "false_alarms_a_day": terms.false_alarms_a_day,
        "shadow_band_cos": terms.shadow_band_cos,
        "open": terms.open,
    }


def _tell(
    connection: Connection, list_id: str, act: str, *, now_us: int, staff_id: str | None, **detail: object
) -> None:
    told = {"list_id": list_id, "act": act, **detail}
    event_log.append(connection, [Event(at_us=now_us, kind="watch_list_changed", staff_id=staff_id, detail=told)])


def _list(row: RowMapping) -> WatchList:
    return WatchList(
        id=row["id"],
        terms=ListTerms(**{name: row[name] for name in ListTerms.__dataclass_fields__}),
        version=row["version"],
        created_at_us=row["created_at_us"],
        changed_at_us=row["changed_at_us"],
    )
