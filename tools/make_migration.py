"""Write a migration script from what the tables say and a migrated database lacks: `make_migration.py "add x"`."""

import sys
import tempfile
from pathlib import Path

from alembic import command

import shouhao.booking.antenatal_tables
import shouhao.booking.draw_tables
import shouhao.booking.tables
import shouhao.cases.tips_tables
import shouhao.compliance.tables
import shouhao.detect.store.tables
import shouhao.faces.tables
import shouhao.gate.tables
import shouhao.patients.consents_tables
import shouhao.patients.tables
import shouhao.staff.tables
import shouhao.store.answers
import shouhao.store.event_log
import shouhao.store.policies
import shouhao.watch.store.alarm_tables
import shouhao.watch.store.camera_tables
import shouhao.watch.store.capture_tables
import shouhao.watch.store.frequent_tables
import shouhao.watch.store.handover_tables
import shouhao.watch.store.recordings_tables
import shouhao.watch.store.subscription_tables
import shouhao.watch.store.watchlist_tables  # noqa: F401 - imported so that they hang their tables on the metadata
from shouhao.store.engine import open_database
from shouhao.store.migrate import _config, upgrade
from shouhao.store.schema import metadata

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'now.sqlite3'}"
        config = _config()
        if any((Path(config.get_main_option("script_location") or "") / "versions").glob("0*.py")):
            upgrade(url)
        with open_database(url).write() as connection:
            config.attributes["connection"] = connection
            config.attributes["metadata"] = metadata
            command.revision(config, sys.argv[1], autogenerate=True, rev_id=sys.argv[2])
