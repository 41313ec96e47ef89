"""Beats: how evenly somebody asks for one thing, again and again; counted only, judged in rules/metronomes.py.

A beat is a request for one endpoint by one subject; what follows within a fifth of a second belongs to the same beat. A
pause of more than ten minutes ends a series. Evenness is the share of gaps close to the median gap, which stays what it
is when the network holds back some answers or some beats are missing.
"""

import ibis
from ibis.expr.types import Table

from shouhao.detect.counting import WHO, endpoint_of, head_of, kinds_in, operations_of, per_minute, united, unnamed
from shouhao.detect.model import SubjectKind, Tables
from shouhao.kernel.clock import MINUTE_US, SECOND_US

TOGETHER_US = SECOND_US // 5
PAUSE_US = 10 * MINUTE_US
TIGHT, TIGHT_US = 0.03, 50_000  #: of the gap, and at least: what a timer and a network add
SECOND_TIGHT_US = SECOND_US // 2  #: where the log knows whole seconds only
WIDE = 0.35  #: of the gap: a script that adds chance to its pauses
EXACT_US = 20_000  #: from a full second: a timer that was set to one


def streams(tables: Tables, name: str, *, least: int) -> Table:
    """Whoever asked for one endpoint often and evenly.

    kind, id, endpoint, gaps, gap_us (the median), tight, tight_by_second and wide (how many gaps are so close to it),
    starts (of series), exact_starts (on a full second), first_us, last_us, looked_at (how many asked often).
    """
    kinds = kinds_in(tables, name)
    rows = united([_rows(tables, name, kind) for kind in kinds])
    rows = rows.semi_join(often(tables, name, least=least), ["kind", "id"])
    alike = ["kind", "id", "endpoint"]
    # Gathered, so that the rows are read once; numbered, since to sort millions of beats by a number costs a third of
    # what sorting them by three texts does.
    many = rows.group_by(*alike).agg(at=rows.at_us.collect())
    order = [many.kind, many.id, many.endpoint]
    enough = many.filter(many["at"].length() > least).mutate(stream=ibis.row_number().over(order_by=order))
    gaps = _gaps(enough.select("stream", at_us=enough["at"].unnest()))
    usual = gaps.group_by("stream").agg(median_us=gaps.gap_us.median(), known=gaps.gap_us.count())
    usual = usual.filter(usual.known >= least).drop("known")
    told = _close(gaps.join(usual, "stream"))
    told = told.mutate(looked_at=told.count().over(ibis.window()))
    close = ibis.greatest(told.tight, told.tight_by_second)
    even = told.filter((close * 2 >= told.gaps) | (told.wide * 10 >= told.gaps * 8))
    return even.join(enough.drop("at"), "stream").select(*alike, *(c for c in even.columns if c != "stream"))


def bookings_at_release(tables: Tables, *, within_us: int) -> Table | None:
    """The first booking of each subject soon after each release: kind, id, released_at_us, booked_us."""
    kinds = kinds_in(tables, "events")
    if not kinds or "events.released_at_us" not in tables.has:
        return None
    events = tables.events.filter(tables.events.kind == "booked")
    soon = (events.at_us >= events.released_at_us) & (events.at_us - events.released_at_us <= within_us)
    events = events.filter(soon)
    each = united(
        [events.select("released_at_us", "at_us", kind=ibis.literal(kind), id=events[WHO[kind]]) for kind in kinds]
    )
    each = each.filter(each.id.notnull())
    return each.group_by("kind", "id", "released_at_us").agg(booked_us=each.at_us.min())


def waits(tables: Tables, name: str, booked: Table, *, least: int) -> Table:
    """How long after the last beat a booking came: kind, id, endpoint, released_at_us, wait_us."""
    rows = united([_rows(tables, name, kind) for kind in kinds_in(tables, name)])
    asked = booked.semi_join(often(tables, name, least=least), ["kind", "id"])
    # A booking and a beat at most a pause before it lie in the same stretch of that length, or in neighbouring ones.
    each = asked.mutate(back=ibis.array([0, 1]).unnest())
    each = each.select("kind", "id", "released_at_us", "booked_us", stretch=each.booked_us // PAUSE_US - each.back)
    both = rows.mutate(stretch=rows.at_us // PAUSE_US).join(each, ["kind", "id", "stretch"])
    before = both.filter((both.at_us <= both.booked_us) & (both.booked_us - both.at_us <= PAUSE_US))
    last = before.group_by("kind", "id", "endpoint", "released_at_us").agg(
        wait_us=before.booked_us.max() - before.at_us.max(), beats=before.count()
    )
    return last.filter(last.beats > 1).drop("beats")


def often(tables: Tables, name: str, *, least: int) -> Table:
    """Who did enough over more than a minute to be looked at: kind, id."""
    return united([_often(tables, name, kind, least) for kind in kinds_in(tables, name)])


def whole_seconds(tables: Tables, name: str) -> Table:
    """How many instants are whole seconds; all are where the log knows no less: rows, whole."""
    at_us = tables.hits.at_us if name == "hits" else tables.events.at_us
    table = tables.hits if name == "hits" else tables.events
    return table.agg(rows=table.count(), whole=(at_us % SECOND_US == 0).sum().cast("int64"))


def _often(tables: Tables, name: str, kind: SubjectKind, least: int) -> Table:
    every = per_minute(tables, name)
    rows = every.select("minute", "operations", id=every[WHO[kind]])
    rows = rows.filter(rows.id.notnull())
    sums = rows.group_by("id").agg(n=rows.operations.sum(), first=rows.minute.min(), last=rows.minute.max())
    return sums.filter((sums.n > least) & (sums["last"] > sums["first"])).select("id", kind=ibis.literal(kind))


def _rows(tables: Tables, name: str, kind: SubjectKind) -> Table:
    every = operations_of(tables, name)
    if name == "hits":
        endpoint = ibis.coalesce(endpoint_of(every.path), "")
    else:
        every = every.filter(every.kind.isin(("viewed", "searched")))
        endpoint = every.kind
    rows = every.select("at_us", kind=ibis.literal(kind), id=every[WHO[kind]], head=head_of(every), endpoint=endpoint)
    return unnamed(rows, tables, name) if kind == "ip" else rows.drop("head")


def _gaps(rows: Table) -> Table:
    """Each beat with the gap before it; null where a series starts."""
    before = rows.mutate(before_us=rows.at_us.lag().over(group_by=rows.stream, order_by=rows.at_us))
    apart = before.filter(before.before_us.isnull() | (before.at_us - before.before_us > TOGETHER_US))
    apart = apart.select("stream", "at_us")
    gap = apart.at_us - apart.at_us.lag().over(group_by=apart.stream, order_by=apart.at_us)
    gaps = apart.mutate(gap_us=gap)
    return gaps.mutate(gap_us=ibis.ifelse(gaps.gap_us > PAUSE_US, ibis.null("int64"), gaps.gap_us))


def _close(beside: Table) -> Table:
    off = (beside.gap_us - beside.median_us).abs()
    phase = beside.at_us % SECOND_US
    exact = (phase <= EXACT_US) | (phase >= SECOND_US - EXACT_US)
    starts = beside.gap_us.isnull()
    return beside.group_by("stream", gap_us=beside.median_us.round().cast("int64")).agg(
        gaps=beside.gap_us.count(),
        tight=(off <= ibis.greatest(beside.median_us * TIGHT, TIGHT_US)).sum().cast("int64"),
        tight_by_second=(off <= ibis.greatest(beside.median_us * TIGHT, SECOND_TIGHT_US)).sum().cast("int64"),
        wide=(off <= beside.median_us * WIDE).sum().cast("int64"),
        starts=starts.sum().cast("int64"),
        exact_starts=(starts & exact).sum().cast("int64"),
        first_us=beside.at_us.min(),
        last_us=beside.at_us.max(),
    )
