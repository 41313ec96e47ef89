"""Groups: honest people who act for many others. They look like farms and rings, and are none.

A care home has one account for dozens of elders, or dozens of accounts on one phone. A company signs its staff up in
an hour and pays for all. A village doctor books for those who have no phone. A legal escort (陪诊) binds a customer,
books, comes along and unbinds.
"""

from shouhao.kernel.clock import HOUR_US, MINUTE_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.afterwards import got, pick_open
from shouhao.lab.scalping.chance import around, soon
from shouhao.lab.scalping.faces import show_face
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.visits import arrive, bind, latency, search, sign_up, view
from shouhao.lab.scalping.wants import any_day, want_hot
from shouhao.lab.scalping.world import World

_ACCOUNTS_A_HOME = 3000
_ACCOUNTS_AN_ESCORT = 1200
_ACCOUNTS_A_VILLAGE_DOCTOR = 1200
_ACCOUNTS_A_DRIVE = 4000


def _how_many(world: World, accounts_each: int) -> int:
    return max(2, world.options.scale.honest_accounts // accounts_each)


def care_homes(world: World) -> list[Account]:
    """Half of them with one account for all, half with one phone for all accounts."""
    made: list[Account] = []
    for n in range(_how_many(world, _ACCOUNTS_A_HOME)):
        home, phone = world.net.home(), world.shop.phone()
        if n % 2:
            elders = [
                world.new_account("care_home", home=home, phone=phone, channel="app")
                for _ in range(world.rng.randint(12, 24))
            ]
            for account in elders:
                account.payer = elders[0].payer
        else:
            elders = [world.new_account("care_home", patients=world.rng.randint(20, 45), home=home, phone=phone)]
        for account in elders:
            account.traits.add("home_only")
        made += elders
        _plan_rounds(world, elders)
    return made


def _plan_rounds(world: World, elders: list[Account]) -> None:
    """A nurse sits down three or four times a week and books for one after another."""
    rng = world.rng
    backdrop = rng.getrandbits(256)
    for _ in range(rng.randint(3, 5) * len(world.days) // 10 + 1):
        at_us = world.moment(any_day(world), rng.uniform(9, 16))
        todo = [(account, patient) for account in elders for patient in account.patients]
        for account, patient in rng.sample(todo, min(len(todo), rng.randint(6, 14))):
            at_us += round((40 + around(rng, 60, 0.4)) * SECOND_US)
            _book_for(world, account, patient, at_us, backdrop=backdrop)


def _book_for(world: World, account: Account, patient: int, at_us: int, *, backdrop: int | None = None) -> None:
    """One of many bookings in a row for others."""

    def act(now: int) -> None:
        rng = world.rng
        client = arrive(world, rng, account, now, pages=4)
        department = rng.randrange(len(world.hospital.department_ids))
        search(world, client, now + soon(rng, 5), department)
        found = pick_open(world, department, now, count=1)
        if backdrop is not None:
            show_face(world, rng, client, now + soon(rng, 8), patient, backdrop=backdrop)
        if found:
            session = found[0]
            view(world, client, now + soon(rng, 9), session)
            when_us = now + round((12 + around(rng, 9, 0.5)) * SECOND_US)
            world.at(when_us, lambda then: _take(world, account, patient, client, session, then))

    world.at(at_us, act)


def _take(world: World, account: Account, patient: int, client: int, session: Session, now_us: int) -> None:
    booking = world.desk.book(
        now_us, client, patient, session, latency=latency(world.rng, 4.0), pick=world.rng.random()
    )
    if booking is not None:
        got(world, account, booking, now_us)


def office_drives(world: World) -> list[Account]:
    """The personnel office asks everybody to sign up today; the company pays for the check-up."""
    made: list[Account] = []
    for _ in range(max(1, world.options.scale.honest_accounts // _ACCOUNTS_A_DRIVE)):
        rng, office, payer = world.rng, world.rng.choice(world.net.offices), world.new_payer()
        start_us = world.moment(rng.randrange(world.options.days - 1), rng.uniform(9.5, 15))
        staff = [world.new_account("office_drive") for _ in range(rng.randint(22, 48))]
        for account in staff:
            account.payer, account.office = payer, office
            account.new_at_us = start_us + round(rng.expovariate(1 / 1500) * SECOND_US)
            _plan_check_up(world, account, account.new_at_us)
        made += staff
    return made


def _plan_check_up(world: World, account: Account, at_us: int) -> None:
    rng = world.rng
    world.at(at_us, lambda now: _signs_up(world, account, now))
    if rng.random() < 0.8:  # noqa: PLR2004 - most do it at once
        _book_for(world, account, account.patients[0], at_us + round((60 + around(rng, 240, 0.8)) * SECOND_US))


def _signs_up(world: World, account: Account, now_us: int) -> None:
    sign_up(world, world.rng, account, now_us)


def village_doctors(world: World) -> list[Account]:
    """Who books for the village: ordinary slots mostly, wanted ones at times."""
    made: list[Account] = []
    for _ in range(_how_many(world, _ACCOUNTS_A_VILLAGE_DOCTOR)):
        rng = world.rng
        account = world.new_account("village_doctor", patients=rng.randint(10, 25))
        made.append(account)
        for patient in rng.sample(account.patients, rng.randint(6, 10)):
            day = any_day(world)
            if rng.random() < 0.25:  # noqa: PLR2004 - a quarter of their villagers
                want_hot(world, account, patient, day, tries=1)
            else:
                _book_for(world, account, patient, world.moment(day, rng.uniform(8, 21)))
    return made


def escorts(world: World) -> list[Account]:
    """Companions for a fee, as the law allows: each customer is bound, booked for, accompanied and unbound."""
    made: list[Account] = []
    for _ in range(_how_many(world, _ACCOUNTS_AN_ESCORT)):
        account = world.new_account("escort")
        made.append(account)
        for _ in range(world.rng.randint(7, 16) * len(world.days) // 10 + 1):
            _plan_customer(world, account, any_day(world))
    return made


def _plan_customer(world: World, account: Account, day: int) -> None:
    rng, patient = world.rng, world.new_patient()
    at_us = world.moment(day, rng.uniform(9, 20))

    def takes_on(now: int) -> None:
        client = arrive(world, rng, account, now, pages=4)
        bind(world, client, now + soon(rng, 30), patient)
        account.patients.append(patient)

    def lets_go(now: int) -> None:
        client = arrive(world, rng, account, now, pages=2)
        world.record.event(now + soon(rng, 20), "patient_unbound", client, patient=patient)
        account.patients.remove(patient)

    world.at(at_us, takes_on)
    if rng.random() < 0.2:  # noqa: PLR2004 - customers who want a doctor whom everybody wants
        want_hot(world, account, patient, day + 1, tries=1)
    else:
        _book_for(world, account, patient, at_us + round((4 + around(rng, 20, 0.8)) * MINUTE_US))
    if rng.random() < 0.5:  # noqa: PLR2004 - the list of bound patients is short
        world.at(at_us + 4 * 24 * HOUR_US, lets_go)
