"""Human: a scalper at a release with nothing but hands. The very lines that honest people go through.

Waiting, looking, the face check, refreshing and the moment of pressing are drawn from the same distributions by the
same lines (at_release.py), so that nothing in a single visit can tell.
"""

from collections.abc import Sequence

from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.at_release import Rush
from shouhao.lab.scalping.gangs.gang import Gang, Won
from shouhao.lab.scalping.hospital import Session


def at_release(gang: Gang, account: Account, patient: int, wishes: Sequence[Session], *, won: Won) -> None:
    """Be at a release as anybody would; who gets nothing comes another day."""
    Rush(
        world=gang.world,
        rng=gang.rng,
        account=account,
        patient=patient,
        wishes=wishes,
        won=won,
        lost=lambda _client, _now: None,
    ).plan()
