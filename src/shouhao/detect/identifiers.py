"""Identifiers: what tells people apart, what is the hospital's own, and what is so common that it tells nothing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import ibis
from ibis.expr.types import BooleanValue, StringValue, Table

IdentifierKind = Literal[
    "device", "payer", "phone", "patient", "session_token", "face", "frame", "ip", "prefix", "hand_over", "cohort"
]
HOUSE_CHANNELS = ("window", "phone", "kiosk")

#: With more members than this, an identifier is the hospital's Wi-Fi, a carrier's gateway, an agency's purse: a hub.
HUB_FROM: Mapping[IdentifierKind, int] = MappingProxyType(
    {
        "device": 60,  # a phone of a gang signs in for dozens; a lobby terminal for hundreds
        "payer": 120,  # a purse pays for a whole gang; an insurer or an agency pays for more
        "phone": 60,
        "patient": 30,
        "session_token": 20,  # one sign-in is one account's; more is a broken export
        "face": 60,
        "frame": 60,
        "ip": 40,  # a household or a small shop; a carrier's gateway has thousands
        "prefix": 60,
        "hand_over": 2,
    }
)
_V4 = r"^(\d+\.\d+\.\d+)\."
_V6 = r"^([0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F]*):"


def in_house(events: Table) -> BooleanValue:
    """Whether a row is of the hospital's own staff or devices."""
    by_channel = events.channel.isin(HOUSE_CHANNELS).fill_null(False)  # noqa: FBT003 - Ibis
    return by_channel | events.staff_id.notnull()


def prefix_of(ip: StringValue) -> StringValue:
    """The /24 of an IPv4 address, the /48 of an IPv6 one, as text; empty for anything else."""
    v4, v6 = ip.re_extract(_V4, 1), ip.re_extract(_V6, 1)
    return ibis.cases((v4 != "", v4 + ".0/24"), (v6 != "", v6 + "::/48"), else_="")
