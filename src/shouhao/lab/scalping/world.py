"""World: virtual time and everything that is in it. What happens, happens in order of time, on one thread."""

import heapq
from collections.abc import Callable

from shouhao.kernel.clock import DAY_US, HOUR_US, start_of_day_us
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.addresses import Home, Net
from shouhao.lab.scalping.chance import Ids, dice, picture
from shouhao.lab.scalping.desk import Desk
from shouhao.lab.scalping.hospital import WARM_UP_DAYS, Hospital
from shouhao.lab.scalping.options import Options
from shouhao.lab.scalping.phones import Phone, Shop
from shouhao.lab.scalping.record import Record

Act = Callable[[int], None]  #: given the time

_CHANNELS, _CHANNEL_WEIGHTS = ("app", "wechat", "web"), (40, 42, 18)


class World:
    """The hospital, its people, its wires and its clock."""

    def __init__(self, options: Options) -> None:
        seed, count = options.seed, options.scale.honest_accounts
        self.options = options
        self.first_us = start_of_day_us(options.first_day)
        self.start_us = self.first_us - WARM_UP_DAYS * DAY_US
        self.end_us = self.first_us + options.days * DAY_US
        self.rng = dice(seed, "honest")  #: of whoever is honest; each gang has its own
        self.ids = Ids(dice(seed, "ids"))
        self.record = Record()
        self.net = Net(dice(seed, "net"), accounts=count, first_day=-WARM_UP_DAYS)
        self.shop = Shop(dice(seed, "phones"))
        self.hospital = Hospital(
            dice(seed, "hospital"), self.ids, accounts=count, days=options.days, first_us=self.first_us
        )
        self.desk = Desk(self.hospital, self.record, self.ids)
        self.accounts: list[Account] = []
        self.patient_notes: dict[int, tuple[str, str]] = {}  #: gang and role of patients that are one's
        self.ip_kinds: dict[str, str] = {}  #: what an address is, where more is known than who used it
        self.device_kinds: dict[str, str] = {}
        self.staff_kinds: dict[int, tuple[str, str]] = {}
        self.faces: dict[int, int] = {}  #: of patients who have shown theirs
        self.insurer = self.record.payers.add(self.ids.new("q"))  #: one payer for a crowd: the health insurance
        self.check_in: list[tuple[int, int]] = []  #: where one checks in: connection, and operator or none
        self._heap: list[tuple[int, int, Act]] = []
        self._told = 0
        self.now_us = self.start_us

    def at(self, when_us: int, act: Act) -> None:
        """Do this then, or now if then is over; what would be after the end is left out."""
        if when_us < self.end_us:
            self._told += 1
            heapq.heappush(self._heap, (max(when_us, self.now_us), self._told, act))

    def run(self) -> None:
        """Let the days go by."""
        while self._heap:
            self.now_us, _, act = heapq.heappop(self._heap)
            act(self.now_us)

    def moment(self, day: int, hour: float) -> int:
        """An instant of a day; 0 is the first exported one."""
        return self.first_us + day * DAY_US + round(hour * HOUR_US)

    def day_of(self, at_us: int) -> int:
        """The number of an instant's day."""
        return (at_us - self.first_us) // DAY_US

    def hour_of(self, at_us: int) -> float:
        """The hour of the day."""
        return (at_us - self.first_us) % DAY_US / HOUR_US

    @property
    def days(self) -> range:
        """All that are lived, the warm-up first."""
        return range(-WARM_UP_DAYS, self.options.days)

    def new_patient(self) -> int:
        """Somebody's number."""
        return self.record.patients.add(self.ids.new("p"))

    def new_payer(self) -> int:
        """Somebody who pays."""
        return self.record.payers.add(self.ids.new("q"))

    def face_of(self, patient: int) -> int:
        """The hash of this person's face; it is theirs for good."""
        known = self.faces.get(patient)
        if known is None:
            known = self.faces[patient] = picture(self.rng)
        return known

    def new_account(
        self, kind: str, *, patients: int = 1, home: Home | None = None, phone: Phone | None = None, channel: str = ""
    ) -> Account:
        """Somebody like anybody: gangs are made by the same hand, and change afterwards what their business changes."""
        rng = self.rng
        account = Account(
            number=len(self.accounts),
            id=self.ids.new("a"),
            kind=kind,
            patients=[self.new_patient() for _ in range(patients)],
            payer=self.new_payer(),
            home=home or self.net.home(ipv6=rng.random() < 0.25),  # noqa: PLR2004 - the share of homes with version 6
            phones=[phone or self.shop.phone(stale=rng.random() < 0.008)],  # noqa: PLR2004 - phones never updated
            channel=channel or rng.choices(_CHANNELS, _CHANNEL_WEIGHTS)[0],
            activity=rng.lognormvariate(-0.3, 0.8),
            quickness=rng.lognormvariate(0, 0.35),
        )
        self.accounts.append(account)
        return account
