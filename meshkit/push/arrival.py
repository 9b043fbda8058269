"""
Ask a receiver what came of a push: some answer that all is well and have dropped lines that they could not take.

    Pushgateway        GET /api/v1/metrics     what each group has
    VictoriaMetrics    GET /api/v1/export/csv  the names of all samples of one moment
    Prometheus         GET /api/v1/query       the number of samples of one moment, by name
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from meshkit.push import grouping_path
from meshkit.push.config import PushConfig
from meshkit.push.exposition import escaped

_INTERFACES: Final = ("/api/v1/import/prometheus", "/api/v1/write")
_OF_THE_GATEWAY: Final = frozenset({"labels", "last_push_successful", "push_time_seconds", "push_failure_time_seconds"})


class ArrivalCount:
    """Count what a receiver has of a push."""

    def __init__(self, config: PushConfig, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session

    async def of_group(self, labels: Mapping[str, str]) -> Counter[str] | None:
        """Return how many samples a Pushgateway's group has, by metric; None if it cannot be asked."""
        answer = await self._json(grouping_path.api(self._config.url, "/api/v1/metrics"), {})
        if answer is None or not isinstance(groups := answer.get("data"), list):
            return None
        return sum((_of_group(each) for each in groups if each.get("labels") == dict(labels)), Counter())

    async def at(self, time_ms: int) -> Counter[str] | None:
        """Return how many samples with our labels a database has of one moment, by metric; None if it has no answer."""
        selector = "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in self._config.labels.items()) + "}"
        moment = f"{time_ms / 1000:.3f}"
        query = {"match[]": selector, "start": moment, "end": moment, "format": "__name__"}
        if (text := await self._text(self._interface("/api/v1/export/csv"), query)) is not None:
            return Counter(line for line in text.split("\n") if line)
        # What was written more than a second ago was another push.
        query = {"query": f"count by (__name__) (last_over_time({selector}[1s]))", "time": moment}
        answer = await self._json(self._interface("/api/v1/query"), query)
        if answer is None:
            return None
        rows = answer.get("data", {}).get("result", [])
        return Counter({row["metric"].get("__name__", ""): int(row["value"][1]) for row in rows})

    def _interface(self, path: str) -> str:
        """Return the address of another interface beside the one that is pushed to; of a cluster's reading half."""
        parts = urlsplit(self._config.url)
        before = parts.path.rstrip("/")
        for known in _INTERFACES:
            before = before.removesuffix(known)
        return urlunsplit((parts.scheme, parts.netloc, before.replace("/insert/", "/select/", 1) + path, "", ""))

    async def _json(self, url: str, query: Mapping[str, str]) -> dict[str, Any] | None:
        text = await self._text(url, query)
        try:
            found = None if text is None else json.loads(text)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    async def _text(self, url: str, query: Mapping[str, str]) -> str | None:
        try:
            # Without the type of what is pushed: this has no body.
            async with self._session.get(url, params=query, allow_redirects=False) as response:
                return await response.text() if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError):
            return None


def _of_group(found: Mapping[str, Any]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for name, family in found.items():
        if name in _OF_THE_GATEWAY:
            continue
        for row in family["metrics"]:
            parts = row.get("buckets", row.get("quantiles"))
            if parts is None:
                counts[name] += 1
                continue
            counts[f"{name}_bucket" if "buckets" in row else name] += len(parts)
            counts[f"{name}_sum"] += 1
            counts[f"{name}_count"] += 1
    return counts
