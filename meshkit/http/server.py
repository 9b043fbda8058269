"""The one way in which our services serve HTTP: an application of aiohttp's behind deadlines and limits."""

import asyncio
import logging
from collections.abc import Callable
from typing import Self

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from meshkit.http.connection import Connection, QuickAnswer
from meshkit.http.connection_admission import Connections
from meshkit.http.limits import HttpLimits

# What reading a body raises that is not what its headers say, or whose sender has gone.
_BROKEN = (HttpProcessingError, web.RequestPayloadError, ClientPayloadError, ConnectionError)
# Bytes that are no request are the client's affair: a flood of them must not fill the log.
_aiohttp_log = logging.getLogger(__name__)
_aiohttp_log.addFilter(
    lambda record: (
        not record.exc_info or not isinstance(record.exc_info[1], HttpProcessingError | web.RequestPayloadError)
    )
)


class HttpServer:
    """An application that is served; leave it as a context, or close it. `connections` are those it has."""

    def __init__(self, runner: web.AppRunner, connections: Connections[Connection]) -> None:
        self.connections = connections
        self._runner = runner

    @property
    def port(self) -> int:
        """Return the port in use."""
        port: int = self._runner.addresses[0][1]
        return port

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Listen no more; return when the requests that are being answered have ended, or their time has."""
        await self._runner.cleanup()


async def listen(
    app: web.Application,
    host: str,
    port: int,
    *,
    limits: HttpLimits | None = None,
    quick: QuickAnswer | None = None,
    drain_s: float = 2.0,
    auto_decompress: bool = True,
) -> HttpServer:
    """
    Serve an application, at port 0 on any free one; raise OSError if the port cannot be bound.

    Args:
        app: Not started yet; its `client_max_size` bounds bodies, and its outermost middleware makes answers of errors.
        host: The address to listen on.
        port: The port to listen on.
        limits: Deadlines and numbers, absent for those that all servers have.
        quick: Answers whole requests from their bytes, before the application sees them.
        drain_s: How long requests that are being answered may take at the end.
        auto_decompress: Whether compressed bodies are unpacked.
    """
    limits = HttpLimits() if limits is None else limits
    requests, connections = _Requests(limits), Connections[Connection](limits)
    app.middlewares.insert(0, requests.follow)
    app.middlewares.append(requests.read_body)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_aiohttp_log,
        handle_signals=False,
        shutdown_timeout=drain_s,
        auto_decompress=auto_decompress,
        max_line_size=limits.line_bytes,
        # The connection's own deadlines come first; this is for what they leave.
        keepalive_timeout=limits.idle_s,
        lingering_time=min(limits.body_s, 2.0),
    )

    def connect(make_handler: Callable[[], asyncio.Protocol]) -> Connection:
        return Connection(limits, connections, make_handler, requests.note, quick)

    await runner.setup()
    try:
        await _Site(runner, host, port, connections, connect).start()
    except BaseException:
        await runner.cleanup()
        raise
    return HttpServer(runner, connections)


class _Requests:
    """Tell connections which requests of theirs are whole, and which are answered."""

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._by_handler: dict[object, Connection] = {}

    def note(self, connection: Connection, handler: asyncio.Protocol, is_open: bool) -> None:
        """Note that a handler of aiohttp's has a connection, or no more."""
        if is_open:
            self._by_handler[handler] = connection
        else:
            self._by_handler.pop(handler, None)

    @web.middleware
    async def follow(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the deadlines of a connection be those of the request."""
        connection = self._by_handler.get(request.protocol)
        if connection is None:
            return await handler(request)
        connection.take_request()
        try:
            return await handler(request)
        finally:
            connection.wait()

    @web.middleware
    async def read_body(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Read the body within its deadline and its limit; raise HTTPException with 400, 408 or 413."""
        if request.headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
            raise web.HTTPBadRequest(reason="Transfer-Encoding: allowed: chunked")
        if request.body_exists:
            try:
                async with asyncio.timeout(self._limits.body_s):
                    await request.read()
            except TimeoutError:
                # What comes of it later is not the next request.
                request.protocol.keep_alive(False)
                raise web.HTTPRequestTimeout(
                    reason=f"the body did not come within {self._limits.body_s:g} s", headers={"Connection": "close"}
                ) from None
            except web.HTTPException:
                raise
            except (*_BROKEN, ValueError) as error:
                raise web.HTTPBadRequest(reason="the body is not what its headers say") from error
        if (connection := self._by_handler.get(request.protocol)) is not None:
            connection.answer_request(had_body=request.body_exists)
        return await handler(request)


class _Site(web.BaseSite):
    """Listen for an application as aiohttp's TCPSite does, with our connections before its handlers."""

    def __init__(
        self,
        runner: web.AppRunner,
        host: str,
        port: int,
        connections: Connections[Connection],
        connect: Callable[[Callable[[], asyncio.Protocol]], Connection],
    ) -> None:
        super().__init__(runner)
        self._host = host
        self._port = port
        self._connections = connections
        self._connect = connect

    @property
    def name(self) -> str:
        """Return the address as a URL."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen; raise OSError if the address is taken."""
        await super().start()
        server = self._runner.server
        assert server is not None, "a site is started after its runner's set-up"
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self._connect(server), self._host, self._port)

    async def stop(self) -> None:
        """Listen no more and close what waits for a further request."""
        self._connections.close()
        await super().stop()
        for connection in list(self._connections.open):
            connection.close()
