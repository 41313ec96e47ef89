"""Findings table: all of them in one table, with filters that need no script."""

from collections.abc import Mapping, Sequence
from typing import Any

from shouhao.detect.model import LEVELS
from shouhao.detect.report import figures
from shouhao.detect.report.folding import under_rings
from shouhao.detect.report.markup import element, joined, name_of, text
from shouhao.detect.report.model import Report
from shouhao.detect.report.saying import both, kind, nothing, say, words
from shouhao.detect.report.terms import terms_of
from shouhao.kernel.markup import Markup, raw

MOST_ROWS = 1_500
MOST_MEMBERS = 200  #: with findings of their own, shown under one ring
_SHORT = 160  # characters of a reason in a row
KINDS = ("ring", "account", "device", "ip", "prefix", "payer", "patient", "staff", "session")


def findings_table(report: Report, *, full: int) -> Markup:
    """The section.

    Args:
        full: how many findings stand in full on the page.
    """
    heading = element("h2", say("findings"))
    if not report.findings:
        return element("section", heading, say("findings.none", tag="p"), id="findings")
    told = [
        say("findings.intro", tag="p", full=full) if full < len(report.findings) else say("findings.all_full", tag="p")
    ]
    numbers = {finding["finding_id"]: n + 1 for n, finding in enumerate(report.findings)}
    folded = under_rings(report.findings)
    hidden = {finding["finding_id"] for of in folded.values() for finding in of}
    own = [finding for finding in report.findings if finding["finding_id"] not in hidden]
    rows = own[:MOST_ROWS]
    if hidden:
        told.append(say("findings.folded", tag="p", count=figures.count(len(hidden))))
    if len(rows) < len(own):
        told.append(say("findings.table_cut", tag="p", shown=figures.count(len(rows)), found=figures.count(len(own))))
    heads = ("number", "subject", "level", "score", "reason", "speaks", "when")
    top = element("tr", *(element("th", say(f"head.{name}"), class_=f"c-{name}") for name in heads))
    lines = [_row(one, numbers, folded.get(one["finding_id"], ()), full=full) for one in rows]
    table = element("table", element("thead", top), element("tbody", *lines), class_="findings")
    return element("section", heading, *told, *_filters(rows), element("div", table, class_="wide rows"), id="findings")


def anchor(number: int) -> str:
    """Where a finding stands on the page."""
    return f"finding-{number}"


def level(name: str) -> Markup:
    """A level as a badge."""
    known = name if name in LEVELS else "lead"
    return element("span", both(words(f"level.{known}")), class_=f"badge {known}")


def subject(of: Mapping[str, Any]) -> Markup:
    """Kind and id of a subject."""
    return joined((both(kind(of["kind"])), raw(" "), name_of(of["id"])))


def _row(
    finding: Mapping[str, Any], numbers: Mapping[str, int], members: Sequence[Mapping[str, Any]], *, full: int
) -> Markup:
    of = finding["subject"]
    reasons = sorted(finding["reasons"], key=lambda reason: -reason["weight"])
    speaks = len(terms_of(finding).speaks_for)
    cells = {
        "number": _number(numbers[finding["finding_id"]], full=full),
        "subject": joined((subject(of), _members(members, numbers, full=full))) if members else subject(of),
        "level": level(finding["level"]),
        "score": text(figures.weight(finding["score"])),
        "reason": _weightiest(reasons) if reasons else nothing(),
        "speaks": _speaks(speaks),
        "when": element("small", text(_when(finding["first_at"], finding["last_at"]))),
    }
    shown = of["kind"] if of["kind"] in KINDS else "other"
    return element(
        "tr",
        *(element("td", content, class_=f"c-{name}") for name, content in cells.items()),
        class_=f"l-{finding['level']} k-{shown}",
    )


def _number(number: int, *, full: int) -> Markup:
    return element("a", text(number), href=f"#{anchor(number)}") if number <= full else text(number)


def _members(members: Sequence[Mapping[str, Any]], numbers: Mapping[str, int], *, full: int) -> Markup:
    """Findings about members of a ring, under it."""
    items = [
        element(
            "li",
            _number(numbers[one["finding_id"]], full=full),
            raw(" "),
            subject(one["subject"]),
            raw(" "),
            level(one["level"]),
            raw(" "),
            text(figures.weight(one["score"])),
        )
        for one in members[:MOST_MEMBERS]
    ]
    if len(members) > MOST_MEMBERS:
        items.append(element("li", say("finding.members_cut", count=figures.count(len(members) - MOST_MEMBERS))))
    top = element("summary", say("table.folded", count=figures.count(len(members))))
    return element("details", top, element("ul", *items), class_="folded")


def _speaks(count: int) -> Markup:
    if not count:
        return element("span", nothing(), class_="wide-only")
    told = (say("head.speaks", class_="narrow-only"), raw(" "), say("table.speaks", count=count))
    return element("span", *told, class_="for")


def _weightiest(reasons: Sequence[Mapping[str, Any]]) -> Markup:
    says = reasons[0]["says"]
    told = joined(element("span", text(says[language], most=_SHORT), lang=language) for language in ("zh", "en"))
    if len(reasons) == 1:
        return told
    return joined((told, element("small", say("table.more_reasons", count=len(reasons) - 1))))


def _when(first: str, last: str) -> str:
    """From minute to minute; the day once where both are on one.

    >>> _when("2026-11-24T07:58:00+08:00", "2026-11-24T08:03:00+08:00")
    '2026-11-24 07:58–08:03'
    """
    day, until = first[:10], last[11:16] if first[:10] == last[:10] else f"{last[:10]} {last[11:16]}"
    return f"{day} {first[11:16]}–{until}"


def _filters(rows: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """Radio buttons before the table; which rows show then is a matter of the style sheet."""
    levels = [name for name in reversed(LEVELS) if any(row["level"] == name for row in rows)]
    kinds = [name for name in KINDS if any(row["subject"]["kind"] == name for row in rows)]
    inputs, labels = [], []
    for group, names, called in (
        ("level", levels, {name: both(words(f"level.{name}")) for name in levels}),
        ("kind", kinds, {name: both(kind(name)) for name in kinds}),
    ):
        if len(names) < 2:  # noqa: PLR2004 - nothing to choose
            continue
        choices = []
        for name in ("all", *names):
            given = {"checked": ""} if name == "all" else {}
            inputs.append(
                element("input", type="radio", name=f"by-{group}", id=f"{group}-{name}", class_="filter", **given)
            )
            choices.append(element("label", called.get(name) or say("filter.all"), for_=f"{group}-{name}"))
        labels.append(element("p", element("b", say(f"filter.{group}")), *choices, class_="choices"))
    return [*inputs, *labels]
