"""Watchlist listing: what two people accepted of a bundle, listed entry by entry, so that a crash loses no step."""

from dataclasses import replace

import structlog

from shouhao.compliance.store import require_on
from shouhao.flows.watch_bundle_files import forget_files, opened
from shouhao.flows.watch_desk import WatchDesk, checked_document, context
from shouhao.flows.watchlist import agreed, new_entry, sealed_documents, sealed_photos
from shouhao.kernel.errors import Refused
from shouhao.kernel.ids import new_id
from shouhao.staff import approvals
from shouhao.watch import bundle_diff
from shouhao.watch.bundle import Bundle, GivenEntry
from shouhao.watch.store import bundles as store
from shouhao.watch.store import watchlist as entry_store
from shouhao.watch.watchlist import packed, term_us

_EVERY = 200  #: entries listed before the other duties have their turn
_log = structlog.get_logger()
_UNDER_WAY: tuple[store.BundleState, ...] = ("received", "checked", "accepted", "listed")


def list_due(desk: WatchDesk, *, now_us: int, limit: int = _EVERY) -> int:
    """List what was accepted, entry by entry; how many. Repeating it goes on where a crash cut it short."""
    done = 0
    with desk.db.read() as connection:
        waiting = store.in_state(connection, "accepted")
    for bundle_id in waiting:
        try:
            done += _list_bundle(desk, bundle_id, now_us=now_us, limit=limit - done)
        except Refused as refusal:  # the switch is off, or a model is missing: it waits
            _log.warning("watch_bundle_waits", bundle_id=bundle_id, code=refusal.code)
        if done >= limit:
            break
    return done


def end_due(desk: WatchDesk, *, now_us: int) -> int:
    """Bundles whose own term is over; their entries have ended with it or before."""
    with desk.db.read() as connection:
        over = store.to_end(connection, now_us=now_us)
    for bundle_id in over:
        with desk.db.write() as connection:
            store.change_bundle(connection, bundle_id, "over", after=_UNDER_WAY, now_us=now_us, staff_id=None)
    forget_files(desk)
    return len(over)


def _list_bundle(desk: WatchDesk, bundle_id: str, *, now_us: int, limit: int) -> int:
    """List entries of an accepted bundle that are not listed yet; the last one ends the work on it."""
    stored, bundle = opened(desk, bundle_id)
    difference = bundle_diff.unpacked(stored.report or "")
    with desk.db.read() as connection:
        require_on(connection, "watchlist", now_us=now_us)
        approval = approvals.find(connection, stored.approval_id or "")
        here = {one.foreign_id: one for one in entry_store.entries_from(connection, bundle.issuer_id)}
        # Who was listed, or whom people here let go, since this was accepted.
        left_out = entry_store.came_with(connection, bundle_id)
        left_out |= entry_store.ended_by_people(connection, bundle.issuer_id)
        left_out |= {name for name, one in here.items() if name is not None and one.state == "suspended"}
    wanted = difference.taken - left_out
    todo = [given for given in bundle.entries if given.id in wanted and given.expires_at_us > now_us]
    if todo:
        desk.begin_gallery()  # so that the list has a threshold before its faces are enrolled
        desk.live_engine()  # a model that is missing is no reason to leave a photograph out
    for given in todo[:limit]:
        before = here.get(given.id)
        _list_one(desk, stored, bundle, given, approval, replaces=None if before is None else before.id, now_us=now_us)
    if len(todo) <= limit:
        with desk.db.write() as connection:
            store.change_bundle(connection, bundle_id, "listed", after=("accepted",), now_us=now_us, staff_id=None)
        forget_files(desk)
    return min(len(todo), limit)


def _list_one(
    desk: WatchDesk,
    stored: store.StoredBundle,
    bundle: Bundle,
    given: GivenEntry,
    approval: approvals.Approval,
    *,
    replaces: str | None,
    now_us: int,
) -> None:
    """One entry, with the one it replaces ended in the same unit of work."""
    photos = []
    for n, sha256 in enumerate(given.photos):
        try:
            photos.append(desk.look_at_one(bundle.photo(sha256), field=f"{given.place}.photos[{n}]"))
        except Refused:  # named in the difference that was accepted
            continue
    if not photos:  # another model went live since people accepted; the console shows who has no photograph
        _log.warning("watch_entry_without_photo", bundle_id=stored.id, place=given.place)
    papers = []
    for sha256 in given.documents:
        try:
            data = bundle.document(sha256)
            checked_document(data, field=given.place)
            papers.append(data)
        except Refused:  # likewise
            continue
    entry_id = new_id("we")
    sealer = desk.setup.keys.make(entry_id)
    review_at_us, ours_us = term_us(now_us=now_us, days=desk.settings.term_days, review_days=desk.settings.review_days)
    expires_at_us = min(ours_us, given.expires_at_us)
    with desk.db.write() as connection:
        accepted = store.take_turn(connection, stored.id) == "accepted"
        appealed = replaces is not None and entry_store.entry_of(connection, replaces, lock=True).state == "suspended"
        if not accepted or appealed or given.id in entry_store.came_with(connection, stored.id):
            desk.setup.keys.erase(entry_id)
            return  # superseded or appealed against meanwhile, or another worker was first
        issuer = store.find_issuer(connection, bundle.issuer_id)
        entry = replace(
            new_entry(
                entry_id,
                list_id=stored.list_id,
                source="police" if issuer is not None and issuer.source == "police" else "hospital",
                ground_code=given.ground_code,
                proposed_by=approval.asked_by,
                now_us=now_us,
                expires_at_us=expires_at_us,
            ),
            issuer_id=bundle.issuer_id,
            foreign_id=given.id,
            foreign_digest=given.digest,
            bundle_id=stored.id,
            replaces=replaces,
        )
        new = entry_store.NewEntry(
            entry=entry,
            sealed_person=sealer.seal(packed(given.person), context=context("person", entry_id)),
            sealed_ground=sealer.seal(given.ground.encode(), context=context("ground", entry_id)),
            name_hash=desk.name_hash(given.person.name),
            document_hash=desk.document_hash(given.person),
            photos=sealed_photos(sealer, photos),
            documents=sealed_documents(sealer, papers),
            approval_id=approval.id,
        )
        entry_store.add_entry(connection, new, staff_id=approval.asked_by, sealed_reason=None)
        entry_store.move(
            connection,
            entry_id,
            "list",
            now_us=now_us,
            staff_id=approval.asked_by,
            approvers=",".join(agreed(approval)),
            listed_at_us=now_us,
            review_at_us=min(review_at_us, expires_at_us),
        )
        if replaces is not None:
            entry_store.move(
                connection, replaces, "withdraw", now_us=now_us, staff_id=approval.asked_by, ended_why="replaced"
            )
