"""A supervisor in the places it must work in: as PID 1, as an ordinary user, on a read-only root."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from tests.supervisor.fakes import no_process_left
from tests.supervisor.started import Start
from tests.waiting import until

PID_1 = ("unshare", "--pid", "--fork", "--mount-proc")
# Reading everything is what lets it reach our interpreter, which may lie in a home directory.
ORDINARY = (
    *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all,+dac_read_search"),
    *("--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search"),
)
READ_ONLY = (
    "unshare",
    "--mount",
    "sh",
    "-ec",
    'd=$1; shift; mount --bind "$d" "$d"; mount -o remount,bind,ro /; exec "$@"',
)


def needed(command: Sequence[str]) -> None:
    """Skip the test where this machine does not permit the place."""
    if shutil.which(command[0]) is None or subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        pytest.skip(f"not permitted here: {' '.join(command[:4])}")


async def test_as_pid_1(start: Start) -> None:
    """Orphans are reaped without a service losing its exit code; at the stop nothing is left in the namespace."""
    needed(PID_1)
    supervisor = start("orphans", PID_1)
    async with supervisor.client() as stub:
        (init,) = psutil.Process(supervisor.process.pid).children()
        await until(lambda: len(init.children()) == 3, "two services and the orphan that lives")

        assert psutil.STATUS_ZOMBIE not in {child.status() for child in init.children()}

        before = {child.pid for child in init.children()}
        await stub.SignalService(pb.SignalServiceRequest(name="calm", signal="SIGUSR1"))

        async def has_ended() -> bool:
            return bool((await stub.GetService(pb.GetServiceRequest(name="calm"))).service.last_exit)

        await until(has_ended, "the service has ended")
        calm = (await stub.GetService(pb.GetServiceRequest(name="calm"))).service
    with no_process_left([init.pid, *(pid for pid in before if psutil.pid_exists(pid))]):
        init.send_signal(signal.SIGTERM)

        assert 0 == supervisor.end()[0]
    assert "signal SIGUSR1" == calm.last_exit


async def test_orphans_of_an_ordinary_supervisor_end_with_it(start: Start) -> None:
    """Who left its service's session is reaped or killed as well, though the supervisor is not PID 1."""
    supervisor = start("orphans")
    await supervisor.pids()
    ours = psutil.Process(supervisor.pid)
    await until(lambda: len(ours.children()) == 3, "two services and the orphan that lives")
    with no_process_left([child.pid for child in ours.children()]):
        ours.send_signal(signal.SIGTERM)

        assert 0 == supervisor.end()[0]


async def test_as_an_ordinary_user(start: Start, run_dir: Path) -> None:
    """Everything works without a privilege, in directories of its own."""
    needed(ORDINARY)
    os.chown(run_dir, 65534, 65534)
    supervisor = start("chain", ORDINARY)
    pids = await supervisor.pids()
    users = {psutil.Process(pid).uids().real for pid in pids}
    with no_process_left(pids):
        supervisor.process.send_signal(signal.SIGTERM)

        assert 0 == supervisor.end()[0]
    assert {65534} == users


async def test_on_a_read_only_root(start: Start, run_dir: Path) -> None:
    """One writable directory is enough."""
    needed((*READ_ONLY, "sh", str(run_dir)))
    supervisor = start("chain", (*READ_ONLY, "sh", str(run_dir)))
    with no_process_left(await supervisor.pids()):
        options = Path(f"/proc/{supervisor.process.pid}/mounts").read_text().splitlines()
        root = [line.split()[3].split(",")[0] for line in options if line.split()[1] == "/"]
        supervisor.process.send_signal(signal.SIGTERM)

        assert 0 == supervisor.end()[0]
    assert ["ro"] == root[-1:]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_stopped_or_killed_during_a_oneshot(start: Start, number: signal.Signals) -> None:
    """While the first start is not complete, a stop is in order and a kill leaves no process either."""
    supervisor = start("init")
    log = supervisor.data_dir / "logs/init.log"
    await until(lambda: log.exists() and " begin\n" in log.read_text(), "the oneshot runs")
    with no_process_left(supervisor.tree):
        supervisor.process.send_signal(number)
        code, output = supervisor.end()

    assert (0 if number is signal.SIGTERM else -9) == code
    assert "server started" not in output


async def test_killed_during_its_stop(start: Start) -> None:
    """A supervisor that is killed while a service takes its time leaves nothing, and the next one starts."""
    supervisor = start("deaf")
    log = supervisor.data_dir / "logs/deaf.log"
    await until(lambda: log.exists() and " deaf\n" in log.read_text(), "the service ignores SIGTERM")
    with no_process_left(supervisor.tree):
        supervisor.process.send_signal(signal.SIGTERM)
        own = supervisor.data_dir / "logs/supervisor.log"
        await until(lambda: "deaf stopping" in own.read_text(), "the stop has begun")
        supervisor.process.kill()
        supervisor.end()
    following = start("chain")
    await following.pids()
    following.process.send_signal(signal.SIGTERM)

    assert 0 == following.end()[0]
