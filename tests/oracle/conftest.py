"""A PostgreSQL server for all tests of the node, an empty database for each, and a chain."""

from collections.abc import AsyncIterator, Iterator

import aiohttp
import asyncpg
import pytest

from services.dbinit.databases.provision import provision
from services.oracle.store.database import SCHEMA, Database
from services.oracle.store.migrations import migrate
from tests.dbinit.server import Server, in_thread, open_directory, settings_in
from tests.oracle.anvil import Aggregator, Anvil

SPARE, SPARE_OF_REST = 6, 7


def node_url(postgres: Server, node: int) -> str:
    """Return the URL of a node's database."""
    role = f"chainlink_node_{node}"
    settings = postgres.settings
    return f"postgresql://{role}:{settings.password(node)}@127.0.0.1:{settings.port}/{role}?sslmode=disable"


async def empty(url: str) -> None:
    """Leave nothing in a database."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public"
    )
    await connection.close()


@pytest.fixture(name="postgres", scope="package")
def _postgres() -> Iterator[Server]:
    """Give a server with the roles and databases of five nodes, and two more for single parts."""
    server = Server(settings_in(open_directory(), total_nodes=SPARE_OF_REST))
    try:
        server.start()
        in_thread(provision(server.settings))
        yield server
    finally:
        server.remove()


@pytest.fixture(name="database_url")
async def _database_url(postgres: Server) -> str:
    """Give the URL of an empty database."""
    url = node_url(postgres, SPARE)
    await empty(url)
    return url


@pytest.fixture(name="database")
async def _database(database_url: str) -> AsyncIterator[Database]:
    """Give a migrated database."""
    async with Database.connect(database_url, max_connections=4, deadline_s=10) as database:
        await migrate(database)
        yield database


@pytest.fixture(name="http")
async def _http() -> AsyncIterator[aiohttp.ClientSession]:
    """Give an HTTP client that keeps the cookies of addresses."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


@pytest.fixture(name="anvil")
async def _anvil(http: aiohttp.ClientSession) -> AsyncIterator[Anvil]:
    """Give a chain that makes a block of every transaction at once."""
    anvil = Anvil(http, None)
    await anvil.start()
    yield anvil
    await anvil.stop()


@pytest.fixture(name="aggregator")
async def _aggregator(anvil: Anvil) -> Aggregator:
    """Give an aggregator without oracles."""
    return await Aggregator.deploy(anvil)
