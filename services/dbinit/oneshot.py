"""The service's clients that run once: ask, print one line, end with 0 or 1."""

import asyncio
import sys
from typing import Literal

import grpc.aio

from feedmesh.dbinit.v1 import database_service_pb2 as pb
from feedmesh.dbinit.v1 import database_service_pb2_grpc as rpc
from meshkit.paths import RunDir, default_run_dir
from meshkit.rpc.client import channel

# Slow disks and the copy of the programs included; the supervisor's own limit is what ends a hanging start.
_TIMEOUT_S = 120.0


def run(verb: Literal["bootstrap", "provision"]) -> int:
    """Call the verb on the service in our run directory and return the exit code."""
    try:
        print(asyncio.run(_call(verb)), flush=True)
    except grpc.aio.AioRpcError as error:
        print(f"{verb}: {error.code().name}: {error.details()}", file=sys.stderr)
        return 1
    return 0


def run_here(verb: Literal["bootstrap", "provision"]) -> int:
    """
    Make the cluster, or the databases, in this process and return the exit code.

    This is for where the service runs as another user than PostgreSQL: the cluster belongs to whoever makes it; and for
    the databases of a server that is not ours.
    """
    # Who only asks the service need not load what it does: that takes half a second of each start of a mesh.
    from meshkit.errors import MeshError
    from services.dbinit.bootstrap import bootstrap
    from services.dbinit.config import from_environment
    from services.dbinit.databases.provision import provision

    try:
        settings = from_environment()
        if verb == "bootstrap":
            made = bootstrap(settings)
            said = f"{'created' if made.created else 'found'} {made.data_directory}, PostgreSQL {made.version}"
        else:
            done = asyncio.run(provision(settings))
            said = f"{len(done.databases)} databases, {done.created_count} of them new"
    except MeshError as error:
        print(f"{verb}: {error.reason}: {error}", file=sys.stderr)
        return 1
    print(said, flush=True)
    return 0


async def _call(verb: Literal["bootstrap", "provision"]) -> str:
    async with channel(RunDir(default_run_dir()).socket("dbinit")) as connection:
        stub = rpc.DatabaseServiceStub(connection)
        if verb == "bootstrap":
            made = await stub.Bootstrap(pb.BootstrapRequest(), timeout=_TIMEOUT_S)
            return f"{'created' if made.created else 'found'} {made.data_directory}, PostgreSQL {made.version}"
        done = await stub.Provision(pb.ProvisionRequest(), timeout=_TIMEOUT_S)
        return f"{len(done.databases)} databases, {done.created_count} of them new"
