"""One role and one database a node."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import asyncpg
import pytest
from tenacity import AsyncRetrying, retry_if_not_exception_type, stop_after_delay, wait_fixed

from services.dbinit.config import Settings
from services.dbinit.databases.isolation_check import check
from services.dbinit.databases.provision import connection_limit, list_databases, provision
from services.dbinit.databases.session import login, superuser
from services.dbinit.errors import LoginRefused, PlaceUnusable, ServerUnavailable
from tests.dbinit.conftest import MakeSettings
from tests.dbinit.server import Server
from tests.ports import free_port

NAMES = [f"chainlink_node_{node}" for node in range(1, 6)]


@pytest.fixture(name="settings")
async def _settings(server: Server) -> AsyncIterator[Settings]:
    """Give the settings of the shared server, and provision it again afterwards."""
    yield server.settings
    await provision(server.settings)


async def log_in(settings: Settings, node: int, database: str | None = None, password: str | None = None) -> None:
    """Log in as a node, to its own database with its own password unless told otherwise."""
    role = f"chainlink_node_{node}"
    await (await login(settings.port, role, password or settings.password(node), database or role)).close()


async def test_repeat_changes_nothing(settings: Settings) -> None:
    """A second provision finds all five databases and makes none."""
    done = await provision(settings)

    assert (NAMES, 0) == ([database.name for database in done.databases], done.created_count)
    assert [1, 2, 3, 4, 5] == [database.node for database in done.databases]
    assert all(database.size_bytes > 1_000_000 for database in done.databases)


async def test_node_owns_its_database(settings: Settings) -> None:
    """A node may make schemas and tables in its own database, as the Chainlink node's migrations do."""
    connection = await login(settings.port, NAMES[1], settings.password(2), NAMES[1])
    try:
        await connection.execute("CREATE SCHEMA evm; CREATE TABLE evm.t (v int); CREATE TABLE public.t (v int)")
        await connection.execute("DROP SCHEMA evm CASCADE; DROP TABLE public.t")
        owner = await connection.fetchval(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        )
        powers = await connection.fetchrow(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles WHERE rolname = current_user"
        )
    finally:
        await connection.close()

    assert NAMES[1] == owner
    assert (False, False, False, False) == tuple(powers or ())


async def test_node_3_cannot_open_node_2s_database(settings: Settings) -> None:
    """Node 3, with its right password, is refused by node 2's database."""
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError) as refusal:
        await log_in(settings, 3, NAMES[1])

    assert 'no pg_hba.conf entry for host "127.0.0.1", user "chainlink_node_3", database "chainlink_node_2"' in str(
        refusal.value
    )


async def test_privileges_alone_refuse_as_well(settings: Settings) -> None:
    """With access rules that let every role try every database, the privileges still keep node 3 out."""
    rules = settings.place.access_rules.read_text()
    try:
        await change_rules(settings, rules.replace("sameuser", "all"), asyncpg.InsufficientPrivilegeError)
        for database in (NAMES[1], "postgres", "template1"):
            with pytest.raises(
                asyncpg.InsufficientPrivilegeError, match=f'permission denied for database "{database}"'
            ):
                await log_in(settings, 3, database)
    finally:
        await change_rules(settings, rules, asyncpg.InvalidAuthorizationSpecificationError)


async def change_rules(settings: Settings, rules: str, refusal: type[Exception]) -> None:
    """Replace the access rules and wait until the server refuses node 3 by them: it reads them when it gets round."""
    settings.place.access_rules.write_text(rules)
    async with superuser(settings) as connection:
        await connection.execute("SELECT pg_reload_conf()")
    async for attempt in AsyncRetrying(
        retry=retry_if_not_exception_type(AssertionError), wait=wait_fixed(0.05), stop=stop_after_delay(10)
    ):
        with attempt, suppress(refusal):
            await log_in(settings, 3, NAMES[1])
            raise AssertionError("node 3 was let in")


@pytest.mark.parametrize("password", ["wrong", None])
async def test_node_3_cannot_pose_as_node_2(settings: Settings, password: str | None) -> None:
    """Neither a guess nor node 3's own password opens node 2's role."""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await log_in(settings, 2, password=password or settings.password(3))


async def test_passwords_rotate(settings: Settings) -> None:
    """After a change of the secret the new passwords work and the old ones do not."""
    rotated = replace(settings, pg_password="another secret")
    await provision(rotated)
    await log_in(rotated, 2)

    with pytest.raises(asyncpg.InvalidPasswordError):
        await log_in(settings, 2)


async def test_nodes_come_and_go(settings: Settings) -> None:
    """A removed node keeps its database but cannot log in; it comes back with its content, beside new nodes."""
    connection = await login(settings.port, NAMES[4], settings.password(5), NAMES[4])
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (v int)")
    await connection.close()
    fewer = await provision(replace(settings, total_nodes=4))
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="not permitted to log in"):
        await log_in(settings, 5)
    more = await provision(replace(settings, total_nodes=6))
    connection = await login(settings.port, NAMES[4], settings.password(5), NAMES[4])
    kept = await connection.fetchval("SELECT to_regclass('kept') IS NOT NULL")
    await connection.close()
    async with superuser(settings) as administrator:
        await administrator.execute("DROP DATABASE chainlink_node_6")

    assert (5, 0, 6, 1) == (len(fewer.databases), fewer.created_count, len(more.databases), more.created_count)
    assert kept


async def test_names_are_quoted_by_the_server(settings: Settings) -> None:
    """A group role with quotes and a semicolon in its name is a name and nothing else."""
    name = """o'dd "role"; DROP ROLE chainlink_node_1 --"""
    await provision(replace(settings, group_role=name))
    async with superuser(settings) as connection:
        members = await connection.fetchval(
            "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE r.rolname = $1", name
        )
        await connection.execute(await connection.fetchval("SELECT format('DROP ROLE %I', $1::text)", name))

    assert 5 == members


async def test_password_is_not_in_any_statement(server: Server, settings: Settings) -> None:
    """What the server stores and could log is a verifier that differs each time, never the password."""
    async with superuser(settings) as connection:
        stored = await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", NAMES[0])

    assert stored.startswith("SCRAM-SHA-256$4096:")
    assert settings.password(1) not in stored + server.log.read_text()


async def test_no_server(server: Server) -> None:
    """Without a server the error says which port does not answer."""
    absent = replace(server.settings, port=free_port())

    with pytest.raises(ServerUnavailable, match=f"127.0.0.1:{absent.port} does not answer"):
        await list_databases(absent)


async def test_foreign_server(make_settings: MakeSettings, server: Server) -> None:
    """A server that does not know our superuser's password is somebody else's, and the error says so."""
    settings = make_settings(port=server.settings.port)
    settings.place.path.mkdir(parents=True)
    settings.place.superuser_password.write_text("another cluster's")

    with pytest.raises(LoginRefused, match="if another PostgreSQL holds the port"):
        await list_databases(settings)


async def test_before_bootstrap(make_settings: MakeSettings) -> None:
    """Without a superuser's password the error says what to do first."""
    with pytest.raises(PlaceUnusable, match="bootstrap the cluster first"):
        await list_databases(make_settings())


async def test_the_most_nodes(make_settings: MakeSettings) -> None:
    """31 nodes, the most a feed can have, get their databases in one call, each closed to the thirty others."""
    settings = make_settings(total_nodes=31)
    server = Server(settings)
    # Nothing of this cluster is kept, so it need not reach the disk.
    with settings.place.server_settings.open("a") as file:
        file.write("fsync = off\n")
    try:
        server.start()
        done = await provision(settings)
        again = await provision(settings)
        found = await check(settings)
    finally:
        server.remove_process()
    made = [f"chainlink_node_{node}" for node in range(1, 32)]

    assert (made, 0) == ([database.name for database in done.databases], again.created_count)
    assert ((), 31 * 33) == (found.violations, found.attempts)


@pytest.mark.parametrize(("maximum", "nodes", "limit"), [(1000, 31, 31), (1000, 5, 196), (200, 31, 30), (20, 1, 30)])
def test_connection_limit(maximum: int, nodes: int, limit: int) -> None:
    """A node has its share of the connections, and never less than it needs."""
    assert limit == connection_limit(maximum, nodes)


async def test_a_node_that_leaks_connections_harms_itself(settings: Settings) -> None:
    """A node that has all the connections it may have gets no more; another node still logs in."""
    limit = connection_limit(settings.max_connections, 5)
    leaked = [await login(settings.port, NAMES[0], settings.password(1), NAMES[0]) for _ in range(limit)]
    try:
        with pytest.raises(asyncpg.TooManyConnectionsError, match='role "chainlink_node_1"'):
            await log_in(settings, 1)
        await log_in(settings, 2)
    finally:
        for connection in leaked:
            connection.terminate()


async def test_a_broken_attempt_is_completed(settings: Settings) -> None:
    """A database whose creation was cut off is made by the next attempt, as are roles that are there already."""
    async with superuser(settings) as connection:
        await connection.execute("DROP DATABASE chainlink_node_4")
        await connection.execute("ALTER ROLE chainlink_node_3 NOLOGIN CREATEDB")
        await connection.execute("GRANT CONNECT ON DATABASE chainlink_node_1 TO PUBLIC")
    done = await provision(settings)

    assert 1 == done.created_count
    assert () == (await check(settings)).violations
    assert await can_only_log_in(settings, 3)


async def can_only_log_in(settings: Settings, node: int) -> bool:
    """Tell whether a node's role may log in and do nothing that reaches beyond its database."""
    async with superuser(settings) as connection:
        query = """
            SELECT rolcanlogin AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
            FROM pg_roles WHERE rolname = $1
        """
        return bool(await connection.fetchval(query, f"chainlink_node_{node}"))
