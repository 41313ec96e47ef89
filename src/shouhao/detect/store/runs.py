"""Runs: one analysis that was taken in. A run's row outlives its findings, so that none is taken in a second time."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from shouhao.detect.model import Level
from shouhao.detect.store.tables import finding_runs
from shouhao.store.engine import dialect_of

_JSON: Mapping[str, Any] = {"reasons": dict[str, int], "level_from": dict[Level, float]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One analysis."""

    id: str
    key: str
    live: bool
    name: str
    taken_at_us: int
    changed_at_us: int  #: when its files were read last
    from_at_us: int | None  #: what was looked at, as far as that is known
    to_at_us: int | None
    certain: int
    strong: int
    leads: int
    rings: int
    hits: int
    events: int
    reasons: Mapping[str, int]  #: how many findings have a reason of each code
    level_from: Mapping[Level, float]  #: score from which a level is reached
    findings_sha256: str
    report_sha256: str
    agree: bool  #: whether the two files told the same findings
    erased_at_us: int | None = None

    @property
    def levels(self) -> Mapping[Level, int]:
        """How many findings of each level, the highest first."""
        return {"certain-pattern": self.certain, "strong": self.strong, "lead": self.leads}

    @property
    def order(self) -> tuple[int, str]:
        """Nights in their order; where a run does not know its own, when it was taken in."""
        return (self.taken_at_us if self.to_at_us is None else self.to_at_us, self.id)


def begin_run(connection: Connection, run: Run) -> bool:
    """Add a run; False when there is one of this key, taken in by whoever was first."""
    make = postgresql.insert if dialect_of(connection) == "postgresql" else sqlite.insert
    row = make(finding_runs).values(_row(run)).on_conflict_do_nothing(index_elements=["key"])
    return connection.execute(row.returning(finding_runs.c.id)).one_or_none() is not None


def lock_run(connection: Connection, key: str) -> Run | None:
    """The run of a key, held until the unit of work ends."""
    found = connection.execute(select(finding_runs).where(finding_runs.c.key == key).with_for_update()).one_or_none()
    return None if found is None else _run(found)


def find_run(connection: Connection, run_id: str) -> Run | None:
    """A run whose findings are there."""
    kept = select(finding_runs).where(finding_runs.c.id == run_id, finding_runs.c.erased_at_us.is_(None))
    found = connection.execute(kept).one_or_none()
    return None if found is None else _run(found)


def known_key(connection: Connection, key: str) -> Run | None:
    """The run of a key, erased or not."""
    found = connection.execute(select(finding_runs).where(finding_runs.c.key == key)).one_or_none()
    return None if found is None else _run(found)


def list_runs(connection: Connection, *, most: int = 1_000) -> list[Run]:
    """Runs whose findings are there, the newest night first."""
    night = func.coalesce(finding_runs.c.to_at_us, finding_runs.c.taken_at_us)
    kept = select(finding_runs).where(finding_runs.c.erased_at_us.is_(None))
    newest = kept.order_by(night.desc(), finding_runs.c.id.desc()).limit(most)
    return [_run(row) for row in connection.execute(newest)]


def set_run(connection: Connection, run: Run) -> None:
    """Write down what has changed about a run."""
    connection.execute(update(finding_runs).where(finding_runs.c.id == run.id).values(_row(run)))


def _row(run: Run) -> dict[str, Any]:
    return {**asdict(run), **{name: msgspec.json.encode(getattr(run, name), order="sorted").decode() for name in _JSON}}


def _run(row: Any) -> Run:
    values = row._asdict()
    return Run(**{**values, **{name: msgspec.json.decode(values[name], type=kind) for name, kind in _JSON.items()}})
