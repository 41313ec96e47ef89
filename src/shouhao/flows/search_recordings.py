"""Search recordings: one face, in recordings that were handed in, for a purpose that a second person agreed to.

Nobody may be searched for by whoever feels like it: the law's switch, a reason, a training, another person's agreement
to exactly this face, these files and this span of time, and a row in the access register come before the first picture
is read. Of all others in the recordings nothing is kept, and of the face that was searched for no template: hits alone
are, with the pictures that show why. What was found is written when the search has come to its end, all of it at once,
so that a search that is broken off leaves nothing but the record that it was begun.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shouhao.compliance.store import require_on
from shouhao.faces import store as face_store
from shouhao.faces.enrolment import open_template
from shouhao.faces.images import read_picture
from shouhao.flows.search_run import PURPOSE, Found, Progress, SearchDesk, SearchRun, Wanted, tell
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, NotFound, Refused, Tampered
from shouhao.kernel.ids import new_id
from shouhao.staff import approvals, register
from shouhao.staff.approvals import Approval, ApprovalEnded, NotApproved
from shouhao.staff.model import Operator, Role, require
from shouhao.watch.store import recordings as store
from shouhao.watch.store.cameras import find_camera
from shouhao.watch.store.watchlist import is_live

SEARCHERS: tuple[Role, ...] = ("security", "police_liaison")
LONGEST_US = 7 * DAY_US  #: of recordings, that one agreement covers
_NAMES_SHOWN = 50


class NotAsApproved(Refused):
    """Somebody agreed to another face, other files or another time."""

    code = "watch.search_not_as_approved"
    zh = "与批准的内容不符：人脸、录像、摄像机、时间段与阈值须一致"
    en = "Not what was approved: face, recordings, camera, span and threshold have to be the same"


class EntryNotLive(Refused):
    """The entry is not on the list any more."""

    code = "watch.search_entry_not_live"
    zh = "该布控条目未生效或已结束，不得检索"
    en = "This watch entry is not in force: nobody may be searched for by it"


class NoSearchThreshold(Refused):
    """Nobody has said how alike is alike enough."""

    code = "watch.search_without_threshold"
    zh = "没有可用的阈值：先校准名单，或明确给出阈值"
    en = "There is no threshold: calibrate a list, or give one"


def ask_for_search(desk: SearchDesk, wanted: Wanted, *, reason: str, operator: Operator) -> Approval:
    """Ask that a second person agrees to a search.

    Raises:
        RoleMissing: another role.
        SwitchOff: the law's switch is off.
        InvalidInput: no such span, files or camera; neither a photograph nor an entry, or both.
        NoFace, PoorFace, PictureRefused, EntryNotLive, NoSearchThreshold: it could not be searched for.
    """
    require(operator, *SEARCHERS)
    now_us = desk.clock.now_us()
    with desk.db.read() as connection:
        require_on(connection, "recordings_search", now_us=now_us)
    _check(desk, wanted, now_us=now_us)
    vectors = _vectors(desk, wanted)
    vectors.fill(0)
    payload = _payload(desk, wanted)
    with desk.db.write() as connection:
        return approvals.ask(
            connection,
            kind="face_search",
            subject=wanted.subject,
            payload=payload,
            reason=reason,
            operator=operator,
            now_us=now_us,
        )


def search(
    desk: SearchDesk,
    wanted: Wanted,
    approval_id: str,
    *,
    reason: str,
    operator: Operator,
    on_progress: Callable[[Progress], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Found:
    """Search, as was agreed to, once.

    Args:
        stopped: asked with every picture; true breaks the search off, and nothing that it found is kept.

    Raises:
        Refused: as `begin_search`.
        TooManyHits: nothing was kept.
    """
    run = begin_search(desk, wanted, approval_id, reason=reason, operator=operator)
    return run.to_its_end(on_progress, stopped)


def begin_search(desk: SearchDesk, wanted: Wanted, approval_id: str, *, reason: str, operator: Operator) -> SearchRun:
    """Everything that comes before the first picture; whoever begins a search runs it to its end.

    Args:
        reason: of the look, for the access register.

    Raises:
        RoleMissing, SwitchOff, InvalidInput, NotTrained, NotApproved, ApprovalEnded: it may not be made.
        NotAsApproved: something else was agreed to.
    """
    require(operator, *SEARCHERS)
    now_us = desk.clock.now_us()
    with desk.db.read() as connection:
        require_on(connection, "recordings_search", now_us=now_us)
        asked = approvals.find(connection, approval_id)
    if asked.kind != "face_search" or asked.asked_by != operator.id:
        raise NotFound("search", "approval_id")
    if (state := asked.state_at(now_us)) != "approved":  # asked again when it is used; here so that no look is in vain
        raise NotApproved if state == "asked" else ApprovalEnded(state=state)
    _check(desk, wanted, now_us=now_us)
    payload = _payload(desk, wanted)
    if asked.subject != wanted.subject or dict(asked.payload) != payload:
        raise NotAsApproved
    vectors = _vectors(desk, wanted)
    try:
        return _begin(desk, wanted, asked, payload, vectors, reason=reason, operator=operator, now_us=now_us)
    except BaseException:
        vectors.fill(0)
        raise


def _begin(
    desk: SearchDesk,
    wanted: Wanted,
    asked: Approval,
    payload: Mapping[str, Any],
    vectors: NDArray[np.float32],
    *,
    reason: str,
    operator: Operator,
    now_us: int,
) -> SearchRun:
    """The look comes first: refused for want of a reason or a training, it does not use up the approval."""
    look_id = register.look(
        desk.db,
        operator,
        data_class="face",
        what=f"recordings:{wanted.subject}"[:200],
        reason=reason,
        authority=f"approval:{asked.id}",
        now_us=now_us,
    )
    begun = store.Search(
        id=new_id("rs"),
        approval_id=asked.id,
        operator_id=operator.id,
        look_id=look_id,
        probe_sha256=payload["probe_sha256"],
        entry_id=wanted.entry_id,
        camera_id=wanted.camera_id,
        pack=desk.engine.pack_id,
        threshold_cos=payload["threshold_cos"],
        from_us=wanted.span.from_us,
        until_us=wanted.span.until_us,
        started_at_us=now_us,
    )
    with desk.db.write() as connection:
        require_on(connection, "recordings_search", now_us=now_us)
        approvals.use(connection, asked.id, kind="face_search", subject=wanted.subject, now_us=now_us)
        camera = None if wanted.camera_id is None else find_camera(connection, wanted.camera_id)
        store.add_search(connection, begun)
        tell(connection, begun, "begun", now_us=now_us)
    place_id = None if camera is None else camera.place_id
    return SearchRun(desk=desk, wanted=wanted, search=begun, vectors=vectors, place_id=place_id)


def _check(desk: SearchDesk, wanted: Wanted, *, now_us: int) -> None:
    span = wanted.span
    if not span.from_us < span.until_us <= now_us or span.until_us - span.from_us > LONGEST_US:
        raise InvalidInput("until", zh="时间段须在过去，且不超过 7 天", en="a span in the past, of 7 days at most")
    if (wanted.photo is None) == (wanted.entry_id is None):
        raise InvalidInput("photo", zh="照片与布控条目须二选一", en="a photograph or a watch entry, one of them")
    if not wanted.recordings:
        raise InvalidInput("recordings", zh="没有录像", en="there is no recording")
    with desk.db.read() as connection:
        if wanted.camera_id is not None and find_camera(connection, wanted.camera_id) is None:
            raise InvalidInput("camera_id", zh="没有这台摄像机", en="there is no such camera")
        if wanted.entry_id is not None and not is_live(connection, wanted.entry_id, now_us=now_us):
            raise EntryNotLive("entry_id")


def _payload(desk: SearchDesk, wanted: Wanted) -> dict[str, Any]:
    """What is agreed to: face, files by name and size, camera, span, likeness."""
    listed = [f"{path.name}\t{path.stat().st_size}" for path in wanted.recordings]
    return {
        "probe_sha256": None if wanted.photo is None else hashlib.sha256(wanted.photo).hexdigest(),
        "entry_id": wanted.entry_id,
        "files": len(listed),
        "names": [path.name for path in wanted.recordings[:_NAMES_SHOWN]],
        "listed_sha256": hashlib.sha256("\n".join(listed).encode()).hexdigest(),
        "camera_id": wanted.camera_id,
        "began_us": wanted.began_us,
        "from_us": wanted.span.from_us,
        "until_us": wanted.span.until_us,
        "threshold_cos": round(_threshold(desk, wanted), 6),
        "pack": desk.engine.pack_id,
    }


def _threshold(desk: SearchDesk, wanted: Wanted) -> float:
    if wanted.threshold_cos is not None:
        if not -1 <= wanted.threshold_cos <= 1:
            raise InvalidInput("threshold", zh="须在 -1 与 1 之间", en="from -1 to 1")
        return wanted.threshold_cos
    pack = desk.engine.pack_id
    with desk.db.read() as connection:
        of_lists = face_store.thresholds_for(connection, PURPOSE, pack)
        if wanted.entry_id is not None:
            templates = face_store.templates_of(connection, PURPOSE, pack, subject_id=wanted.entry_id)
            mine = next((one.list_id for one in templates), None)
            of_lists = {name: value for name, value in of_lists.items() if name == mine}
    if not of_lists:
        raise NoSearchThreshold
    return max(of_lists.values())


def _vectors(desk: SearchDesk, wanted: Wanted) -> NDArray[np.float32]:
    """The face that is searched for, (n, dims): one row a photograph. The caller overwrites it."""
    if wanted.photo is not None:
        picture = read_picture(wanted.photo)
        probe = desk.engine.probe(picture, PURPOSE)
        picture.fill(0)
        vectors = np.array(probe.embedding[np.newaxis], np.float32)
        probe.embedding.fill(0)
        return vectors
    setup, entry_id, pack = desk.gallery, wanted.entry_id or "", desk.engine.pack_id
    with desk.db.read() as connection:
        templates = list(face_store.templates_of(connection, PURPOSE, pack, subject_id=entry_id))
    sealer = setup.keys.find(entry_id)
    if not templates or sealer is None:
        raise EntryNotLive("entry_id")
    size = _dims(desk, pack)
    rows = np.zeros((len(templates), size), np.float32)
    for row, template in zip(rows, templates, strict=True):
        open_template(sealer, template, row, pack=pack)
    return rows


def _dims(desk: SearchDesk, pack: str) -> int:
    with desk.db.read() as connection:
        use = face_store.packs_in_use(connection, PURPOSE).get(pack)
    if use is None:
        raise Tampered("templates of a pack that is in no use")
    return use.dims
