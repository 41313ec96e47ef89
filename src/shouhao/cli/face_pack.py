"""Which pack a command works with: the one that is asked for, or the first that is usable, which is then said."""

from typing import TYPE_CHECKING

import typer

from shouhao.faces.choose import choose_pack, told, usable_pack
from shouhao.faces.packs import Pack
from shouhao.settings import Settings
from shouhao.wiring.faces import face_engine

if TYPE_CHECKING:
    from shouhao.faces.pipeline import FaceEngine


def engine_for(settings: Settings, asked: str | None) -> tuple["FaceEngine", Pack]:
    """The engine and its pack; a fall-back and a pack for trying out are said on the error stream.

    Raises:
        Refused: the pack that is asked for is not usable, or none is.
    """
    choice = choose_pack(
        asked, setting=settings.face_pack, usable=lambda name: usable_pack(name, models_dir=settings.models_dir)
    )
    for line in told(choice) or ():
        typer.echo(line, err=True)
    return face_engine(settings, choice.pack), choice.pack
