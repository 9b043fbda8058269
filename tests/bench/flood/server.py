"""
A stream in Binance's dialect that sends so many messages a second, spread evenly over what was subscribed to.

The prices stand still; each message has the moment at which it was made. Made beforehand but for that, and written in
the form of the wire, they cost a tenth of what a WebSocket library would take for them.
"""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import uvloop
from aiohttp import web

_STEP_S = 0.005
_TEXT_FRAME = b"\x81\x7e"


def frame(text: bytes) -> bytes:
    """Return an unmasked text frame of 126 to 65,535 bytes."""
    return _TEXT_FRAME + len(text).to_bytes(2, "big") + text


def parts(symbol: str, price: str) -> tuple[bytes, bytes]:
    """Return what stands in a mini ticker's frame before its 13 digits of Unix milliseconds, and after them."""
    row: dict[str, Any] = {"e": "24hrMiniTicker", "E": 1_000_000_000_000, "s": symbol}
    row |= dict.fromkeys("cohl", price) | {"v": "1000.00000000", "q": "1000.00000000"}
    before, _, after = frame(orjson.dumps(row)).partition(b"1000000000000")
    return before, after


class Flood:
    """Serve the stream; `rate` messages a second in all, `sent` so far."""

    def __init__(self, prices: dict[str, str], rate: int) -> None:
        self._parts = {symbol: parts(symbol, price) for symbol, price in prices.items()}
        self._rate = rate
        self.sent = 0
        self.symbols: dict[str, None] = {}

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        """Answer subscriptions, and send."""
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        transport = request.transport
        assert transport is not None, "it is open"
        wanted: list[str] = []
        sending = asyncio.create_task(self._send(transport, wanted))
        try:
            async for message in ws:
                asked = orjson.loads(message.data)
                names = [name.partition("@")[0].upper() for name in asked["params"]]
                wanted += [name for name in names if name in self._parts]
                self.symbols.update(dict.fromkeys(wanted))
                await ws.send_bytes(orjson.dumps({"result": None, "id": asked["id"]}))
        finally:
            sending.cancel()
        return ws

    async def state(self, _request: web.Request) -> web.Response:
        """Tell how many messages were sent, and of which symbols."""
        return web.json_response({"sent": self.sent, "symbols": list(self.symbols)})

    async def _send(self, transport: asyncio.WriteTransport, wanted: list[str]) -> None:
        began_s, sent, place = time.monotonic(), 0, 0
        while True:
            await asyncio.sleep(_STEP_S)
            if not wanted or transport.is_closing():
                began_s, sent = time.monotonic(), 0
                continue
            due = int((time.monotonic() - began_s) * self._rate) - sent
            transport.write(b"".join(self._frames(wanted, place, due)))
            place, sent, self.sent = place + due, sent + due, self.sent + due

    def _frames(self, wanted: list[str], place: int, count: int) -> Iterable[bytes]:
        now = b"%d" % time.time_ns()
        for number in range(place, place + count):
            before, after = self._parts[wanted[number % len(wanted)]]
            yield before + now[:13] + after


async def _serve(port: int, flood: Flood) -> None:
    app = web.Application()
    app.router.add_get("/state", flood.state)
    app.router.add_get("/ws", flood.stream)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def main(
    port: int,
    prices: Annotated[Path, typer.Argument(help="a JSON object of prices by symbols")],
    rate: Annotated[int, typer.Argument(help="messages a second")],
) -> None:
    """Serve on 127.0.0.1."""
    uvloop.run(_serve(port, Flood(orjson.loads(prices.read_bytes()), rate)))


if __name__ == "__main__":
    typer.run(main)
