"""`shouhao serve watch`, as in production: it begins with the switch off and without models, and ends when told to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from shouhao.store.vault import Vault, read_master_key
from shouhao.watch.model import Arrival
from shouhao.watch.spool import Spool
from shouhao.watch.spool_format import segments_in

SHOUHAO = Path(sys.executable).with_name("shouhao")


def test_while_the_switch_is_off_what_waits_in_the_spool_is_destroyed_unread(sqlite_url, tmp_path):
    data = tmp_path / "data"
    sealer = Vault(read_master_key(data / "master.key", create=True)).sealer("spool")
    arrival = Arrival(source="gat1400", device_id="d", proven=True, body=b"a face", arrived_at_us=1)
    with Spool(data / "spool", "receiver", sealer=sealer, now_us=lambda: 1_000_000) as spool:
        spool.append([arrival])
    env = {
        **os.environ,
        "SHOUHAO_DATA_DIR": str(data),
        "SHOUHAO_DATABASE_URL": sqlite_url,
        "SHOUHAO_MODELS": str(tmp_path / "no-models"),
    }
    process = subprocess.Popen(
        [str(SHOUHAO), "serve", "watch"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert '"serving"' in process.stdout.readline()
        while segments_in(data / "spool" / "receiver"):
            assert process.poll() is None
            os.sched_yield()
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[0]
    finally:
        process.kill()
    assert process.returncode == 0
    assert '"stopped"' in said
    assert "error" not in said
