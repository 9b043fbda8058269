"""The bridges."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from services.oracle.jobs.job_spawner import JobSpawner
from services.oracle.rest.jsonapi import Refused, body, many, one, resource, shortened, timestamp
from services.oracle.store.bridges import Bridge, BridgeStore

_NAME = re.compile(r"[a-zA-Z0-9\-_]{1,255}")
_URL = re.compile(r"https?://[^\s\x00-\x20\x7f]+", re.IGNORECASE)
_LONGEST_URL = 2000
_PAYMENT = re.compile(r"-?[0-9]{1,78}")


class Bridges:
    """Serve /v2/bridge_types."""

    def __init__(self, store: BridgeStore, spawner: JobSpawner) -> None:
        self._store = store
        self._spawner = spawner

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return (
            web.get("/v2/bridge_types", self._list),
            web.post("/v2/bridge_types", self._create),
            web.get("/v2/bridge_types/{name}", self._get),
            web.patch("/v2/bridge_types/{name}", self._update),
            web.delete("/v2/bridge_types/{name}", self._delete),
        )

    async def _list(self, request: web.Request) -> web.Response:
        return many(request, [_resource(bridge) for bridge in self._store.all()])

    async def _get(self, request: web.Request) -> web.Response:
        return one(_resource(self._find(request)))

    async def _create(self, request: web.Request) -> web.Response:
        document = await body(request)
        name = document.get("name")
        if not isinstance(name, str) or not name:
            raise Refused(400, "No name specified")
        if not _NAME.fullmatch(name):
            raise Refused(422, f"task type validation: name {name[:255]} contains invalid characters")
        url, confirmations, payment = _fields(document)
        created = await self._store.create(name.lower(), url, confirmations, payment)
        if created is None:
            raise Refused(400, f"Bridge Type {name.lower()} already exists")
        bridge, incoming = created
        item = _resource(bridge)
        item["attributes"]["incomingToken"] = incoming
        return one(item)

    async def _update(self, request: web.Request) -> web.Response:
        bridge = self._find(request)
        url, confirmations, payment = _fields(await body(request))
        return one(_resource(await self._store.update(bridge.name, url, confirmations, payment)))

    async def _delete(self, request: web.Request) -> web.Response:
        bridge = self._find(request)
        if self._spawner.uses_bridge(bridge.name):
            raise Refused(409, f"can't remove the bridge because jobs are associated with it: {bridge.name}")
        await self._store.delete(bridge.name)
        return one(_resource(bridge))

    def _find(self, request: web.Request) -> Bridge:
        bridge = self._store.get(request.match_info["name"].lower())
        if bridge is None:
            raise Refused(404, "bridge not found")
        return bridge


def _fields(document: Mapping[str, Any]) -> tuple[str, int, str]:
    url = document.get("url")
    if not isinstance(url, str) or not url:
        raise Refused(400, "URL must be present")
    if len(url) > _LONGEST_URL or not _is_http(url):
        raise Refused(
            422, f'parse "{shortened(url)}": invalid URI for request: allowed: http:// or https:// with a host'
        )
    confirmations = document.get("confirmations", 0)
    if not isinstance(confirmations, int) or isinstance(confirmations, bool) or not 0 <= confirmations < 2**32:
        raise Refused(
            422, f"confirmations: found {str(confirmations)[:40]}, allowed: a whole number from 0 to 2**32 - 1"
        )
    return url, confirmations, _payment(document.get("minimumContractPayment"))


def _is_http(url: str) -> bool:
    if not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        # Reading the port is what finds out that it is none.
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _payment(value: object) -> str:
    text = "0" if value is None or value == "" else str(value)
    if isinstance(value, bool) or not isinstance(value, str | int | None) or not _PAYMENT.fullmatch(text):
        raise Refused(422, f"minimumContractPayment: found {text[:40]!r}, allowed: a whole number of juels")
    if text.startswith("-"):
        raise Refused(400, "MinimumContractPayment must be positive")
    return text


def _resource(bridge: Bridge) -> dict[str, Any]:
    return resource(
        "bridges",
        bridge.name,
        {
            "name": bridge.name,
            "url": bridge.url,
            "confirmations": bridge.confirmations,
            "outgoingToken": bridge.outgoing_token,
            "minimumContractPayment": bridge.minimum_contract_payment,
            "createdAt": timestamp(bridge.created_at),
        },
    )
