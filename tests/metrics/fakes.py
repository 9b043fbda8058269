"""Peers of the metrics service that speak their real protocols."""

import asyncio
import base64
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1.supervisor_service_pb2_grpc import (
    SupervisorServiceServicer,
    add_SupervisorServiceServicer_to_server,
)
from meshkit.server import MeshServer

# A process that tells its own pid and those of its children, uses CPU when asked to, and ends with its input.
CHILD = """
import subprocess, sys, time
children = [subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
            for _ in range(int(sys.argv[1]))]
ballast = bytearray(int(sys.argv[2]))
ballast[::4096] = b"x" * len(ballast[::4096])
print(*[child.pid for child in children], flush=True)
for line in sys.stdin:
    until = time.process_time() + float(line)
    while time.process_time() < until:
        pass
    print("done", flush=True)
for child in children:
    child.stdin.close()
    child.wait()
"""


@dataclass
class Child:
    """Hold a running child process and the pids of its own children."""

    process: Popen[str]
    children: list[int]

    @property
    def pid(self) -> int:
        """Return the child's pid."""
        return self.process.pid

    def burn(self, cpu_s: float) -> None:
        """Make the child use that much CPU time, and wait until it has."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{cpu_s}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@contextmanager
def child(children: int = 0, ballast_bytes: int = 0) -> Iterator[Child]:
    """Run a child process with some children of its own and some memory in use."""
    command = [executable, "-c", CHILD, str(children), str(ballast_bytes)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Child(process, [int(word) for word in process.stdout.readline().split()])
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=10)


class _ListServices(SupervisorServiceServicer):
    """Answer ListServices from a list that tests change; the other verbs are not used here."""

    def __init__(self) -> None:
        self.response = pb.ListServicesResponse()

    async def ListServices(self, request: pb.ListServicesRequest, context: Any) -> pb.ListServicesResponse:
        return self.response


class FakeSupervisor:
    """Serve SupervisorService on a Unix socket; it can be stopped and started again."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._servicer = _ListServices()  # type: ignore[abstract]  # only the stubs call it abstract
        self._server: MeshServer | None = None

    def says(self, supervisor_pid: int, *services: pb.Service) -> None:
        """Set the answer."""
        self._servicer.response = pb.ListServicesResponse(services=services, supervisor_pid=supervisor_pid)

    async def start(self) -> None:
        """Begin to answer."""
        self._server = MeshServer("supervisor", self.socket, drain_s=0)
        name = pb.DESCRIPTOR.services_by_name["SupervisorService"].full_name
        self._server.add(add_SupervisorServiceServicer_to_server, self._servicer, name)
        await self._server.start()

    async def stop(self) -> None:
        """Stop answering."""
        if self._server is not None:
            await self._server.stop()
            self._server = None


@dataclass
class Received:
    """Hold one push as the receiver saw it."""

    method: str
    query: dict[str, str]
    authorization: tuple[str, str] | None
    headers: dict[str, str]
    body: str


@dataclass
class Receiver:
    """Take pushes; answers the given statuses in turn and 204 after them."""

    statuses: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    hold: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> web.Application:
        """Return the HTTP application."""
        app = web.Application()
        app.router.add_route("*", "/push", self._take)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            self.received.append(
                Received(
                    request.method,
                    dict(request.query),
                    _credentials(request.headers.get("Authorization")),
                    dict(request.headers),
                    await request.text(),
                )
            )
            self.arrived.set()
            if self.hold is not None:
                await self.hold.wait()
            return web.Response(status=self.statuses.pop(0) if self.statuses else 204, headers={"Location": "/push"})
        finally:
            self.under_way -= 1


def _credentials(header: str | None) -> tuple[str, str] | None:
    if header is None:
        return None
    user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return user, password


def self_signed(directory: Path) -> ssl.SSLContext:
    """Make a certificate for 127.0.0.1 that no authority has signed, and return a server's context with it."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(private_key, hashes.SHA256())
    )
    pem = directory / "server.pem"
    pem.write_bytes(
        private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
