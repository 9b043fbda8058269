"""The bridges."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from meshkit.go_quoted import quoted
from services.oracle.jobs.job_spawner import JobSpawner
from services.oracle.rest.json_body import NATURAL_32, RAW, TEXT, decode, name_of
from services.oracle.rest.jsonapi import Refused, many, one, resource, shortened, timestamp
from services.oracle.store.bridges import Bridge, BridgeStore

_NAME = re.compile(r"[a-zA-Z0-9\-_]*")
_LONGEST_NAME = 2000
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}")
_LONGEST_URL = 2000
_PAYMENT = re.compile(r"[+-]?[0-9]{1,200}(?: link)?")
_JUELS_PER_LINK = 10**18
_FIELDS = {"name": TEXT, "url": TEXT, "confirmations": NATURAL_32, "minimumContractPayment": RAW}


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
        name, url, confirmations, payment = await _wanted(request)
        created = await self._store.create(name, url, confirmations, payment)
        if created is None:
            raise Refused(400, f"Bridge Type {name} already exists")
        bridge, incoming = created
        item = _resource(bridge)
        item["attributes"]["incomingToken"] = incoming
        return one(item)

    async def _update(self, request: web.Request) -> web.Response:
        bridge = self._find(request)
        # The name stays, whatever the body says.
        _, url, confirmations, payment = await _wanted(request)
        return one(_resource(await self._store.update(bridge.name, url, confirmations, payment)))

    async def _delete(self, request: web.Request) -> web.Response:
        bridge = self._find(request)
        jobs = self._spawner.jobs_with_bridge(request.match_info["name"])
        if jobs:
            numbers = " ".join(map(str, jobs))
            raise Refused(409, f"can't remove the bridge because jobs [{numbers}] are associated with it")
        await self._store.delete(bridge.name)
        return one(_resource(bridge))

    def _find(self, request: web.Request) -> Bridge:
        bridge = self._store.get(_name(request.match_info["name"]))
        if bridge is None:
            raise Refused(404, "bridge not found")
        return bridge


async def _wanted(request: web.Request) -> tuple[str, str, int, str | None]:
    """Return name, URL, confirmations and payment of the body; Refused with all that is missing."""
    document = await decode(request, "bridges.BridgeTypeRequest", _FIELDS)
    name, url, payment = _name(document["name"] or ""), _url(document["url"] or ""), _payment(document)
    faults = [] if name else ["No name specified"]
    faults += [] if url else ["URL must be present"]
    faults += ["MinimumContractPayment must be positive"] if payment is not None and payment.startswith("-") else []
    if faults:
        raise Refused(400, *faults)
    if len(name) > _LONGEST_NAME:
        raise Refused(400, f"name: found {len(name)} characters, allowed: at most {_LONGEST_NAME}")
    return name, url, document["confirmations"] or 0, payment


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise Refused(422, f"task type validation: name {text[:_LONGEST_NAME]} contains invalid characters")
    return text.lower()


def _url(text: str) -> str:
    """Return a URL as the node keeps it; Refused with what Go says of it."""
    if not text:
        return ""
    fault = _url_fault(text)
    if fault:
        raise Refused(422, shortened(f"parse {quoted(text)}: {fault}"))
    if len(text) > _LONGEST_URL:
        raise Refused(422, f"url: found {len(text)} characters, allowed: at most {_LONGEST_URL}")
    scheme, colon, rest = text.partition(":") if _SCHEME.match(text) else ("", "", text)
    # Go writes an empty host so.
    rest = "" if rest == "//" else rest
    return scheme.lower() + colon + rest.replace(" ", "%20")


def _url_fault(text: str) -> str:
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in text):
        return "net/url: invalid control character in URL"
    if not text.startswith("/") and not _SCHEME.match(text):
        return "first path segment in URL cannot contain colon" if text.startswith(":") else "invalid URI for request"
    if (escape := _BAD_ESCAPE.search(text)) is not None:
        return f"invalid URL escape {quoted(escape[0])}"
    try:
        parts = urlsplit(text)
        _, colon, port = parts.netloc.rpartition("@")[2].rpartition(":")
        if colon and port and not port.isdecimal() and "]" not in port:
            return f"invalid port {quoted(':' + port)} after host"
        # Reading the port is what finds out that it is none.
        return "invalid character in host name" if " " in parts.netloc or parts.port == 0 else ""
    except ValueError:
        return "invalid URI for request"


def _payment(document: Mapping[str, Any]) -> str | None:
    value = document["minimumContractPayment"]
    if value is None:
        return None
    if not isinstance(value, str):
        kind = name_of(value)
        text = "cannot unmarshal json.Number into currency" if kind == "number" else f"cannot unmarshal {kind}"
        raise Refused(422, text)
    if not _PAYMENT.fullmatch(value):
        raise Refused(422, shortened(f"assets: cannot unmarshal {quoted(value)} into a *assets.Link"))
    number, _, unit = value.partition(" ")
    return str(int(number) * (_JUELS_PER_LINK if unit else 1))


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
