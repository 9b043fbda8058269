"""Connections to allowed hosts only."""

import asyncio
import socket
import threading
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meshkit.egress.connector import EgressConnector, HostRefused, check
from meshkit.egress.hosts import allows, hosts_of, is_loopback


@pytest.mark.parametrize(
    ("scheme", "host", "allowed", "refused"),
    [
        ("https", "api.example", {"api.example"}, ""),
        ("wss", "api.example", {"api.example"}, ""),
        ("https", "API.Example.", {"api.example"}, ""),
        ("https", "a.api.example", {"*.api.example"}, ""),
        ("https", "api.example", {"*.api.example"}, "not among the hosts"),
        ("https", "evilapi.example", {"*.api.example"}, "not among the hosts"),
        ("https", "other.example", {"api.example"}, "not among the hosts"),
        ("https", "10.0.0.1", {"api.example"}, "not among the hosts"),
        ("https", "any.example", None, ""),
        ("http", "api.example", {"api.example"}, "only https and wss"),
        ("ws", "api.example", None, "only https and wss"),
        ("http", "127.0.0.1", set(), ""),
        ("ws", "localhost", set(), ""),
        ("http", "::1", set(), ""),
        ("http", "127.0.0.1.example", {"127.0.0.1.example"}, "only https and wss"),
    ],
)
def test_a_host_is_allowed_or_refused(scheme: str, host: str, allowed: set[str] | None, refused: str) -> None:
    """One of this machine always, others by name, by a domain above them, and encrypted only."""
    hosts = None if allowed is None else frozenset(allowed)
    if not refused:
        check(scheme, host, hosts)
        return
    with pytest.raises(HostRefused, match=refused):
        check(scheme, host, hosts)


@pytest.mark.parametrize("target", ["https://elsewhere.example/", "http://elsewhere.example/"])
async def test_a_redirect_to_another_host_is_refused(target: str) -> None:
    """An allowed host cannot send us on to one that is not, neither by HTTP nor by WebSocket."""

    async def redirect(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(target)

    app = web.Application()
    app.router.add_get("/", redirect)
    async with TestServer(app) as server:
        connector = EgressConnector({"api.example"})
        async with aiohttp.ClientSession(connector=connector) as session:
            with pytest.raises(HostRefused, match=r"elsewhere\.example"):
                await session.get(server.make_url("/"))
            with pytest.raises(HostRefused, match=r"elsewhere\.example"):
                await session.ws_connect(server.make_url("/"))


async def test_names_that_hang_hold_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the look-up of twenty names under way, which never ends, another host is asked."""
    released, real = threading.Event(), socket.getaddrinfo

    def look_up(host: Any, *more: Any, **options: Any) -> Any:
        if str(host).endswith(".silent"):
            released.wait()
        return real("127.0.0.1" if str(host).endswith(".silent") else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="here")

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server, aiohttp.ClientSession(connector=EgressConnector(None)) as session:
        waiting = [asyncio.create_task(session.get(f"https://{number}.silent:1/")) for number in range(20)]
        async with session.get(f"http://localhost:{server.port}/") as response:
            assert "here" == await response.text()
        assert not any(task.done() for task in waiting)
        released.set()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_proxy_must_be_allowed_too() -> None:
    """A host is not reached through one that is not on the list."""
    async with aiohttp.ClientSession(connector=EgressConnector({"api.example"})) as session:
        with pytest.raises(HostRefused, match=r"proxy\.example"):
            await session.get("https://api.example/", proxy="http://proxy.example:3128")


def test_hosts_are_read_from_addresses() -> None:
    """Without port, path, user and case."""
    urls = ["https://User:pw@API.example:8443/path", "wss://stream.example", None, "http://[::1]:80"]
    assert {"api.example", "stream.example", "::1"} == hosts_of(urls)
    assert is_loopback("127.8.8.8")
    assert not is_loopback("example")
    assert not allows(("*.example",), "example")
