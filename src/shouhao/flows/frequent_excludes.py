"""Whom the hospital knows to belong at its windows: staff who gave a photograph, patients with an appointment that day.

Patients are compared one by one with their own photographs (1:1), and only those who agreed to this use of them and had
an appointment on the day in question; nobody is looked for among all of them. What comes out is yes or no: which
patient it was is neither returned nor written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import structlog

from shouhao.booking.store.due_patients import patients_due_on
from shouhao.faces.model import Embedding, PackMixed, Probe
from shouhao.flows.frequent import Excludes
from shouhao.flows.watch_desk import context
from shouhao.kernel.errors import NotFound, Refused
from shouhao.store.engine import Database
from shouhao.store.vault import Vault
from shouhao.watch.store import close_pairs

if TYPE_CHECKING:
    from shouhao.faces.consented_gallery import ConsentedGallery
    from shouhao.faces.enrolment import Enroller

_log = structlog.get_logger()


class HospitalExcludes(Excludes):
    """Asks the staff's photographs and the gallery of consenting patients.

    Args:
        engines: by pack id, opened when they are needed.
        gallery: of consenting patients, opened when it is needed; None where nobody is asked for this use.
    """

    def __init__(
        self,
        db: Database,
        vault: Vault,
        *,
        engines: Callable[[], "Mapping[str, Enroller]"],
        gallery: Callable[[], "ConsentedGallery"] | None,
    ) -> None:
        self._db = db
        self._vault = vault
        self._engines = engines
        self._gallery = gallery

    def staff(self, pack: str) -> Iterator[Embedding]:
        """Faces of staff who gave a photograph; computed anew and never kept."""
        from shouhao.faces.images import read_picture  # noqa: PLC0415 - takes a library that others wait for

        with self._db.read() as connection:
            given = close_pairs.staff_photos_given(connection)
        if not given:
            return
        engine, sealer = self._engines()[pack], self._vault.sealer("watch.staff")
        for photo_id, _operator_id, sealed in given:
            try:
                picture = read_picture(sealer.open(sealed, context=context("staff", photo_id)))
                face = engine.enrolment_face(picture)
            except Refused as refusal:
                _log.warning("staff_photo_without_face", photo_id=photo_id, code=refusal.code)
                continue
            yield face.embedding

    def patients_on(self, day: date) -> Sequence[str]:
        """Patients who had an appointment on that day; none where the hospital does not ask them for this use."""
        if self._gallery is None:
            return ()
        with self._db.read() as connection:
            return patients_due_on(connection, day.isoformat())

    def is_patient(self, patient_id: str, faces: Sequence[Embedding], *, pack: str) -> bool:
        """Whether one of these faces is this patient's, who agreed to be compared for this."""
        if self._gallery is None:
            return False
        gallery = self._gallery()
        from shouhao.faces.consented_gallery import FaceConsentNeeded  # noqa: PLC0415 - opened with the gallery

        try:
            return any(gallery.compare(patient_id, _probe(face, pack), use="face_leave_out").same for face in faces)
        except (NotFound, PackMixed, FaceConsentNeeded):
            return False  # this patient did not agree, gave no photograph, or not for this model


def _probe(face: Embedding, pack: str) -> Probe:
    return Probe(purpose="consented", embedding=face, pack=pack, quality=1.0)
