"""One role and one database a node, closed to every other node."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from services.dbinit.config import NODE_PREFIX, Settings, node_name
from services.dbinit.databases import scram
from services.dbinit.databases.session import Connection, superuser

# The cluster's own databases. PUBLIC may connect to them by default; nodes have no business there.
_OWN_DATABASES = ("postgres", "template1")

# asyncpg and PostgreSQL allow no parameters in these statements, so the server quotes the names into them.
_CREATE_ROLE = "CREATE ROLE %I"
_SHAPE_GROUP = "ALTER ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
_SHAPE_NODE = (
    "ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS "
    "CONNECTION LIMIT {connections} PASSWORD %L"
)
_RETIRE_NODE = "ALTER ROLE %I NOLOGIN"
_JOIN_GROUP = "GRANT %I TO %I"
# template0 is never changed by anybody. Logging the copy is twice as fast as copying files, which takes two
# checkpoints for each database.
_CREATE_DATABASE = "CREATE DATABASE %I OWNER %I TEMPLATE template0 STRATEGY wal_log"
_SHAPE_OWNER = "ALTER DATABASE %I OWNER TO %I"
_CLOSE_DATABASE = "REVOKE ALL ON DATABASE %I FROM PUBLIC"
_CLOSE_TO_GROUP = "REVOKE ALL ON DATABASE %I FROM %I"

_CREATED_AT_ONCE = 4
# A node's pool of 20, its lease, and some for people.
_LEAST_CONNECTIONS = 30
# For the supervisor, this service and a superuser.
_OUR_CONNECTIONS = 20

_LIST = r"""
SELECT d.datname AS name,
       substring(d.datname FROM length($1) + 1)::int AS node,
       pg_database_size(d.oid) AS size_bytes,
       coalesce(s.numbackends, 0) AS connections,
       coalesce(r.rolcanlogin, false) AS can_login,
       coalesce(s.checksum_failures, 0) AS checksum_failures
FROM pg_database d
     LEFT JOIN pg_stat_database s ON s.datid = d.oid
     LEFT JOIN pg_roles r ON r.rolname = d.datname
WHERE d.datname ~ ('^' || $1 || '[1-9][0-9]{0,3}$')
ORDER BY node
"""


@dataclass(frozen=True, slots=True)
class Database:
    """A node's database: bytes on disk, open connections, damaged pages met, and whether its role may log in."""

    name: str
    node: int
    size_bytes: int
    connections: int
    can_login: bool
    checksum_failures: int


@dataclass(frozen=True, slots=True)
class Provisioned:
    """All databases of nodes, and how many of them are new."""

    databases: tuple[Database, ...]
    created_count: int


@dataclass(frozen=True, slots=True)
class _Statement:
    template: str
    arguments: tuple[str, ...]


async def provision(settings: Settings) -> Provisioned:
    """
    Make the missing roles and databases and set passwords, owners and privileges of all again.

    Databases of nodes beyond `total_nodes` keep their content, but their roles may not log in any more.
    Raises ServerUnavailable or LoginRefused.
    """
    names = [node_name(node) for node in range(1, settings.total_nodes + 1)]
    # A hash costs milliseconds of CPU each, which the loop should not feel with 31 nodes.
    verifiers = await asyncio.to_thread(
        lambda: [scram.verifier(settings.password(node)) for node in range(1, settings.total_nodes + 1)]
    )
    async with superuser(settings) as connection:
        roles = await _names(connection, "SELECT rolname FROM pg_roles")
        async with connection.transaction():
            await _execute(connection, _role_statements(settings, names, verifiers, roles))
        existing = await _names(connection, "SELECT datname FROM pg_database")
        missing = [name for name in names if name not in existing]
        await _create(settings, missing)
        async with connection.transaction():
            await _execute(connection, _privilege_statements(settings.group_role, names))
        return Provisioned(await _databases(connection), len(missing))


async def list_databases(settings: Settings) -> tuple[Database, ...]:
    """Return the databases of nodes in the nodes' order. Raises ServerUnavailable or LoginRefused."""
    async with superuser(settings) as connection:
        return await _databases(connection)


async def _create(settings: Settings, missing: list[str]) -> None:
    """Create databases, some at a time: while one waits for the disk, another copies."""
    left = iter(missing)

    async def create() -> None:
        async with superuser(settings) as connection:
            for name in left:
                # Not within a transaction: PostgreSQL forbids it. A repeat finds what a broken attempt has made.
                await _execute(connection, [_Statement(_CREATE_DATABASE, (name, name))])

    sessions = [create() for _ in missing[:_CREATED_AT_ONCE]]
    for outcome in await asyncio.gather(*sessions, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def connection_limit(max_connections: int, total_nodes: int) -> int:
    """Return how many connections a node may have: its equal share, so that one that leaks them harms no other."""
    return max(_LEAST_CONNECTIONS, (max_connections - _OUR_CONNECTIONS) // total_nodes)


def _role_statements(
    settings: Settings, names: list[str], verifiers: list[str], existing: set[str]
) -> Iterable[_Statement]:
    group = settings.group_role
    limit = connection_limit(settings.max_connections, settings.total_nodes)
    for role in (group, *names):
        if role not in existing:
            yield _Statement(_CREATE_ROLE, (role,))
    yield _Statement(_SHAPE_GROUP, (group,))
    for name, verifier in zip(names, verifiers, strict=True):
        yield _Statement(_SHAPE_NODE.format(connections=limit), (name, verifier))
        yield _Statement(_JOIN_GROUP, (group, name))
    for role in sorted(existing - set(names)):
        if role.startswith(NODE_PREFIX) and role.removeprefix(NODE_PREFIX).isdecimal():
            yield _Statement(_RETIRE_NODE, (role,))


def _privilege_statements(group: str, names: list[str]) -> Iterable[_Statement]:
    for database in (*_OWN_DATABASES, *names):
        yield _Statement(_CLOSE_DATABASE, (database,))
        yield _Statement(_CLOSE_TO_GROUP, (database, group))
    for name in names:
        yield _Statement(_SHAPE_OWNER, (name, name))


async def _execute(connection: Connection, statements: Iterable[_Statement]) -> None:
    """Have the server fill in the templates, then execute all of them in one message."""
    batch = list(statements)
    texts = await connection.fetch(
        """
        SELECT format(s.template, VARIADIC s.arguments) AS text
        FROM (SELECT t.template, array_remove(ARRAY[t.first, t.second], NULL) AS arguments, t.position
              FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY
              AS t (template, first, second, position)) AS s
        ORDER BY s.position
        """,
        [statement.template for statement in batch],
        [statement.arguments[0] for statement in batch],
        [statement.arguments[1] if len(statement.arguments) > 1 else None for statement in batch],
    )
    await connection.execute(";\n".join(record["text"] for record in texts))


async def _names(connection: Connection, query: str) -> set[str]:
    return {record[0] for record in await connection.fetch(query)}


async def _databases(connection: Connection) -> tuple[Database, ...]:
    records = await connection.fetch(_LIST, NODE_PREFIX)
    return tuple(Database(**record) for record in records)
