"""Choose: which model pack is used, when nobody named one and the one that is set is not on the machine.

A named pack is never replaced by another; a fallback is never silent: `told` is what has to be said of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shouhao.faces.packs import (
    ModelFile,
    Pack,
    PackagedFile,
    PackageMissing,
    load_pack,
    missing_library,
    model_path,
    packaged_path,
)
from shouhao.kernel.errors import Refused

#: Tried in this order after the pack of the settings: the hospital's own models, then the ones for trying out.
FALLBACKS = ("arcface-onnx", "dlib")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """The pack that is used."""

    pack: Pack
    instead_of: str | None  #: the pack of the settings, when another had to be taken
    why: Refused | None  #: what that one lacks


def choose_pack(asked: str | None, *, setting: str, usable: Callable[[str], Pack]) -> Choice:
    """The pack to use. Pure: what is usable is asked of the caller.

    Args:
        asked: a pack that somebody named, or None.
        setting: the pack of the settings.
        usable: the pack of a name with all its files there, or a refusal.
    Raises:
        Refused: the named pack is not usable, or none is; then with the reason of the pack of the settings.
    """
    if asked is not None:
        return Choice(pack=usable(asked), instead_of=None, why=None)
    try:
        return Choice(pack=usable(setting), instead_of=None, why=None)
    except Refused as refusal:
        first = refusal
    for name in FALLBACKS:
        if name == setting:
            continue
        try:
            return Choice(pack=usable(name), instead_of=setting, why=first)
        except Refused:
            continue
    raise first


def usable_pack(name: str, *, models_dir: Path) -> Pack:
    """The pack of a name, once it is certain that what it needs lies on this machine.

    Raises:
        PackUnknown, InvalidInput: there is no such pack, or its manifest breaks a rule.
        ModelMissing, PackageMissing: a file or a package is not there.
        ModelRefused: a file is another one than the manifest names.
    """
    pack = load_pack(name, models_dir=models_dir)
    library = missing_library(pack)
    if library is not None:
        raise PackageMissing(pack=name, package=library, file=library)
    for part in (pack.detector, pack.embedder):
        files: list[ModelFile | PackagedFile] = [*part.packaged]
        if part.file is not None:
            files.append(part.file)
        for file in files:
            if isinstance(file, ModelFile):
                model_path(file, models_dir)
            else:
                packaged_path(file)
    return pack


def told(choice: Choice) -> tuple[str, str] | None:
    """What is said about a choice, Chinese and English; None when it is what was asked for and fit for its work."""
    zh, en = [], []
    if choice.instead_of is not None and choice.why is not None:
        zh.append(f"模型包 {choice.instead_of} 不可用（{choice.why.says('zh')}），改用 {choice.pack.name}。")
        en.append(f"Pack {choice.instead_of} is not usable ({choice.why.says('en')}); {choice.pack.name} is used.")
    if choice.pack.for_trying_out:
        zh.append(f"模型包 {choice.pack.name} 仅供试用，不得用于正式运行。")
        en.append(f"Pack {choice.pack.name} is for trying out only, not for real work.")
    return ("".join(zh), " ".join(en)) if zh else None
