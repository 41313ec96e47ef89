"""Population: the honest, with the shares in which they are about. What they do is in wants.py and afterwards.py.

Each account has one kind (what it is) and any number of traits (how it behaves). The shares here are what the tests
hold the written days to.
"""

from collections.abc import Callable, Mapping

from shouhao.kernel.clock import DAY_US, HOUR_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.chance import around, blurred, poisson, soon
from shouhao.lab.scalping.groups import care_homes, escorts, office_drives, village_doctors
from shouhao.lab.scalping.visits import arrive, bind, sign_up
from shouhao.lab.scalping.wants import any_day, look_around, some_time, want_any, want_hot
from shouhao.lab.scalping.world import World

#: Parts of the honest accounts that are of a kind; whoever is left is `single`.
KINDS: Mapping[str, float] = {
    "family": 0.20,  # one account, two to six patients
    "shared_child": 0.05,  # one child, bound to two to four accounts of a family
    "couple": 0.05,  # two accounts that act for each other, often one payer
    "shared_phone": 0.05,  # two to four accounts on one phone
    "chronic": 0.04,  # the same doctor again and again, some by extra slots
    "helper": 0.02,  # a grandchild's phone signs in to the accounts of old people at a release
    "second_hand": 0.01,  # a phone that was sold: one device, two strangers
    "newcomer": 0.07,  # signs up and books at once, never seen before
}
#: Parts of ordinary accounts that behave in a way.
TRAITS: Mapping[str, float] = {
    "roamer": 0.06,  # many addresses a day
    "mobile_only": 0.15,  # always behind a carrier's address
    "impatient": 0.01,  # hundreds of refreshes a minute by hand
    "auto_refresh": 0.01,  # a browser extension with a constant period
    "return_watcher": 0.01,  # looks every few seconds whether a slot is returned
    "anticipator": 0.02,  # taps from before the release
    "fast_fingers": 0.015,  # a third of the usual time to react
    "deep_link": 0.04,  # from a message straight to the session: no browsing
    "clears_cookies": 0.02,  # a new device at each visit
    "changed_phone": 0.02,  # another device from some day on
    "rebooker": 0.04,  # returns for another day
    "stays_away": 0.02,  # does not come, half of the time
    "night_owl": 0.03,  # at night
    "helps_others": 0.05,  # binds a neighbour or an aunt some hours before, and books for them
    "insured": 0.15,  # the health insurance pays: one payer for all of them
}
_WANTS, _LOOKS, _HOT = 1.0, 1.1, 0.5
#: They want a doctor whom everybody wants, and badly: at least once in these days.
_EAGER = {"impatient", "auto_refresh", "return_watcher", "anticipator"}
_MOST = 24
_OFFICE = 0.25
_SAME_PAYER = 0.45
_TWINS, _TWIN_BITS = 0.10, 36
_HELPS = 0.6


def people(world: World) -> None:
    """Everybody honest, and all that they set out to do."""
    ordinary: list[Account] = []
    count = world.options.scale.honest_accounts
    for kind, make in _MAKERS.items():
        made = 0
        while made < round(KINDS[kind] * count):
            group = make(world)
            ordinary += group
            made += len(group)
    groups = [care_homes, office_drives, village_doctors, escorts]
    special = [account for make_all in groups for account in make_all(world)]
    while len(ordinary) + len(special) < count:
        ordinary.append(world.new_account("single"))
    for account in ordinary:
        characterise(world, account)
    for account in ordinary:
        _plan(world, account)


def characterise(world: World, account: Account) -> None:
    """Give somebody ways of their own; careful scalpers have theirs from the same place."""
    rng = world.rng
    account.traits |= {trait for trait, share in TRAITS.items() if rng.random() < share}
    if rng.random() < _OFFICE:
        account.office = rng.choice(world.net.offices)
    if "clears_cookies" in account.traits or "auto_refresh" in account.traits:
        account.channel = "web"
    if "fast_fingers" in account.traits:
        account.quickness *= 0.35
    if "changed_phone" in account.traits and len(account.phones) == 1:
        account.phones.append(world.shop.phone())
        account.changes_phone_at_us = some_time(world, account, any_day(world, least=0))
    if len(account.patients) > 2 and rng.random() < _TWINS:  # noqa: PLR2004 - a parent and two children at least
        world.faces[account.patients[2]] = blurred(rng, world.face_of(account.patients[1]), _TWIN_BITS)
    if account.kind == "chronic":
        account.doctor = rng.randrange(len(world.hospital.doctors))
        account.activity *= 1.5
    if account.kind == "newcomer":
        account.new_at_us = some_time(world, account, any_day(world))


def _plan(world: World, account: Account) -> None:
    rng = world.rng
    part = len(world.days) / 10  # as against the ten days of the usual options
    wants = min(_MOST, poisson(rng, _WANTS * part * account.activity))
    looks = min(_MOST, poisson(rng, _LOOKS * part * account.activity))
    first_us = world.start_us
    if account.new_at_us is not None:
        new_us = first_us = account.new_at_us
        wants = max(1, wants)
        world.at(new_us, lambda now: _newcomes(world, account, now))
        wants -= 1
    for _ in range(looks):
        at_us = some_time(world, account, any_day(world, least=world.day_of(first_us)))
        if at_us > first_us:
            world.at(at_us, lambda now: look_around(world, account, now))
    least_day = world.day_of(first_us) + (first_us > world.start_us)
    if account.traits & _EAGER and least_day < world.options.days:
        want_hot(world, account, account.patients[0], any_day(world, least=max(0, least_day)))
    for _ in range(wants):
        _plan_want(world, account, least_day)


def _newcomes(world: World, account: Account, now_us: int) -> None:
    sign_up(world, world.rng, account, now_us)
    at_us = now_us + soon(world.rng, 60 * (1 + len(account.patients)))
    world.at(at_us, lambda now: want_any(world, account, account.patients[0], now))


def _plan_want(world: World, account: Account, least_day: int) -> None:
    rng = world.rng
    if least_day >= world.options.days:
        return
    day = any_day(world, least=least_day)
    if "helps_others" in account.traits and rng.random() < _HELPS:
        patient = world.new_patient()
        bound_us = world.moment(day, 0) - round(around(rng, 4, 0.8) * HOUR_US)
        world.at(bound_us, lambda now: _binds(world, account, patient, now))
    else:
        patient = rng.choice(account.patients)
    if rng.random() < _HOT:
        want_hot(world, account, patient, day)
    else:
        world.at(some_time(world, account, day), lambda now: want_any(world, account, patient, now))


def _binds(world: World, account: Account, patient: int, now_us: int) -> None:
    client = arrive(world, world.rng, account, now_us, pages=5)
    bind(world, client, now_us + soon(world.rng, 40), patient)


def _family(world: World) -> list[Account]:
    return [world.new_account("family", patients=world.rng.choices((2, 3, 4, 5, 6), (40, 32, 18, 7, 3))[0])]


def _alone(kind: str) -> Callable[[World], list[Account]]:
    return lambda world: [world.new_account(kind)]


def _shared_child(world: World) -> list[Account]:
    home = world.net.home(ipv6=world.rng.random() < 0.25)  # noqa: PLR2004 - as everybody
    family = [world.new_account("shared_child", home=home) for _ in range(world.rng.choice((2, 2, 3, 4)))]
    child = world.new_patient()
    for account in family:
        account.patients.append(child)
        account.kin = [other for other in family if other is not account]
    return family


def _couple(world: World) -> list[Account]:
    home = world.net.home(ipv6=world.rng.random() < 0.25)  # noqa: PLR2004 - as everybody
    one, other = (world.new_account("couple", home=home) for _ in range(2))
    both = [*one.patients, *other.patients]
    one.patients, other.patients = list(both), list(both)
    one.kin, other.kin = [other], [one]
    if world.rng.random() < _SAME_PAYER:
        other.payer = one.payer
    return [one, other]


def _shared_phone(world: World) -> list[Account]:
    home, phone = world.net.home(), world.shop.phone()
    group = [
        world.new_account("shared_phone", home=home, phone=phone, channel="wechat" if n else "app")
        for n in range(world.rng.choice((2, 2, 2, 3, 4)))
    ]
    for account in group[1:]:
        account.payer = group[0].payer
    return group


def _helper(world: World) -> list[Account]:
    young = world.new_account("helper", channel="app")
    old = [world.new_account("helper", channel="app") for _ in range(world.rng.choice((1, 2, 3)))]
    for account in old:
        account.phones.append(young.phones[0])  # from some day on, the young one does it for them
        account.changes_phone_at_us = some_time(world, account, any_day(world, least=0))
        account.activity *= 1.5
    return [young, *old]


def _second_hand(world: World) -> list[Account]:
    seller, buyer = (world.new_account("second_hand", channel="app") for _ in range(2))
    for account in (seller, buyer):
        account.activity += 1.5  # so that both of them show
    sold_us = some_time(world, seller, any_day(world, least=1))
    seller.phones.append(world.shop.phone())
    seller.changes_phone_at_us = sold_us
    buyer.phones.append(seller.phones[0])
    buyer.changes_phone_at_us = sold_us + DAY_US // 2
    return [seller, buyer]


_MAKERS: Mapping[str, Callable[[World], list[Account]]] = {
    "family": _family,
    "shared_child": _shared_child,
    "couple": _couple,
    "shared_phone": _shared_phone,
    "chronic": _alone("chronic"),
    "helper": _helper,
    "second_hand": _second_hand,
    "newcomer": _alone("newcomer"),
}
