"""What would end the server at its start is said first, in one line."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from services.dbinit.bootstrap import bootstrap
from services.dbinit.cluster import preflight
from services.dbinit.cluster.place import Place
from services.dbinit.cluster.preflight import ROOM_BYTES, room
from services.dbinit.config import Settings
from services.dbinit.databases.session import superuser
from services.dbinit.errors import ClusterUnusable, PlaceUnusable, ServerUnavailable
from tests.dbinit.conftest import MakeSettings, needs_root
from tests.dbinit.server import POSTGRES, STOPS_WITHIN_S, Server, environment, in_thread

DATA = Path("/data")


def run(settings: Settings) -> tuple[int, str]:
    """Run the `postgres` command on a cluster it must refuse; return its exit code and its only line."""
    ran = subprocess.run(
        POSTGRES, env=environment(settings), capture_output=True, text=True, timeout=STOPS_WITHIN_S, check=False
    )
    (line,) = ran.stderr.splitlines()
    return ran.returncode, line


@pytest.mark.parametrize(
    ("free_bytes", "free_files", "why"),
    [
        (ROOM_BYTES, None, None),
        (ROOM_BYTES, 100, None),
        (ROOM_BYTES - 1, 10**6, "15 MB are free, the server needs 16 MB"),
        (10**12, 99, "99 more files"),
    ],
)
def test_room(free_bytes: int, free_files: int | None, why: str | None) -> None:
    """A disk needs 16 MB and a hundred files; a file system that does not count its files is taken at its word."""
    found = room(DATA, free_bytes, free_files)

    assert (why is None) == (found is None)
    assert why is None or (why in str(found) and found is not None and found.exit_code == os.EX_IOERR)


def test_a_sound_cluster_has_no_obstacle(spare: Server) -> None:
    """Neither a cluster that was never started nor one whose server was killed is refused."""
    data = spare.settings.place.data
    new = preflight.obstacle(data)
    spare.start()
    spare.stop(signal.SIGKILL)

    assert (None, None) == (new, preflight.obstacle(data))


@pytest.mark.parametrize("damage", ["flipped", "no WAL", "foreign WAL"])
def test_damage_is_refused_by_every_command(spare: Server, restored: Path, damage: str) -> None:
    """A damaged control file or missing WAL stops bootstrap and server alike, by the file's name and with a way out."""
    wal = [path for path in (restored / "pg_wal").iterdir() if path.is_file()]
    path = restored / "global/pg_control" if damage == "flipped" else min(wal)
    if damage == "flipped":
        content = bytearray(path.read_bytes())
        content[40] ^= 1
        path.write_bytes(content)
    for file in wal:
        if damage == "no WAL":
            file.unlink()
        elif damage == "foreign WAL":
            file.write_bytes(bytes(file.stat().st_size))

    code, line = run(spare.settings)
    with pytest.raises(ClusterUnusable, match="restore"):
        bootstrap(spare.settings)

    assert os.EX_DATAERR == code
    assert line.startswith(f"postgres: {path.parent}/")
    assert "Way out: restore the data directory from a backup" in line


async def write_wal(settings: Settings) -> None:
    """Write to nothing but the WAL until the disk has no room for it; data files that cannot grow only fail a query."""
    async with superuser(settings) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
        while True:
            await connection.execute("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000000))")


@needs_root
def test_disk_full_while_running(make_settings: MakeSettings, small_disk: Path) -> None:
    """A full disk ends the server; each further start ends at once and says why; with space again, all is there."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(20 * 2**20))
    server = Server(make_settings(place=Place(small_disk / "postgresql")))
    try:
        server.start()
        with pytest.raises(ServerUnavailable):
            in_thread(write_wal(server.settings))
        assert server.process is not None
        crashed = server.process.wait(STOPS_WITHIN_S)
        (small_disk / "last").write_bytes(bytes(max(0, _free(small_disk) - 2**20)))
        code, line = run(server.settings)
        with pytest.raises(PlaceUnusable, match="the disk is full"):
            bootstrap(server.settings)
        ballast.unlink()
        server.start()
        kept = in_thread(_kept(server.settings))
        stopped = server.stop()
    finally:
        server.stop(signal.SIGQUIT)

    assert "No space left on device" in server.log.read_text()
    assert (1, os.EX_IOERR) == (crashed, code)
    assert re.match(r"postgres: .*/data: the disk is full: \d MB are free, the server needs 16 MB", line)
    assert (42, 0) == (kept, stopped)


def _free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


async def _kept(settings: Settings) -> int:
    async with superuser(settings) as connection:
        return int(await connection.fetchval("SELECT value FROM kept"))
