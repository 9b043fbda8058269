"""The database's shape: numbered SQL files, applied once each, all in one transaction."""

from pathlib import Path

from meshkit import log
from services.oracle.errors import SettingInvalid
from services.oracle.store.database import Database

_log = log.get_logger(__name__)
_FOLDER = Path(__file__).parent / "versions"
# Any number will do, as long as no other program locks the same one in this database.
_LOCK = 0x6665_6564


async def migrate(database: Database) -> int:
    """
    Bring the database to the newest version and return that.

    Raises SettingInvalid when it is of a newer version than this program knows.
    """
    files = sorted(_FOLDER.glob("[0-9]*.sql"))
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
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
