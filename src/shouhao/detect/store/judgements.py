"""Judgements' store: what people made of findings, each with its reason sealed, the newest of which counts."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select

from shouhao.detect.store.findings import State
from shouhao.detect.store.tables import finding_judgements
from shouhao.kernel.ids import new_id
from shouhao.store.batch import pieces
from shouhao.store.vault import Vault

Judgement = Literal["upheld", "dismissed", "watched"]
REASON = "finding_judgement"  #: what the vault seals the reason for


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one person made of a finding."""

    finding_id: str
    judgement: Judgement
    operator_id: str
    reason: str
    at_us: int


def add_judgement(connection: Connection, vault: Vault, judged: Judged) -> None:
    """Keep a judgement, later than all that were there before; the caller holds the finding."""
    mine = finding_judgements.c.finding_id == judged.finding_id
    last_us = connection.execute(select(func.max(finding_judgements.c.at_us)).where(mine)).scalar()
    connection.execute(
        insert(finding_judgements).values(
            id=new_id("fj"),
            finding_id=judged.finding_id,
            judgement=judged.judgement,
            operator_id=judged.operator_id,
            reason=vault.seal(judged.reason, purpose=REASON),
            at_us=judged.at_us if last_us is None else max(judged.at_us, last_us + 1),
        )
    )


def judgements_of(connection: Connection, vault: Vault, finding_id: str) -> list[Judged]:
    """Everything that was judged of a finding, the newest first."""
    mine = select(finding_judgements).where(finding_judgements.c.finding_id == finding_id)
    newest = mine.order_by(finding_judgements.c.at_us.desc(), finding_judgements.c.id.desc())
    return [_judged(row, vault) for row in connection.execute(newest)]


def states_of(connection: Connection, finding_ids: Collection[str]) -> dict[str, State]:
    """What was judged last of some findings; those that nobody judged are left out."""
    told: dict[str, State] = {}
    for piece in pieces(sorted(finding_ids)):
        judged = select(finding_judgements.c.finding_id, finding_judgements.c.judgement)
        mine = judged.where(finding_judgements.c.finding_id.in_(piece))
        for row in connection.execute(mine.order_by(finding_judgements.c.at_us, finding_judgements.c.id)):
            told[row.finding_id] = row.judgement
    return told


def _judged(row: Any, vault: Vault) -> Judged:
    return Judged(
        finding_id=row.finding_id,
        judgement=row.judgement,
        operator_id=row.operator_id,
        reason=vault.open(row.reason, purpose=REASON),
        at_us=row.at_us,
    )
