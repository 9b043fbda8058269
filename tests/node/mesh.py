"""A whole mesh whose nodes run the programs that a test says."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from cli.embedded import profile
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from meshkit.configuration.node_program import PROGRAM_VARIABLE, RuntimeName
from tests.mesh.running import Mesh, free_port_offset, own_directory, stopping

Rounds = list[operator_pb.Round]
_WITHIN_S = 400.0


@contextmanager
def running(
    program: Path, runtime: RuntimeName | Mapping[str, RuntimeName], feeds: Sequence[str], **solution_mesh: Any
) -> Iterator[Mesh]:
    """Run a mesh of five nodes; `program` is Chainlink's, `solution_mesh` replaces keys of `solution.mesh`."""
    with own_directory() as directory:
        offset = free_port_offset()
        config = profile.write(directory / "data", directory / "run", 5, feeds, offset)
        document = json.loads(config.read_text())
        document["solution"]["mesh"] |= {"runtime": runtime} | solution_mesh
        config.write_text(json.dumps(document))
        before = os.environ.get(PROGRAM_VARIABLE)
        os.environ[PROGRAM_VARIABLE] = str(program)
        try:
            mesh = Mesh(directory, offset, config=config)
        finally:
            os.environ.pop(PROGRAM_VARIABLE)
            if before is not None:
                os.environ[PROGRAM_VARIABLE] = before
        with stopping(mesh):
            yield mesh


def rounds_until(mesh: Mesh, condition: Callable[[Rounds], bool], what: str) -> Rounds:
    """Return the rounds that the contract takes from now on, as soon as the condition holds of them."""
    seen: Rounds = []
    with grpc.insecure_channel(f"unix:{mesh.run_dir / 'operator.sock'}") as connection:
        watched = operator_grpc.OperatorServiceStub(connection).WatchRounds(
            operator_pb.WatchRoundsRequest(), timeout=_WITHIN_S, wait_for_ready=True
        )
        try:
            for message in watched:
                seen.append(message.round)
                if condition(seen):
                    return seen
        except grpc.RpcError as error:
            lines = mesh.text().splitlines()[-40:]
            told = [(each.round_id, list(each.observers), each.transmitter) for each in seen]
            raise AssertionError(f"not so: {what} ({error.code()}); rounds: {told}\n" + "\n".join(lines)) from error
    raise AssertionError(f"the operator ended the stream before: {what}; {len(seen)} rounds")


def kill(mesh: Mesh, name: str) -> None:
    """Kill a service's process outright."""
    os.kill(mesh.status()[name]["pid"], signal.SIGKILL)
