"""The control API: break a source, mend it, act on its connections, and see what reached it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from devkit.market.dialects.dialect import Dialect, answer
from devkit.market.errors import UnknownSource
from devkit.market.faults import Disconnection, Fault, Shout, SourceControl, parse
from devkit.market.streams.hub import Hub
from meshkit.errors import FailedPrecondition, InvalidInput


@dataclass(frozen=True, slots=True)
class Source:
    """Hold what belongs to one simulated source."""

    dialect: Dialect
    control: SourceControl
    hubs: Sequence[Hub]


class Control:
    """Serve `/control` and `/control/<source>`."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the paths and their handlers."""
        return (
            web.get("/control", self._show_all),
            web.delete("/control", self._clear_all),
            web.get("/control/{source}", self._show),
            web.post("/control/{source}", self._set),
            web.delete("/control/{source}", self._clear),
            web.post("/control/{source}/disconnect", self._disconnect),
            web.post("/control/{source}/drop", self._drop),
            web.post("/control/{source}/say", self._say),
        )

    def _source(self, request: web.Request) -> Source:
        name = request.match_info["source"]
        if name not in self._sources:
            raise UnknownSource(name, self._sources)
        return self._sources[name]

    async def _show_all(self, _request: web.Request) -> web.Response:
        return answer({name: _state(source) for name, source in self._sources.items()})

    async def _clear_all(self, request: web.Request) -> web.Response:
        for source in self._sources.values():
            source.control.fault = Fault()
        return await self._show_all(request)

    async def _show(self, request: web.Request) -> web.Response:
        return answer(_state(self._source(request)))

    async def _set(self, request: web.Request) -> web.Response:
        source = self._source(request)
        fault = parse(Fault, await request.read())
        names = source.dialect.limit_answers()
        if isinstance(fault.limit, str) and fault.limit not in names:
            raise InvalidInput("limit", fault.limit, f"true, false or one of {', '.join(names)}")
        source.control.fault = fault
        return answer(_state(source))

    async def _clear(self, request: web.Request) -> web.Response:
        source = self._source(request)
        source.control.fault = Fault()
        return answer(_state(source))

    async def _disconnect(self, request: web.Request) -> web.Response:
        source = self._streaming(request)
        how = parse(Disconnection, await request.read())
        closed = [await hub.disconnect(code=how.code, abrupt=how.abrupt, notice=how.notice) for hub in source.hubs]
        return answer({"disconnected": sum(closed)})

    async def _drop(self, request: web.Request) -> web.Response:
        return answer({"dropped": sum(hub.drop_subscriptions() for hub in self._streaming(request).hubs)})

    async def _say(self, request: web.Request) -> web.Response:
        source = self._streaming(request)
        said = parse(Shout, await request.read())
        return answer({"told": sum([await hub.say(said.text) for hub in source.hubs])})

    def _streaming(self, request: web.Request) -> Source:
        source = self._source(request)
        if not source.hubs:
            raise FailedPrecondition(f"source {source.dialect.source!r} has no stream")
        return source


def _state(source: Source) -> dict[str, object]:
    control = source.control
    fault = control.fault.model_dump(mode="json", exclude_unset=True)
    state: dict[str, object] = {"fault": fault, "requests": control.requests, "calls": control.calls}
    if source.hubs:
        counts = [hub.state() for hub in source.hubs]
        state["stream"] = {name: sum(count[name] for count in counts) for name in counts[0]}
    return state
