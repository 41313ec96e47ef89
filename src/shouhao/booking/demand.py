"""Demand: who asked for which session, as a dry run takes it. Values only; `store/demand.py` reads them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """One person who asked for one session."""

    patient_id: str
    account_id: str | None
    channel: str  #: of the first request
    asked_after_us: int | None  #: from the release to the first request; None: entered a draw, where no moment counts
    wish: int = 0  #: which of the wishes of a draw's entry this session was, from 0
    got: bool = False
    returned_at_us: int | None = None  #: when the slot was given back, or let go unpaid


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDemand:
    """A session that was released, and everybody who asked for it; nobody stands in it twice."""

    session_id: str
    department_id: str
    released_at_us: int
    starts_at_us: int
    capacity: int  #: slots that were released
    askers: tuple[Asker, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What was asked of the sessions that a scope rules."""

    scope: str
    from_us: int
    to_us: int
    sessions: tuple[SessionDemand, ...]
    ruled: int  #: sessions that the scope rules in this time; more than there are here when `cut`
    cut: bool  #: sessions were left out, because there were too many of them or of their requests
