"""Sign-up phones: accounts that were made on one phone and have lived on others ever since.

A box of SIM cards reads the codes by which accounts are opened; then each account moves to where it works. A grandchild
opens accounts for the old, who live on their own phones afterwards, and a phone that is sold leaves its accounts, so it
begins where a family's helper ends, and it weighs nothing where these data are full of the like: then a shop or a ward
helps newcomers, or ids collide. It is about what accounts share, and never more than a lead by itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Any, ClassVar

import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.registrations import moved_on
from shouhao.detect.model import Says, Speaks, Subject, Suspicion, Tables, Wanted
from shouhao.detect.odds import rarity

_OWASP = "OAT-019 Account Creation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on it is no helpful grandchild."""

    accounts: int = 4  #: made on one phone and gone from it; a helper does that for two or three
    most_accounts: int = 200  #: more is a counter at which newcomers are helped
    first_weight: float = 3.0  #: one more than a family's helper: twenty to one
    per_doubling: float = 1.0
    most: float = 5.0
    least_weight: float = 2.0
    least_everybody: int = 50  #: accounts made on a known phone, to know what is common


class SignUpPhones:
    """Made here, used elsewhere: see the file."""

    code: ClassVar[str] = "sign_up_phones"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"events.account_id", "events.device_id", "events.kind"})

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """New accounts with the phone they were made on, where they have left it."""
        return moved_on(tables.events, least=self.policy.accounts, most=self.policy.most_accounts)

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Suspicions: each phone, then those who were made on it."""
        policy = self.policy
        sizes = [(row["gone"], row["devices"]) for row in counted["sizes"].to_pylist()]
        everybody = sum(gone * devices for gone, devices in sizes)
        (made,) = counted["made"].to_pylist()
        if made["accounts"] < policy.least_everybody:
            return
        of: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in counted["accounts"].to_pylist():
            of[row["device_id"]].append(row)
        for device, rows in sorted(of.items()):
            elsewhere = sum(gone * devices for gone, devices in sizes if gone >= len(rows)) - len(rows)
            grown = policy.first_weight + policy.per_doubling * log2(len(rows) / policy.accounts)
            weight = min(policy.most, grown, rarity(elsewhere, made["accounts"]))
            if weight >= policy.least_weight:
                usual = everybody / max(1, sum(devices for _, devices in sizes))
                yield from _told(device, sorted(rows, key=lambda row: row["account_id"]), weight, usual, policy)


def _told(
    device: str, rows: Sequence[Mapping[str, Any]], weight: float, usual: float, policy: Policy
) -> Iterator[Suspicion]:
    accounts = tuple(Subject(kind="account", id=row["account_id"]) for row in rows)
    phone = Subject(kind="device", id=device)
    of_phone = Suspicion(
        subject=phone,
        code="sign_up_phones.gone_elsewhere",
        says=Says(
            zh=f"在同一部设备上注册的 {len(rows)} 个账号，此后都只在别的设备上使用",
            en=f"{len(rows)} accounts were made on one phone and have been used on other phones alone ever since",
        ),
        measured=float(len(rows)),
        expected=usual,
        threshold=float(policy.accounts),
        weight=weight,
        first_at_us=min(row["first_at_us"] for row in rows),
        last_at_us=max(row["last_at_us"] for row in rows),
        wanted=(Wanted(table="events", where={"device_id": device}),),
        owasp=_OWASP,
        members=accounts,
    )
    yield of_phone
    for account, row in zip(accounts, rows, strict=True):
        yield replace(
            of_phone,
            subject=account,
            first_at_us=row["first_at_us"],
            last_at_us=row["last_at_us"],
            wanted=(Wanted(table="events", where={"device_id": device, "account_id": account.id}),),
            members=(phone,),
        )
