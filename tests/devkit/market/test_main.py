"""The command starts, serves, and stops."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

COMMAND = [sys.executable, "-m", "devkit.market", "--seed", "7"]


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """Run the command and give the process and its first log line."""
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_command_serves_and_stops_on_sigterm() -> None:
    """The command says where it listens, answers there, and ends with 0 on SIGTERM."""
    with started("--port", "0") as (process, event):
        with urlopen(f"http://127.0.0.1:{event['port']}/reference?pairs=BTC/USD", timeout=5) as response:
            answer = json.load(response)
        process.send_signal(signal.SIGTERM)

        assert ["BTC/USD"] == list(answer["prices"])
        assert (0, 7) == (process.wait(timeout=10), event["seed"])


def test_port_in_use_is_a_clear_error() -> None:
    """A taken port ends the command with 1 and an error that names the port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with started("--port", str(port)) as (process, event):
            assert 1 == process.wait(timeout=10)

    expected = f"port {port} on 127.0.0.1, wanted by the market (--port), is in use; held by pid {os.getpid()} ("
    assert str(event["error"]).startswith(expected)
