"""What the page knows, in whatever order it is told."""

import asyncio

from feedmesh.operator.v1 import operator_service_pb2 as operator
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor
from services.metrics.page.content.seen import MeshSeen, Way
from tests.metrics.page.meshes import LIMITS, NOW_S, heard, mesh, observed


def accepted(round_id: int) -> operator.Round:
    """Return a round of the first feed."""
    found = operator.Round(feed="BTC / USD", round_id=round_id, answer=f"{round_id}.5")
    found.block_time.seconds = NOW_S
    return found


def test_a_round_that_was_told_is_not_undone_by_an_older_answer() -> None:
    """A round told by itself is shown until an answer has it or a newer one; an older round changes nothing."""
    seen = mesh()
    seen.round_accepted(accepted(11))
    seen.round_accepted(accepted(10))
    seen.note(heard(), observed(), 20, NOW_S)
    assert (11, "11.5", 8) == (
        seen.feeds["BTC / USD"].round_id,
        seen.feeds["BTC / USD"].answer,
        seen.feeds["BTC / USD"].decimals,
    )

    asked = heard()
    assert not isinstance(asked.feeds, str)
    asked.feeds.feeds[0].round_id = 12
    seen.note(asked, observed(), 25, NOW_S)
    assert 12 == seen.feeds["BTC / USD"].round_id


def test_a_change_that_was_told_is_not_undone_by_an_older_answer() -> None:
    """While the supervisor tells changes, an answer only says which services there are."""
    seen = mesh()
    seen.live_services = True
    killed = supervisor.Service(name="chainlink-node-2", state=supervisor.SERVICE_STATE_BACKOFF)
    seen.service_changed(supervisor.WatchServicesResponse(service=killed))
    seen.note(heard(), observed(), 20, NOW_S)
    assert supervisor.SERVICE_STATE_BACKOFF == seen.services["chainlink-node-2"].state

    seen.live_services = False
    seen.note(heard(), observed(), 25, NOW_S)
    assert supervisor.SERVICE_STATE_HEALTHY == seen.services["chainlink-node-2"].state
    seen.service_changed(supervisor.WatchServicesResponse(service=killed, removed=True))
    assert ["postgres-init"] == list(seen.services)


def test_what_is_gone_from_the_configuration_is_forgotten() -> None:
    """A feed that is not listed any more leaves no plot and no bar behind, and none can be added to it."""
    seen = mesh()
    seen.note(heard(["ETH / USD"]), observed(["ETH / USD"]), 20, NOW_S)
    seen.way_found("BTC / USD", Way(9, {}))

    assert (["ETH / USD"], ["ETH / USD"], {}) == (list(seen.feeds), list(seen.histories), seen.ways)


async def test_who_waits_is_woken_by_a_change() -> None:
    """All who wait for a change of a version are woken by the next one; for an old version nobody waits."""
    seen = MeshSeen(LIMITS)
    waiting = [asyncio.create_task(seen.changed_since(seen.version)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)

    seen.touch()
    await asyncio.gather(*waiting)
    await seen.changed_since(seen.version - 1)
