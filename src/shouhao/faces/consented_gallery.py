"""The gallery of consenting patients (1:1): one face against one person's own photographs.

There is no index and no search: a caller names the person and hears whether it is them. Templates are opened for the
one comparison, in locked memory, and zeroed after it. Each enrolment and each comparison first asks whether a consent
to this very use stands; without one it is not done, and the way without a face is open.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np

from shouhao.faces import store
from shouhao.faces.enrolment import (
    Enrolled,
    GallerySetup,
    NoThreshold,
    enrol,
    erase,
    finish_erasures,
    open_template,
)
from shouhao.faces.locked import LockedMemory
from shouhao.faces.model import PackMixed, Probe, Purpose, PurposeMixed
from shouhao.kernel.errors import NotFound, Refused

PURPOSE: Purpose = "consented"
_FLOAT_BYTES = 4
LIST_ID = "patients"  #: there is one list, of all who consented

Use = Literal["face_check", "face_leave_out"]  #: what the face is compared for; each has a consent of its own


class Consents(Protocol):
    """Knows what patients agreed to."""

    def standing(self, patient_id: str, use: Use) -> str | None:
        """The id of the consent to this use that stands now; None: there is none."""
        ...


class FaceConsentNeeded(Refused):
    """Nobody agreed to this use of the face, or no longer."""

    code: ClassVar[str] = "faces.consent_needed"
    zh: ClassVar[str] = "本人没有同意刷脸，或已撤回；请出示证件，由工作人员核对，效力相同"
    en: ClassVar[str] = (
        "There is no consent to use this face, or it was withdrawn; staff check the document, which counts the same"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One face against one person's photographs."""

    same: bool
    similarity_cos: float  #: of the most alike photograph
    threshold_cos: float


class ConsentedGallery:
    """Photographs of patients who consented, each compared with its own person alone."""

    def __init__(self, setup: GallerySetup, *, consents: Consents, lock_required: bool) -> None:
        """Take the parts.

        Args:
            consents: asked before a face is taken in or compared.
            lock_required: refuse to work where memory cannot be kept from the disk.
        Raises:
            PurposeMixed: the keys are those of another purpose.
        """
        if setup.keys.purpose != PURPOSE:
            raise PurposeMixed(asked=setup.keys.purpose, gallery=PURPOSE)
        self._setup = setup
        self._consents = consents
        self._lock_required = lock_required

    def enrol(self, *, patient_id: str, photo: bytes, now_us: int, staff_id: str | None = None) -> Enrolled:
        """Take in one photograph of a patient who consented.

        Raises:
            FaceConsentNeeded: there is no consent, or it was withdrawn meanwhile; nothing is kept.
            PictureRefused, NoFace, SeveralFaces, PoorFace, BeingErased, NoThreshold: as `enrolment.enrol`.
        """
        enrolled = enrol(
            self._setup,
            subject_id=patient_id,
            list_id=LIST_ID,
            ground_id=self._ground(patient_id, "face_check"),
            photo=photo,
            now_us=now_us,
            staff_id=staff_id,
        )
        if self._consents.standing(patient_id, "face_check") is None:  # withdrawn while the face was looked for
            self.erase(patient_id, now_us=now_us, staff_id=staff_id)
            raise FaceConsentNeeded("patient_id")
        return enrolled

    def erase(self, patient_id: str, *, now_us: int, staff_id: str | None = None) -> None:
        """Erase all photographs of a patient, as when consent is withdrawn.

        Raises:
            NotFound: there are none.
        """
        erase(self._setup, patient_id, now_us=now_us, staff_id=staff_id)

    def finish_erasures(self, *, now_us: int) -> int:
        """Finish what a crash cut short; how many."""
        return finish_erasures(self._setup, now_us=now_us)

    def compare(self, patient_id: str, probe: Probe, *, use: Use = "face_check") -> Comparison:
        """Whether a face is this patient's.

        Raises:
            FaceConsentNeeded: the patient did not agree to this use, or no longer does.
            PurposeMixed: the probe was taken for another purpose.
            PackMixed: it was made by a pack that has no template of this patient.
            NotFound: the patient has no photograph here; the way without a face is open.
            NoThreshold: nobody has said from which similarity on two faces are one.
        """
        if probe.purpose != PURPOSE:
            raise PurposeMixed(asked=probe.purpose, gallery=PURPOSE)
        self._ground(patient_id, use)
        with self._setup.db.read() as connection:
            packs = store.packs_in_use(connection, PURPOSE)
            if probe.pack not in packs or packs[probe.pack].state == "retired":
                raise PackMixed(asked=probe.pack, gallery=", ".join(sorted(packs)))
            threshold = store.thresholds_for(connection, PURPOSE, probe.pack).get(LIST_ID)
            templates = list(store.templates_of(connection, PURPOSE, probe.pack, subject_id=patient_id))
        if threshold is None:
            raise NoThreshold(list_id=LIST_ID, pack=probe.pack)
        sealer = self._setup.keys.find(patient_id) if templates else None
        if sealer is None:
            raise NotFound("face", "patient_id")
        dims = packs[probe.pack].dims
        with LockedMemory(len(templates) * dims * _FLOAT_BYTES, required=self._lock_required) as memory:
            opened = memory.array((len(templates), dims), np.float32)
            for row, template in zip(opened, templates, strict=True):
                open_template(sealer, template, row, pack=probe.pack)
            similarity = float(np.einsum("nd,d->n", opened, probe.embedding, dtype=np.float64).max())
        return Comparison(same=similarity >= threshold, similarity_cos=similarity, threshold_cos=threshold)

    def _ground(self, patient_id: str, use: Use) -> str:
        consent_id = self._consents.standing(patient_id, use)
        if consent_id is None:
            raise FaceConsentNeeded("patient_id")
        return consent_id
