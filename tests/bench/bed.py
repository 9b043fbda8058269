"""The aggregator's test bed: the simulated market on the load core, and aggregators before it on the server core."""

import json
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from devkit.market.assets import TOKENS
from meshkit import feeds
from tests.bench.process import LOAD_CORE, SERVER_CORE, Server, answers, fetch, serving
from tests.bench.setup import write_configuration
from tests.ports import free_port

TTL_MS: Final = 10_000
SMALL: Final = ("BTC / USD", "ETH / USD", "EUR / USD")
ALL: Final = tuple(sorted(name for name, feed in feeds.load().items() if feed.kind != "market_cap"))
"""Every feed that is the price of a pair."""
# What the deployment had before the evident errors in its feeds were corrected.
SOURCE_PAIRS: Final = 777
# Sources of which few pairs belong to feeds, so that pairs which only clients ask for make the number full.
_SPARE: Final = ("kucoin", "bybit", "finnhub")
_WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Bed:
    """
    Give aggregators, one after the other.

    Attributes:
        sources: The names of the sources that the market simulates.
        streaming: Those of them with a stream.
    """

    market: Server
    sources: tuple[str, ...]
    streaming: tuple[str, ...]

    @contextmanager
    def aggregator(self, names: Collection[str], *, streams: bool = False) -> Iterator[Server]:
        """Give an aggregator with these feeds from its first fresh price on."""
        with tempfile.TemporaryDirectory(prefix="fm") as place:
            environment, port = write_configuration(
                Path(place),
                market_url=self.market.url,
                sources=self.sources,
                feeds=names,
                ttl_ms=TTL_MS,
                streams=self.streaming if streams else (),
            )
            with serving(
                "services.aggregator", port=port, core=SERVER_CORE, environment=environment, path="/health"
            ) as server:
                yield server

    def calls(self, source: str) -> int:
        """Return how many requests of a source the market has counted."""
        return int(json.loads(fetch(f"{self.market.url}/control/{source}"))["requests"])


@contextmanager
def bed() -> Iterator[Bed]:
    """Give a bed with a running market."""
    port = free_port()
    with serving("devkit.market", "--port", str(port), port=port, core=LOAD_CORE, path="/healthz") as market:
        states = json.loads(fetch(market.url + "/control"))
        yield Bed(market, tuple(states), tuple(name for name, state in states.items() if "stream" in state))


def reference(kind: str, file: Path, path: str) -> AbstractContextManager[Server]:
    """Give a server of tests.bench.references on the aggregators' core."""
    port = free_port()
    arguments = ("tests.bench.references", kind, str(port), str(file), "--path", path)
    return serving(*arguments, port=port, core=SERVER_CORE, path=path)


def registered(server: Server) -> int:
    """Return how many pairs of sources the aggregator keeps."""
    health = json.loads(fetch(server.url + "/health"))
    return sum(source["registeredPairs"] for source in health["sources"].values())


def fill_up(server: Server, count: int = SOURCE_PAIRS) -> int:
    """Ask for pairs that belong to no feed until so many are registered; return how many are."""
    for token in TOKENS:
        for source in _SPARE:
            if registered(server) >= count:
                return registered(server)
            answers(f"{server.url}/quote/{source}/{quote(token)}/USDT")
    return registered(server)


def fresh_pairs(server: Server, count: int) -> list[str]:
    """Return the first pairs with the prices of all their sources, once there are so many."""
    # A pair with a space or a sign would have to be escaped, as no ordinary caller does.
    asked = [f"{feed.base}/{feed.quote}" for feed in feeds.load().values() if (feed.base + feed.quote).isalnum()]
    deadline = time.monotonic() + _WAIT_S
    while True:
        entries = json.loads(fetch(f"{server.url}/quotes/batch?pairs={','.join(asked)}"))["quotes"]
        fresh = [entry["pair"] for entry in entries if entry.get("status") == "fresh"]
        if len(fresh) >= count:
            return fresh[:count]
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {len(fresh)} pairs have quotes of all of their sources, {count} are needed")
        time.sleep(0.2)


def btc_path(server: Server) -> str:
    """Return the path of the quote of BTC at the first source that has one."""
    for source in json.loads(fetch(server.url + "/health"))["sources"]:
        base, currency = feeds.load()["BTC / USD"].sources.get(source, ("BTC", "USD"))
        path = f"/quote/{source}/{base}/{currency}"
        if answers(server.url + path):
            return path
    raise RuntimeError("no source has a price of BTC")
