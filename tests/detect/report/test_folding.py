"""Folding: a gang is one row of the table, and nobody who stands above it is hidden."""

from detect.report.example import example_report, finding
from detect.report.test_page import Parsed
from shouhao.detect.report.folding import under_rings
from shouhao.detect.report.page import page

MEMBERS = [{"kind": "account", "id": name} for name in ("high", "low", "quiet")]


def found():
    """A member above its ring, the ring, two others below it, and somebody else."""
    high = finding(1, "account", "high", base=5.0)
    ring = finding(2, "ring", "ring_a", base=4.0, members=MEMBERS)
    low = finding(3, "account", "low", base=1.0)
    other = finding(4, "account", "other", base=0.5)
    late = finding(5, "ring", "ring_b", base=0.1, members=MEMBERS)
    return high, ring, low, other, late


def test_a_member_stands_under_the_first_ring_above_it():
    high, ring, low, other, late = found()
    assert under_rings([high, ring, low, other, late]) == {ring["finding_id"]: [low]}


def test_the_table_has_one_row_for_a_ring_and_names_its_members_in_it():
    rows = page(example_report(findings=found())).split("<tbody>")[2].split("</tbody>")[0].split("<tr")[1:]
    assert len(rows) == 4
    folded = [row for row in rows if "<details" in row]
    assert len(folded) == 1
    assert "ring_a" in folded[0]
    assert 'href="#finding-3"' in folded[0]
    assert "low" in folded[0]


def test_the_page_says_that_something_is_folded():
    told = "".join(Parsed(page(example_report(findings=found()))).text["zh"])
    assert "其中 1 个对象是上方团伙的成员" in told
