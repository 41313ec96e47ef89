"""Tip desk: who reads tips, after the access register has its row; what becomes of each, and what its teller is told.

A tip accuses somebody who is not heard. So it is shown closed, opened for a reason, and leads to nothing by itself: it
is passed on to the police liaison, linked to what cameras or detectors found, or laid aside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from shouhao.cases import tips_store as store
from shouhao.cases.tips import LinkKind, Tip, TipAct, TipState, TipStep, Told, check_step, read_words
from shouhao.detect.store.findings import find_finding
from shouhao.flows.tips import tell_of_step
from shouhao.kernel.clock import iso
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.staff import register
from shouhao.staff.model import Operator, Role, require
from shouhao.staff.texts import checked_reason
from shouhao.staff.watermark import watermarked
from shouhao.store.engine import Database
from shouhao.store.vault import Vault
from shouhao.watch.store.alarms import find_alarm

#: Who opens tips and says what becomes of them.
KEEPERS: Final[tuple[Role, ...]] = ("security", "outpatient_office")
#: Who sees all of them closed; the police liaison sees those that were passed on.
SEERS: Final[tuple[Role, ...]] = (*KEEPERS, "auditor", "police_liaison")
PASSED_ON: Final[tuple[TipState, ...]] = ("passed_on",)

_NOTE_MAX = 500
_LINK_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedTip:
    """A tip with everything that was written; never logged and never kept."""

    tip: Tip
    told: Told
    steps: Sequence[TipStep]
    picture_ids: Sequence[str]

    def __repr__(self) -> str:
        """Nothing of what was told: this may end in a traceback."""
        return f"OpenedTip(tip={self.tip.id})"


def states_for(operator: Operator) -> tuple[TipState, ...] | None:
    """Which tips this person may see closed; None is all.

    Raises:
        RoleMissing: none.
    """
    require(operator, *SEERS)
    return PASSED_ON if operator.roles.isdisjoint({*KEEPERS, "auditor"}) else None


def seen_tip(connection: Connection, tip_id: str, operator: Operator) -> Tip:
    """One tip, closed, as this person may see it.

    Raises:
        RoleMissing: it is not theirs to see any.
        NotFound: there is none, or it is not theirs to see.
    """
    states = states_for(operator)
    tip = store.find(connection, tip_id)
    if tip is None or (states is not None and tip.state not in states):
        raise NotFound("tip", "tip_id")
    return tip


def open_tip(db: Database, vault: Vault, operator: Operator, *, tip_id: str, reason: str, now_us: int) -> OpenedTip:
    """Open a tip. The register has its row first; whoever keeps tips has looked at it then.

    Raises:
        RoleMissing: it is not theirs to open.
        NotFound: as `seen_tip`.
        InvalidInput: no reason.
    """
    tip = _openable(db, operator, tip_id)
    _look(db, operator, f"tip:{tip.id}", reason=reason, authority=f"tip:{tip.id}", now_us=now_us)
    if not operator.roles.isdisjoint(KEEPERS):
        with db.write() as connection:
            _note_read(connection, vault, tip_id, operator, now_us=now_us)
    with db.read() as connection:
        return OpenedTip(
            tip=store.get(connection, tip_id),
            told=store.open_told(connection, vault, tip_id),
            steps=store.steps_of(connection, vault, tip_id),
            picture_ids=store.picture_ids(connection, [tip_id]).get(tip_id, []),
        )


def picture_of_tip(
    db: Database, vault: Vault, operator: Operator, *, tip_id: str, picture_id: str, reason: str, now_us: int
) -> bytes:
    """A picture of a tip, as JPEG with the watermark of who looks; on record first.

    Raises:
        As `open_tip`; NotFound too when the tip has no such picture.
    """
    tip = _openable(db, operator, tip_id)
    with db.read() as connection:
        if picture_id not in store.picture_ids(connection, [tip_id]).get(tip_id, []):
            raise NotFound("picture", "picture_id")
    _look(db, operator, f"tip:{tip.id} {picture_id}", reason=reason, authority=f"tip:{tip.id}", now_us=now_us)
    with db.read() as connection:
        raw = store.open_picture(connection, vault, tip_id, picture_id)
    if raw is None:
        raise NotFound("picture", "picture_id")
    return watermarked(raw, text=f"{operator.id} {iso(now_us)[:19]}")


def move_tip(
    connection: Connection,
    vault: Vault,
    operator: Operator,
    *,
    tip_id: str,
    state: TipState,
    version: int,
    reason: str,
    link: tuple[LinkKind, str] | None,
    now_us: int,
) -> Tip:
    """Say what becomes of a tip, as it was seen.

    Raises:
        RoleMissing: it is not theirs to say.
        NotFound: no such tip; or no such finding or alarm.
        InvalidInput: no reason; or linked, and to nothing.
        TipChanged, TipStepNotOpen: as `check_step`.
    """
    require(operator, *KEEPERS)
    said = checked_reason(reason)
    tip = store.get(connection, tip_id, lock=True)
    check_step(tip, state, version=version)
    linked = _checked_link(connection, link) if state == "linked" else None
    act: TipAct = "looked_at" if state == "new" else state  # nothing leads back to new
    after = store.add_step(
        connection,
        vault,
        tip,
        act,
        state=state,
        now_us=now_us,
        unread=tip.unread,
        staff_id=operator.id,
        words=said,
        link=linked,
    )
    tell_of_step(connection, after, act, now_us=now_us, staff_id=operator.id)
    return after


def note_to_teller(
    connection: Connection, vault: Vault, operator: Operator, *, tip_id: str, words: str, now_us: int
) -> Tip:
    """Write words that whoever told it reads; they name nobody and promise nothing.

    Raises:
        RoleMissing: it is not theirs to write.
        NotFound: no such tip.
        InvalidInput: nothing was written, or too much.
    """
    require(operator, *KEEPERS)
    said = read_words(words, name="words", most=_NOTE_MAX)
    tip = store.get(connection, tip_id, lock=True)
    act: TipAct = "note"
    after = store.add_step(
        connection,
        vault,
        tip,
        act,
        state=tip.state,
        now_us=now_us,
        unread=tip.unread,
        staff_id=operator.id,
        words=said,
    )
    tell_of_step(connection, after, act, now_us=now_us, staff_id=operator.id)
    return after


def _openable(db: Database, operator: Operator, tip_id: str) -> Tip:
    require(operator, *KEEPERS, "police_liaison")
    with db.read() as connection:
        tip = seen_tip(connection, tip_id, operator)
    if operator.roles.isdisjoint(KEEPERS) and tip.state not in PASSED_ON:  # an auditor who is the liaison too
        raise NotFound("tip", "tip_id")
    return tip


def _look(db: Database, operator: Operator, what: str, *, reason: str, authority: str, now_us: int) -> None:
    register.look(db, operator, data_class="case", what=what, reason=reason, authority=authority, now_us=now_us)


def _note_read(connection: Connection, vault: Vault, tip_id: str, operator: Operator, *, now_us: int) -> None:
    tip = store.get(connection, tip_id, lock=True)
    if tip.state != "new" and not tip.unread:
        return
    state: TipState = "looked_at" if tip.state == "new" else tip.state
    after = store.add_step(
        connection, vault, tip, "looked_at", state=state, now_us=now_us, unread=0, staff_id=operator.id
    )
    tell_of_step(connection, after, "looked_at", now_us=now_us, staff_id=operator.id)


def _checked_link(connection: Connection, link: tuple[LinkKind, str] | None) -> tuple[LinkKind, str]:
    if link is None or not 1 <= len(link[1]) <= _LINK_MAX:
        raise InvalidInput(
            "link_id", zh="须写明与哪条检测发现或报警关联", en="says which finding or alarm it belongs to"
        )
    kind, link_id = link
    found = find_alarm(connection, link_id) if kind == "alarm" else find_finding(connection, link_id)
    if found is None:
        raise NotFound(kind, "link_id")
    return link
