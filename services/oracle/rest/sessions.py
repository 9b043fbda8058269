"""Log in and out."""

import hashlib
from collections.abc import Iterable

from aiohttp import web

from meshkit.clock import Clock
from services.oracle.rest import peers
from services.oracle.rest.jsonapi import Refused, body, one, resource
from services.oracle.rest.request_limits import LoginLimit, RequestLimit
from services.oracle.settings import WebServerSettings
from services.oracle.store.users import UserStore

COOKIE = "clsession"
_COOKIE_AGE_S = 30 * 24 * 3600
_KNOWN_S = 60.0
_MOST_KNOWN = 256
_LONGEST_FIELD = 1_000
# Whoever watches the node asks for these, and a flood must not make it look dead.
_UNLIMITED = ("/metrics", "/readyz")


class Sessions:
    """Serve /sessions, check the cookie of all other requests, and limit how many come."""

    def __init__(self, users: UserStore, settings: WebServerSettings, clock: Clock) -> None:
        self._users = users
        self._settings = settings
        self._clock = clock
        rates = settings.rate_limit
        self._requests = RequestLimit(rates.authenticated, rates.authenticated_period_s, clock)
        self._logins = LoginLimit(rates.unauthenticated, rates.unauthenticated_period_s, clock)
        self._known_until_s: dict[str, float] = {}

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return web.post("/sessions", self._login), web.delete("/sessions", self._logout)

    def limit(self, request: web.Request) -> None:
        """Refuse a request with 429 if its session, or without one its peer, has asked too often."""
        if request.path in _UNLIMITED or (request.method == "POST" and request.path == "/sessions"):
            return
        key = _key(_token(request))
        if self._known_until_s.get(key, 0.0) <= self._clock.monotonic():
            # A cookie that anybody could have made up counts as its peer's.
            key = peers.of_request(request).key
        if not self._requests.allow(key):
            raise Refused(429, "Limit exceeded")

    async def require(self, request: web.Request) -> None:
        """Refuse a request without a live session with 401."""
        token = _token(request)
        if not token or await self._users.session(token, self._settings.session_timeout_s) is None:
            raise Refused(401, "Unauthorized")
        self._know(token)

    def _know(self, token: str) -> None:
        if len(self._known_until_s) >= _MOST_KNOWN:
            self._known_until_s.pop(next(iter(self._known_until_s)))
        self._known_until_s[_key(token)] = self._clock.monotonic() + _KNOWN_S

    async def _login(self, request: web.Request) -> web.Response:
        document = await body(request, 400)
        email, password = _field(document.get("email")), _field(document.get("password"))
        async with self._logins.attempt(peers.of_request(request)) as attempt:
            token = await self._users.login(email, password)
            if token is None:
                raise attempt.refusal()
            attempt.was_right = True
        self._know(token)
        response = _answer(True)
        response.set_cookie(
            COOKIE,
            token,
            max_age=_COOKIE_AGE_S,
            httponly=True,
            samesite="Strict",
            secure=self._settings.secure_cookies,
        )
        return response

    async def _logout(self, request: web.Request) -> web.Response:
        if token := _token(request):
            self._known_until_s.pop(_key(token), None)
            await self._users.logout(token)
        response = _answer(False)
        response.del_cookie(COOKIE)
        return response


def _token(request: web.Request) -> str:
    # A header may hold bytes that are no text.
    return request.cookies.get(COOKIE, "").encode("utf-8", "replace").decode()


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _field(value: object) -> str:
    # Nothing longer is an address or a password of anybody, and nothing but a text is.
    return value[:_LONGEST_FIELD] if isinstance(value, str) else ""


def _answer(authenticated: bool) -> web.Response:
    return one(resource("session", "sessionID", {"authenticated": authenticated}))
