"""Facts: what the system itself sees and counts, as the checks of the law need it.

Rooms do not know each other, so flows/law.py gathers these and the store keeps the newest; the checks read them with
the records. Deadlines need to know since when something is so, which is carried from one look to the next here.
"""

import msgspec

from shouhao.compliance.records import FiledCamera, PoliceFiling

FACES_FILED_AT = 100_000  #: stored faces, from which on they are filed (Face Measures 15)
FACES_WARN_AT = (80_000, 95_000)


class LiveCamera(msgspec.Struct, frozen=True, kw_only=True):
    """A camera in service."""

    id: str
    place: str  #: building, floor, place and camera, as the filing has it
    kind: str
    live_since_us: int
    sign_taken_at_us: int | None


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What flows count at one look."""

    at_us: int
    cameras: tuple[LiveCamera, ...]
    list_size: int  #: people on the watchlist
    stored_faces: int  #: people in both galleries and nameless visitors together; somebody may stand in several
    trained: int  #: operators who may look at faces and whose training holds
    looking: int  #: operators whose role lets them look at faces
    retention_ran_at_us: int | None  #: when what had served its time was last deleted


class Facts(Gathered, frozen=True, kw_only=True):
    """The same, and since when."""

    unfiled_since_us: int | None  #: since when the live cameras are not those that the police were told of
    faces_over_since_us: int | None  #: since when as many faces are stored as have to be filed


class FilingChange(msgspec.Struct, frozen=True, kw_only=True):
    """What the police do not know yet."""

    added: tuple[FiledCamera, ...]
    removed: tuple[FiledCamera, ...]
    changed: tuple[FiledCamera, ...]  #: as they are now

    @property
    def any(self) -> bool:
        """Whether there is something to tell."""
        return bool(self.added or self.removed or self.changed)


def facts_after(before: Facts | None, gathered: Gathered, filing: PoliceFiling | None) -> Facts:
    """What was gathered, with the moments from which deadlines run."""
    change = filing_change(gathered.cameras, filing)
    new = {camera.id for camera in change.added}
    went_live = [camera.live_since_us for camera in gathered.cameras if camera.id in new]
    over = gathered.stored_faces >= FACES_FILED_AT
    unfiled_us = None if before is None else before.unfiled_since_us
    over_us = None if before is None else before.faces_over_since_us
    return Facts(
        **msgspec.structs.asdict(gathered),
        unfiled_since_us=_since(change.any, unfiled_us, min([gathered.at_us, *went_live])),
        faces_over_since_us=_since(over, over_us, gathered.at_us),
    )


def filing_change(cameras: tuple[LiveCamera, ...], filing: PoliceFiling | None) -> FilingChange:
    """What changed since the police were told."""
    now = {camera.id: filed_form(camera) for camera in cameras}
    told = {} if filing is None else {camera.id: camera for camera in filing.cameras}
    return FilingChange(
        added=tuple(camera for camera in now.values() if camera.id not in told),
        removed=tuple(camera for camera in told.values() if camera.id not in now),
        changed=tuple(camera for camera in now.values() if camera.id in told and told[camera.id] != camera),
    )


def filed_form(camera: LiveCamera) -> FiledCamera:
    """A live camera as the police are told of it."""
    return FiledCamera(id=camera.id, place=camera.place, kind=camera.kind)


def _since(true: bool, before_us: int | None, now_us: int) -> int | None:
    if not true:
        return None
    return now_us if before_us is None else min(before_us, now_us)
