"""Browsing: whether somebody looked at anything before they booked; counted only, judged in rules/snipers.py."""

import ibis
from ibis.expr.types import Table

from shouhao.detect.counting import WHO, operations_of, united
from shouhao.detect.identifiers import in_house
from shouhao.detect.model import SubjectKind, Tables
from shouhao.kernel.clock import MINUTE_US

LOOKS_BACK_US = 30 * MINUTE_US
_LOOKING = ("viewed", "searched")


def looked(tables: Tables, kind: SubjectKind) -> Table | None:
    """When each subject looked at something, by whichever table tells: id, at_us; None when neither can."""
    column = WHO[kind]
    parts = []
    if f"events.{column}" in tables.has:
        views = tables.events.filter(tables.events.kind.isin(_LOOKING))
        parts.append(views.select("at_us", id=views[column]))
    if {f"hits.{column}", "hits.method"} <= tables.has:
        hits = operations_of(tables, "hits")
        hits = hits.filter(hits.method == "GET")
        parts.append(hits.select("at_us", id=hits[column]))
    return united(parts) if parts else None


def unlooked(tables: Tables, kind: SubjectKind) -> Table | None:
    """How many of each subject's bookings came without a look: kind, id, bookings, unlooked, first_us, last_us."""
    views = looked(tables, kind)
    if views is None:
        return None
    events = tables.events.filter((tables.events.kind == "booked") & ~in_house(tables.events))
    booked = events.select("at_us", id=events[WHO[kind]])
    booked = booked.filter(booked.id.notnull())
    views = views.semi_join(booked, "id").distinct()
    rows = united([booked.mutate(booking=ibis.literal(1)), views.mutate(booking=ibis.literal(0))])
    view_us = ibis.ifelse(rows.booking == 0, rows.at_us, ibis.null("int64"))
    frame = ibis.range_window(preceding=LOOKS_BACK_US, following=0, group_by=rows.id, order_by=rows.at_us)
    beside = rows.mutate(views=view_us.count().over(frame))
    beside = beside.filter(beside.booking == 1)
    without = beside.views == 0
    counted = beside.group_by("id").agg(
        bookings=beside.count(),
        unlooked=without.sum().cast("int64"),
        first_us=beside.at_us.min(where=without),
        last_us=beside.at_us.max(where=without),
    )
    return counted.mutate(kind=ibis.literal(kind))
