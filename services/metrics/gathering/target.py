"""What is gathered from: a process's page of metrics, over HTTP on this host or over its gRPC socket."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import aiohttp
import grpc.aio

from feedmesh.metrics.v1 import metrics_page_service_pb2 as pb
from feedmesh.metrics.v1.metrics_page_service_pb2_grpc import MetricsPageServiceStub
from meshkit.rpc.client import channel

LONGEST_PAGE_BYTES: Final = 16 * 1024 * 1024
TIMEOUT_S: Final = 5.0


class Unreadable(Exception):
    """Say why a page was not read; `reason` is one of few words, for a label."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Wanted:
    """Say what is taken of a page: metrics whose lines begin as `names` does, and at most so many samples."""

    names: "re.Pattern[bytes]"
    most: int


class Target(Protocol):
    """A process with a page."""

    @property
    def service(self) -> str:
        """Return the name of the service."""
        ...

    @property
    def wanted(self) -> Wanted | None:
        """Return what is taken of its page; None for all."""
        ...

    async def read(self) -> bytes:
        """Return the page within TIMEOUT_S; raise Unreadable."""
        ...


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """A page of HTTP on this host; redirects are not followed."""

    service: str
    url: str
    session: aiohttp.ClientSession
    wanted: Wanted | None = None

    async def read(self) -> bytes:
        """Return the page; raise Unreadable for no answer, a late, refusing or too long one."""
        try:
            async with asyncio.timeout(TIMEOUT_S), self.session.get(self.url, allow_redirects=False) as response:
                if response.status != 200:
                    raise Unreadable("refused", f"HTTP {response.status}")
                return await self._body(response)
        except TimeoutError:
            raise Unreadable("late", f"no page in {TIMEOUT_S:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreadable("unreachable", str(error) or type(error).__name__) from error

    @staticmethod
    async def _body(response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            body += chunk
            if len(body) > LONGEST_PAGE_BYTES:
                raise Unreadable("too_long", f"more than {LONGEST_PAGE_BYTES} bytes")
        return bytes(body)


@dataclass(frozen=True, slots=True)
class SocketTarget:
    """A page over the gRPC socket of a service of ours."""

    service: str
    socket: Path
    wanted: Wanted | None = None

    async def read(self) -> bytes:
        """Return the page; raise Unreadable for no answer, a late or a refusing one."""
        try:
            # Of another user's directory not even this may be asked.
            is_there = self.socket.exists()
        except OSError as error:
            raise Unreadable("unreachable", str(error)) from error
        if not is_there:
            raise Unreadable("unreachable", f"no {self.socket.name}")
        async with channel(self.socket) as opened:
            try:
                answer = await MetricsPageServiceStub(opened).GetMetricsPage(
                    pb.GetMetricsPageRequest(), timeout=TIMEOUT_S
                )
            except grpc.aio.AioRpcError as error:
                code = error.code()
                reasons = {
                    grpc.StatusCode.DEADLINE_EXCEEDED: "late",
                    grpc.StatusCode.UNAVAILABLE: "unreachable",
                    grpc.StatusCode.RESOURCE_EXHAUSTED: "too_long",
                }
                raise Unreadable(reasons.get(code, "refused"), error.details() or code.name) from error
        return answer.page
