"""Sessions with the server: ours over loopback, another by its URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from services.dbinit.cluster.cluster import SUPERUSER
from services.dbinit.config import Settings
from services.dbinit.errors import ForeignLoginRefused, LoginRefused, PlaceUnusable, ServerUnavailable

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection  # generic in its stubs only

HOST = "127.0.0.1"
_CONNECT_S = 5.0
_CONNECT_ELSEWHERE_S = 15.0
_COMMAND_S = 30.0


@asynccontextmanager
async def superuser(settings: Settings, database: str = "postgres") -> AsyncIterator[Connection]:
    """
    Give a superuser's session; lost connections inside it become ServerUnavailable too.

    Raises ServerUnavailable, LoginRefused, or PlaceUnusable if there is no superuser's password.
    """
    server, password_file = settings.server, settings.place.superuser_password
    where = f"{HOST}:{settings.port}" if server is None else f"{server.host}:{server.port}"
    try:
        if server is None:
            connection = await login(settings.port, SUPERUSER, _password(password_file), database)
        else:
            connection = await asyncpg.connect(
                server.to(database), timeout=_CONNECT_ELSEWHERE_S, command_timeout=_COMMAND_S
            )
        try:
            yield connection
        finally:
            await connection.close(timeout=_CONNECT_S)
    except asyncpg.InvalidAuthorizationSpecificationError as error:  # a wrong password's class derives from it
        if server is not None:
            raise ForeignLoginRefused(where, server.user, str(error)) from error
        raise LoginRefused(settings.port, password_file, str(error)) from error
    except (
        OSError,
        TimeoutError,
        asyncpg.CannotConnectNowError,
        asyncpg.TooManyConnectionsError,
        asyncpg.PostgresConnectionError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,  # its words for a connection that broke between two statements
    ) as error:
        raise ServerUnavailable(where, str(error) or type(error).__name__) from error


def _password(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise PlaceUnusable(file, f"cannot be read: {error.strerror}", "bootstrap the cluster first") from error


async def login(port: int, user: str, password: str, database: str) -> Connection:
    """Log in over loopback with exactly these values; asyncpg would fill in others from the environment."""
    return await asyncpg.connect(
        host=HOST,
        port=port,
        user=user,
        password=password,
        database=database,
        ssl=False,
        timeout=_CONNECT_S,
        command_timeout=_COMMAND_S,
    )
