"""Families: which reasons come from the same cause, so that what is seen twice does not count twice.

A script that asks a hundred times a minute also keeps a beat and is first after a release: that is one cause, seen
three times. Sharing a phone and a purse is one way of living. What follows from different causes is independent, and
only that adds up in full.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

Family = Literal[
    "machine",  # faster, steadier or more tireless than people are
    "addresses",  # more networks than one person has
    "identity",  # more accounts than people
    "trade",  # slots that change hands
    "faces",  # pictures that should not be shared
    "partners",  # who takes what they return, however it is taken
    "customers",  # patients who pass through
    "visits",  # who came
    "hours",  # when they act, by the clock
    "looks",  # what staff look at
    "favours",  # what staff do for them out of pattern
    "company",  # what those do with whom one belongs together
    "complaints",  # what people said
]

_BY_CODE: Mapping[str, Family] = MappingProxyType(
    {
        "attendance.complained": "complaints",
        "face_batches.machine_rate": "machine",
        "face_batches.one_backdrop": "identity",  # a room is shared as a phone is
        "attendance.never_seen_again": "customers",
        "farms.passing_patients": "customers",
        "fleets.odd_hours": "hours",
        "fleets.quick_together": "machine",
        "hand_over.bound_to_take": "customers",
        "hand_over.by_the_clock": "hours",
        "hand_over.circle": "partners",
        "hand_over.inside": "partners",
        "hand_over.pair": "partners",
        "hand_over.related": "partners",
        "hand_over.snatches": "machine",
        "insiders.for_new": "customers",
        "insiders.in_rings": "company",
        "insiders.holder": "favours",
        "insiders.recipient": "favours",
        "insiders.looks_without_need": "looks",
        "insiders.nobody_came": "visits",
        "insiders.off_hours": "hours",
        "insiders.one_purse": "identity",
        "rings.company": "company",
        "rings.member": "identity",
        "rings.same_method": "company",
        "rings.shared": "identity",
    }
)
_BY_DETECTOR: Mapping[str, Family] = MappingProxyType(
    {
        "attendance": "visits",
        "bursts": "machine",
        "customers": "customers",
        "face_batches": "faces",
        "farms": "identity",
        "fleets": "identity",
        "hammering": "machine",
        "hand_over": "trade",
        "metronomes": "machine",
        "regulars": "machine",  # as quick, by much practice
        "rotation": "addresses",
        "sign_up_phones": "identity",
        "snipers": "machine",
        "swapped_patients": "trade",
    }
)
#: What a pattern of its members says of a ring is of the same cause: rings.acts_trade.
_ACTS = "rings.acts_"

EVERYTHING = "*"
_ALL_BUT_FAVOURS: frozenset[str] = frozenset(get_args(Family)) - {"favours"}  # that staff did it is what is said there
#: Which causes each thing that speaks for a subject explains; it takes nothing off the others.
EXPLAINS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "speaks_for.family": frozenset({"identity", "partners", "favours", "company"}),
        "speaks_for.shared_network": frozenset({"machine", "addresses", "identity"}),
        "speaks_for.care_home": frozenset({"identity", "visits", "favours", "company"}),
        "speaks_for.kiosk": frozenset({EVERYTHING}),
        "speaks_for.staff_window": _ALL_BUT_FAVOURS,
        "speaks_for.escort_agency": frozenset({"identity", "customers", "company"}),
        "speaks_for.monitoring_probe": frozenset({"machine"}),
        "speaks_for.auto_refresh": frozenset({"machine"}),
        "speaks_for.new_phone": frozenset({"addresses", "identity"}),
        "speaks_for.they_come": frozenset({"visits", "customers", "identity"}),
    }
)


def family_of(code: str) -> str:
    """The cause that a reason points to; one of its own for a detector that is not listed.

    >>> family_of("hand_over.gaps"), family_of("rings.acts_trade"), family_of("newcomer.pattern")
    ('trade', 'trade', 'newcomer')
    """
    if code.startswith(_ACTS):
        return code.removeprefix(_ACTS)
    detector = code.partition(".")[0]
    return _BY_CODE.get(code) or _BY_DETECTOR.get(detector) or detector


def explains(code: str, family: str) -> bool:
    """Whether something that speaks for a subject explains reasons of that family."""
    explained = EXPLAINS.get(code, frozenset())
    return family in explained or EVERYTHING in explained
