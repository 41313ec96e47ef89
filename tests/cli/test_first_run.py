"""What `shouhao up` says on its first run."""

import re
from pathlib import Path

from shouhao.cli.run import _introduce
from shouhao.settings import Settings
from shouhao.staff.store import list_operators
from shouhao.store.migrate import upgrade
from shouhao.wiring import assemble


def test_the_first_run_tells_of_one_administrator_and_a_key_that_neither_administers_nor_audits(
    tmp_path: Path, capsys
) -> None:
    settings = Settings(data_dir=tmp_path)
    upgrade(settings.open_url())
    system = assemble(settings)
    try:
        _introduce(system)
        first = capsys.readouterr().out
        _introduce(system)
        again = capsys.readouterr().out
        with system.db.read() as connection:
            found = list_operators(connection)
    finally:
        system.close()
    assert re.search(r"administrator  admin  一次性口令 one-time [A-Z2-7]{4}(-[A-Z2-7]{4}){5}\n", first)
    assert len(re.findall(r"Authorization: Bearer [\w-]{43}", first)) == 1
    assert "one-time" not in again
    assert "Bearer" not in again
    assert sorted(sorted(one.roles) for one in found) == [
        ["administrator"],
        ["approver", "it", "outpatient_office", "reviewer", "window"],
    ]
