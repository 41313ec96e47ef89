"""Release policy shapes: how the staff's API shows what rules where, versions, differences and dry runs."""

from typing import Any

from shouhao.flows.release_policies import VersionState
from shouhao.web.console.policy_asks import AskShown, MadeBy
from shouhao.web.fields import Instant, Shown


class ReleaseVersion(Shown):
    """One version, whole; `state` is in_force, planned, over or never (a newer one was there when it began)."""

    version: int
    state: VersionState
    effective_at: Instant
    body: dict[str, Any]
    staff_id: str | None
    reason: str
    created_at: Instant
    made_by: MadeBy


class Ruling(Shown):
    """What rules a scope now: its own policy, a wider one's, or the built-in default (version 0).

    Sessions whose kind has a policy of its own follow that where only the wider one would rule: `also`.
    """

    kind: str
    version: int
    body: dict[str, Any]
    also: list[str]


class ScopeHistory(Shown):
    """What rules a scope, all its versions, oldest first, and changes that wait or came to nothing lately."""

    scope: str
    rules: Ruling
    rules_without: Ruling
    versions: list[ReleaseVersion]
    pending: list[AskShown]
    came_to_nothing: list[AskShown]


class ScopeShown(Shown):
    """What rules a scope now, and the newest version when it has not begun."""

    scope: str
    inherits: bool
    version: int | None
    effective_at: Instant | None
    body: dict[str, Any]
    next_version: int | None
    next_effective_at: Instant | None


class DepartmentNamed(Shown):
    """A department that may have a policy of its own."""

    department_id: str
    zh: str
    en: str


class DoctorNamed(Shown):
    """A doctor who may have a policy of their own."""

    doctor_id: str
    department_id: str
    zh: str
    en: str
    title_zh: str


class ScopeList(Shown):
    """Scopes that have, or had, a policy of their own; all others follow the wider one. Who there is, and who asks."""

    scopes: list[ScopeShown]
    default: dict[str, Any]
    departments: list[DepartmentNamed]
    doctors: list[DoctorNamed]
    pending: list[AskShown]


class FieldShown(Shown):
    """One rule that differs."""

    field: str
    before: bool | int | str | None
    after: bool | int | str | None


class Difference(Shown):
    """What one version changed against another."""

    scope: str
    from_version: int
    to_version: int
    changes: list[FieldShown]


class FigureShown(Shown):
    """One figure, as it was and as it would have been."""

    code: str
    unit: str
    as_it_was: float | None
    under_policy: float | None
    zh: str
    en: str


class PartShown(Shown):
    """Slots set apart for one part, and for how many of them somebody asked that way."""

    part: str
    seats: int
    asked_for: int


class ContestedShown(Shown):
    """A session for which more people asked than it had slots."""

    session_id: str
    department_zh: str
    department_en: str
    doctor_zh: str | None
    doctor_en: str | None
    day: str
    half: str
    kind: str
    seats: int
    asked: int
    got: int
    chance: float


class WordsShown(Shown):
    """The same sentence in both languages."""

    zh: str
    en: str


class DryRunShown(Shown):
    """What the policy would have done, and what that does not tell."""

    scope: str
    from_at: Instant
    to_at: Instant
    kind: str
    runs: int
    sessions: int
    ruled: int
    cut: bool
    figures: list[FigureShown]
    parts: list[PartShown]
    contested: list[ContestedShown]
    limits: list[WordsShown]
