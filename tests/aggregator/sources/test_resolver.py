import asyncio
import socket
from collections.abc import Iterator
from threading import Event
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from services.aggregator.sources.resolver import MOST_LOOK_UPS, HostResolver

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]


class Names:
    """Name servers of which a test says what they know; they are silent about some names until it ends."""

    def __init__(self) -> None:
        self.released = Event()
        self.asked: list[str] = []
        self.failing: set[str] = set()

    def look_up(self, host: str, _port: int, **_how: Any) -> list[tuple[Any, ...]]:
        """Answer as socket.getaddrinfo does."""
        self.asked.append(host)
        if host.startswith("hanging"):
            self.released.wait()
        if host in self.failing:
            raise socket.gaierror(-2, "Name or service not known")
        return FOUND


@pytest.fixture(name="names")
def _names() -> Iterator[Names]:
    """Give name servers that say everything in the end."""
    names = Names()
    yield names
    names.released.set()


async def test_names_that_hang_hold_up_no_other(names: Names) -> None:
    """Forty names without an answer, asked for again and again, and the request to another host is answered."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="here")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    connector = aiohttp.TCPConnector(resolver=HostResolver(names.look_up, look_up_s=30))
    async with aiohttp.ClientSession(connector=connector) as session:
        waiting = [
            asyncio.create_task(session.get(f"http://hanging-{number % 40}.test:{port}/")) for number in range(120)
        ]
        async with session.get(f"http://healthy.test:{port}/") as response:
            assert "here" == await response.text()
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await runner.cleanup()

    assert 40 >= sum(host.startswith("hanging") for host in names.asked)


async def test_a_name_is_looked_up_once_at_a_time(names: Names) -> None:
    """Who asks for a name that is being looked up joins, and gives up alone."""
    resolver = HostResolver(names.look_up, look_up_s=0.05)
    for _ in range(3):
        with pytest.raises(OSError, match=r"hanging\.test was not found: no answer in 0\.05 s"):
            await resolver.resolve("hanging.test", 80)

    assert ["hanging.test"] == names.asked


async def test_the_last_answer_serves_while_there_is_none(names: Names) -> None:
    """A name that was known does not go away with the name servers, and a new answer takes the place of the old."""
    resolver = HostResolver(names.look_up)
    first = await resolver.resolve("known.test", 443)
    names.failing.add("known.test")

    assert first == await resolver.resolve("known.test", 443)
    assert [("127.0.0.1", 443)] == [(found["host"], found["port"]) for found in first]
    names.failing.add("new.test")
    with pytest.raises(OSError, match=r"new\.test"):
        await resolver.resolve("new.test", 443)


async def test_look_ups_have_a_bound(names: Names) -> None:
    """However many names there are, so many threads are the most, and a further name is refused at once."""
    resolver = HostResolver(names.look_up, look_up_s=30)
    tasks = [asyncio.create_task(resolver.resolve(f"hanging-{number}.test")) for number in range(MOST_LOOK_UPS)]
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="already"):
        await resolver.resolve("one-more.test")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_name_that_cannot_be_is_not_found() -> None:
    """Neither an overlong label nor an empty one is a defect of ours."""
    resolver = HostResolver()
    for host in ("a" * 70 + ".test", "a..test"):
        with pytest.raises(OSError):
            await resolver.resolve(host)
