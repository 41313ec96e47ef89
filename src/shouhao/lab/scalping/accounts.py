"""Accounts: who somebody is, honest or not. What stands here as `kind` or `gang` never leaves by the inputs."""

from dataclasses import dataclass, field
from typing import Literal

from shouhao.lab.scalping.addresses import Home
from shouhao.lab.scalping.phones import Phone

Side = Literal["honest", "gang"]


@dataclass(slots=True, eq=False, kw_only=True)
class Account:
    """One account and the person behind it."""

    number: int
    id: str
    kind: str
    patients: list[int]
    payer: int
    home: Home
    phones: list[Phone]  #: the one in use first, then the one that replaces it
    channel: str  #: app, wechat or web
    activity: float = 1.0  #: how much more than others it does
    quickness: float = 1.0  #: how long it takes to react, against others
    traits: set[str] = field(default_factory=set)
    doctor: int | None = None  #: whom they always go to
    office: str | None = None  #: address of the workplace
    new_at_us: int | None = None  #: signs up then
    changes_phone_at_us: int | None = None
    kin: list["Account"] = field(default_factory=list)
    side: Side = "honest"
    gang: str | None = None
    role: str | None = None
    traces: set[str] = field(default_factory=set)  #: what a detector could see of it
    tokens: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  #: by device and channel, with birth

    def phone_at(self, at_us: int) -> Phone:
        """The device in use."""
        late = self.changes_phone_at_us is not None and at_us >= self.changes_phone_at_us
        return self.phones[1 if late else 0]
