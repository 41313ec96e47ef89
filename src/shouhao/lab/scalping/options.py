"""Options: which made-up days to write, how big, with which scalpers. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from shouhao.kernel.errors import InvalidInput

Size = Literal["small", "day", "large"]
Scenario = Literal["plain_day", "gang_day", "careful_day", "everything"]
GangKind = Literal[
    "crude_script",
    "phone_farm",
    "quick_handover",
    "slow_handover",
    "edited_patient",
    "series",
    "face_batch",
    "insider",
    "payer_ring",
    "careful_resale",
    "careful_preorder",
    "careful_codes",
    "careful_ghost",
]
Form = Literal["csv", "jsonl", "parquet"]
Logs = Literal["split", "combined", "extended"]

LOUD: tuple[GangKind, ...] = (
    "crude_script",
    "phone_farm",
    "quick_handover",
    "slow_handover",
    "edited_patient",
    "series",
    "face_batch",
    "insider",
    "payer_ring",
)
CAREFUL: tuple[GangKind, ...] = ("careful_resale", "careful_preorder", "careful_codes", "careful_ghost")
#: Which scalpers are about; the careful day has those, too, who hand over slowly or by editing the patient.
SCENARIOS: Mapping[Scenario, tuple[GangKind, ...]] = {
    "plain_day": (),
    "gang_day": LOUD,
    "careful_day": ("slow_handover", "edited_patient", *CAREFUL),
    "everything": (*LOUD, *CAREFUL),
}
SEED = 2026
FIRST_DAY = date(2026, 3, 2)
DAYS = 8  #: seven days of history and the day in question
FORMS: tuple[Form, ...] = ("csv", "jsonl", "parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What a size means."""

    honest_accounts: int
    gangs_of_a_kind: int
    gang_growth: float  #: how much bigger a gang is than in the small size


SCALES: Mapping[Size, Scale] = {
    "small": Scale(honest_accounts=1_800, gangs_of_a_kind=1, gang_growth=1.0),
    "day": Scale(honest_accounts=18_000, gangs_of_a_kind=2, gang_growth=1.5),
    "large": Scale(honest_accounts=76_000, gangs_of_a_kind=3, gang_growth=2.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that the made-up days depend on: the same options, the same bytes."""

    seed: int = SEED
    size: Size = "small"
    scenario: Scenario = "everything"
    kinds: tuple[GangKind, ...] | None = None  #: in place of the scenario's
    strength: float = 1.0  #: times as many accounts in each gang
    first_day: date = FIRST_DAY
    days: int = DAYS
    forms: tuple[Form, ...] = FORMS  #: each is a whole copy of the events
    logs: Logs = "split"  #: web in combined, the rest in the wider format; or all in one of the two
    overlap_lines: int = 0  #: lines that stand at the end of one rotated file and again at the start of the next

    @property
    def scale(self) -> Scale:
        """What the size means."""
        return SCALES[self.size]

    @property
    def gang_kinds(self) -> tuple[GangKind, ...]:
        """Kinds of scalpers that are about."""
        return SCENARIOS[self.scenario] if self.kinds is None else self.kinds

    def __post_init__(self) -> None:
        """Refuse what cannot be made.

        Raises:
            InvalidInput: a day too few, or a strength that is none.
        """
        if not 2 <= self.days <= 60:  # noqa: PLR2004 - yesterday and today at least
            raise InvalidInput("days", zh="须为 2 至 60 天", en="must be 2 to 60")
        if not 0.1 <= self.strength <= 10:  # noqa: PLR2004 - a tenth to ten times
            raise InvalidInput("strength", zh="须在 0.1 与 10 之间", en="must be between 0.1 and 10")
