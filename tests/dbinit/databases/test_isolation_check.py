"""The proof of isolation finds what is wrong."""

from dataclasses import replace

import asyncpg
import pytest

from services.dbinit.databases.isolation_check import check
from services.dbinit.databases.provision import provision
from services.dbinit.databases.session import login, superuser
from tests.dbinit.server import Server


async def test_isolated(server: Server) -> None:
    """Freshly provisioned nodes are isolated, and the server's health is told."""
    found = await check(server.settings)

    assert () == found.violations
    assert found.server_version.startswith("17.")
    assert 0 == found.checksum_failures
    assert [1, 2, 3, 4, 5] == [database.node for database in found.databases]


async def test_a_granted_privilege_is_found(server: Server) -> None:
    """A privilege that lets node 3 into node 2's database is named, even while the access rules still stop it."""
    async with superuser(server.settings) as connection:
        await connection.execute("GRANT CONNECT ON DATABASE chainlink_node_2 TO chainlink_node_3")
        try:
            found = await check(server.settings)
        finally:
            await connection.execute("REVOKE CONNECT ON DATABASE chainlink_node_2 FROM chainlink_node_3")

    assert ("role chainlink_node_3 has the privilege to connect to database chainlink_node_2",) == found.violations


async def test_a_wrong_password_is_found(server: Server) -> None:
    """Nodes whose passwords are not those of the server are named."""
    found = await check(replace(server.settings, pg_password="another secret", total_nodes=1))

    assert ("role chainlink_node_1 cannot log in: the server has another password for it",) == found.violations


async def test_a_missing_node_is_found(server: Server) -> None:
    """A node that was never provisioned is named."""
    found = await check(replace(server.settings, total_nodes=6))

    assert ["role chainlink_node_6 cannot log in: the server has another password for it"] == list(found.violations)


async def test_a_damaged_page_is_counted(spare: Server) -> None:
    """Reading a page that the disk has changed fails instead of giving wrong rows, and the database's count tells."""
    settings = replace(spare.settings, total_nodes=1)
    role = "chainlink_node_1"

    async def in_database(statement: str) -> object:
        connection = await login(settings.port, role, settings.password(1), role)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    try:
        spare.start()
        await provision(settings)
        await in_database("CREATE TABLE prices AS SELECT 42 AS price")
        file = settings.place.data / str(await in_database("SELECT pg_relation_filepath('prices')"))
        spare.stop()
        page = bytearray(file.read_bytes())
        page[-1] ^= 1
        file.write_bytes(page)
        spare.start()
        with pytest.raises(asyncpg.DataCorruptedError, match="invalid page in block 0"):
            await in_database("SELECT price FROM prices")
        found = await check(settings)
        spare.stop()
    finally:
        spare.remove_process()

    assert (1, [1]) == (found.checksum_failures, [database.checksum_failures for database in found.databases])
