"""Regimes: the ways of giving slots out that a morning is played under, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shouhao.booking.release.policy import release_from
from shouhao.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """A release policy, and what the lab changes around it."""

    name: str
    zh: str
    en: str
    body: Mapping[str, Any]  #: of the release policy
    opens_returns: bool = False  #: a slot that comes back is everybody's at once: the lab's switch, not the product's

    @property
    def draws(self) -> bool:
        """Whether slots go by draw."""
        return release_from(self.body).draws()

    @property
    def waits(self) -> bool:
        """Whether there is a waitlist."""
        return release_from(self.body).waitlist.open


_NO_WAITLIST: Final = {"open": False}

REGIMES: Final[Mapping[str, Regime]] = {
    regime.name: regime
    for regime in (
        Regime(
            name="first_come_open",
            zh="先到先得，退号即刻公开",
            en="First come; returns open at once",
            body={"kind": "first_come", "waitlist": _NO_WAITLIST},
            opens_returns=True,
        ),
        Regime(name="first_come", zh="先到先得＋候补", en="First come, waitlist", body={"kind": "first_come"}),
        Regime(
            name="draw_alone",
            zh="抽签，无候补",
            en="Draw, no waitlist",
            body={"kind": "draw", "waitlist": _NO_WAITLIST},
        ),
        Regime(name="draw", zh="抽签＋候补", en="Draw, waitlist", body={"kind": "draw"}),
    )
}


def regime_named(name: str) -> Regime:
    """The regime of that name.

    Raises:
        InvalidInput: there is none.
    """
    if name not in REGIMES:
        listed = ", ".join(REGIMES)
        raise InvalidInput("policy", zh=f"应为 {listed} 之一", en=f"must be one of {listed}")
    return REGIMES[name]
