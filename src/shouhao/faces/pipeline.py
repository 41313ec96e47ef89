"""Pipeline: one engine of a pack, from pictures to faces, from faces to what is asked about.

Each step stands in a file of its own; here they are joined, and the pack says which of them are taken. Reading bytes is
left to images.py, comparing to gallery and search, what a poor photograph means to enrolment.py.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.align import PLAIN, Levels, View, views_of
from shouhao.faces.detect import YuNetDetector
from shouhao.faces.embed import CLOSE, WIDE_MIRRORED, OnnxEmbedder, units
from shouhao.faces.enrolment import poor_face
from shouhao.faces.liveness import Liveness, open_liveness
from shouhao.faces.model import (
    Detection,
    Detector,
    Embedder,
    Face,
    ModelMissing,
    NoFace,
    Pixels,
    Probe,
    Purpose,
    Quality,
    SeveralFaces,
)
from shouhao.faces.packs import DetectorSpec, EmbedderSpec, ModelFile, Pack, model_path
from shouhao.faces.passages import probe_of
from shouhao.faces.photographs import main_face
from shouhao.faces.quality import CAPTURE, assess, problems_of
from shouhao.faces.runtime import Device, Net, Takes, open_net


class FaceEngine:
    """Everything that one pack does. Several threads may use it; they wait for each other, since it uses its own."""

    def __init__(
        self, pack: Pack, *, detector: Detector, embedder: Embedder, liveness: Liveness | None, views: tuple[View, ...]
    ) -> None:
        """Join the steps; `open_engine` makes them.

        Args:
            views: each face is embedded once for each, and the mean is its vector.
        """
        self.pack, self.pack_id, self.dims, self.chip_px = pack, pack.id, embedder.dims, embedder.chip_px
        self._detector, self._embedder, self._liveness, self._views = detector, embedder, liveness, views
        self._lock = threading.Lock()

    @property
    def tells_liveness(self) -> bool:
        """Whether the nets of liveness are there."""
        return self._liveness is not None

    def faces(self, pictures: Sequence[Pixels], *, in_turns: bool = False) -> list[list[Face]]:
        """The faces of each picture, ready to be compared, the surest first. Faster for several pictures at once.

        Args:
            in_turns: the pictures are frames of one passage. Each is embedded in one view, which halves that work; the
                mean over the frames is then one over the views as well. The surest picture has the first turn, so
                that the order of the pictures changes nothing.
        """
        with self._lock:
            found = self._detector.detect(list(pictures))
            levels = [Levels(picture) for picture in pictures]
            with ThreadPoolExecutor(1) as apart:  # quality is judged while the nets compute
                embedding = apart.submit(self._vectors, levels, found, in_turns)
                qualities = [assess(picture, one) for picture, one in zip(levels, found, strict=True)]
                vectors = iter(embedding.result())
        return [
            [self._face(one, n, quality, next(vectors)) for n, quality in enumerate(theirs)]
            for one, theirs in zip(found, qualities, strict=True)
        ]

    def enrolment_face(self, picture: Pixels) -> Face:
        """The one face of a picture; its problems say what keeps it from being enrolled.

        A face behind a shoulder counts as soon as it could be compared: nobody is listed for having stood there.

        Raises:
            NoFace: there is none.
            SeveralFaces: there is more than one.
        """
        faces = self.faces([picture])[0]
        if not faces:
            raise NoFace("photo")
        clear = [face for face in faces if not problems_of(face.quality, CAPTURE)]
        if len(clear) > 1:
            raise SeveralFaces("photo", count=len(clear))
        return clear[0] if clear else max(faces, key=lambda face: face.quality.score)

    def probe(self, pictures: Pixels | Sequence[Pixels], purpose: Purpose) -> Probe:
        """What one photograph, or the pictures of one passage, ask about: of each the face that it is about.

        Raises:
            NoFace: there is none in any of them.
            PoorFace: there is none that could be compared.
        """
        passage = [pictures] if isinstance(pictures, np.ndarray) else list(pictures)
        faces = []
        for picture, found in zip(passage, self.faces(passage, in_turns=len(passage) > 1), strict=True):
            height, width = picture.shape[:2]
            face = main_face(found, width=width, height=height)
            if face is not None:
                faces.append(face)
        if not faces:
            raise NoFace("photo")
        usable = [face for face in faces if not problems_of(face.quality, CAPTURE)]
        if not usable:
            raise poor_face(problems_of(max(faces, key=lambda face: face.quality.score).quality, CAPTURE))
        return probe_of(usable, purpose)

    def embed_aligned(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit vectors (n, dims) of faces that were aligned before, (n, chip_px, chip_px, 3), one view each."""
        with self._lock:
            return self._embedder.embed(chips)

    def live_score(self, picture: Pixels, face: Face) -> float:
        """0 to 1, how sure the pack's nets are that a face stood before the camera; see liveness.py.

        Raises:
            ModelMissing: the pack has no such nets, or they are not on this machine.
        """
        if self._liveness is None:
            raise ModelMissing(pack=self.pack.name, file=_liveness_files(self.pack))
        with self._lock:
            return self._liveness.live_score(picture, face.box_xyxy_px)

    def _vectors(
        self, levels: Sequence[Levels], found: Sequence[Detection], in_turns: bool = False
    ) -> NDArray[np.float32]:
        """One vector (n, dims) for each face of each picture, in order."""
        side = self._embedder.chip_px
        turns = [(view,) for view in self._views] if in_turns else [self._views]
        seen = [n for n, one in enumerate(found) if len(one)]
        turn_of = {n: rank % len(turns) for rank, n in enumerate(sorted(seen, key=lambda n: -found[n].scores[0]))}
        chips = [
            views_of(levels[n], found[n].landmarks_px, self._embedder.template_px, side, turns[turn_of[n]])
            for n in seen
        ]
        if not chips:
            return np.empty((0, self.dims), np.float32)
        vectors = self._embedder.embed(np.concatenate(chips).reshape(-1, side, side, 3))
        return units(vectors.reshape(-1, len(turns[0]), self.dims).mean(1))

    def _face(self, detection: Detection, n: int, quality: Quality, embedding: NDArray[np.float32]) -> Face:
        return Face(
            box_xyxy_px=detection.boxes_xyxy_px[n],
            landmarks_px=detection.landmarks_px[n],
            quality=quality,
            embedding=embedding,
            pack=self.pack_id,
        )


def open_engine(pack: Pack, *, models_dir: Path, device: Device = "cpu", threads: int = 2) -> FaceEngine:
    """The engine of a pack.

    Args:
        device: where faces are embedded; they are found on the processor, for which YuNet is small enough.
        threads: how many cores it uses.

    Raises:
        ModelMissing, PackageMissing: a file or a package that the pack needs is not on this machine.
        ModelRefused: a file is another one than the manifest names, or no model of its kind.
    """
    return FaceEngine(
        pack,
        detector=_detector(pack.detector, models_dir=models_dir, threads=threads),
        embedder=_embedder(pack.embedder, models_dir=models_dir, device=device, threads=threads),
        liveness=_liveness(pack, models_dir=models_dir, device=device, threads=threads),
        views=_views(pack),
    )


def _views(pack: Pack) -> tuple[View, ...]:
    """How faces are cut out. dlib's landmarks stand where its template says; ours were fitted to YuNet's."""
    if pack.detector.kind == "dlib" or pack.embedder.kind == "dlib":
        return (PLAIN, View(mirrored=True)) if pack.embedder.mirrored_too else (PLAIN,)
    return (CLOSE, WIDE_MIRRORED) if pack.embedder.mirrored_too else (CLOSE,)


def _detector(spec: DetectorSpec, *, models_dir: Path, threads: int) -> Detector:
    if spec.kind == "dlib":
        from shouhao.faces.dlib_pack import DlibDetector  # noqa: PLC0415 - an extra

        return DlibDetector(spec)
    net = _net(spec.file, Takes(), models_dir=models_dir, device="cpu", threads=threads)
    return YuNetDetector(net, score_at_least=spec.score_at_least, file=_name(spec.file))


def _embedder(spec: EmbedderSpec, *, models_dir: Path, device: Device, threads: int) -> Embedder:
    if spec.kind == "dlib":
        from shouhao.faces.dlib_pack import DlibEmbedder  # noqa: PLC0415 - an extra

        return DlibEmbedder(spec)
    takes = Takes(channels=spec.channels, mean=spec.mean, scale=spec.scale)
    return OnnxEmbedder(_net(spec.file, takes, models_dir=models_dir, device=device, threads=threads), spec)


def _liveness(pack: Pack, *, models_dir: Path, device: Device, threads: int) -> Liveness | None:
    """Optional: None where files are missing, but a wrong file is refused."""
    if not pack.liveness:
        return None
    try:
        return open_liveness(pack.liveness, models_dir=models_dir, device=device, threads=threads)
    except ModelMissing:
        return None


def _net(file: ModelFile | None, takes: Takes, *, models_dir: Path, device: Device, threads: int) -> Net:
    if file is None:
        raise ValueError("a manifest of this kind names a file")
    return open_net(model_path(file, models_dir), takes, device=device, threads=threads)


def _name(file: ModelFile | None) -> str:
    return file.name if file is not None else "YuNet"


def _liveness_files(pack: Pack) -> str:
    return ", ".join(spec.file.name for spec in pack.liveness) or "liveness"
