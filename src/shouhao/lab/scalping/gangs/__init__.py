"""Scalpers, one kind a file; the registry says which function sets a kind to work."""

from collections.abc import Callable, Mapping

from shouhao.lab.scalping.chance import dice
from shouhao.lab.scalping.gangs import (
    careful,
    crude_script,
    face_batch,
    handover,
    insider,
    payer_ring,
    phone_farm,
    series,
)
from shouhao.lab.scalping.gangs.gang import Gang
from shouhao.lab.scalping.options import GangKind
from shouhao.lab.scalping.world import World

PLANS: Mapping[GangKind, Callable[[Gang], None]] = {
    "crude_script": crude_script.plan,
    "phone_farm": phone_farm.plan,
    "quick_handover": handover.plan_quick,
    "slow_handover": handover.plan_slow,
    "edited_patient": handover.plan_edited,
    "series": series.plan,
    "face_batch": face_batch.plan,
    "insider": insider.plan,
    "payer_ring": payer_ring.plan,
    "careful_resale": careful.plan_resale,
    "careful_preorder": careful.plan_preorder,
    "careful_codes": careful.plan_codes,
    "careful_ghost": careful.plan_ghosts,
}


def scalpers(world: World) -> list[Gang]:
    """Set all of the day's gangs to work."""
    options = world.options
    gangs: list[Gang] = []
    for kind in options.gang_kinds:
        for n in range(options.scale.gangs_of_a_kind):
            gang = Gang(
                id=f"g{len(gangs) + 1:02d}",
                kind=kind,
                world=world,
                rng=dice(options.seed, f"{kind} {n}"),
                growth=options.scale.gang_growth * options.strength,
            )
            PLANS[kind](gang)
            gangs.append(gang)
    return gangs
