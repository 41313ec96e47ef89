"""A hospital that keeps a watchlist, for tests: an engine that sees colours in place of faces, and people at work."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faces.enrolling import ColourEngine, photo
from lawful import go_live, make_lawful, operator
from shouhao.faces.derivation import Known, KnownPoint
from shouhao.faces.enrolment import GallerySetup
from shouhao.faces.keys import KeyFolder
from shouhao.flows.watch_approved import apply_approved, apply_due
from shouhao.flows.watch_desk import WatchDesk, WatchSettings
from shouhao.flows.watchlist import Proposal, Proposed, propose
from shouhao.kernel.clock import ManualClock, to_us
from shouhao.staff.approvals import decide
from shouhao.staff.model import Operator
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.vault import Vault
from shouhao.watch.store.lists import ListTerms, add_list
from shouhao.watch.store.watchlist import Entry, entry_of
from shouhao.watch.watchlist import checked_person

NOW_US = to_us(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
PDF = b"%PDF-1.7 the decision"
#: What is "known" of colours: so that a budget of a test's list asks for some 0.5 to 0.9.
KNOWN = Known(
    pack="colour@1",
    basis="manifest",
    source="colours",
    points=(
        KnownPoint(threshold_cos=0.4, fmr=1e-2, tmr=0.99),
        KnownPoint(threshold_cos=0.5, fmr=1e-3, tmr=0.98),
        KnownPoint(threshold_cos=0.58, fmr=1e-4, tmr=0.97),
    ),
    smallest_fmr=1e-4,
)


@dataclass
class Keeping:
    """Everything that the story of an entry needs."""

    db: Database
    folder: Path
    engine: Any = field(default_factory=ColourEngine)
    master: bytes = b"w" * 32
    known: Known | None = KNOWN
    lawful: bool = True
    settings: WatchSettings = field(default_factory=lambda: WatchSettings(passages_a_day=1000))

    def __post_init__(self) -> None:
        self.clock = ManualClock(NOW_US)
        self.desk = self.new_desk()
        self.asker = operator(self.db, "security", now_us=NOW_US, trained=True)
        self.approvers = [operator(self.db, role, now_us=NOW_US) for role in ("approver", "security")]
        self.protector = operator(self.db, "data_protection", now_us=NOW_US, trained=True)
        with self.db.write() as connection:
            terms = ListTerms(name="本院号贩子", ground="维护诊疗秩序", false_alarms_a_day=10.0)
            add_list(connection, "own", terms, now_us=NOW_US, staff_id=self.asker.id)
        go_live(self.db, "CAM1", now_us=NOW_US)
        if self.lawful:
            make_lawful(self.db, now_us=NOW_US)

    def new_desk(self) -> WatchDesk:
        vault = Vault(self.master)
        keys = KeyFolder(self.folder / "face-keys", vault, "watchlist")
        setup = GallerySetup(db=self.db, keys=keys, engines={self.engine.pack_id: self.engine})
        return WatchDesk(
            self.db,
            vault,
            self.clock,
            open_setup=lambda: setup,
            choose_pack=lambda: self.engine.pack_id,
            bundles_dir=self.folder / "watch-bundles",
            known_of=lambda pack: self.known if pack == self.engine.pack_id else None,
            settings=self.settings,
        )

    @property
    def now_us(self) -> int:
        return self.clock.now_us()

    def proposal(self, **changed: Any) -> Proposal:
        given: dict[str, Any] = {
            "list_id": "own",
            "person": checked_person(
                name="雷某", aliases=["老雷"], document_kind="passport", document_number="E1234567"
            ),
            "ground_code": "resale",
            "ground": "2026年3月1日在门诊大厅倒卖号源，当场查获",
            "documents": (PDF,),
            "reason": "多次查获",
        }
        return Proposal(**{**given, **changed})

    def proposed(self, *photos: bytes, **changed: Any) -> Proposed:
        looked = self.desk.look_at(photos or (photo((10, 1, 1)),))
        with self.db.write() as connection:
            return propose(
                self.desk, connection, self.proposal(**changed), looked, operator=self.asker, now_us=self.now_us
            )

    def agree(self, approval_id: str, *others: Operator, approve: bool = True) -> None:
        for other in others or self.approvers:
            with self.db.write() as connection:
                decide(connection, approval_id, operator=other, approve=approve, reason="已核对", now_us=self.now_us)

    def approved(self, approval_id: str, *others: Operator) -> None:
        self.agree(approval_id, *others)
        apply_approved(self.desk, approval_id, now_us=self.now_us)

    def listed(self, *photos: bytes, **changed: Any) -> str:
        made = self.proposed(*photos, **changed)
        self.approved(made.approval_id)
        return made.entry_id

    def due(self) -> int:
        return apply_due(self.desk, now_us=self.now_us)

    def entry(self, entry_id: str) -> Entry:
        with self.db.read() as connection:
            return entry_of(connection, entry_id)


def told(db: Database, kind: str) -> list[dict[str, Any]]:
    """What the log says of this kind."""
    with db.read() as connection:
        return [row for page in event_log.read(connection) for row in page if row["kind"] == kind]


def nobody(n: int) -> Any:
    """Another person than every other number."""
    number = hashlib.sha256(str(n).encode()).hexdigest()[:8].upper()
    return checked_person(name=f"某{n}", document_kind="passport", document_number=number)
