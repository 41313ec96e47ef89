"""Folding: findings about members of a ring stand under the ring, so that one gang is one row of the table."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

Finding = Mapping[str, Any]


def under_rings(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """By the finding_id of a ring, the findings about its members, in their order.

    A member whose finding stands above the ring's, because it scores higher, keeps its own row. A member of two
    rings stands under the first.

    Args:
        findings: the highest score first.
    """
    ring_of: dict[tuple[str, str], str] = {}
    folded: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        subject = finding["subject"]
        if subject["kind"] == "ring":
            for member in finding["members"]:
                ring_of.setdefault((member["kind"], member["id"]), finding["finding_id"])
        elif (ring := ring_of.get((subject["kind"], subject["id"]))) is not None:
            folded[ring].append(finding)
    return dict(folded)
