"""`feedmesh status` and `down` against a supervisor, and the verdict that goes with them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cli.commands.services import down, status
from cli.errors import CliError
from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as rpc
from meshkit.paths import RunDir
from meshkit.rpc.server import MeshServer
from tests.waiting import until


class _Supervisor(rpc.SupervisorServiceServicer):
    """Answer with one service, and end when it is told to, unless it hangs."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.hangs = False
        self.told = ""

    async def ListServices(self, request: Any, context: Any) -> pb.ListServicesResponse:
        service = pb.Service(name="operator", state=pb.SERVICE_STATE_HEALTHY, pid=7)
        return pb.ListServicesResponse(services=[service], supervisor_pid=6)

    async def Shutdown(self, request: Any, context: Any) -> pb.ShutdownResponse:
        self.told = request.reason
        if not self.hangs:
            self.socket.unlink()
        return pb.ShutdownResponse()


@pytest.fixture(name="supervisor")
async def _supervisor(run_dir: Path) -> AsyncIterator[_Supervisor]:
    served = _Supervisor(RunDir(run_dir).socket("supervisor"))  # type: ignore[abstract]  # only the stubs call it abstract
    server = MeshServer("supervisor", served.socket, drain_s=0)
    server.add(rpc.add_SupervisorServiceServicer_to_server, served, "feedmesh.supervisor.v1.SupervisorService")
    async with server:
        yield served


def judge(run_dir: Path, well: bool) -> None:
    """Write a verdict as process-metrics does."""
    path = RunDir(run_dir).verdict
    path.parent.mkdir(exist_ok=True)
    words = "every feed is answered" if well else "all 3 price sources are away"
    document = {"well": well, "words": words, "remarks": [], "links": [], "time_ms": time.time() * 1000, "period_s": 5}
    written = path.with_suffix(".new")
    written.write_text(json.dumps(document))
    written.replace(path)


@pytest.mark.parametrize(("well", "code"), [(True, 0), (False, 1)])
async def test_status_ends_as_the_verdict_is(
    supervisor: _Supervisor, run_dir: Path, capsys: pytest.CaptureFixture[str], well: bool, code: int
) -> None:
    """The services are shown with the verdict, and a bad one is a failure."""
    judge(run_dir, well)

    assert code == await status(run_dir, as_json=True)
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (6, ["operator"], well) == (
        said["supervisor_pid"],
        [s["name"] for s in said["services"]],
        said["verdict"]["ok"],
    )

    assert code == await status(run_dir, as_json=False)
    assert "verdict: " in capsys.readouterr().out.splitlines()[-1]


async def test_without_a_verdict_nothing_is_well(
    supervisor: _Supervisor, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While nobody judges, the services are shown and the command fails."""
    assert 1 == await status(run_dir, as_json=False)
    shown = capsys.readouterr().out
    assert "operator" in shown
    assert "no verdict yet" in shown


async def test_status_waits_for_a_good_verdict(supervisor: _Supervisor, run_dir: Path) -> None:
    """With time to wait the command ends when the verdict becomes good."""
    judge(run_dir, well=False)
    waiting = asyncio.create_task(status(run_dir, as_json=True, wait_s=30))
    await asyncio.sleep(0)
    judge(run_dir, well=True)

    assert 0 == await waiting


async def test_down_returns_when_the_mesh_is_down(
    supervisor: _Supervisor, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mesh is told to stop by whom, and the command ends when its socket is gone."""
    await down(run_dir, 10, as_json=False)

    assert "feedmesh down" == supervisor.told
    assert "the mesh is down" == capsys.readouterr().out.splitlines()[-1]


async def test_a_mesh_that_does_not_stop_is_said(supervisor: _Supervisor, run_dir: Path) -> None:
    """When the time is over the command fails, and says that the mesh goes on stopping."""
    supervisor.hangs = True

    with pytest.raises(CliError, match="not down after 0 s"):
        await down(run_dir, 0, as_json=False)


@pytest.mark.parametrize("as_json", [True, False])
async def test_status_is_shown_again_and_again(
    supervisor: _Supervisor,
    run_dir: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    as_json: bool,
) -> None:
    """Watched, the services and the verdict of now are shown each time, for programs as one object a line."""
    monkeypatch.setattr("cli.commands.services._WATCH_S", 0.01)
    judge(run_dir, well=True)
    shown = ""

    def says(words: str) -> bool:
        nonlocal shown
        shown += capsys.readouterr().out
        return words in shown

    watching = asyncio.create_task(status(run_dir, as_json, watch=True))
    await until(lambda: says("every feed is answered"))
    judge(run_dir, well=False)
    await until(lambda: says("all 3 price sources are away"))
    assert not watching.done()
    watching.cancel()
    await asyncio.wait([watching])

    lines = (shown + capsys.readouterr().out).splitlines()
    if as_json:
        # The server beside it logs there too.
        told = [json.loads(line) for line in lines if line.startswith("{")]
        assert {("operator",)} == {tuple(service["name"] for service in each["services"]) for each in told}
        assert [True, False] == list(dict.fromkeys(each["verdict"]["ok"] for each in told))
    else:
        verdicts = [line for line in lines if line.startswith("verdict: ")]
        assert ["verdict: every feed is answered", "verdict: all 3 price sources are away"] == list(
            dict.fromkeys(verdicts)
        )
        assert len(verdicts) == sum(line.startswith("operator") for line in lines)
