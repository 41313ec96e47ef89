"""Gangs: each kind does what its file says, and the careful leave only what their trade needs."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from lab.scalping_days import days

SEED = 71


@pytest.fixture(scope="module")
def everything():
    return days(seed=SEED, scenario="everything")


def gang_of(made, kind):
    """The only gang of a kind: its accounts."""
    [gang] = [gang for gang in made.labels["gangs"].values() if gang["kind"] == kind]
    return gang["accounts"]


def rows_of(made, kind, *kinds):
    accounts = set(gang_of(made, kind))
    return [row for row in made.rows if row["account_id"] in accounts and (not kinds or row["kind"] in kinds)]


def hand_overs(made, kind):
    """Seconds from a return to the next booking of the same slot by another account of the gang, and the pair."""
    accounts, returned, found = set(gang_of(made, kind)), {}, []
    for row in sorted(made.rows, key=lambda row: row["at_us"]):
        if row["kind"] == "cancelled":
            returned[row["slot_id"]] = row
        elif row["kind"] == "booked" and row["slot_id"] in returned:
            before = returned.pop(row["slot_id"])
            if {row["account_id"], before["account_id"]} <= accounts and row["patient_id"] != before["patient_id"]:
                pair = (before["account_id"], row["account_id"])
                found.append(((row["at_us"] - before["at_us"]) / 1e6, pair))
    return found


def test_the_crude_script_fires_a_hundred_times_a_second_from_the_exact_second_through_a_proxy_list(everything):
    tokens = {row["session_token"] for row in rows_of(everything, "crude_script")} - {None}
    marks = ",".join(f"'{token}'" for token in sorted(tokens))
    fired = everything.sql.execute(
        f"select second, ip, session from gate where request like 'POST %/bookings %' and session in ({marks})"
    ).fetchall()
    a_second = Counter(int(second) for second, *_ in fired)
    assert max(a_second.values()) >= 90  # answers, not quite evenly
    behind = defaultdict(set)
    for _, ip, session in fired:
        behind[session].add(ip)
    assert max(len(ips) for ips in behind.values()) > 30
    booked = rows_of(everything, "crude_script", "booked")
    sniped = [row for row in booked if row["at_us"] - row["released_us"] < 120_000]
    assert len(sniped) > len(booked) / 3  # the rest was handed over
    assert all("Chrome/37" in row["user_agent"] for row in sniped)


def test_a_phone_farm_shares_devices_one_model_lines_and_patients(everything):
    rows = rows_of(everything, "phone_farm")
    devices = {row["device_id"] for row in rows}
    assert len(devices) * 2 == len(gang_of(everything, "phone_farm"))
    assert len({device[:11] for device in devices}) == 1
    assert len({row["ip"] for row in rows}) < 12
    accounts = defaultdict(set)
    for row in rows:
        accounts[row["patient_id"]].add(row["account_id"])
    accounts.pop(None)
    assert sum(len(each) >= 2 for each in accounts.values()) > 5


def test_quick_hand_over_is_a_matter_of_seconds_in_the_same_pairs(everything):
    found = hand_overs(everything, "quick_handover")
    assert len(found) > 8
    assert sorted(gap for gap, _ in found)[len(found) // 2] < 4
    assert Counter(pair for _, pair in found).most_common(1)[0][1] >= 2


def test_slow_hand_over_is_a_matter_of_minutes():
    made = days(seed=SEED, scenario="careful_day")
    for kind in ("slow_handover", "careful_resale"):
        found = hand_overs(made, kind)
        assert len(found) >= 4, kind
        assert sorted(gap for gap, _ in found)[len(found) // 2] > 60, kind


def test_patients_are_edited_behind_live_bookings(everything):
    edited = Counter(row["patient_id"] for row in rows_of(everything, "edited_patient", "patient_edited"))
    assert max(edited.values()) >= 4
    assert not rows_of(everything, "edited_patient", "cancelled")


def test_a_series_of_accounts_is_opened_in_two_nights(everything):
    opened = sorted(row["at_us"] for row in rows_of(everything, "series", "account_registered"))
    assert len(opened) == len(gang_of(everything, "series"))
    gaps = [(b - a) / 1e6 for a, b in pairwise(opened)]
    assert sum(gap < 200 for gap in gaps) >= len(gaps) - 2
    assert len({row["device_id"] for row in rows_of(everything, "series")}) == len(opened)


def test_one_frame_and_one_wall_serve_many_patients(everything):
    rows = rows_of(everything, "face_batch", "face_checked")
    frames = [(int(row["frame_hash"], 16), row["patient_id"]) for row in rows]
    close = sum(
        (a ^ b).bit_count() <= 12 and one != other for n, (a, one) in enumerate(frames) for b, other in frames[n + 1 :]
    )
    assert close > 20
    walls = [int(row["detail"]["backdrop_hash"], 16) for row in rows]
    assert all((walls[0] ^ wall).bit_count() <= 8 for wall in walls)


def test_the_insider_adds_slots_out_of_hours_for_people_who_often_do_not_come(everything):
    [staff] = everything.labels["staff"]
    added = [row for row in everything.rows if row["kind"] == "extra_slot_added" and row["staff_id"] == staff]
    assert len(added) > 8
    assert {row["patient_id"] for row in added} <= set(everything.labels["patients"])
    hours = [int(row["at"][11:13]) for row in added]
    assert all(hour >= 18 or hour < 7 or hour in {12, 13} for hour in hours)
    viewed = [row for row in everything.rows if row["kind"] == "viewed" and row["staff_id"] == staff]
    assert len(viewed) >= len(added)


def test_a_few_wallets_pay_for_the_payer_ring(everything):
    paid = rows_of(everything, "payer_ring", "paid")
    assert len({row["payer_id"] for row in paid}) <= 2
    assert len({row["account_id"] for row in paid}) >= 5


def test_the_careful_share_no_device_but_the_sim_phones_and_none_of_their_tools():
    made = days(seed=SEED, scenario="careful_day")
    opened = defaultdict(set)
    for row in rows_of(made, "careful_codes", "account_registered"):
        opened[row["device_id"]].add(row["account_id"])
    assert max(len(accounts) for accounts in opened.values()) >= 4
    for kind in ("careful_resale", "careful_preorder", "careful_ghost"):
        accounts = defaultdict(set)
        for row in rows_of(made, kind):
            accounts[row["device_id"]].add(row["account_id"])
        assert all(len(each) == 1 for each in accounts.values()), kind
    unbound = Counter(row["account_id"] for row in rows_of(made, "careful_preorder", "patient_unbound"))
    assert max(unbound.values()) >= 2
    assert all(not gang["traces"] for gang in made.labels["gangs"].values() if gang["kind"] == "careful_ghost")


def test_careful_hands_are_no_faster_than_honest_ones():
    made = days(seed=SEED, scenario="careful_day")
    careful = {one for one, label in made.labels["accounts"].items() if label["kind"].startswith("careful_")}
    after = {True: [], False: []}
    for row in made.rows:
        if row["kind"] == "booked" and row["account_id"] is not None:
            after[row["account_id"] in careful].append((row["at_us"] - row["released_us"]) / 1e6)
    fast = {side: sorted(each)[: max(5, len(each) // 20)] for side, each in after.items()}
    assert fast[True][0] > 0.0
    assert fast[False][0] < 0.15  # somebody honest taps early
    assert sum(seconds < 0.19 for seconds in after[True]) <= len(after[True]) * 0.1
