"""`shouhao cameras`: the register from the command line: list, add, files in and out, signs and floor plans."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from shouhao.cli.opening import opened, read_settings
from shouhao.flows.camera_health import CameraStands, cameras_now
from shouhao.flows.cameras import check_sign, import_cameras, photograph_sign, read_plan, register_camera
from shouhao.kernel.clock import from_us, iso
from shouhao.protocols.camera_csv import FileRefused, read_cameras, read_ways, write_cameras, write_ways
from shouhao.watch.cameras import Camera, NewCamera, Place
from shouhao.watch.model import Source, ZoneKind
from shouhao.watch.store.cameras import list_cameras, put_place
from shouhao.watch.store.plans import put_plan
from shouhao.watch.store.ways import list_ways
from shouhao.wiring.watch import still_folder

app = typer.Typer(help="摄像机登记。 The register of cameras.", no_args_is_help=True)

_File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]
_JSON = Annotated[bool, typer.Option("--json", help="输出 JSON Print JSON")]


@app.command("list")
def list_all(context: typer.Context, *, as_json: _JSON = False) -> None:
    """列出摄像机与须处理的问题。 List cameras, and what to see to."""
    with opened(read_settings(context.obj)) as system, system.db.read() as connection:
        found = cameras_now(connection, now_us=system.clock.now_us())
    if as_json:
        typer.echo(json.dumps([_told(one) for one in found], ensure_ascii=False))
        return
    for one in found:
        camera = one.camera
        where = f"{camera.building} {camera.floor} {camera.place_name}"
        told = "；".join(warning.zh for warning in one.warnings)
        typer.echo(f"{camera.id}\t{camera.device_id}\t{camera.state}\t{one.state}\t{where}\t{camera.name}\t{told}")


@app.command("add")
def add(
    context: typer.Context,
    camera_id: Annotated[str, typer.Argument(help="摄像机编号 Id of the camera")],
    *,
    device_id: Annotated[str, typer.Option("--device", help="20 位设备编号 The device's 20 digits")],
    name: Annotated[str, typer.Option("--name")],
    place_id: Annotated[str, typer.Option("--place-id")],
    building: Annotated[str, typer.Option("--building")],
    floor: Annotated[str, typer.Option("--floor")],
    place: Annotated[str, typer.Option("--place")],
    zone: Annotated[str, typer.Option("--zone", help="entrance, window, pharmacy, clinic_door, other")],
    x: Annotated[float, typer.Option("--x", help="平面图上 0 至 1 On the plan, 0 to 1")],
    y: Annotated[float, typer.Option("--y")],
    angle_deg: Annotated[float, typer.Option("--angle")] = 0.0,
    source: Annotated[str, typer.Option("--source", help="gat1400, isapi, onvif, shots")] = "gat1400",
    group: Annotated[str, typer.Option("--group")] = "",
    kind: Annotated[str, typer.Option("--kind", help="型号 Make and model")] = "",
    digest: Annotated[bool, typer.Option("--digest/--no-digest")] = True,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", exists=True, dir_okay=False, help="口令文件 Its password")
    ] = None,
    stream_file: Annotated[
        Path | None, typer.Option("--stream-file", exists=True, dir_okay=False, help="RTSP 地址文件 Its address")
    ] = None,
) -> None:
    """登记或修改一台；声明与启用在控制台。 Register or change one; declaring and going live is the console's."""
    camera = Camera(
        id=camera_id,
        device_id=device_id,
        name=name,
        place_id=place_id,
        building=building,
        floor=floor,
        place_name=place,
        x=x,
        y=y,
        zone=cast("ZoneKind", zone),
        angle_deg=angle_deg,
        source=cast("Source", source),
        group_id=group,
        kind=kind,
        digest_required=digest,
    )
    new = NewCamera(camera=camera, password=_line(password_file), stream=_line(stream_file))
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        now_us = system.clock.now_us()
        where = Place(id=place_id, building=building, floor=floor, name=place)
        put_place(connection, where, staff_id=None, now_us=now_us)
        register_camera(connection, system.vault, new, staff_id=None, now_us=now_us)
    typer.echo(camera_id)


@app.command("import")
def import_file(
    context: typer.Context,
    file: _File,
    ways: Annotated[
        Path | None, typer.Option("--ways", exists=True, dir_okay=False, help="步行时间 CSV Walking times")
    ] = None,
    symmetric: Annotated[bool, typer.Option("--symmetric", help="反向同长 As long back as there")] = False,
) -> None:
    """导入 CSV；有一处错误则全部不导入。 Read CSV; one mistake and nothing is taken in."""
    read = read_cameras(file.read_bytes())
    times = None if ways is None else read_ways(ways.read_bytes(), symmetric=symmetric)
    bad = (*read.bad, *(() if times is None else times.bad))
    if bad:
        raise FileRefused(bad)
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        import_cameras(
            connection,
            system.vault,
            places=read.places,
            cameras=read.cameras,
            ways=None if times is None else times.ways,
            staff_id=None,
            now_us=system.clock.now_us(),
        )
    typer.echo(f"{len(read.places)} 处 places, {len(read.cameras)} 台 cameras")


@app.command("export")
def export(
    context: typer.Context, ways: Annotated[bool, typer.Option("--ways", help="步行时间 Walking times")] = False
) -> None:
    """导出 CSV，不含口令。 Write CSV, without passwords."""
    with opened(read_settings(context.obj)) as system, system.db.read() as connection:
        text = write_ways(list_ways(connection)) if ways else write_cameras(list_cameras(connection))
    typer.echo(text, nl=False)


@app.command("signs")
def signs(
    context: typer.Context,
    camera_id: Annotated[str | None, typer.Option("--camera", help="摄像机编号 Of which camera")] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", exists=True, dir_okay=False, help="新的照片 A new photograph")
    ] = None,
) -> None:
    """列出标识照片的日期，或登记新的照片。 When each sign was last seen, or a new photograph of one."""
    with opened(read_settings(context.obj)) as system:
        now_us = system.clock.now_us()
        if camera_id is not None and picture is not None:
            check_sign(picture.read_bytes())
            with system.db.write() as connection:
                still_id = photograph_sign(
                    connection,
                    still_folder(system.settings, system.vault),
                    camera_id,
                    picture.read_bytes(),
                    taken_at_us=now_us,
                    staff_id=None,
                    now_us=now_us,
                )
            typer.echo(still_id)
            return
        with system.db.read() as connection:
            for camera in list_cameras(connection):
                taken = camera.sign_taken_at_us
                typer.echo(f"{camera.id}\t{camera.state}\t{'-' if taken is None else from_us(taken).date()}")


@app.command("plan")
def plan(
    context: typer.Context,
    file: _File,
    building: Annotated[str, typer.Option("--building")],
    floor: Annotated[str, typer.Option("--floor")],
) -> None:
    """上传一层的平面图(SVG、PNG、JPEG)。 Upload a floor's plan."""
    kept = read_plan(file.read_bytes(), building=building, floor=floor)
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        put_plan(connection, kept, staff_id=None, now_us=system.clock.now_us())
    typer.echo(f"{kept.media_type}\t{kept.width}x{kept.height}\t{kept.sha256}")


def _line(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8").strip()


def _told(one: CameraStands) -> dict[str, Any]:
    camera = asdict(one.camera)
    for secret in ("sealed_password", "sealed_stream"):
        camera[f"has_{secret.removeprefix('sealed_')}"] = camera.pop(secret) is not None
    heard_us = one.health.heard_at_us
    return {
        **camera,
        "health": one.state,
        "heard_at": None if heard_us is None else iso(heard_us),
        "captures_last_hour": one.hours.last,
        "captures_usual": one.hours.usual,
        "warnings": [{"code": warning.code, "zh": warning.zh, "en": warning.en} for warning in one.warnings],
    }
