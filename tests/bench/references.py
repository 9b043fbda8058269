"""
Servers to compare with; they do nothing but answer the same bytes always.

`aiohttp` is what a handler in aiohttp on uvloop can reach at best; `httptools` is an asyncio protocol on uvloop that
parses requests with node's parser and does nothing else; `raw` does not even parse HTTP, the upper bound for any Python
server on one core.
"""

import asyncio
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import uvloop
from aiohttp import web


async def _aiohttp(port: int, path: str, body: bytes) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get(path, answer)
    # As long a request line as the aggregator takes: a batch of 100 pairs needs it.
    runner = web.AppRunner(app, access_log=None, max_line_size=32_768)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


class _Raw(asyncio.Protocol):
    answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        requests = (self._waiting + data).split(b"\r\n\r\n")
        self._waiting = requests.pop()
        for _ in requests:
            self._transport.write(self.answer)


class _Httptools(asyncio.Protocol):
    """Answer each parsed request; the parser's calls that nobody needs are not there."""

    answer = b""
    parser: Callable[[object], Any]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = type(self).parser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(self.answer)


def has_httptools() -> bool:
    """Tell whether httptools is installed; it is not among the pinned packages."""
    return importlib.util.find_spec("httptools") is not None


async def _protocol(kind: str, port: int, body: bytes) -> None:
    protocol: type[_Raw] | type[_Httptools] = _Raw
    if kind == "httptools":
        _Httptools.parser = importlib.import_module("httptools").HttpRequestParser
        protocol = _Httptools
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    protocol.answer = head.encode() + body
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    await server.serve_forever()


def main(
    kind: Annotated[str, typer.Argument(help="aiohttp, httptools or raw")],
    port: int,
    body_file: Path,
    path: Annotated[str, typer.Option(help="the only route of aiohttp")] = "/",
) -> None:
    """Serve the bytes of a file on 127.0.0.1."""
    body = body_file.read_bytes()
    uvloop.run(_aiohttp(port, path, body) if kind == "aiohttp" else _protocol(kind, port, body))


if __name__ == "__main__":
    typer.run(main)
