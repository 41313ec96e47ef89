"""Exculpation: the counts from which speaks_for.py sees who has a good reason to look odd; counted only."""

from collections.abc import Collection, Mapping

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.visits import outcomes
from shouhao.detect.counting import OPERATIONS, endpoint_of, is_operation, per_minute, united
from shouhao.detect.identifiers import IdentifierKind, in_house, prefix_of
from shouhao.detect.model import Subject, Tables
from shouhao.detect.rings.links import links
from shouhao.kernel.clock import HOUR_US

_MOST_ACCOUNTS = 400  # on one device; more is a terminal, and in the house table
_LEAST_HEADS = 8  # behind one address, to speak of a shared one
_LEAST_HITS = 20


def counted_for(tables: Tables, about: Collection[Subject] | None) -> Mapping[str, Table]:
    """Whatever the columns allow.

    Args:
        about: where only these are of interest, reading the log for everybody else is spared.
    """
    counted: dict[str, Table] = {}
    if {"events.account_id", "events.slot_id"} <= tables.has:
        counted["accounts"] = outcomes(tables.events)
        shares = tables.events.filter(~in_house(tables.events) & tables.events.account_id.notnull())
        shares = shares.filter(shares.kind.isin(("booked", "patient_bound")) & shares.patient_id.notnull())
        pairs = shares.select("account_id", "patient_id").distinct()
        counted["patients"] = pairs.group_by("patient_id").agg(accounts=pairs.count()).filter(ibis._.accounts > 1)
        counted["patient_accounts"] = pairs.semi_join(counted["patients"], "patient_id")
    if "events.account_id" in tables.has and {"events.device_id", "hits.device_id"} & tables.has:
        counted["device_accounts"] = _device_accounts(tables)
    if {"events.channel", "events.staff_id"} & tables.has:
        counted["house"] = _house(tables.events)
    heads = _heads(tables)
    if heads is not None:
        counted["networks"] = _networks(heads)
    if {"hits.ip", "hits.path"} <= tables.has:
        counted["probes"] = _probes(tables, about)
        counted["refreshes"] = _refreshes(tables, about)
    return counted


def _device_accounts(tables: Tables) -> Table:
    """Who has used a device that several have used, and devices of those who have used several, with when."""
    kinds: tuple[IdentifierKind, ...] = ("device",)
    used = links(tables, kinds=kinds)
    used = used.filter(used.member_kind == "account")
    by_device = used.group_by("value").agg(accounts=used.count())
    by_account = used.group_by("member").agg(devices=used.count())
    joined = used.join(by_device, "value").join(by_account, "member")
    several = (joined.accounts > 1) | (joined.devices > 1)
    joined = joined.filter(several & (joined.accounts <= _MOST_ACCOUNTS))
    return joined.select(
        "accounts", "devices", "first_at_us", "last_at_us", account_id=joined.member, device_id=joined.value
    )


def _house(events: Table) -> Table:
    """Devices, addresses and accounts through which the house itself acts, and how much else they do.

    Of an account what somebody does with it counts. That staff added a slot for it, or that its patient checked in at
    the kiosk, says nothing of who holds it.
    """
    inside = in_house(events)
    at_kiosk = (events.channel == "kiosk").fill_null(False)  # noqa: FBT003 - Ibis
    parts = []
    for kind, column in (("device", "device_id"), ("ip", "ip"), ("account", "account_id")):
        of = events.filter(events.kind.isin(OPERATIONS)) if kind == "account" else events
        known = of.filter(of[column].notnull()).select(id=events[column], inside=inside, kiosk=at_kiosk)
        grouped = known.group_by("id").agg(
            n=known.count(),
            inside=known.inside.sum().cast("int64"),
            kiosk=known.kiosk.sum().cast("int64"),
        )
        parts.append(grouped.filter(grouped.inside * 2 > grouped.n).mutate(kind=ibis.literal(kind)))
    return united(parts)


def _heads(tables: Tables) -> Table | None:
    """How much each visitor did behind each address: ip, head, n."""
    known = [name for name in ("hits", "events") if f"{name}.ip" in tables.has]
    if not known:
        return None
    counted = [per_minute(tables, name) for name in known]
    rows = united([one.select("ip", head=_head(one), n=one.operations) for one in counted])
    rows = rows.filter(rows.ip.notnull() & rows["head"].notnull())
    return rows.group_by("ip", "head").agg(n=rows.n.sum().cast("int64"))


def _head(rows: Table) -> ibis.expr.types.StringValue:
    """The account first: a session is new every day, a person is not."""
    return ibis.coalesce(rows.account_id, rows.device_id, rows.session_token)


def _networks(heads: Table) -> Table:
    """Addresses and networks with many visitors: how many, how much they did, and the most that one of them did."""
    by_prefix = heads.mutate(ip=prefix_of(heads.ip)).filter(ibis._.ip != "")
    by_prefix = by_prefix.group_by("ip", "head").agg(n=by_prefix.n.sum().cast("int64"))
    parts = []
    for kind, rows in (("ip", heads), ("prefix", by_prefix)):
        grouped = rows.group_by(id=rows.ip).agg(
            heads=rows.count(), n=rows.n.sum().cast("int64"), most=rows.n.max().cast("int64")
        )
        parts.append(grouped.filter(grouped.heads >= _LEAST_HEADS).mutate(kind=ibis.literal(kind)))
    return united(parts)


def _probes(tables: Tables, about: Collection[Subject] | None) -> Table:
    """Addresses that ask for one thing only, without ever signing in."""
    hits = tables.hits
    rows = hits.filter(hits.ip.notnull()) if about is None else hits.semi_join(_named(about, "ip", "ip"), "ip")
    grouped = rows.group_by("ip").agg(
        n=rows.count(),
        first_at_us=rows.at_us.min(),
        last_at_us=rows.at_us.max(),
        first_path=rows.path.min(),
        last_path=rows.path.max(),
        posts=(rows.method == "POST").sum().cast("int64"),
        known=(rows.account_id.notnull() | rows.session_token.notnull()).sum().cast("int64"),
        hours=(rows.at_us - rows.at_us % HOUR_US).nunique(),
    )
    same = endpoint_of(grouped.first_path) == endpoint_of(grouped.last_path)
    alone = same & (grouped.posts == 0) & (grouped.known == 0) & (grouped.n >= _LEAST_HITS)
    return grouped.filter(alone).select("ip", "n", "hours", "first_at_us", "last_at_us")


def _refreshes(tables: Tables, about: Collection[Subject] | None) -> Table:
    """Visitors most of whose requests are for one page: kind, id, n, total, posts, first_at_us, last_at_us."""
    hits = tables.hits.filter(is_operation(tables.hits))
    parts = []
    for kind, column in (("account", "account_id"), ("device", "device_id"), ("session", "session_token")):
        if f"hits.{column}" not in tables.has:
            continue
        known = hits.filter(hits[column].notnull())
        if about is not None:
            known = known.semi_join(_named(about, kind, column), column)
        known = known.select(
            id=known[column],
            endpoint=endpoint_of(known.path),
            is_post=(known.method == "POST").fill_null(False).cast("int64"),  # noqa: FBT003 - Ibis
            at_us=known.at_us,
        )
        pages = known.group_by("id", "endpoint").agg(
            n=known.count(), posts=known.is_post.sum(), first_at_us=known.at_us.min(), last_at_us=known.at_us.max()
        )
        totals = pages.group_by("id").agg(total=pages.n.sum(), all_posts=pages.posts.sum())
        most = pages.filter((pages.n >= _LEAST_HITS) & (pages.posts == 0)).join(totals, "id")
        most = most.filter(most.n * 4 > most.total * 3)
        parts.append(
            most.select(
                "id",
                "first_at_us",
                "last_at_us",
                n=most.n,
                total=most.total.cast("int64"),
                posts=most.all_posts.cast("int64"),
                kind=ibis.literal(kind),
            )
        )
    if not parts:
        return _nothing(hits)
    return united(parts)


def _named(about: Collection[Subject], kind: str, column: str) -> Table:
    named = sorted(one.id for one in about if one.kind == kind)
    return ibis.memtable(pa.table({column: pa.array(named, pa.string())}))


def _nothing(hits: Table) -> Table:
    """No rows, with the columns of the others."""
    zero = ibis.literal(0, "int64")
    none = hits.filter(ibis.literal(False)).select(  # noqa: FBT003 - Ibis
        id=hits.ip, first_at_us=hits.at_us, last_at_us=hits.at_us, n=zero, total=zero, posts=zero
    )
    return none.mutate(kind=ibis.literal("account"))
