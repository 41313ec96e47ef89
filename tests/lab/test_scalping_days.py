"""Made-up days: the same seed gives the same bytes, the inputs tell a story that holds, and no label gets into them."""

import hashlib
import math
import os
import random
import re
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scipy.stats import chisquare, mannwhitneyu

from lab.scalping_days import COMBINED, EXTENDED, content, days
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import EVENT_KINDS, EXPORT_COLUMNS
from shouhao.lab.scalping.generate import live
from shouhao.lab.scalping.options import CAREFUL, LOUD, SCENARIOS, Options
from shouhao.lab.scalping.population import KINDS, TRAITS

SEED = 71
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def everything():
    return days(seed=SEED, scenario="everything")


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_in_another_process(everything, tmp_path):
    script = (
        "import sys; from pathlib import Path; from shouhao.lab.scalping.generate import generate; "
        "from shouhao.lab.scalping.options import Options; "
        f"generate(Options(seed={SEED}, scenario='everything'), Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT / "src"), "TZ": "America/Lima"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, env=environment)
    assert hashes(tmp_path) == hashes(everything.out)


def test_another_seed_gives_other_days():
    one, other = (live(Options(seed=seed, scenario="plain_day", days=3))[0] for seed in (1, 2))
    assert one.record.rows != other.record.rows


def test_events_have_the_columns_and_kinds_of_the_contract(everything):
    assert tuple(pq.read_schema(everything.out / "inputs" / "events.parquet").names) == EXPORT_COLUMNS
    header = (everything.out / "inputs" / "events.csv").read_text(encoding="utf-8").splitlines()[0]
    assert tuple(header.replace('"', "").split(",")) == EXPORT_COLUMNS
    ids = [row["event_id"] for row in everything.rows]
    assert len(set(ids)) == len(ids)
    assert {row["kind"] for row in everything.rows} <= set(EVENT_KINDS)
    for row in everything.rows:
        assert row["at"].endswith("+08:00")
        assert len(row["at"]) == len("2026-03-02T07:00:00.000000+08:00")
        assert row["detail"] is None or isinstance(row["detail"], dict)
        assert row["channel"] in {"app", "wechat", "web", "kiosk", "window", "phone", None}


def test_the_three_forms_say_the_same(everything):
    folder = everything.out / "inputs"
    query = (
        "select event_id, kind, account_id, slot_id, latency_ms, detail::text as detail, "
        'epoch_us("at"::timestamptz) as us, epoch_us(released_at::timestamptz) as released from {} order by event_id'
    )
    parquet = everything.sql.execute(query.format(f"'{folder}/events.parquet'")).fetchall()
    csv = everything.sql.execute(
        query.format(f"read_csv('{folder}/events.csv', types = {{'latency_ms': 'DOUBLE', 'detail': 'VARCHAR'}})")
    ).fetchall()
    assert parquet == csv
    jsonl = [
        (
            row["event_id"],
            row["kind"],
            row["account_id"],
            row["slot_id"],
            row["latency_ms"],
            row["at_us"],
            row["released_us"],
        )
        for row in everything.rows
    ]
    assert jsonl == [(*row[:5], *row[6:]) for row in parquet]


def test_events_are_written_nearly_in_the_order_in_which_they_happened(everything):
    latest = 0
    for row in everything.rows:
        assert row["at_us"] > latest - 50_000
        latest = max(latest, row["at_us"])


def test_nothing_is_booked_before_its_release(everything):
    booked = [row for row in everything.rows if row["kind"] == "booked"]
    assert len(booked) > 1000
    assert all(row["at_us"] >= row["released_us"] for row in booked)


def test_a_slot_has_one_live_holder_and_is_returned_before_it_is_taken_again(everything):
    holder, ended, seats = {}, set(), Counter()
    for row in sorted(everything.rows, key=lambda row: row["at_us"]):
        if row["kind"] in {"booked", "extra_slot_added"}:
            assert row["slot_id"] not in holder
            holder[row["slot_id"]] = row
            person = (row["patient_id"], row["session_id"])
            assert not seats[person]
            seats[person] += 1
        elif row["kind"] in {"paid", "cancelled", "expired", "checked_in", "no_show"}:
            held = holder.get(row["slot_id"])
            if held is None:  # booked before the export begins
                assert row["detail"]["booking_id"] not in ended
            else:
                assert held["detail"] == row["detail"]
                assert held["patient_id"] == row["patient_id"]
            if row["kind"] in {"cancelled", "expired"}:
                ended.add(row["detail"]["booking_id"])
                holder.pop(row["slot_id"], None)
                seats[row["patient_id"], row["session_id"]] = 0


def test_nobody_acts_before_they_signed_up(everything):
    new = {row["account_id"]: row["at_us"] for row in everything.rows if row["kind"] == "account_registered"}
    assert len(new) > 100
    assert all(row["at_us"] >= new.get(row["account_id"], 0) for row in everything.rows)


def test_wanted_sessions_are_gone_within_seconds_and_most_are_not():
    rows = (
        days(seed=SEED, scenario="plain_day")
        .sql.execute(
            """with first as (select session_id, slot_id, released_us, min(at_us) as at_us from events
             where kind = 'booked' group by all)
           select session_id, quantile_cont(at_us - released_us, 0.8) from first group by 1"""
        )
        .fetchall()
    )
    fast = sum(1 for _, us in rows if us < 15_000_000)
    assert 15 <= fast <= len(rows) / 2


@pytest.mark.parametrize(("server", "form"), [("portal", COMBINED), ("api", EXTENDED)])
def test_every_log_line_parses_and_lines_stand_in_order_of_time(everything, server, form):
    lines = everything.lines(server)
    assert len(lines) > 50_000
    assert all(form.fullmatch(line) for line in lines)
    if server == "api":
        moments = [float(form.fullmatch(line)["msec"]) for line in lines]
        assert moments == sorted(moments)


def test_logs_are_rotated_and_the_oldest_is_packed(everything):
    names = [one.path.name for one in everything.made.logs]
    assert names == [f"{server}.access.log{ending}" for server in ("portal", "api") for ending in (".2.gz", ".1", "")]
    assert all(len(content(one.path).splitlines()) == one.rows for one in everything.made.logs)


def test_each_booking_over_a_wire_stands_in_the_log_of_its_device(everything):
    logged = everything.sql.execute(
        "select count(*) from gate where request like 'POST %/bookings HTTP/1.1' and status = 201"
    ).fetchone()[0]
    assert logged == sum(r["kind"] == "booked" and r["channel"] in {"app", "wechat", "kiosk"} for r in everything.rows)
    alone = everything.sql.execute(
        """select count(*) from events e where kind = 'booked' and channel in ('app', 'wechat') and not exists (
             select 1 from gate g where g.device = e.device_id and g.session = e.session_token
             and g.second between e.at_us / 1e6 - 1 and e.at_us / 1e6 + 61)"""
    ).fetchone()[0]
    assert alone == 0


def test_rotated_logs_may_overlap_and_all_may_be_of_one_form(tmp_path):
    made = days(seed=SEED, scenario="plain_day", logs="combined", overlap_lines=40, forms=("csv",), days=4)
    parts = [content(one.path).splitlines() for one in made.made.logs]
    assert all(COMBINED.fullmatch(line) for part in parts for line in part)
    for older, newer in pairwise(parts):
        assert older[-40:] == newer[:40]


def test_a_trivial_classifier_on_ids_is_no_better_than_chance(everything):
    accounts = everything.labels["accounts"]
    ids = {one: label["side"] == "gang" for one, label in accounts.items()}
    assert abs(area_under_curve(ids) - 0.5) < 0.1
    of_gangs = {account for account, gang in ids.items() if gang}
    for column in ("session_token", "payer_id", "patient_id"):
        sides = defaultdict(set)
        for row in everything.rows:
            if row["account_id"] is not None and row[column] is not None:
                sides[row[column]].add(row["account_id"] in of_gangs)
        alone = {one: side.pop() for one, side in sides.items() if len(side) == 1}
        assert abs(area_under_curve(alone) - 0.5) < 0.1, column
    slots = {row["slot_id"]: row["account_id"] in of_gangs for row in everything.rows if row["kind"] == "booked"}
    assert abs(area_under_curve(slots) - 0.5) < 0.1
    devices = {one: label["side"] == "gang" for one, label in everything.labels["devices"].items()}
    loud = {row["device_id"] for row in everything.rows if kind_of(everything, row) in {"phone_farm", "series"}}
    assert abs(area_under_curve({one: side for one, side in devices.items() if one not in loud}) - 0.5) < 0.12


def kind_of(made, row):
    return made.labels["accounts"].get(row["account_id"], {}).get("kind")


def area_under_curve(sides):
    """Of naive Bayes on pairs of neighbouring characters and on length, trained on one half, tried on the other."""
    ids = sorted(sides)
    random.Random(3).shuffle(ids)  # noqa: S311 - repeatable on purpose
    half = len(ids) // 2
    counts = {True: Counter(), False: Counter()}
    for one in ids[:half]:
        counts[sides[one]].update(features(one))
    totals = {side: sum(counts[side].values()) + 10_000 for side in counts}

    def score(one):
        return sum(
            math.log((counts[True][f] + 1) / totals[True]) - math.log((counts[False][f] + 1) / totals[False])
            for f in features(one)
        )

    tried = ids[half:]
    gang, honest = ([score(one) for one in tried if sides[one] is side] for side in (True, False))
    assert len(gang) > 15
    return mannwhitneyu(gang, honest).statistic / (len(gang) * len(honest))


def features(one):
    return [("length", len(one)), ("first", one[:3]), *pairwise(one)]


def test_the_digits_of_a_time_tell_nothing(everything):
    for side in ("gang", "honest"):
        accounts = {one for one, label in everything.labels["accounts"].items() if label["side"] == side}
        bins = Counter(row["at_us"] % 1000 // 100 for row in everything.rows if row["account_id"] in accounts)
        assert chisquare([bins[n] for n in range(10)]).pvalue > 0.001


def test_no_pause_is_the_same_to_the_microsecond_twice(everything):
    times = defaultdict(list)
    for row in everything.rows:
        if row["account_id"] is not None:
            times[row["account_id"]].append(row["at_us"])
    pauses = Counter(b - a for each in times.values() for a, b in pairwise(sorted(each)))
    repeated = {pause: n for pause, n in pauses.items() if n > 4 and pause > 1000}
    assert repeated == {}


def test_no_word_of_the_labels_stands_in_the_inputs(everything):
    labels = everything.labels
    words = {*LOUD, *CAREFUL, *TRAITS, *(g for g in labels["gangs"]), "gang", "honest", "scalper"}
    words |= {label["role"] for label in labels["accounts"].values() if "role" in label}
    words |= {trace for gang in labels["gangs"].values() for trace in gang["traces"]}
    pattern = re.compile(
        rb"(?<![0-9A-Za-z_])(" + b"|".join(sorted(word.encode() for word in words)) + rb")(?![0-9A-Za-z_])"
    )
    for path in sorted((everything.out / "inputs").iterdir()):
        if path.suffix != ".parquet":  # as text in the other two forms
            assert pattern.search(content(path)) is None, path.name


def test_what_everybody_carries_a_gang_carries_too(everything):
    """No column that is filled for one side alone, but for what an attack consists in."""
    sides = {one: label["side"] for one, label in everything.labels["accounts"].items()}
    filled = {side: Counter() for side in ("gang", "honest")}
    for row in everything.rows:
        if row["account_id"] is not None and row["kind"] in {"booked", "paid", "refused"}:
            side = filled[sides[row["account_id"]]]
            side["rows"] += 1
            side.update(name for name in EXPORT_COLUMNS if row[name] is not None)
    for name in EXPORT_COLUMNS:
        gang, honest = (filled[side][name] / filled[side]["rows"] for side in ("gang", "honest"))
        assert (gang > 0) == (honest > 0), name


def test_honest_oddities_stand_in_the_stated_shares():
    world, gangs = live(Options(seed=SEED, scenario="plain_day", days=3))
    assert gangs == []
    accounts = world.accounts
    assert all(account.side == "honest" for account in accounts)
    kinds = Counter(account.kind for account in accounts)
    for kind, share in KINDS.items():
        assert abs(kinds[kind] - share * len(accounts)) <= 4, kind  # a group at most
    assert all(kinds[kind] for kind in ("care_home", "office_drive", "village_doctor", "escort"))
    traits = Counter(trait for account in accounts for trait in account.traits)
    for trait, share in TRAITS.items():
        expected = share * len(accounts)
        assert abs(traits[trait] - expected) <= 4 * math.sqrt(expected), trait


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_a_scenario_has_its_scalpers(scenario):
    _, gangs = live(Options(seed=SEED, scenario=scenario, days=2))
    assert [gang.kind for gang in gangs] == list(SCENARIOS[scenario])
    assert all(len(gang.accounts) >= 5 for gang in gangs)


def test_strength_and_kinds_can_be_chosen():
    _, [gang] = live(Options(seed=SEED, kinds=("series",), strength=2.0, days=3))
    assert len(gang.accounts) == 52


@pytest.mark.parametrize("wrong", [{"days": 1}, {"strength": 0}])
def test_what_cannot_be_made_is_refused(wrong):
    with pytest.raises(InvalidInput):
        Options(**wrong)
