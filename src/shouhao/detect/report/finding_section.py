"""Finding section: one finding in full, what points to the subject and what speaks for it side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from shouhao.detect.model import Says
from shouhao.detect.report import figures, shell
from shouhao.detect.report.findings_table import anchor, level, subject
from shouhao.detect.report.markup import command, element, joined, line, name_of, pairs, text
from shouhao.detect.report.model import Compared, Excerpt, FindingExcerpts, Rhythm
from shouhao.detect.report.plots import compared, waterfall
from shouhao.detect.report.saying import both, say, threat, words
from shouhao.detect.report.terms import Term, Terms, terms_of
from shouhao.kernel.markup import Markup, raw

_MOST_MEMBERS, _MEMBERS_OPEN = 60, 8
_MOST_EVENTS = 6
_MOST_REASONS = 30
_LINE_LETTERS = 420
_NO_EXCERPTS = FindingExcerpts()


def finding_section(
    finding: Mapping[str, Any],
    number: int,
    *,
    excerpts: FindingExcerpts | None,
    rhythm: Rhythm | None,
    ring_anchor: str | None,
) -> Markup:
    """A section with everything about one finding."""
    told = excerpts or _NO_EXCERPTS
    terms = terms_of(finding)
    against = [_reason(reason, n + 1, _of(told.reasons, n)) for n, reason in enumerate(terms.reasons[:_MOST_REASONS])]
    in_favour = [
        _reason(reason, number + 1, _of(told.speaks_for, n))
        for number, (n, reason) in enumerate(terms.speaks_for[:_MOST_REASONS])
    ]
    plots = _rhythm(rhythm)
    return element(
        "section",
        _heading(finding, number),
        element("div", _score(finding, terms), *plots, class_=f"plots of-{1 + len(plots)}"),
        _members(finding, ring_anchor),
        element(
            "div",
            _side("finding.reasons", "against", len(terms.reasons), against),
            _side("finding.speaks", "for", len(terms.speaks_for), in_favour),
            class_="sides",
        ),
        element("p", element("a", say("finding.back"), href="#findings"), class_="when"),
        class_="finding",
        id=anchor(number),
    )


def _heading(finding: Mapping[str, Any], number: int) -> Markup:
    when = say("finding.when", first=_second(finding["first_at"]), last=_second(finding["last_at"]))
    return element(
        "header",
        element("p", say("finding.of", number=number), raw(" · "), when, raw(" · "), _id(finding), class_="when"),
        element("h3", subject(finding["subject"])),
        element(
            "p",
            level(finding["level"]),
            say("finding.score", class_="score", score=figures.weight(finding["score"])),
            class_="badges",
        ),
    )


def _id(finding: Mapping[str, Any]) -> Markup:
    return joined((say("finding.id"), raw(" "), name_of(finding["finding_id"])))


def _score(finding: Mapping[str, Any], terms: Terms) -> Markup:
    score = finding["score"]
    notes = [(words("waterfall.start"), terms.base)] if terms.base else []
    notes += [(words("waterfall.allowance", number=n + 1), one) for n, one in enumerate(terms.allowances)]
    told = [element("p", both(name), raw(" · "), both(_says(one), class_="says")) for name, one in notes]
    if terms.rest:
        told.append(say("waterfall.rest_told", tag="p"))
    return element(
        "figure",
        element(
            "figcaption",
            say("waterfall", tag="p"),
            element("p", _key("up", "key.up"), _key("down", "key.down")),
        ),
        waterfall(finding),
        say("waterfall.odds", tag="p", class_="odds", score=figures.weight(score), odds=figures.odds(score)),
        *told,
        class_="score-plot",
    )


def _members(finding: Mapping[str, Any], ring_anchor: str | None) -> Markup:
    members = finding.get("members", ())
    parts = []
    if members:
        shown = [element("ul", *(element("li", subject(one)) for one in members[:_MOST_MEMBERS]), class_="members")]
        if len(members) > _MOST_MEMBERS:
            shown.append(say("finding.members_cut", tag="p", count=figures.count(len(members) - _MOST_MEMBERS)))
        opened = {"open": ""} if len(members) <= _MEMBERS_OPEN else {}
        top = element("summary", say("finding.members", count=figures.count(len(members))))
        parts.append(element("details", top, *shown, **opened))
    if ring_anchor:
        parts.append(element("p", element("a", say("finding.to_ring"), href=f"#{ring_anchor}")))
    return element("div", *parts, class_="who") if parts else joined(())


def _side(key: str, class_: str, count: int, reasons: Sequence[Markup]) -> Markup:
    content = [element("ol", *reasons)] if reasons else [say("finding.nothing_speaks", tag="p")]
    return element("div", element("h4", say(key, count=count)), *content, class_=f"side {class_}")


def _reason(reason: Term, number: int, excerpts: Sequence[Excerpt]) -> Markup:
    told = [
        (say(f"reason.{name}"), element("b", text(figures.figure(float(reason[name])))))
        for name in ("measured", "expected", "threshold")
        if reason.get(name) is not None
    ]
    if reason.get("owasp"):
        told.append((say("reason.owasp"), threat(reason["owasp"])))
    told.append((say("reason.code"), element("code", text(reason["code"]))))
    return element(
        "li",
        element(
            "p",
            element("b", text(number), class_="no"),
            both(_says(reason), class_="says"),
            element("b", text(figures.weight(reason["weight"])), class_="weight"),
            class_="reason",
        ),
        pairs(told),
        _lines(reason, excerpts),
    )


def _lines(reason: Term, excerpts: Sequence[Excerpt]) -> Markup:
    evidence = reason.get("evidence", ())
    places = [one for one in evidence if "file" in one]
    events = [one["event_id"] for one in evidence if one.get("event_id")]
    parts = []
    if events:
        parts.append(_events(events))
    if places:
        total = reason.get("evidence_total")
        top = (
            say("reason.lines", places=figures.count(len(places)))
            if total is None
            else say("reason.lines_total", places=figures.count(len(places)), total=figures.count(total))
        )
        shown = [_excerpt(excerpt) for excerpt in excerpts]
        parts.append(element("details", element("summary", top), *shown) if shown else element("p", top))
    return joined(parts) if parts else say("reason.no_lines", tag="p", class_="when")


def _events(events: Sequence[str]) -> Markup:
    shown = " ".join(events[:_MOST_EVENTS])
    if len(events) > _MOST_EVENTS:
        return say("reason.events_more", tag="p", class_="when", shown=shown, count=figures.count(len(events)))
    return say("reason.events", tag="p", class_="when", shown=shown)


def _excerpt(excerpt: Excerpt) -> Markup:
    start, end = figures.count(excerpt.byte_start), figures.count(excerpt.byte_end)
    head = [say("excerpt.at", file=excerpt.file, start=start, end=end)]
    if excerpt.compression != "none":
        head.append(say("excerpt.unpacked"))
    if excerpt.encoding != "utf-8":
        head.append(say("excerpt.encoding", encoding=excerpt.encoding))
    shown = [line(one, most=_LINE_LETTERS) for one in excerpt.lines]
    cut = shell.cut(
        excerpt.file, byte_start=excerpt.byte_start, byte_end=excerpt.byte_end, compression=excerpt.compression
    )
    long = excerpt.cut_short or any(len(one) > _LINE_LETTERS for one in excerpt.lines)
    parts = [element("p", *head, class_="at")]
    if excerpt.trouble:
        parts.append(both(excerpt.trouble, tag="p", class_="trouble"))
    else:
        parts.append(element("pre", *shown))
        if any("<i>" in one for one in shown):
            parts.append(say("excerpt.marked", tag="p", class_="at"))
        parts.append(say("excerpt.more" if long else "excerpt.cut", tag="p", class_="at"))
    parts.append(command(cut))
    return element("div", *parts, class_="excerpt")


def _says(term: Term) -> Says:
    return Says(zh=term["says"]["zh"], en=term["says"]["en"])


def _rhythm(rhythm: Rhythm | None) -> list[Markup]:
    if rhythm is None:
        return []
    told: list[tuple[str, Compared | None]] = [
        ("rhythm.gaps", rhythm.gaps),
        ("rhythm.reactions", rhythm.reactions),
        ("rhythm.hours", rhythm.hours),
    ]
    return [_plot(key, histogram) for key, histogram in told if histogram is not None]


def _plot(key: str, histogram: Compared) -> Markup:
    counts = say(
        "rhythm.counts",
        own=figures.count(sum(histogram.subject)),
        others=figures.count(sum(histogram.others)),
        people=figures.count(histogram.people),
    )
    caption = element(
        "figcaption",
        say(key, tag="p"),
        element("p", _key("own", "key.own"), _key("others", "key.others"), element("small", counts)),
    )
    return element("figure", caption, compared(histogram, words(key), hours=key == "rhythm.hours"))


def _key(color: str, key: str) -> Markup:
    return joined((element("i", class_=f"key {color}"), say(key)))


def _of(excerpts: Sequence[tuple[Excerpt, ...]], n: int) -> tuple[Excerpt, ...]:
    return excerpts[n] if n < len(excerpts) else ()


def _second(iso: str) -> str:
    return iso[:19].replace("T", " ")
