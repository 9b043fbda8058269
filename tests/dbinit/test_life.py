"""The whole life of a cluster: as an ordinary user, as PID 1, on a read-only root, with hardly any /dev/shm."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.dbinit.cluster import run_as
from services.dbinit.cluster.run_as import Identity
from services.dbinit.databases.session import superuser
from tests.dbinit.conftest import MakeSettings, needs_root
from tests.dbinit.server import Server
from tests.ports import free_port
from tests.supervisor.test_places import ORDINARY, PID_1, READ_ONLY, needed

NOBODY = 65534
SMALL_SHM = ("unshare", "--mount", "sh", "-ec", 'mount -t tmpfs -o size=64k tmpfs /dev/shm; exec "$@"', "sh")


def interpreter() -> str:
    """Return a Python that an ordinary user can run; ours may lie in root's home."""
    for candidate in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")):
        if candidate is not None:
            command = run_as.command(Identity(NOBODY, NOBODY, ()), [candidate, "-I", "-S", "-c", "import dataclasses"])
            if subprocess.run(command, capture_output=True).returncode == 0:
                return candidate
    pytest.skip("an ordinary user can run no Python here")


def live(directory: Path, *, within: Sequence[str] = (), user: str = "-", rest: Sequence[str] = ()) -> dict[str, Any]:
    """Have a cluster made, started, provisioned, checked and stopped below a directory; return what came of it."""
    programs, python = rest or ("-", sys.executable)
    # Where it is put, it may have no place to note that a port is its own.
    there = (user, str(directory), str(free_port()), programs, python)
    command = [*within, sys.executable, "-m", "tests.dbinit.life", *there]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 == ran.returncode, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    assert (True, 0, 2, []) == (found["created"], found["code"], found["databases"], found["violations"])
    return found


@needs_root
def test_as_an_ordinary_user(directory: Path, programs_copy: Path) -> None:
    """An ordinary user's cluster belongs to it."""
    home = directory / "home"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY, NOBODY)
    for path in (directory / "programs", *(directory / "programs").rglob("*")):
        if path.is_dir():
            path.chmod(0o755)

    assert NOBODY == live(home, user=str(NOBODY), rest=(str(programs_copy), interpreter()))["owner"]


def test_directory_of_somebody_else(directory: Path) -> None:
    """An ordinary user is told which directory it may not write to."""
    needed(ORDINARY)
    script = (
        "from pathlib import Path; from services.dbinit.bootstrap import bootstrap; "
        "from tests.dbinit.server import settings_in; "
        f"bootstrap(settings_in(Path({str(directory)!r}), port={free_port()}))"
    )
    for name in ("run", "data"):
        (directory / name).mkdir(mode=0o755)
    ran = subprocess.run([*ORDINARY, sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert f"PlaceUnusable: {directory}/data/postgresql: cannot be used: Permission denied" in ran.stderr


def test_in_a_process_namespace(directory: Path) -> None:
    """As PID 1 of a namespace of its own everything works as elsewhere."""
    needed(PID_1)

    assert 1 == live(directory, within=PID_1)["pid"]


def test_on_a_read_only_root(directory: Path) -> None:
    """One writable directory is enough."""
    within = (*READ_ONLY, "sh", str(directory))
    needed(within)
    live(directory, within=within)


@needs_root
async def test_hardly_any_shared_memory(make_settings: MakeSettings) -> None:
    """With 64 KB of /dev/shm the server starts, and even parallel queries, which nodes do not ask for, work."""
    needed(SMALL_SHM)
    server = Server(make_settings())
    try:
        server.start(SMALL_SHM)
        async with superuser(server.settings) as connection:
            await connection.execute("CREATE TABLE many AS SELECT generate_series(1, 200000) AS value; ANALYZE many")
            await connection.execute(
                "SET max_parallel_workers_per_gather = 2; SET debug_parallel_query = on; SET parallel_setup_cost = 0; "
                "SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0"
            )
            query = "SELECT count(*) FROM (SELECT DISTINCT value FROM many) AS values"
            lines = [record[0] for record in await connection.fetch(f"EXPLAIN (ANALYZE) {query}")]
            count = await connection.fetchval(query)
        stopped = server.stop()
    finally:
        server.remove_process()

    assert any("Workers Launched: 2" in line for line in lines), lines
    assert (200_000, 0) == (count, stopped)
