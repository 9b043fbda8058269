"""A client of one node's REST API, as Chainlink 2.27 speaks it."""

from collections.abc import Mapping
from typing import Any, cast

import aiohttp
import orjson

from chainlink.jobs import JobSpec
from chainlink.keys.peer_id import TEXT_PREFIX
from services.operator.errors import NodeRefused, NodeUnavailable

_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=3)
_LONGEST_DETAIL = 300
_PAGE_SIZE = 1000


class NodeClient:
    """
    Talk to one node: log in when asked to, read lists, bring bridges and jobs to a wanted state.

    Every method raises NodeUnavailable if the node does not answer or fails, and NodeRefused if it answers with a
    4xx; the text is the node's own. Use as an async context manager.
    """

    def __init__(self, name: str, url: str, email: str, password: str) -> None:
        self.name = name
        self._url = url
        self._credentials = {"email": email, "password": password}
        # `unsafe` lets the jar keep cookies of an IP address.
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=_TIMEOUT)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def __aenter__(self) -> "NodeClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def is_ready(self) -> bool:
        """Tell whether all services of the node have started."""
        try:
            async with self._session.get(f"{self._url}/readyz", timeout=aiohttp.ClientTimeout(total=3)) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def evm_addresses(self) -> frozenset[str]:
        """Return the addresses of the node's EVM keys, in lower case."""
        return frozenset(str(key["attributes"]["address"]).lower() for key in await self._list("/v2/keys/evm"))

    async def peer_ids(self) -> frozenset[str]:
        """Return the bare peer ids of the node's P2P keys."""
        return frozenset(str(key["id"]).removeprefix(TEXT_PREFIX) for key in await self._list("/v2/keys/p2p"))

    async def ocr_bundle_ids(self) -> frozenset[str]:
        """Return the ids of the node's OCR1 key bundles."""
        return frozenset(str(key["id"]) for key in await self._list("/v2/keys/ocr"))

    async def import_ocr_bundle(self, export: str, password: str) -> str:
        """Import an encrypted OCR1 bundle and return its id; one that exists already raises NodeUnavailable."""
        answer = await self._call("POST", "/v2/keys/ocr/import", query={"oldpassword": password}, body=export.encode())
        # The answer's attributes are the bundle's private keys in clear: nothing but the id may leave this line.
        return str(answer["id"])

    async def bridge_url(self, name: str) -> str | None:
        """Return the URL of a bridge, or None if there is none of that name."""
        answer = await self._find(f"/v2/bridge_types/{name}")
        return None if answer is None else str(answer["attributes"]["url"])

    async def create_bridge(self, name: str, url: str) -> None:
        """Create a bridge."""
        await self._call("POST", "/v2/bridge_types", body=_bridge(name, url))

    async def update_bridge(self, name: str, url: str) -> None:
        """Change a bridge's URL; running jobs use it from their next request on."""
        await self._call("PATCH", f"/v2/bridge_types/{name}", body=_bridge(name, url))

    async def jobs(self) -> tuple[Mapping[str, Any], ...]:
        """Return every job as `{"id": …, "attributes": {…}}`."""
        return tuple(await self._list("/v2/jobs"))

    async def create_job(self, spec: JobSpec) -> None:
        """
        Create a job.

        A node may keep a job whose services it could not start and try it again only at its own next start. Such a
        remnant is deleted, so that the next attempt begins anew.
        """
        try:
            await self._call("POST", "/v2/jobs", body=orjson.dumps({"toml": spec.toml()}))
        except (NodeUnavailable, NodeRefused):
            remnant = await self._find(f"/v2/jobs/{spec.external_job_id}")
            if remnant is not None:
                await self.delete_job(str(remnant["id"]))
            raise

    async def delete_job(self, job_id: str) -> None:
        """Delete a job by its number; one that is gone already is fine."""
        try:
            await self._call("DELETE", f"/v2/jobs/{job_id}")
        except NodeRefused as error:
            if error.http_code != 404:
                raise

    async def _find(self, path: str) -> Mapping[str, Any] | None:
        try:
            return await self._call("GET", path)
        except NodeRefused as error:
            if error.http_code == 404:
                return None
            raise

    async def _list(self, path: str) -> list[Mapping[str, Any]]:
        items: list[Mapping[str, Any]] = []
        page = 1
        while True:
            document = await self._send("GET", path, query={"size": str(_PAGE_SIZE), "page": str(page)})
            data = document.get("data")
            if not isinstance(data, list):
                raise NodeUnavailable(self.name, f"GET {path}", "the answer has no list in `data`")
            items += data
            links = document.get("links")
            if not data or not isinstance(links, Mapping) or not links.get("next"):
                return items
            page += 1

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Mapping[str, Any]:
        document = await self._send(method, path, query=query, body=body)
        if method == "DELETE":
            return {}
        data = document.get("data")
        if not isinstance(data, Mapping) or "id" not in data:
            raise NodeUnavailable(self.name, f"{method} {path}", "the answer has no object in `data`")
        return data

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Mapping[str, Any]:
        """Send a request, log in and repeat it on 401, and return the answer's JSON object."""
        request = f"{method} {path}"
        status, content = await self._exchange(request, method, path, query, body)
        if status == 401:
            await self._log_in()
            status, content = await self._exchange(request, method, path, query, body)
        if status >= 400:
            detail = _detail(content)
            if status >= 500 or status == 429:
                raise NodeUnavailable(self.name, request, f"answered {status}: {detail}")
            raise NodeRefused(self.name, request, status, detail)
        if not content:
            return {}
        try:
            document = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise NodeUnavailable(self.name, request, "the answer is not JSON") from error
        if not isinstance(document, dict):
            raise NodeUnavailable(self.name, request, "the answer is not a JSON object")
        return document

    async def _log_in(self) -> None:
        status, content = await self._exchange(
            "POST /sessions", "POST", "/sessions", None, orjson.dumps(self._credentials)
        )
        if status == 200:
            return
        if status >= 500 or status == 429:
            raise NodeUnavailable(self.name, "POST /sessions", f"answered {status}: {_detail(content)}")
        raise NodeRefused(self.name, "POST /sessions", status, _detail(content))

    async def _exchange(
        self, request: str, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None
    ) -> tuple[int, bytes]:
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with self._session.request(
                method, self._url + path, params=query, data=body, headers=headers
            ) as response:
                return response.status, await response.read()
        except TimeoutError as error:
            raise NodeUnavailable(self.name, request, "no answer in time") from error
        except aiohttp.ClientError as error:
            # The text of a client error may hold the whole URL, and the URL a password.
            raise NodeUnavailable(self.name, request, f"no connection ({type(error).__name__})") from None


def _bridge(name: str, url: str) -> bytes:
    return orjson.dumps({"name": name, "url": url, "confirmations": 0, "minimumContractPayment": "0"})


def _detail(content: bytes) -> str:
    """Return the text of an error body: `{"errors":[{"detail":…}]}`, or plain text."""
    try:
        errors = cast(Any, orjson.loads(content))["errors"]
        text = "; ".join(str(error["detail"]) for error in errors)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        text = content.decode(errors="replace")
    return text.strip()[:_LONGEST_DETAIL] or "no text"
