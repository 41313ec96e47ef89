"""Drawn: the morning's draws as anyone may read them, repeated from their files, and held against what was heard.

The files come over the public interface. Nothing in here looks into the database.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shouhao.booking.release.draw_file import read, verify
from shouhao.kernel.errors import Unavailable
from shouhao.lab.checks import Check
from shouhao.lab.clients import connect
from shouhao.lab.figures import Happened
from shouhao.lab.heard import Door, Entered

_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawFile:
    """One published draw."""

    draw_id: str
    path: Path
    content: Mapping[str, Any]

    def winners(self) -> dict[str, str]:
        """Sessions by the entry that won them."""
        return {win["id"]: win["target"] for win in self.content["wins"]}


def read_draws(door: Door, draw_ids: Sequence[str], out: Path) -> list[DrawFile]:
    """Fetch the files as anyone would, and keep them in `out`.

    Raises:
        Unavailable: one is not published.
    """
    return asyncio.run(_read(door, draw_ids, out))


async def _read(door: Door, draw_ids: Sequence[str], out: Path) -> list[DrawFile]:
    connection = await connect(door.host, door.port)
    found = []
    try:
        for draw_id in draw_ids:
            path = f"/api/v1/draws/{draw_id}/file"
            reply = await connection.ask("GET", path, headers={"X-Channel-Key": door.channel_key})
            if reply.status != _OK:
                raise Unavailable(f"GET {path}: {reply.status}")
            kept = out / f"draw-{draw_id}.json"
            kept.write_bytes(reply.body)
            found.append(DrawFile(draw_id=draw_id, path=kept, content=read(reply.body)))
    finally:
        connection.close()
    return found


def draw_checks(files: Sequence[DrawFile], entered: Sequence[Entered], happened: Sequence[Happened]) -> list[Check]:
    """What must hold of a draw: anyone can repeat it, nobody is left out quietly, and winners are who was offered."""
    published = {
        file.draw_id: {
            one["id"] for part in (file.content["entries"], file.content["draw"]["left_out"]) for one in part
        }
        for file in files
    }
    receipts = {(e.draw_id, e.entry_id) for e in entered}
    drawn = {e.patient_id for e in happened if e.kind == "offered" and e.why == "draw_won"}
    won = {(file.draw_id, entry) for file in files for entry in file.winners()}
    winners = {e.who for e in entered if (e.draw_id, e.entry_id) in won}
    people = Counter((draw_id, who) for draw_id, who, _ in {(e.draw_id, e.who, e.entry_id) for e in entered})
    return [
        Check(
            code="draw_file_repeats",
            zh="每个抽签结果都能只凭公布的文件重算出来",
            en="Every draw can be repeated from its published file alone",
            looked_at=len(files),
            broken=sum(not all(check.holds for check in verify(file.content)) for file in files),
        ),
        Check(
            code="receipts_are_in_the_list",
            zh="每张报名回执都在公布的名单里",
            en="Every receipt's entry stands in the published list",
            looked_at=len(receipts),
            broken=sum(entry not in published.get(draw_id, set()) for draw_id, entry in receipts),
        ),
        Check(
            code="winners_are_who_was_offered",
            zh="得到号的，正是公布名单中的中签者",
            en="Nobody was offered a slot by a draw but who won it in the file",
            looked_at=len(drawn),
            broken=len(drawn - winners),
        ),
        Check(
            code="one_entry_a_person",
            zh="每次抽签每人只有一份报名，换账号再报也是同一份",
            en="A person has one entry in a draw, whichever account entered",
            looked_at=len(people),
            broken=sum(count > 1 for count in people.values()),
        ),
    ]


def draws_report(
    files: Sequence[DrawFile],
    entered: Sequence[Entered],
    *,
    departments: Mapping[str, tuple[str, str]],
) -> list[dict[str, Any]]:
    """Each draw in numbers, patients and the gang apart.

    Args:
        departments: names of a session's department, in both languages.
    """
    group_of = {(e.draw_id, e.entry_id): e.group for e in entered}
    return [_one(file, group_of, departments) for file in files]


def _one(
    file: DrawFile, group_of: Mapping[tuple[str, str], str], departments: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    content, targets = file.content, file.content["draw"]["targets"]
    entries = Counter(group_of.get((file.draw_id, one["id"]), "unknown") for one in content["entries"])
    wins = Counter(group_of.get((file.draw_id, entry), "unknown") for entry in file.winners())
    zh, en = departments[targets[0]["id"]]
    return {
        "draw_id": file.draw_id,
        "department_zh": zh,
        "department_en": en,
        "sessions": len(targets),
        "seats": sum(target["seats"] for target in targets),
        "entries": {"patients": entries["patient"], "gang": entries["gang"]},
        "won": {"patients": wins["patient"], "gang": wins["gang"]},
        "left_out": len(content["draw"]["left_out"]),
        "trust": content["trust"]["level"],
        "root": content["root"],
        "file": file.path.name,
    }


def won_by(files: Sequence[DrawFile]) -> set[tuple[str, str]]:
    """Draw and entry of everybody who won."""
    return {(file.draw_id, entry) for file in files for entry in file.winners()}
