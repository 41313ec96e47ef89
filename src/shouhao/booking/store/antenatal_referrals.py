"""Referrals: partner hospitals' open places, and what women agreed to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, insert, select, update

from shouhao.booking.antenatal_tables import antenatal_applications, antenatal_offers, antenatal_referrals
from shouhao.booking.release.antenatal import Tier
from shouhao.kernel.errors import NotFound

_offers, _referrals = antenatal_offers, antenatal_referrals


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A partner hospital's open places of one due month and tier."""

    id: str
    partner_id: str
    name_zh: str
    name_en: str
    month: str
    tier: Tier
    places: int
    taken: int
    valid_until_us: int
    staff_id: str
    created_at_us: int

    def open_at(self, now_us: int) -> bool:
        """Whether a woman can still be referred there."""
        return self.taken < self.places and now_us < self.valid_until_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """What one woman agreed to, and what came of it."""

    id: str
    application_id: str
    patient_id: str
    offer_id: str
    partner_id: str
    state: str  #: consented, sent, accepted, declined, withdrawn, ended
    text_version: str
    data: tuple[str, ...]  #: what is shared, and nothing else
    channel: str
    account_id: str | None
    consented_at_us: int
    sent_at_us: int | None
    ended_at_us: int  #: 0 while consented or sent


def add_offer(connection: Connection, offer: Offer) -> None:
    """Write an offer down."""
    connection.execute(insert(_offers).values(**asdict(offer)))


def offers(connection: Connection, *, month: str | None = None, tier: str | None = None) -> list[Offer]:
    """Offers, newest last."""
    found = select(_offers).order_by(_offers.c.id)
    if month is not None:
        found = found.where(_offers.c.month == month)
    if tier is not None:
        found = found.where(_offers.c.tier == tier)
    return [_offer(row) for row in connection.execute(found)]


def find_offer(connection: Connection, offer_id: str) -> Offer:
    """An offer as it stands.

    Raises:
        NotFound: there is none with this id.
    """
    row = connection.execute(select(_offers).where(_offers.c.id == offer_id)).one_or_none()
    if row is None:
        raise NotFound("partner offer", "offer_id")
    return _offer(row)


def lock_offer(connection: Connection, offer_id: str) -> Offer:
    """An offer that nobody else changes until the unit of work ends; after the month.

    Raises:
        NotFound: there is none with this id.
    """
    row = connection.execute(select(_offers).where(_offers.c.id == offer_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("partner offer", "offer_id")
    return _offer(row)


def change_offer(connection: Connection, offer_id: str, **values: Any) -> None:
    """Write columns of a locked offer."""
    connection.execute(update(_offers).where(_offers.c.id == offer_id).values(**values))


def add_referral(connection: Connection, referral: Referral) -> None:
    """Write down what a woman agreed to."""
    values = asdict(referral) | {"data": msgspec.json.encode(referral.data).decode()}
    connection.execute(insert(_referrals).values(**values))


def find_referral(connection: Connection, referral_id: str) -> Referral:
    """A referral as it stands; under the month's lock it stays so.

    Raises:
        NotFound: there is none with this id.
    """
    found = _all(connection, select(_referrals).where(_referrals.c.id == referral_id))
    if not found:
        raise NotFound("referral", "referral_id")
    return found[0]


def live_referral(connection: Connection, application_id: str) -> Referral | None:
    """The referral under way of an application."""
    found = _all(
        connection,
        select(_referrals).where(_referrals.c.application_id == application_id, _referrals.c.ended_at_us == 0),
    )
    return found[0] if found else None


def referrals_of(connection: Connection, application_ids: Sequence[str]) -> list[Referral]:
    """All referrals of applications, oldest first."""
    return _all(connection, select(_referrals).where(_referrals.c.application_id.in_(application_ids)))


def referrals_to(
    connection: Connection, *, partner_id: str | None = None, state: str | None = None, limit: int
) -> list[Referral]:
    """Referrals to a partner, oldest first."""
    found = select(_referrals)
    if partner_id is not None:
        found = found.where(_referrals.c.partner_id == partner_id)
    if state is not None:
        found = found.where(_referrals.c.state == state)
    return _all(connection, found.limit(limit))


def change_referral(connection: Connection, referral_id: str, **values: Any) -> None:
    """Write columns of a referral under its month's lock."""
    connection.execute(update(_referrals).where(_referrals.c.id == referral_id).values(**values))


def end_referrals(connection: Connection, month: str, *, now_us: int) -> None:
    """End the referrals under way in a month that is over."""
    concerned = select(antenatal_applications.c.id).where(antenatal_applications.c.month == month)
    connection.execute(
        update(_referrals)
        .where(_referrals.c.application_id.in_(concerned), _referrals.c.ended_at_us == 0)
        .values(state="ended", ended_at_us=now_us)
    )


def _all(connection: Connection, query: Select[Any]) -> list[Referral]:
    return [_referral(row) for row in connection.execute(query.order_by(_referrals.c.id))]


def _offer(row: Any) -> Offer:
    return Offer(**{name: getattr(row, name) for name in Offer.__dataclass_fields__})


def _referral(row: Any) -> Referral:
    values = {name: getattr(row, name) for name in Referral.__dataclass_fields__ if name != "data"}
    return Referral(data=tuple(msgspec.json.decode(row.data)), **values)
