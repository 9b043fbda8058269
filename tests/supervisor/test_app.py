"""A supervisor as a process: what it starts with, what it leaves."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as rpc
from meshkit.rpc.client import channel
from tests.supervisor.fakes import no_process_left
from tests.supervisor.started import Start
from tests.waiting import until

pytestmark = pytest.mark.long(30)


def test_the_supervisor_holds_no_library_that_it_does_not_use() -> None:
    """What reads configurations, and what draws on terminals, is loaded by other processes."""
    script = (
        "import sys, services.supervisor.app as app; "
        "print([name for name in ('pydantic', 'eth_keys', 'rich', 'aiohttp', 'psutil') if sys.modules.get(name)])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "[]\n" == ran.stdout


async def test_sigterm_stops_in_order_and_leaves_nothing(start: Start) -> None:
    """Exit 0, every process gone, the run directory with sockets, lock and counters gone, the log files there."""
    supervisor = start("chain")
    with no_process_left(await supervisor.pids()):
        count = (supervisor.run_dir / "service/first/restart-count").read_text()
        supervisor.process.send_signal(signal.SIGTERM)
        code, output = supervisor.end()

    assert (0, "0\n") == (code, count)
    assert not supervisor.run_dir.exists()
    order = [output.index(f"{name} stopped") for name in ("third", "second", "first")]
    assert sorted(order) == order
    assert "first      |" not in output
    assert "prepare    | prepared\n" in output
    assert (supervisor.data_dir / "logs/prepare.log").read_text().endswith(" prepared\n")


async def test_a_new_supervisor_takes_over_what_a_killed_one_left(start: Start) -> None:
    """The stale lock, sockets and counters are no obstacle, and the run directory still goes at the end."""
    first = start("chain")
    await first.pids()
    first.process.kill()
    first.end()

    assert (first.run_dir / "supervisor.sock").exists()

    second = start("chain")
    await second.pids()
    second.process.send_signal(signal.SIGINT)

    assert 0 == second.end()[0]
    assert not second.run_dir.exists()


async def test_a_crash_loop_says_who_and_where(start: Start) -> None:
    """The exit code is the culprit's; the output names it and its log file."""
    supervisor = start("crash")
    code, output = supervisor.end()
    log = supervisor.data_dir / "logs/crasher.log"

    assert 7 == code
    assert f"crasher failed: exit 7 after 3 restarts; it said: oh; its log is {log}" in output.splitlines()[-1]
    assert 4 == log.read_text().count(" oh\n")
    assert not supervisor.run_dir.exists()


async def test_a_second_supervisor_is_refused(start: Start) -> None:
    """It names the first one's pid, exits with 1 and disturbs nothing."""
    first = start("chain")
    await first.pids()
    second = start("chain")
    code, output = second.end()

    assert 1 == code
    assert f"another supervisor (pid {first.pid}) is running" in output

    first.process.send_signal(signal.SIGTERM)

    assert 0 == first.end()[0]


async def test_a_second_signal_hurries_and_a_third_kills(start: Start) -> None:
    """A service that ignores SIGTERM does not hold up who asks three times."""
    supervisor = start("deaf")
    log = supervisor.data_dir / "logs/deaf.log"
    await until(lambda: log.exists() and " deaf\n" in log.read_text(), "the service ignores SIGTERM")
    with no_process_left(await supervisor.pids()):
        began = time.monotonic()
        for _ in range(3):
            supervisor.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.05)
        code, output = supervisor.end()

    assert 0 == code
    assert time.monotonic() - began < 8
    assert "deaf is killed" in output


async def test_families_go_as_a_whole(start: Start) -> None:
    """The children of a service end with it at the stop."""
    supervisor = start("family")

    async def is_complete() -> bool:
        return 3 == len(await supervisor.pids())

    await until(is_complete, "the service has its two children")
    with no_process_left(await supervisor.pids()):
        supervisor.process.send_signal(signal.SIGTERM)

        assert 0 == supervisor.end()[0]


async def test_health_names(start: Start) -> None:
    """The overall name means that the API answers; each service's name is its own health."""
    supervisor = start("chain")
    async with supervisor.client() as stub:
        await stub.StopService(pb.StopServiceRequest(name="third"))
        async with channel(supervisor.run_dir / "supervisor.sock") as connection:
            health: Any = health_pb2_grpc.HealthStub(connection)
            found = {
                name: (await health.Check(health_pb2.HealthCheckRequest(service=name))).status
                for name in ("", "first", "prepare", "third")
            }
    supervisor.process.send_signal(signal.SIGTERM)
    supervisor.end()
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING

    assert {"": serving, "first": serving, "prepare": not_serving, "third": not_serving} == found


async def test_a_reader_of_stdout_that_stands_still_holds_up_nobody(start: Start) -> None:
    """With nobody reading its output, a flood completes, the API answers and the stop is in time."""
    supervisor = start("flood")
    pids = await supervisor.pids()
    with no_process_left(pids):
        supervisor.process.send_signal(signal.SIGTERM)
        assert 0 == supervisor.process.wait(10)
    lines = (supervisor.data_dir / "logs/flood.log.1").read_text().splitlines()

    assert lines[0].endswith(" 1")


def test_a_port_in_use_ends_the_start_with_its_holder(start: Start) -> None:
    """Nothing is started; the message names the port, the service and who holds it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        supervisor = start(f"port {port}")
        code, output = supervisor.end()

    assert 1 == code
    assert f"port {port} on 127.0.0.1, wanted by wanting, is in use; held by pid {os.getpid()} (" in output
    assert "started" not in output
    assert not supervisor.run_dir.exists()


async def test_ports_of_a_killed_predecessor_are_waited_for(start: Start, run_dir: Path) -> None:
    """After a kill the services may take a moment to let go of their ports; the next start does not fail on them."""
    (run_dir / "run").mkdir()
    (run_dir / "run/supervisor.lock").write_text("1000000\n\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        supervisor = start(f"port {server.getsockname()[1]}")
        async with asyncio.timeout(15):
            while (run_dir / "run/supervisor.lock").read_text().startswith("1000000"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    await supervisor.pids()
    supervisor.process.send_signal(signal.SIGTERM)

    assert 0 == supervisor.end()[0]
    assert [] == list((run_dir / "run").iterdir())


async def test_the_supervisor_stops_in_order_when_its_parent_dies(run_dir: Path) -> None:
    """With FEEDMESH_PARENT it gets SIGTERM from the kernel when that process is gone."""
    script = """
import os, subprocess, sys, time
environment = {**os.environ, "FEEDMESH_PARENT": str(os.getpid())}
print(subprocess.Popen(sys.argv[1:], env=environment, stdout=subprocess.DEVNULL).pid, flush=True)
time.sleep(1000)
"""
    fake = [sys.executable, "-m", "tests.supervisor.fakes", "chain", str(run_dir / "run"), str(run_dir / "data")]
    parent = subprocess.Popen(  # noqa: ASYNC220  # it returns once the program is loaded
        [sys.executable, "-c", script, *fake], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    supervisor = int(parent.stdout.readline())
    async with channel(run_dir / "run/supervisor.sock") as connection, asyncio.timeout(15):
        stub = rpc.SupervisorServiceStub(connection)
        await stub.WaitReady(pb.WaitReadyRequest(), wait_for_ready=True)
    with no_process_left([supervisor]):
        parent.kill()
        parent.communicate()

    assert not (run_dir / "run").exists()
    assert "received SIGTERM" in (run_dir / "data/logs/supervisor.log").read_text()
