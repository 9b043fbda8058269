"""A node's REST API as a person with its password uses it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from tests.node.node import NodeUnderTest


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold a status and the JSON of a body; None where there is none."""

    status: int
    body: Any = None

    @property
    def text(self) -> str:
        """Return the texts of its errors."""
        return "; ".join(error["detail"] for error in self.body["errors"])

    @property
    def data(self) -> Any:
        """Return what a request that was granted is answered with."""
        assert 200 == self.status, self
        return self.body["data"]


@dataclass(frozen=True, slots=True)
class Rest:
    """Hold a session with a node."""

    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **query: str) -> Answer:
        """Ask for something."""
        return await self.send("GET", path, query=query)

    async def post(self, path: str, document: Any, **query: str) -> Answer:
        """Send a document."""
        return await self.send("POST", path, document, query)

    async def delete(self, path: str) -> Answer:
        """Delete something."""
        return await self.send("DELETE", path)

    async def send(self, method: str, path: str, document: Any = None, query: dict[str, str] | None = None) -> Answer:
        """Send a request and read its answer."""
        body = None if document is None else orjson.dumps(document)
        headers = {} if body is None else {"Content-Type": "application/json"}
        async with self.session.request(method, self.url + path, data=body, params=query, headers=headers) as response:
            content = await response.read()
            return Answer(response.status, orjson.loads(content) if content[:1] in (b"{", b"[") else None)

    async def jobs(self) -> dict[str, dict[str, Any]]:
        """Return the node's jobs by their external ids, as `{"id": …, "attributes": {…}}`."""
        listed = (await self.get("/v2/jobs", size="1000")).data
        return {job["attributes"]["externalJobID"]: job for job in listed}

    async def login(self, email: str, password: str) -> Answer:
        """Log in; the session keeps the cookie."""
        return await self.post("/sessions", {"email": email, "password": password})


@asynccontextmanager
async def stranger(node: NodeUnderTest) -> AsyncIterator[Rest]:
    """Give a session that is not logged in."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=timeout) as session:
        yield Rest(node.url, session)


@asynccontextmanager
async def logged_in(node: NodeUnderTest) -> AsyncIterator[Rest]:
    """Give a session that is logged in as the operator is."""
    async with stranger(node) as rest:
        credentials = node.config.credentials
        answer = await rest.login(credentials.api_email, credentials.api_password)
        assert 200 == answer.status, answer
        yield rest
