"""A node process without a chain, and a client that has logged in to it."""

import json
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio

from tests.dbinit.server import Server
from tests.oracle.conftest import SPARE_OF_REST, empty, node_url
from tests.oracle.network import PASSWORD, NodeProcess


@dataclass
class Api:
    """Hold a node and a logged-in client of it."""

    node: NodeProcess
    http: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return status and JSON, or the text if the answer is none."""
        data = body if isinstance(body, str | None) else json.dumps(body)
        async with self.http.request(method, f"{self.node.url}{path}", data=data) as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith(("{", "[")) else text

    async def equip(self) -> None:
        """Have the bundle and the bridge that an oracle's job names."""
        export = self.node.ocr.export(PASSWORD, scrypt_n=2)
        await self.call("POST", f"/v2/keys/ocr/import?oldpassword={PASSWORD}", export)
        await self.call("POST", "/v2/bridge_types", {"name": "quotes", "url": "http://127.0.0.1:1/"})

    async def detail(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Return status and detail of an error."""
        status, document = await self.call(method, path, body)
        return status, document["errors"][0]["detail"]


@pytest_asyncio.fixture(name="api", scope="module", loop_scope="module")
async def _api(postgres: Server) -> AsyncIterator[Api]:
    """Give a node without a chain, and a client that has logged in."""
    directory = Path(tempfile.mkdtemp(prefix="fm", dir="/tmp"))
    url = node_url(postgres, SPARE_OF_REST)
    await empty(url)
    node = NodeProcess.make("chainlink-node-6", directory / "6", directory, url)
    node.write_files("http://127.0.0.1:1")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        try:
            await node.start()
            await node.ready(http)
            await node.login(http)
            yield Api(node, http)
        finally:
            await node.stop(signal.SIGKILL)
            shutil.rmtree(directory)
