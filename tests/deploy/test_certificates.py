"""deploy/certificates makes what services take, with openssl as an operator has it."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from meshkit.mutual_tls.certificates import CertificateDirectory
from meshkit.mutual_tls.tunnel import Address, Incoming, Outgoing, Tunnels
from tests.meshkit.mutual_tls.test_tunnel import asked, echoing
from tests.ports import free_port

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here (Debian: openssl)")


def made(directory: Path, role: str, *hosts: str) -> Path:
    """Make a certificate and return its directory."""
    command = ["deploy/certificates", str(directory), role, *hosts]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return Path(ran.stdout.strip())


async def test_two_services_meet_with_them(tmp_path: Path) -> None:
    """A node and the aggregator whose certificates it made meet by host name and role; its keys are private."""
    server, client = (
        made(tmp_path, "aggregator", "127.0.0.1"),
        made(tmp_path, "node/2", "node-2.mesh", "10.0.0.2", "::1"),
    )
    assert {0o600} == {file.stat().st_mode & 0o777 for file in tmp_path.glob("*/*.key")}
    middle, near = Address("127.0.0.1", free_port()), Address("127.0.0.1", free_port())
    async with (
        asyncio.timeout(60),
        echoing() as echo,
        Tunnels(CertificateDirectory(server), (Incoming(middle, echo, frozenset({"node/2"})),)),
        Tunnels(CertificateDirectory(client), (Outgoing(near, middle, "aggregator"),)),
    ):
        assert b"QUOTE\n" == await asked(near, b"quote\n")


def test_another_run_renews_the_certificate_only(tmp_path: Path) -> None:
    """Run again it makes a new certificate of the same authority, which a service takes into use as it runs."""
    directory = made(tmp_path, "operator", "operator.mesh")
    authority = (tmp_path / "authority" / "ca.key").read_bytes()
    found = CertificateDirectory(directory)
    before, certificate = found.accepting_context(), (directory / "tls.crt").read_bytes()
    made(tmp_path, "operator", "operator.mesh")
    assert authority == (tmp_path / "authority" / "ca.key").read_bytes()
    assert certificate != (directory / "tls.crt").read_bytes()
    assert found.accepting_context() is not before


@pytest.mark.parametrize("words", [("node/0", "h"), ("root", "h"), ("operator",)])
def test_wrong_words_are_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A role that there is not, or no host, makes nothing and says what is allowed."""
    command = ["deploy/certificates", str(tmp_path / "tls"), *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (2, False) == (ran.returncode, (tmp_path / "tls").exists())
    assert "ROLE" in ran.stderr
