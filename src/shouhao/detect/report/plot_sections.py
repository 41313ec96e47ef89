"""Sections that are mostly drawings: rings, hot sessions, the day's activity; and who was looked at."""

from collections.abc import Mapping

from shouhao.detect.report import figures
from shouhao.detect.report.findings_table import anchor
from shouhao.detect.report.markup import element, joined, name_of, table, text
from shouhao.detect.report.model import HotSession, Report, Ring
from shouhao.detect.report.plots import LINES, by_minute, sell_out
from shouhao.detect.report.ring_drawing import Drawn, drawn, key_of
from shouhao.detect.report.saying import both, kind, nothing, say, words
from shouhao.detect.spans import span
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.markup import Markup, raw

MOST_RINGS = 20


def ring_anchor(number: int) -> str:
    """Where a ring stands on the page."""
    return f"ring-{number}"


def rings(report: Report, numbers: Mapping[str, int], *, full: int) -> Markup:
    """The rings, drawn.

    Args:
        numbers: of the findings, by finding_id.
        full: how many findings stand in full, and can be led to.
    """
    if not report.rings:
        return raw("")
    shown = report.rings[:MOST_RINGS]
    told = [say("rings.intro", tag="p")]
    if len(shown) < len(report.rings):
        told.append(say("rings.more", tag="p", shown=len(shown), count=figures.count(len(report.rings))))
    parts = [_ring(ring, n + 1, numbers.get(ring.finding_id), full=full) for n, ring in enumerate(shown)]
    return element("section", element("h2", say("rings")), *told, *parts, id="rings")


def hot_sessions(report: Report) -> Markup:
    """Sessions that went at once, with curves and forecasts."""
    if not report.hot_sessions:
        return raw("")
    curves = {curve.session_id: curve for curve in report.curves}
    drawn_ones = [curves[one.session_id] for one in report.hot_sessions if one.session_id in curves][:LINES]
    color = {curve.session_id: n for n, curve in enumerate(drawn_ones)}
    foretold = any(one.forecast for one in report.hot_sessions)
    names = ("session", "slots", "half", "most", "forecast")[: 5 if foretold else 4]
    heads = [say(f"hot.{name}") for name in names]
    rows = [_session(one, color.get(one.session_id))[: len(names)] for one in report.hot_sessions]
    told = [say("hot.intro", tag="p")]
    if drawn_ones:
        told.append(
            element("figure", element("figcaption", say("hot.curves", tag="p")), sell_out(drawn_ones), class_="one")
        )
    if foretold:
        told.append(say("hot.forecast_note", tag="p"))
    return element(
        "section",
        element("h2", say("hot")),
        *told,
        table(heads, rows, numbers={1, 2, 3}, class_="hot"),
        id="hot",
    )


def activity(report: Report) -> Markup:
    """Requests over the minutes of the day."""
    if report.activity is None or not any(report.activity.by_minute):
        return raw("")
    key = f"activity.{report.activity.of}"
    figure = element(
        "figure", element("figcaption", say(key, tag="p")), by_minute(report.activity, words(key)), class_="one"
    )
    return element("section", element("h2", say("activity")), figure, id="activity")


def looked_at(report: Report) -> Markup:
    """How many were looked at and found unremarkable; which rules said nothing."""
    found = {
        one.kind: sum(finding["subject"]["kind"] == one.kind for finding in report.findings)
        for one in report.counts.looked_at
    }
    rows = [
        [
            both(kind(one.kind)),
            text(figures.count(one.count)),
            text(figures.count(found[one.kind])),
            text(figures.count(max(0, one.count - found[one.kind]))),
        ]
        for one in report.counts.looked_at
    ]
    parts = [say("looked.intro", tag="p")]
    if rows:
        parts.append(
            table(
                [say(f"looked.{n}") for n in ("kind", "count", "found", "plain")],
                rows,
                numbers={1, 2, 3},
                class_="narrow",
            )
        )
    if report.counts.abstained:
        silent = [
            [
                element("code", text(one.code)),
                element("code", text(" ".join(one.missing))) if one.missing else say("looked.too_few"),
            ]
            for one in report.counts.abstained
        ]
        parts.append(say("looked.abstained", tag="p", class_="gap"))
        parts.append(table([say("looked.rule"), say("looked.missing")], silent, class_="narrow"))
    return element("section", element("h2", say("looked")), *parts, id="looked")


def _ring(ring: Ring, number: int, finding: int | None, *, full: int) -> Markup:
    shown = drawn(ring)
    bridges = len({edge.b for edge in ring.edges if edge.bridge})
    title = [both(kind("ring")), raw(f" {number}")]
    if finding is not None and finding <= full:
        title += [raw(" · "), element("a", say("finding.of", number=finding), href=f"#{anchor(finding)}")]
    counts = say(
        "rings.one",
        members=figures.count(len(ring.nodes)),
        edges=figures.count(len(ring.edges)),
        bridges=figures.count(bridges),
    )
    told = [element("p", counts)]
    if len(shown.nodes) < len(ring.nodes):
        told.append(say("rings.cut", tag="p", drawn=len(shown.nodes), count=figures.count(len(ring.nodes))))
    return element(
        "figure",
        element("h3", *title),
        element("figcaption", *told, key_of(shown)),
        shown.svg,
        _legend(shown),
        class_="ring",
        id=ring_anchor(number),
    )


def _legend(shown: Drawn) -> Markup:
    items = [
        element(
            "li", element("b", text(one.number)), raw(" "), both(kind(one.node.kind)), raw(" "), name_of(one.node.id)
        )
        for one in shown.nodes
    ]
    summary = element("summary", say("rings.legend", count=len(items)))
    return element("details", summary, element("ul", *items, class_="members"))


def _session(one: HotSession, color: int | None) -> list[Markup]:
    who = " · ".join(part for part in (one.department_id, one.doctor_id) if part)
    notes = [element("small", text(who))] if who else []
    notes.append(element("small", say("hot.release_at", at=figures.second(one.released_at_us))))
    mark = [] if color is None else [element("i", class_=f"key line-{color}")]
    return [
        joined((*mark, name_of(one.session_id), *notes)),
        text(figures.count(one.slots)),
        _seconds(one.half_s),
        _seconds(one.most_s),
        _forecast(one),
    ]


def _forecast(one: HotSession) -> Markup:
    forecast = one.forecast
    if forecast is None:
        return nothing()
    low, middle, high = (
        span(round(value * SECOND_US)) for value in (forecast.low_s, forecast.middle_s, forecast.high_s)
    )
    notes = [say("hot.learnt", releases=figures.count(forecast.releases))]
    if forecast.next_at_us is not None:
        notes = [say("hot.release_at", at=figures.second(forecast.next_at_us)), raw(" · "), *notes]
    return joined((say("hot.forecast_of", low=low, middle=middle, high=high), element("small", *notes)))


def _seconds(value: float) -> Markup:
    return both(span(round(value * SECOND_US)))
