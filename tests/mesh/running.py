"""A whole mesh as a child process, as a person runs it."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import grpc
import psutil

from cli.service_states import service_json
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as supervisor_grpc
from tests.ports import is_free, is_ours

BASE_PORTS = (3000, 3003, 5432, 8545, 8600, *range(6601, 6609), *range(9901, 9909))
PORT_OFFSETS = range(10_000, 11_000, 20)
T = TypeVar("T")
FEEDMESH = (sys.executable, "-m", "cli")


def free_port_offset() -> int:
    """
    Return an offset at which every port of a mesh is free, for this process alone until its end.

    Two offsets differ by less than any two kinds of ports do, so that their ports are never the same; all stay below
    the range of outgoing connections. A mesh that was chosen a port for has not bound it yet, so a lock keeps it.
    """
    for offset in PORT_OFFSETS:
        if is_ours(f"ports-of-meshes-{offset}") and is_free(*(port + offset for port in BASE_PORTS)):
            return offset
    raise RuntimeError("no free ports")


def wait_until(what: str, probe: Callable[[], T | None], timeout_s: float) -> T:
    """Return the first value of `probe` that is not None or False; fail with `what` when the time is up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := probe():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {timeout_s} s: {what}")


class Mesh:
    """A mesh in a directory of its own; every process of it carries that directory in its environment or arguments."""

    def __init__(self, directory: Path, offset: int, *arguments: str, config: Path | None = None) -> None:
        self.directory = directory
        self.offset = offset
        self.run_dir = directory / "run"
        self.data_dir = directory / "data"
        self.output = (directory / "output").open("w+")
        places = ("--data-dir", str(self.data_dir), "--run-dir", str(self.run_dir), "--port-offset", str(offset))
        words = ("run", "--profile", "embedded", *places) if config is None else ("up", "--config", str(config))
        self.process = subprocess.Popen(
            [*FEEDMESH, *words, *arguments],
            stdout=self.output,
            stderr=self.output,
            start_new_session=True,
        )

    def text(self) -> str:
        """Return everything it wrote."""
        return (self.directory / "output").read_text()

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a feedmesh command against it."""
        done = subprocess.run(
            [*FEEDMESH, *arguments, "--run-dir", str(self.run_dir)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, f"feedmesh {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done

    def status(self) -> dict[str, dict[str, Any]]:
        """Return the services by name, asked without the command: much is waited for so."""
        with grpc.insecure_channel(f"unix:{self.run_dir / 'supervisor.sock'}") as connection:
            stub = supervisor_grpc.SupervisorServiceStub(connection)
            listed = stub.ListServices(supervisor_pb.ListServicesRequest(), timeout=20)
        return {service.name: service_json(service) for service in listed.services}

    def feeds(self) -> dict[str, dict[str, Any]]:
        """Return the feeds by name."""
        return {feed["name"]: feed for feed in json.loads(self.command("feeds", "--json").stdout)}

    def rounds(self) -> dict[str, int]:
        """Return how many rounds were shown for each feed."""
        counts: dict[str, int] = {}
        for line in self.text().splitlines():
            if " round " in line and " answer " in line:
                name = line.split("s  ", 1)[1].split(" round ")[0].strip()
                counts[name] = counts.get(name, 0) + 1
        return counts

    def first_rounds(self, feeds: Iterable[str], timeout_s: float) -> None:
        """Wait until each feed has had a round."""
        self.more_rounds(dict.fromkeys(feeds, 0), timeout_s)

    def more_rounds(self, before: Mapping[str, int], timeout_s: float) -> None:
        """Wait until each of the feeds has had one more round than before."""

        def advanced() -> bool:
            assert self.process.poll() is None, self.text()[-3000:]
            now = self.rounds()
            return all(now.get(feed, 0) > count for feed, count in before.items())

        try:
            wait_until("a new round of every feed", advanced, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()[-3000:]}") from None

    def stop(self, timeout_s: float = 20) -> int:
        """Ask for the ordered stop and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def left_over(self) -> list[str]:
        """Return the command lines of live processes that belong to this mesh."""
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "environ"]):
            words = " ".join(process.info["cmdline"] or ())
            environment = process.info["environ"] or {}
            if str(self.directory) in words or str(self.run_dir) == environment.get("FEEDMESH_RUN_DIR"):
                found.append(words)
        return found


@contextlib.contextmanager
def own_directory() -> Iterator[Path]:
    """Give a directory with a short path that every user can enter, which is gone at the end."""
    directory = Path(tempfile.mkdtemp(prefix="fm", dir="/tmp"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Mesh]:
    """Give a mesh that is stopped at the end, by force if it must be."""
    with own_directory() as directory, stopping(Mesh(directory, free_port_offset(), *arguments)) as mesh:
        yield mesh


@contextlib.contextmanager
def stopping(mesh: Mesh) -> Iterator[Mesh]:
    """Stop a mesh at the end, by force if it must be."""
    try:
        yield mesh
    finally:
        try:
            mesh.stop()
        except subprocess.TimeoutExpired:
            mesh.process.kill()
            mesh.process.wait()
        mesh.output.close()
