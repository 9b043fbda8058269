"""Tunnels of mutual TLS: bytes of any program go through, and nobody without the expected certificate does."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from meshkit.errors import FailedPrecondition
from meshkit.mutual_tls.certificates import CertificateDirectory
from meshkit.mutual_tls.tunnel import Address, Incoming, Outgoing, Tunnels
from tests.certificate_authority import Authority
from tests.ports import free_port

HOST = "127.0.0.1"


@pytest.fixture(name="authority", scope="module")
def _authority() -> Authority:
    return Authority()


@pytest.fixture(name="issue")
def _issue(authority: Authority, tmp_path: Path) -> Callable[..., CertificateDirectory]:
    def issue(role: str, *hosts: str) -> CertificateDirectory:
        return CertificateDirectory(authority.issue_role(tmp_path / role, role, *hosts))

    return issue


@pytest.fixture(name="echo")
async def _echo() -> AsyncIterator[Address]:
    async with echoing() as address:
        yield address


@asynccontextmanager
async def echoing() -> AsyncIterator[Address]:
    """Run a server that sends back what it was sent, in upper case, until the client is done, and then closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while block := await reader.read(65_536):
            writer.write(block.upper())
            if block.endswith(b"\n"):
                break
        writer.close()

    async with await asyncio.start_server(answer, HOST, 0) as server:
        yield Address(HOST, server.sockets[0].getsockname()[1])


async def asked(address: Address, text: bytes, context: ssl.SSLContext | None = None) -> bytes:
    """Return what a server says to a text, nothing if it closes at once or resets."""
    async with asyncio.timeout(30):
        try:
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
            writer.write(text)
            answer = await reader.read()
        except (ConnectionError, ssl.SSLError):
            return b""
        writer.close()
    return answer


async def test_bytes_go_through_both_ways(echo: Address, issue: Callable[..., CertificateDirectory]) -> None:
    """A megabyte of a program without TLS comes to a server without TLS, and all of its answer back."""
    middle, near = Address(HOST, free_port()), Address(HOST, free_port())
    text = b"price of everything " * 50_000 + b"\n"
    async with (
        Tunnels(issue("aggregator"), (Incoming(middle, echo, frozenset({"node/2"})),)),
        Tunnels(issue("node/2"), (Outgoing(near, middle, "aggregator"),)),
    ):
        assert text.upper() == await asked(near, text)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_many_connect_at_once(
    issue: Callable[..., CertificateDirectory], loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Connections side by side, which speak at once, lose none of their first bytes to the handshake, on any loop."""

    async def ask() -> list[bytes]:
        middle, near = Address(HOST, free_port()), Address(HOST, free_port())
        async with (
            echoing() as echo,
            Tunnels(issue("aggregator"), (Incoming(middle, echo, frozenset({"node/2"})),)),
            Tunnels(issue("node/2"), (Outgoing(near, middle, "aggregator"),)),
        ):
            return await asyncio.gather(*(asked(near, b"quote %d\n" % number) for number in range(40)))

    with asyncio.Runner(loop_factory=loop) as runner:
        assert [b"QUOTE %d\n" % number for number in range(40)] == runner.run(ask())


async def test_incoming_takes_only_its_roles(echo: Address, issue: Callable[..., CertificateDirectory]) -> None:
    """A good certificate of another role, none, and one of another authority all get not a byte through."""
    middle = Address(HOST, free_port())
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    other = Authority().issue_role(issue("node/2").path.parent / "other", "node/2")
    stranger.load_cert_chain(other / "tls.crt", other / "tls.key")
    async with Tunnels(issue("aggregator"), (Incoming(middle, echo, frozenset({"node/2"})),)):
        assert await asked(middle, b"quote\n", issue("node/2").dialling_context()) == b"QUOTE\n"
        assert await asked(middle, b"quote\n", issue("node/3").dialling_context()) == b""
        assert await asked(middle, b"quote\n", bare) == b""
        assert await asked(middle, b"quote\n", stranger) == b""
        assert await asked(middle, b"quote\n") == b""


@pytest.mark.parametrize(
    ("role", "host"), [("node/3", HOST), ("aggregator", "elsewhere.example")], ids=["role", "host"]
)
async def test_outgoing_meets_only_whom_it_expects(
    echo: Address, issue: Callable[..., CertificateDirectory], role: str, host: str
) -> None:
    """A server with a good certificate of another role, or of another host, is told nothing."""
    middle, near = Address(HOST, free_port()), Address(HOST, free_port())
    async with (
        Tunnels(issue(role, host), (Incoming(middle, echo, frozenset({"node/2"})),)),
        Tunnels(issue("node/2"), (Outgoing(near, middle, "aggregator"),)),
    ):
        assert await asked(near, b"quote\n") == b""


async def test_a_server_that_is_away(issue: Callable[..., CertificateDirectory]) -> None:
    """While nobody is at the other end a connection is closed at once, and the tunnel stays."""
    nobody, near = Address(HOST, free_port()), Address(HOST, free_port())
    async with Tunnels(issue("node/2"), (Outgoing(near, nobody, "aggregator"),)):
        assert [b"", b""] == [await asked(near, b"quote\n"), await asked(near, b"quote\n")]


async def test_an_address_in_use(echo: Address, issue: Callable[..., CertificateDirectory]) -> None:
    """An address that somebody has is an error that names it, and nothing stays open."""
    first = Address(HOST, free_port())
    tunnels = (Outgoing(first, echo, "aggregator"), Outgoing(echo, echo, "aggregator"))
    with pytest.raises(FailedPrecondition, match=f"cannot listen on {echo}"):
        async with Tunnels(issue("node/2"), tunnels):
            pass
    assert await asked(first, b"quote\n") == b""
