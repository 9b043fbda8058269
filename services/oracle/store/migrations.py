"""The database's shape: numbered SQL files, applied once each, all in one transaction."""

from pathlib import Path
from typing import Any, Final

from meshkit import log
from services.oracle.errors import SettingInvalid
from services.oracle.store.database import SCHEMA, Database

_log = log.get_logger(__name__)
_FOLDER = Path(__file__).parent / "versions"
# Any number will do, as long as no other program locks the same one in this database.
_LOCK = 0x6665_6564
# What Chainlink's node makes first, and leaves where it cannot make its others.
_OF_CHAINLINK: Final = "goose_migrations"


async def migrate(database: Database) -> int:
    """
    Bring the database to the newest version and return that.

    Raises SettingInvalid when it is of a newer version than this program knows.
    """
    files = sorted(_FOLDER.glob("[0-9]*.sql"))
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        await _move(connection)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_versions"
            " (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        present: int = await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_versions")
        newest = int(files[-1].name[:4])
        if present > newest:
            raise SettingInvalid("Database.URL", f"a database of version {present}", f"version {newest} or older")
        for file in files[present:]:
            await connection.execute(file.read_text(encoding="utf-8"))
            await connection.execute("INSERT INTO schema_versions (version) VALUES ($1)", int(file.name[:4]))
            _log.info("migrated", version=int(file.name[:4]), name=file.stem)
    return newest


async def _move(connection: Any) -> None:
    """Take over the tables of versions that had them in `public`, where nobody else had any then."""
    if await connection.fetchval("SELECT to_regclass('public.schema_versions')") is None:
        return
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for (name,) in tables:
        if name != _OF_CHAINLINK:
            await connection.execute(f'ALTER TABLE public."{name}" SET SCHEMA {SCHEMA}')
    _log.info("tables_moved", schema=SCHEMA, tables=len(tables))
