"""What watches a node: health, metrics, and where they are."""

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from meshkit.metrics import Registry
from services.oracle.health import Check
from services.oracle.metrics import METRICS
from services.oracle.rest.monitoring import Monitoring

Client = TestClient[web.Request, web.Application]


async def _checks() -> Sequence[Check]:
    return [Check("EVM.1"), Check("EVM.1.Txm", "no funds\nat all")]


@pytest.fixture(name="client")
async def _client() -> AsyncIterator[Client]:
    """Give a client of a node of which one check fails, and whose metrics need a token."""
    health = SimpleNamespace(checks=_checks, ready=True)
    app = web.Application()
    app.add_routes(Monitoring(health, Registry(METRICS), "the-token").routes())  # type: ignore[arg-type]
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_health_as_text(client: Client) -> None:
    """Each check has a line, and what is wrong stands below it."""
    for path, accepted in (("/health.txt", "*/*"), ("/health", "text/plain")):
        answer = await client.get(path, headers={"Accept": accepted})
        assert (207, "ok EVM.1\n!  EVM.1.Txm\n\tno funds\n\tat all\n") == (answer.status, await answer.text())


async def test_metrics_need_their_token(client: Client) -> None:
    """Without the token nothing is shown, in the words of a real node."""
    answers = [
        await client.get("/metrics", headers=headers)
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "Bearer the-token"})
    ]

    assert [401, 401, 200] == [answer.status for answer in answers]
    assert "invalid or missing token" == await answers[0].text()


async def test_discovery(client: Client) -> None:
    """A node says where its metrics are, and has no plugins."""
    (found,) = await (await client.get("/discovery")).json(content_type=None)

    assert {"__metrics_path__": "/metrics"} == found["labels"]
    assert [str(client.server.port)] == [target.rpartition(":")[2] for target in found["targets"]]
    plugin = await client.get("/plugins/x/metrics")
    assert (404, 'plugin "x" does not exist') == (plugin.status, await plugin.text())
