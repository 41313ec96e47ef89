"""Migrate: bring a database to the newest schema, on either kind, from one set of scripts."""

from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from shouhao.store.engine import open_database


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("shouhao.store") / "migrations"))
    return config


def upgrade(url: str) -> None:
    """Run every migration the database has not seen, each in its own transaction.

    Raises:
        Unavailable: the database does not answer.
    """
    config = _config()
    database = open_database(url, pool_size=1)
    try:
        with database.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        database.close()


def is_current(url: str) -> bool:
    """Whether the database has the newest schema."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    database = open_database(url, pool_size=1)
    try:
        with database.read() as connection:
            return MigrationContext.configure(connection).get_current_revision() == newest
    finally:
        database.close()
