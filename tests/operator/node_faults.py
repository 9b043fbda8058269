"""What can go wrong between the operator and a node's API, request by request."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from aiohttp import web


class Fault(Enum):
    """A fault of one request; with `STORED` the node has done what it was asked before."""

    SERVER_ERROR = auto()
    STORED_SERVER_ERROR = auto()
    RESET = auto()
    STORED_RESET = auto()
    HANG = auto()
    STORED_HANG = auto()
    HTML = auto()
    STORED_HALF_JSON = auto()
    HALF_BODY = auto()
    STORED_HALF_BODY = auto()
    REDIRECT = auto()
    LIMIT = auto()
    EXPIRED = auto()


@dataclass
class PlannedFault:
    """Hold the fault of the next `times` requests of a method whose path begins so."""

    fault: Fault
    method: str
    path: str
    times: int = 1

    def meets(self, request: web.Request) -> bool:
        """Tell whether it is for this request."""
        return bool(self.times) and request.method == self.method and request.path.startswith(self.path)


class NodeFaults:
    """Spoil the requests that faults are planned for."""

    def __init__(self) -> None:
        self.planned: list[PlannedFault] = []
        self.released = asyncio.Event()
        self.elsewhere = "http://127.0.0.1:1/elsewhere"

    def plan(self, fault: Fault, method: str, path: str, times: int = 1) -> None:
        """Plan a fault."""
        self.planned.append(PlannedFault(fault, method, path, times))

    async def answer(
        self, request: web.Request, expire: Callable[[], None], well: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer a request, well if nothing is planned for it; `expire` ends all sessions."""
        planned = next((each for each in self.planned if each.meets(request)), None)
        if planned is None:
            return await well()
        planned.times -= 1
        fault = planned.fault
        if fault is Fault.EXPIRED:
            expire()
            return await well()
        done = await well() if fault.name.startswith("STORED") else None
        return await self._spoilt(request, fault, done)

    async def _spoilt(self, request: web.Request, fault: Fault, done: web.StreamResponse | None) -> web.StreamResponse:
        match fault:
            case Fault.SERVER_ERROR | Fault.STORED_SERVER_ERROR:
                return web.Response(status=500, text="pq: something is wrong")
            case Fault.HTML:
                return web.Response(text="<!doctype html><html>", content_type="text/html")
            case Fault.STORED_HALF_JSON:
                return web.Response(body=b'{"data":{"type":"jobs","id":', content_type="application/vnd.api+json")
            case Fault.REDIRECT:
                return web.Response(status=302, headers={"Location": self.elsewhere})
            case Fault.LIMIT:
                return web.Response(status=429, text="Limit exceeded", headers={"Retry-After": "2"})
            case Fault.HALF_BODY | Fault.STORED_HALF_BODY:
                response = web.StreamResponse(headers={"Content-Length": "1000"})
                await response.prepare(request)
                await response.write(b'{"data":')
                _cut(request)
                return response
            case Fault.HANG | Fault.STORED_HANG:
                await self.released.wait()
        _cut(request)
        return done or web.Response()


def _cut(request: web.Request) -> None:
    """Close the connection as a process does that dies."""
    if request.transport is not None:
        request.transport.abort()
