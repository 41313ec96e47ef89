"""Tips: told by nobody in particular, kept sealed, opened on record, followed with a code, erased in time."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from racing import meanwhile
from shouhao.cases import tips_store as store
from shouhao.cases.tips import (
    About,
    TipChanged,
    TipCodeTries,
    TipLimits,
    TipPicturesFull,
    TipsFull,
    TipStepNotOpen,
    TipsTooOften,
    TipUnknown,
    TooManyAdditions,
    TooManyTipPictures,
    canonical,
    in_groups,
    read_told,
    seen_text,
)
from shouhao.cases.tips_tables import counters, pictures, steps, tips
from shouhao.flows import tip_desk
from shouhao.flows.tips import (
    Given,
    Origin,
    add_picture,
    add_words,
    check_taken,
    count_picture,
    follow,
    known_tip,
    tell,
    tips_due,
)
from shouhao.kernel.clock import DAY_US, HOUR_US
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.staff import register
from shouhao.staff.model import RoleMissing
from shouhao.store.invariants import check
from shouhao.store.vault import Vault
from staff.staffing import CHANCE, NOW, events, operator
from web.telling import keep_finding

VAULT = Vault(b"t" * 32)
LIMITS = TipLimits()
HERE = Origin(address="192.0.2.7", browser="b1")
WORDS = "今早在三楼分诊台旁，有人加价 800 元卖号，微信 huangniu_777"


def tell_one(db, *, words=WORDS, origin=HERE, limits=LIMITS, now_us=NOW, **more) -> Given:
    with db.write() as connection:
        return tell(
            connection,
            VAULT,
            read_told({"what": words, **more}),
            about=About(),
            channel="web",
            origin=origin,
            limits=limits,
            randomness=CHANCE,
            now_us=now_us,
        )


def known(db, given, *, origin=HERE, limits=LIMITS, now_us=NOW, **wrong):
    asked = {"reference": given.reference, "code": given.code, **wrong}
    return known_tip(db, VAULT, origin=origin, limits=limits, now_us=now_us, **asked)


def moved(db, who, given, state, version, *, link=None, reason="已核对"):
    with db.write() as connection:
        return tip_desk.move_tip(
            connection,
            VAULT,
            who,
            tip_id=given.tip_id,
            state=state,
            version=version,
            reason=reason,
            link=link,
            now_us=NOW,
        )


def opened(db, who, given, *, now_us=NOW):
    return tip_desk.open_tip(db, VAULT, who, tip_id=given.tip_id, reason="核对今早的举报", now_us=now_us)


def rows(db, table) -> int:
    with db.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_what_is_told_is_sealed_and_nothing_of_whoever_told_it_is_kept(db):
    given = tell_one(db, wechat="huangniu_777", teller="13800138000")
    with db.read() as connection:
        kept = "".join(
            map(
                repr,
                [
                    *connection.execute(select(tips)),
                    *connection.execute(select(steps)),
                    *connection.execute(select(counters)),
                ],
            )
        )
    for secret in ("三楼", "huangniu", "13800138000", "192.0.2.7", "b1'", given.code):
        assert secret not in kept
    (event,) = events(db, "tip_told")
    assert event["detail"] == {"tip_id": given.tip_id}
    for name in ("ip", "user_agent", "account_id", "device_id", "session_token", "patient_id"):
        assert event[name] is None


def test_number_and_code_together_show_how_far_it_is_and_not_what_was_told(db):
    given = tell_one(db)
    tip = known(db, given, reference=in_groups(given.reference).lower(), code=f" {in_groups(given.code).lower()} ")
    seen = follow(db, VAULT, tip)
    assert (seen.state, seen.additions, seen.pictures, list(seen.notes)) == ("new", 0, 0, [])
    assert "三楼" not in repr(seen)


def test_a_wrong_number_and_a_wrong_code_are_told_apart_by_nobody(db):
    given = tell_one(db)
    said = []
    for wrong in ({"code": "0000-0000-0000"}, {"reference": "0000-0000"}, {"code": ""}, {"reference": ""}):
        with pytest.raises(TipUnknown) as no:
            known(db, given, **wrong)
        said.append((no.value.field, no.value.says("zh")))
    assert len(set(said)) == 1


def test_guessing_a_code_is_counted_before_it_is_looked_at_and_waits(db):
    given = tell_one(db)
    for _ in range(LIMITS.tries_address_hour):
        with pytest.raises(TipUnknown):
            known(db, given, code="0000-0000-0000")
    with pytest.raises(TipCodeTries) as no:
        known(db, given)
    assert no.value.data["retry_after_s"] == 3600, "the right code waits too, or it would tell"
    assert known(db, given, origin=Origin(address="198.51.100.1")).id == given.tip_id, "elsewhere it is found"
    assert known(db, given, now_us=NOW + HOUR_US).id == given.tip_id


def test_looking_with_the_right_code_is_not_held_against_anybody(db):
    given = tell_one(db)
    for _ in range(3 * LIMITS.tries_address_hour):
        assert known(db, given).id == given.tip_id


def test_one_browser_one_address_and_the_house_each_have_their_measure(db):
    for _ in range(LIMITS.a_browser_hour):
        tell_one(db)
    with pytest.raises(TipsTooOften):
        tell_one(db)
    assert tell_one(db, origin=replace(HERE, browser="b2")).code, "somebody else in the same waiting room"
    few = TipLimits(an_address_hour=7)
    assert tell_one(db, origin=replace(HERE, browser=None), limits=few)
    with pytest.raises(TipsTooOften) as no:
        tell_one(db, origin=replace(HERE, browser=None), limits=few)
    assert "110" in no.value.says("zh")
    assert tell_one(db, now_us=NOW + HOUR_US), "an hour later again"


def test_a_household_behind_one_prefix_is_one_address(db):
    few = TipLimits(an_address_hour=1)
    tell_one(db, origin=Origin(address="2001:db8:1:2::7"), limits=few)
    with pytest.raises(TipsTooOften):
        tell_one(db, origin=Origin(address="2001:db8:1:2:ffff::9"), limits=few)
    with pytest.raises(TipsTooOften):
        tell_one(db, origin=Origin(address="2001:db8:1:2:ffff::9%eth0"), limits=few)
    assert tell_one(db, origin=Origin(address="2001:db8:1:3::7"), limits=few)


def test_a_flood_from_everywhere_leaves_no_more_than_the_hours_measure(db):
    few = TipLimits(an_hour=20, call="021-5555 1234")
    for n in range(20):
        tell_one(db, origin=Origin(address=f"10.0.0.{n}"), limits=few)
    for n in range(280):
        with pytest.raises(TipsFull) as no:
            tell_one(db, origin=Origin(address=f"10.0.{1 + n // 250}.{n % 250}"), limits=few)
        assert "021-5555 1234" in no.value.says("zh")
        assert "021-5555 1234" in no.value.says("en")
    assert rows(db, tips) == 20
    assert rows(db, counters) <= 21


def test_when_nobody_reads_no_more_are_taken(db):
    few = TipLimits(waiting_most=3)
    for n in range(3):
        tell_one(db, origin=Origin(address=f"10.0.0.{n}"), limits=few)
    with db.read() as connection, pytest.raises(TipsFull):
        check_taken(connection, VAULT, origin=Origin(address="10.0.0.9"), limits=few, now_us=NOW)


def test_opening_a_tip_stands_in_the_register_first_and_marks_it_read(db):
    given, who = tell_one(db, price="800"), operator(db, "security")
    found = opened(db, who, given)
    assert (found.told.what, found.told.price, found.tip.state) == (WORDS, "800", "looked_at")
    with db.read() as connection:
        (look,) = register.search(connection, data_class="case")
    assert (look.operator_id, look.reason, look.what) == (who.id, "核对今早的举报", f"tip:{given.tip_id}")
    assert "三楼" not in repr(found)
    with pytest.raises(InvalidInput):
        tip_desk.open_tip(db, VAULT, who, tip_id=given.tip_id, reason=" ", now_us=NOW)


@pytest.mark.parametrize("role", ["auditor", "monitoring", "guard", "it", "administrator", "data_protection", "window"])
def test_nobody_else_opens_a_tip_and_no_look_is_written(db, role):
    given, who = tell_one(db), operator(db, role)
    with pytest.raises(RoleMissing):
        opened(db, who, given)
    with pytest.raises(RoleMissing):
        moved(db, who, given, "no_use", 1)
    assert events(db, "record_looked_at") == []


def test_the_police_liaison_sees_what_was_passed_on_and_moves_nothing(db):
    given, police, who = tell_one(db), operator(db, "police_liaison"), operator(db, "security")
    with pytest.raises(NotFound):
        opened(db, police, given)
    opened(db, who, given)
    moved(db, who, given, "passed_on", 2)
    found = opened(db, police, given)
    assert (found.tip.state, found.tip.version) == ("passed_on", 3), "their look is no step of it"
    with pytest.raises(RoleMissing):
        moved(db, police, given, "no_use", 3)
    both = operator(db, "police_liaison", "auditor")
    other = tell_one(db)
    with pytest.raises(NotFound):
        opened(db, both, other)


def test_a_tip_goes_where_it_may_and_each_step_is_kept(db):
    given, who = tell_one(db), operator(db, "outpatient_office")
    with pytest.raises(TipStepNotOpen):
        moved(db, who, given, "passed_on", 1)
    opened(db, who, given)
    with pytest.raises(TipChanged):
        moved(db, who, given, "passed_on", 1)
    with pytest.raises(InvalidInput):
        moved(db, who, given, "linked", 2)
    with pytest.raises(NotFound):
        moved(db, who, given, "linked", 2, link=("alarm", "al_none"))
    with pytest.raises(NotFound):
        moved(db, who, given, "linked", 2, link=("finding", "f-none"))
    keep_finding(db, "f-1")
    after = moved(db, who, given, "linked", 2, link=("finding", "f-1"))
    assert (after.link_kind, after.link_id) == ("finding", "f-1")
    moved(db, who, given, "no_use", 3)
    moved(db, who, given, "looked_at", 4)
    found = opened(db, who, given)
    assert [step.act for step in found.steps] == ["told", "looked_at", "linked", "no_use", "looked_at"]
    assert found.steps[2].words == "已核对"
    told = [e["detail"] for e in events(db, "tip_changed")]
    assert told[1] == {
        "tip_id": given.tip_id,
        "act": "linked",
        "state": "linked",
        "link_kind": "finding",
        "link_id": "f-1",
    }
    with db.read() as connection:
        assert check(connection, store.INVARIANTS) == []


def test_two_people_at_once_do_not_overrule_each_other(db):
    given, one, two = tell_one(db), operator(db, "security"), operator(db, "security")
    opened(db, one, given)
    moved(db, one, given, "no_use", 2)
    with pytest.raises(TipChanged):
        moved(db, two, given, "passed_on", 2)


def test_a_note_reaches_whoever_told_and_an_addition_reaches_the_desk(db):
    given, who = tell_one(db), operator(db, "security")
    opened(db, who, given)
    with db.write() as connection:
        tip_desk.note_to_teller(connection, VAULT, who, tip_id=given.tip_id, words="谢谢，正在核对。", now_us=NOW)
        after = add_words(connection, VAULT, given.tip_id, "他今天又来了\u202e", limits=LIMITS, now_us=NOW)
    assert after.unread == 1
    seen = follow(db, VAULT, known(db, given))
    assert ([note.words for note in seen.notes], seen.additions) == (["谢谢，正在核对。"], 1)
    found = opened(db, who, given)
    assert (found.tip.unread, found.tip.state) == (0, "looked_at")
    assert [s.words for s in found.steps if s.act == "added"] == ["他今天又来了"]


def test_additions_and_pictures_of_one_tip_have_an_end(db):
    given = tell_one(db)
    few = TipLimits(additions_a_tip=2, pictures_a_tip=2, picture_bytes_most=25)
    with db.write() as connection:
        for _ in range(2):
            add_words(connection, VAULT, given.tip_id, "又来了", limits=few, now_us=NOW)
            add_picture(connection, VAULT, given.tip_id, b"0123456789", limits=few, now_us=NOW)
    with db.write() as connection, pytest.raises(TooManyAdditions):
        add_words(connection, VAULT, given.tip_id, "又来了", limits=few, now_us=NOW)
    with db.write() as connection, pytest.raises(TooManyTipPictures):
        add_picture(connection, VAULT, given.tip_id, b"0", limits=few, now_us=NOW)
    other = tell_one(db)
    with db.write() as connection, pytest.raises(TipPicturesFull):
        add_picture(connection, VAULT, other.tip_id, b"0123456789", limits=few, now_us=NOW)
    few = TipLimits(pictures_address_hour=2)
    for _ in range(2):
        count_picture(db, VAULT, origin=HERE, limits=few, now_us=NOW)
    with pytest.raises(TipsTooOften):
        count_picture(db, VAULT, origin=HERE, limits=few, now_us=NOW)


def test_all_pictures_together_have_an_end_for_two_at_once_too(postgresql_db):
    one, other = tell_one(postgresql_db), tell_one(postgresql_db)
    few = TipLimits(picture_bytes_most=15)

    def add(connection, given):
        add_picture(connection, VAULT, given.tip_id, b"0123456789", limits=few, now_us=NOW)

    def add_other():
        with postgresql_db.write() as connection:
            add(connection, other)

    with pytest.raises(TipPicturesFull):
        meanwhile(postgresql_db, lambda connection: add(connection, one), add_other)


def test_a_tip_that_is_erased_as_somebody_adds_to_it_is_gone_and_one_that_is_added_to_stays(postgresql_db):
    db, given, keep_us = postgresql_db, tell_one(postgresql_db), 365 * DAY_US
    over_us = NOW + keep_us + 1

    def add(connection):
        add_words(connection, VAULT, given.tip_id, "又来了", limits=LIMITS, now_us=NOW)

    def add_now():
        with db.write() as connection:
            add(connection)

    assert meanwhile(db, add, lambda: tips_due(db, keep_us=keep_us, now_us=over_us)) == 0
    with pytest.raises(NotFound):
        meanwhile(db, lambda connection: store.erase_told_before(connection, over_us, most=9), add_now)


def test_counters_are_forgotten_while_others_are_counted(postgresql_db):
    db, later = postgresql_db, NOW + 2 * HOUR_US

    def count(connection, key, now_us=later):
        store.count_up(connection, key, now_us=now_us, span_us=HOUR_US)

    with db.write() as connection:
        for key in ("a", "b"):
            count(connection, key, NOW)
    meanwhile(
        db,
        lambda connection: count(connection, "b"),
        lambda: tips_due(db, keep_us=DAY_US, now_us=later),
        then=lambda connection: count(connection, "a"),
    )


def test_a_picture_opens_under_its_own_tip_alone(db):
    one, other = tell_one(db), tell_one(db)
    with db.write() as connection:
        picture_id = add_picture(connection, VAULT, one.tip_id, b"\xff\xd8\xffpixels", limits=LIMITS, now_us=NOW)
    with db.read() as connection:
        assert store.open_picture(connection, VAULT, one.tip_id, picture_id) == b"\xff\xd8\xffpixels"
        assert store.open_picture(connection, VAULT, other.tip_id, picture_id) is None
        (raw,) = connection.execute(select(pictures.c.sealed)).scalars()
    assert b"pixels" not in raw


def test_what_is_past_its_time_is_erased_with_all_that_hangs_on_it(db):
    old, given = tell_one(db), tell_one(db, now_us=NOW + 300 * DAY_US)
    with db.write() as connection:
        add_picture(connection, VAULT, old.tip_id, b"0123456789", limits=LIMITS, now_us=NOW)
        add_words(connection, VAULT, old.tip_id, "又来了", limits=LIMITS, now_us=NOW)
    keep_us = 365 * DAY_US
    assert tips_due(db, keep_us=keep_us, now_us=NOW + keep_us) == 0
    assert tips_due(db, keep_us=keep_us, now_us=NOW + keep_us + 1) == 1
    assert tips_due(db, keep_us=keep_us, now_us=NOW + keep_us + 1) == 0
    assert [rows(db, table) for table in (tips, pictures, steps, counters)] == [1, 0, 1, 0]
    (event,) = events(db, "tips_erased")
    assert event["detail"] == {"tips": 1}
    with pytest.raises(TipUnknown):
        known(db, old)
    assert known(db, given)


def test_who_is_named_most_is_counted_by_week_without_what_was_of_no_use(db):
    who, given = operator(db, "security"), tell_one(db)
    tell_one(db, now_us=NOW + 7 * DAY_US)
    opened(db, who, given)
    with db.read() as connection:
        found = store.by_week_and_doctor(connection, since_week=0)
    assert [(one.tips, one.doctor_id) for one in found] == [(1, None), (1, None)]
    assert found[1].week - found[0].week == 7
    moved(db, who, given, "no_use", 2)
    with db.read() as connection:
        assert len(store.by_week_and_doctor(connection, since_week=0)) == 1
        assert store.by_state(connection) == {"new": 1, "no_use": 1}


def test_a_doctor_that_does_not_exist_is_refused(db):
    with db.write() as connection, pytest.raises(NotFound):
        tell(
            connection,
            VAULT,
            read_told({"what": WORDS}),
            about=About(doctor_id="nobody"),
            channel="web",
            origin=HERE,
            limits=LIMITS,
            randomness=CHANCE,
            now_us=NOW,
        )


@pytest.mark.parametrize(
    ("given", "field"),
    [({"what": "黄牛"}, "what"), ({"what": "x" * 2001}, "what"), ({"what": WORDS, "price": "9" * 61}, "price")],
)
def test_a_field_that_breaks_its_rule_is_named(given, field):
    with pytest.raises(InvalidInput) as no:
        read_told(given)
    assert no.value.field == field


def test_what_cannot_be_seen_is_not_kept():
    assert seen_text("a\u202eb\u200bc\x00\ud800d") == "abcd"
    assert read_told({"what": "第一行\r\n第二行\u2066", "where": "三楼\n东侧"}).where == "三楼 东侧"


def test_letters_that_are_misread_mean_the_digits():
    assert canonical("oIl0 － abc") == canonical("0110－ABC")
