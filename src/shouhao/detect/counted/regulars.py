"""Regulars: who is at releases on how many days, how soon they press, and whether they ever book otherwise; counted."""

from collections.abc import Mapping

from ibis.expr.types import IntegerValue, Table

from shouhao.detect.counted.fresh_patients import EARLY_US, RUSH_US
from shouhao.detect.identifiers import in_house
from shouhao.kernel.clock import DAY_US, HOUR_US

_SHIFT_US = 8 * HOUR_US  # the hospital's zone, so that its days are whole


def regulars(events: Table, *, least_days: int) -> Mapping[str, Table]:
    """Accounts at releases, by their own hand, and how soon those of many days pressed at each.

    `sizes`: days, accounts. `often`: account_id, days, departments, elsewhere (bookings at other times), first_at_us,
    last_at_us. `presses`: account_id, released_at_us, after_us (of the first one at that release; negative when early).

    Args:
        least_days: on so many days, for an account to be among `often` and `presses`.
    """
    asked = events.filter(~in_house(events) & events.account_id.notnull() & events.kind.isin(("booked", "refused")))
    asked = asked.select(
        "account_id", "kind", "at_us", "released_at_us", "department_id", after_us=asked.at_us - asked.released_at_us
    )
    there = (asked.after_us >= -EARLY_US) & (asked.after_us <= RUSH_US)
    rushed = asked.filter(there)
    at_release = rushed.group_by("account_id", "released_at_us").agg(
        after_us=rushed.after_us.min(), first_at_us=rushed.at_us.min(), last_at_us=rushed.at_us.max()
    )
    came = at_release.group_by("account_id").agg(
        days=_day(at_release.released_at_us).nunique(),
        first_at_us=at_release.first_at_us.min(),
        last_at_us=at_release.last_at_us.max(),
    )
    often = came.filter(came.days >= least_days)
    of_often = rushed.semi_join(often, "account_id")
    wanted = of_often.group_by("account_id").agg(departments=of_often.department_id.nunique())
    other = asked.filter((asked.kind == "booked") & ~there.fill_null(False))  # noqa: FBT003 - Ibis
    other = other.group_by("account_id").agg(elsewhere=other.count())
    joined = often.join(wanted, "account_id").left_join(other, "account_id")
    return {
        "sizes": came.group_by("days").agg(accounts=came.count()),
        "often": joined.select(*often.columns, "departments", elsewhere=joined.elsewhere.fill_null(0)),
        "presses": at_release.semi_join(often, "account_id").select("account_id", "released_at_us", "after_us"),
    }


def _day(at_us: IntegerValue) -> IntegerValue:
    return (at_us + _SHIFT_US) // DAY_US
