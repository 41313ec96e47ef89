"""Labels: who was what. They lie beside the inputs and are read by the judge alone.

Only who shows in the inputs has a label. A device or an address that both honest people and a gang used is `mixed`: a
carrier's address, the hospital's Wi-Fi, a phone that was sold.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.gangs.gang import Gang
from shouhao.lab.scalping.record import NONE
from shouhao.lab.scalping.traffic import Hits
from shouhao.lab.scalping.world import World
from shouhao.lab.scalping.write_logs import servers

VERSION = 1

Numbers = npt.NDArray[np.int64]


def labels(world: World, gangs: Iterable[Gang], events: Numbers, hits: Hits) -> dict[str, Any]:
    """Everything the judge needs."""
    in_events = np.unique(events[:, 2])
    seen = np.union1d(in_events, np.unique(hits.client)).tolist()
    clients = world.record.clients
    told = {clients[n].account for n in in_events.tolist()} - {NONE}
    devices, ips = _users(world, seen, "device"), _users(world, seen, "ip")
    options = world.options
    return {
        "version": VERSION,
        "seed": options.seed,
        "size": options.size,
        "scenario": options.scenario,
        "kinds": list(options.gang_kinds),
        "strength": options.strength,
        "days": options.days,
        "clocks_fast_ms": {server.name: server.fast_us / 1000 for server in servers(world)},
        "accounts": {world.accounts[n].id: _account(world.accounts[n]) for n in sorted(told)},
        "devices": _of_users(world, devices, world.record.devices.texts, world.device_kinds),
        "ips": _of_users(world, ips, world.record.ips.texts, world.ip_kinds),
        "staff": {world.hospital.staff_ids[n]: {"gang": g, "role": r} for n, (g, r) in world.staff_kinds.items()},
        "patients": {
            world.record.patients.texts[n]: {"gang": g, "role": r} for n, (g, r) in world.patient_notes.items()
        },
        "gangs": {gang.id: _gang(gang, told) for gang in gangs},
    }


def write_labels(found: dict[str, Any], path: Path) -> None:
    """Write them."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


def _account(account: Account) -> dict[str, Any]:
    label: dict[str, Any] = {"side": account.side, "kind": account.kind}
    if account.traits:
        label["traits"] = sorted(account.traits)
    if account.gang is not None:
        label |= {"gang": account.gang, "role": account.role, "traces": sorted(account.traces)}
    return label


def _gang(gang: Gang, told: set[int]) -> dict[str, Any]:
    shown = [account for account in gang.accounts if account.number in told]
    traces = sorted({trace for account in shown for trace in account.traces})
    return {"kind": gang.kind, "accounts": [account.id for account in shown], "traces": traces}


def _users(world: World, seen: Iterable[int], what: str) -> dict[int, set[int]]:
    """Which accounts used which device or address; -1 for somebody without an account."""
    users: dict[int, set[int]] = {}
    for n in seen:
        client = world.record.clients[n]
        users.setdefault(getattr(client, what), set()).add(client.account)
    users.pop(NONE, None)
    return users


def _of_users(
    world: World, users: dict[int, set[int]], texts: list[str], kinds: dict[str, str]
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for n in sorted(users):
        accounts = [world.accounts[a] for a in sorted(users[n]) if a != NONE]
        gangs = sorted({account.gang for account in accounts if account.gang is not None})
        honest = [account for account in accounts if account.gang is None]
        is_what = kinds.get(texts[n]) or _kind(honest)
        if not gangs:
            found[texts[n]] = {"side": "honest", "kind": is_what}
        elif honest or texts[n] in kinds:
            found[texts[n]] = {"side": "mixed", "kind": is_what, "gangs": gangs}
        else:
            found[texts[n]] = {"side": "gang", "gangs": gangs}
    return found


def _kind(honest: list[Account]) -> str:
    kinds = {account.kind for account in honest}
    return next(iter(kinds)) if len(kinds) == 1 else "several"
