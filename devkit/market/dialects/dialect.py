"""What a dialect is: the REST language of one exchange, spoken about the simulated market."""

from collections.abc import Sequence
from typing import Protocol

import orjson
from aiohttp import web


class Dialect(Protocol):
    """
    Answer HTTP requests as one exchange does.

    Paths are the exchange's own; the application serves them below `/<source>`, so that only the base URL differs.
    """

    @property
    def source(self) -> str:
        """Return the source's name, which is also its path prefix."""
        ...

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths and their handlers."""
        ...

    def limit_answer(self) -> web.Response:
        """Return what this exchange answers to a client that asks too much."""
        ...


def answer(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return a JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, headers=headers, content_type="application/json")
