"""Prove by trying that every node reaches its own database and nobody else's."""

import asyncio
from dataclasses import dataclass

import asyncpg

from services.dbinit.config import Settings, node_name
from services.dbinit.databases.provision import Database, list_databases
from services.dbinit.databases.session import login, superuser

# A refused login costs the server a process; with 31 nodes there are about a thousand of them.
_LOGINS_AT_ONCE = 8
_NOBODYS = ("postgres", "template1")

_PRIVILEGES = """
SELECT r.rolname AS role, d.datname AS database
FROM pg_roles r CROSS JOIN pg_database d
WHERE r.rolname = ANY($1::text[]) AND d.datname <> r.rolname AND d.datallowconn
  AND has_database_privilege(r.oid, d.oid, 'CONNECT')
ORDER BY 1, 2
"""


_HEALTH = """
SELECT current_setting('server_version') AS server_version,
       coalesce(sum(checksum_failures), 0)::bigint AS checksum_failures,
       coalesce(sum(numbackends), 0)::bigint AS connections,
       current_setting('max_connections')::int AS max_connections
FROM pg_stat_database
"""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in so many logins; `violations` has a sentence for each that went otherwise than it should."""

    attempts: int
    violations: tuple[str, ...]
    server_version: str
    checksum_failures: int
    connections: int
    max_connections: int
    databases: tuple[Database, ...]


async def check(settings: Settings) -> Checked:
    """
    Log in as every node to every database, read the privileges, and ask the server about its health.

    The server's log gets a line for each refused login. Raises ServerUnavailable or LoginRefused.
    """
    nodes = range(1, settings.total_nodes + 1)
    names = [node_name(node) for node in nodes]
    async with superuser(settings) as connection:
        health = await connection.fetchrow(_HEALTH)
        privileges = await connection.fetch(_PRIVILEGES, names)
    found = [
        f"role {record['role']} has the privilege to connect to database {record['database']}" for record in privileges
    ]
    limit = asyncio.Semaphore(_LOGINS_AT_ONCE)

    async def attempt(node: int, database: str) -> str | None:
        async with limit:
            return await _attempt(settings, node, database)

    async with asyncio.TaskGroup() as group:
        attempts = [group.create_task(attempt(node, database)) for node in nodes for database in (*names, *_NOBODYS)]
    found += [violation for task in attempts if (violation := task.result()) is not None]
    return Checked(len(attempts), tuple(found), databases=await list_databases(settings), **dict(health or {}))


async def _attempt(settings: Settings, node: int, database: str) -> str | None:
    """Log in as a node and return what is wrong with the outcome, or None."""
    role = node_name(node)
    own = database == role
    try:
        connection = await login(settings.port, role, settings.password(node), database)
    except asyncpg.InvalidPasswordError:
        return f"role {role} cannot log in: the server has another password for it"
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError) as refusal:
        return f"role {role} is refused by its own database: {refusal}" if own else None
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"role {role} neither reached database {database} nor was refused: {str(error) or type(error).__name__}"
    await connection.close(timeout=5)
    return None if own else f"role {role} reached database {database}"
