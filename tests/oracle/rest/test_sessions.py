"""Logging in beside those who guess, and limits that count each peer and session for itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meshkit.clock import ManualClock
from services.oracle.rest import application, peers
from services.oracle.rest.peers import Peer
from services.oracle.rest.sessions import COOKIE, Sessions
from services.oracle.settings import WebServerSettings
from services.oracle.store.database import Database
from services.oracle.store.users import UserStore

EMAIL, PASSWORD = "operator@example.org", "a-password-for-the-api"
PERIOD_S = 20
STRANGER, ELSEWHERE, OURS = "192.0.2.7", "192.0.2.8", "ours"
_PEER = "X-Peer"


class _Pings:
    """Answer what any session may ask, and what needs none."""

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the routes."""
        return [web.get(path, self._pong) for path in ("/v2/ping", "/health", "/metrics", "/readyz")]

    async def _pong(self, _: web.Request) -> web.Response:
        return web.Response(text="pong")


@dataclass
class LoginServer:
    """Hold a server, its clock and a client that says which peer it is."""

    server: TestServer
    http: aiohttp.ClientSession
    clock: ManualClock

    async def login(self, peer: str, password: object, email: object = EMAIL) -> tuple[int, str]:
        """Try to log in; return the status and the session's token."""
        data = json.dumps({"email": email, "password": password})
        async with self.http.post(self.server.make_url("/sessions"), data=data, headers={_PEER: peer}) as response:
            return response.status, response.cookies[COOKIE].value if COOKIE in response.cookies else ""

    async def get(self, peer: str, path: str, token: str = "") -> int:
        """Ask for something; return the status."""
        headers = {_PEER: peer, "Cookie": f"{COOKIE}={token}"}
        async with self.http.get(self.server.make_url(path), headers=headers) as response:
            return response.status


def _peer(request: web.Request) -> Peer:
    name = request.headers[_PEER]
    return Peer(name, is_ours=name == OURS)


@pytest.fixture(name="logins")
async def _logins(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LoginServer]:
    """Give the API of a node with one user, where a header says who the peer is."""
    monkeypatch.setattr(peers, "of_request", _peer)
    users, clock = UserStore(database), ManualClock()
    await users.ensure_admin(EMAIL, PASSWORD)
    limits = {"Authenticated": 10, "AuthenticatedPeriod": "60s", "Unauthenticated": 5, "UnauthenticatedPeriod": "20s"}
    settings = WebServerSettings.read({"SecureCookies": False, "RateLimit": limits})
    server = TestServer(application.create(Sessions(users, settings, clock), [_Pings()], settings))
    await server.start_server()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield LoginServer(server, http, clock)
    await server.close()


@pytest.mark.parametrize("operator", [OURS, ELSEWHERE])
async def test_a_guesser_does_not_lock_the_operator_out(logins: LoginServer, operator: str) -> None:
    """Whoever guesses is shut out after five wrong passwords; the operator's right one still opens."""
    guesses = [(await logins.login(STRANGER, f"guess {number}"))[0] for number in range(8)]

    assert [401] * 5 + [429] * 3 == guesses
    assert 429 == (await logins.login(STRANGER, PASSWORD))[0]
    status, token = await logins.login(operator, PASSWORD)
    assert 200 == status
    assert 200 == await logins.get(operator, "/v2/ping", token)
    logins.clock.advance(PERIOD_S)
    assert 200 == (await logins.login(STRANGER, PASSWORD))[0]


async def test_the_operator_beside_a_flood_of_its_own_user(logins: LoginServer) -> None:
    """While forty of the same user guess at once, the password that was right before opens without waiting."""
    assert 200 == (await logins.login(OURS, PASSWORD))[0]
    flood = [asyncio.create_task(logins.login(OURS, f"guess {number}")) for number in range(40)]
    await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)

    assert 200 == (await logins.login(OURS, PASSWORD))[0]
    assert not all(task.done() for task in flood)
    assert {401, 429} == {status for status, _ in await asyncio.gather(*flood)}


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("\0", PASSWORD),
        (EMAIL + "\0", PASSWORD),
        (EMAIL, "\0"),
        (EMAIL, "\ud800"),
        ("\udfff", PASSWORD),
        ("é" * 30_000, "x"),
        (None, None),
        ([[EMAIL]], {"a": PASSWORD}),
        (1, True),
    ],
)
async def test_any_credentials(logins: LoginServer, email: object, password: object) -> None:
    """Whatever stands for address and password, it is wrong, and no fault of the node."""
    document = json.dumps([email, password])
    is_text = all(isinstance(given, str | None) for given in (email, password))
    expected = 413 if len(document) > 10_000 else 401 if is_text else 400

    assert expected == (await logins.login(STRANGER, password, email))[0]


async def test_a_session_counts_for_itself(logins: LoginServer) -> None:
    """Requests without a session use up their peer's limit and no session's; one session uses up its own alone."""
    _, first = await logins.login(OURS, PASSWORD)
    _, second = await logins.login(OURS, PASSWORD)
    assert [401] * 10 + [429] == [await logins.get(OURS, "/v2/ping", f"made up {number}") for number in range(11)]

    assert [200] * 10 + [429] == [await logins.get(OURS, "/v2/ping", first) for _ in range(11)]
    assert 200 == await logins.get(OURS, "/v2/ping", second)
    assert 200 == await logins.get(STRANGER, "/health")
    logins.clock.advance(60)
    assert 200 == await logins.get(OURS, "/v2/ping", first)


async def test_those_who_watch_are_not_limited(logins: LoginServer) -> None:
    """The metrics and the readiness are answered however often they are asked for."""
    for path in ("/metrics", "/readyz"):
        assert [200] * 15 == [await logins.get(STRANGER, path) for _ in range(15)]
