"""Witness: a second party's own programme, on its own machine, that gives its part to the seed of each draw.

For each draw that takes entries it makes a secret, keeps it and only then commits to it; once the entries are sealed it
keeps the root that was published and only then reveals. What it has kept it never writes over: it commits once, and
reveals for one root alone. If the hospital shows another root later, or a draw without the value that was revealed,
that is an alarm, and the kept files are the second party's proof.
"""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from shouhao.booking.release.seal import commitment
from shouhao.cli.witness_line import Console, ConsoleSaidNo, DrawSeen, WitnessRefused
from shouhao.kernel.clock import Clock, iso, to_us
from shouhao.store.durable import sync_folder

_SECRET_BYTES = 32
_KEY_LONGEST = 200
_DRAW_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ROOT = re.compile(r"[0-9a-f]{64}")

Kept = TypeVar("Kept", bound=msgspec.Struct)


class Mismatch(Exception):  # noqa: N818 - an alarm, told to the second party and not raised further
    """What the hospital shows now is not what this witness has kept. Codes in `ALARMS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


#: Refusals of a moment that has passed, or of a place that another took meanwhile.
_PASSING = frozenset({"booking.contribution_not_wanted", "booking.contribution_not_now", "booking.contribution_known"})

#: What each alarm means.
ALARMS: Mapping[str, tuple[str, str]] = {
    "other_commitment": (
        "控制台上本见证方的承诺不是本机提交的",
        "the console shows a commitment of this witness that this machine did not make",
    ),
    "other_close": ("截止时间与承诺时不同", "the close is not the one that was shown at the commitment"),
    "other_root": ("名单根与揭示前保存的不同", "the root is not the one that was kept before the value was revealed"),
    "sealed_early": ("截止时间未到就已封存", "the entries are said to be sealed before their close"),
    "left_out": ("抽签完成，却没有用到本见证方已公开的数值", "the draw was made without the value that was revealed"),
    "unreadable": ("控制台给出的时间或名单根不成形", "a moment or root that the console shows has no proper form"),
    "refused": ("控制台拒绝了本应接受的请求", "the console refused what it should take"),
}


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a draw before anything is sent."""

    draw_id: str
    who: str
    value: str  #: hex
    commitment: str
    closes_at: str
    kept_at: str  #: by this machine's clock


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The root for which the value is revealed, kept before it is."""

    draw_id: str
    root: str
    sealed_at: str
    kept_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """One thing that was done, or noticed."""

    draw_id: str
    what: str  #: committed, revealed, done, or a code of `ALARMS`

    @property
    def alarm(self) -> bool:
        """Whether somebody has to look."""
        return self.what in ALARMS


class Shelf:
    """The folder of one witness. A file is written whole or not at all, for its owner alone, and never again."""

    def __init__(self, folder: Path) -> None:
        """Take a folder, made if it is new."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def secret(self, draw_id: str) -> Secret | None:
        """What was committed to for a draw."""
        return self._read(self._path(draw_id, "secret"), Secret)

    def keep_secret(self, secret: Secret) -> Secret:
        """Keep it, unless there is one; the one that is kept."""
        return self._keep(self._path(secret.draw_id, "secret"), secret)

    def seen(self, draw_id: str) -> Seen | None:
        """The root for which the value was revealed."""
        return self._read(self._path(draw_id, "root"), Seen)

    def keep_seen(self, seen: Seen) -> Seen:
        """Keep it, unless there is one; the one that is kept."""
        return self._keep(self._path(seen.draw_id, "root"), seen)

    def finish(self, draw_id: str) -> None:
        """The draw is over for this witness."""
        self._path(draw_id, "done").touch(mode=0o600)

    def unfinished(self) -> list[str]:
        """Draws that were committed to and are not over."""
        known = {path.name.removesuffix(".secret.json") for path in self._folder.glob("*.secret.json")}
        return sorted(draw_id for draw_id in known if not self._path(draw_id, "done").exists())

    def is_finished(self, draw_id: str) -> bool:
        """Whether the draw is over for this witness."""
        return self._path(draw_id, "done").exists()

    def _path(self, draw_id: str, what: str) -> Path:
        return self._folder / (f"{draw_id}.{what}" if what == "done" else f"{draw_id}.{what}.json")

    def _keep(self, path: Path, given: Kept) -> Kept:
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(given))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)  # fails when there is one: a kept file is never written over
            sync_folder(path.parent)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return self._read(path, type(given)) or given

    def _read(self, path: Path, kind: type[Kept]) -> Kept | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise WitnessRefused(why_zh=f"{path} 无法读取", why_en=f"{path} cannot be read") from error


class Witness:
    """One second party."""

    def __init__(
        self,
        console: Console,
        shelf: Shelf,
        clock: Clock,
        *,
        chance: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Learn who this is.

        Args:
            clock: of this machine: whether a close has come is not taken from the hospital alone.
            chance: where secrets come from.
        """
        self._console = console
        self._shelf = shelf
        self._clock = clock
        self._chance = chance
        self.who = console.me()

    def look(self) -> list[Did]:
        """Do what is due for every draw, once.

        Raises:
            Unavailable: the console does not answer.
            ConsoleSaidNo: the key is not valid any more.
        """
        did: list[Did] = []
        coming = [draw.draw_id for draw in self._console.draws() if draw.witnesses and draw.state == "open"]
        for draw_id in sorted({*coming, *self._shelf.unfinished()}):
            if not _DRAW_ID.fullmatch(draw_id) or self._shelf.is_finished(draw_id):
                continue
            try:
                what = self._tend(draw_id)
            except Mismatch as alarm:
                what = alarm.code
            except ConsoleSaidNo as no:
                what = None if no.data["why"] in _PASSING else "refused"
            if what is not None:
                did.append(Did(draw_id=draw_id, what=what))
        return did

    def _tend(self, draw_id: str) -> str | None:
        draw = self._console.draw(draw_id)
        kept = self._shelf.secret(draw_id)
        mine = next((one for one in draw.contributions if one.kind == "witness" and one.who == self.who), None)
        if mine is None:
            return self._commit(draw_id, draw, kept)
        if kept is None or mine.commitment != kept.commitment:
            raise Mismatch("other_commitment")
        if draw.closes_at != kept.closes_at:
            raise Mismatch("other_close")
        if draw.state == "open":
            return None
        seen = self._shelf.seen(draw_id)
        if seen is not None and seen.root != draw.root:
            raise Mismatch("other_root")
        if draw.state == "made":
            return self._over(draw_id, revealed=seen is not None, counted=mine.given)
        if mine.given or draw.fallen_back is not None:
            return None
        return self._reveal(draw_id, draw, kept)

    def _commit(self, draw_id: str, draw: DrawSeen, kept: Secret | None) -> str | None:
        taken = sum(one.kind == "witness" for one in draw.contributions)
        if draw.state != "open" or taken >= draw.witnesses:
            if kept is not None:
                self._shelf.finish(draw_id)  # the commitment never arrived
            return None
        if kept is None:
            _moment_us(draw.closes_at)
            value = self._chance(_SECRET_BYTES)
            kept = self._shelf.keep_secret(
                Secret(
                    draw_id=draw_id,
                    who=self.who,
                    value=value.hex(),
                    commitment=commitment(draw_id, value, who=self.who),
                    closes_at=draw.closes_at,
                    kept_at=iso(self._clock.now_us()),
                )
            )
        if draw.closes_at != kept.closes_at:
            raise Mismatch("other_close")
        self._console.commit(draw_id, kept.commitment)
        return "committed"

    def _reveal(self, draw_id: str, draw: DrawSeen, kept: Secret) -> str | None:
        """Reveal, for one root, and not before the close by this machine's clock too.

        A hospital that seals early could learn the value, and then try lists until one suits.
        """
        now_us, closes_at_us = self._clock.now_us(), _moment_us(kept.closes_at)
        if _moment_us(draw.sealed_at) < closes_at_us:
            raise Mismatch("sealed_early")
        if now_us < closes_at_us:
            return None
        root = draw.root or ""
        if not _ROOT.fullmatch(root):
            raise Mismatch("unreadable")
        seen = self._shelf.keep_seen(
            Seen(draw_id=draw_id, root=root, sealed_at=draw.sealed_at or "", kept_at=iso(now_us))
        )
        if seen.root != root:
            raise Mismatch("other_root")
        self._console.reveal(draw_id, kept.value)
        return "revealed"

    def _over(self, draw_id: str, *, revealed: bool, counted: bool) -> str:
        self._shelf.finish(draw_id)
        if revealed and not counted:
            raise Mismatch("left_out")
        return "done"


def read_key(file: Path) -> str:
    """The operator's key from a file that only its owner can read.

    Raises:
        WitnessRefused: there is none, others can read it, or it is no key.
    """
    try:
        mode, raw = file.stat().st_mode, file.read_bytes()
    except OSError:
        raise WitnessRefused(why_zh=f"无法读取密钥文件 {file}", why_en=f"the key file {file} cannot be read") from None
    if mode & 0o077:
        raise WitnessRefused(why_zh=f"{file} 的权限须为 0600", why_en=f"the mode of {file} must be 0600")
    key = raw.decode("ascii", "replace").strip()
    if not re.fullmatch(rf"[!-~]{{1,{_KEY_LONGEST}}}", key):
        raise WitnessRefused(why_zh=f"{file} 中没有密钥", why_en=f"{file} holds no key")
    return key


def _moment_us(text: str | None) -> int:
    try:
        return to_us(datetime.fromisoformat(text or ""))
    except (ValueError, OverflowError):
        raise Mismatch("unreadable") from None
