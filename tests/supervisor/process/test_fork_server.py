"""The fork server's protocol, as it is without a supervisor that keeps to it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from meshkit.process import exec_shim
from services.supervisor.process import fork_server, orphan_killer


@pytest.fixture(name="requests")
def _requests() -> Iterator[socket.socket]:
    orphan_killer.be_subreaper(True)
    with _serving("tests.supervisor.forked_module") as requests:
        assert fork_server.READY == requests.recv(fork_server.MOST_BYTES).decode()
        yield requests
    orphan_killer.be_subreaper(False)


@contextmanager
def _serving(module: str) -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        command = [sys.executable, "-m", fork_server.__name__, module, fork_server.TITLE_ROOM]
        process = subprocess.Popen(command, stdin=theirs.fileno())
        theirs.close()
        ours.settimeout(20)
        yield ours
        ours.close()
        assert 0 == process.wait(20)


def _request(requests: socket.socket, *arguments: str) -> tuple[psutil.Process, int, int]:
    """Have a process forked; returns it, where it writes, and the pipe that it waits for."""
    program = [sys.executable, "-m", "tests.supervisor.forked_program", *arguments]
    steps = exec_shim.steps_of(exec_shim.command(program))
    text = json.dumps({"steps": steps, "program": program, "environment": {"PATH": os.environ["PATH"]}})
    (written, output), (wait, start) = os.pipe(), os.pipe()
    socket.send_fds(requests, [text.encode()], [output, wait])
    pid = int(requests.recv(fork_server.MOST_BYTES))
    os.close(output)
    os.close(wait)
    return psutil.Process(pid), written, start


def test_nothing_runs_before_it_may(requests: socket.socket) -> None:
    """A process waits for its supervisor's word; when that is gone it ends without having done anything."""
    process, written, start = _request(requests, "tell")
    os.close(start)

    assert b"" == os.read(written, 100)
    assert exec_shim.PARENT_IS_GONE == process.wait(20)
    os.close(written)


def test_it_runs_when_it_may(requests: socket.socket) -> None:
    """With the word it does its steps and its program, and is our child."""
    process, written, start = _request(requests, "exit", "5")
    os.write(start, fork_server.GO)

    assert os.getpid() == process.ppid()
    assert 5 == process.wait(20)
    os.close(start)
    os.close(written)


def test_it_ends_with_its_supervisor() -> None:
    """A closed socket is the end of the server, also before the first request."""
    with _serving("tests.supervisor.forked_module") as requests:
        assert fork_server.READY == requests.recv(fork_server.MOST_BYTES).decode()
