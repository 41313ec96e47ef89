"""A phone that opens accounts for others to use, a grandchild who does so for the old, and a home that shares one."""

from detect.detector_checks import Example
from detect.people import DAY_US, HOUR_US, MINUTE_US, Rows, release_us
from shouhao.detect.model import Subject


def opened(account: str, phone: str, day: int, *, lives_on: str) -> Rows:
    """An account that is made on a phone, and used the next two days."""
    at_us = release_us(day) + 3 * HOUR_US
    own = {"account_id": account, "channel": "app"}
    events = [
        {**own, "kind": "account_registered", "at_us": at_us, "device_id": phone},
        {**own, "kind": "logged_in", "at_us": at_us + 2 * MINUTE_US, "device_id": phone},
    ]
    later = [at_us + days * DAY_US + HOUR_US for days in (1, 2)]
    events += [{**own, "kind": "logged_in", "at_us": when_us, "device_id": lives_on} for when_us in later]
    return Rows(events=events)


def opener(accounts: int) -> Rows:
    """One after the other, on different days."""
    rows = Rows()
    for n in range(accounts):
        rows = rows.plus(opened(f"opened{n}", "sim-box", n % 4, lives_on=f"own-phone{n}"))
    return rows


def helpers() -> Rows:
    """Three old people whose grandchild signs them up, and six who go on using the phone of their home."""
    rows = Rows()
    for n in range(3):
        rows = rows.plus(opened(f"elder{n}", "grandchild", n, lives_on=f"elder-phone{n}"))
    for n in range(6):
        rows = rows.plus(opened(f"resident{n}", "home-phone", n % 4, lives_on="home-phone"))
    return rows


EXAMPLE = Example(
    guilty=opener(6).plus(helpers()),
    too_little=opener(2).plus(helpers()),
    finds=frozenset(
        [Subject(kind="device", id="sim-box"), *(Subject(kind="account", id=f"opened{n}") for n in (0, 5))]
    ),
    codes=frozenset({"sign_up_phones.gone_elsewhere"}),
    spared=frozenset(Subject(kind=k, id=i) for k, i in (("device", "grandchild"), ("account", "resident2"))),
)
