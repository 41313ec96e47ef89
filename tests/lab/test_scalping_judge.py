"""The judge: measured on findings made by hand, where each figure can be counted on one's fingers."""

import math

import pytest

from shouhao.lab.scalping.judge import Share, interval, judge, read_findings, read_labels

HONEST = [f"a{n:02d}" for n in range(20)]
FARM = [f"b{n}" for n in range(6)]
GHOSTS = [f"c{n}" for n in range(5)]
PAIR = ["d0", "d1"]


def labels():
    accounts = {one: {"side": "honest", "kind": "family" if n < 5 else "single"} for n, one in enumerate(HONEST)}
    accounts["a00"]["traits"] = ["roamer"]
    accounts["a01"]["traits"] = ["roamer", "insured"]
    for gang, kind, members, traces in (
        ("g01", "phone_farm", FARM, ["shared_device"]),
        ("g02", "careful_ghost", GHOSTS, []),
        ("g03", "series", PAIR, ["created_in_series"]),
    ):
        accounts |= {
            one: {"side": "gang", "kind": kind, "gang": gang, "role": "r", "traces": traces} for one in members
        }
    gangs = {
        "g01": {"kind": "phone_farm", "accounts": FARM},
        "g02": {"kind": "careful_ghost", "accounts": GHOSTS},
        "g03": {"kind": "series", "accounts": PAIR},
    }
    return {
        "accounts": accounts,
        "gangs": gangs,
        "devices": {"x1": {"side": "honest", "kind": "kiosk"}, "x2": {"side": "gang", "gangs": ["g01"]}},
        "ips": {"240.0.0.1": {"side": "mixed", "kind": "carrier", "gangs": ["g01"]}},
    }


def finding(kind, one, level, *members, number=1):
    return {
        "finding_id": f"f{number}",
        "subject": {"kind": kind, "id": one},
        "members": [{"kind": "account", "id": member} for member in members],
        "score": 1.0,
        "level": level,
    }


def test_nothing_found_is_nothing_accused_and_everything_missed():
    judged = judge([], labels())
    assert judged.honest.accounts == Share(count=0, of=20)
    assert judged.honest.per_10_000 == 0
    assert judged.found["lead"] == Share(count=0, of=13)
    assert set(judged.missed) == {"g01", "g02", "g03"}
    assert [ring.found for ring in judged.rings] == [False, False]
    assert all(ring.finding_id is None for ring in judged.rings)


def test_a_lead_accuses_nobody_of_the_honest_and_strong_does():
    judged = judge([finding("account", "a00", "lead"), finding("account", "a01", "strong")], labels())
    assert judged.honest.who == ("a01",)
    assert judged.honest.accounts == Share(count=1, of=20)
    assert judged.honest.per_10_000 == 500
    assert judged.honest.by_kind == {"family": Share(count=1, of=5)}
    assert judged.honest.by_trait == {"insured": Share(count=1, of=1), "roamer": Share(count=1, of=2)}
    assert judged.honest.low_per_10_000 < 500 < judged.honest.high_per_10_000


def test_members_are_accused_with_their_ring_and_the_highest_level_counts():
    findings = [
        finding("ring", "r1", "strong", *FARM[:4], "a19"),
        finding("account", FARM[0], "lead", number=2),
        finding("account", FARM[1], "certain-pattern", number=3),
    ]
    judged = judge(findings, labels())
    assert judged.found == {
        "lead": Share(count=4, of=13),
        "strong": Share(count=4, of=13),
        "certain-pattern": Share(count=1, of=13),
    }
    assert judged.found_by_kind["phone_farm"]["strong"] == Share(count=4, of=6)
    assert judged.found_by_kind["careful_ghost"]["lead"] == Share(count=0, of=5)
    assert judged.found_traceable["strong"] == Share(count=4, of=8)
    assert judged.honest.who == ("a19",)
    assert judged.missed["g01"] == tuple(FARM[4:])


def test_members_of_other_subjects_count_unless_they_are_left_out():
    findings = [finding("ip", "240.0.0.1", "strong", *HONEST[:3])]
    assert judge(findings, labels()).honest.accounts.count == 3
    assert judge(findings, labels(), through={"ring"}).honest.accounts.count == 0


def test_the_ring_that_fits_best_is_taken():
    findings = [
        finding("ring", "r1", "lead", *FARM, *HONEST, number=1),
        finding("ring", "r2", "strong", *FARM[:5], "a00", number=2),
        finding("ring", "r3", "strong", *FARM[:2], number=3),
        finding("device", "x2", "strong", *FARM, number=4),
    ]
    farm = next(ring for ring in judge(findings, labels()).rings if ring.gang == "g01")
    assert (farm.finding_id, farm.level, farm.found) == ("f2", "strong", True)
    assert math.isclose(farm.jaccard, 5 / 7)
    assert math.isclose(farm.precision, 5 / 6)
    assert math.isclose(farm.recall, 5 / 6)
    strict = judge(findings, labels(), ring_found_at=0.8).rings
    assert not any(ring.found for ring in strict)


def test_gangs_of_fewer_than_five_need_no_ring():
    assert [ring.gang for ring in judge([], labels()).rings] == ["g01", "g02"]


def test_devices_and_addresses_are_counted_apart():
    findings = [
        finding("device", "x1", "strong"),
        finding("device", "x2", "strong"),
        finding("ip", "240.0.0.1", "certain-pattern"),
        finding("ip", "240.0.0.1", "lead"),
    ]
    honest = judge(findings, labels()).honest
    assert (honest.devices, honest.ips, honest.shared) == (1, 0, 1)
    assert honest.accounts.count == 0


def test_accounts_that_no_label_knows_are_told():
    judged = judge([finding("account", "nobody", "strong")], labels())
    assert judged.unknown == 1
    assert judged.honest.accounts.count == 0


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 10_000, 0.0, 0.0003688), (1, 10, 0.002529, 0.445016), (10, 10, 0.691503, 1.0)],  # Clopper and Pearson's table
)
def test_the_interval_is_the_exact_one(count, of, low, high):
    assert interval(count, of) == pytest.approx((low, high), abs=1e-6)


def test_without_anybody_honest_nothing_is_known():
    judged = judge([], {"accounts": {}, "gangs": {}, "devices": {}, "ips": {}})
    assert judged.honest.per_10_000 is None
    assert (judged.honest.low_per_10_000, judged.honest.high_per_10_000) == (0, 10_000)


def test_findings_and_labels_are_read_from_files(tmp_path):
    (tmp_path / "findings.jsonl").write_text('{"level":"lead"}\n{"level":"strong"}\n', encoding="utf-8")
    (tmp_path / "labels.json").write_text('{"accounts":{}}', encoding="utf-8")
    assert [one["level"] for one in read_findings(tmp_path / "findings.jsonl")] == ["lead", "strong"]
    assert read_labels(tmp_path / "labels.json") == {"accounts": {}}


def test_what_is_judged_can_be_written_down():
    import msgspec  # noqa: PLC0415

    written = msgspec.json.decode(msgspec.json.encode(judge([finding("account", "a01", "strong")], labels()).as_json()))
    assert written["honest"]["accounts"] == {"count": 1, "of": 20}
