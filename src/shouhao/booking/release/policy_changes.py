"""Policy changes: what one version of a release policy changes against another, and when it may not begin. Pure.

A window that is open keeps the policy it was opened with, and one that is announced is not changed under those who
wait for it: a rule that moves while people enter is a rule that somebody may move for somebody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shouhao.booking.release.policy import InForce, ReleasePolicy, inherits, release_body, release_from, scopes_of
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """A session that is not released yet, as far as a policy for it depends on it."""

    id: str
    department_id: str
    doctor_id: str | None
    kind: str
    release_at_us: int
    capacity: int  #: slots that are planned

    def scopes(self) -> list[str]:
        """The policy kinds that could rule it, the narrowest first."""
        return scopes_of(department_id=self.department_id, doctor_id=self.doctor_id, kind=self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One rule that differs; None: that side has no such rule."""

    field: str
    before: int | str | bool | None
    after: int | str | bool | None


class ReleaseWindowOpen(Refused):
    """A draw under this scope takes entries, is not made yet, or its window is announced for that moment."""

    code = "booking.release_window_open"
    zh = "排班 {session_id} 正在报名、尚未抽签，或届时已在报名期内；请把生效时间放在本次放号之后或报名开始之前"
    en = (
        "Session {session_id} takes entries, is not drawn yet, or would take entries at that moment; "
        "let the version begin after its release or before its window"
    )


def whole_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """A version's body with nothing left to defaults, so that it says the same for ever.

    Raises:
        InvalidInput: names the field.
    """
    if inherits(body):
        return {"kind": body["kind"]} if len(body) == 1 else release_body(release_from(body))
    return release_body(release_from(body))


def field_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """What differs between two bodies, field by field, by name.

    >>> [c.field for c in field_changes({"kind": "first_come"}, {"kind": "draw", "draw": {"wishes_max": 1}})]
    ['draw.wishes_max', 'kind']
    """
    was, becomes = dict(_fields(whole_body(before))), dict(_fields(whole_body(after)))
    return [
        FieldChange(field=name, before=was.get(name), after=becomes.get(name))
        for name in sorted(was.keys() | becomes.keys())
        if was.get(name) != becomes.get(name)
    ]


def begins_in_a_window(effective_at_us: int, *, release_at_us: int, policies: tuple[InForce, InForce]) -> bool:
    """Whether a change from the first of these policies to the second begins within the window of either.

    Under the first the window is announced; under the second it would be shorter than its policy says.
    """
    return any(
        by.policy.draws() and release_at_us - _window_us(by.policy) <= effective_at_us < release_at_us
        for by in policies
    )


def _window_us(policy: ReleasePolicy) -> int:
    return policy.draw.entry_window_s * SECOND_US


def _fields(body: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in body.items():
        if isinstance(value, Mapping):
            yield from _fields(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
