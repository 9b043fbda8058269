"""Log in and out."""

import hashlib
import hmac
import re
import secrets
from collections import deque
from collections.abc import Iterable

from aiohttp import web

from meshkit.clock import Clock
from services.oracle.rest import peers
from services.oracle.rest.json_body import TEXT, decode
from services.oracle.rest.jsonapi import Refused, one, resource
from services.oracle.rest.request_limits import LoginLimit, RequestLimit
from services.oracle.settings import WebServerSettings
from services.oracle.store.users import UserStore

COOKIE = "clsession"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_COOKIE_AGE_S = 30 * 24 * 3600
_KNOWN_S = 60.0
_MOST_KNOWN = 256
_LONGEST_FIELD = 1_000
_MOST_PROVEN = 4
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
        self._proven = _ProvenCredentials()

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
        if not _TOKEN.fullmatch(token):
            raise Refused(401, "Authentication failed")
        if await self._users.session(token, self._settings.session_timeout_s) is None:
            raise Refused(401, "session missing or expired, please login again")
        self._know(token)

    def _know(self, token: str) -> None:
        if len(self._known_until_s) >= _MOST_KNOWN:
            self._known_until_s.pop(next(iter(self._known_until_s)))
        self._known_until_s[_key(token)] = self._clock.monotonic() + _KNOWN_S

    async def _login(self, request: web.Request) -> web.Response:
        wanted = {"email": TEXT, "password": TEXT}
        document = await decode(request, "sessions.SessionRequest", wanted, 400, "error binding json ")
        email, password = _field(document.get("email")), _field(document.get("password"))
        peer = peers.of_request(request)
        if self._proven.has(email, password) and self._logins.may_try(peer):
            return await self._session(email)
        async with self._logins.attempt(peer) as attempt:
            if not await self._users.is_right(email, password):
                raise attempt.refusal()
            attempt.was_right = True
        self._proven.add(email, password)
        return await self._session(email)

    async def _session(self, email: str) -> web.Response:
        token = await self._users.open_session(email)
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
        await self.require(request)
        token = _token(request)
        self._known_until_s.pop(_key(token), None)
        await self._users.logout(token)
        # The cookie stays, as with the real node: whoever sends it is told that its session is over.
        return _answer(False)


class _ProvenCredentials:
    """
    Remember in digests under a key of this process what was right before.

    So an operator that logs in again waits for none of the passwords that others try, and costs no slow check.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._digests: deque[bytes] = deque(maxlen=_MOST_PROVEN)

    def add(self, email: str, password: str) -> None:
        """Note what the slow check has found right."""
        self._digests.append(self._digest(email, password))

    def has(self, email: str, password: str) -> bool:
        """Tell whether this was right before."""
        digest = self._digest(email, password)
        return any(hmac.compare_digest(digest, known) for known in self._digests)

    def _digest(self, email: str, password: str) -> bytes:
        parts = (text.encode("utf-8", "surrogatepass") for text in (email.lower(), password))
        return hashlib.blake2b(b"\0".join(hashlib.sha256(part).digest() for part in parts), key=self._key).digest()


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
