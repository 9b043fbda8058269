"""What the operator asks of one node's REST API, as Chainlink 2.27 speaks it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson

from chainlink.keys.peer_id import TEXT_PREFIX
from meshkit.clock import Clock, SystemClock
from services.operator.errors import NodeFailure, NodeRefused, NodeUnavailable
from services.operator.nodes.feed_jobs import FeedJob
from services.operator.nodes.rest_session import Counted, RestSession
from services.operator.nodes.session_file import SessionFile

_PAGE_SIZE = 1000
# Where the key bundles of each version of OCR are.
_KEYS = {1: "/v2/keys/ocr", 2: "/v2/keys/ocr2"}
# What a node was given twice it refuses: by its database's rule, or by its own words.
_GIVEN_TWICE = ("23505", "already exists")
_POSTS = 3
# A server error is the node's considered word more often than an accident.
_POSTS_AFTER_SERVER_ERROR = 2


@dataclass(frozen=True, slots=True)
class Bridge:
    """Hold a bridge as a node has it; what matters of it beside the URL, as text."""

    url: str
    confirmations: str = "0"
    minimum_payment: str = "0"


class NodeClient:
    """
    Talk to one node: log in when asked to, read lists, bring bridges and jobs to a wanted state.

    Every method raises NodeUnavailable if the node does not answer or fails, and NodeRefused if it answers with a
    4xx; the text is the node's own. After a POST that failed it looks at what was stored before it posts again. Use as
    an async context manager.
    """

    def __init__(
        self,
        name: str,
        url: str,
        email: str,
        password: str,
        *,
        clock: Clock | None = None,
        kept: SessionFile | None = None,
        counted: Counted = lambda _failure: None,
    ) -> None:
        self.name = name
        credentials = {"email": email, "password": password}
        self._session = RestSession(name, url, credentials, clock or SystemClock(), kept=kept, counted=counted)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def __aenter__(self) -> "NodeClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def is_ready(self) -> bool:
        """Tell whether all services of the node have started."""
        return await self._session.is_ready()

    async def evm_accounts(self, chain_id: int) -> Mapping[str, bool]:
        """Return the addresses of the node's EVM keys, in lower case, and whether each may send on a chain."""
        accounts: dict[str, bool] = {}
        for key in await self._list("/v2/keys/evm"):
            attributes = key["attributes"]
            address = str(attributes.get("address")).lower()
            is_off = attributes.get("disabled") is True and str(attributes.get("evmChainID")) == str(chain_id)
            accounts[address] = accounts.get(address, True) and not is_off
        return accounts

    async def enable_account(self, address: str, chain_id: int) -> None:
        """Let an account, in its checksummed spelling, send on a chain again; asking twice does no harm."""
        query = {"address": address, "evmChainID": str(chain_id), "enabled": "true"}
        await self._call("POST", "/v2/keys/evm/chain", query=query)

    async def peer_ids(self) -> frozenset[str]:
        """Return the bare peer ids of the node's P2P keys."""
        return frozenset(str(key["id"]).removeprefix(TEXT_PREFIX) for key in await self._list("/v2/keys/p2p"))

    async def ocr_bundle_ids(self, version: int = 1) -> frozenset[str]:
        """Return the ids of the node's key bundles of a version of OCR, 1 or 2."""
        return frozenset(str(key["id"]) for key in await self._list(_KEYS[version]))

    async def import_ocr_bundle(self, export: str, password: str, version: int = 1) -> str:
        """Import an encrypted bundle and return its id; one of OCR1 that exists already raises NodeUnavailable."""
        path = f"{_KEYS[version]}/import"
        answer = await self._call("POST", path, query={"oldpassword": password}, body=export.encode())
        # The answer's attributes are the bundle's private keys in clear: nothing but the id may leave this line.
        return str(answer["id"])

    async def ensure_ocr_bundle(self, export: str, password: str, bundle_id: str, version: int = 1) -> None:
        """Import an encrypted bundle unless the node has it; raises NodeRefused if it becomes another one."""

        async def post() -> None:
            if (imported := await self.import_ocr_bundle(export, password, version)) != bundle_id:
                raise NodeRefused(self.name, f"POST {_KEYS[version]}/import", 200, f"the bundle became {imported}")

        async def stored(error: NodeRefused | NodeUnavailable) -> bool:
            return isinstance(error, NodeUnavailable) and bundle_id in await self.ocr_bundle_ids(version)

        await self._post(post, stored)

    async def bridge(self, name: str) -> Bridge | None:
        """Return a bridge, or None if there is none of that name."""
        answer = await self._find(f"/v2/bridge_types/{name}")
        if answer is None:
            return None
        found = answer["attributes"]
        confirmations, payment = found.get("confirmations"), found.get("minimumContractPayment")
        return Bridge(str(found.get("url")), str(confirmations or 0), str(payment or 0))

    async def create_bridge(self, name: str, url: str) -> None:
        """Create a bridge."""

        async def post() -> None:
            await self._call("POST", "/v2/bridge_types", body=_bridge(name, url))

        async def stored(_error: NodeRefused | NodeUnavailable) -> bool:
            return await self.bridge(name) == Bridge(url)

        await self._post(post, stored)

    async def update_bridge(self, name: str, url: str) -> None:
        """Change a bridge's URL; running jobs use it from their next request on."""
        await self._call("PATCH", f"/v2/bridge_types/{name}", body=_bridge(name, url))

    async def jobs(self) -> tuple[Mapping[str, Any], ...]:
        """Return every job as `{"id": …, "attributes": {…}}`."""
        return tuple(await self._list("/v2/jobs"))

    async def create_job(self, spec: FeedJob) -> None:
        """
        Create a job.

        A node may keep a job whose services it could not start and try it again only at its own next start. Such a
        remnant is deleted, so that the next attempt begins anew.
        """
        body = orjson.dumps({"toml": spec.toml()})

        async def post() -> None:
            await self._call("POST", "/v2/jobs", body=body)

        async def stored(error: NodeRefused | NodeUnavailable) -> bool:
            answered = isinstance(error, NodeRefused) or error.failure is NodeFailure.SERVER
            found = await self._find(f"/v2/jobs/{spec.external_job_id}")
            if found is None:
                return False
            given_twice = any(words in error.detail for words in _GIVEN_TWICE)
            if not spec.differences(found["attributes"]) and (not answered or given_twice):
                return True
            await self.delete_job(str(found["id"]))
            return False

        await self._post(post, stored)

    async def delete_job(self, job_id: str) -> None:
        """Delete a job by its number; one that is gone already is fine."""
        try:
            await self._session.send("DELETE", f"/v2/jobs/{job_id}")
        except NodeRefused as error:
            if error.http_code != 404:
                raise

    async def _post(
        self, post: Callable[[], Awaitable[None]], stored: Callable[[NodeRefused | NodeUnavailable], Awaitable[bool]]
    ) -> None:
        """Post until it is done or stored; whether it may be tried again is for what went wrong to say."""
        for posts in count(1):
            try:
                await post()
            except (NodeRefused, NodeUnavailable) as error:
                if await stored(error):
                    return
                if isinstance(error, NodeRefused) or posts >= _most_posts(error.failure):
                    raise
            else:
                return
            await self._session.pause(posts)

    async def _find(self, path: str) -> Mapping[str, Any] | None:
        try:
            return await self._call("GET", path)
        except NodeRefused as error:
            if error.http_code == 404:
                return None
            raise

    async def _list(self, path: str) -> list[Mapping[str, Any]]:
        """Read a list to its last page; the nodes number pages from 1 and may give less a page than asked for."""
        request, items = f"GET {path}", dict[str, Mapping[str, Any]]()
        for page in count(1):
            document = await self._session.send("GET", path, query={"size": str(_PAGE_SIZE), "page": str(page)})
            data = document.get("data")
            if not isinstance(data, list):
                what = "the answer has no list in `data`"
                raise NodeUnavailable(self.name, request, what, NodeFailure.ANSWER)
            before = len(items)
            # By id, since what is deleted or made meanwhile moves the pages' bounds.
            items |= {str(item["id"]): item for item in (self._resource(request, found) for found in data)}
            links = document.get("links")
            if not data or not isinstance(links, Mapping) or not links.get("next"):
                break
            if len(items) == before:
                what = f"page {page} has nothing that pages before it had not, and yet there is a next one"
                raise NodeUnavailable(self.name, request, what, NodeFailure.ANSWER)
        return list(items.values())

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Mapping[str, Any]:
        document = await self._session.send(method, path, query=query, body=body)
        return self._resource(f"{method} {path}", document.get("data"))

    def _resource(self, request: str, found: object) -> Mapping[str, Any]:
        """Return an object of an answer; raises NodeUnavailable if it has no id, or no attributes."""
        if isinstance(found, Mapping) and found.get("id") and isinstance(found.get("attributes"), Mapping):
            return found
        what = "the answer has no object with `id` and `attributes` in `data`"
        raise NodeUnavailable(self.name, request, what, NodeFailure.ANSWER)


def _most_posts(failure: NodeFailure) -> int:
    """Return how often something may be posted in a row that is not stored, by what came of it the last time."""
    if failure in (NodeFailure.TIMEOUT, NodeFailure.LIMIT, NodeFailure.LOGIN):
        # It may be stored yet, or was tried often enough: the next pass looks again.
        return 1
    return _POSTS_AFTER_SERVER_ERROR if failure is NodeFailure.SERVER else _POSTS


def _bridge(name: str, url: str) -> bytes:
    return orjson.dumps({"name": name, "url": url, "confirmations": 0, "minimumContractPayment": "0"})
