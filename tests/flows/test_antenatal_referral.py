"""Antenatal referral: nothing leaves the house without consent, and who is declined stands where she stood."""

import pytest

from flows.registering import STAFF, VAULT, act, agreed, full_month, in_turn, moved, of, offered, places
from hospital import assert_sound, events, rows
from shouhao.booking.antenatal import (
    CONSENT_VERSION,
    OfferGone,
    ReferralSent,
    WrongApplicationState,
)
from shouhao.booking.antenatal_tables import (
    antenatal_applications,
    antenatal_offers,
    antenatal_referrals,
)
from shouhao.flows.antenatal import withdraw
from shouhao.flows.antenatal_referral import (
    answer_referral,
    close_offer,
    disclosed,
    offers_for,
    send_referrals,
    withdraw_consent,
)
from shouhao.flows.give_back import Caller
from shouhao.kernel.errors import InvalidInput


def test_consent_takes_one_partner_place_and_nothing_is_sent_without_it(db):
    (one, two), now_us = full_month(db)
    offer = offered(db, now_us=now_us)
    assert act(db, send_referrals, partner_id="P1", caller=STAFF, now_us=now_us) == []
    referral = agreed(db, one, offer, now_us)
    assert of(db, one).state == "referred"
    with pytest.raises(OfferGone):
        agreed(db, two, offer, now_us)
    with db.read() as connection:
        assert disclosed(connection, VAULT, [referral.id]) == []
    assert act(db, send_referrals, partner_id="P1", caller=STAFF, now_us=now_us) == [referral.id]
    assert act(db, send_referrals, partner_id="P1", caller=STAFF, now_us=now_us) == []
    with db.read() as connection:
        (shown,) = disclosed(connection, VAULT, [referral.id])
    assert (shown.name, shown.phone, shown.due_day, shown.tier) == ("张三", "+8613900139000", "2027-06-15", "green")
    assert "张三" not in repr(shown)
    (row,) = rows(db, antenatal_referrals)
    assert (row["text_version"], row["data"]) == (CONSENT_VERSION, '["name","phone","due_day","tier"]')
    after = act(
        db, answer_referral, referral_id=referral.id, accepted=True, reason="已接收", caller=STAFF, now_us=now_us
    )
    assert (after.state, after.ended_at_us) == ("transferred", now_us)
    assert [e["detail"].count('"state":"sent"') for e in events(db, "antenatal_referred")] == [0, 1, 0]
    assert_sound(db)


def test_declined_she_stands_where_she_stood(db):
    people, now_us = full_month(db, waiting=3)
    offer = offered(db, now_us=now_us, places=3)
    referral = agreed(db, people[1], offer, now_us)
    assert [p.patient_id for p in in_turn(db, people)] == [people[0].patient_id, people[2].patient_id]
    act(db, send_referrals, partner_id="P1", caller=STAFF, now_us=now_us)
    mine = Caller(channel="app", account_id=people[1].account_id)
    with pytest.raises(ReferralSent):
        act(db, withdraw_consent, application_id=of(db, people[1]).id, caller=mine, now_us=now_us)
    act(db, answer_referral, referral_id=referral.id, accepted=False, reason="名额已满", caller=STAFF, now_us=now_us)
    assert in_turn(db, people) == people
    with pytest.raises(WrongApplicationState):
        act(db, answer_referral, referral_id=referral.id, accepted=True, reason="再次", caller=STAFF, now_us=now_us)
    assert_sound(db)


def test_consent_is_withdrawn_before_it_is_sent_and_the_partners_place_is_open_again(db):
    (one, two), now_us = full_month(db)
    offer = offered(db, now_us=now_us)
    agreed(db, one, offer, now_us)
    mine = Caller(channel="app", account_id=one.account_id)
    assert act(db, withdraw_consent, application_id=of(db, one).id, caller=mine, now_us=now_us).state == "waiting"
    assert rows(db, antenatal_offers)[0]["taken"] == 0
    agreed(db, two, offer, now_us)
    application_id = of(db, two).id
    act(db, withdraw, application_id=application_id, caller=STAFF, reason="不再需要", now_us=now_us)
    assert rows(db, antenatal_offers)[0]["taken"] == 0
    assert act(db, send_referrals, partner_id="P1", caller=STAFF, now_us=now_us) == []
    assert_sound(db)


def test_a_place_that_fell_free_while_she_was_referred_is_hers_when_she_returns(db):
    (one,), now_us = full_month(db, waiting=1)
    agreed(db, one, offered(db, now_us=now_us), now_us)
    for row in rows(db, antenatal_applications, state="granted"):
        act(db, withdraw, application_id=row["id"], caller=STAFF, reason="不再需要", now_us=now_us)
    assert places(db)["green"].free == 1
    mine = Caller(channel="app", account_id=one.account_id)
    assert act(db, withdraw_consent, application_id=of(db, one).id, caller=mine, now_us=now_us).state == "granted"
    assert_sound(db)


def test_only_offers_for_her_month_and_tier_that_are_open_can_be_agreed_to(db):
    (one, _), now_us = full_month(db)
    wrong = [offered(db, now_us=now_us, tier="red"), offered(db, now_us=now_us, month="2027-07")]
    ended = offered(db, now_us=now_us)
    act(db, close_offer, offer_id=ended.id, staff_id="st", now_us=now_us)
    right = offered(db, now_us=now_us)
    with db.read() as connection:
        assert [o.id for o in offers_for(connection, of(db, one), now_us=now_us)] == [right.id]
    for offer in (*wrong, ended):
        with pytest.raises(OfferGone):
            agreed(db, one, offer, now_us)
    with pytest.raises(InvalidInput):
        agreed(db, one, right, now_us, version="2020-1")
    assert rows(db, antenatal_referrals) == []
    agreed(db, one, right, now_us)
    with pytest.raises(WrongApplicationState):
        moved(db, one, "red", now_us)
