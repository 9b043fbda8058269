"""Log in and out."""

from collections.abc import Iterable

from aiohttp import web

from services.oracle.rest.jsonapi import Refused, body, one, resource
from services.oracle.settings import WebServerSettings
from services.oracle.store.users import UserStore

COOKIE = "clsession"
_COOKIE_AGE_S = 30 * 24 * 3600


class Sessions:
    """Serve /sessions and check the cookie of all other requests."""

    def __init__(self, users: UserStore, settings: WebServerSettings) -> None:
        self._users = users
        self._settings = settings

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return web.post("/sessions", self._login), web.delete("/sessions", self._logout)

    async def require(self, request: web.Request) -> None:
        """Refuse a request without a live session with 401."""
        token = request.cookies.get(COOKIE)
        if not token or await self._users.session(token, self._settings.session_timeout_s) is None:
            raise Refused(401, "Unauthorized")

    async def _login(self, request: web.Request) -> web.Response:
        document = await body(request, 400)
        token = await self._users.login(str(document.get("email", "")), str(document.get("password", "")))
        if token is None:
            raise Refused(401, "Invalid password")
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
        if token := request.cookies.get(COOKIE):
            await self._users.logout(token)
        response = _answer(False)
        response.del_cookie(COOKIE)
        return response


def _answer(authenticated: bool) -> web.Response:
    return one(resource("session", "sessionID", {"authenticated": authenticated}))
