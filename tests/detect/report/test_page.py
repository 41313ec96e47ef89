"""The page: one file that holds by itself, whatever an attacker has written into the logs."""

import base64
import hashlib
import re
from dataclasses import fields, replace
from html.parser import HTMLParser

import pytest

from detect.report.example import example_report, finding, hostile_excerpts, lead_finding, reason
from shouhao.detect.model import Says
from shouhao.detect.report import page as pages
from shouhao.detect.report.model import Counts, Excerpt, FindingExcerpts, Problem, Report, Ring, RingNode
from shouhao.detect.report.page import MOST_BYTES, page, write_report

HOSTILE = "</code><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[2J\u202egpj\u200b&amp;'\"\x00\ud800"
VOID = {"meta", "input", "br"}


class Parsed(HTMLParser):
    """Tags, attributes and text of a page; elements must close in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.languages: list[str] = []
        self.text: dict[str, list[str]] = {"zh": [], "en": [], "": []}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
            self.languages.append(dict(attrs).get("lang", ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.languages.pop()

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            spoken = next((lang for lang in reversed(self.languages) if lang), "")
            self.text["" if spoken == "zh-CN" else spoken].append(data)


@pytest.fixture(scope="module")
def example() -> Report:
    return example_report()


@pytest.fixture(scope="module")
def html(example) -> str:
    return page(example)


def hostile_report() -> Report:
    """Everything that may come from outside says the same bad thing."""
    bad = [
        finding(
            n,
            "account",
            f"{HOSTILE}{n}",
            members=[{"kind": HOSTILE, "id": HOSTILE}],
            reasons=[reason(HOSTILE, HOSTILE, HOSTILE, weight=9.0, owasp=HOSTILE, evidence=[{"event_id": HOSTILE}])],
            speaks_for=[reason(HOSTILE, HOSTILE, HOSTILE, weight=-1.0, evidence=[{"file": HOSTILE}])],
        )
        for n in range(3)
    ]
    line = Excerpt(
        file=HOSTILE,
        byte_start=0,
        byte_end=9,
        compression="gzip",
        lines=(HOSTILE,),
        cut_short=True,
        encoding=HOSTILE,
    )
    nodes = (RingNode(kind="device", id=HOSTILE), RingNode(kind=HOSTILE, id=HOSTILE))
    example = example_report()
    return example_report(
        findings=tuple(bad),
        excerpts={one["finding_id"]: FindingExcerpts(reasons=((line,),), speaks_for=((line,),)) for one in bad},
        rings=(Ring(finding_id=bad[0]["finding_id"], nodes=nodes, edges=()),),
        sources=tuple(replace(source, name=HOSTILE) for source in example.sources),
        problems=(Problem(file=HOSTILE, line=1, byte=2, says=Says(zh=HOSTILE, en=HOSTILE)),),
        hot_sessions=tuple(replace(one, session_id=HOSTILE, doctor_id=HOSTILE) for one in example.hot_sessions),
        skew=tuple(replace(one, source=HOSTILE) for one in example.skew),
        command=("shouhao", "analyze", HOSTILE),
        detector_versions={HOSTILE: 1},
    )


def test_the_page_is_well_formed_and_needs_no_script(html):
    parsed = Parsed(html)
    assert parsed.open == []
    assert not parsed.tags & {"script", "iframe", "object", "embed", "link", "img", "form", "base"}
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    assert not [name for name, _ in parsed.attributes if name == "style"]


def test_nothing_is_loaded_from_anywhere(html):
    links = [value for name, value in Parsed(html).attributes if name in {"href", "src", "xlink:href", "action"}]
    assert links
    assert all(value.startswith("#") for value in links)
    assert "url(" not in html
    assert "@import" not in html
    assert "http://" not in html
    assert "https://" not in html


def test_the_policy_allows_this_style_sheet_and_nothing_else(html):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1]
    style = re.search(r"<style>(.*)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_every_link_leads_somewhere_and_no_place_is_named_twice(html):
    attributes = Parsed(html).attributes
    ids = [value for name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {value[1:] for name, value in attributes if name == "href"}
    assert targets <= set(ids)
    assert {value for name, value in attributes if name == "for"} <= set(ids)


def test_what_attackers_write_stays_text_and_is_seen():
    html = page(hostile_report())
    parsed = Parsed(html)
    assert parsed.open == []
    assert not parsed.tags & {"script", "img"}
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    hidden = set("\x00\x1b\u202e\u200b\ud800")
    assert not hidden & set(html)
    shown = "".join(parsed.text[""])
    assert "<script>alert(1)</script>" in shown
    assert "‹ESC›[2J" in shown
    assert "‹U+202E›gpj‹U+200B›" in shown


def test_a_line_tells_what_is_really_hidden_from_what_only_says_so():
    told = FindingExcerpts(
        reasons=((replace(hostile_excerpts().reasons[0][0], lines=("real \u202e, written ‹U+202E›",)),),)
    )
    only = example_report().findings[1]
    html = page(example_report(findings=(only,), excerpts={only["finding_id"]: told}))
    assert '<span class="line" dir="ltr">real <i>‹U+202E›</i>, written ‹U+202E›</span>' in html


def test_the_same_report_gives_the_same_bytes(example, html, tmp_path):
    assert page(example_report()) == html
    path = write_report(example, tmp_path / "deep" / "er")
    assert path.name == "report.html"
    assert path.read_bytes() == html.encode()


def test_chinese_is_first_and_english_stands_beside_every_sentence(html):
    parsed = Parsed(html)
    assert '<input type="radio" name="language" id="language-zh" aria-label="中文" checked="">' in html
    zh, en = parsed.text["zh"], parsed.text["en"]
    assert len(zh) == len(en) > 300
    assert not [said for said in en if re.search(r"[\u4e00-\u9fff]", said.replace("守号", ""))]


def test_the_verdict_says_how_many_and_of_what_level(example):
    assert "记录指向 12 个对象：确定模式 1 个、强线索 1 个、一般线索 10 个。" in page(example)
    assert "这些记录没有指向任何对象。这不等于没有人倒号。" in page(example_report(findings=(), rings=()))


def test_what_was_not_read_is_said_at_the_top(html):
    top = html[: html.index('id="how"')]
    assert "有 12 行没有读懂" in top
    assert "有 1 个文件没有读到末尾" in top


def test_only_the_first_stand_in_full_and_the_table_has_them_all():
    findings = tuple(lead_finding(n) for n in range(400))
    html = page(example_report(findings=findings, rings=(), excerpts={}, rhythms={}))
    assert html.count('class="finding"') == pages.FULL
    assert html.count('<tr class="l-lead') == 400
    assert "前 50 个在下面详细列出" in html


def test_the_page_stays_small_even_where_every_line_is_hostile():
    long = "<\u202e&" * 400
    bad = tuple(
        finding(
            n,
            "account",
            long,
            reasons=[reason("a.b", long, long, weight=1.0, evidence=[{"file": "f", "byte_start": 0}])] * 40,
        )
        for n in range(3_000)
    )
    line = Excerpt(file=long, byte_start=0, byte_end=9, compression="none", lines=(long,) * 3, cut_short=True)
    told = FindingExcerpts(reasons=((line, line, line),) * 40)
    html = page(example_report(findings=bad, excerpts={one["finding_id"]: told for one in bad}))
    assert len(html.encode()) <= MOST_BYTES


def test_a_report_about_nothing_still_has_its_page():
    empty = dict.fromkeys(("sources", "problems", "skew", "findings", "rings", "hot_sessions", "curves"), ())
    html = page(
        example_report(
            **empty,
            counts=Counts(hits=0, events=0, duplicates=0),
            overlap=None,
            rhythms={},
            excerpts={},
            activity=None,
            level_from={},
        )
    )
    assert Parsed(html).open == []
    assert "日志与预约事件没有共同的时间段" in html


def test_what_speaks_for_a_subject_has_a_side_of_its_own_even_when_there_is_nothing(html):
    assert html.count('class="side against"') == html.count('class="side for"') == 12
    assert "没有识别出为其说话的情况。这不等于没有" in html


def test_every_part_of_the_report_is_documented_and_given():
    assert {field.name for field in fields(Report)} >= {
        *("sources", "problems", "counts", "overlap", "skew", "findings", "rings", "hot_sessions", "curves"),
        *("rhythms", "excerpts", "command", "made_at", "detector_versions"),
    }


def test_a_filter_hides_rows_by_style_alone(html):
    for name in ("lead", "strong", "certain-pattern"):
        assert f'id="level-{name}"' in html
        assert f"#level-{name}:checked ~ .rows tbody tr:not(.l-{name})" in html
    assert html.index('id="level-lead"') < html.index('class="wide rows"')
