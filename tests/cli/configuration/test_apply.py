"""`feedmesh apply` in front of a supervisor."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.configuration import apply
from cli.errors import CliError
from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as rpc
from meshkit.rpc.server import MeshServer

NEW_FEED = pb.ApplyConfigurationResponse(
    changes=[
        pb.ServiceChange(
            name="operator", kind=pb.CHANGE_KIND_RESTARTED, fields=["configuration"], keys=["solution.mesh.feeds"]
        ),
        pb.ServiceChange(name="postgres", kind=pb.CHANGE_KIND_UPDATED, fields=["policy"]),
    ],
    keys=["solution.mesh.feeds", "solution.maxRestarts"],
    consequences=["operator restarts", "EUR / USD: a contract will be deployed"],
)


class Supervisor(rpc.SupervisorServiceServicer):
    """Answer with what it is given, and keep what it was asked."""

    def __init__(self, answer: pb.ApplyConfigurationResponse) -> None:
        self.answer = answer
        self.asked: list[pb.ApplyConfigurationRequest] = []

    async def ApplyConfiguration(
        self, request: pb.ApplyConfigurationRequest, context: Any
    ) -> pb.ApplyConfigurationResponse:
        self.asked.append(request)
        return self.answer


@asynccontextmanager
async def answering(run_dir: Path, answer: pb.ApplyConfigurationResponse) -> AsyncIterator[Supervisor]:
    """Serve an answer where the supervisor does."""
    servicer = Supervisor(answer)  # type: ignore[abstract]  # nothing else is asked
    server = MeshServer("supervisor", run_dir / "supervisor.sock", drain_s=0.1)
    server.add(rpc.add_SupervisorServiceServicer_to_server, servicer, "feedmesh.supervisor.v1.SupervisorService")
    async with server:
        yield servicer


async def test_a_trial_names_the_keys_and_what_would_follow(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each service with the keys it reads, all keys that differ, and the consequences in sentences."""
    async with answering(run_dir, NEW_FEED) as supervisor:
        await apply.apply(run_dir / "c.json", run_dir, dry_run=True, as_json=False)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    assert [(str(run_dir / "c.json"), True)] == [(asked.path, asked.dry_run) for asked in supervisor.asked]
    assert ["operator", "would", "be", "restarted", "solution.mesh.feeds"] in [line.split() for line in lines]
    assert ["postgres", "would", "be", "updated", "policy"] in [line.split() for line in lines]
    assert lines[-6:] == [
        "keys that differ:",
        "  solution.mesh.feeds",
        "  solution.maxRestarts",
        "what would follow:",
        "  operator restarts",
        "  EUR / USD: a contract will be deployed",
    ]


async def test_the_same_for_programs(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json it is one object."""
    async with answering(run_dir, NEW_FEED):
        await apply.apply(run_dir / "c.json", run_dir, dry_run=False, as_json=True)
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert (True, False) == (shown["ok"], shown["dry_run"])
    assert ["operator restarts", "EUR / USD: a contract will be deployed"] == shown["consequences"]
    assert ["solution.mesh.feeds", "solution.maxRestarts"] == shown["keys"]
    assert {
        "name": "operator",
        "change": "restarted",
        "fields": ["configuration"],
        "keys": ["solution.mesh.feeds"],
    } == shown["changes"][0]


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (pb.ApplyConfigurationResponse(), "nothing differs from what runs"),
        (
            pb.ApplyConfigurationResponse(
                keys=["solution.signature"], consequences=["solution.signature: nobody reads it, so nothing follows"]
            ),
            "  solution.signature: nobody reads it, so nothing follows",
        ),
    ],
)
async def test_no_service_changes(
    run_dir: Path, capsys: pytest.CaptureFixture[str], answer: pb.ApplyConfigurationResponse, line: str
) -> None:
    """No difference is said, and so is one that changes nothing."""
    async with answering(run_dir, answer):
        await apply.apply(run_dir / "c.json", run_dir, dry_run=True, as_json=False)

    assert line == capsys.readouterr().out.splitlines()[-1]


async def test_no_mesh_runs(run_dir: Path) -> None:
    """Without a socket there is nothing to change, and the error says how to have one."""
    with pytest.raises(CliError, match="no mesh runs here"):
        await apply.apply(run_dir / "c.json", run_dir, dry_run=True, as_json=False)
