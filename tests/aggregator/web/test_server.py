"""Listening: on the loopback interface, on a port that is free, and until it is told to stop."""

import aiohttp
import pytest
from aiohttp import web

from meshkit.clock import SystemClock
from meshkit.errors import FailedPrecondition
from services.aggregator.web.quick.fast_path import FastAnswers
from services.aggregator.web.server import listen


async def hello(_request: web.Request) -> web.Response:
    """Answer."""
    return web.Response(text="hello")


def app() -> web.Application:
    """Return an application with one route."""
    made = web.Application()
    made.router.add_get("/", hello)
    return made


@pytest.mark.parametrize("is_fast", [True, False])
async def test_it_answers_until_it_is_stopped(session: aiohttp.ClientSession, is_fast: bool) -> None:
    """With the fast path and without; afterwards nobody listens."""
    server = await listen(app(), 0, FastAnswers(lambda _target: None, SystemClock()) if is_fast else None)
    port = server.port
    async with session.get(f"http://127.0.0.1:{port}/") as response:
        assert (200, "hello") == (response.status, await response.text())
    await server.close()

    with pytest.raises(aiohttp.ClientConnectionError):
        await session.get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("is_fast", [True, False])
async def test_a_port_in_use_is_named(is_fast: bool) -> None:
    """The error of a second listener names the port and the setting, and nothing of it is left."""
    first = await listen(app(), 0)
    port = first.port
    with pytest.raises(FailedPrecondition, match=rf"{port}.*priceAggregatorConfig\.port"):
        await listen(app(), port, FastAnswers(lambda _target: None, SystemClock()) if is_fast else None)
    await first.close()
    again = await listen(app(), port)
    await again.close()
