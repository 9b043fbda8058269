"""A tunnel between two network namespaces, while the cable between them is there, is not, and is there again."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.certificate_authority import Authority
from tests.mesh.machines import Machine, missing
from tests.meshkit.mutual_tls.tunnel_end import PORT

SERVER, CLIENT = "10.78.0.1", "10.78.0.2"
END = (sys.executable, "-m", "tests.meshkit.mutual_tls.tunnel_end")


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_cable_that_is_taken_out(tmp_path: Path) -> None:
    """Prices come by TLS from the other machine; with the cable out a request ends; put in again they come again."""
    authority = Authority()
    authority.issue_role(tmp_path / "server", "aggregator", SERVER)
    authority.issue_role(tmp_path / "client", "node/2", CLIENT)
    with ExitStack() as stack:
        first, second = Machine(), Machine()
        stack.callback(first.close)
        stack.callback(second.close)
        first.ip("link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", str(second.pid))
        for machine, address in ((first, SERVER), (second, CLIENT)):
            machine.ip("addr", "add", f"{address}/24", "dev", "cable")
            machine.ip("link", "set", "cable", "up")
        serving = stack.enter_context(
            subprocess.Popen(first.within(*END, "serve", str(tmp_path / "server"), SERVER), stdout=subprocess.PIPE)
        )
        stack.callback(serving.kill)
        asking = stack.enter_context(
            subprocess.Popen(
                second.within(*END, "ask", str(tmp_path / "client"), SERVER),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
        )
        stack.callback(asking.kill)

        def ask(text: str) -> str:
            assert asking.stdin is not None
            assert asking.stdout is not None
            asking.stdin.write(f"{text}\n")
            while not (answer := asking.stdout.readline()).startswith("answer"):
                assert asking.poll() is None
            return answer.removeprefix("answer").strip()

        assert serving.stdout is not None
        while serving.stdout.readline() != b"up\n":  # beside it are lines of its log
            assert serving.poll() is None
        assert ask("quote") == "QUOTE"
        assert {PORT} == first.ports_outside()
        assert set() == second.ports_outside()
        first.ip("link", "set", "cable", "down")
        assert ask("quote") == ""
        first.ip("link", "set", "cable", "up")
        assert ask("quote") == "QUOTE"
