"""`feedmesh nodes` and `feedmesh jobs`: the nodes' public keys, and the jobs that they answer."""

from pathlib import Path

from rich.table import Table

from cli import terminal
from cli.json_output import as_json_values, print_json
from cli.sockets import socket_of
from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit.rpc.client import channel

_TIMEOUT_S = 120.0


async def nodes(run_dir: Path, as_json: bool) -> None:
    """Show every node with its public keys."""
    async with channel(socket_of(run_dir, "operator")) as connection:
        listed = await pb_grpc.OperatorServiceStub(connection).ListNodes(pb.ListNodesRequest())
    if as_json:
        print_json([as_json_values(node) for node in listed.nodes])
        return
    table = Table("node", "role", "oracle", "transmitter", "signer", "peer", "bundle", box=None, pad_edge=False)
    for node in listed.nodes:
        role = pb.NodeRole.Name(node.role).removeprefix("NODE_ROLE_").lower()
        place = str(node.oracle_index) if node.HasField("oracle_index") else ""
        table.add_row(
            node.name,
            role,
            place,
            node.transmitter_address,
            node.signing_address,
            node.peer_id,
            node.key_bundle_id[:8],
        )
    terminal.console().print(table)


async def jobs(run_dir: Path, node: str, as_json: bool) -> int:
    """Show the jobs of every node, or of one; 1 if a node does not answer or a job has errors."""
    async with channel(socket_of(run_dir, "operator")) as connection:
        stub = pb_grpc.OperatorServiceStub(connection)
        listed = await stub.ListJobs(pb.ListJobsRequest(), timeout=_TIMEOUT_S)
    chosen = [each for each in listed.nodes if node in ("", each.node, each.node.rpartition("-")[2])]
    broken = not chosen or any(each.problem or any(job.errors for job in each.jobs) for each in chosen)
    if as_json:
        print_json({"ok": not broken, "nodes": [as_json_values(each) for each in chosen]})
        return int(broken)
    console = terminal.console()
    table = Table("node", "id", "job", "type", "contract", box=None, pad_edge=False)
    for each in chosen:
        for job in each.jobs:
            table.add_row(each.node, job.id, job.name, job.type, job.contract_address)
    console.print(table)
    problems = [f"{each.node}: {each.problem}" for each in chosen if each.problem]
    problems += [f"{each.node}: {job.name}: {error}" for each in chosen for job in each.jobs for error in job.errors]
    if not chosen:
        problems.append(f"no node is called {node!r}; there are {', '.join(each.node for each in listed.nodes)}")
    for problem in problems:
        console.print(problem, markup=False, highlight=False, soft_wrap=True)
    return int(broken)
