"""A real PostgreSQL server, started by the product's own command."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from meshkit.paths import DataDir, RunDir
from services.dbinit.bootstrap import bootstrap
from services.dbinit.cluster.place import Place
from services.dbinit.config import Settings
from services.dbinit.databases.session import superuser
from services.dbinit.errors import ServerUnavailable
from tests.ports import free_port

T = TypeVar("T")
PG_PASSWORD = "the-deployment's-secret"
STOPS_WITHIN_S = 45


def open_directory() -> Path:
    """Make a short directory that every user may enter."""
    path = Path(tempfile.mkdtemp(prefix="fm", dir="/tmp"))
    path.chmod(0o755)
    return path


def settings_in(directory: Path, **changes: Any) -> Settings:
    """Return settings with everything below one directory and a free port, unless one is given."""
    values: dict[str, Any] = {
        "run_dir": RunDir(directory / "run"),
        "place": Place(DataDir(directory / "data").postgres),
        "bin_dir": None,
        "user": None,
        "max_connections": 100,
        "synchronous_commit": True,
        "group_role": "chainlink",
        "total_nodes": 5,
        "pg_password": PG_PASSWORD,
    }
    if "port" not in changes:
        values["port"] = free_port()
    (directory / "run").mkdir(exist_ok=True)
    return Settings(**(values | changes))


def in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from synchronous code, whatever loop the test has."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


async def answering(settings: Settings) -> None:
    """Return once the server lets the superuser in."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(ServerUnavailable), wait=wait_fixed(0.05), stop=stop_after_delay(60)
    ):
        with attempt:
            async with superuser(settings):
                pass


def environment(settings: Settings) -> dict[str, str]:
    """Return what the commands find their files by."""
    return {**os.environ, "FEEDMESH_RUN_DIR": str(settings.run_dir.path)}


POSTGRES = [sys.executable, "-m", "services.dbinit", "postgres"]


class Server:
    """One cluster and its server process."""

    def __init__(self, settings: Settings) -> None:
        bootstrap(settings)
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None
        self.log = settings.run_dir.path / "postgres.log"

    @property
    def pid(self) -> int:
        """Return the process id of what was started."""
        assert self.process is not None
        return self.process.pid

    def launch(self, within: Sequence[str] = ()) -> None:
        """Start the server, perhaps by a command that puts it somewhere else."""
        command = [*within, *POSTGRES]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment(self.settings), stdout=log, stderr=log)

    def start(self, within: Sequence[str] = ()) -> None:
        """Start the server and wait until it answers."""
        self.launch(within)
        in_thread(answering(self.settings))

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal, wait for the end and return the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOPS_WITHIN_S)

    def remove_process(self) -> None:
        """Leave no process."""
        if self.process is not None and self.process.poll() is None:
            self.stop(signal.SIGQUIT)

    def remove(self) -> None:
        """Leave nothing: no process, no file."""
        self.remove_process()
        shutil.rmtree(self.settings.run_dir.path.parent)
