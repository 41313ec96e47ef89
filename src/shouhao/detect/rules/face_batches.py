"""Face batches: one face for many patients, one picture sent again, and checks faster than people can stand in line.

A parent's face stands for the children of one account, so it begins where several accounts or many patients show the
same picture. A camera never makes the same picture twice; but the hash of an empty picture is everybody's, so hashes
that tell nothing are left out (near_hashes.py), and so is a picture that a large part of all people show: that is a
fault of a program. What staff and kiosks check is not looked at: there somebody stands before a person.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any, ClassVar

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr.types import Table

from shouhao.detect.counted.near_hashes import near_others, tells_something
from shouhao.detect.counting import united
from shouhao.detect.identifiers import in_house
from shouhao.detect.model import Says, Speaks, Subject, SubjectKind, Suspicion, Tables, Wanted
from shouhao.kernel.clock import MINUTE_US

_OWASP = "OAT-020 Account Aggregation"
_HASHES = {"face": "face_hash", "frame": "frame_hash"}
_BACKDROP = r'"backdrop(?:_hash)?"\s*:\s*"([0-9a-fA-F]+)"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One kind of picture that should not be shared, and from when on it is."""

    kind: str  #: face, frame, backdrop
    from_accounts: int
    first_weight: float
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on faces are a batch, and how much that may weigh."""

    batches: tuple[Batch, ...] = (
        # Father and mother may show one child's picture from two accounts; a third account is not theirs.
        Batch(kind="face", from_accounts=3, first_weight=4.0, zh="同一张人脸图像", en="one picture of a face"),
        # The very same moment before the very same camera, in the name of two: only a file can be in two places.
        Batch(kind="frame", from_accounts=2, first_weight=4.5, zh="同一帧画面", en="one and the same frame"),
        # Beds of one dormitory look alike; a wall behind eight accounts is one room.
        Batch(kind="backdrop", from_accounts=8, first_weight=3.0, zh="同一背景", en="one backdrop"),
    )
    #: The same frame to the bit from three accounts: a camera does not do that, and neither does a fault that hits only
    #: these. It is the one pattern here that needs no second cause, so it may weigh what a cause alone may not.
    same_frame_accounts: int = 3
    same_frame_weight: float = 10.0
    same_frame_share: float = 0.01  #: of all who were checked; more share frames than that, and the hash is a weak one
    per_doubling: float = 1.0
    patients_of_one: int = 6  #: in one account: a parent's face for children and old parents, and one to spare
    rate_patients: int = 5  #: checked within a minute: each has to be called, to sit down and to turn the head
    replays: int = 3  #: the same frame of the same patient: a frozen picture may be sent twice
    replay_over_us: int = 10 * MINUTE_US
    most: float = 6.0
    most_share: float = 0.25  #: of all accounts that were checked; more is a fault of the program
    least_accounts: int = 20  #: checked in the data


_SAME_FRAME = Batch(
    kind="frame", from_accounts=3, first_weight=10.0, zh="逐位相同的同一帧画面", en="the same frame, to the bit,"
)


class FaceBatches:
    """One face for many: see the file."""

    code: ClassVar[str] = "face_batches"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"events.account_id", "events.patient_id"})

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """Who showed which picture, how many patients a minute, and frames that came again."""
        events = tables.events
        checks = events.filter(~in_house(events) & events.account_id.notnull() & events.patient_id.notnull())
        pictures = {kind: checks[column] for kind, column in _HASHES.items() if f"events.{column}" in tables.has}
        if "events.detail" in tables.has:
            pictures["backdrop"] = checks.detail.re_extract(_BACKDROP, 1)
        if not pictures:
            return {}
        shown = united([_shown(checks, kind, value) for kind, value in pictures.items()])
        is_check = checks.face_hash.notnull() | checks.frame_hash.notnull() | (checks.kind == "face_checked")
        checked = checks.filter(is_check)
        return {
            "shown": shown,
            "rates": united([_rates(checked, column, self.policy) for column in ("account_id", "device_id")]),
            "checked": checked.agg(accounts=checked.account_id.nunique()),
        }

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Suspicions: batches, rates, replays."""
        if not counted:
            return
        (checked,) = counted["checked"].to_pylist()
        frames = _pictures(counted["shown"], "frame", self.policy)
        if checked["accounts"] >= self.policy.least_accounts:
            for batch in self.policy.batches:
                of = frames if batch.kind == "frame" else _pictures(counted["shown"], batch.kind, self.policy)
                yield from _batches(of, batch, checked["accounts"], self.policy)
            yield from _same_frames(frames.rows, checked["accounts"], self.policy)
        yield from _fast(counted["rates"], self.policy)
        yield from _replayed(frames.rows, self.policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pictures:
    """Pictures of one kind that several show, or that are near another, or that came again; nearly none is."""

    rows: Sequence[Mapping[str, Any]]  #: by hash, account and patient
    near: Mapping[str, str]  #: hashes that are near another one, and the least of those of the same picture


def _pictures(shown: pa.Table, kind: str, policy: Policy) -> _Pictures:
    of_kind = shown.filter(pc.equal(shown["kind"], kind))
    hashes = pc.utf8_lower(of_kind["hash"]).combine_chunks().dictionary_encode()
    texts, which = hashes.dictionary.to_pylist(), hashes.indices.to_numpy()
    near = near_others(texts)
    worth = np.bincount(which, minlength=len(texts)) > 1
    worth |= np.fromiter((text in near for text in texts), np.bool_, len(texts))
    kept = of_kind.filter(pa.array(worth[which] | (of_kind["n"].to_numpy() >= policy.replays)))
    return _Pictures(
        rows=sorted(kept.to_pylist(), key=lambda r: (r["hash"], r["account_id"], r["patient_id"])), near=near
    )


def _shown(checks: Table, kind: str, value: ibis.expr.types.StringValue) -> Table:
    """Each picture with who showed it for whom: kind, hash, account_id, patient_id, n, first_at_us, last_at_us."""
    rows = checks.select("account_id", "patient_id", "at_us", hash=value)
    rows = rows.filter(rows["hash"].notnull() & (rows["hash"] != ""))
    grouped = rows.group_by("hash", "account_id", "patient_id").agg(
        n=rows.at_us.nunique(), first_at_us=rows.at_us.min(), last_at_us=rows.at_us.max()
    )
    return grouped.mutate(kind=ibis.literal(kind))


def _rates(checked: Table, column: str, policy: Policy) -> Table:
    """Minutes in which one account or device had many patients checked, whole minutes and those half between."""
    known = checked.filter(checked[column].notnull())
    halves = [
        known.select("patient_id", "at_us", id=known[column], minute=_minute(known.at_us, offset))
        for offset in (0, MINUTE_US // 2)
    ]
    rows = ibis.union(*halves)
    grouped = rows.group_by("id", "minute").agg(
        patients=rows.patient_id.nunique(), first_at_us=rows.at_us.min(), last_at_us=rows.at_us.max()
    )
    return grouped.filter(grouped.patients >= policy.rate_patients).mutate(kind=ibis.literal(column))


def _minute(at_us: ibis.expr.types.IntegerColumn, offset_us: int) -> ibis.expr.types.IntegerColumn:
    return at_us - (at_us + offset_us) % MINUTE_US


def _batches(of: _Pictures, batch: Batch, checked: int, policy: Policy) -> Iterator[Suspicion]:
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in of.rows:
        picture = row["hash"].lower()
        if tells_something(picture):
            groups[of.near.get(picture, picture)].append(row)
    best: dict[str, Suspicion] = {}
    for _, group in sorted(groups.items()):
        accounts = sorted({row["account_id"] for row in group})
        patients = {row["patient_id"] for row in group}
        if len(patients) < 2 or len(accounts) > policy.most_share * checked:  # noqa: PLR2004 - one patient is one face
            continue
        if len(accounts) >= batch.from_accounts:
            times = len(accounts) / batch.from_accounts
        elif batch.kind == "face" and len(patients) >= policy.patients_of_one:
            times = len(patients) / policy.patients_of_one
        else:
            continue
        weight = min(policy.most, batch.first_weight + policy.per_doubling * log2(times))
        for account in accounts:
            one = _told(account, group, batch, weight)
            if account not in best or one.weight > best[account].weight:
                best[account] = one
    yield from (best[account] for account in sorted(best))


def _same_frames(rows: Sequence[Mapping[str, Any]], checked: int, policy: Policy) -> Iterator[Suspicion]:
    """Accounts that sent the same frame to the bit, if that does not happen to many."""
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if tells_something(row["hash"]):
            groups[row["hash"].lower()].append(row)
    shared = {h: group for h, group in groups.items() if len({row["account_id"] for row in group}) > 1}
    everybody = {row["account_id"] for group in shared.values() for row in group}
    best: dict[str, Suspicion] = {}
    for _, group in sorted(shared.items()):
        accounts = sorted({row["account_id"] for row in group})
        patients = {row["patient_id"] for row in group}
        others = len(everybody) - len(accounts)
        few = len(patients) < policy.same_frame_accounts or len(accounts) < policy.same_frame_accounts
        if few or others > policy.same_frame_share * checked or len(accounts) > policy.most_share * checked:
            continue
        for account in accounts:
            best.setdefault(account, _told(account, group, _SAME_FRAME, policy.same_frame_weight))
    yield from (best[account] for account in sorted(best))


def _told(account: str, group: Sequence[Mapping[str, Any]], batch: Batch, weight: float) -> Suspicion:
    mine = [row for row in group if row["account_id"] == account]
    accounts, patients = ({row[name] for row in group} for name in ("account_id", "patient_id"))
    where: dict[str, Any] = {"account_id": account, "patient_id": tuple(sorted({row["patient_id"] for row in mine}))}
    if batch.kind in _HASHES:
        where[_HASHES[batch.kind]] = tuple(sorted({row["hash"] for row in mine}))
    return Suspicion(
        subject=Subject(kind="account", id=account),
        code=f"face_batches.{'same' if batch is _SAME_FRAME else 'one'}_{batch.kind}",
        says=Says(
            zh=f"{batch.zh}出现在 {len(accounts)} 个账号、{len(patients)} 名就诊人名下",
            en=f"{batch.en} stands for {len(patients)} patients of {len(accounts)} accounts",
        ),
        measured=float(len(accounts)),
        expected=1.0,
        threshold=float(batch.from_accounts),
        weight=weight,
        first_at_us=min(row["first_at_us"] for row in mine),
        last_at_us=max(row["last_at_us"] for row in mine),
        wanted=(
            Wanted(
                table="events",
                where=where,
                from_us=min(row["first_at_us"] for row in mine),
                until_us=max(row["last_at_us"] for row in mine),
            ),
        ),
        owasp=_OWASP,
        members=tuple(Subject(kind="patient", id=p) for p in sorted(patients)),
        cohort=f"{batch.kind} {min(row['hash'] for row in group)}",
    )


def _fast(rates: pa.Table, policy: Policy) -> Iterator[Suspicion]:
    fastest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(rates.to_pylist(), key=lambda r: (r["kind"], r["id"], -r["patients"], r["minute"])):
        fastest.setdefault((row["kind"], row["id"]), row)
    kinds: dict[str, SubjectKind] = {"account_id": "account", "device_id": "device"}
    for (column, who), row in fastest.items():
        yield Suspicion(
            subject=Subject(kind=kinds[column], id=who),
            code="face_batches.machine_rate",
            says=Says(
                zh=f"一分钟内为 {row['patients']} 名不同就诊人提交人脸核验",
                en=f"The faces of {row['patients']} different patients were checked within a minute",
            ),
            measured=float(row["patients"]),
            expected=1.0,
            threshold=float(policy.rate_patients),
            weight=min(policy.most, 3.0 + policy.per_doubling * log2(row["patients"] / policy.rate_patients)),
            first_at_us=row["first_at_us"],
            last_at_us=row["last_at_us"],
            wanted=(
                Wanted(table="events", where={column: who}, from_us=row["first_at_us"], until_us=row["last_at_us"]),
            ),
            owasp=_OWASP,
        )


def _replayed(rows: Sequence[Mapping[str, Any]], policy: Policy) -> Iterator[Suspicion]:
    most: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        over_us = row["last_at_us"] - row["first_at_us"]
        if not tells_something(row["hash"]) or row["n"] < policy.replays or over_us < policy.replay_over_us:
            continue
        if row["account_id"] not in most or row["n"] > most[row["account_id"]]["n"]:
            most[row["account_id"]] = row
    for account, row in sorted(most.items()):
        yield Suspicion(
            subject=Subject(kind="account", id=account),
            code="face_batches.replayed",
            says=Says(
                zh=f"同一帧画面在 {row['n']} 个不同时刻重复提交",
                en=f"The same frame was sent at {row['n']} different moments",
            ),
            measured=float(row["n"]),
            expected=1.0,
            threshold=float(policy.replays),
            weight=min(policy.most, 3.0 + policy.per_doubling * log2(row["n"] / policy.replays)),
            first_at_us=row["first_at_us"],
            last_at_us=row["last_at_us"],
            wanted=(
                Wanted(
                    table="events",
                    where={"account_id": account, "patient_id": row["patient_id"]},
                    from_us=row["first_at_us"],
                    until_us=row["last_at_us"],
                ),
            ),
            owasp=_OWASP,
            members=(Subject(kind="patient", id=row["patient_id"]),),
        )
