"""Faces: what the engine passes from step to step. Values only; each step stands in a file of its own.

Pixels are uint8 (height, width, 3) in the order blue, green, red. A face is named by the subject's own sides: its right
eye lies to the left in the picture. Similarities are cosines of unit vectors, larger is more alike.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shouhao.kernel.errors import Refused

#: What a stored face may be used for. The two share no key, no table and no query (invariant 7).
Purpose = Literal["watchlist", "consented"]
PURPOSES: tuple[Purpose, ...] = ("watchlist", "consented")

Pixels = NDArray[np.uint8]  #: (height, width, 3), blue green red
Embedding = NDArray[np.float32]  #: (dims,), length 1
LANDMARKS = ("right_eye", "left_eye", "nose", "right_mouth_corner", "left_mouth_corner")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detection:
    """The faces found in one picture, the largest score first."""

    boxes_xyxy_px: NDArray[np.float32]  #: (n, 4); may reach beyond the picture
    landmarks_px: NDArray[np.float32]  #: (n, 5, 2) x, y in the order of `LANDMARKS`
    scores: NDArray[np.float32]  #: (n,) 0 to 1

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How fit one face is for comparing, from its pixels and landmarks."""

    score: float  #: 0 to 1, what best shots are chosen by and fusion weighs with
    eye_distance_px: float
    sharpness: float  #: variance of the Laplacian of the aligned face, in grey levels squared
    yaw_deg: float  #: from landmarks; positive when the subject turns to its own left
    pitch_deg: float
    roll_deg: float
    inside: float  #: share of the face, as it is aligned for comparing, that lies in the picture
    detector_score: float
    problems: tuple[str, ...] = ()  #: codes of `QUALITY_WORDS`; none: fit to enrol


#: code: what a person is told, Chinese and English.
QUALITY_WORDS: dict[str, tuple[str, str]] = {
    "small": ("人脸太小，请靠近或换更清晰的照片", "The face is too small"),
    "blurred": ("人脸模糊", "The face is blurred"),
    "turned": ("人脸侧转或俯仰过大", "The face is turned too far"),
    "cut": ("人脸被画面边缘截断", "The face is cut by the edge of the picture"),
    "uncertain": ("检测把握不足，可能不是人脸或有遮挡", "It is not certain that this is a whole face"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Face:
    """One face of one picture, ready to be compared."""

    box_xyxy_px: NDArray[np.float32]  #: (4,)
    landmarks_px: NDArray[np.float32]  #: (5, 2)
    quality: Quality
    embedding: Embedding  #: (dims,), length 1
    pack: str  #: `PackId` of the model that made the embedding; those of two packs are never compared


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probe:
    """What is asked about: the fused faces of one passage, or one photograph; good for one purpose alone."""

    purpose: Purpose
    embedding: Embedding  #: (dims,), length 1
    pack: str
    quality: float  #: of the best frame, 0 to 1
    frames: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One subject whose photograph is as alike as its list asks for."""

    subject_id: str
    list_id: str
    photo_id: str  #: the most alike of the subject's photographs
    similarity_cos: float
    threshold_cos: float


class Detector(Protocol):
    """Finds faces."""

    def detect(self, pictures: list[Pixels]) -> list[Detection]:
        """The faces of each picture, in pixels of that picture, whatever its size."""
        ...


class Embedder(Protocol):
    """Turns aligned faces into vectors."""

    dims: int
    chip_px: int  #: side of the aligned face it takes
    template_px: NDArray[np.float32]  #: (5, 2) where the landmarks stand in the aligned face

    def embed(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit vectors (n, dims) of aligned faces (n, chip_px, chip_px, 3), blue green red."""
        ...


class PictureRefused(Refused):
    """These bytes are not a picture that this system takes."""

    code = "faces.picture_refused"
    zh = "无法使用该图片：{why_zh}"
    en = "This picture cannot be used: {why_en}"


class NoFace(Refused):
    """There is no face in the picture."""

    code = "faces.no_face"
    zh = "图片中没有找到人脸"
    en = "No face was found in the picture"


class SeveralFaces(Refused):
    """One face was asked for and there are more."""

    code = "faces.several_faces"
    zh = "图片中有 {count} 张人脸，请提供只有一人的照片"
    en = "There are {count} faces in the picture; give one with a single person"


class PoorFace(Refused):
    """The face is not fit to be enrolled."""

    code = "faces.poor_face"
    zh = "照片质量不足：{problems_zh}"
    en = "The photograph is not good enough: {problems_en}"


class ModelMissing(Refused):
    """A pack's file is not on this machine."""

    code = "faces.model_missing"
    zh = "模型包 {pack} 缺少文件 {file}：先运行 shouhao models pull {pack}，或把文件放入 SHOUHAO_MODELS 指向的目录"
    en = "Pack {pack} lacks {file}: run shouhao models pull {pack}, or put the file into the folder SHOUHAO_MODELS"


class ModelRefused(Refused):
    """A model file is not the one that its pack names, or cannot be read as a model."""

    code = "faces.model_refused"
    zh = "模型文件 {file} 不可用：{why_zh}"
    en = "Model file {file} cannot be used: {why_en}"


class PackUnknown(Refused):
    """There is no such model pack."""

    code = "faces.pack_unknown"
    zh = "没有模型包 {pack}；现有：{known}"
    en = "There is no model pack {pack}; there are {known}"


class PurposeMixed(Refused):
    """A face that was taken for one purpose was held against a gallery of the other."""

    code = "faces.purpose_mixed"
    zh = "用途不符：{asked} 的人脸不得与 {gallery} 底库比对"
    en = "A face taken for {asked} must not be compared with the gallery for {gallery}"


class PackMixed(Refused):
    """Embeddings of two packs were to be compared."""

    code = "faces.pack_mixed"
    zh = "模型不符：{asked} 的特征不能与 {gallery} 的底库比对"
    en = "An embedding of {asked} cannot be compared with a gallery of {gallery}"
