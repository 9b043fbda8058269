"""What a node says of itself, in one process."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.oracle.rest.node_information import NodeInformation
from services.oracle.settings import read_config
from tests.oracle.test_settings import CONFIG, written

Client = TestClient[web.Request, web.Application]


@pytest.fixture(name="level")
def _level() -> Iterator[int]:
    """Give the log's level, and set it again."""
    before = logging.getLogger().level
    yield before
    logging.getLogger().setLevel(before)


@pytest.fixture(name="client")
async def _client(tmp_path: Path) -> AsyncIterator[Client]:
    """Give a client of a node without users."""
    app = web.Application()
    config = read_config(written(tmp_path, "config.toml", CONFIG))
    app.add_routes(NodeInformation(config, SimpleNamespace()).routes())  # type: ignore[arg-type]
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_the_level_of_the_log(client: Client, level: int) -> None:
    """The level is set at once, and shown from then on; that of the configuration stays the default."""
    assert logging.DEBUG != level
    answer = await client.patch("/v2/log", json={"level": "DEBUG", "sqlEnabled": True})
    shown = (await answer.json(content_type=None))["data"]["attributes"]
    assert ["debug", "false"] == shown["logLevel"]
    assert logging.DEBUG == logging.getLogger().level

    asked = (await (await client.get("/v2/log")).json(content_type=None))["data"]["attributes"]
    assert ("debug", "warn") == (asked["logLevel"][0], asked["defaultLogLevel"])


async def test_what_the_file_said(client: Client) -> None:
    """The configuration is shown whole, or as far as the file says it."""
    texts = [
        (await (await client.get(f"/v2/config{query}")).json(content_type=None))["data"]["attributes"]["config"]
        for query in ("", "?userOnly=true")
    ]

    assert "[EVM.Transactions]" in texts[0]
    assert "[EVM.Transactions]" not in texts[1]
