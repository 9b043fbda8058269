"""How old the prices are that the aggregator answers with while a stream floods it."""

import http.client
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from meshkit import feeds
from tests.bench.bed import ALL, TTL_MS, Bed
from tests.bench.process import LOAD_CORE, SERVER_CORE, Server, fetch, serving
from tests.bench.report import Row
from tests.bench.setup import write_configuration
from tests.ports import free_port

RATE: Final = 20_000
OLDEST_MS: Final = 250
_SOURCE: Final = "binance"
_SECONDS: Final = 20.0
_WARM_S: Final = 5.0
_PAUSE_S: Final = 0.005
_START_S: Final = 60.0


def rows(market: Bed) -> list[Row]:
    """Measure with one source, so that its share of the processor's time is all that there is for its messages."""
    with (
        tempfile.TemporaryDirectory(prefix="fm") as place,
        _flood(market, Path(place)) as flood,
        _aggregator(market, flood, Path(place)) as server,
    ):
        paths = _paths(flood)
        time.sleep(_WARM_S)
        before, sent_before, cpu_before_s = _counts(server), _sent(flood), server.cpu_s()
        began_s = time.monotonic()
        ages_ms = _ages_ms(server, paths)
        seconds = time.monotonic() - began_s
        after, sent, cpu_s = _counts(server), _sent(flood) - sent_before, server.cpu_s() - cpu_before_s
    received, superseded = (after[name] - before[name] for name in ("received", "superseded"))
    return [
        Row(f"stream messages of {len(paths)} markets, sent", sent / seconds, "messages/s"),
        Row("  received", received / seconds, "messages/s"),
        Row("  not read, as a newer one had come", superseded / seconds, "messages/s"),
        Row("  processor time", cpu_s / seconds, "s/s", more_is_better=False),
        Row("  age of the prices in answers, p50", statistics.median(ages_ms), "ms", more_is_better=False),
        Row("  age of the oldest price in an answer", max(ages_ms), "ms", at_most=OLDEST_MS),
        Row("  answers looked at", len(ages_ms), "answers"),
    ]


@contextmanager
def _flood(market: Bed, directory: Path) -> Iterator[Server]:
    told = json.loads(fetch(f"{market.market.url}/{_SOURCE}/api/v3/ticker/price"))
    file = directory / "prices.json"
    file.write_text(json.dumps({each["symbol"]: each["price"] for each in told}))
    port = free_port()
    with serving(
        "tests.bench.flood.server", str(port), str(file), str(RATE), port=port, core=LOAD_CORE, path="/state"
    ) as server:
        yield server


@contextmanager
def _aggregator(market: Bed, flood: Server, directory: Path) -> Iterator[Server]:
    environment, port = write_configuration(
        directory,
        market_url=market.market.url,
        sources=(_SOURCE,),
        feeds=ALL,
        ttl_ms=TTL_MS,
        streams={_SOURCE: f"{flood.url.replace('http', 'ws', 1)}/ws"},
    )
    with serving("services.aggregator", port=port, core=SERVER_CORE, environment=environment, path="/health") as server:
        yield server


def _paths(flood: Server) -> list[str]:
    """Return the routes of the prices that are streamed, once there are any."""
    pairs = {f"{base}{quote}".upper(): (base, quote) for base, quote in _mapped()}
    deadline = time.monotonic() + _START_S
    while True:
        streamed = [symbol for symbol in json.loads(fetch(flood.url + "/state"))["symbols"] if symbol in pairs]
        if streamed:
            return ["/quote/{}/{}/{}".format(_SOURCE, *pairs[symbol]) for symbol in streamed]
        if time.monotonic() > deadline:
            raise RuntimeError("the aggregator subscribed to nothing")
        time.sleep(0.1)


def _mapped() -> Iterator[tuple[str, str]]:
    for feed in feeds.load().values():
        if _SOURCE in feed.sources:
            base, quote = feed.sources[_SOURCE]
            if (base + quote).isalnum():
                yield base, quote


def _ages_ms(server: Server, paths: list[str]) -> list[float]:
    """Ask for one price after the other, over one connection as a node does, and return how old each was."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    ages_ms: list[float] = []
    ends_at = time.monotonic() + _SECONDS
    while time.monotonic() < ends_at:
        connection.request("GET", paths[len(ages_ms) % len(paths)])
        response = connection.getresponse()
        said = json.loads(response.read())
        now_ms = time.time() * 1000
        if response.status != 200:
            raise RuntimeError(f"HTTP {response.status}: {said}")
        ages_ms.append(now_ms - datetime.fromisoformat(said["exchangeTime"]).timestamp() * 1000)
        time.sleep(_PAUSE_S)
    connection.close()
    return ages_ms


def _sent(flood: Server) -> int:
    return int(json.loads(fetch(flood.url + "/state"))["sent"])


def _counts(server: Server) -> Mapping[str, float]:
    lines = fetch(server.url + "/metrics").decode().splitlines()
    found = {line.partition("{")[0]: float(line.rpartition(" ")[2]) for line in lines if f'source="{_SOURCE}"' in line}
    return {
        "received": found["websocket_messages_received"],
        "superseded": found.get("websocket_superseded_messages_total", 0.0),
    }
