"""Processes made of a program that is loaded already are as those that are started, and are had without one as well."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs

from meshkit.process import exec_shim
from services.supervisor.plan.service_spec import Identity, ServiceSpec
from services.supervisor.process import orphan_killer
from services.supervisor.process.child_process import ChildProcess
from services.supervisor.process.forked_process import ForkServers
from tests.supervisor.fakes import no_process_left, shell
from tests.waiting import until

MODULE = "tests.supervisor.forked_module"


def spec(*arguments: str, loaded: str = MODULE) -> ServiceSpec:
    """Return the program for forks as a service."""
    command = (sys.executable, "-m", "tests.supervisor.forked_program", *arguments)
    environment = {"PATH": os.environ["PATH"], "ONLY": "this", "PYTHONUNBUFFERED": "1"}
    return replace(shell("a", ""), command=command, environment=environment, loaded_module=loaded)


class Forks:
    """Fork servers with their children, and who waits for what."""

    def __init__(self) -> None:
        self.owned: set[int] = set()
        self.servers = ForkServers(self.owned)
        self.output = b""

    def start(self, service: ServiceSpec) -> tuple[ChildProcess, "asyncio.Future[int]"]:
        """Start a service; returns the child and its exit code to come."""
        self.output = b""
        code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        return ChildProcess(service, self.owned, self._take, code.set_result, self.servers), code

    def _take(self, piece: bytes) -> None:
        self.output += piece

    async def ended(self, service: ServiceSpec) -> int:
        """Run a service to its end and return its code."""
        async with asyncio.timeout(20):
            return await self.start(service)[1]

    async def told(self, service: ServiceSpec) -> dict[str, Any]:
        """Return what a process of a service finds."""
        assert 0 == await self.ended(service), self.output
        found: dict[str, Any] = json.loads(self.output)
        return found

    async def ready(self, service: ServiceSpec) -> psutil.Process:
        """Return the server of a service once it forks."""
        self.servers.prepare(service)
        (server,) = self.owned
        async with asyncio.timeout(20):
            while (await self.told(replace(service, command=spec("tell").command)))["importer"] != server:
                pass  # each look takes a process its time
        return psutil.Process(server)


@pytest.fixture(name="forks")
async def _forks() -> AsyncIterator[Forks]:
    forks = Forks()
    orphan_killer.be_subreaper(True)
    yield forks
    forks.servers.close()
    orphan_killer.be_subreaper(False)
    assert set() == forks.owned


async def test_it_is_as_a_process_that_was_started(forks: Forks) -> None:
    """Parent, session, environment, limits, signals and descriptors are the same; only the import was another's."""
    await forks.ready(spec("tell"))
    service = replace(spec("tell"), limits={"nofile": 77}, oom_score_adj=123, death_signal=signal.SIGQUIT)
    forked = await forks.told(service)
    started = await forks.told(replace(service, loaded_module=""))
    # What each has for itself, or does not import.
    own = {"pid", "session", "group", "importer"}

    assert {key: value for key, value in forked.items() if key not in own} == {
        key: value for key, value in started.items() if key not in own
    }
    assert (os.getpid(), signal.SIGQUIT, 77) == (forked["parent"], forked["death"], forked["files"])
    assert [forked["pid"]] * 2 == [forked["session"], forked["group"]]
    assert forked["importer"] not in {forked["pid"], 0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_it_becomes_its_user_for_good(forks: Forks, run_dir: Path) -> None:
    """It is another user with nothing of root's, and its directory was given to it before."""
    run_dir.chmod(0o711)
    own = run_dir / "own"
    await forks.ready(spec("tell"))
    found = await forks.told(replace(spec("tell"), identity=Identity(54_321, 54_322, groups=(54_323,), owned=(own,))))
    status = own.stat()

    assert [54_321, 54_322, [54_323]] == found["user"]
    assert (54_321, 54_322) == (status.st_uid, status.st_gid)


async def test_its_end_is_seen_and_its_command_line_shown(forks: Forks) -> None:
    """Exit codes and signals come as of a started one; whoever lists processes sees the service's command."""
    await forks.ready(spec("tell"))
    child, code = forks.start(spec("wait"))
    await until(lambda: forks.output == b"up\n", "the process runs")
    words = " ".join(psutil.Process(child.pid).cmdline())
    child.signal(signal.SIGTERM)

    assert f"{sys.executable} -m tests.supervisor.forked_program wait" == words
    assert -signal.SIGTERM == await code
    assert 7 == await forks.ended(spec("exit", "7"))


async def test_a_step_that_fails_is_told(forks: Forks) -> None:
    """A directory that cannot be made ends the process with the shim's words and code."""
    await forks.ready(spec("tell"))
    nowhere = Identity(os.getuid(), os.getgid(), owned=(Path("/proc/nowhere"),))

    assert exec_shim.CANNOT_EXECUTE == await forks.ended(replace(spec("tell"), identity=nowhere))
    assert b"cannot start: /proc/nowhere" in forks.output


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_server_that_is_gone_or_hangs_costs_time_only(forks: Forks, number: signal.Signals) -> None:
    """The service is started in the usual way, the server is given up, and another one forks later."""
    server = await forks.ready(spec("tell"))
    child, code = forks.start(spec("wait"))
    await until(lambda: forks.output == b"up\n", "the process runs")
    with no_process_left([server.pid]):
        server.send_signal(number)
        found = await forks.told(spec("tell"))

    assert 0 == found["importer"]
    assert psutil.pid_exists(child.pid)

    child.signal(signal.SIGKILL)

    assert -signal.SIGKILL == await code
    assert server.pid != (await forks.ready(spec("tell"))).pid


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("tests.supervisor.forked_module_with_thread", "found 2 threads after its import, allowed is one"),
        ("tests.supervisor.there_is_none", "cannot be imported: ModuleNotFoundError"),
    ],
)
async def test_what_cannot_be_forked_is_started(forks: Forks, module: str, words: str) -> None:
    """A module with threads or without a file is told once, and its service runs."""
    with capture_logs() as logs:
        forks.servers.prepare(spec("tell", loaded=module))
        await until(lambda: any(words in entry["problem"] for entry in logs), "the server says why")

    assert ["tell"] == (await forks.told(spec("tell", loaded=module)))["argv"]
    forks.servers.close()
