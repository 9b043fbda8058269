"""An adapter whose answers a test decides, and pipelines run against it."""

import asyncio
import json
from dataclasses import dataclass, field

from aiohttp import web

from meshkit.clock import SystemClock
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.pipeline.last_answers import LastAnswers
from services.oracle.pipeline.run import run
from services.oracle.pipeline.values import Value


@dataclass
class Adapter:
    """A server whose answers a test decides by path: (status, body, whether it waits for `go_on`)."""

    port: int
    answers: dict[str, list[tuple[int, str, bool]]] = field(default_factory=dict)
    received: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"http://127.0.0.1:{self.port}"

    def says(self, path: str, body: object, status: int = 200, *, hangs: bool = False) -> None:
        """Answer so from now on; several answers of a path come one after the other, the last for ever."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.answers.setdefault(path, []).append((status, text, hangs))

    async def handle(self, request: web.Request) -> web.Response:
        """Answer."""
        self.received.append((request.path, dict(request.headers), await request.text()))
        answers = self.answers.get(request.path, [(404, "nothing here", False)])
        status, body, hangs = answers.pop(0) if len(answers) > 1 else answers[0]
        if hangs:
            await self.go_on.wait()
        return web.Response(status=status, text=body)


async def results_of(
    source: str,
    fetcher: Fetcher,
    *,
    timeout_s: float = 5.0,
    last_answers: LastAnswers | None = None,
    **variables: Value,
) -> dict[str, Value | TaskError]:
    """Return every task's result or error."""
    answers = last_answers or LastAnswers(SystemClock())
    return dict((await run(Pipeline.parse(source), fetcher, answers, variables, timeout_s)).results)


async def result_of(
    source: str,
    fetcher: Fetcher,
    *,
    timeout_s: float = 5.0,
    last_answers: LastAnswers | None = None,
    **variables: Value,
) -> Value:
    """Return the last task's result, or raise the error it ended with."""
    results = await results_of(source, fetcher, timeout_s=timeout_s, last_answers=last_answers, **variables)
    found = results[Pipeline.parse(source).terminals[0]]
    if isinstance(found, TaskError):
        raise found
    return found
