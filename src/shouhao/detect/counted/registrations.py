"""Registrations: where and when accounts were made, and which followed each other at one place; counted only.

The platform's own event of a new account names no phone and no address, for it comes from a form before the first
sign-in. The place is then that of the first thing the account does within half an hour. Who goes out by several
networks in turn is at no place long enough, and yet by one build of one browser or app; that is a place here as well.
"""

from collections.abc import Mapping

import ibis
from ibis.expr.types import Table

from shouhao.detect.identifiers import in_house, prefix_of
from shouhao.detect.model import Tables
from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US

_FIRST_WITHIN_US = 30 * MINUTE_US
_COLUMNS = ("device_id", "ip", "user_agent")
_SHIFT_US = 8 * HOUR_US  # the hospital's zone, so that its days are whole
_TEN_MINUTES_US = 10 * MINUTE_US


def series_of(tables: Tables, *, gap_us: int, least: int) -> Mapping[str, Table]:
    """Runs of new accounts at one device, address, network or browser, their accounts, and how many are new among all.

    Of those made in no run, at what time of the day they were made (`made_alone`).

    Args:
        gap_us: a longer pause ends a run.
        least: accounts in a run; shorter ones do not appear.
    """
    outside = tables.events.filter(~in_house(tables.events) & tables.events.account_id.notnull())
    made = _placed(outside)
    runs = _runs(made, gap_us)
    series = runs.group_by("place_kind", "place", "run").agg(
        accounts=runs.account_id.nunique(), first_at_us=runs.at_us.min(), last_at_us=runs.at_us.max()
    )
    series = series.filter(series.accounts >= least)
    there = _at_places(outside)
    near = (there.at_us >= series.first_at_us - gap_us) & (there.at_us <= series.last_at_us + gap_us)
    met = series.join(there, ["place_kind", "place", near])
    active = met.group_by("place_kind", "place", "run").agg(active=met.account_id.nunique())
    at_series = there.semi_join(series, ["place_kind", "place"])
    sizes = at_series.group_by("place_kind", "place").agg(accounts_there=at_series.account_id.nunique())
    made_there = runs.semi_join(series, ["place_kind", "place", "run"])
    alone = made.anti_join(made_there, "account_id")
    alone = alone.mutate(ten_minutes=(alone.at_us + _SHIFT_US) % DAY_US // _TEN_MINUTES_US)
    return {
        "series": series.join(active, ["place_kind", "place", "run"]).join(sizes, ["place_kind", "place"]),
        "series_accounts": made_there.select("place_kind", "place", "run", "account_id").distinct(),
        "series_met": at_series.semi_join(made_there, "account_id")
        .select("place_kind", "place", "account_id")
        .distinct(),
        "made_alone": alone.group_by("ten_minutes").agg(accounts=alone.count()),
        "registered": outside.agg(
            registered=ibis.cases((outside.kind == "account_registered", outside.account_id)).nunique(),
            active=outside.account_id.nunique(),
            from_us=outside.at_us.min(),
            until_us=outside.at_us.max(),
        ),
    }


def moved_on(events: Table, *, least: int, most: int) -> Mapping[str, Table]:
    """New accounts that have left the phone on which they were made: they use others, and a day later never this one.

    `accounts`: device_id, account_id, first_at_us, last_at_us (on that phone), of phones that so many have left;
    `sizes`: gone, devices (how many phones so many have left); `made`: accounts made on a known phone.

    Args:
        least: accounts that have left a phone, for it to be told.
        most: accounts that have left it; with more it is a counter.
    """
    outside = events.filter(~in_house(events) & events.account_id.notnull())
    made = _placed(outside).select("account_id", "at_us", made_on="device_id")
    made = made.filter(made.made_on.notnull())
    used = outside.filter(outside.device_id.notnull()).select("account_id", "device_id", "at_us")
    used = used.group_by("account_id", "device_id").agg(first_at_us=used.at_us.min(), last_at_us=used.at_us.max())
    met = made.join(used, "account_id")
    here = met.device_id == met.made_on
    lives = met.group_by("account_id", "made_on").agg(
        elsewhere=(~here).sum(),
        stayed=(here & (met.last_at_us - met.at_us > DAY_US)).sum(),
        first_at_us=met.first_at_us.min(where=here),
        last_at_us=met.last_at_us.max(where=here),
    )
    gone = lives.filter((lives.elsewhere > 0) & (lives.stayed == 0) & lives.first_at_us.notnull())
    phones = gone.group_by("made_on").agg(gone=gone.count())
    told = phones.filter((phones.gone >= least) & (phones.gone <= most))
    accounts = gone.semi_join(told, "made_on")
    return {
        "accounts": accounts.select("account_id", "first_at_us", "last_at_us", device_id="made_on"),
        "sizes": phones.group_by("gone").agg(devices=phones.count()),
        "made": made.agg(accounts=made.account_id.nunique()),
    }


def made_at(from_us: int, until_us: int) -> frozenset[int]:
    """The ten minutes of the day between two instants, as `made_alone` numbers them."""
    first, last = ((at_us + _SHIFT_US) // _TEN_MINUTES_US for at_us in (from_us, until_us))
    return frozenset(n % (DAY_US // _TEN_MINUTES_US) for n in range(first, last + 1))


def _placed(outside: Table) -> Table:
    """Each new account once, with its place: account_id, at_us, device_id, ip, user_agent."""
    is_made = outside.kind == "account_registered"
    made = (
        outside.filter(is_made)
        .group_by("account_id")
        .agg(
            made_at_us=outside.at_us.min(),
            own_device=outside.device_id.min(),
            own_ip=outside.ip.min(),
            own_agent=outside.user_agent.min(),
        )
    )
    known = outside.filter(~is_made & (outside.device_id.notnull() | outside.ip.notnull()))
    known = known.select("account_id", "at_us", "event_id", *_COLUMNS)
    met = made.join(known, ["account_id"])
    since = met.at_us - met.made_at_us
    met = met.filter((since >= 0) & (since <= _FIRST_WITHIN_US))
    order = ibis.window(group_by=met.account_id, order_by=[met.at_us, met.event_id])
    first = met.mutate(place_in_order=ibis.row_number().over(order))
    first = first.filter(first.place_in_order == 0)
    first = first.select("account_id", first_device="device_id", first_ip="ip", first_agent="user_agent")
    joined = made.left_join(first, "account_id")
    return joined.select(
        account_id=joined.account_id,
        at_us=joined.made_at_us,
        device_id=joined.own_device.fill_null(joined.first_device),
        ip=joined.own_ip.fill_null(joined.first_ip),
        user_agent=joined.own_agent.fill_null(joined.first_agent),
    )


def _at_places(rows: Table) -> Table:
    """Rows once for each place: device, address, its /24 or /48, over which a block is spread, and the browser."""
    values = {"device": rows.device_id, "ip": rows.ip, "prefix": prefix_of(rows.ip), "browser": rows.user_agent}
    parts = [rows.select("account_id", "at_us", place=v, place_kind=ibis.literal(kind)) for kind, v in values.items()]
    every = ibis.union(*parts)
    return every.filter(every.place.notnull() & (every.place != ""))


def _runs(made: Table, gap_us: int) -> Table:
    """New accounts with the number of their run at each place."""
    rows = _at_places(made)
    place = [rows.place_kind, rows.place]
    order = [rows.at_us, rows.account_id]
    before = rows.at_us.lag(1).over(ibis.window(group_by=place, order_by=order))
    rows = rows.mutate(starts=ibis.cases((before.isnull() | (rows.at_us - before > gap_us), 1), else_=0))
    so_far = ibis.cumulative_window(group_by=[rows.place_kind, rows.place], order_by=[rows.at_us, rows.account_id])
    return rows.mutate(run=rows.starts.sum().over(so_far).cast("int64"))
