"""
Servers to compare with; they do nothing but answer the same bytes always.

`aiohttp` is what a handler in aiohttp on uvloop can reach at best; `raw` is an asyncio protocol on uvloop that does not
even parse HTTP, the upper bound for any Python server on one core.
"""

import asyncio
from pathlib import Path
from typing import Annotated, cast

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


async def _raw(port: int, body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    _Raw.answer = head.encode() + body
    server = await asyncio.get_running_loop().create_server(_Raw, "127.0.0.1", port)
    await server.serve_forever()


def main(
    kind: Annotated[str, typer.Argument(help="aiohttp or raw")],
    port: int,
    body_file: Path,
    path: Annotated[str, typer.Option(help="the only route of aiohttp")] = "/",
) -> None:
    """Serve the bytes of a file on 127.0.0.1."""
    body = body_file.read_bytes()
    uvloop.run(_raw(port, body) if kind == "raw" else _aiohttp(port, path, body))


if __name__ == "__main__":
    typer.run(main)
