"""The metrics of a running mesh in a VictoriaMetrics, pushed as they always are, and what panels show of them."""

import asyncio
import contextlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp

from meshkit.clock import SystemClock
from meshkit.configuration.aggregator import ReceiverKind
from meshkit.configuration.load import load
from meshkit.metrics import RPC_METRICS, Registry
from meshkit.paths import RunDir
from meshkit.push.config import PushConfig
from scripts.monitoring.panels import BOARDS
from services.metrics.config import from_configuration
from services.metrics.gathering.pushing import PUSHING_METRICS, Pushing


@contextlib.asynccontextmanager
async def pushing(
    mesh_configuration: Path, run_dir: RunDir, url: str, kind: ReceiverKind = "victoriaMetrics"
) -> AsyncIterator[Pushing]:
    """Give what gathers the pages of all processes of a mesh, and pushes them to a receiver, when it is told to."""
    config = from_configuration(load(mesh_configuration))
    receiver = PushConfig(
        url=url,
        interval_ms=5_000,
        timeout_ms=10_000,
        labels={"job": "process-metrics", "instance": "mesh"},
        kind=kind,
        gzip=True,
    )
    clock, registry = SystemClock(), Registry((*RPC_METRICS, *PUSHING_METRICS))

    async def own_page() -> bytes:
        page = f"http://127.0.0.1:{config.port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(page) as response:
            return await response.read() + registry.render()

    async with Pushing(config, receiver, run_dir, own_page, clock, registry) as made:
        yield made


async def push_until_filled(mesh_configuration: Path, run_dir: RunDir, url: str, within_s: float) -> list[str]:
    """
    Gather the pages of all processes of a mesh and push them to an import endpoint, until all panels have data.

    Returns those that have none in that time. Nothing of what was pushed may be lost.
    """
    async with pushing(mesh_configuration, run_dir, f"{url}/api/v1/import/prometheus") as made:
        clock, empty = SystemClock(), ["not pushed"]
        end_s = clock.monotonic() + within_s
        while empty and clock.monotonic() < end_s:
            await made.gatherer.gather()
            await made.pusher.push()
            # That also gives the receiver the time to show what it took.
            assert 0 == await made.pusher.check()
            empty = await asyncio.to_thread(empty_panels, url)
    return empty


async def push_until(
    mesh_configuration: Path, run_dir: RunDir, url: str, holds: Callable[[], bool], within_s: float
) -> None:
    """Gather and write to a Prometheus each second until something holds; fail if it does not in that time."""
    async with pushing(mesh_configuration, run_dir, url, "remoteWrite") as made, asyncio.timeout(within_s):
        while not await asyncio.to_thread(holds):
            await made.gatherer.gather()
            await made.pusher.push()
            await asyncio.sleep(1)


def empty_panels(url: str) -> list[str]:
    """Return the panels of which a query gives nothing, with the query."""
    found = []
    for board in BOARDS:
        for panel in board.panels:
            for query, _ in panel.queries:
                if not rows(url, query):
                    found.append(f"{board.name}: {panel.title}: {query}")
    return found


def rows(url: str, query: str) -> list[object]:
    """Return what a panel's query gives now, with all values of the dashboard's variables."""
    asked = query.replace("$__rate_interval", "5m")
    asked = re.sub(r"\$\w+", ".*", asked)
    address = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': asked})}"
    try:
        with urllib.request.urlopen(address, timeout=90) as answer:
            result: list[object] = json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{query}: HTTP {error.code}: {error.read().decode()[:500]}") from error
    return result
