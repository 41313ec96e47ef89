"""Addresses: who connects from where. Carriers put thousands behind one address, homes change theirs overnight.

All are of blocks that nobody on the Internet has (240.0.0.0/4, 3fff::/20, 10.0.0.0/8), so that none is anybody's. A
residential proxy is a home like any other: it is made by the same function, and nothing in it tells.
"""

import random
from dataclasses import dataclass, field
from typing import Literal

from shouhao.lab.scalping.chance import zipf

Place = Literal["home", "mobile", "office", "wifi"]

_ISPS = 40
_MOVES_OVERNIGHT = 0.10
_LAST_DAY = 64


@dataclass(slots=True, eq=False)
class Home:
    """A household's line."""

    v4: list[str]  #: by day, from the first one that matters
    v6_prefix: str | None
    v6_now: dict[tuple[str, int], str] = field(default_factory=dict)  #: privacy addresses, by device and day


class Net:
    """Every address there is."""

    def __init__(self, rng: random.Random, *, accounts: int, first_day: int) -> None:
        self._rng = rng
        self._first_day = first_day
        self._isps = [f"{rng.randint(240, 253)}.{rng.randint(0, 255)}" for _ in range(_ISPS)]
        self._isp = zipf(_ISPS)
        self.carriers = [self._within(f"254.{rng.randint(0, 7)}") for _ in range(max(14, accounts // 150))]
        self._carrier = zipf(len(self.carriers), 0.8)
        self.hospital_wifi = [self._within("251.77") for _ in range(2)]
        self.offices = [self._within(self._isps[self._isp.draw(rng)]) for _ in range(max(6, accounts // 120))]

    def home(self, *, ipv6: bool = False) -> Home:
        """A line of somebody's own."""
        v4 = [self._some_v4()]
        for _ in range(_LAST_DAY):
            v4.append(self._some_v4() if self._rng.random() < _MOVES_OVERNIGHT else v4[-1])
        return Home(v4=v4, v6_prefix=self._v6_prefix() if ipv6 else None)

    def at_home(self, home: Home, device_id: str, day: int) -> str:
        """The address that a device at home shows on a day."""
        if home.v6_prefix is None:
            return home.v4[min(max(0, day - self._first_day), _LAST_DAY)]
        known = home.v6_now.get((device_id, day))
        if known is None:
            known = home.v6_now[device_id, day] = home.v6_prefix + self._groups(4)
        return known

    def mobile(self, *, ipv6: bool = False) -> str:
        """An address of a carrier: shared with a crowd, or a fresh one of version 6."""
        if ipv6:
            return self._v6_prefix() + self._groups(4)
        return self.carriers[self._carrier.draw(self._rng)]

    def data_centre(self, count: int, *, blocks: int) -> list[str]:
        """Proxies for hire: many addresses out of a few blocks of 256."""
        starts = [f"{self._rng.randint(240, 253)}.{self._rng.randint(0, 255)}.{n}" for n in self._bytes(blocks)]
        return [f"{self._rng.choice(starts)}.{self._rng.randint(1, 254)}" for _ in range(count)]

    def intranet(self) -> str:
        """A machine of the house."""
        return self._within("10.20")

    def _some_v4(self) -> str:
        return self._within(self._isps[self._isp.draw(self._rng)])

    def _within(self, block: str) -> str:
        return f"{block}.{self._rng.randint(0, 255)}.{self._rng.randint(1, 254)}"

    def _v6_prefix(self) -> str:
        return (
            f"3fff:{self._rng.randint(16, 0xFFF):x}:{self._rng.randint(1, 0xFFFF):x}:{self._rng.randint(1, 0xFFFF):x}:"
        )

    def _groups(self, count: int) -> str:
        return ":".join(f"{self._rng.randint(1, 0xFFFF):x}" for _ in range(count))

    def _bytes(self, count: int) -> list[int]:
        return [self._rng.randint(0, 255) for _ in range(count)]
