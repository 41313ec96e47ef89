"""Consents store: the SQL of what people agreed to and withdrew. Acts are added and never changed."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select

from shouhao.patients.consent_texts import Kind
from shouhao.patients.consents import ConsentAct
from shouhao.patients.consents_tables import consent_acts
from shouhao.store.invariants import Invariant

_c = consent_acts.c


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCount:
    """How many people agreed to one version of one text."""

    kind: str
    text_version: str
    text_sha256: str
    given: int  #: acts, those that were withdrawn since too
    standing: int  #: subjects whose latest act this is
    withdrawn: int


def add_act(connection: Connection, act: ConsentAct) -> None:
    """Write an act down; one that another unit of work wrote at the same moment collides on its turn."""
    connection.execute(insert(consent_acts).values(**asdict(act)))


def latest_acts(connection: Connection, subject_ids: Iterable[str]) -> dict[str, dict[Kind, ConsentAct]]:
    """The latest act of each kind, by subject."""
    found = select(consent_acts).where(_c.subject_id.in_(sorted(set(subject_ids)))).order_by(_c.turn)
    latest: dict[str, dict[Kind, ConsentAct]] = {}
    for act in map(_act, connection.execute(found)):
        latest.setdefault(act.subject_id, {})[act.kind] = act
    return latest


def history_of(connection: Connection, subject_ids: Iterable[str], *, limit: int) -> list[ConsentAct]:
    """Everything that was given and withdrawn, newest first."""
    found = select(consent_acts).where(_c.subject_id.in_(sorted(set(subject_ids))))
    ordered = found.order_by(_c.at_us.desc(), _c.turn.desc(), _c.id.desc()).limit(limit)
    return [_act(row) for row in connection.execute(ordered)]


def agreed_among(connection: Connection, subject_ids: Iterable[str], kind: Kind, *, text_version: str) -> set[str]:
    """Which of these subjects agree now to these words."""
    latest = select(_c.subject_id, func.max(_c.turn).label("turn")).where(
        _c.kind == kind, _c.subject_id.in_(sorted(set(subject_ids)))
    )
    last = latest.group_by(_c.subject_id).subquery()
    found = select(_c.subject_id).join(last, and_(last.c.subject_id == _c.subject_id, last.c.turn == _c.turn))
    return set(
        connection.execute(found.where(_c.kind == kind, _c.act == "given", _c.text_version == text_version)).scalars()
    )


def counts_by_text(connection: Connection) -> list[TextCount]:
    """How many agreed to each version of each text, and how many withdrew it."""
    last = select(_c.subject_id, _c.kind, func.max(_c.turn).label("turn")).group_by(_c.subject_id, _c.kind).subquery()
    standing = {
        (row.kind, row.text_version): row.people
        for row in connection.execute(
            select(_c.kind, _c.text_version, func.count().label("people"))
            .join(last, and_(last.c.subject_id == _c.subject_id, last.c.kind == _c.kind, last.c.turn == _c.turn))
            .where(_c.act == "given")
            .group_by(_c.kind, _c.text_version)
        )
    }
    found = select(_c.kind, _c.text_version, _c.text_sha256, _c.act, func.count().label("acts")).group_by(
        _c.kind, _c.text_version, _c.text_sha256, _c.act
    )
    acts: dict[tuple[str, str, str], dict[str, int]] = {}
    for row in connection.execute(found):
        acts.setdefault((row.kind, row.text_version, row.text_sha256), {})[row.act] = row.acts
    return [
        TextCount(
            kind=kind,
            text_version=version,
            text_sha256=sha256,
            given=by_act.get("given", 0),
            standing=standing.get((kind, version), 0),
            withdrawn=by_act.get("withdrawn", 0),
        )
        for (kind, version, sha256), by_act in sorted(acts.items())
    ]


INVARIANTS = (
    Invariant(
        code="patients.consent_withdrawn_before_given",
        zh="只有给出过的同意才有撤回记录，且序号连续",
        en="a consent is withdrawn only after it was given, and no act is missing between",
        sql="""
            SELECT a.id FROM consent_acts a
            LEFT JOIN consent_acts b ON b.subject_id = a.subject_id AND b.kind = a.kind AND b.turn = a.turn - 1
            WHERE (a.turn > 1 AND b.id IS NULL) OR (a.act = 'withdrawn' AND (b.id IS NULL OR b.act <> 'given'))
            """,
    ),
)


def _act(row: Row[Any]) -> ConsentAct:
    return ConsentAct(**{name: getattr(row, name) for name in ConsentAct.__dataclass_fields__})
