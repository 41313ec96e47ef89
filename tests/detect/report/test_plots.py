"""The plots: the bars add up to the score, curves end where the slots end, rings are drawn the same everywhere."""

import re

import pytest

from detect.report.example import example_ring, finding, home_finding, reason, ring_finding
from shouhao.detect.model import Says
from shouhao.detect.report.model import Activity, Compared, Ring, RingEdge, SellOutCurve
from shouhao.detect.report.plots import by_minute, compared, sell_out, waterfall
from shouhao.detect.report.ring_drawing import MOST_DRAWN, drawn
from shouhao.detect.report.ring_layout import laid_out
from shouhao.detect.report.terms import terms_of

ANY = Says(zh="图", en="plot")


def weights(svg: str) -> list[float]:
    return [float(told.replace("−", "-")) for told in re.findall(r">([+−]\d+\.\d\d)</text>", svg)]


def test_the_bars_add_up_to_the_score():
    *bars, total = weights(waterfall(home_finding()))
    assert bars == [-6.9, 8.1, -2.2, -0.5]
    assert sum(bars) == pytest.approx(total)


def test_the_base_rate_and_what_overlaps_do_not_pass_for_what_speaks_for_a_subject():
    terms = terms_of(ring_finding())
    assert terms.base["weight"] == -4.6
    assert [one["code"] for one in terms.allowances] == ["scoring.overlap_sharing"]
    assert [(n, one["code"]) for n, one in terms.speaks_for] == [(2, "speaks.attended")]
    *bars, total = weights(waterfall(ring_finding()))
    assert bars == [-4.6, 6.0, 4.6, 2.9, -1.2, -0.4]
    assert sum(bars) == pytest.approx(total)


def test_what_no_term_accounts_for_is_a_bar_of_its_own():
    told = {**home_finding(), "score": 2.0}
    *bars, total = weights(waterfall(told))
    assert terms_of(home_finding()).rest == 0
    assert bars == [-6.9, 8.1, -2.2, -0.5, 3.5]
    assert sum(bars) == pytest.approx(total)


def test_many_reasons_are_one_bar_and_still_add_up():
    told = finding(1, "account", "a", reasons=[reason("a.b", "甲", "a", weight=0.5)] * 40)
    *bars, total = weights(waterfall(told))
    assert len(bars) < 20
    assert sum(bars) == pytest.approx(total)


def test_a_score_without_any_weights_is_drawn():
    assert "<svg" in waterfall({"score": 0.0, "reasons": [], "speaks_for": []})


def test_every_curve_begins_at_nothing_and_ends_at_everything():
    svg = sell_out(
        [SellOutCurve(session_id="a", taken_s=(0.5, 0.5, 3.0)), SellOutCurve(session_id="b", taken_s=(9.0,))]
    )
    paths = re.findall(r'<path d="([^"]+)"', svg)
    assert len(paths) == 2
    heights = [[float(y) for _, y in re.findall(r"[ML](\S+) (\S+)", path)] for path in paths]
    assert {path[0] for path in heights} == {190}
    assert len({path[-1] for path in heights}) == 1
    assert all(path == sorted(path, reverse=True) for path in heights)


def test_histograms_are_shares_so_that_few_can_be_held_against_many():
    few, many = (0, 3, 1), (0, 3_000, 1_000)
    svg = compared(Compared(edges=(0, 10, 100, 1_000), subject=few, others=many, people=50), ANY)
    own, others = (re.search(f'<path d="([^"]+)" class="{name}', svg)[1] for name in ("own", "others"))
    assert own == others


def test_a_quiet_day_is_drawn_as_well():
    assert "<path" in by_minute(Activity(of="events", by_minute=(0,) * 1_440), ANY)


def test_a_ring_is_drawn_the_same_in_any_order_of_nodes_and_ties():
    ring = example_ring()
    order = list(range(len(ring.nodes)))
    order.sort(key=lambda n: n * 17 % 41)
    place = {n: at for at, n in enumerate(order)}
    edges = [
        RingEdge(a=place[edge.a], b=place[edge.b], weight=edge.weight, bridge=edge.bridge)
        for edge in reversed(ring.edges)
    ]
    mixed = Ring(finding_id=ring.finding_id, nodes=tuple(ring.nodes[n] for n in order), edges=tuple(edges))
    assert drawn(mixed).svg == drawn(ring).svg


def test_kinds_have_shapes_and_bridges_are_dashed():
    svg = drawn(example_ring()).svg
    assert svg.count('class="node-account"') == 32
    assert svg.count("<circle") == 32
    assert svg.count('class="bridge"') == 2
    assert "stroke-dasharray" in re.search(r"\.bridge \{[^}]+\}", _style())[0]


def test_no_two_nodes_stand_on_each_other():
    ring = example_ring()
    places = laid_out(len(ring.nodes), ring.edges)
    nearest = min(abs(a[0] - b[0]) + abs(a[1] - b[1]) for n, a in enumerate(places) for b in places[:n])
    assert nearest > 0.01
    assert all(-1e-9 <= value <= 1 + 1e-9 for place in places for value in place)


def test_of_a_huge_ring_the_best_tied_part_is_drawn():
    ring = example_ring()
    nodes = (
        ring.nodes[:1]
        + ring.nodes[2:3] * 0
        + tuple(type(ring.nodes[0])(kind="account", id=f"a{n}") for n in range(3_000))
    )
    edges = tuple(RingEdge(a=0, b=n, weight=1.0) for n in range(1, 3_001))
    told = drawn(Ring(finding_id="f", nodes=nodes, edges=edges))
    assert len(told.nodes) == MOST_DRAWN
    assert any(one.node.kind == "payer" for one in told.nodes)


def _style() -> str:
    from importlib import resources  # noqa: PLC0415 - wanted here alone

    return resources.files("shouhao.detect.report").joinpath("report.css").read_text(encoding="utf-8")
