"""Prices of streams while REST is refused, by the whole service: no listing says which name is which pair."""

from collections.abc import Awaitable
from pathlib import Path

import aiohttp

from tests.aggregator.fakes import LiteralExchange
from tests.aggregator.processes import Running, serving
from tests.waiting import until


async def test_a_name_is_one_pair_though_rest_is_refused(
    run_dir: Path, market: str, exchange: LiteralExchange, session: aiohttp.ClientSession
) -> None:
    """With 451 for all calls, BTCUSDT is BTC/USDT on the stream; what its letters may stand for else has no price."""
    for path in ("/api/v3/exchangeInfo", "/api/v3/ticker/price"):
        exchange.say(path, (451, '{"code":0,"msg":"Service unavailable from a restricted location"}'))
    stream = {"wsUrl": market.replace("http", "ws", 1) + "/binance/ws"}
    running = Running(run_dir, {"binance": {"baseUrl": exchange.url, "stream": stream}})

    async def status(pair: str) -> int:
        async with session.get(f"{running.url}/quote/binance/{pair}") as response:
            return response.status

    async with running.process():
        await serving(running.socket)
        others = "BTCU/SDT", "B/TCUSDT"
        asked = [await status(pair) for pair in others]
        # The right pair's price comes by the same stream, so theirs would have come as well.
        await until(lambda: _is(status("BTC/USDT"), 200), "BTC/USDT by the stream")
        asked += [await status(pair) for pair in others]

    assert 200 not in asked, asked


async def _is(answer: Awaitable[int], status: int) -> bool:
    return await answer == status
