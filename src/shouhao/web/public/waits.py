"""Waits: where one stands on each waitlist, what moved it, and leaving. Joining is `enter.py`.

Of the others who wait only numbers are told: how many stand before, how many joined.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection

from shouhao.booking.store.release_policies import policy_of_text
from shouhao.booking.store.standings_of_waits import (
    BatchSeen,
    PlaceSeen,
    WaitSession,
    batches_of,
    places_of,
    sessions_waited_for,
)
from shouhao.booking.waitlist import Odds, explain, odds, waitlist_closes_at_us
from shouhao.flows.leave import leave
from shouhao.web.depends import Here, MemberWrite, SignedIn
from shouhao.web.description import failures
from shouhao.web.fields import Id, Instant, Shown
from shouhao.web.public.draws import Words
from shouhao.web.public.mine import my_patients, shown_people
from shouhao.web.public.return_rates import ReturnRates

routes = APIRouter(prefix="/api/v1", tags=["waits"])

_MOST = 100


class WaitSessionShown(Shown):
    """What is waited for."""

    id: str
    department_id: str
    department_zh: str
    department_en: str
    doctor_zh: str | None
    doctor_en: str | None
    day: str
    half: str
    starts_at: Instant


class OddsShown(Shown):
    """An estimate from the last 30 days; `chance` is null where too little is known to say."""

    chance: float | None
    needed: int
    based_on: int
    words: Words


class MoveShown(Shown):
    """What happened to a slot of the session, and when."""

    at: Instant
    zh: str
    en: str


class WaitOfferShown(Shown):
    """A slot that is offered; it is accepted by its booking."""

    booking_id: str
    patient_id: str
    accept_by: Instant


class WaitShown(Shown):
    """One place. In a batch that is not drawn yet there is no `wait_id` and no `ahead`, but the entry can be withdrawn.

    `state`: batch, waiting, offered, served, lapsed, left, ended. `ahead` counts people who wait, in the drawn order.
    """

    wait_id: str | None
    entry_id: str
    draw_id: str
    state: str
    session: WaitSessionShown
    patient_ids: list[str]
    since: Instant
    closes_at: Instant
    drawn_at: Instant
    joined: int | None
    ahead: int | None
    odds: OddsShown | None
    offers: list[WaitOfferShown]
    moved: list[MoveShown]
    what: Words


class WaitsShown(Shown):
    """Places: batches first, then those in a drawn order, live ones before ended ones."""

    waits: list[WaitShown]


class LeftShown(Shown):
    """A place that was given up."""

    wait_id: str
    state: Literal["left"]


async def _return_rates(request: Request) -> ReturnRates:
    kept: ReturnRates = request.app.state.return_rates
    return kept


Rates = Annotated[ReturnRates, Depends(_return_rates)]

_OVER: dict[str, tuple[str, str]] = {
    "served": ("已接受候补发出的号", "An offered slot was accepted"),
    "lapsed": ("发出的号超时未确认，候补已结束", "An offered slot was not accepted in time; the wait is over"),
    "left": ("已退出候补", "Left"),
    "ended": ("候补已结束", "The wait is over"),
}


@routes.get("/waits", responses=failures(401, 403), summary="我的候补 Where I stand and why")
def list_waits(member: SignedIn, system: Here, rates: Rates) -> WaitsShown:
    """每个候补的位置、前面的人数、轮到的可能性和变动原因。 Each place: people ahead, odds, what moved it, offers."""
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        mine = my_patients(connection, member.account_id)
        batches = batches_of(connection, mine)
        places = places_of(connection, mine, limit=_MOST)
        sessions = sessions_waited_for(
            connection, sorted({b.session_id for b in batches} | {p.wait.session_id for p in places})
        )
    seen_by = _Viewer(account_id=member.account_id, mine=set(mine), rates=rates, now_us=now_us)
    return WaitsShown(
        waits=[
            *(seen_by.batch(b, sessions[b.session_id]) for b in batches),
            *(seen_by.place(p, sessions[p.wait.session_id]) for p in places),
        ]
    )


@routes.post(
    "/waits/{wait_id}/leave",
    response_model=LeftShown,
    responses=failures(400, 401, 403, 404, 409, 422),
    summary="退出候补 Leave a waitlist",
)
def leave_waitlist(wait_id: Id, member: SignedIn, write: MemberWrite) -> Response:
    """一同候补的人一并退出。 For all who wait together.

    已发出的号请退号放弃。 A slot that is offered is declined by returning it.
    """

    def act(connection: Connection) -> dict[str, Any]:
        leave(connection, wait_id=wait_id, caller=member.caller(), now_us=write.now_us)
        return {"wait_id": wait_id, "state": "left"}

    return write.answer(act)


class _Viewer:
    """Shows places to one account at one moment."""

    def __init__(self, *, account_id: str, mine: set[str], rates: ReturnRates, now_us: int) -> None:
        self._account_id = account_id
        self._mine = mine
        self._rates = rates
        self._now_us = now_us

    def batch(self, seen: BatchSeen, session: WaitSession) -> WaitShown:
        """A place whose order is not drawn yet."""
        return WaitShown(
            wait_id=None,
            entry_id=seen.entry_id,
            draw_id=seen.draw_id,
            state="batch",
            session=_session(session),
            patient_ids=self._people(seen.people, seen.account_id),
            since=seen.since_us,
            closes_at=_closes_at_us(session),
            drawn_at=seen.drawn_at_us,
            joined=seen.joined,
            ahead=None,
            odds=None,
            offers=[],
            moved=[],
            what=Words(
                zh=f"本批已有 {seen.joined} 份报名，顺序将以抽签排定，先加入并不占先",
                en=f"{seen.joined} joined this batch; their order is drawn, and joining first gains nothing",
            ),
        )

    def place(self, seen: PlaceSeen, session: WaitSession) -> WaitShown:
        """A place in a drawn order."""
        wait = seen.wait
        waiting = wait.state == "waiting"
        estimate = self._odds(seen, session) if waiting else None
        told = explain([move for _, move in seen.moves])
        return WaitShown(
            wait_id=wait.id,
            entry_id=wait.entry_id,
            draw_id=wait.draw_id,
            state=wait.state,
            session=_session(session),
            patient_ids=self._people(wait.names(), wait.account_id),
            since=wait.since_us,
            closes_at=_closes_at_us(session),
            drawn_at=wait.drawn_at_us,
            joined=None,
            ahead=seen.ahead if waiting else None,
            odds=None if estimate is None else _odds_shown(estimate),
            offers=[
                WaitOfferShown(booking_id=o.booking_id, patient_id=o.patient_id, accept_by=o.until_us)
                for o in seen.offers
            ],
            moved=[
                MoveShown(at=at_us, zh=words.zh, en=words.en)
                for (at_us, _), words in zip(seen.moves, told, strict=True)
            ],
            what=_what(wait.state, estimate),
        )

    def _people(self, people: tuple[str, ...], by: str | None) -> list[str]:
        return shown_people(people, by=by, account_id=self._account_id, mine=self._mine)

    def _odds(self, seen: PlaceSeen, session: WaitSession) -> Odds:
        """The share of time in which slots still come back is what is left of it since the release."""
        returned, booked = self._rates.of(session.department_id, now_us=self._now_us)
        closes_at_us, from_us = _closes_at_us(session), session.released_at_us or seen.wait.since_us
        whole_us = max(1, closes_at_us - from_us)
        return odds(
            people_ahead=seen.ahead,
            people=seen.wait.size,
            live_bookings=session.live_bookings,
            returned=returned,
            booked=booked,
            remaining_share=(closes_at_us - self._now_us) / whole_us,
        )


def _what(state: str, estimate: Odds | None) -> Words:
    if estimate is not None:
        return Words(zh=estimate.words.zh, en=estimate.words.en)
    if state == "offered":
        return Words(zh="有号发给您，请在时限前确认", en="A slot is offered to you: accept it in time")
    zh, en = _OVER.get(state, _OVER["ended"])
    return Words(zh=zh, en=en)


def _odds_shown(estimate: Odds) -> OddsShown:
    return OddsShown(
        chance=estimate.chance,
        needed=estimate.needed,
        based_on=estimate.based_on,
        words=Words(zh=estimate.words.zh, en=estimate.words.en),
    )


def _closes_at_us(session: WaitSession) -> int:
    rules = policy_of_text(session.release_policy).policy.waitlist
    return waitlist_closes_at_us(session_starts_at_us=session.starts_at_us, rules=rules)


def _session(session: WaitSession) -> WaitSessionShown:
    return WaitSessionShown(
        id=session.id,
        department_id=session.department_id,
        department_zh=session.department_zh,
        department_en=session.department_en,
        doctor_zh=session.doctor_zh,
        doctor_en=session.doctor_en,
        day=session.day,
        half=session.half,
        starts_at=session.starts_at_us,
    )
