"""Sections of the page around the findings: verdict, how to read it, what was read, limits, how to run it again."""

from collections.abc import Mapping, Sequence

from shouhao.detect.model import LEVELS, Says
from shouhao.detect.report import figures, shell
from shouhao.detect.report.limits_words import LIMITS
from shouhao.detect.report.markup import command, element, joined, name_of, pairs, table, text
from shouhao.detect.report.model import Problem, Report, Skew, SourceRead
from shouhao.detect.report.saying import both, nothing, say, words
from shouhao.detect.spans import span
from shouhao.kernel.markup import Markup, raw

_MOST_SOURCES_OPEN, _MOST_PROBLEMS = 8, 50


def switch() -> Markup:
    """What language shows, without a script."""
    first: Mapping[str, str] = {"checked": ""}
    options: tuple[tuple[str, str, Mapping[str, str]], ...] = (("zh", "中文", first), ("en", "English", {}))
    inputs = [
        element("input", type="radio", name="language", id=f"language-{code}", aria_label=word, **given)
        for code, word, given in options
    ]
    labels = [element("label", text(word), for_=f"language-{code}") for code, word, _ in reversed(options)]
    return joined([*inputs, *labels])


def heading(report: Report) -> Markup:
    """Title, verdict, and what was not read."""
    worst = next((level for level in reversed(LEVELS) if _count(report, level)), None)
    told = [both(_verdict(report), tag="strong")]
    if report.findings:
        told.append(say("verdict.next", tag="p"))
    set_aside = sum(source.set_aside for source in report.sources)
    not_whole = sum(not source.whole for source in report.sources)
    warnings = []
    if set_aside:
        warnings.append(say("verdict.set_aside", tag="p", count=figures.count(set_aside)))
    if not_whole:
        warnings.append(say("verdict.not_whole", tag="p", count=figures.count(not_whole)))
    return element(
        "header",
        element("h1", say("title")),
        element("div", *told, class_=f"verdict {worst or 'none'}"),
        *([element("div", *warnings, class_="warning")] if warnings else []),
        say("title.by", tag="p", class_="when", made_at=report.made_at[:19].replace("T", " ")),
        say("private", tag="p", class_="when"),
    )


def tiles(report: Report) -> Markup:
    """The numbers to remember."""
    shown = [(level, _count(report, level)) for level in reversed(LEVELS)]
    totals = (
        ("hits", report.counts.hits),
        ("events", report.counts.events),
        ("set_aside", sum(source.set_aside for source in report.sources)),
    )
    items = [
        element("li", element("b", text(figures.count(n))), say(f"tile.{name}"), class_=name if n else "zero")
        for name, n in (*shown, *totals)
    ]
    return element("ul", *items, class_="tiles")


def contents(report: Report) -> Markup:
    """Where to find what."""
    there = {"rings": bool(report.rings), "hot": bool(report.hot_sessions)}
    names = ("findings", "rings", "hot", "read", "limits", "repeat")
    links = [element("a", say(f"to.{name}"), href=f"#{name}") for name in names if there.get(name, True)]
    return element("nav", *links)


def how_to_read(report: Report) -> Markup:
    """Before the first finding is read."""
    notes = [element("li", say(f"how.{name}")) for name in ("pointer", "score", "causes", "figures", "fields")]
    heads = ["level", "means", "do"]
    rows = [
        [
            element("span", both(words(f"level.{name}")), class_=f"badge {name}"),
            say(f"means.{name}"),
            say(f"do.{name}"),
        ]
        for name in LEVELS
    ]
    if report.level_from:
        heads.append("from")
        for name, row in zip(LEVELS, rows, strict=True):
            score = report.level_from.get(name)
            told = nothing() if score is None else text(figures.weight(score))
            row.append(joined((say("how.from", class_="narrow-only"), raw(" "), told)))
    levels = table([say(f"how.{head}") for head in heads], rows, numbers={3}, class_="levels")
    return element(
        "section", element("h2", say("how")), element("ul", *notes, class_="notes"), levels, class_="how", id="how"
    )


def what_was_read(report: Report) -> Markup:
    """Files, problems, times and clocks."""
    sources = element("details", element("summary", say("read.sources", count=len(report.sources))), _sources(report))
    open_ = len(report.sources) <= _MOST_SOURCES_OPEN
    told = [_sources(report) if open_ else sources]
    if report.problems:
        told.append(_problems(report.problems))
    notes = element("ul", *(element("li", note) for note in _notes(report)), class_="notes")
    return element("section", element("h2", say("read")), notes, *told, id="read")


def limits() -> Markup:
    """What this does not say."""
    notes = [element("li", both(Says(zh=zh, en=en))) for zh, en in LIMITS]
    return element("section", element("h2", say("limits")), element("ul", *notes, class_="notes"), id="limits")


def repeat(report: Report) -> Markup:
    """What it takes to get the same findings again, and to check their lines."""
    hashes = shell.hashes((source.name, source.sha256) for source in report.sources)
    versions = " ".join(f"{code}/{version}" for code, version in sorted(report.detector_versions.items()))
    told = [say("repeat.same", tag="p")]
    if report.sources:
        told += [say("repeat.hashes", tag="p"), command(hashes)]
    return element(
        "section",
        element("h2", say("repeat")),
        *told,
        say("repeat.command", tag="p"),
        command(" ".join(map(shell.quoted, report.command))),
        say("repeat.places", tag="p"),
        pairs([(say("repeat.versions"), element("code", text(versions, most=4_000)))]),
        id="repeat",
    )


def _count(report: Report, level: str) -> int:
    return sum(finding["level"] == level for finding in report.findings)


def _verdict(report: Report) -> Says:
    if not report.findings:
        return words("verdict.none")
    levels = [
        words("levels.count", level=words(f"level.{level}"), count=figures.count(_count(report, level)))
        for level in reversed(LEVELS)
        if _count(report, level)
    ]
    between = words("levels.and")
    listed = Says(zh=between.zh.join(one.zh for one in levels), en=between.en.join(one.en for one in levels))
    return words("verdict.some", found=figures.count(len(report.findings)), levels=listed)


def _notes(report: Report) -> list[Markup]:
    first = [source.first_at_us for source in report.sources if source.first_at_us is not None]
    last = [source.last_at_us for source in report.sources if source.last_at_us is not None]
    notes = []
    if first and last:
        notes.append(say("read.span", first=figures.second(min(first)), last=figures.second(max(last))))
    if report.overlap:
        times = {"first": report.overlap.first_at_us, "last": report.overlap.last_at_us}
        notes.append(say("read.overlap", **{name: figures.second(at_us) for name, at_us in times.items()}))
    else:
        notes.append(say("read.no_overlap"))
    for name, n in (("duplicates", report.counts.duplicates), ("late", report.counts.late)):
        if n:
            notes.append(say(f"read.{name}", count=figures.count(n)))
    return [*notes, *map(_skew, report.skew)]


def _skew(skew: Skew) -> Markup:
    turned = -1 if skew.ahead_us < 0 else 1
    low, high = sorted((turned * skew.low_us, turned * skew.high_us))
    return say(
        "skew.behind" if turned < 0 else "skew.ahead",
        source=skew.source,
        against=skew.against,
        ahead=span(abs(skew.ahead_us)),
        low=span(low),
        high=span(high),
        pairs=figures.count(skew.pairs),
    )


def _sources(report: Report) -> Markup:
    heads = [say(f"source.{name}") for name in ("file", "kind", "size", "rows", "set_aside", "span")]
    return table(heads, list(map(_source, report.sources)), numbers={2, 3, 4}, class_="sources")


def _source(source: SourceRead) -> list[Markup]:
    span = nothing()
    if source.first_at_us is not None and source.last_at_us is not None:
        span = element("small", text(figures.stretch(source.first_at_us, source.last_at_us)))
    not_whole = [] if source.whole else [raw(" "), say("source.not_whole", class_="trouble")]
    return [
        joined((name_of(source.name), *not_whole, element("code", text(source.sha256), class_="hash"))),
        say(f"source.{source.kind}"),
        text(figures.size(source.size_bytes)),
        text(figures.count(source.rows)),
        text(figures.count(source.set_aside)),
        span,
    ]


def _problems(problems: Sequence[Problem]) -> Markup:
    rows = [
        [
            name_of(problem.file),
            nothing() if problem.line is None else text(figures.count(problem.line)),
            nothing() if problem.byte is None else text(figures.count(problem.byte)),
            both(problem.says),
            text(figures.count(problem.count)),
        ]
        for problem in problems[:_MOST_PROBLEMS]
    ]
    heads = [say("source.file"), *(say(f"problems.{name}") for name in ("line", "byte", "says", "count"))]
    told = [table(heads, rows, numbers={1, 2, 4})]
    if len(problems) > _MOST_PROBLEMS:
        told.append(say("problems.cut", tag="p", shown=_MOST_PROBLEMS))
    return element("details", element("summary", say("problems", count=figures.count(len(problems)))), *told)
