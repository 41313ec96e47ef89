"""Oddities: each naive rule, let loose on days without any scalper, accuses the honest people whom the table names.

The rules are what one would write first. None is a detector of this house, and none is to become one.
"""

from collections import defaultdict
from itertools import combinations

import pytest

from lab.scalping_days import days
from shouhao.lab.scalping.generate import live
from shouhao.lab.scalping.options import Options

SEED = 19
REACTS_US = 150_000


@pytest.fixture(scope="module")
def plain():
    return days(seed=SEED, scenario="plain_day")


def accused(plain, query):
    """Accounts that a rule names, with their kinds and traits from the labels."""
    found = [row[0] for row in plain.sql.execute(query).fetchall()]
    labels = plain.labels["accounts"]
    named = defaultdict(int)
    for one in found:
        named[labels[one]["kind"]] += 1
        for trait in labels[one].get("traits", []):
            named[trait] += 1
    assert all(labels[one]["side"] == "honest" for one in found)
    return named


BURST = """select account_id from (select session, floor(second / 60) as minute, count(*) as n from gate
    group by all having n > 100) join (select distinct session_token, account_id from events) on session = session_token
    where account_id is not null group by 1"""
SNIPER = f"""select distinct account_id from events where kind = 'booked'
    and at_us - released_us between 0 and {REACTS_US} and account_id is not null"""
NO_BROWSING = """select distinct account_id from events b where kind = 'booked' and account_id is not null
    and not exists (select 1 from events v where v.account_id = b.account_id and v.kind in ('viewed', 'searched')
    and v.at_us between b.at_us - 3_600_000_000 and b.at_us)"""
ONE_DEVICE = """select distinct account_id from events where device_id in (select device_id from events
    where account_id is not null group by 1 having count(distinct account_id) >= 2) and account_id is not null"""
MANY_DEVICES = """select account_id from events where account_id is not null
    group by 1 having count(distinct device_id) >= 2"""
ONE_ADDRESS = """select distinct account_id from events where account_id is not null and ip in (select ip from events
    group by 1 having count(distinct account_id) >= 20)"""
MANY_ADDRESSES = """select account_id from events where account_id is not null
    group by account_id, floor(at_us / 86_400_000_000) having count(distinct ip) >= 3"""
MANY_PATIENTS = """select account_id from events where account_id is not null
    group by 1 having count(distinct patient_id) >= 4"""
SHARED_PATIENT = """select distinct account_id from events where account_id is not null and patient_id in (
    select patient_id from events where account_id is not null group by 1 having count(distinct account_id) >= 2)"""
SERIES = """select account_id from (select account_id, count(*) over (partition by ip order by at_us
    range between 3_600_000_000 preceding and 3_600_000_000 following) as n
    from events where kind = 'account_registered') where n >= 5"""
ONE_PAYER = """select distinct account_id from events where account_id is not null and payer_id in (select payer_id
    from events group by 1 having count(distinct account_id) >= 5)"""
TAKEN_AGAIN = """select distinct b.account_id from events c join events b on b.slot_id = c.slot_id and b.kind = 'booked'
    and c.kind = 'cancelled' and b.at_us - c.at_us between 0 and 90_000_000 where b.account_id is not null"""
RETURNS = """select account_id from events where kind = 'cancelled' and account_id is not null
    group by 1 having count(*) >= 2"""
NOT_COME = """select distinct b.account_id from events n join events b on b.slot_id = n.slot_id and b.kind = 'booked'
    where n.kind = 'no_show' and b.account_id is not null"""
EDITED = """select distinct e.account_id from events e join events b on b.patient_id = e.patient_id
    and b.kind = 'booked' and b.at_us < e.at_us where e.kind = 'patient_edited'"""
BOUND_BEFORE = """select distinct b.account_id from events b join events t on t.account_id = b.account_id
    and t.patient_id = b.patient_id and t.kind in ('booked', 'refused')
    and t.at_us - t.released_us between 0 and 60_000_000
    and t.at_us - b.at_us between 3_600_000_000 and 90_000_000_000 where b.kind = 'patient_bound'"""
AT_NIGHT = """select account_id from events where kind = 'booked' and account_id is not null
    and hour("at") between 1 and 4 group by 1"""
TURNOVER = """select account_id from events where kind = 'patient_unbound' group by 1 having count(*) >= 2"""
STALE = "select distinct account_id from events where user_agent like '%SM-N9100%' and account_id is not null"

RULES = [
    ("more than 100 requests in a minute", BURST, ("impatient",)),
    ("nobody acts within 150 ms of a release", SNIPER, ("anticipator",)),
    ("who books without looking", NO_BROWSING, ("deep_link", "newcomer")),
    ("many accounts, one device", ONE_DEVICE, ("shared_phone", "helper", "second_hand", "care_home")),
    ("one account, many devices", MANY_DEVICES, ("changed_phone", "clears_cookies")),
    ("many accounts, one address", ONE_ADDRESS, ("single", "mobile_only")),
    ("one account, many addresses", MANY_ADDRESSES, ("roamer",)),
    ("many patients, one account", MANY_PATIENTS, ("family", "care_home", "village_doctor", "escort")),
    ("a patient on several accounts", SHARED_PATIENT, ("shared_child", "couple")),
    ("accounts created in series", SERIES, ("office_drive",)),
    ("one payer for many", ONE_PAYER, ("insured", "office_drive")),
    ("returned, taken again in a minute", TAKEN_AGAIN, ("family",)),
    ("returns again and again", RETURNS, ("rebooker",)),
    ("slots nobody came for", NOT_COME, ("stays_away",)),
    ("an edited patient with a booking", EDITED, ("single",)),
    ("strangers bound before a release", BOUND_BEFORE, ("helps_others",)),
    ("who acts at three in the night", AT_NIGHT, ("night_owl",)),
    ("bound, booked, unbound", TURNOVER, ("escort",)),
    ("a stale user agent", STALE, ("single",)),
]


@pytest.mark.parametrize(("rule", "query", "fooled"), RULES, ids=[rule for rule, _, _ in RULES])
def test_a_naive_rule_accuses_the_honest(plain, rule, query, fooled):
    named = accused(plain, query)
    for oddity in fooled:
        assert named[oddity] > 0, f"{rule}: {oddity} not among {dict(named)}"


def test_a_constant_period_is_a_browser_extension_or_a_probe(plain):
    """The jitter of some honest refreshing is under a tenth of its period."""
    extension = plain.sql.execute(
        """select count(*) from (select ip, request, agent, stddev(gap) / avg(gap) as jitter, count(*) as n from (
             select *, second - lag(second) over (partition by ip, agent, request order by second) as gap from portal)
             where gap between 1 and 400 group by all having n > 60 and jitter < 0.25)
           where request like '%/sessions/%'"""
    ).fetchone()[0]
    assert extension > 0
    probe = plain.sql.execute(
        """select stddev(gap), avg(gap) from (select second - lag(second) over (order by second) as gap
             from portal where agent like 'Zabbix%')"""
    ).fetchone()
    assert probe[0] < 1
    assert 59.9 < probe[1] < 60.1


def test_strangers_take_returned_slots_within_seconds_and_are_honest(plain):
    taken = plain.sql.execute(
        """select count(*) from events c join events b on b.slot_id = c.slot_id and b.kind = 'booked'
           and c.kind in ('cancelled', 'expired') and b.at_us - c.at_us between 0 and 30_000_000
           and b.account_id <> coalesce(c.account_id, '') and b.patient_id <> c.patient_id"""
    ).fetchone()[0]
    assert taken > 0


def test_one_device_serves_hundreds_and_one_camera_sees_them(plain):
    rows = plain.sql.execute(
        """select device_id, count(distinct patient_id) from events where channel = 'kiosk'
           group by device_id, floor(at_us / 86_400_000_000) order by 2 desc"""
    ).fetchall()
    assert rows[0][1] > 100
    assert plain.labels["devices"][rows[0][0]]["kind"] == "kiosk"
    backdrops = plain.sql.execute(
        """select max(n) from (select count(distinct patient_id) as n from events
           where kind = 'face_checked' group by json_extract_string(detail, '$.backdrop_hash'))"""
    ).fetchone()[0]
    assert backdrops > 5


def test_one_address_has_a_crowd_behind_it(plain):
    ip, accounts = plain.sql.execute(
        "select ip, count(distinct account_id) from events where ip is not null group by 1 order by 2 desc limit 1"
    ).fetchone()
    assert accounts > 40
    assert plain.labels["ips"][ip]["kind"] in {"carrier", "hospital_wifi"}
    wifi = [one for one, label in plain.labels["ips"].items() if label["kind"] == "hospital_wifi"]
    behind = plain.sql.execute(f"select count(distinct session) from gate where ip in {tuple(wifi)}").fetchone()[0]
    assert behind > 100


def test_a_doctor_on_duty_adds_slots_at_night_for_the_same_few_and_they_come(plain):
    rows = plain.sql.execute(
        """select a.staff_id, a.patient_id, count(*) as added, count(c.event_id) as came
           from events a left join events c on c.slot_id = a.slot_id and c.kind = 'checked_in'
           where a.kind = 'extra_slot_added' and hour(a."at") >= 19 group by all having added >= 2"""
    ).fetchall()
    assert rows
    assert sum(came for *_, came in rows) > 0


def test_addresses_of_version_6_are_new_each_day(plain):
    v6 = plain.sql.execute("select count(distinct ip), count(distinct account_id) from events where ip like '3fff:%'")
    addresses, accounts = v6.fetchone()
    assert addresses > accounts > 100


def test_twins_look_alike_and_others_do_not():
    world, _ = live(Options(seed=SEED, scenario="plain_day", days=2))
    families = [account.patients for account in world.accounts if account.kind == "family"]
    apart = [
        (world.faces[one] ^ world.faces[other]).bit_count()
        for patients in families
        for one, other in combinations(patients, 2)
        if one in world.faces and other in world.faces
    ]
    assert sum(bits <= 36 for bits in apart) > 5
    assert all(bits <= 36 or bits > 85 for bits in apart)
