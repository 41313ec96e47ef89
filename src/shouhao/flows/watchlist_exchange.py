"""Watchlist exchange: lists from the police or another hospital, as signed bundles.

Received, its signature checked, laid beside what is here, shown to people as one difference, accepted by two others or
not at all: each step is durable. What an issuer takes back ends at once, before anybody decides about the rest. Nothing
is ever fetched from anywhere. Listing what was accepted stands in watchlist_listing.py, our own lists for others in
watchlist_export.py.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Connection

from shouhao.compliance.store import require_on
from shouhao.flows.watch_bundle_files import drop_file, opened, write_file
from shouhao.flows.watch_closeness import lowest_threshold, near_to
from shouhao.flows.watch_desk import LookedAt, WatchDesk, checked_document
from shouhao.flows.watchlist import APPROVERS
from shouhao.flows.watchlist_ends import AskedBefore, wipe_due
from shouhao.flows.watchlist_export import own_keys
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.kernel.ids import new_id
from shouhao.staff import approvals
from shouhao.staff.model import Operator
from shouhao.watch import bundle_diff
from shouhao.watch.bundle import Bundle, BundleRefused, GivenEntry, Problem, issuer_id_of, read_bundle
from shouhao.watch.bundle_seal import unseal
from shouhao.watch.store import asks
from shouhao.watch.store import bundles as store
from shouhao.watch.store import lists as list_store
from shouhao.watch.store import watchlist as entry_store
from shouhao.watch.watchlist import WrongState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = structlog.get_logger()
_UNLISTED: tuple[store.BundleState, ...] = ("received", "checked", "accepted")
_UNDER_WAY: tuple[store.BundleState, ...] = (*_UNLISTED, "listed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A bundle whose signature holds."""

    bundle_id: str
    new: bool  #: False: the same file came before
    recalled: int  #: entries that ended at once because the issuer took them back


class NotChecked(Refused):
    """The bundle's faces were not looked at yet, or it was decided already."""

    code = "watch.bundle_not_open"
    zh = "名单包当前状态为 {state}，不能执行此操作"
    en = "The bundle is {state}; this cannot be done now"


def ask_issuer(
    connection: Connection,
    *,
    name: str,
    source: store.IssuerSource,
    public_key: bytes,
    reason: str,
    operator: Operator,
    now_us: int,
) -> str:
    """Ask that two others let an issuer's lists be read here; the approval's id.

    The fingerprint is compared by another way, such as a call to a known number: a key in a mail proves nothing.

    Raises:
        InvalidInput: this is no key, or no name.
    """
    issuer_id = issuer_id_of(public_key)
    if not name.strip() or not name.isprintable():
        raise InvalidInput("name", zh="须为可见字符", en="must be printable")
    payload = {"act": "issuer", "name": name.strip(), "source": source, "public_key": public_key.hex()}
    approval = approvals.ask(
        connection,
        kind="watch_import",
        subject=issuer_id,
        payload=payload,
        reason=reason,
        operator=operator,
        now_us=now_us,
        needed=APPROVERS,
    )
    asks.add_ask(connection, approval.id, act="issuer", kind="watch_import", subject=issuer_id, now_us=now_us)
    return approval.id


def issuer_approved(connection: Connection, approval: approvals.Approval, *, now_us: int) -> None:
    """Two people agreed that an issuer's lists are read."""
    public_key = bytes.fromhex(approval.payload["public_key"])
    issuer = store.Issuer(
        id=issuer_id_of(public_key),
        name=approval.payload["name"],
        source=approval.payload["source"],
        public_key=public_key,
        active=True,
        highest_number=0,
        registered_at_us=now_us,
    )
    store.add_issuer(connection, issuer, approval_id=approval.id, staff_id=approval.asked_by)


def receive_bundle(
    desk: WatchDesk,
    data: bytes,
    *,
    list_id: str,
    passphrase: str | None = None,
    operator: Operator | None,
    now_us: int,
) -> Received:
    """Take a bundle in, once it is certain who issued it; nobody is listed by that.

    Raises:
        BundleRefused, IssuerUnknown, BadSignature: it is no bundle, or not from whom it says.
        SealNeedsPassphrase, NotOpened: it stays sealed.
        Replayed: it is older than what came before.
        NotFound, ListClosed: there is no such list here.
    """
    plain = unseal(data, passphrase=passphrase, key=own_keys(desk)[1])
    with desk.db.read() as connection:
        keys = {one.id: one.public_key for one in store.all_issuers(connection) if one.active}
        list_store.open_list(connection, list_id)
    bundle = read_bundle(plain, key_of=keys.get)
    if bundle.expires_at_us <= now_us:
        raise BundleRefused(place="manifest.json expires_at", why_zh="名单包已过期", why_en="it is over already")
    if bundle.issued_at_us > now_us + DAY_US:
        raise BundleRefused(place="manifest.json issued_at", why_zh="签发时间在未来", why_en="it is from the future")
    bundle_id, staff_id = new_id("wb"), None if operator is None else operator.id
    write_file(desk, bundle_id, plain)
    try:
        with desk.db.write() as connection:
            before = store.same_bundle(connection, bundle.issuer_id, bundle.number)
            if before is not None and before.sha256 == bundle.sha256:
                drop_file(desk, bundle_id)
                return Received(bundle_id=before.id, new=False, recalled=0)
            store.take_number(connection, bundle.issuer_id, bundle.number)
            store.add_bundle(connection, _stored(bundle, bundle_id, list_id=list_id, staff_id=staff_id, now_us=now_us))
            recalled = _recall(connection, bundle, list_id=list_id, now_us=now_us)
    except Refused:
        drop_file(desk, bundle_id)
        raise
    if recalled:
        wipe_due(desk, now_us=now_us, limit=recalled)
    return Received(bundle_id=bundle_id, new=True, recalled=recalled)


def check_due(desk: WatchDesk, *, now_us: int) -> int:
    """Look at the faces of bundles that came, so that people can decide; how many bundles."""
    with desk.db.read() as connection:
        waiting = store.in_state(connection, "received")
    done = 0
    for bundle_id in waiting:
        try:
            check_bundle(desk, bundle_id, now_us=now_us)
            done += 1
        except Refused as refusal:  # a model is missing: it waits
            _log.warning("watch_bundle_waits", bundle_id=bundle_id, code=refusal.code)
    return done


def check_bundle(desk: WatchDesk, bundle_id: str, *, now_us: int) -> bundle_diff.Difference:
    """Look at every photograph, hold the people against each other, the list and staff, and keep the difference.

    Raises:
        NotChecked: it was decided already.
        ModelMissing: the pack's files are not on this machine.
    """
    stored, bundle = opened(desk, bundle_id)
    if stored.state not in {"received", "checked"}:
        raise NotChecked("bundle_id", state=stored.state)
    desk.live_engine()  # a model that is missing is no reason to refuse a photograph
    looked, problems = _look_at_all(desk, bundle)
    with desk.db.read() as connection:
        here = entry_store.entries_from(connection, bundle.issuer_id, list_id=stored.list_id)
        ended_here = entry_store.ended_by_people(connection, bundle.issuer_id)
        already = _already_by_words(desk, connection, bundle)
    difference = bundle_diff.difference_of(
        bundle, here, ended_here=ended_here, usable=looked.keys(), refused=problems, now_us=now_us
    )
    difference = replace(
        difference,
        already=tuple(already),
        pack=desk.live_pack(),
        photo_reports={one.sha256: one.report for photos in looked.values() for one in photos},
    )
    difference = _held_against(desk, difference, looked, issuer_id=bundle.issuer_id)
    report, report_sha256 = bundle_diff.packed(difference)
    with desk.db.write() as connection:
        store.change_bundle(
            connection,
            bundle_id,
            "checked",
            after=("received", "checked"),
            now_us=now_us,
            staff_id=None,
            report=report,
            report_sha256=report_sha256,
        )
    return difference


def ask_import(connection: Connection, bundle_id: str, *, reason: str, operator: Operator, now_us: int) -> str:
    """Ask two others to accept a bundle's whole difference; the approval's id.

    Raises:
        NotFound: there is no such bundle.
        NotChecked: its faces were not looked at yet, or it was decided.
    """
    store.take_turn(connection, bundle_id)
    stored = store.find_bundle(connection, bundle_id)
    if stored.state != "checked" or stored.report is None:
        raise NotChecked("bundle_id", state=stored.state)
    waiting = asks.waiting_for(connection, bundle_id, "import")
    if waiting is not None:
        raise AskedBefore("bundle_id", approval_id=waiting)
    difference = bundle_diff.unpacked(stored.report)
    payload = {
        "act": "import",
        "bundle_id": bundle_id,
        "sha256": stored.sha256,
        "report_sha256": stored.report_sha256,
        "new": len(difference.new),
        "changed": len(difference.changed),
        "gone": len(difference.gone),
        "refused": len(difference.refused),
    }
    approval = approvals.ask(
        connection,
        kind="watch_import",
        subject=bundle_id,
        payload=payload,
        reason=reason,
        operator=operator,
        now_us=now_us,
        needed=APPROVERS,
    )
    asks.add_ask(connection, approval.id, act="import", kind="watch_import", subject=bundle_id, now_us=now_us)
    return approval.id


def import_approved(connection: Connection, bundle_id: str, approval: approvals.Approval, *, now_us: int) -> None:
    """Two people accepted: what is gone ends now; what is new is listed entry by entry (`list_due`).

    Raises:
        SwitchOff: the law's switch is off.
        InvalidInput: the bundle, or what it would change, is not what was accepted.
    """
    require_on(connection, "watchlist", now_us=now_us)
    store.take_turn(connection, bundle_id)
    stored, said = store.find_bundle(connection, bundle_id), approval.payload
    if (stored.sha256, stored.report_sha256) != (said["sha256"], said["report_sha256"]) or stored.report is None:
        raise InvalidInput("approval_id", zh="与获批内容不一致", en="is not what was approved")
    accepted = store.change_bundle(
        connection,
        bundle_id,
        "accepted",
        after=("checked",),
        now_us=now_us,
        staff_id=approval.asked_by,
        approval_id=approval.id,
        decided_at_us=now_us,
    )
    if not accepted:
        raise NotChecked("bundle_id", state=stored.state)
    under_way = {one.id for one in entry_store.entries_from(connection, stored.issuer_id, list_id=stored.list_id)}
    for entry_id in bundle_diff.unpacked(stored.report).gone:
        if entry_id in under_way:
            _withdraw(connection, entry_id, "gone_from_list", staff_id=approval.asked_by, now_us=now_us)


def import_refused(connection: Connection, bundle_id: str, *, now_us: int) -> None:
    """Nobody accepted: nothing of it is kept but that it came."""
    store.change_bundle(
        connection, bundle_id, "refused", after=("checked",), now_us=now_us, staff_id=None, decided_at_us=now_us
    )


def _recall(connection: Connection, bundle: Bundle, *, list_id: str, now_us: int) -> int:
    """End what the issuer takes back, and leave earlier bundles that this one replaces; how many entries ended."""
    # Bundles before entries, as everywhere: what is being listed of one at this moment is then among the entries.
    for bundle_id in store.in_state(connection, *_UNDER_WAY):
        earlier = store.find_bundle(connection, bundle_id)
        if earlier.issuer_id != bundle.issuer_id or earlier.number >= bundle.number:
            continue
        if bundle.revokes_all:
            store.change_bundle(connection, bundle_id, "recalled", after=_UNDER_WAY, now_us=now_us, staff_id=None)
        elif bundle.revoked or earlier.list_id == list_id:  # what it still had to list may be what is taken back
            store.change_bundle(connection, bundle_id, "over", after=_UNLISTED, now_us=now_us, staff_id=None)
    here = entry_store.entries_from(connection, bundle.issuer_id)
    taken_back = [one for one in here if bundle.revokes_all or one.foreign_id in set(bundle.revoked)]
    for one in taken_back:
        _withdraw(connection, one.id, "recalled", staff_id=None, now_us=now_us)
    return len(taken_back)


def _withdraw(connection: Connection, entry_id: str, why: str, *, staff_id: str | None, now_us: int) -> None:
    with suppress(WrongState):  # it has just ended by itself, or by people here
        entry_store.move(connection, entry_id, "withdraw", now_us=now_us, staff_id=staff_id, ended_why=why)


def _look_at_all(desk: WatchDesk, bundle: Bundle) -> tuple[dict[str, list[LookedAt]], list[Problem]]:
    """The fit photographs of each entry, and what is wrong with the others; an entry without any is left out."""
    looked: dict[str, list[LookedAt]] = {}
    problems: list[Problem] = []
    for given in bundle.entries:
        fit: list[LookedAt] = []
        for n, sha256 in enumerate(given.photos):
            place = f"{given.place}.photos[{n}]"
            try:
                fit.append(desk.look_at_one(bundle.photo(sha256), field=place))
            except Refused as refusal:
                problems.append(_problem(given, place, refusal))
        for n, sha256 in enumerate(given.documents):
            place = f"{given.place}.documents[{n}]"
            try:
                checked_document(bundle.document(sha256), field=place)
            except Refused as refusal:
                problems.append(_problem(given, place, refusal))
        if fit:
            looked[given.id] = fit
        else:
            told = {"zh": "没有可用的照片，此人不导入", "en": "no photograph can be used; this person is left out"}
            problems.append(Problem(place=f"{given.place}.photos", entry_id=given.id, code="no_usable_photo", **told))
    return looked, problems


def _already_by_words(desk: WatchDesk, connection: Connection, bundle: Bundle) -> list[bundle_diff.AlreadyHere]:
    """Who of the bundle has an entry from another source, by document or by name."""
    found = []
    for given in bundle.entries:
        document_hash = desk.document_hash(given.person)
        if document_hash is not None:
            found += [
                bundle_diff.AlreadyHere(id=given.id, entry_id=one.id, how="document")
                for one in entry_store.entries_like(connection, document_hash=document_hash)
                if one.issuer_id != bundle.issuer_id
            ]
        known = {one.entry_id for one in found if one.id == given.id}
        found += [
            bundle_diff.AlreadyHere(id=given.id, entry_id=one.id, how="name")
            for one in entry_store.entries_like(connection, name_hash=desk.name_hash(given.person.name))
            if one.issuer_id != bundle.issuer_id and one.id not in known
        ]
    return found


def _held_against(
    desk: WatchDesk,
    difference: bundle_diff.Difference,
    looked: dict[str, list[LookedAt]],
    *,
    issuer_id: str,
) -> bundle_diff.Difference:
    """Faces of the bundle against each other, against the list and against staff."""
    pack = difference.pack
    rows = [(given_id, one) for given_id, photos in looked.items() for one in photos]
    asked_cos = None if pack is None else lowest_threshold(desk, pack)
    if pack is None or asked_cos is None or asked_cos >= 1 or not rows:
        return difference
    import numpy as np  # noqa: PLC0415 - only where faces are compared

    from shouhao.faces.too_close import too_close  # noqa: PLC0415 - as above

    vectors = np.stack([one.embedding for _, one in rows])
    ids = list(looked)
    subjects = np.array([ids.index(given_id) for given_id, _ in rows], np.int64)
    alike = [
        bundle_diff.Alike(
            id=ids[pair.first_subject],
            other_id=ids[pair.second_subject],
            operator_id=None,
            similarity_cos=round(pair.similarity_cos, 4),
        )
        for pair in too_close(vectors, subjects, threshold_cos=asked_cos)
    ]
    here, staff = _near_here(desk, pack, vectors, [given_id for given_id, _ in rows], asked_cos, issuer_id)
    known = {(one.id, one.entry_id) for one in difference.already}
    return replace(
        difference,
        alike=(*alike, *staff),
        already=(*difference.already, *(one for one in here if (one.id, one.entry_id) not in known)),
        alike_from_cos=asked_cos,
    )


def _near_here(
    desk: WatchDesk, pack: str, vectors: "NDArray[np.float32]", ids: Sequence[str], asked_cos: float, issuer_id: str
) -> tuple[list[bundle_diff.AlreadyHere], list[bundle_diff.Alike]]:
    here: dict[tuple[str, str], bundle_diff.AlreadyHere] = {}
    staff: dict[tuple[str, str], bundle_diff.Alike] = {}
    for near in near_to(desk, pack, vectors, at_least_cos=asked_cos):
        given_id, similarity = ids[near.row], round(near.similarity_cos, 4)
        if near.operator_id is not None:
            hit = bundle_diff.Alike(id=given_id, other_id=None, operator_id=near.operator_id, similarity_cos=similarity)
            staff.setdefault((given_id, near.operator_id), hit)
        elif near.entry_id is not None:
            with desk.db.read() as connection:
                entry = entry_store.find_entry(connection, near.entry_id)
            if entry is not None and (entry.issuer_id, entry.foreign_id) != (issuer_id, given_id):
                found = bundle_diff.AlreadyHere(
                    id=given_id, entry_id=near.entry_id, how="face", similarity_cos=similarity
                )
                here.setdefault((given_id, near.entry_id), found)
    return list(here.values()), list(staff.values())


def _stored(bundle: Bundle, bundle_id: str, *, list_id: str, staff_id: str | None, now_us: int) -> store.StoredBundle:
    return store.StoredBundle(
        id=bundle_id,
        issuer_id=bundle.issuer_id,
        list_id=list_id,
        number=bundle.number,
        sha256=bundle.sha256,
        state="received",
        report=None,
        report_sha256=None,
        received_by=staff_id,
        received_at_us=now_us,
        issued_at_us=bundle.issued_at_us,
        expires_at_us=bundle.expires_at_us,
        decided_at_us=None,
        approval_id=None,
    )


def _problem(given: GivenEntry, place: str, refusal: Refused) -> Problem:
    return Problem(place=place, entry_id=given.id, code=refusal.code, zh=refusal.says("zh"), en=refusal.says("en"))
