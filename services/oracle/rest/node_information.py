"""What a node says of itself: its configuration, its features, its log, its users."""

import logging
import uuid
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from meshkit.go_quoted import quoted
from services.oracle import go_texts
from services.oracle.rest.config_text import toml_of
from services.oracle.rest.json_body import TEXT, TRUTH, decode
from services.oracle.rest.jsonapi import Refused, all_of, many, one, resource, shortened, timestamp
from services.oracle.settings import Config
from services.oracle.store.users import UserStore

# What a real node changes by request, and this one by its files or not at all.
_FIXED = (
    *(("PATCH", "/v2/user/password"), ("POST", "/v2/user/token")),
    *(("POST", "/v2/user/token/delete"), ("POST", "/v2/users"), ("PATCH", "/v2/users")),
    *(("DELETE", "/v2/users/{email}"), ("POST", "/v2/transfers"), ("POST", "/v2/transfers/evm")),
    *(("POST", "/v2/replay_from_block/{number}"), ("POST", "/v2/nodes/evm/forwarders/track")),
    *(("DELETE", "/v2/nodes/evm/forwarders/{id}"), ("GET", "/v2/find_lca"), ("GET", "/v2/enroll_webauthn")),
    *(("POST", "/v2/keys/eth"), ("GET", "/debug/vars")),
)

# Under Python's names.
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "dpanic": logging.CRITICAL,
    "panic": logging.CRITICAL,
    "fatal": logging.CRITICAL,
}


def features(config: Config) -> dict[str, bool]:
    """Return which features of a real node are on."""
    feature = config.feature
    return {"csa": False, "feeds_manager": feature.feeds_manager, "multi_feeds_managers": feature.multi_feeds_managers}


class NodeInformation:
    """Serve /v2/config, /v2/features, /v2/users, /v2/external_initiators and /v2/log, whose level may be set."""

    def __init__(self, config: Config, users: UserStore) -> None:
        self._config = config
        self._users = users
        self._level = config.log.level.lower()

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return (
            web.get("/v2/config", self._get_config),
            web.get("/v2/config/v2", self._get_config),
            web.get("/v2/features", self._get_features),
            web.get("/v2/log", self._get_log),
            web.patch("/v2/log", self._set_log),
            web.get("/v2/users", self._get_users),
            web.get("/v2/external_initiators", _no_initiators),
            web.post("/v2/external_initiators", _initiators_are_off),
            web.delete("/v2/external_initiators/{name}", _no_initiator),
            *(web.route(method, path, _is_fixed) for method, path in _FIXED),
        )

    async def _get_config(self, request: web.Request) -> web.Response:
        said_only = False
        if "userOnly" in request.query:
            try:
                said_only = go_texts.boolean(request.query["userOnly"])
            except ValueError as error:
                raise Refused(400, shortened(f"invalid bool for userOnly: {error}")) from error
        text = toml_of(self._config, said_only=said_only)
        return one(resource("configV2Resources", uuid.uuid4().hex, {"config": text}))

    async def _get_features(self, _: web.Request) -> web.Response:
        found = features(self._config).items()
        return all_of([resource("features", name, {"enabled": value}) for name, value in found])

    async def _get_log(self, _: web.Request) -> web.Response:
        return one(_log(self._level, self._config.log.level.lower()))

    async def _set_log(self, request: web.Request) -> web.Response:
        wanted = await decode(request, "web.LogPatchRequest", {"level": TEXT, "sqlEnabled": TRUTH})
        level = wanted["level"]
        if not level and wanted["sqlEnabled"] is None:
            raise Refused(400, "please check request params, no params configured")
        if level:
            if level.lower() not in _LEVELS or level not in (level.lower(), level.upper()):
                raise Refused(400, shortened(f"unrecognized level: {quoted(level)}"))
            self._level = level.lower()
            logging.getLogger().setLevel(_LEVELS[self._level])
        return one(_log(self._level, ""))

    async def _get_users(self, _: web.Request) -> web.Response:
        return all_of(
            [
                resource(
                    "users",
                    user.email,
                    {
                        "email": user.email,
                        "role": "admin",
                        "hasActiveApiToken": "false",
                        "createdAt": timestamp(user.created_at),
                        "updatedAt": timestamp(user.created_at),
                    },
                )
                for user in await self._users.all()
            ]
        )


def _log(level: str, default: str) -> dict[str, Any]:
    # No statement of SQL is ever logged: some hold secrets.
    attributes = {"serviceName": ["Global", "IsSqlEnabled"], "logLevel": [level, "false"], "defaultLogLevel": default}
    return resource("serviceLevelLogs", "log", attributes)


async def _no_initiators(request: web.Request) -> web.Response:
    return many(request, ())


async def _initiators_are_off(_: web.Request) -> web.Response:
    raise Refused(405, "The External Initiator feature is disabled by configuration")


async def _no_initiator(_: web.Request) -> web.Response:
    raise Refused(404, "external initiator not found")


async def _is_fixed(request: web.Request) -> web.Response:
    raise Refused(501, shortened(f"{request.method} {request.path} is not available on this node"))
