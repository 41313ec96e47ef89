"""The same morning under several policies: repeatable, and what each of them does to a gang."""

import json
import math
import secrets
import subprocess
import sys
from functools import partial

import pytest

from lab.made_up_report import made_up_comparison
from shouhao.booking.store import entries
from shouhao.cli import lab as command
from shouhao.kernel import ids
from shouhao.kernel.clock import ManualClock
from shouhao.kernel.errors import InvalidInput
from shouhao.lab import stage as stages
from shouhao.lab.compare import compare, summary
from shouhao.lab.play import TENTHS, play
from shouhao.lab.players import play_all
from shouhao.lab.regimes import REGIMES, regime_named
from shouhao.lab.rehearsal import repeatable
from shouhao.lab.report import comparison_page, write_comparison
from shouhao.lab.stage import Size, built
from shouhao.lab.virtual_people import plan_people

SMALL = Size(honest=150, gang=15, slots_each=2)
SEEDS = (1, 2, 3)
SURE = 4  #: standard deviations


@pytest.fixture(scope="module")
def stage():
    with built(SMALL) as made:
        yield made


@pytest.fixture(scope="module")
def played(stage):
    jobs = [(name, seed) for name in REGIMES for seed in SEEDS]
    outcomes = list(play_all(stage, jobs, processes=0))
    return {name: [o for o in outcomes if o.regime == name] for name in REGIMES}


def test_the_same_seed_gives_the_same_morning_twice_and_another_seed_another(stage, played):
    again = play(stage, REGIMES["draw"], seed=1)
    assert again == played["draw"][0]
    assert again != played["draw"][1]


def test_a_process_of_its_own_plays_the_same_morning(stage, played):
    elsewhere = {(o.regime, o.seed): o for o in play_all(stage, [("draw", 1), ("first_come", 1)], processes=2)}
    assert elsewhere == {("draw", 1): played["draw"][0], ("first_come", 1): played["first_come"][0]}


def test_everybody_asks_once_for_everything_there_is(played):
    for outcomes in played.values():
        for o in outcomes:
            assert (o.entries_honest, o.entries_gang) == (SMALL.honest, SMALL.gang)
            assert o.first_honest + o.first_gang <= o.slots == SMALL.slots
            assert o.end_honest + o.end_bought + o.end_gang <= o.slots


def test_under_a_draw_the_gang_gets_its_share_of_the_entries(played):
    for name in ("draw", "draw_alone"):
        slots = SMALL.slots * len(SEEDS)
        share = sum(o.first_gang for o in played[name]) / slots
        entries_share = SMALL.gang / SMALL.people
        assert abs(share - entries_share) < SURE * math.sqrt(entries_share * (1 - entries_share) / slots)


def test_first_come_gives_the_gang_far_more_than_its_share(played):
    for name in ("first_come_open", "first_come"):
        for o in played[name]:
            assert o.first_gang / o.slots > 5 * SMALL.gang / SMALL.people
            assert o.sold_out_s < 5


def test_where_returns_are_open_at_once_what_the_gang_sells_reaches_its_buyers(played):
    for o in played["first_come_open"]:
        assert o.sales_reached == o.sales_tried > 5
        assert o.end_bought > 0
        assert o.extra_yuan > 0


def test_under_a_waitlist_a_sale_reaches_its_buyer_no_more_often_than_a_stranger(played):
    for name in ("first_come", "draw"):
        tried, reached = (sum(getattr(o, f) for o in played[name]) for f in ("sales_tried", "sales_reached"))
        strangers = sum(o.strangers_chance for o in played[name])
        assert tried > 0
        assert reached <= strangers + SURE * math.sqrt(max(strangers, 1 / SURE))
        assert sum(o.extra_yuan for o in played[name]) == 0


def test_a_rest_alone_does_not_stop_a_script_that_keeps_looking(played):
    assert sum(o.sales_reached for o in played["draw_alone"]) > sum(o.strangers_chance for o in played["draw_alone"])


def test_the_fastest_gain_where_the_first_come_are_first_and_nothing_in_a_draw(played):
    first_come = [o.by_speed for o in played["first_come_open"]]
    assert all(tenths[0] > max(tenths[1:]) for tenths in first_come)
    halves = [0.0, 0.0]
    for o in played["draw"]:
        for n, chance in enumerate(o.by_speed):
            halves[n * 2 // TENTHS] += chance / len(SEEDS) / (TENTHS / 2)
    people = SMALL.honest / 2 * len(SEEDS)
    chance = sum(halves) / 2
    assert abs(halves[0] - halves[1]) < SURE * math.sqrt(2 * chance * (1 - chance) / people)


def test_nothing_of_the_people_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "_MEMORY", tmp_path)
    with built(Size(honest=20, gang=2, slots_each=1)) as made:
        assert list(tmp_path.iterdir())
        play(made, REGIMES["first_come"], seed=1)
    assert list(tmp_path.iterdir()) == []


def test_ids_and_salts_are_the_systems_own_again_after_a_rehearsal():
    before = ids._sequence
    with repeatable(1, ManualClock(0)):
        first, salt = ids.new_id("x"), entries.secrets.token_hex(8)
    with repeatable(1, ManualClock(0)):
        assert (ids.new_id("x"), entries.secrets.token_hex(8)) == (first, salt)
    with pytest.raises(KeyError), repeatable(1, ManualClock(0)):
        raise KeyError
    assert ids._sequence is before
    assert entries.secrets is secrets
    assert ids.new_id("x") != first


def test_people_are_planned_alike_for_the_same_seed_alone():
    sessions = [f"S{n}" for n in range(10)]
    assert plan_people(50, sessions, seed=1) == plan_people(50, sessions, seed=1)
    assert plan_people(50, sessions, seed=1) != plan_people(50, sessions, seed=2)
    assert all(len(set(one.wishes)) == 3 and one.reaction_s >= 0.6 for one in plan_people(50, sessions, seed=1))


def test_a_regime_that_nobody_knows_is_named():
    with pytest.raises(InvalidInput, match="first_come"):
        regime_named("lottery")


def test_means_and_spreads_are_those_of_the_mornings(played):
    shares = [o.first_gang / o.slots for o in played["draw"]]
    found = summary(REGIMES["draw"], played["draw"])
    assert found["gang_share_first"]["mean"] == pytest.approx(sum(shares) / len(shares), abs=1e-6)
    assert found["sold_out_s"]["mean"] is None
    assert len(found["by_speed"]) == TENTHS
    assert len(found["mornings"]) == len(SEEDS)


def test_the_page_says_what_the_product_no_longer_has_and_stands_by_itself(tmp_path):
    comparison = made_up_comparison()
    as_json, as_page = write_comparison(comparison, tmp_path)
    assert json.loads(as_json.read_text(encoding="utf-8")) == json.loads(json.dumps(comparison))
    html = as_page.read_text(encoding="utf-8")
    assert html == comparison_page(comparison)
    assert "本系统已不提供" in html
    assert "按比例" in html
    assert html.count("<svg") == 4
    assert "<script" not in html
    assert "{" not in html.partition("</style>")[2].replace("{stroke", "").split("<svg")[0]


def test_the_command_writes_both_files(tmp_path, monkeypatch, capsys):
    tiny = Size(honest=40, gang=4, slots_each=1)
    monkeypatch.setattr(command, "compare", partial(compare, size=tiny, processes=0))
    command.run("morning", policies=["first_come", "draw"], out=tmp_path / "o", seeds=1)
    found = json.loads((tmp_path / "o" / "lab.json").read_text(encoding="utf-8"))
    assert [p["name"] for p in found["policies"]] == ["first_come", "draw"]
    assert "lab.html" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["evening"], ["--policy", "lottery"], ["--seeds", "0"]])
def test_wrong_words_are_wrong_usage(words, tmp_path):
    asked = [sys.executable, "-m", "shouhao.cli.main", "lab", "run", *words]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert list(tmp_path.iterdir()) == []
