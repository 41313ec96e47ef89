"""Farms, fleets, swaps, faces, staff and visits: the honest who look like them."""

from collections import defaultdict

import pytest

from detect.bookings import all_of, event, handed_over, slot_of
from detect.detector_checks import suspicions, told
from detect.examples.attendance import complained_of, visits
from detect.examples.face_batches import check, near, ordinary, picture
from detect.examples.farms import on_one_phone, on_one_purse, passing_through, shared_around
from detect.examples.fleets import created, rack
from detect.examples.insiders import added, colleagues, held
from detect.examples.swapped_patients import SOLD_US, edited, rebooked
from detect.people import DAY_US, HOSPITAL_WIFI, HOUR_US, MINUTE_US, SECOND_US, Rows, honest_week, release_us
from detect.tables import tables
from shouhao.detect.model import Subject
from shouhao.detect.rules.attendance import Attendance
from shouhao.detect.rules.face_batches import FaceBatches
from shouhao.detect.rules.farms import Farms
from shouhao.detect.rules.fleets import Fleets
from shouhao.detect.rules.insiders import Insiders
from shouhao.detect.rules.swapped_patients import SwappedPatients

AT_US = release_us(1) + 2 * HOUR_US


def accused(kind, rows):
    """Who is suspected, with ordinary people around."""
    over = tables(events=honest_week().plus(rows).events)
    return {one.subject.id for one in suspicions(told(kind(), over))}


def at(rows, channel):
    return Rows(events=[{**row, "channel": channel} for row in rows.events])


def test_a_family_of_five_on_one_phone_is_no_farm():
    assert not accused(Farms, on_one_phone(5))


@pytest.mark.parametrize("channel", ["kiosk", "window", "phone"])
def test_a_device_of_the_house_is_no_farm_however_many_it_serves(channel):
    assert not accused(Farms, at(on_one_phone(200), channel))


def test_phones_whose_ids_collide_are_no_farm():
    """As many browsers as accounts: a fingerprint that fell together, not a phone."""
    assert not accused(Farms, on_one_phone(40, agents=40))
    assert accused(Farms, on_one_phone(40, agents=2))


def test_where_every_purse_is_shared_sharing_says_nothing():
    rows = all_of(on_one_purse(9, payer=f"purse{n}") for n in range(40))
    assert not accused(Farms, rows)


def test_a_purse_that_pays_for_one_account_in_twenty_is_an_insurers():
    assert not accused(Farms, on_one_purse(120, payer="insurer"))
    assert accused(Farms, on_one_purse(25, payer="gang"))


def test_a_child_with_parents_and_grandparents_is_not_shared_around():
    assert not accused(Farms, shared_around(6))


def test_a_family_bound_on_its_first_evenings_does_not_pass_through():
    assert not accused(Farms, passing_through(2, a_day=4))


def test_a_company_that_buys_one_model_for_its_people_is_no_fleet():
    """One model behind one address, but ids of many series, and mornings of their own."""
    assert not accused(Fleets, rack(14, together=False, series=False))


def test_neighbours_of_one_series_behind_a_carrier_are_no_fleet():
    rows = rack(9, together=False, agent="Mozilla/5.0 (Linux; Android 9; V2-0)", series=False)
    assert not accused(Fleets, rows)


def test_accounts_made_on_the_hospitals_wifi_are_no_series():
    rows = created(9)
    for row in rows.events:
        row["ip"] = HOSPITAL_WIFI
    others = Rows(
        events=[
            event("viewed", row["at_us"], {}, f"visitor{n}-{k}", "p", ip=HOSPITAL_WIFI)
            for n, row in enumerate(rows.events)
            for k in range(3)
        ]
    )
    assert "serial0" in accused(Fleets, rows)
    assert "serial0" not in accused(Fleets, rows.plus(others))


def test_a_series_that_is_spread_over_a_block_of_addresses_is_one():
    rows = created(9)
    for n, row in enumerate(rows.events):
        row["ip"] = f"198.18.9.{n + 1}"
    assert "serial8" in accused(Fleets, rows)


def test_series_of_one_night_are_of_one_hand_unless_their_accounts_show_whose_they_are():
    """Four blocks of addresses in one night: two gangs with two each, whose accounts go between their own two later."""
    rows = all_of(created(9, name=f"b{block}-") for block in range(4))
    for n, row in enumerate(rows.events):
        row["ip"] = f"198.51.{row['account_id'][1]}.{n + 1}"
    later = Rows(
        events=[
            event("viewed", AT_US + n * HOUR_US, {}, f"b{block}-{n}", "p", ip=f"198.51.{block ^ 1}.{99 + n}")
            for block in range(4)
            for n in range(3)
        ]
    )

    def hands(rows):
        of = defaultdict(set)
        for one in suspicions(told(Fleets(), tables(events=honest_week().plus(rows).events))):
            if one.cohort is not None:
                of[one.cohort].add(one.subject.id.partition("-")[0])
        return sorted(map(sorted, of.values()))

    assert hands(rows) == [["b0", "b1", "b2", "b3"]]
    assert hands(rows.plus(later)) == [["b0", "b1"], ["b2", "b3"]]


def test_the_platforms_own_registrations_are_placed_by_the_first_sign_in():
    assert "serial3" in accused(Fleets, created(9, placed=False))


def test_a_mother_who_gives_one_childs_slot_to_the_other_swaps_nothing():
    assert not accused(SwappedPatients, rebooked(2, gap_us=40 * SECOND_US))
    again = all_of(
        handed_over(
            slot_of("dr20", 0, 40 + n), ("ma", "one"), ("ma", "two"), at_us=SOLD_US + n * DAY_US, gap_us=MINUTE_US
        )
        for n in range(5)
    )
    assert not accused(SwappedPatients, again)


def test_a_corrected_telephone_number_is_no_swap():
    assert not accused(SwappedPatients, edited(5, of=5, field="phone"))
    assert "renamer" in accused(SwappedPatients, edited(5, of=5, field="name"))


def test_one_name_that_is_edited_booking_after_booking_is_a_shell():
    rows = Rows()
    for n in range(4):
        slot, at_us = slot_of("dr21", 1, 40 + n), SOLD_US + n * DAY_US
        edit = event("patient_edited", at_us + HOUR_US, {}, "shell", "the-one", detail='{"field":"name"}')
        end = event("checked_in", at_us + 2 * HOUR_US, slot, "shell", "the-one", channel="kiosk")
        rows.events += [event("booked", at_us, slot, "shell", "the-one"), edit, end]
    assert "shell" in accused(SwappedPatients, rows)


def test_one_correction_is_one_however_many_bookings_are_live():
    rows = Rows(events=[event("booked", SOLD_US + n, slot_of("dr21", 1, 40 + n), "ma", "misspelt") for n in range(4)])
    edit = event("patient_edited", SOLD_US + HOUR_US, {}, "ma", "misspelt", detail='{"field":"name"}')
    rows.events += [edit, {**edit, "at_us": SOLD_US + HOUR_US + 9}]
    assert not accused(SwappedPatients, rows)


def test_an_edit_after_the_slot_is_given_back_is_no_swap():
    rows = edited(5, of=5)
    for n in range(5):
        given = event("cancelled", SOLD_US + n * MINUTE_US + 1, slot_of("dr21", 1, 40 + n), "renamer", f"renamer-p{n}")
        rows.events.append(given)
    assert not accused(SwappedPatients, rows)


def test_what_staff_edit_at_the_window_is_no_swap():
    rows = edited(5, of=5)
    for row in rows.events:
        if row["kind"] == "patient_edited":
            row |= {"staff_id": "nurse", "channel": "window"}
    assert not accused(SwappedPatients, rows)


def test_a_kiosk_checks_as_many_faces_as_stand_in_line():
    rows = all_of(
        check(AT_US + n * 4 * SECOND_US, f"queue{n}", f"queue-p{n}", device_id="kiosk", channel="kiosk")
        for n in range(40)
    )
    assert not accused(FaceBatches, ordinary().plus(rows))


def test_a_covered_lens_is_everybodys_picture():
    dark = all_of(check(AT_US + n * MINUTE_US, f"dark{n}", f"dark-p{n}", frame_hash="0" * 16) for n in range(9))
    assert not accused(FaceBatches, ordinary().plus(dark))


def test_a_picture_that_a_broken_program_sends_for_everybody_accuses_nobody():
    broken = all_of(
        check(AT_US + n * MINUTE_US, f"broken{n}", f"broken-p{n}", frame_hash=picture("default")) for n in range(200)
    )
    assert not accused(FaceBatches, ordinary().plus(broken))


def test_a_frozen_picture_that_is_sent_twice_is_no_replay():
    twice = all_of(check(AT_US + n * HOUR_US, "frozen", "frozen-p", frame_hash=picture("frozen")) for n in range(2))
    assert not accused(FaceBatches, ordinary().plus(twice))


def test_a_picture_saved_anew_is_still_the_same_and_another_is_not():
    saved = [near(picture("sold"), n) for n in range(4)]
    rows = all_of(check(AT_US + n * HOUR_US, f"s{n}", f"s-p{n}", face_hash=h) for n, h in enumerate(saved))
    assert accused(FaceBatches, ordinary().plus(rows)) == {"s0", "s1", "s2", "s3"}
    far = [near(picture("sold"), 4 * n) for n in range(3)]
    rows = all_of(check(AT_US + n * HOUR_US, f"s{n}", f"s-p{n}", face_hash=h) for n, h in enumerate(far))
    assert not accused(FaceBatches, ordinary().plus(rows))


def test_one_backdrop_for_many_is_one_room():
    def behind(n, wall):
        rows = check(AT_US + n * HOUR_US, f"room{n}", f"room-p{n}")
        return Rows(events=[{**row, "detail": f'{{"backdrop":"{wall}"}}'} for row in rows.events])

    same = all_of(behind(n, picture("wall")) for n in range(10))
    own = all_of(behind(n, picture(f"wall {n}")) for n in range(10))
    assert len(accused(FaceBatches, ordinary().plus(same))) == 10
    assert not accused(FaceBatches, ordinary().plus(own))


def test_a_night_shift_works_at_night():
    night = all_of(
        added(f"night{c}", n, release_us(0) + 15 * HOUR_US + n * MINUTE_US, patient=f"n{c}-{n}", came=True)
        for c in range(7)
        for n in range(12)
    )
    for row in night.events:
        row["department_id"] = "emergency"
    assert not accused(Insiders, colleagues().plus(night))


def test_a_chronic_patient_is_fitted_in_every_week_by_the_same_doctor():
    rows = all_of(
        added("devoted", n, release_us(0) + 2 * HOUR_US + n * MINUTE_US, patient="chronic", came=True, payer="own")
        for n in range(20)
    )
    assert not accused(Insiders, colleagues().plus(rows))


def test_staff_whose_extra_slots_go_to_a_ring_are_named_when_the_ring_is_known():
    rows = colleagues().plus(
        all_of(
            added("friend", n, release_us(0) + 2 * HOUR_US + n * MINUTE_US, patient=f"bought{n}", came=True)
            for n in range(9)
        )
    )
    detector, over = Insiders(), tables(events=honest_week().plus(rows).events)
    counted = {name: table.to_pyarrow() for name, table in detector.count(over).items()}
    assert not suspicions(detector.judge(counted))
    ring_of = {Subject(kind="patient", id=f"bought{n}"): "ring-1" for n in range(9)}
    (one,) = detector.judge_rings(counted, ring_of)
    assert (one.subject.id, one.code) == ("friend", "insiders.in_rings")


def test_a_ring_that_is_known_by_the_slots_of_one_clerk_says_nothing_new_of_that_clerk():
    rows = colleagues().plus(held(12))
    detector, over = Insiders(), tables(events=honest_week().plus(rows).events)
    counted = {name: table.to_pyarrow() for name, table in detector.count(over).items()}
    holders = {Subject(kind="account", id=f"holder{n}"): "ring-1" for n in range(3)}
    assert not list(detector.judge_rings(counted, holders))
    others = {Subject(kind="account", id=f"member{n}"): "ring-1" for n in range(9)}
    (one,) = detector.judge_rings(counted, holders | others)
    assert (one.subject.id, one.code) == ("clerk", "insiders.in_rings")


def test_where_many_accounts_hold_slots_for_several_holding_them_is_nobodys_sign():
    """A house where carers book for whom they care: each of their accounts holds what one clerk adds."""
    cared = all_of(
        added(f"nurse{c}", 20 + n, AT_US + n * MINUTE_US, patient=f"cared{c}-{n}", came=True, account=f"carer{c}")
        for c in range(8)
        for n in range(4)
    )
    assert not {one for one in accused(Insiders, colleagues().plus(cared).plus(held(12))) if one.startswith("holder")}


def test_too_few_colleagues_are_no_pattern():
    alone = all_of(
        added("only", n, release_us(0) + 15 * HOUR_US + n * MINUTE_US, patient=f"p{n}", came=False) for n in range(12)
    )
    assert not accused(Insiders, alone.plus(colleagues(3)))


def unattended(staff, bound_by=()):
    """Extra slots to which nobody comes; some accounts have bound their patients the day before."""
    rows = all_of(
        added(staff, n, AT_US + n * 17 * MINUTE_US, patient=f"{staff}-empty{n}", came=n % 5 == 0) for n in range(12)
    )
    for n, account in enumerate(bound_by):
        rows.events.append(event("patient_bound", AT_US - DAY_US, {}, account, f"{staff}-empty{n}"))
    return rows


def test_who_has_just_bound_whom_staff_add_for_in_vain_is_a_lead_and_with_other_staff_is_not():
    kind = added("nurse4", 41, AT_US, patient="aunt", came=True)
    kind.events.append(event("patient_bound", AT_US - DAY_US, {}, "niece", "aunt"))
    named = accused(Insiders, all_of([colleagues(), unattended("vain", ["buyer"]), kind]))
    assert {"vain", "buyer"} <= named
    assert not {"niece", "nurse4"} & named


def test_where_people_are_often_fitted_in_just_after_they_were_bound_that_says_nothing_of_their_accounts():
    rows = colleagues()
    for n, row in enumerate([row for row in rows.events if row["kind"] == "extra_slot_added"]):
        if n % 4 == 0:
            rows.events.append(event("patient_bound", row["at_us"] - DAY_US, {}, f"kin{n}", row["patient_id"]))
    named = accused(Insiders, rows.plus(unattended("vain", ["buyer"])))
    assert "vain" in named
    assert "buyer" not in named


def test_two_of_one_mind_do_not_hide_each_other():
    named = accused(Insiders, all_of([colleagues(10, 2), unattended("vain"), unattended("idle")]))
    assert {"vain", "idle"} <= named
    assert not {f"nurse{n}" for n in range(10)} & named


def test_somebody_who_is_ill_for_a_week_and_misses_three_is_not_accused():
    assert not accused(Attendance, visits(3, account="ill", comes="own", kind="no_show"))


def test_a_care_home_whose_residents_were_known_before_is_not_a_counter():
    assert "care-home" not in accused(Attendance, Rows())


def test_the_buyer_who_complains_is_not_who_is_complained_of():
    found = accused(Attendance, complained_of(4))
    assert "cheat" in found
    assert not any(name.startswith("cheat-buyer") for name in found)


def test_a_doctor_complains_of_the_one_who_has_the_slot():
    rows = complained_of(3)
    for row in rows.events:
        if row["kind"] == "complained":
            row |= {"staff_id": "doctor", "account_id": None}
    for n, row in enumerate([r for r in rows.events if r["kind"] == "booked" and r["account_id"] != "cheat"]):
        row["account_id"] = "who-came"
        assert n < 3
    assert "who-came" in accused(Attendance, rows)
    assert "cheat" not in accused(Attendance, rows)


def test_a_complaint_that_says_whom_it_is_about_is_believed_in_that():
    rows = Rows(
        events=[
            {"kind": "complained", "at_us": AT_US + n, "account_id": f"c{n}", "detail": '{"about":"tout"}'}
            for n in range(3)
        ]
    )
    assert accused(Attendance, rows) == {"tout"}


def test_a_ring_whose_members_miss_one_each_is_judged_as_a_whole():
    rows = all_of(visits(1, account=f"member{n:04}" + "x" * n, comes="own", kind="no_show") for n in range(8))
    detector, over = Attendance(), tables(events=honest_week().plus(rows).events)
    counted = {name: table.to_pyarrow() for name, table in detector.count(over).items()}
    assert not suspicions(detector.judge(counted))
    ring_of = {Subject(kind="account", id=f"member{n:04}" + "x" * n): "ring-1" for n in range(8)}
    assert "attendance.no_shows" in {one.code for one in detector.judge_rings(counted, ring_of)}
