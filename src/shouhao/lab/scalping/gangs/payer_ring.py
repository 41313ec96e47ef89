"""Payer ring: accounts that have nothing in common but who pays for them: three wallets for all.

They behave like anybody else, at anybody's speed, from phones and lines of their own.
"""

from shouhao.kernel.clock import HOUR_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.chance import soon
from shouhao.lab.scalping.gangs.gang import Gang, cover, days_of_work, sold_before
from shouhao.lab.scalping.gangs.human import at_release
from shouhao.lab.scalping.population import characterise
from shouhao.lab.scalping.visits import arrive, bind

_ACCOUNTS, _WALLETS = 16, 2
_TRACES = ("shared_payer",)


def plan(gang: Gang) -> None:
    """Each account works on some days; the wallets take turns."""
    world, rng = gang.world, gang.rng
    wallets = [world.new_payer() for _ in range(_WALLETS)]
    accounts = [gang.recruit("runner", traces=_TRACES) for _ in range(gang.size(_ACCOUNTS))]
    for account in accounts:
        characterise(world, account)
        account.quickness *= 0.6  # practice
        cover(gang, account, looks=rng.randint(1, 4))
    for day in days_of_work(gang, 1.0):
        for account in rng.sample(accounts, len(accounts) * 3 // 5):
            _work(gang, account, day, rng.choice(wallets))


def _work(gang: Gang, account: Account, day: int, wallet: int) -> None:
    world, rng = gang.world, gang.rng
    wishes = gang.targets(day)
    if not wishes:
        return
    together = [s for s in wishes if s.released_us == wishes[0].released_us][:3]
    patient = gang.customer()
    binds_us = together[0].released_us - round(rng.uniform(0.5, 14) * HOUR_US)

    def binds(now: int) -> None:
        bind(world, arrive(world, rng, account, now, pages=3), now + soon(rng, 25), patient)

    world.at(binds_us, binds)
    at_release(
        gang,
        account,
        patient,
        together,
        won=lambda won, booking, now: sold_before(gang, won, booking, now, payer=wallet),
    )
