"""The `postgres` command."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest

from meshkit.paths import RunDir
from services.dbinit.cluster import run_as, server_launch
from services.dbinit.cluster.run_as import Identity
from services.dbinit.cluster.server_launch import Launch
from services.dbinit.databases.session import login, superuser
from tests.dbinit.server import POSTGRES, STOPS_WITHIN_S, Server, answering, environment, in_thread


async def fetchval(server: Server, query: str) -> object:
    """Return the one value of a superuser's query."""
    async with superuser(server.settings) as connection:
        return await connection.fetchval(query)


def test_process_is_the_postmaster(server: Server) -> None:
    """The process that was started is the postmaster itself, and not root."""
    pid_file = (server.settings.place.data / "postmaster.pid").read_text().splitlines()

    assert str(server.pid) == pid_file[0]
    assert 0 not in psutil.Process(server.pid).uids()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("max_connections", "100"),
        ("wal_level", "minimal"),
        ("password_encryption", "scram-sha-256"),
        ("server_encoding", "UTF8"),
        ("dynamic_shared_memory_type", "mmap"),
        ("min_dynamic_shared_memory", "16MB"),
        ("huge_pages", "off"),
        ("restart_after_crash", "off"),
        ("recovery_init_sync_method", "syncfs"),
        ("max_wal_size", "256MB"),
        ("wal_segment_size", "4MB"),
    ],
)
async def test_settings_are_in_force(server: Server, name: str, value: str) -> None:
    """The running server has the settings that were written."""
    assert value == await fetchval(server, f"SHOW {name}")


async def test_sorting_does_not_depend_on_the_machine(server: Server) -> None:
    """The databases use PostgreSQL's built-in C.UTF-8."""
    query = "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = 'chainlink_node_1'"

    assert "b C.UTF-8" == await fetchval(server, query)


async def test_settings_cannot_be_loosened_from_inside(server: Server) -> None:
    """Not even the superuser can change the settings that outlast a session."""
    with pytest.raises(asyncpg.FeatureNotSupportedError, match="ALTER SYSTEM"):
        await fetchval(server, "ALTER SYSTEM SET listen_addresses = '*'")


async def test_unix_socket_asks_for_the_password(server: Server) -> None:
    """The socket lies in a private directory, and even there a wrong password is refused."""
    directory = server.settings.place.socket
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(
            host=str(directory), port=server.settings.port, user="feedmesh", password="wrong", database="postgres"
        )

    assert 0o700 == directory.stat().st_mode & 0o777


def test_only_loopback_listens(server: Server) -> None:
    """The server's only TCP listener is on 127.0.0.1."""
    listening = [c.laddr for c in psutil.Process(server.pid).net_connections("inet") if c.status == "LISTEN"]

    assert [("127.0.0.1", server.settings.port)] == listening


async def test_superuser_password_is_needed(server: Server) -> None:
    """No password but the one in the file makes anybody the superuser."""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await login(server.settings.port, "feedmesh", "wrong", "postgres")


def test_committed_rows_survive_a_kill(spare: Server) -> None:
    """Rows that were committed are there after SIGKILL of the postmaster and a start right after it."""

    async def insert() -> None:
        async with superuser(spare.settings) as connection:
            await connection.execute(
                "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT generate_series(1, 1000) AS value"
            )

    try:
        spare.start()
        in_thread(insert())
        spare.stop(signal.SIGKILL)
        spare.start()
        rows = in_thread(fetchval(spare, "SELECT count(*) FROM kept"))
        code = spare.stop()
    finally:
        spare.stop(signal.SIGQUIT)

    assert (1000, 0) == (rows, code)


def test_stale_files_do_not_stop_it(spare: Server) -> None:
    """A pid file and a socket's lock that name a living process of the server's user do not stop the start."""
    identity = server_launch.read(spare.settings.run_dir).identity
    with subprocess.Popen(run_as.command(identity, ["/bin/sleep", "1000"])) as stranger:
        try:
            place = spare.settings.place
            stale = f"{stranger.pid}\n{place.data}\n1700000000\n{spare.settings.port}\n{place.socket}\n127.0.0.1\n"
            place.socket.mkdir(exist_ok=True)
            for path in (place.data / "postmaster.pid", place.socket / f".s.PGSQL.{spare.settings.port}.lock"):
                path.write_text(stale)
            spare.start()
            code = spare.stop()
        finally:
            stranger.kill()

    assert 0 == code


def test_second_server_is_refused(server: Server) -> None:
    """A second server on the same cluster gives up, and the first one goes on."""
    ran = subprocess.run(POSTGRES, env=environment(server.settings), capture_output=True, text=True)
    in_thread(answering(server.settings))

    assert 1 == ran.returncode
    assert "postmaster.pid" in ran.stderr


def test_dies_with_its_parent(spare: Server) -> None:
    """When the process that started the server is killed, the server stops by itself."""
    script = f"import subprocess; subprocess.run({POSTGRES!r})"
    log = spare.log.open("wb")
    with log, subprocess.Popen([sys.executable, "-c", script], env=environment(spare.settings), stderr=log) as parent:
        in_thread(answering(spare.settings))
        (postmaster,) = psutil.Process(parent.pid).children()
        parent.kill()
    gone, alive = psutil.wait_procs([postmaster], STOPS_WITHIN_S)

    assert ([postmaster], []) == (gone, alive)
    assert "immediate shutdown" in spare.log.read_text()


def test_port_in_use(spare: Server) -> None:
    """A port that somebody else holds ends the server with a line that names the port."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", spare.settings.port))
        holder.listen()
        ran = subprocess.run(POSTGRES, env=environment(spare.settings), capture_output=True, text=True, timeout=20)

    assert 0 != ran.returncode
    assert 'could not bind IPv4 address "127.0.0.1": Address already in use' in ran.stderr
    assert str(spare.settings.port) in ran.stderr


def test_before_bootstrap(run_dir: Path) -> None:
    """Without a bootstrapped cluster the command says what to run first."""
    variables = {**os.environ, "FEEDMESH_RUN_DIR": str(run_dir)}
    ran = subprocess.run(POSTGRES, env=variables, capture_output=True, text=True)

    assert 1 == ran.returncode
    assert "python -m services.dbinit bootstrap" in ran.stderr


def test_start_imports_little() -> None:
    """The command does not load what only the service needs."""
    script = (
        "import sys, services.dbinit.cluster.server_launch; print({'grpc', 'asyncpg', 'pydantic'} & set(sys.modules))"
    )

    assert "set()\n" == subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout


@pytest.mark.parametrize("identity", [None, Identity(1, 2, (2, 3))])
@pytest.mark.parametrize("socket_directory", [None, Path("/socket")])
def test_file_round_trip(identity: Identity | None, socket_directory: Path | None, run_dir: Path) -> None:
    """What bootstrap writes is what the command reads, and nobody else can."""
    written = Launch(Path("/bin/postgres"), Path("/data"), Path("/conf"), socket_directory, identity)
    server_launch.write(written, RunDir(run_dir))

    assert written == server_launch.read(RunDir(run_dir))
    assert 0o600 == RunDir(run_dir).postgres_launch.stat().st_mode & 0o777
