"""A hospital that takes lists from an issuer, for tests of bundles."""

from pathlib import Path
from typing import Any

from flows.listing import Keeping
from shouhao.flows.watch_approved import apply_due
from shouhao.flows.watchlist_exchange import Received, ask_import, ask_issuer, check_bundle, receive_bundle
from shouhao.flows.watchlist_listing import list_due
from shouhao.store.engine import Database
from shouhao.watch.bundle_diff import Difference
from shouhao.watch.store import bundles
from shouhao.watch.store import watchlist_tables as tables
from shouhao.watch.watchlist import Entry
from watch.made_bundle import ISSUER_ID, PUBLIC


class Exchanging(Keeping):
    """With one issuer, registered by four eyes."""

    def __init__(self, db: Database, folder: Path, **more: Any) -> None:
        super().__init__(db, folder, **more)
        with self.db.write() as connection:
            approval_id = ask_issuer(
                connection,
                name="某市公安局",
                source="police",
                public_key=PUBLIC,
                reason="电话核对指纹",
                operator=self.asker,
                now_us=self.now_us,
            )
        self.approved(approval_id)

    def receive(self, data: bytes, **more: Any) -> Received:
        return receive_bundle(self.desk, data, list_id="own", operator=self.asker, now_us=self.now_us, **more)

    def check(self, bundle_id: str) -> Difference:
        return check_bundle(self.desk, bundle_id, now_us=self.now_us)

    def accept(self, data: bytes) -> tuple[str, Difference]:
        """Received, looked at, accepted by two others and listed."""
        received = self.receive(data)
        difference = self.check(received.bundle_id)
        with self.db.write() as connection:
            approval_id = ask_import(
                connection, received.bundle_id, reason="核对无误", operator=self.asker, now_us=self.now_us
            )
        self.agree(approval_id)
        apply_due(self.desk, now_us=self.now_us)
        list_due(self.desk, now_us=self.now_us)
        return received.bundle_id, difference

    def close_issuer(self) -> None:
        with self.db.write() as connection:
            bundles.close_issuer(connection, ISSUER_ID, staff_id=self.asker.id, now_us=self.now_us)

    def bundle(self, bundle_id: str) -> bundles.StoredBundle:
        with self.db.read() as connection:
            return bundles.find_bundle(connection, bundle_id)

    def entries(self) -> dict[str | None, Entry]:
        """The newest entry of each of the issuer's ids."""
        with self.db.read() as connection:
            found = [row.id for row in connection.execute(tables.entries.select().order_by(tables.entries.c.id))]
        return {self.entry(one).foreign_id: self.entry(one) for one in found}

    def files(self) -> list[Path]:
        return sorted(self.desk.bundles_dir.glob("*")) if self.desk.bundles_dir.is_dir() else []

    def state(self) -> dict[str, list[str]]:
        """Everything about the watchlist that is stored."""
        with self.db.read() as connection:
            return {
                table.name: sorted(map(repr, connection.execute(table.select())))
                for table in (tables.issuers, tables.bundles, tables.entries, tables.photos, tables.asks)
            }
