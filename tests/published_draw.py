"""Short ways to a published draw: small, with families, two targets and whoever shall have taken part."""

from shouhao.booking.release.draw import Entry
from shouhao.booking.release.draw_file import draw_file
from shouhao.booking.release.policy import DrawRules, ReleasePolicy, release_body
from shouhao.booking.release.seal import Contribution, beacon_round, commitment
from shouhao.kernel.clock import iso

DRAW, BEACON = "dr_1", "drand"
SECRET = bytes(range(32))
OPENED_US = 1_772_409_600_000_000
CLOSED_US, SEALED_US = OPENED_US + 120_000_000, OPENED_US + 121_500_000
RULES = DrawRules(beacon=BEACON, witnesses=2)
POLICY = ReleasePolicy(kind="draw", draw=RULES)


def singles(count):
    return [Entry(id=f"de_{n:03}", people=(f"t{n}",), wishes=("S1", "S2")[: 1 + n % 2]) for n in range(count)]


ENTRIES = [*singles(9), Entry(id="de_100", people=("ta", "tb", "tc"), wishes=("S2", "S1"))]


def witness(who, value=b"w" * 32, *, draw_id=DRAW):
    return Contribution(kind="witness", who=who, value=value, commitment=commitment(draw_id, value, who=who))


def beacon(value=b"b" * 32, number=None):
    named = beacon_round(
        sealed_at_us=SEALED_US,
        after_s=RULES.beacon_after_s,
        genesis_s=RULES.beacon_genesis_s,
        period_s=RULES.beacon_period_s,
    )
    return Contribution(kind="beacon", who=BEACON, round=named if number is None else number, value=value)


EVERYBODY = (witness("NotaryOffice", b"1" * 32), witness("health-bureau", b"2" * 32), beacon())


def known(**changed):
    """The arguments of `draw_file` that stand when the entries are sealed."""
    return {
        "draw_id": DRAW,
        "kind": "release",
        "title": "\u4ea7\u79d1\u5efa\u6863 2026-03-09",
        "policy": release_body(POLICY),
        "policy_scope": "release:department:OBS",
        "policy_version": 3,
        "opened_at": iso(OPENED_US),
        "closed_at": iso(CLOSED_US),
        "sealed_at": iso(SEALED_US),
        "targets": [
            {"id": "S2", "seats": 3, "label": "\u4e0b\u5348"},
            {"id": "S1", "seats": 2, "label": "\u4e0a\u5348"},
        ],
        "left_out": [{"id": "de_777", "reason": "booking.restricted"}],
        "entries": ENTRIES,
        "commitment": commitment(DRAW, SECRET),
        "receipt_key": "ab" * 32,
        **changed,
    }


def file_of(*, contributions=(), secret=SECRET, root=None, **changed):
    return draw_file(**known(**changed), contributions=contributions, secret=secret, root=root)
