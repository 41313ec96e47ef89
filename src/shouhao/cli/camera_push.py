"""`shouhao cameras push`: tell a Hikvision device where to push, with a key of its own in the address."""

from typing import Annotated
from urllib.parse import urlsplit

import typer

from shouhao.cli.opening import opened, read_settings
from shouhao.kernel.errors import NotFound
from shouhao.watch.cameras import SEALED_PASSWORD
from shouhao.watch.store.cameras import find_camera


def push(
    context: typer.Context,
    camera: Annotated[str, typer.Argument(help="摄像机编号 Camera")],
    *,
    receiver: Annotated[
        str, typer.Option("--receiver", help="设备访问本系统的地址 How the device reaches us, http://HOST:PORT")
    ],
    device: Annotated[
        str | None,
        typer.Option("--device", help="设备地址；不填则只显示推送路径 Of the device; without it the path is shown"),
    ] = None,
    user: Annotated[str, typer.Option("--user", help="设备用户名 User of the device")] = "admin",
    xml: Annotated[bool, typer.Option("--xml", help="设备不支持 JSON 时 Where the device knows no JSON")] = False,
) -> None:
    """让海康设备推送到本系统（ISAPI httpHosts）。 Tell a Hikvision device to push here; asks for its password."""
    from shouhao.protocols.isapi_configure import (  # noqa: PLC0415 - httpx and the server: no other command waits
        DeviceLine,
        PushTarget,
        configure_push,
    )
    from shouhao.web.internal.known import push_key  # noqa: PLC0415 - as above
    from shouhao.web.internal.pushes import push_path  # noqa: PLC0415 - as above

    where = urlsplit(receiver)
    if where.scheme != "http" or not where.hostname:
        raise typer.BadParameter("http://HOST:PORT", param_hint="--receiver")
    with opened(read_settings(context.obj)) as system:
        with system.db.read() as connection:
            found = find_camera(connection, camera)
        if found is None or found.source != "isapi":
            raise NotFound("camera (isapi)", "camera")
        sealed = found.sealed_password
        password = None if sealed is None else system.vault.open(sealed, purpose=SEALED_PASSWORD)
        path = push_path(
            "isapi", found.device_id, push_key(system.vault.derive("camera-push", 32), found.device_id, password)
        )
        port = where.port or system.settings.internal_port
    typer.echo(f"http://{where.hostname}:{port}{path}")
    if device is None:
        return
    secret = typer.prompt(f"设备密码 password of {user}", hide_input=True)
    target = PushTarget(host=where.hostname, port=port, path=path, form="XML" if xml else "JSON")
    configured = configure_push(DeviceLine(base=device, user=user, password=secret), target)
    typer.echo(f"HTTP {configured.status} {configured.says}  {'已生效 kept' if configured.kept else '未生效 not kept'}")
    raise typer.Exit(0 if configured.kept else 1)
