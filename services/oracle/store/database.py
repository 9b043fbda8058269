"""The node's PostgreSQL database: connected patiently, so that a server that is killed and back ends no node."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_delay, wait_random_exponential

from meshkit import log
from services.oracle.errors import DatabaseUnavailable

_log = log.get_logger(__name__)
_Result = TypeVar("_Result")

# The server is away, on its way down or up, or this connection is gone: another attempt may succeed.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
# An escaped NUL in JSON, with as many escaped backslashes before it as there may be.
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
# Chainlink's own node has its tables in `public` of the same database: either program finds what it left there.
SCHEMA = "feedmesh_node"
_CONNECT_TIMEOUT_S = 5.0
_COMMAND_TIMEOUT_S = 10.0


def storable(text: str) -> str:
    """Return a text that PostgreSQL takes: it knows neither NUL nor halves of surrogate pairs."""
    return text.replace("\0", _UNKNOWN).encode("utf-8", "replace").decode()


def storable_json(text: str) -> str:
    """Return JSON that PostgreSQL takes: a text in it may not have NUL either, in whatever form."""
    return _ESCAPED_NUL.sub(lambda found: found[1] + _UNKNOWN, storable(text))


class Database:
    """
    Run statements with a deadline; a lost connection is replaced and the statement repeated.

    A repeat can happen after the first attempt took effect, so statements have to be idempotent. Texts are made
    storable: no value from outside may break a statement.
    """

    def __init__(self, pool: asyncpg.Pool, durable: asyncpg.Pool, *, retry_s: float = 8.0) -> None:
        self._pool = pool
        self._durable = durable
        self._retry_s = retry_s

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, *, max_connections: int, deadline_s: float) -> "AsyncIterator[Database]":
        """
        Wait until the server accepts a login, at most `deadline_s`; DatabaseUnavailable after that.

        A third of the connections, at least one, are for what has to be durable.
        """
        durable = max(1, max_connections // 3)
        pools = (
            _pool(url, max(1, max_connections - durable), {}),
            _pool(url, durable, {"synchronous_commit": "on"}),
        )
        try:
            for pool in pools:
                await pool
            await _patiently(lambda: pools[0].fetchval("SELECT 1"), deadline_s)
            yield cls(*pools)
        finally:
            for pool in pools:
                pool.terminate()

    async def fetch(self, sql: str, *values: object) -> Sequence[asyncpg.Record]:
        """Return all rows."""
        kept = _storable_values(values)
        return await _patiently(lambda: self._pool.fetch(sql, *kept), self._retry_s)

    async def fetch_one(self, sql: str, *values: object) -> asyncpg.Record | None:
        """Return the first row or None."""
        kept = _storable_values(values)
        return await _patiently(lambda: self._pool.fetchrow(sql, *kept), self._retry_s)

    async def execute(self, sql: str, *values: object) -> int:
        """Run a statement and return how many rows it touched."""
        kept = _storable_values(values)
        status = await _patiently(lambda: self._pool.execute(sql, *kept), self._retry_s)
        count = status.rsplit(" ", 1)[-1]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement for every row, all or none."""
        kept = [_storable_values(row) for row in rows]
        await _patiently(lambda: self._pool.executemany(sql, kept), self._retry_s)

    async def execute_durably(self, sql: str, *values: object) -> None:
        """Run a statement and return only when it is on disk, whatever the server's `synchronous_commit` is."""
        kept = _storable_values(values)
        await _patiently(lambda: self._durable.execute(sql, *kept), self._retry_s)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """Give a connection inside a transaction; a lost connection is the caller's to handle."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection

    async def ping(self) -> None:
        """Ask the server for a sign of life, once; DatabaseUnavailable if there is none within 2 seconds."""
        try:
            await self._pool.fetchval("SELECT 1", timeout=2)
        except _AWAY as error:
            raise DatabaseUnavailable(f"PostgreSQL does not answer: {error}") from error


def _storable_values(values: Iterable[object]) -> list[object]:
    return [storable(value) if isinstance(value, str) else value for value in values]


def _pool(url: str, size: int, settings: dict[str, str]) -> asyncpg.Pool:
    # A pool that keeps a minimum of connections would log each failure to do so while the server is away.
    return asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        timeout=_CONNECT_TIMEOUT_S,
        command_timeout=_COMMAND_TIMEOUT_S,
        server_settings={"application_name": "feedmesh-oracle", "search_path": SCHEMA, **settings},
        reset=_as_it_is,
    )


async def _as_it_is(_connection: Any) -> None:
    """Keep a connection's session: no statement here changes it, and to reset it is a second round trip for each."""


async def _patiently(attempt: Callable[[], Awaitable[_Result]], deadline_s: float) -> _Result:
    clock_s = asyncio.get_running_loop().time
    until_s = clock_s() + deadline_s
    try:
        # Almost always it works at once, and what keeps trying costs as much as the statement.
        return await attempt()
    except _AWAY as error:
        left_s = until_s - clock_s()
        if left_s <= 0:
            raise _unavailable(deadline_s, error) from error
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(_AWAY),
        stop=stop_after_delay(left_s),
        wait=wait_random_exponential(multiplier=0.05, max=1),
    )
    try:
        async for one in retrying:
            with one:
                return await attempt()
    except RetryError as error:
        cause = error.last_attempt.exception()
        raise _unavailable(deadline_s, cause) from cause
    raise DatabaseUnavailable("no attempt was made")


def _unavailable(deadline_s: float, cause: BaseException | None) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"PostgreSQL did not answer within {deadline_s:g} s: {cause}")
