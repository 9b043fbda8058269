"""Name servers that never answer for some sources' hosts."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from meshkit.clock import SystemClock
from meshkit.errors import MeshError
from services.aggregator.config import AggregatorConfig
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.aggregator.prices.pair import Pair
from services.aggregator.sources.client import open_session
from services.aggregator.sources.factory import open_sources
from services.aggregator.sources.settings import SourceConfig
from tests.aggregator.fakes import BTC, ETH, LiteralExchange

# More than threads that asyncio shares among look-ups.
SICK = ("binance", "kraken", "okx", "kucoin", "bybit", "coingecko", "cryptocompare", "frankfurter", "yahoofinance")


@pytest.fixture(name="silence")
def _silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Have the look-up of each `….silent` take until the event is set, as a server that drops questions has it."""
    released, real = threading.Event(), socket.getaddrinfo

    def look_up(host: Any, *more: Any, **options: Any) -> Any:
        if str(host).endswith(".silent"):
            released.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield released
    released.set()


async def test_hosts_that_are_never_found_cost_no_other_source_its_price(
    silence: threading.Event, exchange: LiteralExchange
) -> None:
    """While nine sources' hosts are being looked up, one beside them is found and has each price; they have none."""
    sources = {name: SourceConfig(name, base_url=f"https://{name}.silent", rps=None) for name in SICK}
    healthy = exchange.url.replace("127.0.0.1", "localhost")
    sources["coinbase"] = SourceConfig("coinbase", base_url=healthy, rps=None)
    config = AggregatorConfig(sources, {}, first_price_hold_ms=0)
    clock = SystemClock()
    async with open_session() as session:
        engine = Engine(config, open_sources(session, sources.values(), clock), clock, open_registry())
        await engine.start()
        asked = [asyncio.create_task(engine.answers.source_quote(name, pair)) for pair in (BTC, ETH) for name in SICK]
        for number in range(5):
            pair = Pair(f"A{number}", "USD")
            exchange.say(f"/products/{pair.base}-USD/ticker", ticker(clock.time_ms() // 1000))
            assert Decimal("6268.48") == (await engine.answers.source_quote("coinbase", pair)).price
        assert not any(task.done() and task.exception() is None for task in asked)
        silence.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        await engine.close()
    assert all(isinstance(each, MeshError) for each in found)


def ticker(now_s: int) -> str:
    """Return a ticker of now as Coinbase writes it."""
    moment = datetime.fromtimestamp(now_s, UTC).isoformat().replace("+00:00", "Z")
    return f'{{"price":"6268.48","bid":"6268","ask":"6269","time":"{moment}"}}'
